//! An operator's host: a stack, deployment directories, the binary, and the tools that show what it did.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::answer::{Answer, steady};
use crate::bed::Bed;

/// A host for one journey. Everything on it is gone when it is dropped, its clusters first.
pub struct Host {
    clusters: RefCell<BTreeSet<String>>,
    folder: TempDir,
    bed: Bed,
}

/// The operator's own kubeconfig, which is about something else and nobody else's business.
const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
clusters: [{name: elsewhere, cluster: {server: 'https://192.0.2.1:6443'}}]
contexts: [{name: elsewhere, context: {cluster: elsewhere, user: somebody}}]
users: [{name: somebody, user: {token: not-a-real-token}}]
current-context: elsewhere
";

const STACK: &str = "version: '1.0'\nname: pages\npods:\n  - web\njobs:\n  - migrate\n";

/// A page that only this workload sends, a volume that it writes to at every start, and one for what need not last.
const WEB: &str = "\
services:
  web:
    image: laconic-testbed/workload:1
    ports: ['8080']
    environment:
      WORKLOAD_WRITE: /data/starts
    volumes:
      - data:/data
      - scratch:/scratch
volumes:
  data:
  scratch:
";

const MIGRATE: &str = "\
services:
  migrate:
    image: laconic-testbed/workload:1
    environment:
      WORKLOAD_MODE: job
";

/// Two processors have to do for everything.
const SPEC: &str = "\
stack: stacks/pages
deploy-to: k8s-kind
namespace: NAME
kind-node-image: IMAGE
kind-mount-root: PLACE/srv
network:
  http-proxy:
    - host-name: NAME.localhost
      routes:
        - path: /
          proxy-to: web:8080
config:
  WORKLOAD_TEXT: this is NAME
  SESSION_KEY: $generate:hex:32$
resources:
  containers:
    reservations: {cpus: '0.02', memory: 16M}
    limits: {cpus: '1', memory: 64M}
  volumes:
    reservations: {storage: 16M}
volumes:
  scratch:
  data: PLACE/srv/NAME
";

impl Host {
    /// A host with nothing on it, when it is this journey's turn and there is a test bed.
    pub fn new() -> Option<Self> {
        let bed = Bed::take()?;
        let folder = tempfile::Builder::new().prefix("journey-").tempdir_in(&bed.shared).unwrap();
        let host = Self { clusters: RefCell::default(), folder, bed };
        host.write("home/.kube/config", KUBECONFIG);
        host.write("repository/stacks/pages/stack.yml", STACK);
        host.write("repository/compose/docker-compose-web.yml", WEB);
        host.write("repository/compose-jobs/docker-compose-migrate.yml", MIGRATE);
        fs::create_dir_all(host.path("srv")).unwrap();
        Some(host)
    }

    /// A deployment of the stack, made by `deploy create` with these arguments, its volume below the umbrella.
    pub fn deployment(&self, name: &str, arguments: &[&str]) -> Deployment<'_> {
        self.deployment_of(name, &self.spec(name), arguments)
    }

    /// The spec of a deployment of that name.
    pub fn spec(&self, name: &str) -> String {
        let place = self.folder.path().display().to_string();
        SPEC.replace("IMAGE", &self.bed.image).replace("PLACE", &place).replace("NAME", name)
    }

    /// A deployment with a spec of its own.
    pub fn deployment_of(&self, name: &str, spec: &str, arguments: &[&str]) -> Deployment<'_> {
        self.write(&format!("repository/{name}.yml"), spec);
        let mut create = self.command();
        create.current_dir(self.path("repository")).args(["deploy", "create", "--spec-file", &format!("{name}.yml")]);
        create.args(["--deployment-dir", &format!("../{name}")]).args(arguments);
        Answer::of(&mut create).expect(0);
        let deployment = Deployment { host: self, name: name.to_owned() };
        self.clusters.borrow_mut().insert(deployment.cluster());
        deployment
    }

    /// A path below the host's own folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file of the host's own folder.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Reads a file of the host's own folder.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The binary with an environment that holds nothing of this machine's but its Docker.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laconic"));
        command.env_clear().env("HOME", self.path("home")).env("LACONIC_STATE_DIR", self.path("state"));
        for name in ["PATH", "DOCKER_HOST"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.current_dir(self.folder.path()).arg("--color=never").stdin(Stdio::null());
        command
    }

    /// Runs the binary.
    pub fn laconic(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command().args(arguments))
    }

    /// The container of a cluster's node, as `docker inspect` shows it; null when it is not there.
    pub fn node(&self, cluster: &str) -> Value {
        let name = format!("{cluster}-control-plane");
        let output = Command::new("docker").args(["container", "inspect", &name]).output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found[0].clone()
    }

    /// The id of the container of a cluster's node.
    #[track_caller]
    pub fn node_id(&self, cluster: &str) -> String {
        let node = self.node(cluster);
        node["Id"].as_str().unwrap_or_else(|| panic!("{cluster} has no node")).to_owned()
    }

    /// kubectl as the administrator of a cluster, which must succeed.
    #[track_caller]
    pub fn kubectl(&self, cluster: &str, arguments: &[&str]) -> String {
        let node = format!("{cluster}-control-plane");
        let kubectl = ["exec", "--interactive", &node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"];
        tool("docker", &[&kubectl, arguments].concat())
    }

    /// The name of the node image.
    pub fn image(&self) -> &str {
        &self.bed.image
    }

    /// Everything that is recorded, byte by byte: the state of clusters and deployments, without locks.
    pub fn recorded(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path("state")];
        let own = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path().join(".laconic"));
        folders.extend(own.filter(|path| path.is_dir()));
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                match path.is_dir() {
                    true => folders.push(path),
                    false if name.ends_with("lock") || name == "kind.log" => {}
                    false => drop(files.insert(path.clone(), fs::read(path).unwrap())),
                }
            }
        }
        files
    }

    /// A text without what differs from run to run.
    pub fn steady(&self, text: &str) -> String {
        let text = text.replace(&self.folder.path().display().to_string(), "/place").replace(&self.bed.image, "IMAGE");
        let registry = std::env::var("LACONIC_TESTBED_REGISTRY").unwrap_or_default();
        let text = if registry.is_empty() { text } else { text.replace(&registry, "REGISTRY") };
        let docker = std::env::var("DOCKER_HOST").unwrap_or_default();
        let text = if docker.is_empty() { text } else { text.replace(&docker, "unix:///docker.sock") };
        let ids = regex::Regex::new(r"\b([0-9a-f]{64}|[0-9a-f]{12})\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
            .unwrap();
        // Tables are as wide as the paths in them.
        let gaps = regex::Regex::new(r"(\S)   +").unwrap();
        steady(&gaps.replace_all(&ids.replace_all(&text, "ID"), "$1  "))
    }

    /// Whether the operator's own kubeconfig is as it was.
    #[track_caller]
    pub fn kubeconfig_is_untouched(&self) {
        assert_eq!(self.read("home/.kube/config"), KUBECONFIG);
        let entries = fs::read_dir(self.path("home/.kube")).unwrap().count();
        assert_eq!(entries, 1, "something else is beside the kubeconfig");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for cluster in self.clusters.take() {
            let kubeconfig = self.path("kubeconfig-of-kind");
            let mut delete = Command::new("kind");
            delete.args(["delete", "cluster", "--name", &cluster, "--kubeconfig"]).arg(kubeconfig);
            // What else could be done about it here?
            let _ = delete.output();
        }
    }
}

/// A deployment on a host.
#[derive(Clone)]
pub struct Deployment<'a> {
    /// The host.
    pub host: &'a Host,
    /// Its name, of which its directory and its page have theirs.
    pub name: String,
}

impl Deployment<'_> {
    /// Runs the binary on the deployment.
    pub fn laconic(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.host.command().args(["--dir", &self.name]).args(arguments))
    }

    /// Applies and waits until everything is ready.
    #[track_caller]
    pub fn apply(&self) -> Answer {
        self.laconic(&["apply", "--auto-approve"]).expect(0)
    }

    /// Nothing is planned, and nothing has drifted.
    #[track_caller]
    pub fn nothing_to_do(&self) {
        let plan = self.laconic(&["plan", "--detailed-exitcode"]).expect(0);
        plan.says("No changes. Your infrastructure matches the configuration.");
        self.laconic(&["drift"]).expect(0).says("No drift.");
    }

    /// The name of its cluster, as its directory says.
    #[track_caller]
    pub fn cluster(&self) -> String {
        self.identity("cluster-id")
    }

    /// Its deployment-id.
    #[track_caller]
    pub fn id(&self) -> String {
        self.identity("deployment-id")
    }

    fn identity(&self, key: &str) -> String {
        let text = self.host.read(&format!("{}/deployment.yml", self.name));
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(&format!("{key}: ")));
        value.unwrap_or_else(|| panic!("no {key}:\n{text}")).trim_matches(['"', '\'']).to_owned()
    }

    /// The name of its page's host.
    pub fn site(&self) -> String {
        format!("{}.localhost", self.name)
    }

    /// Waits until its page is answered.
    #[track_caller]
    pub fn answers(&self) {
        crate::page::wait(&self.site(), "/", &format!("this is {}", self.name));
    }

    /// The value that its pod has for the secret made by us.
    #[track_caller]
    pub fn session_key(&self) -> String {
        crate::page::get(&self.site(), "/environment/SESSION_KEY").unwrap().trim().to_owned()
    }

    /// Where its volume is on the host, as its spec says.
    #[track_caller]
    pub fn data(&self) -> PathBuf {
        let spec = content(&self.spec_file());
        let path = spec.lines().find_map(|line| line.strip_prefix("  data: "));
        PathBuf::from(path.unwrap_or_else(|| panic!("no volume:\n{spec}")))
    }

    /// Its copy of the spec.
    pub fn spec_file(&self) -> PathBuf {
        self.host.path(&self.name).join("spec.yml")
    }

    /// Changes its copy of the spec.
    pub fn respecify(&self, change: impl FnOnce(&str) -> String) {
        let text = fs::read_to_string(self.spec_file()).unwrap();
        fs::write(self.spec_file(), change(&text)).unwrap();
    }
}

/// Runs a program that must succeed.
#[track_caller]
pub fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names of kind's clusters.
pub fn clusters() -> Vec<String> {
    tool("kind", &["get", "clusters"]).lines().map(str::to_owned).collect()
}

/// The content of a file of the host.
#[track_caller]
pub fn content(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A registry that answers, and says what it does not have.
pub fn registry() -> String {
    std::env::var("LACONIC_TESTBED_REGISTRY").unwrap()
}
