//! `kill -9` of an apply at every single thing that its state does to the disk, on a real API server: before and after
//! each record of the journal, each fold, each rename. Run again, it converges: nothing doubled, nothing made anew that
//! was there, and the plan after it is empty.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use laconic::wire::Disk;
use laconic_testbed::ApiServer;
use serde_json::Value;

/// Set in the process that is killed: before which operation on the disk.
const KILL_BEFORE: &str = "LACONIC_TEST_KILL_BEFORE";
/// Set in the process that is killed: the arguments of laconic, separated by line ends.
const ARGUMENTS: &str = "LACONIC_TEST_ARGUMENTS";

/// No test of its own: what the tests below start and see killed.
#[test]
fn the_process_that_is_killed() {
    let (Ok(before), Ok(arguments)) = (std::env::var(KILL_BEFORE), std::env::var(ARGUMENTS)) else { return };
    let before: usize = before.parse().unwrap();
    let done = AtomicUsize::new(0);
    let disk = Disk::with_hook(Arc::new(move |_, _| {
        if done.fetch_add(1, Ordering::SeqCst) == before {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
        }
        Ok(())
    }));
    let exit = laconic::run_on(arguments.lines().map(OsString::from), disk);
    // Out of here at once: the operations are counted up to the last one, and there was no such one.
    std::process::exit(if exit == std::process::ExitCode::SUCCESS { 0 } else { 101 });
}

struct Deployment {
    directory: PathBuf,
    namespace: String,
    _place: tempfile::TempDir,
}

impl Deployment {
    fn new(number: usize) -> Self {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("shop");
        let namespace = format!("kill-{number}");
        let deployment = Self { directory, namespace, _place: place };
        deployment.write("stack.yml", "name: shop\npods:\n  - web\n");
        deployment.write("deployment.yml", &format!("cluster-id: c\ndeployment-id: kill{number}\ndialect: compose\n"));
        deployment.write("config.env", "");
        deployment.write("configmaps/pages/index.html", "<h1>open</h1>\n");
        deployment.describe("1", "color: red\n");
        deployment
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn describe(&self, tag: &str, colors: &str) {
        let namespace = &self.namespace;
        self.write(
            "compose/docker-compose-web.yml",
            &format!(
                "services:\n  web:\n    image: registry.example/shop/web:{tag}\n    ports: ['80']\n    volumes:\n      \
                 - pages:/pages\nvolumes:\n  pages:\n"
            ),
        );
        self.write("configmaps/pages/colors.txt", colors);
        self.write(
            "spec.yml",
            &format!(
                "stack: shop\ndeploy-to: k8s\nnamespace: {namespace}\nconfigmaps:\n  pages: ./configmaps/pages\n\
                 network:\n  http-proxy:\n    - host-name: {namespace}.example\n      routes:\n        - path: /\n          \
                 proxy-to: web:80\n"
            ),
        );
    }

    fn arguments(&self, command: &str, kubeconfig: &Path) -> Vec<String> {
        let directory = self.directory.display().to_string();
        let kubeconfig = kubeconfig.display().to_string();
        let mut all: Vec<String> =
            ["laconic", command, "--dir", &directory, "--kubeconfig", &kubeconfig].map(str::to_owned).into();
        if command == "apply" {
            all.extend(["--auto-approve".to_owned(), "--no-wait".to_owned()]);
        }
        all
    }

    fn laconic(&self, command: &str, more: &[&str], kubeconfig: &Path) -> Output {
        let arguments = self.arguments(command, kubeconfig);
        Command::new(env!("CARGO_BIN_EXE_laconic")).args(&arguments[1..]).args(more).output().unwrap()
    }

    fn apply(&self, kubeconfig: &Path) {
        let output = self.laconic("apply", &[], kubeconfig);
        assert!(output.status.success(), "{}: {}", self.namespace, text(&output));
    }

    /// Applies, and is killed before an operation on the disk; says whether there were as many.
    fn apply_killed(&self, before: usize, kubeconfig: &Path) -> bool {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_is_killed", "--nocapture"])
            .env(KILL_BEFORE, before.to_string())
            .env(ARGUMENTS, self.arguments("apply", kubeconfig).join("\n"))
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(101), "{}", text(&output));
        !output.status.success()
    }

    /// What is in the namespace by kind and name, with the uids.
    fn objects(&self, server: &ApiServer) -> BTreeMap<String, String> {
        let kinds = "configmaps,services,deployments,ingresses,secrets";
        let output = server.kubectl("admin", &["-n", &self.namespace, "get", kinds, "-o", "json"]);
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = list["items"].as_array().unwrap();
        let keyed = |item: &Value| {
            let metadata = &item["metadata"];
            (format!("{}/{}", text(&item["kind"]), text(&metadata["name"])), text(&metadata["uid"]))
        };
        items.iter().map(keyed).filter(|(key, _)| key != "ConfigMap/kube-root-ca.crt").collect()
    }

    /// After a killed apply: run again, it converges.
    fn converge(&self, server: &ApiServer, kubeconfig: &Path, wanted: &[&str], before: usize) {
        let half_done = self.objects(server);
        self.apply(kubeconfig);
        let done = self.objects(server);
        let names: Vec<String> = done.keys().map(|key| key.replace(&self.namespace.replace('-', ""), "ID")).collect();
        assert_eq!(names, wanted, "killed before operation {before}");
        for (key, uid) in half_done.iter().filter(|(key, _)| done.contains_key(*key)) {
            assert_eq!(done.get(key), Some(uid), "{key} was made anew, killed before operation {before}");
        }
        let plan = self.laconic("plan", &["--detailed-exitcode"], kubeconfig);
        assert_eq!(plan.status.code(), Some(0), "killed before operation {before}: {}", text(&plan));
        assert!(text(&plan).contains("No changes."), "{}", text(&plan));
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Kills at one operation after the other until an apply gets through; says how many there were.
fn at_every_operation(server: &ApiServer, first: usize, killed: impl Fn(&Deployment, &Path, usize) -> bool) -> usize {
    let kubeconfig = server.kubeconfig("admin");
    for before in 0.. {
        let deployment = Deployment::new(first + before);
        if !killed(&deployment, &kubeconfig, before) {
            return before;
        }
    }
    unreachable!("an apply has an end")
}

#[test]
fn killed_anywhere_a_create_converges() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let wanted = [
        "ConfigMap/ID-pages",
        "Deployment/ID-deployment",
        "Ingress/ID-ingress",
        "Service/ID-nodeport-80-tcp",
        "Service/ID-service",
    ];
    let operations = at_every_operation(server, 0, |deployment, kubeconfig, before| {
        let was_killed = deployment.apply_killed(before, kubeconfig);
        deployment.converge(server, kubeconfig, &wanted, before);
        was_killed
    });
    assert!(operations > 20, "an apply of five objects does more to the disk than {operations} operations");
}

#[test]
fn killed_anywhere_an_update_converges() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    // The ingress goes, the volume gets another content, the workload another image and with it another pod.
    let wanted = ["ConfigMap/ID-pages", "Deployment/ID-deployment", "Service/ID-nodeport-80-tcp"];
    let operations = at_every_operation(server, 1000, |deployment, kubeconfig, before| {
        deployment.apply(kubeconfig);
        deployment.describe("2", "color: blue\n");
        let spec = std::fs::read_to_string(deployment.directory.join("spec.yml")).unwrap();
        let without_ingress = spec.split("network:").next().unwrap().to_owned();
        deployment.write("spec.yml", &without_ingress);
        let was_killed = deployment.apply_killed(before, kubeconfig);
        deployment.converge(server, kubeconfig, &wanted, before);
        was_killed
    });
    assert!(operations > 10, "{operations}");
}
