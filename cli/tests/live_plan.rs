//! Plans and drift on a real API server: what admission refuses and changes, what others add and take away.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use kube::client::Body;
use laconic_testbed::ApiServer;
use serde_json::{Value, json};

struct Deployment {
    directory: PathBuf,
    kubeconfig: PathBuf,
    _place: tempfile::TempDir,
}

impl Deployment {
    fn new(id: &str, kubeconfig: &Path) -> Self {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join(id);
        std::fs::create_dir_all(directory.join("compose")).unwrap();
        std::fs::create_dir_all(directory.join("configmaps/files")).unwrap();
        let deployment = Self { directory, kubeconfig: kubeconfig.to_owned(), _place: place };
        let identity = format!("cluster-id: laconic-remote\ndeployment-id: laconic-{id}\nstack-source: s\n");
        deployment.write("deployment.yml", &identity);
        deployment.write("stack.yml", "version: \"1.0\"\nname: s\npods:\n  - web\n");
        deployment.write("configmaps/files/a.txt", "one\n");
        deployment.write(
            "compose/docker-compose-web.yml",
            "services:\n  web:\n    image: example/web:1.0\n    volumes:\n      - files:/etc/files\nvolumes:\n  files:\n",
        );
        deployment.spec("");
        deployment
    }

    fn namespace(&self) -> String {
        format!("plan-{}", self.directory.file_name().unwrap().to_string_lossy())
    }

    fn spec(&self, more: &str) {
        let namespace = self.namespace();
        let spec = format!(
            "stack: stacks/s\ndeploy-to: k8s\nkube-config: kc.yml\nnamespace: {namespace}\nconfigmaps:\n  files: ./configmaps/files\n{more}"
        );
        self.write("spec.yml", &spec);
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
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

    fn exits(&self, arguments: &[&str], code: i32) -> String {
        let output = self.laconic(arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }

    /// The path of its only object of a kind.
    fn path(&self, collection: &str, name: &str) -> String {
        format!("/{collection}/{name}").replace("NAMESPACE", &self.namespace())
    }
}

async fn patch(client: &kube::Client, path: &str, manager: &str, body: &Value) {
    let request = http::Request::builder()
        .method("PATCH")
        .uri(format!("{path}?fieldManager={manager}"))
        .header("Content-Type", "application/merge-patch+json")
        .body(Body::from(body.to_string().into_bytes()))
        .unwrap();
    answer(client, request).await;
}

async fn post(client: &kube::Client, path: &str, body: &Value) {
    let request = http::Request::builder()
        .method("POST")
        .uri(format!("{path}?fieldManager=kubectl-create"))
        .header("Content-Type", "application/json")
        .body(Body::from(body.to_string().into_bytes()))
        .unwrap();
    answer(client, request).await;
}

async fn answer(client: &kube::Client, request: http::Request<Body>) {
    let answer = client.send(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect_bytes().await.unwrap();
    assert!(status.is_success(), "{}", String::from_utf8_lossy(&body));
}

const DEPLOYMENTS: &str = "apis/apps/v1/namespaces/NAMESPACE/deployments";

#[test]
fn what_the_server_would_refuse_is_in_the_plan() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(server.client("admin"));
    let shop = Deployment::new("refused", &server.kubeconfig("admin"));
    shop.exits(&["apply", "--auto-approve", "--no-wait"], 0);
    let rules = json!({"matchConstraints": {
            "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shop.namespace()}}},
        "validations": [{"expression": "object.spec.replicas <= 2", "message": "two are enough"}]});
    let group = "/apis/admissionregistration.k8s.io/v1";
    let api_version = "admissionregistration.k8s.io/v1";
    let name = json!({"name": "two-are-enough"});
    let policy =
        json!({"apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": name, "spec": rules});
    let binding = json!({"apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": name,
                         "spec": {"policyName": "two-are-enough", "validationActions": ["Deny"]}});
    runtime.block_on(post(&client, &format!("{group}/validatingadmissionpolicies"), &policy));
    runtime.block_on(post(&client, &format!("{group}/validatingadmissionpolicybindings"), &binding));
    shop.spec("replicas: 3\n");
    // The server takes a moment to know its own rule.
    let begun = Instant::now();
    let refused = loop {
        let plan = shop.laconic(&["plan"]);
        if plan.status.code() == Some(3) || begun.elapsed() > Duration::from_secs(60) {
            break plan;
        }
    };
    let text = String::from_utf8_lossy(&refused.stdout);
    assert_eq!(refused.status.code(), Some(3), "{text}");
    assert!(text.contains("LAC407") && text.contains("two are enough"), "{text}");
    assert!(text.contains("deployment.refused.web"), "{text}");
    // Comes close: what the rule allows.
    shop.spec("replicas: 2\n");
    let allowed = shop.exits(&["plan"], 0);
    assert!(!allowed.contains("LAC407") && !allowed.contains("LAC408") && !allowed.contains("LAC805"), "{allowed}");
    let applied = shop.exits(&["apply", "--auto-approve", "--no-wait"], 0);
    assert!(!applied.contains("otherwise than asked for"), "{applied}");
    shop.exits(&["plan", "--detailed-exitcode"], 0);
    shop.exits(&["drift"], 0);
}

#[test]
fn additions_and_removals_are_told_by_whom() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(server.client("admin"));
    let shop = Deployment::new("drifted", &server.kubeconfig("admin"));
    shop.exits(&["apply", "--auto-approve", "--no-wait"], 0);
    shop.exits(&["drift"], 0);
    let web = shop.path(DEPLOYMENTS, "laconic-drifted-deployment");
    runtime.block_on(patch(&client, &web, "kubectl-annotate", &json!({"metadata": {"annotations": {"team": "a"}}})));
    let label = json!({"metadata": {"labels": {"app.kubernetes.io/stack": null}}});
    runtime.block_on(patch(&client, &web, "kubectl-annotate", &label));
    runtime.block_on(patch(&client, &web, "kubectl-scale", &json!({"spec": {"replicas": 2}})));
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "1"},
                        "metadata": {"name": "laconic-drifted-extra", "labels": {"app": "laconic-drifted"}}});
    runtime.block_on(post(&client, &shop.path("api/v1/namespaces/NAMESPACE", "configmaps"), &object));
    let drift = shop.exits(&["drift"], 2);
    for line in [
        "+ metadata.annotations.team: \"a\"   # added by kubectl-annotate",
        "- metadata.labels[app.kubernetes.io/stack]: \"s\" -> null   # probably by kubectl-",
        "~ spec.replicas: 1 -> 2   # by kubectl-scale",
        "# config_map.drifted.extra carries our label and is not recorded",
    ] {
        assert!(drift.contains(line), "{line} is not in\n{drift}");
    }
    shop.exits(&["apply", "--auto-approve", "--no-wait"], 0);
    let left = shop.exits(&["drift"], 2);
    assert!(left.contains("config_map.drifted.extra") && !left.contains("deployment.drifted"), "{left}");
}
