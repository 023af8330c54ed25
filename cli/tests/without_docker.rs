//! Kind targets where the container engine does not answer: what is said, and what it comes to.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use laconic_engine::address::Scope;
use laconic_engine::apply::{LockMode, StateStore as _};
use laconic_engine::state::{JournalRecord, Tenant, VolumeStorage};
use laconic_state::{LocalStore, LocalStoreOptions};

struct Host {
    place: tempfile::TempDir,
}

impl Host {
    /// A host whose `docker` is that script; without one it is not installed.
    fn new(docker: Option<&str>) -> Self {
        let host = Self { place: tempfile::tempdir().unwrap() };
        let write = |name: &str, text: &str| {
            let path = host.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("bin/none", "");
        if let Some(script) = docker {
            write("bin/docker", &format!("#!/bin/sh\n{script}\n"));
            std::fs::set_permissions(host.path("bin/docker"), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        write("shop/deployment.yml", "cluster-id: laconic-main\ndeployment-id: laconic-shop\nstack-source: s\n");
        write("shop/stack.yml", "version: \"1.0\"\nname: s\npods:\n  - web\n");
        write("shop/compose/docker-compose-web.yml", "services:\n  web:\n    image: example/web:1.0\n");
        write("shop/spec.yml", "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\n");
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn laconic(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_laconic"))
            .args(arguments)
            .arg("--dir")
            .arg(self.path("shop"))
            .arg("--state-dir")
            .arg(self.path("state"))
            .env("PATH", self.path("bin"))
            .env_remove("KIND_EXPERIMENTAL_PROVIDER")
            .env_remove("LACONIC_SIMULATE")
            .output()
            .unwrap()
    }
}

const NOT_RUNNING: &str =
    "echo 'Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?' >&2; exit 1";
const NOT_PERMITTED: &str = "echo 'permission denied while trying to connect to the Docker daemon socket at unix:///run/x.sock: Get \"http://x/v1.50/info\": dial unix /run/x.sock: connect: permission denied' >&2; exit 1";

fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn a_plan_says_in_its_header_that_nobody_looked_and_what_to_do() {
    let table = [
        (Some(NOT_RUNNING), "Docker is not running at unix:///run/x.sock; start it (`systemctl start docker`)"),
        (Some(NOT_PERMITTED), "no permission to speak to Docker at unix:///run/x.sock; run this as root"),
        (None, "`docker` is not installed, or not in PATH; install Docker"),
    ];
    for (docker, expected) in table {
        let host = Host::new(docker);
        let (code, text) = host.laconic(&["plan"]);
        let header = text.lines().next().unwrap();
        let begin = format!("(live: unknown, laconic-main: it cannot be reached: {expected}");
        assert!(header.contains(&begin), "{text}");
        assert!(text.contains("LAC805") && text.contains("LAC210"), "{text}");
        assert_eq!(code, 0, "{text}");
        assert_eq!(host.laconic(&["plan", "--detailed-exitcode"]).0, 2);
        assert_eq!(files(&host.path("state")), 0, "a plan writes nothing");
    }
}

#[test]
fn nothing_is_done_and_nothing_is_said_to_be_in_order() {
    let host = Host::new(Some(NOT_RUNNING));
    for arguments in [&["apply", "--auto-approve"][..], &["drift"], &["destroy", "--auto-approve"]] {
        let (code, text) = host.laconic(arguments);
        assert_eq!(code, 1, "{arguments:?}: {text}");
        assert!(text.contains("error: ") && text.contains("Docker is not running"), "{arguments:?}: {text}");
        assert!(!text.contains("No changes") && !text.contains("no drift"), "{arguments:?}: {text}");
    }
    let (code, text) = host.laconic(&["plan", "--offline"]);
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains("Docker"), "offline nobody asks Docker: {text}");
}

/// What is recorded of a cluster is shown, and what nobody could see is not taken for gone.
#[test]
fn clusters_are_shown_from_their_state() {
    let host = Host::new(Some(NOT_RUNNING));
    let (code, text) = host.laconic(&["cluster", "list"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("No kind cluster is recorded or runs here.") && text.contains("are not known"), "{text}");

    let scope = Scope::cluster("laconic-main");
    let store = LocalStore::new(LocalStoreOptions {
        state_directory: host.path("state"),
        simulated: false,
        deployment_directories: BTreeMap::new(),
    });
    let mut tenant = Tenant { deployment_id: "laconic-shop".to_owned(), stopped: true, ..Tenant::default() };
    tenant.volumes.insert("data".to_owned(), VolumeStorage::Host("/srv/kind/shop".to_owned()));
    tenant.wishes.mount_root = Some("/srv/kind".to_owned());
    let lock = store.lock(&scope, LockMode::Exclusive, "test").unwrap();
    store.append(&scope, &[JournalRecord::TenantSet { name: "shop".to_owned(), tenant }]).unwrap();
    store.fold(&scope).unwrap();
    drop(lock);

    let (code, text) = host.laconic(&["cluster", "list"]);
    assert_eq!(code, 0, "{text}");
    let line = text.lines().find(|line| line.contains("laconic-main")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["laconic-main", "unknown", "/srv/kind", "-", "shop"], "{text}");
    let (code, text) = host.laconic(&["cluster", "show"]);
    assert_eq!(code, 0, "{text}");
    for expected in ["shop  stopped", "/srv/kind/shop", "outlives the cluster", "Docker is not running"] {
        assert!(text.contains(expected), "no {expected:?}: {text}");
    }
    let output = host.run(&["cluster", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["complete"], &json["clusters"][0]["presence"]), (&false.into(), &"unknown".into()), "{json:#}");
    assert_eq!(host.laconic(&["deployment", "ps"]).0, 0, "nothing was ever applied");
}
