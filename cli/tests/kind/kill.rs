//! `kill -9` while kind makes a cluster, and right after: run again, it converges, and there are never two clusters. On the
//! same cluster then a recreate that is killed, which `killed_recreate` has.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::host::{Deployment, Host, tool};

/// How long a point is waited for.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn what_is_killed_is_brought_to_its_end() {
    let Some(host) = Host::new() else { return };
    let shop = a_creation_is_killed(&host);
    crate::killed_recreate::a_recreate_is_killed(&host, &shop);
    host.kubeconfig_is_untouched();
}

fn a_creation_is_killed(host: &Host) -> Deployment<'_> {
    let shop = host.deployment("shop", &["--cluster-id", "laconic-killed", "--deployment-id", "laconic-shop"]);
    let nodes = || nodes(&shop.cluster());

    // Both, before there is a container. Docker may make it all the same, if it was asked to just then.
    let mut apply = Apply::plain(&shop);
    let kind = apply.wait_for(|apply| apply.kind());
    apply.kill();
    kill_group(kind);
    shop.laconic(&["plan", "--detailed-exitcode"]).expect(2).says("# kind_cluster.laconic-killed will be");

    // Both, with a container in which no Kubernetes runs yet.
    let mut apply = Apply::plain(&shop);
    apply.wait_for(|_| (!nodes().is_empty()).then_some(()));
    let kind = apply.kind().unwrap();
    apply.kill();
    kill_group(kind);
    let first = nodes();
    assert_eq!(first.len(), 1);
    shop.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    shop.laconic(&["drift"]);

    // Both, with an API server that answers, and no network and no storage.
    let mut apply = Apply::plain(&shop);
    apply.wait_for(|_| apply_log(&shop).contains("Installing CNI").then_some(()));
    let kind = apply.kind().unwrap();
    apply.kill();
    kill_group(kind);
    let second = nodes();
    assert_eq!(second.len(), 1);
    assert_ne!(second, first, "half a cluster is made anew");
    shop.laconic(&["plan", "--detailed-exitcode"]).expect(2);

    // Laconic alone: kind goes on, and what it makes is what is used.
    let mut apply = Apply::plain(&shop);
    apply.wait_for(|_| nodes().first().filter(|node| **node != second[0]).map(|_| ()));
    let kind = apply.kind().unwrap();
    apply.kill();
    let third = nodes();
    assert!(kill_process(kind, Signal::WINCH).is_ok(), "kind does not end with laconic");

    // And right after the creation, before anything else is made.
    let mut apply = Apply::plain(&shop);
    apply.wait_for_line("kind_cluster.laconic-killed: Modifications complete");
    apply.kill();
    assert_eq!(nodes(), third, "the cluster that kind went on with is the one");

    shop.apply();
    shop.answers();
    assert_eq!(nodes(), third);
    assert_eq!(host.read("srv/shop/starts"), "this is shop\n", "one pod, which started once");
    nothing_is_doubled(&shop, [1, 1, 1, 2]);
    shop.nothing_to_do();
    shop
}

/// The ids of all containers of a cluster, running or not.
pub fn nodes(cluster: &str) -> Vec<String> {
    let label = format!("label=io.x-k8s.kind.cluster={cluster}");
    let ids = tool("docker", &["ps", "--all", "--no-trunc", "--quiet", "--filter", &label]);
    ids.lines().map(str::to_owned).collect()
}

/// What kind has said so far.
fn apply_log(deployment: &Deployment<'_>) -> String {
    let path = format!("state/clusters/{}/kind/kind.log", deployment.cluster());
    fs::read_to_string(deployment.host.path(&path)).unwrap_or_default()
}

/// There are that many of a deployment's Deployments, Jobs, Ingresses and claims.
pub fn nothing_is_doubled(deployment: &Deployment<'_>, expected: [usize; 4]) {
    let selector = format!("--selector=app={}", deployment.id());
    let arguments = ["get", "deployments,jobs,services,ingresses,pvc,pods", "-A", &selector, "-o", "json"];
    let objects: Value = serde_json::from_str(&deployment.host.kubectl(&deployment.cluster(), &arguments)).unwrap();
    let count =
        |kind: &str| objects["items"].as_array().unwrap().iter().filter(|object| object["kind"] == kind).count();
    let counts = ["Deployment", "Job", "Ingress", "PersistentVolumeClaim"].map(count);
    assert_eq!(counts, expected, "{objects:#}");
}

/// An apply that is going to be killed.
pub struct Apply {
    child: Child,
    log: std::path::PathBuf,
}

impl Apply {
    pub fn plain(deployment: &Deployment<'_>) -> Self {
        Self::start(deployment, &["--dir", &deployment.name, "apply", "--auto-approve"])
    }

    pub fn start(deployment: &Deployment<'_>, arguments: &[&str]) -> Self {
        let host = deployment.host;
        let log = host.path("apply.log");
        let _ = fs::remove_file(host.path(&format!("state/clusters/{}/kind/kind.log", deployment.cluster())));
        let mut command: Command = host.command();
        command.args(arguments);
        let file = fs::File::create(&log).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file).stdin(Stdio::null());
        Self { child: command.spawn().unwrap(), log }
    }

    /// Looks until there is something to see.
    #[track_caller]
    pub fn wait_for<T>(&mut self, look: impl Fn(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let said = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(begun.elapsed() < LIMIT, "it does not come to that:\n{}", said());
            assert!(self.child.try_wait().unwrap().is_none(), "it ended before that:\n{}", said());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    pub fn wait_for_line(&mut self, line: &str) {
        self.wait_for(|apply| {
            let log = BufReader::new(fs::File::open(&apply.log).unwrap());
            log.lines().map_while(Result::ok).any(|said| said.starts_with(line)).then_some(())
        });
    }

    /// The `kind create` that it has started.
    pub fn kind(&self) -> Option<Pid> {
        let parent = format!("PPid:\t{}", self.child.id());
        fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let arguments = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            let is_it = status.lines().any(|line| line == parent) && arguments.contains("\0create\0");
            is_it.then(|| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)).flatten()
        })
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Apply {
    fn drop(&mut self) {
        // For a test that failed in between.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends kind with everything that it has started.
pub fn kill_group(kind: Pid) {
    kill_process_group(kind, Signal::KILL).unwrap();
    let begun = Instant::now();
    while kill_process_group(kind, Signal::KILL).is_ok() && begun.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(2));
    }
}
