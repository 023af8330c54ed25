//! How long things take. Printed, never held against a limit: machines differ, and are busy.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::host::Deployment;

/// Prints a figure; not by `eprint!`, which the test harness swallows for tests that succeed.
pub fn figure(name: &str, value: &str) {
    let _ = writeln!(std::io::stderr(), "FIGURE {name}: {value}");
}

/// Prints how long something took.
pub fn timed<T>(name: &str, what: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = what();
    figure(name, &format!("{:.1} s", begun.elapsed().as_secs_f64()));
    result
}

/// Applies a deployment from nothing and prints where the time went: until the cluster was there, until the last object
/// was made, until everything was ready. Answers what it printed.
#[track_caller]
pub fn apply_from_nothing(deployment: &Deployment<'_>) -> String {
    let mut command = deployment.host.command();
    command.args(["--dir", &deployment.name, "apply", "--auto-approve"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let stdout = std::thread::spawn(move || {
        let mut text = String::new();
        BufReader::new(stdout).read_to_string(&mut text).map(|_| text)
    });
    let (mut cluster, mut objects) = (Duration::ZERO, Duration::ZERO);
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("kind_cluster.") && line.contains(": Creation complete") {
            cluster = begun.elapsed();
        }
        if line.ends_with(": Creating...") {
            objects = begun.elapsed();
        }
        said.push_str(&line);
        said.push('\n');
    }
    let status = child.wait().unwrap();
    let all = begun.elapsed();
    let said = stdout.join().unwrap().unwrap() + &said;
    assert!(status.success(), "{said}");
    let share = |part: Duration| format!("{:.0} %", 100.0 * part.as_secs_f64() / all.as_secs_f64());
    let shares = [share(cluster), share(objects.saturating_sub(cluster)), share(all.saturating_sub(objects))];
    let [cluster, objects, ready] = shares;
    let all = all.as_secs_f64();
    let text = format!("{all:.1} s: cluster {cluster}, objects {objects}, until everything is ready {ready}");
    figure("apply from nothing", &text);
    said
}
