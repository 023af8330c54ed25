//! `laconic doctor` with a `docker` and a `kind` that answer, and fail, the way the real ones do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

struct Host {
    place: tempfile::TempDir,
}

/// Docker with no container. `$1 $2` are what it is asked for.
const DOCKER: &str = r#"
case "$1 $2" in
  'info --format') echo '{"id":"7f3c","version":"29.1.3","root":"/","security":["name=cgroupns"],"system":"Debian","host":"HOST","cgroup":"2"}' ;;
  'context inspect') echo 'unix:///var/run/docker.sock' ;;
  'ps --all') NODES ;;
  'ps --filter') HOLDER ;;
  'container inspect') INSPECT ;;
  exec*) EXEC ;;
  *) echo "unexpected: $*" >&2; exit 2 ;;
esac"#;
const KIND: &str = "echo 'kind v0.33.0 go1.26.1 linux/amd64'";
const NODE: &str = r#"echo '[{"Id":"5f0cdeadbeef0123","Name":"/laconic-main-control-plane","Config":{"Image":"kindest/node:v1.36.1@sha256:0","Labels":{"io.x-k8s.kind.cluster":"laconic-main","io.x-k8s.kind.role":"control-plane"}},"State":{"Status":"STATUS"},"Mounts":[],"HostConfig":{"PortBindings":{}},"NetworkSettings":{"Ports":{}}}]'"#;

impl Host {
    /// A host with these programs; without one it is not installed.
    fn new(docker: Option<&str>, kind: Option<&str>) -> Self {
        let host = Self { place: tempfile::tempdir().unwrap() };
        std::fs::create_dir(host.path("bin")).unwrap();
        for (name, script) in [("docker", docker), ("kind", kind)] {
            let Some(script) = script else { continue };
            host.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
            std::fs::set_permissions(host.path(&format!("bin/{name}")), mode(0o755)).unwrap();
        }
        host.write("shop/deployment.yml", "cluster-id: laconic-main\ndeployment-id: laconic-shop\nstack-source: s\n");
        host.write("shop/stack.yml", "version: \"1.0\"\nname: s\npods:\n  - web\n");
        host.write("shop/compose/docker-compose-web.yml", "services:\n  web:\n    image: example/web:1.0\n");
        host.spec("");
        host
    }

    fn spec(&self, more: &str) {
        let root = self.path("mounted");
        std::fs::create_dir_all(&root).unwrap();
        let root = root.display();
        self.write(
            "shop/spec.yml",
            &format!("stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: {root}\nnamespace: shop\n{more}"),
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laconic"));
        command
            .args(arguments)
            .current_dir(self.place.path())
            .env("PATH", self.path("bin"))
            .env("LACONIC_STATE_DIR", self.path("state"));
        for name in ["KIND_EXPERIMENTAL_PROVIDER", "LACONIC_SIMULATE", "DOCKER_HOST", "DOCKER_CONTEXT"] {
            command.env_remove(name);
        }
        command
    }

    fn text(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    }

    /// The checks of a run with `--json`: verdict, and what was found with what to do.
    fn checks(&self, arguments: &[&str]) -> (i32, Vec<Checked>) {
        let output = self.command(&[&["doctor", "--json"], arguments].concat()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let checks = report["groups"].as_array().unwrap().iter().flat_map(|group| group["checks"].as_array().unwrap());
        let checks = checks
            .map(|check| Checked {
                name: word(&check["name"]),
                verdict: word(&check["verdict"]),
                text: format!("{} | {}", word(&check["found"]), check["help"]),
            })
            .collect();
        (output.status.code().unwrap(), checks)
    }

    fn simulated(&self, arguments: &[&str]) -> (i32, String) {
        let host = self.path("host");
        self.text(&[arguments, &["--dir", "shop", "--simulate", host.to_str().unwrap()]].concat())
    }
}

#[derive(Debug)]
struct Checked {
    name: String,
    verdict: String,
    text: String,
}

fn mode(bits: u32) -> std::fs::Permissions {
    std::fs::Permissions::from_mode(bits)
}

/// The only check of that name.
fn one<'a>(checks: &'a [Checked], name: &str) -> &'a Checked {
    let found: Vec<&Checked> = checks.iter().filter(|check| check.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {checks:#?}");
    found[0]
}

fn this_host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

/// Docker as above, with these answers.
fn docker(replacements: &[(&str, &str)]) -> String {
    let mut script = DOCKER.replace("HOST", &this_host());
    let defaults = [("NODES", ":"), ("HOLDER", ":"), ("INSPECT", "exit 1"), ("EXEC", "exit 1")];
    for (name, answer) in replacements.iter().chain(&defaults) {
        script = script.replace(name, answer);
    }
    script
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

#[test]
fn a_host_in_order_has_no_problem_and_is_left_as_it_is() {
    let host = Host::new(Some(&docker(&[])), Some(KIND));
    let before = files(host.place.path());
    for arguments in [&[][..], &["--dir", "shop"]] {
        let (_, checks) = host.checks(arguments);
        assert_eq!(one(&checks, "engine").verdict, "ok", "{checks:#?}");
        assert_eq!(one(&checks, "kind").verdict, "ok");
        assert!(
            one(&checks, "engine").text.starts_with("Docker 29.1.3 answers at unix:///var/run/docker.sock (id 7f3c)")
        );
        for check in &checks {
            assert_eq!(check.text.ends_with("| []"), check.verdict == "ok", "all but ok say what to do: {check:?}");
        }
    }
    let (_, checks) = host.checks(&["--dir", "shop"]);
    assert!(one(&checks, "cluster").text.contains("laconic-main is not there yet; apply makes it (deployments: shop)"));
    assert_eq!(checks.iter().filter(|check| check.name == "port").count(), 2, "{checks:#?}");
    assert_eq!(checks.iter().filter(|check| check.name == "mount").count(), 1, "{checks:#?}");
    assert_eq!(files(host.place.path()), before, "nothing is written");
}

#[test]
fn what_is_wrong_with_docker_is_told_with_the_way_out_and_exit_1() {
    let table = [
        (None, "`docker` is not installed", "install Docker"),
        (
            Some(
                "echo 'Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?' >&2; exit 1",
            ),
            "Docker is not running at unix:///run/x.sock",
            "systemctl start docker",
        ),
        (
            Some(
                "echo 'permission denied while trying to connect to the Docker daemon socket at unix:///run/x.sock: Get \"http://x/v1.50/info\": dial unix /run/x.sock: connect: permission denied' >&2; exit 1",
            ),
            "no permission to speak to Docker at unix:///run/x.sock",
            "usermod -aG docker",
        ),
        (Some("echo hello"), "cannot be read", "docker info"),
    ];
    for (docker, found, help) in table {
        let host = Host::new(docker, Some(KIND));
        let (code, checks) = host.checks(&["--dir", "shop"]);
        let engine = one(&checks, "engine");
        assert_eq!((code, engine.verdict.as_str()), (1, "problem"), "{checks:#?}");
        assert!(engine.text.contains(found) && engine.text.contains(help), "{engine:?}");
        assert_eq!(one(&checks, "cluster").verdict, "not checked", "unknown is not gone: {checks:#?}");
    }
}

#[test]
fn what_is_wrong_with_kind_is_told() {
    let table = [
        (None, "problem", "`kind` is not installed"),
        (Some("echo 'kind v0.20.0 go1.20.4 linux/amd64'"), "warning", "older than 0.27"),
        (Some("echo 'kind v0.99.0 go1.30 linux/amd64'"), "warning", "newer than 0.33"),
        (Some("echo broken >&2; exit 3"), "problem", "broken"),
    ];
    for (kind, verdict, found) in table {
        let host = Host::new(Some(&docker(&[])), kind);
        let (_, checks) = host.checks(&[]);
        let check = one(&checks, "kind");
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert!(check.text.contains(found), "{check:?}");
    }
}

#[test]
fn nodes_that_do_not_run_or_were_never_finished_are_told_of() {
    let table = [
        ("exited", "exit 1", "docker start"),
        ("paused", "exit 1", "docker unpause"),
        ("running", "exit 1", "is not finished"),
    ];
    for (status, exec, expected) in table {
        let node = NODE.replace("STATUS", status);
        let docker = docker(&[
            ("NODES", "echo laconic-main-control-plane"),
            ("INSPECT", &node),
            ("EXEC", exec),
            ("HOLDER", "echo laconic-main-control-plane"),
        ]);
        let host = Host::new(Some(&docker), Some(KIND));
        let (code, checks) = host.checks(&["--dir", "shop"]);
        let check = one(&checks, "cluster");
        assert_eq!((code, check.verdict.as_str()), (1, "problem"), "{check:?}");
        assert!(check.text.contains(expected), "{check:?}");
        assert!(checks.iter().all(|check| check.name != "port"), "its own node has its ports: {checks:#?}");
        // Somebody else's cluster is no problem of this host.
        let (_, checks) = host.checks(&[]);
        assert_eq!(one(&checks, "cluster").verdict, "warning");
    }
}

#[test]
fn a_port_that_somebody_waits_at_is_taken_and_a_container_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let held = docker(&[("HOLDER", "case \"$3\" in publish=443/tcp) echo registry ;; esac")]);
    let host = Host::new(Some(&held), Some(KIND));
    // What waits on the host's network gets a port of its own.
    let service =
        format!("    image: example/web:1.0\n    network_mode: host\n    ports:\n      - \"{port}:{port}\"\n");
    host.write("shop/compose/docker-compose-web.yml", &format!("services:\n  web:\n{service}"));
    let (code, checks) = host.checks(&["--dir", "shop"]);
    let about = |port: &str| {
        let of_it = |check: &&Checked| check.name == "port" && check.text.contains(&format!("port {port}/tcp"));
        checks.iter().find(of_it).unwrap_or_else(|| panic!("{port}: {checks:#?}"))
    };
    let container = about("443");
    assert_eq!((code, container.verdict.as_str()), (1, "problem"));
    assert!(container.text.contains("the container `registry` has it"), "{container:?}");
    let mapped = about(&port.to_string());
    assert_eq!(mapped.verdict, "problem", "{mapped:?}");
    assert!(mapped.text.contains("somebody has it (at 127.0.0.1)") && mapped.text.contains("ss -ltnp"), "{mapped:?}");
}

#[test]
fn an_engine_elsewhere_says_nothing_of_this_hosts_paths_and_ports() {
    let elsewhere = docker(&[]).replace(&this_host(), "another-host");
    let host = Host::new(Some(&elsewhere), Some(KIND));
    let (_, checks) = host.checks(&["--dir", "shop"]);
    for name in ["disk", "mount", "port", "limit"] {
        let check = one(&checks, name);
        assert_eq!(check.verdict, "not checked");
        assert!(check.text.contains("on `another-host`"), "{check:?}");
    }
}

#[test]
fn a_spec_with_mistakes_and_a_directory_that_is_none_do_not_end_the_examination() {
    let host = Host::new(Some(&docker(&[])), Some(KIND));
    host.spec("namespase: x\nvolumes: [\n");
    let (code, checks) = host.checks(&["--dir", "shop", "--dir", "none"]);
    let deployments: Vec<&Checked> = checks.iter().filter(|check| check.name == "deployment").collect();
    assert_eq!((code, deployments.len()), (1, 2), "{checks:#?}");
    assert!(deployments.iter().all(|check| check.verdict == "problem"));
    assert!(deployments.iter().any(|check| check.text.contains("laconic validate --dir")), "{deployments:#?}");
    assert_eq!(one(&checks, "engine").verdict, "ok");
}

#[test]
fn a_remote_kubernetes_needs_no_docker_and_its_server_is_asked() {
    let host = Host::new(None, None);
    let spec = "stack: stacks/s\ndeploy-to: k8s\nkube-config: kc.yml\nnamespace: shop\n";
    host.write("shop/spec.yml", spec);
    let (code, checks) = host.checks(&["--dir", "shop"]);
    let server = one(&checks, "api-server");
    assert_eq!((code, server.verdict.as_str()), (1, "problem"), "{checks:#?}");
    assert!(
        server.text.contains("nothing says how it is reached") && server.text.contains("--kubeconfig"),
        "{server:?}"
    );
    assert!(checks.iter().all(|check| check.name != "engine" && check.name != "kind"), "{checks:#?}");
    // Bound and let go of: nobody is there. What is secret in the file is not repeated.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let kubeconfig = format!(
        r#"{{"apiVersion":"v1","kind":"Config","current-context":"a","clusters":[{{"name":"a","cluster":{{"server":"http://{address}"}}}}],"users":[{{"name":"a","user":{{"token":"hunter2"}}}}],"contexts":[{{"name":"a","context":{{"cluster":"a","user":"a"}}}}]}}"#
    );
    host.write("shop/kubeconfig.yml", &kubeconfig);
    std::fs::set_permissions(host.path("shop/kubeconfig.yml"), mode(0o644)).unwrap();
    let (_, checks) = host.checks(&["--dir", "shop"]);
    assert!(one(&checks, "api-server").text.contains("connection refused"), "{checks:#?}");
    assert_eq!(one(&checks, "kubeconfig").verdict, "problem");
    assert!(one(&checks, "kubeconfig").text.contains("chmod 600"), "{checks:#?}");
    assert!(checks.iter().all(|check| !check.text.contains("hunter2")));
}

#[test]
fn on_a_simulated_host_its_state_is_looked_at_and_nothing_else() {
    let host = Host::new(None, None);
    let (code, text) = host.simulated(&["apply", "--auto-approve"]);
    assert_eq!(code, 0, "{text}");
    let before = files(host.place.path());
    let (code, text) = host.simulated(&["doctor"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("not checked  container engine, kind, clusters"), "{text}");
    for line in [
        "the state of cluster laconic-main is whole",
        "the state of deployment shop is not locked",
        "registered on cluster laconic-main, is in",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(files(host.place.path()), before, "nothing is written");

    // A lock that a dead process left, and a byte that turned.
    let state = host.path("host/state/deployments/shop");
    let holder = r#"{"user":"ops","host":"HOST","process":4194304,"boot":"earlier","since":"2026-01-01T00:00:00Z","operation":"apply"}"#;
    host.write("host/state/deployments/shop/.lock-holders/1.json", &holder.replace("HOST", &this_host()));
    host.write("host/state/deployments/shop/.lock", "");
    let (code, text) = host.simulated(&["doctor"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("a dead process left its lock on the state of deployment shop: ops@"), "{text}");
    assert!(text.contains("laconic state unlock --dir "), "{text}");
    let path = state.join("state.json");
    let damaged = std::fs::read_to_string(&path).unwrap().replacen("laconic-main", "laconic-mean", 1);
    std::fs::write(&path, &damaged).unwrap();
    let (code, text) = host.simulated(&["doctor"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the state of deployment shop is damaged") && text.contains("LAC801"), "{text}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged, "nothing is mended behind anybody's back");
}

#[test]
fn simulated_state_a_damaged_generation_and_a_directory_that_went_away_are_told_of() {
    let host = Host::new(None, None);
    for spec in ["", "config:\n  A: b\n", "config:\n  A: c\n"] {
        host.spec(spec);
        assert_eq!(host.simulated(&["apply", "--auto-approve"]).0, 0);
    }
    let generations = || {
        let mut found = files(&host.path("host/state/deployments/shop"));
        found.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("state.json."));
        found
    };
    let broken = generations().pop().unwrap();
    std::fs::write(&broken, "{}").unwrap();
    let (code, text) = host.simulated(&["doctor"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("of deployment shop cannot be used"), "{text}");
    assert!(text.contains(&format!("mv {0} {0}.damaged", broken.display())), "{text}");

    // The same files in a real run.
    std::fs::create_dir_all(host.path("state")).unwrap();
    let copied = host.path("host/state/clusters");
    std::fs::rename(&copied, host.path("state/clusters")).unwrap();
    let (code, checks) = host.checks(&[]);
    let state: Vec<&Checked> = checks.iter().filter(|check| check.name == "state").collect();
    assert_eq!((code, state.len()), (1, 1), "{checks:#?}");
    assert!(state[0].text.contains("was made against the simulated host"), "{state:?}");
    std::fs::rename(host.path("state/clusters"), copied).unwrap();

    std::fs::rename(host.path("shop"), host.path("moved")).unwrap();
    let place = host.path("host");
    let (_, text) = host.text(&["doctor", "--simulate", place.to_str().unwrap()]);
    assert!(text.contains("deployment shop, registered on cluster laconic-main, is gone: there is no"), "{text}");
}
