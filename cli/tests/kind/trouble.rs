//! Docker, kind and clusters in trouble: what is said, that nothing is taken for deleted, and that it passes.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::answer::{Answer, golden};
use crate::certificates::Backup;
use crate::engine::Engine;
use crate::figures::timed;
use crate::host::{Deployment, Host, clusters, registry, tool};
use crate::page;

/// The exit codes of plan, drift and apply.
type Codes = [i32; 3];
/// Nobody could be asked: planned from the state, nothing applied.
const UNKNOWN: Codes = [0, 1, 1];
/// Somebody else answered.
const REFUSED: Codes = [3, 1, 3];

const CLUSTER: &str = "laconic-main";

/// Two deployments on a host in trouble.
struct Trouble<'a> {
    host: &'a Host,
    shop: Deployment<'a>,
}

#[test]
fn what_is_in_trouble_is_not_taken_for_deleted() {
    let Some(host) = Host::new() else { return };
    let shop = host.deployment("shop", &["--cluster-id", CLUSTER, "--deployment-id", "laconic-shop"]);
    let trouble = Trouble { host: &host, shop };
    trouble.nothing_is_made_by_halves();
    trouble.shop.apply();
    trouble.shop.answers();
    let blog = host.deployment("blog", &["--deployment-id", "laconic-blog"]);
    blog.apply();
    trouble.nobody_answers();
    trouble.the_node_stands_still();
    blog.answers();
    let certificates = [&trouble.shop, &blog].map(|deployment| page::certificate(&deployment.site()));
    let backup = Backup::begin(&host, CLUSTER);
    backup.save();
    backup.is_not_emptied();
    trouble.another_cluster_answers();
    trouble.both_come_back(&blog, &certificates);
}

/// What is different around the binary.
#[derive(Default)]
struct Around {
    environment: Vec<(&'static str, String)>,
    /// A program that starts it with fewer rights.
    through: Vec<&'static str>,
}

impl Around {
    fn path(path: String) -> Self {
        Self { environment: vec![("PATH", path)], ..Self::default() }
    }

    fn docker(address: String) -> Self {
        Self { environment: vec![("DOCKER_HOST", address)], ..Self::default() }
    }
}

impl Trouble<'_> {
    /// Runs the binary.
    fn run(&self, around: &Around, words: &str) -> Answer {
        let mut plain = self.host.command();
        plain.args(["--dir", "shop"]).args(words.split(' '));
        plain.envs(around.environment.iter().map(|(name, value)| (*name, value)));
        let Some((program, arguments)) = around.through.split_first() else { return Answer::of(&mut plain) };
        let mut command = Command::new(program);
        command.args(arguments).arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Answer::of(command.current_dir(plain.get_current_dir().unwrap()).stdin(Stdio::null()))
    }

    /// Before a socket that we have no right to: root without its privilege to open everything.
    fn locked_out(&self) -> Around {
        let folder = self.host.path("locked");
        fs::create_dir(&folder).unwrap();
        let docker = std::env::var("DOCKER_HOST").unwrap_or_default();
        let socket = docker.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
        symlink(socket, folder.join("docker.sock")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
        let address = format!("unix://{}", folder.join("docker.sock").display());
        let drop =
            ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"];
        Around { through: drop.to_vec(), ..Around::docker(address) }
    }

    /// Runs plan, drift and apply with changes to the environment, and holds what they say against a golden file.
    #[track_caller]
    fn says(&self, trouble: &str, around: &Around, codes: Codes) {
        let mut said = String::new();
        for (words, code) in ["plan", "drift", "apply --auto-approve"].into_iter().zip(codes) {
            let answer = self.run(around, words);
            said.push_str(&format!("$ laconic {words}\n{}{}(exit {})\n\n", answer.stdout, answer.stderr, answer.code));
            assert_eq!(answer.code, code, "{trouble}:\n{said}");
        }
        // It reads the same whichever socket nobody serves.
        let said = self.host.steady(&said).replace("unix:///place/nobody.sock", "unix:///docker.sock");
        golden(&format!("kind/golden/{trouble}"), &said);
    }

    /// The same with a change that waits to be applied: of that alone is planned, and nothing is touched.
    #[track_caller]
    fn loses_nothing(&self, trouble: &str, around: &Around, codes: Codes) {
        self.shop.respecify(|spec| spec.replace("\nconfig:\n", "\nconfig:\n  WAITING: 'yes'\n"));
        let recorded = self.host.recorded();
        self.says(trouble, around, codes);
        let plan = self.run(around, "plan --json").json();
        for change in plan["resource_changes"].as_array().unwrap() {
            let actions = &change["change"]["actions"];
            assert_eq!(*actions, json!(["update"]), "{trouble}: {} {actions}", change["address"]);
        }
        assert_same(trouble, &self.host.recorded(), &recorded);
        self.shop.respecify(|spec| spec.replace("  WAITING: 'yes'\n", ""));
    }

    /// What keeps kind from making the cluster is said, and nothing is left of the try.
    fn nothing_is_made_by_halves(&self) {
        self.makes_nothing("create-without-docker", &Around::path(self.path_without("docker")));
        self.makes_nothing("create-without-kind", &Around::path(self.path_without("kind")));
        let spec = fs::read_to_string(self.shop.spec_file()).unwrap();

        let missing = format!("kind-node-image: {}/nobody/has-this:1", registry());
        self.shop.respecify(|spec| replace_line(spec, "kind-node-image:", &missing));
        self.makes_nothing("create-image-missing", &Around::default());
        fs::write(self.shop.spec_file(), &spec).unwrap();

        let private = PrivateMount::at(self.host.path("private"));
        let root = format!("kind-mount-root: {}", private.0.display());
        self.shop.respecify(|spec| replace_line(spec, "kind-mount-root:", &root));
        self.makes_nothing("create-not-shared", &Around::default());
        drop(private);
        fs::write(self.shop.spec_file(), &spec).unwrap();

        let listener = TcpListener::bind("0.0.0.0:80").unwrap();
        self.makes_nothing("create-port-taken", &Around::default());
        drop(listener);
    }

    /// An apply that cannot make the cluster.
    #[track_caller]
    fn makes_nothing(&self, trouble: &str, around: &Around) {
        self.run(around, "plan").expect(0).says("# kind_cluster.laconic-main will be created");
        let apply = self.run(around, "apply --auto-approve").expect(1);
        let all = tool("docker", &["ps", "--all", "--format", "{{.Names}}"]);
        assert!(!all.contains(CLUSTER), "{trouble}: {all}");
        golden(&format!("kind/golden/{trouble}"), &self.host.steady(&without_skipped(&apply.stderr)));
    }

    fn nobody_answers(&self) {
        self.shop.nothing_to_do();
        self.docker_is_stopped();
        self.loses_nothing("docker-not-permitted", &self.locked_out(), UNKNOWN);
        self.loses_nothing("docker-missing", &Around::path(self.path_without("docker")), UNKNOWN);
        self.shop.nothing_to_do();

        // A cluster that is there needs no kind.
        let without = Around::path(self.path_without("kind"));
        self.run(&without, "plan --detailed-exitcode").expect(0).says("No changes.");
    }

    fn docker_is_stopped(&self) {
        let Some(engine) = Engine::own() else {
            // Nobody else's engine is stopped. What a client sees of one that is: a socket that nobody serves.
            let socket = format!("unix://{}", self.host.path("nobody.sock").display());
            return self.loses_nothing("docker-stopped", &Around::docker(socket), UNKNOWN);
        };
        engine.stop();
        self.loses_nothing("docker-stopped", &Around::default(), UNKNOWN);
        engine.start();
        tool("docker", &["start", &format!("{CLUSTER}-control-plane")]);
        self.recovers();
    }

    fn the_node_stands_still(&self) {
        let node = format!("{CLUSTER}-control-plane");
        tool("docker", &["pause", &node]);
        self.loses_nothing("node-paused", &Around::default(), UNKNOWN);
        tool("docker", &["unpause", &node]);
        self.recovers();
        tool("docker", &["stop", "--time", "1", &node]);
        self.loses_nothing("node-stopped", &Around::default(), UNKNOWN);
        tool("docker", &["start", &node]);
        self.recovers();
    }

    fn another_cluster_answers(&self) {
        let kubeconfig = self.host.path("kubeconfig-of-kind").display().to_string();
        tool("kind", &["delete", "cluster", "--name", CLUSTER, "--kubeconfig", &kubeconfig]);
        let image = self.host.image();
        let create = ["create", "cluster", "--name", CLUSTER, "--image", image, "--kubeconfig", &kubeconfig];
        timed("kind create alone", || tool("kind", &create));
        self.loses_nothing("another-cluster", &Around::default(), REFUSED);
        tool("kind", &["delete", "cluster", "--name", CLUSTER, "--kubeconfig", &kubeconfig]);
    }

    /// The cluster is gone behind our back: it comes back with everybody.
    fn both_come_back(&self, blog: &Deployment<'_>, certificates: &[Vec<u8>; 2]) {
        let plan = self.shop.laconic(&["plan"]).expect(0);
        let plan = plan.says("# kind_cluster.laconic-main has been deleted").says("0 to change, 0 to destroy.");
        let plan = plan.says("Certificates of cluster laconic-main:").says("/srv/caddy-cert-backup/caddy-secrets.yaml");
        assert!(!plan.stdout.contains("LAC604"), "{}", plan.stdout);
        let plan = self.shop.laconic(&["plan", "--show-all"]).expect(0);
        plan.says("# deployment.shop.web will be created").says("# deployment.blog.web will be created");
        let applied = self.shop.apply();
        assert!(applied.stderr.contains("Certificates are back from their backup"), "{}", applied.stderr);
        for (deployment, certificate) in [&self.shop, blog].into_iter().zip(certificates) {
            deployment.answers();
            let served = page::certificate(&deployment.site());
            assert!(served == *certificate, "{}: another certificate", deployment.name);
            deployment.nothing_to_do();
        }
        assert_eq!(clusters().iter().filter(|name| *name == CLUSTER).count(), 1);
    }

    /// Waits until the cluster is as before.
    #[track_caller]
    fn recovers(&self) {
        let begun = Instant::now();
        loop {
            let plan = self.shop.laconic(&["plan", "--detailed-exitcode"]);
            if plan.code == 0 && plan.stdout.contains("No changes. Your infrastructure matches the configuration.") {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "it does not recover:\n{}", plan.all());
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// A PATH on which everything is but one program.
    fn path_without(&self, program: &str) -> String {
        let folder = self.host.path(&format!("without-{program}"));
        if !folder.exists() {
            fs::create_dir(&folder).unwrap();
            for name in ["docker", "kind"].into_iter().filter(|name| *name != program) {
                symlink(which(name), folder.join(name)).unwrap();
            }
        }
        folder.display().to_string()
    }
}

#[track_caller]
fn assert_same(trouble: &str, now: &BTreeMap<PathBuf, Vec<u8>>, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(now), names(before), "{trouble}: files of the state came or went");
    for (path, content) in before {
        assert!(now[path] == *content, "{trouble}: {} was touched", path.display());
    }
}

/// What is said of everything that hangs on the cluster is the same each time.
fn without_skipped(text: &str) -> String {
    text.lines().filter(|line| !line.contains(": Skipped, because of ")).map(|line| format!("{line}\n")).collect()
}

fn replace_line(text: &str, begin: &str, line: &str) -> String {
    assert!(text.lines().any(|old| old.starts_with(begin)), "no `{begin}`:\n{text}");
    text.lines().map(|old| if old.starts_with(begin) { line } else { old }).map(|line| format!("{line}\n")).collect()
}

/// Where a program is.
fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("no {name} in PATH"))
}

/// A directory that is no shared mount.
struct PrivateMount(PathBuf);

impl PrivateMount {
    fn at(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        let name = path.display().to_string();
        tool("mount", &["--bind", &name, &name]);
        tool("mount", &["--make-private", &name]);
        Self(path)
    }
}

impl Drop for PrivateMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}
