//! What a recreate takes out of a real API server can be made again on it, and means the same there.

use std::collections::BTreeMap;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::Rescue as _;
use laconic_engine::resource::Target;
use laconic_engine::vault::secret_digest;
use laconic_providers::KubernetesProvider;
use laconic_providers::kubernetes::Connection;
use laconic_testbed::{ApiServer, User};
use serde_json::{Value, json};

fn target() -> Target {
    Target::Kind("main".into())
}

fn provider(server: &ApiServer) -> KubernetesProvider {
    let connection = Connection::File { path: server.kubeconfig(User::admin()), context: None };
    KubernetesProvider::new([(target(), connection)].into())
}

fn objects(namespace: &str) -> Vec<Value> {
    let metadata = |name: &str| json!({"name": name, "namespace": namespace, "labels": {"app": "legacy"}});
    let pod = json!({"metadata": {"labels": {"app": "legacy"}}, "spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}});
    let mut job_pod = pod.clone();
    job_pod["spec"]["restartPolicy"] = json!("Never");
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("settings"), "data": {"a": "1"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("web"),
               "spec": {"selector": {"app": "legacy"}, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata("data"),
               "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, "storageClassName": "none"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("web"),
               "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "legacy"}}, "template": pod}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata("work"), "spec": {"template": job_pod, "suspend": true}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata("web"),
               "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("by-hand"), "data": {"value": "bm90LWEtc2VjcmV0"}}),
    ]
}

fn key(object: &Value) -> ObjectKey {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap();
    let resource_type = ResourceType::from_kind(text("/kind")).unwrap();
    ObjectKey::new(resource_type, text("/metadata/namespace"), text("/metadata/name"))
}

/// The same object in another namespace.
fn moved(key: &ObjectKey, object: &Value, namespace: &str) -> (ObjectKey, Value) {
    let mut object = object.clone();
    object["metadata"]["namespace"] = json!(namespace);
    (ObjectKey::new(key.resource_type, namespace, &key.name), object)
}

#[tokio::test]
async fn what_is_exported_can_be_made_again() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared_with_controller_manager();
    let provider = provider(server);
    let (from, into) = (server.namespace("rescue-from"), server.namespace("rescue-into"));
    for object in objects(&from) {
        provider.restore(&target(), &key(&object), &object).await.unwrap();
        // What is there is left as it is.
        provider.restore(&target(), &key(&object), &object).await.unwrap();
    }
    let exported = provider.export(&target(), std::slice::from_ref(&from)).await.unwrap();
    let names: Vec<String> =
        exported.iter().map(|(key, _)| format!("{}/{}", key.resource_type.kind(), key.name)).collect();
    for object in objects(&from) {
        let key = key(&object);
        let name = format!("{}/{}", key.resource_type.kind(), key.name);
        assert_eq!(names.contains(&name), key.resource_type != ResourceType::Secret, "{name} of {names:?}");
    }
    for (key, object) in exported.iter().filter(|(key, _)| !key.namespace.is_empty()) {
        let (key, object) = moved(key, object, &into);
        provider.restore(&target(), &key, &object).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    // Exported from there it is the same again.
    let again = provider.export(&target(), std::slice::from_ref(&into)).await.unwrap();
    let again: BTreeMap<ObjectKey, Value> = again.into_iter().collect();
    for (key, object) in exported.iter().filter(|(key, _)| !key.namespace.is_empty()) {
        let (key, object) = moved(key, object, &into);
        assert_eq!(again.get(&key), Some(&object), "{key}");
    }
}

#[tokio::test]
async fn secrets_come_with_their_values_and_workloads_are_stopped() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared_with_controller_manager();
    let provider = provider(server);
    let namespace = server.namespace("rescue-secrets");
    for object in objects(&namespace) {
        provider.restore(&target(), &key(&object), &object).await.unwrap();
    }
    let namespaces = [namespace.clone(), "no-such-namespace".to_owned()];
    let secrets = provider.secrets(&target(), &namespaces).await.unwrap();
    let sent = objects(&namespace).into_iter().find(|object| object["kind"] == "Secret").unwrap();
    let found = secrets.iter().find(|(found, _)| *found == key(&sent)).unwrap();
    assert_eq!(secret_digest(&found.1), secret_digest(&sent));
    let web = ObjectKey::new(ResourceType::Deployment, &namespace, "web");
    provider.scale(&target(), &web, 0).await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_mins(2), async {
        while provider.running(&target(), &web).await.unwrap() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    ended.await.unwrap();
    let gone = ObjectKey::new(ResourceType::Deployment, &namespace, "no-such-deployment");
    provider.scale(&target(), &gone, 1).await.unwrap();
    assert_eq!(provider.running(&target(), &gone).await, Ok(0));
}
