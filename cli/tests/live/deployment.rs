//! A deployment directory of a test, and the binary run on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use laconic_testbed::ApiServer;
use serde_json::Value;
use tempfile::TempDir;

use crate::answer::steady;
pub use crate::answer::{Answer, golden};

/// A deployment called `shop`, of a small stack with one object of every kind that a deployment can have.
pub struct Deployment {
    folder: TempDir,
    /// Its deployment-id, with which the names of its objects begin.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
}

const STACK: &str = "version: '1.0'\nname: shop\npods:\n  - web\njobs:\n  - migrate\n";

const WEB: &str = "\
services:
  web:
    image: example.com/shop/web:1.0
    ports: ['8080']
    volumes:
      - web-config:/etc/web:ro
      - data:/var/lib/web
      - scratch:/var/tmp/web
volumes:
  web-config:
  data:
  scratch:
";

const MIGRATE: &str = "services:\n  migrate:\n    image: example.com/shop/migrate:1.0\n";

/// What every deployment of the tests asks for. More lines may follow.
const SPEC: &str = "\
stack: stacks/shop
deploy-to: k8s
namespace: NAMESPACE
network:
  http-proxy:
    - host-name: shop.example.com
      routes:
        - path: /
          proxy-to: web:8080
config:
  GREETING: hello
  SESSION_KEY: $generate:hex:32$
configmaps:
  web-config: ./config/web
external-services:
  queue: {ip: 192.0.2.7, port: 5672}
volumes:
  data: /srv/shop/data
  scratch:
";

impl Deployment {
    /// A deployment of that name in the cluster, made by `deploy create`, with no kubeconfig yet.
    pub fn new(name: &str) -> Self {
        Self::of(name, SPEC, WEB, &[])
    }

    /// The same with a spec and a compose file of its own, and more files of the stack's repository.
    pub fn of(name: &str, spec: &str, web: &str, files: &[(String, String)]) -> Self {
        let folder = tempfile::Builder::new().prefix("laconic-live-").tempdir().unwrap();
        let (id, namespace) = (format!("laconic-{name}"), name.to_owned());
        let deployment = Self { folder, id, namespace };
        deployment.write("repository/stacks/shop/stack.yml", STACK);
        deployment.write("repository/compose/docker-compose-web.yml", web);
        deployment.write("repository/compose-jobs/docker-compose-migrate.yml", MIGRATE);
        deployment.write("repository/config/web/web.conf", "listen = 8080\n");
        deployment.write("repository/spec.yml", &spec.replace("NAMESPACE", name));
        for (path, content) in files {
            deployment.write(&format!("repository/{path}"), content);
        }
        deployment.create();
        deployment
    }

    /// One that the administrator of a server deploys there.
    pub fn on(server: &ApiServer, name: &str) -> Self {
        let deployment = Self::new(name);
        deployment.reach(&server.kubeconfig("admin"));
        deployment
    }

    /// Makes the deployment directory.
    fn create(&self) {
        let mut create = self.command();
        create.current_dir(self.path("repository")).args(["deploy", "create", "--spec-file", "spec.yml"]);
        create.args(["--deployment-dir", "../shop", "--deployment-id", &self.id, "--cluster-id", "laconic-remote"]);
        Answer::of(&mut create).expect(0);
    }

    /// Gives the directory a kubeconfig.
    pub fn reach(&self, kubeconfig: &Path) {
        fs::copy(kubeconfig, self.path("shop/kubeconfig.yml")).unwrap();
    }

    /// A path below the test's own folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file of the test's own folder.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Changes a text in a file of the test's own folder, as an operator would.
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "no `{from}` in {path}:\n{text}");
        self.write(path, &text.replace(from, to));
    }

    /// The binary with an environment that holds nothing of this host's.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laconic"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.path("home"));
        command.env("LACONIC_STATE_DIR", self.path("state")).current_dir(self.folder.path());
        command.arg("--color=never").stdin(Stdio::null());
        command
    }

    /// Runs the binary on the deployment.
    pub fn laconic(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command().args(["--dir", "shop"]).args(arguments))
    }

    /// Applies, without waiting for pods that nobody runs.
    pub fn apply(&self) -> Answer {
        self.laconic(&["apply", "--auto-approve", "--no-wait"])
    }

    /// The plan as JSON.
    pub fn plan_json(&self) -> Value {
        self.laconic(&["plan", "--json"]).json()
    }

    /// Everything that is recorded, byte by byte: the files beside the state, without locks.
    pub fn recorded(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path("shop/.laconic")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let is_lock = path.file_name().unwrap().to_string_lossy().ends_with("lock");
                match path.is_dir() {
                    true => folders.push(path),
                    false if is_lock => {}
                    false => drop(files.insert(path.clone(), fs::read(path).unwrap())),
                }
            }
        }
        files
    }

    /// The name of an object in the cluster.
    pub fn object(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    /// A text without what differs from run to run: folders, ports, ids of plans and clusters.
    pub fn steady(&self, text: &str) -> String {
        steady(&text.replace(&self.folder.path().display().to_string(), "/place"))
    }
}

/// kubectl as the administrator, which must succeed.
#[track_caller]
pub fn kubectl(server: &ApiServer, arguments: &[&str]) -> String {
    let output = server.kubectl("admin", arguments);
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
