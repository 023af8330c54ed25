//! Three deployments on one cluster, a fourth that nobody recorded, and what somebody made by hand.

use std::collections::BTreeMap;

use futures::executor::block_on;
use laconic_engine::address::{ObjectKey, ResourceType, Scope};
use laconic_engine::apply::Rescue as _;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::forecast::claim_address;
use laconic_engine::resource::Target;
use laconic_engine::source::MemorySources;
use laconic_tests::universe::{Request, Universe, compiled};
use serde_json::{Value, json};

pub const CLUSTER: &str = "laconic-main";

/// Every namespace in which something must survive.
const NAMESPACES: [&str; 5] = ["shop", "blog", "ledger", "legacy", "caddy-system"];

pub fn target() -> Target {
    Target::Kind(CLUSTER.to_owned())
}

/// A deployment with a volume on the host, one in the node's overlay, a secret made by us and a page.
pub fn deployment(name: &str, data: &str) -> CompiledDeployment {
    let mut files = MemorySources::default();
    let identity = format!("cluster-id: {CLUSTER}\ndeployment-id: laconic-{name}\ndialect: compose\nstack-source: s\n");
    files.insert("deployment.yml", identity.as_bytes());
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: {name}\n\
         network:\n  http-proxy:\n    - host-name: {name}.example.com\n      routes:\n        - path: /\n          proxy-to: web:8080\n\
         config:\n  SESSION_KEY: $generate:hex:32$\n\
         volumes:\n  data: {data}\n  scratch:\n"
    );
    files.insert("spec.yml", spec.as_bytes());
    files.insert(
        "compose/docker-compose-web.yml",
        b"services:\n  web:\n    image: example/web:1.0\n    ports: ['8080']\n    volumes:\n      - data:/data\n      - scratch:/scratch\nvolumes:\n  data:\n  scratch:\n",
    );
    compiled(name, &files).0
}

pub fn claim(universe: &Universe, deployment: &str, volume: &str) -> ObjectKey {
    universe.state(&Scope::deployment(deployment)).resources[&claim_address(deployment, volume)].key.clone()
}

fn make(universe: &Universe, object: &Value) {
    universe.host.create_object(&target(), object, "kubectl").unwrap();
}

pub fn secret(namespace: &str, name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
           "metadata": {"name": name, "namespace": namespace, "labels": {"made": "by-hand"}},
           "data": {"value": value}})
}

/// A universe in which all of it runs; and the change that makes the cluster anew: a mount for the ledger.
pub fn before() -> (Universe, [CompiledDeployment; 1]) {
    let universe = Universe::default();
    for name in ["shop", "blog", "ledger"] {
        let one = [deployment(name, &format!("/srv/kind/{name}"))];
        let run = universe.apply_with_consents(&one, &Request::default());
        assert!(run.is_complete(), "{}", run.problems());
    }
    make(&universe, &secret("shop", "by-hand", "aHVudGVyMi1ieS1oYW5k"));
    make(&universe, &secret("caddy-system", "caddy.certificate", "aHVudGVyMi1jZXJ0aWZpY2F0ZQ=="));
    let token = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                       "metadata": {"name": "token", "namespace": "shop"}, "data": {"token": "aHVudGVyMi10b2tlbg=="}});
    make(&universe, &token);
    make(
        &universe,
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "legacy", "labels": {"app": "legacy-id"}}}),
    );
    make(&universe, &secret("legacy", "legacy-secret", "aHVudGVyMi1sZWdhY3k="));
    make(
        &universe,
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "legacy"}, "data": {"a": "1"}}),
    );
    let labels = json!({"app": "legacy"});
    make(
        &universe,
        &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "old", "namespace": "legacy"},
                "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "example/a:1", "envFrom": [{"configMapRef": {"name": "settings"}}]}],
                         "volumes": [{"name": "files", "hostPath": {"path": "/mnt/legacy"}}]}}}}),
    );
    // Somebody's nightly job, which writes to the host as well, and one that writes into the node.
    for (name, path) in [("nightly", "/mnt/legacy"), ("hourly", "/var/legacy")] {
        let job = json!({"spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "a", "image": "example/a:1"}],
            "volumes": [{"name": "files", "hostPath": {"path": path}}]}}}});
        make(
            &universe,
            &json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "namespace": "legacy"},
                    "spec": {"schedule": "0 3 * * *", "suspend": false, "jobTemplate": job}}),
        );
    }
    universe.host.settle().unwrap();
    (universe, [deployment("ledger", "/data/ledger")])
}

/// What must be the same after a recreate.
#[derive(Debug, PartialEq)]
pub struct Kept {
    secrets: BTreeMap<String, Value>,
    rescued: Option<String>,
    on_host: Vec<Option<String>>,
    exported: Vec<(String, Option<Value>)>,
}

impl Kept {
    pub fn look(universe: &Universe) -> Self {
        let namespaces: Vec<String> = NAMESPACES.iter().map(|name| (*name).to_owned()).collect();
        let secrets = block_on(universe.host.secrets(&target(), &namespaces)).unwrap();
        let secrets = secrets
            .into_iter()
            .filter(|(key, _)| &*key.name != "token")
            .map(|(key, secret)| (key.to_string(), json!([secret["type"], secret["data"]])))
            .collect();
        let exported = [
            ObjectKey::new(ResourceType::ConfigMap, "legacy", "settings"),
            ObjectKey::new(ResourceType::Deployment, "legacy", "old"),
            ObjectKey::new(ResourceType::CronJob, "legacy", "nightly"),
        ];
        let objects = block_on(universe.host.export(&target(), &["legacy".to_owned()])).unwrap();
        let find = |key: &ObjectKey| objects.iter().find(|(one, _)| one == key).map(|(_, object)| object.clone());
        Self {
            secrets,
            rescued: universe.host.claim_data(&target(), &claim(universe, "shop", "scratch")),
            on_host: ["shop", "blog"].map(|name| universe.host.volume_data(&format!("/srv/kind/{name}"))).to_vec(),
            exported: exported.iter().map(|key| (key.to_string(), find(key))).collect(),
        }
    }

    /// That the test looks at what is there at all.
    pub fn is_all_there(&self) -> bool {
        self.secrets.len() >= 6
            && self.rescued.is_some()
            && self.on_host.iter().all(Option::is_some)
            && self.exported.iter().all(|(_, object)| object.is_some())
    }
}
