//! Adopting what laconic-so's client made: objects that were posted, and some put, by the Python client without a field
//! manager of its own. On a real API server with its controllers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use kube::client::Body;
use laconic_testbed::{ApiServer, Options};
use serde_json::Value;

/// What the client of laconic-so calls itself; the server makes the field manager's name of what is before the slash.
const USER_AGENT: &str = "OpenAPI-Generator/31.0.0/python";

/// A deployment directory that laconic-so wrote, on a remote cluster.
struct Deployment {
    directory: PathBuf,
    kubeconfig: PathBuf,
    _place: tempfile::TempDir,
}

impl Deployment {
    fn of_case(case: &str, kubeconfig: &Path) -> Self {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join(case);
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/cases").join(case).join("deployment");
        copy(&source, &directory);
        let spec = std::fs::read_to_string(directory.join("spec.yml")).unwrap();
        std::fs::write(directory.join("spec.yml"), spec.replace("deploy-to: k8s-kind", "deploy-to: k8s")).unwrap();
        Self { directory, kubeconfig: kubeconfig.to_owned(), _place: place }
    }

    fn laconic(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_laconic"))
            .args(arguments)
            .arg("--dir")
            .arg(&self.directory)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .output()
            .unwrap()
    }

    fn must(&self, arguments: &[&str]) -> String {
        let output = self.laconic(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The objects as laconic-so sends them: parity with it is proved elsewhere.
    fn objects(&self) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.must(&["render", "-o", "json"])).unwrap();
        list["items"].as_array().unwrap().clone()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to) } else { std::fs::copy(&from, &to).map(drop).unwrap() }
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Another client than ours.
struct OtherClient {
    client: kube::Client,
}

impl OtherClient {
    async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("User-Agent", USER_AGENT)
            .header("Content-Type", "application/json")
            .body(Body::from(body.to_string().into_bytes()))
            .unwrap();
        let answer = self.client.send(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect_bytes().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// Makes an object as laconic-so does: posted, and put once more.
    async fn make(&self, object: &Value) {
        let collection = collection(object);
        let made = self.send("POST", &collection, object).await;
        let mut again = object.clone();
        again["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
        // What the server filled in and nobody may change goes along, as in every client that reads and writes back.
        if object["kind"] == "Service" {
            again["spec"]["clusterIP"] = made["spec"]["clusterIP"].clone();
            again["spec"]["ports"] = made["spec"]["ports"].clone();
        }
        if matches!(object["kind"].as_str(), Some("ConfigMap" | "Service" | "Ingress")) {
            self.send("PUT", &format!("{collection}/{}", name(object)), &again).await;
        }
    }

    /// Every pod: its uid, and how often its containers were restarted.
    async fn pods(&self) -> BTreeMap<String, Value> {
        let list = self.send("GET", "/api/v1/pods", &Value::Null).await;
        let pods = list["items"].as_array().unwrap().iter();
        let restarts = |pod: &Value| -> Value {
            let statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
            statuses.map(|status| status["restartCount"].clone()).collect()
        };
        pods.map(|pod| (pod["metadata"]["uid"].as_str().unwrap().to_owned(), restarts(pod))).collect()
    }

    async fn read(&self, object: &Value) -> Value {
        self.send("GET", &format!("{}/{}", collection(object), name(object)), &Value::Null).await
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

fn collection(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap();
    let root = if version.contains('/') { "apis" } else { "api" };
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let plural = if kind.ends_with("ss") { format!("{kind}es") } else { format!("{kind}s") };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("/{root}/{version}/{plural}"),
    }
}

/// What in the items of lists is still owned by the other client: such an item would outlive our dropping it.
fn items_left_to_others(object: &Value) -> Vec<String> {
    fn items(node: &Value, found: &mut Vec<String>) {
        for (edge, node) in node.as_object().into_iter().flatten() {
            if edge.starts_with("k:") {
                found.push(format!("{edge} {node}"));
            }
            items(node, found);
        }
    }
    let mut found = Vec::new();
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let others = entries.iter().filter(|entry| entry["manager"] == "OpenAPI-Generator");
    others.for_each(|entry| items(&entry["fieldsV1"], &mut found));
    found
}

/// Runs a command for all of them at once.
fn laconic(deployments: &[Deployment], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_laconic"));
    command.args(arguments).arg("--kubeconfig").arg(&deployments[0].kubeconfig);
    for deployment in deployments {
        command.arg("--dir").arg(&deployment.directory);
    }
    command.output().unwrap()
}

#[test]
fn what_laconic_so_made_is_adopted_in_one_go_without_a_restart() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::start(Options::new().with_controller_manager(true)).unwrap();
    let kubeconfig = server.kubeconfig("admin");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let other = OtherClient { client: runtime.block_on(server.client("admin")) };
    let deployments =
        ["x-k8s", "x-multipod", "x-env", "x-hostpaths"].map(|case| Deployment::of_case(case, &kubeconfig));
    let mut objects = Vec::new();
    for deployment in &deployments {
        let own = deployment.objects();
        own.iter().for_each(|object| runtime.block_on(other.make(object)));
        objects.extend(own);
    }
    let is_workload = |object: &&Value| object["kind"] == "Deployment";
    let workloads = || -> Vec<(Value, Value)> {
        let read = objects.iter().filter(is_workload).map(|object| runtime.block_on(other.read(object)));
        read.map(|live| (live["metadata"]["generation"].clone(), live["spec"].clone())).collect()
    };
    let pods = || runtime.block_on(other.pods());
    let wanted = objects.iter().filter(is_workload).map(|one| one["spec"]["replicas"].as_u64().unwrap()).sum::<u64>();
    let deadline = Instant::now() + Duration::from_secs(60);
    while (pods().len() as u64) < wanted {
        assert!(Instant::now() < deadline, "{} of {wanted} pods", pods().len());
        std::thread::sleep(Duration::from_millis(100));
    }
    let (before, running) = (workloads(), pods());

    let refused = laconic(&deployments, &["plan"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("laconic import"), "{}", text(&refused));

    let is_adopted = |when: &str| {
        let imported = laconic(&deployments, &["import", "--auto-approve"]);
        assert_eq!(imported.status.code(), Some(0), "{when}: {}", text(&imported));
        for command in [&["plan", "--detailed-exitcode"][..], &["drift"]] {
            let clean = laconic(&deployments, command);
            assert_eq!(clean.status.code(), Some(0), "{when}: {command:?}: {}", text(&clean));
        }
        assert_eq!(workloads(), before, "{when}: a workload was changed");
        assert_eq!(pods(), running, "{when}: a pod was made anew");
    };
    is_adopted("at first");
    for object in &objects {
        let left = items_left_to_others(&runtime.block_on(other.read(object)));
        assert_eq!(left, Vec::<String>::new(), "{} {}", object["kind"], name(object));
    }
    // State that is lost is had again the same way.
    for deployment in &deployments {
        std::fs::remove_dir_all(deployment.directory.join(".laconic")).unwrap();
    }
    is_adopted("without state");
}

#[test]
fn what_the_spec_drops_after_an_import_really_goes() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let kubeconfig = server.kubeconfig("admin");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let other = OtherClient { client: runtime.block_on(server.client("admin")) };
    let drop_from = |case: &str, file: &str, dropped: &str| -> Vec<Value> {
        let deployment = Deployment::of_case(case, &kubeconfig);
        let objects = deployment.objects();
        objects.iter().for_each(|object| runtime.block_on(other.make(object)));
        deployment.must(&["import", "--auto-approve"]);
        let path = deployment.directory.join(file);
        let text_before = std::fs::read_to_string(&path).unwrap();
        assert!(text_before.contains(dropped), "{text_before}");
        std::fs::write(&path, text_before.replace(dropped, "")).unwrap();
        deployment.must(&["apply", "--auto-approve", "--no-wait"]);
        let plan = deployment.laconic(&["plan", "--detailed-exitcode"]);
        assert_eq!(plan.status.code(), Some(0), "{case}: {}", text(&plan));
        let kept = objects.iter().filter(|object| matches!(object["kind"].as_str(), Some("Deployment" | "Ingress")));
        kept.map(|object| runtime.block_on(other.read(object))).collect()
    };
    let host = "   - host-name: b.other.org\n     routes:\n      - path: /\n        proxy-to: a:80\n";
    let live = drop_from("x-k8s", "spec.yml", host);
    let ingress = live.iter().find(|object| object["kind"] == "Ingress").unwrap();
    let hosts: Vec<&Value> = ingress["spec"]["rules"].as_array().unwrap().iter().map(|rule| &rule["host"]).collect();
    assert_eq!(hosts, ["a.example.com"]);

    let container = "  b:\n    image: busybox:1.36\n    volumes:\n     - ../config/hp/run.sh:/other/run.sh\n     \
                     - ../config/hp/a-b/c.txt:/c1\n     - ../config/hp/a/b-c.txt:/c2\n";
    let live = drop_from("x-hostpaths", "compose/docker-compose-hp.yml", container);
    let pod = &live[0]["spec"]["template"]["spec"];
    let containers: Vec<&Value> = pod["containers"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(containers, ["a"]);
    assert_eq!(pod["volumes"].as_array().unwrap().len(), 4, "{pod:#}");
}
