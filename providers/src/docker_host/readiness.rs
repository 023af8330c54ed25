//! Whether a kind cluster works, and whether it is whole.

use std::time::Duration;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Provider as _, Readiness};
use laconic_engine::resource::Target;
use serde_json::Value;

use super::{DockerHost, enact_fact, reach};
use crate::kubernetes::RequestError;
use crate::kubernetes::path;

/// How long the API server of a cluster that may be half made is waited for.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Whether something works.
pub(super) async fn readiness(
    host: &DockerHost,
    cluster: &str,
    target: &Target,
    key: &ObjectKey,
) -> Result<Readiness, EnactError> {
    match key.resource_type {
        ResourceType::KindMount | ResourceType::KindPort => {
            let found = enact_fact::facts(host, cluster).await?.is_some_and(|facts| facts.contains_key(key));
            Ok(if found { Readiness::Ready } else { Readiness::Failed("the node does not have it".to_owned()) })
        }
        ResourceType::KindImage => Ok(Readiness::Ready),
        ResourceType::KindCluster => {
            reach::ensure(host, cluster).await?;
            let server = host.kubernetes.server(target).await?;
            let nodes = server.get("/api/v1/nodes").await?;
            Ok(judge(&nodes))
        }
        _ => {
            reach::ensure(host, cluster).await?;
            host.kubernetes.readiness(target, key).await
        }
    }
}

/// A cluster is ready when all its nodes are.
fn judge(nodes: &Value) -> Readiness {
    let nodes: Vec<&Value> = nodes["items"].as_array().into_iter().flatten().collect();
    if nodes.is_empty() {
        return Readiness::Progressing("no node has registered yet".to_owned());
    }
    for node in nodes {
        let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready");
        if ready.is_some_and(|ready| ready["status"] == "True") {
            continue;
        }
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        let why = ready.and_then(|ready| ready["message"].as_str()).unwrap_or("it has not reported yet");
        return Readiness::Progressing(format!("the node {name} is not ready: {why}"));
    }
    Readiness::Ready
}

/// Whether a cluster that is reached came to the end of its creation: its API server answers, and the storage class is
/// there, which is the last thing kind makes.
pub(super) async fn is_complete(host: &DockerHost, target: &Target) -> bool {
    tokio::time::timeout(LOOK_LIMIT, storage_class(host, target)).await.is_ok_and(|answer| answer.is_ok())
}

async fn storage_class(host: &DockerHost, target: &Target) -> Result<(), RequestError> {
    let server = host.kubernetes.server(target).await?;
    server.get("/apis/storage.k8s.io/v1/storageclasses/standard").await.map(|_| ())
}

/// The uid of the namespace kube-system, which tells one cluster from another.
pub(super) async fn kube_system(host: &DockerHost, target: &Target) -> Result<String, EnactError> {
    let server = host.kubernetes.server(target).await?;
    let namespace = server.get(&path::object(&ObjectKey::new(ResourceType::Namespace, "", "kube-system"))).await?;
    match namespace["metadata"]["uid"].as_str() {
        Some(uid) if !uid.is_empty() => Ok(uid.to_owned()),
        _ => Err(RequestError::Garbled(server.url.clone()).into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_is_ready_when_all_its_nodes_are() {
        let node = |name: &str, status: &str| {
            json!({"metadata": {"name": name}, "status": {"conditions": [
            {"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": status, "message": "cni plugin not initialized"}]}})
        };
        assert_eq!(judge(&json!({"items": [node("a", "True")]})), Readiness::Ready);
        let expected = Readiness::Progressing("the node b is not ready: cni plugin not initialized".to_owned());
        assert_eq!(judge(&json!({"items": [node("a", "True"), node("b", "False")]})), expected);
        assert!(matches!(judge(&json!({"items": []})), Readiness::Progressing(_)));
    }
}
