//! What keeps a workload from being ready, told in the words of its pod; and an image that only its secret can pull.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::answer::Answer;
use crate::host::{Deployment, Host};

/// Where the token of the registry is when it is there.
const TOKEN: &str = "PAGES_REGISTRY_TOKEN";
/// How long what never becomes ready is waited for.
const NOT_LONG: &str = "--timeout=25s";

#[test]
fn what_is_not_ready_says_why_and_private_images_are_pulled_with_the_secret() {
    let Some(host) = Host::new() else { return };
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let registry = variable("LACONIC_TESTBED_PRIVATE_REGISTRY");
    let (user, password) = (variable("LACONIC_TESTBED_PRIVATE_USER"), variable("LACONIC_TESTBED_PRIVATE_PASSWORD"));
    let private = format!("{registry}/laconic-testbed/workload:1");
    let compose = host.read("repository/compose/docker-compose-web.yml");
    host.write("repository/compose/docker-compose-web.yml", &compose.replace("laconic-testbed/workload:1", &private));
    let credentials = format!("registry-credentials: {{server: '{registry}', username: {user}, token-env: {TOKEN}}}\n");
    let shop = host.deployment_of("shop", &format!("{}{credentials}", host.spec("shop")), &[]);

    // A token that is not the right one.
    let refused = with_token(&shop, &["apply", "--auto-approve", NOT_LONG], "not-the-right-token");
    refused.answer.expect(1).says("401 Unauthorized").says(&private);
    // And the one that is: the Secret is changed, and the pod that waits for its image gets it.
    let applied = with_token(&shop, &["apply", "--auto-approve"], &password);
    let leaked: Vec<&String> = applied.arguments.iter().filter(|line| line.contains(&password)).collect();
    assert!(leaked.is_empty(), "{leaked:#?}");
    assert!(applied.arguments.iter().any(|line| line.contains("docker")), "nobody was watched");
    assert!(!applied.answer.all().contains(&password), "{}", applied.answer.all());
    applied.answer.expect(0);
    shop.answers();
    for (path, bytes) in host.recorded() {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(&password), "{}", path.display());
    }
    // Without the token here it is not known whether it changed; nothing is planned because of that.
    shop.laconic(&["plan", "--detailed-exitcode"]).expect(0).says("LAC701");

    // A pod that fits on no node.
    let modest = host.read("shop/spec.yml");
    shop.respecify(|spec| {
        spec.replace("reservations: {cpus: '0.02'", "reservations: {cpus: '64'").replace("cpus: '1'", "cpus: '64'")
    });
    let pending = with_token(&shop, &["apply", "--auto-approve", NOT_LONG], &password);
    pending.answer.expect(1).says("Insufficient cpu");
    // One that ends as soon as it is started.
    shop.respecify(|_| {
        modest.replace("  SESSION_KEY:", "  WORKLOAD_STATUS: '7'\n  WORKLOAD_MODE: crash\n  SESSION_KEY:")
    });
    let crashing = with_token(&shop, &["apply", "--auto-approve", NOT_LONG], &password);
    crashing.answer.expect(1).says("exit code 7");
    // It is told what to do about, and that is all there is to it.
    shop.respecify(|_| modest.clone());
    with_token(&shop, &["apply", "--auto-approve"], &password).answer.expect(0);
    shop.answers();

    // An image that is nowhere, and a Job that fails.
    host.write("repository/compose/docker-compose-web.yml", &compose.replace("workload:1", "nowhere:1"));
    let jobs = host.read("repository/compose-jobs/docker-compose-migrate.yml");
    let failing = jobs.replace("WORKLOAD_MODE: job", "WORKLOAD_MODE: job\n      WORKLOAD_STATUS: '3'");
    host.write("repository/compose-jobs/docker-compose-migrate.yml", &failing);
    let blog = host.deployment("blog", &[]);
    let neither = blog.laconic(&["apply", "--auto-approve", NOT_LONG]).expect(1);
    neither.says("laconic-testbed/nowhere:1").says("not found").says("exit code 3");
    // Its neighbour did not notice.
    shop.answers();
}

/// What a run said, and the argument lists of all processes that were seen while it ran.
struct Watched {
    answer: Answer,
    arguments: BTreeSet<String>,
}

/// Runs the binary with a token in its environment.
fn with_token(deployment: &Deployment<'_>, arguments: &[&str], token: &str) -> Watched {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    // Processes come and go.
                    if let Ok(line) = fs::read(entry.path().join("cmdline")) {
                        seen.insert(String::from_utf8_lossy(&line).replace('\0', " "));
                    }
                }
            }
            seen
        });
        let mut command = deployment.host.command();
        command.args(["--dir", &deployment.name]).args(arguments).env(TOKEN, token);
        let answer = Answer::of(&mut command);
        over.store(true, Ordering::Relaxed);
        Watched { answer, arguments: watcher.join().unwrap() }
    })
}
