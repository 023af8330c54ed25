//! Looking at a cluster: who it is, and one LIST for each kind.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::TargetRequest;
use laconic_engine::resource::{
    Allocatable, ClusterIdentity, Live, NodeFacts, Observed, ObservedTarget, Target, UnknownReason,
};
use serde_json::{Value, json};

use super::list::{Selection, list, live};
use super::path;
use super::request::RequestError;
use super::server::Server;

/// How many lists are in hand at once.
const PARALLEL_LISTS: usize = 8;

type Objects = Vec<(ObjectKey, Live)>;

/// A target that could not be asked anything.
pub(crate) fn unknown(error: &RequestError) -> ObservedTarget {
    let reason = error.unknown();
    ObservedTarget { objects: Err(reason.clone()), ..ObservedTarget::unknown(reason) }
}

/// Looks at a cluster.
pub(crate) async fn observe(server: &Server, target: &Target, wanted: &TargetRequest) -> ObservedTarget {
    let types: Vec<ResourceType> = types(wanted).into_iter().collect();
    let of_types = types.into_iter().map(|resource_type| {
        async move { (resource_type, of_type(server, target, wanted, resource_type).await) }.boxed()
    });
    let (kube_system, lists) = futures::future::join(identify(server), in_parallel(of_types.collect())).await;
    // Whoever does not say who it is is not believed anything else.
    let kube_system = match kube_system {
        Ok(uid) => uid,
        Err(error) => return unknown(&error),
    };
    let mut objects = BTreeMap::new();
    let mut unlisted = BTreeMap::new();
    for (resource_type, listed) in lists {
        match listed {
            Ok(found) => objects.extend(found),
            Err(error) => {
                unlisted.insert(resource_type, error.unknown());
            }
        }
    }
    if matches!(target, Target::Kubernetes(_)) {
        objects.extend(volumes_behind(server, &objects).await);
    }
    // Where a directory of the nodes is somebody's volume, it counts how many of them there are.
    let has_directories = objects.values().any(|live| live.attributes.pointer("/spec/hostPath/path").is_some())
        || wanted.keys.iter().any(|key| key.resource_type == ResourceType::PersistentVolume);
    let mut node = NodeFacts::default();
    if wanted.allocatable {
        (node.count, node.allocatable) = nodes(server).await.unwrap_or_default();
    } else if has_directories {
        node.count = count_nodes(server).await;
    }
    let cluster = match target {
        Target::Kubernetes(_) => Observed::Present(Live {
            uid: kube_system.clone(),
            attributes: json!({"server": server.url}),
            owners: Vec::new(),
            terminating: false,
        }),
        // Its node container is Docker's to tell of.
        Target::Kind(_) => Observed::Unknown(UnknownReason::Unreachable("nobody asked Docker".to_owned())),
    };
    let identity = ClusterIdentity { kube_system, ..ClusterIdentity::default() };
    ObservedTarget { identity: Some(identity), cluster, objects: Ok(objects), unlisted, node }
}

/// The nodes, for those who may see them: how many there are, and what those that take pods can give.
async fn nodes(server: &Server) -> Option<(Option<usize>, BTreeMap<String, Allocatable>)> {
    let list = server.get("/api/v1/nodes").await.ok()?;
    let nodes = list["items"].as_array()?;
    Some((Some(nodes.len()), nodes.iter().filter_map(allocatable).collect()))
}

/// What a node can give; `None` for one that takes no pods but those that ask for it.
fn allocatable(node: &Value) -> Option<(String, Allocatable)> {
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let mut hard = taints.filter(|taint| taint["effect"] == "NoSchedule" || taint["effect"] == "NoExecute");
    if node["spec"]["unschedulable"] == true || hard.next().is_some() {
        return None;
    }
    let text = |member: &str| node["status"]["allocatable"][member].as_str().map(str::to_owned);
    let name = node["metadata"]["name"].as_str()?.to_owned();
    Some((name, Allocatable { cpu: text("cpu")?, memory: text("memory")? }))
}

/// How many nodes there are, for those who may know: a page of one says how many are left.
async fn count_nodes(server: &Server) -> Option<usize> {
    let page = server.get("/api/v1/nodes?limit=1").await.ok()?;
    let shown = page["items"].as_array()?.len();
    let left = page["metadata"]["remainingItemCount"].as_u64().unwrap_or_default();
    Some(shown + usize::try_from(left).ok()?)
}

/// The volumes that were made for claims: their reclaim policies decide over the bytes. Nobody has to be allowed to see
/// them; of a claim whose volume is not there it is then not known what becomes of its bytes.
async fn volumes_behind(server: &Server, objects: &BTreeMap<ObjectKey, Live>) -> Objects {
    let claims = objects.iter().filter(|(key, _)| key.resource_type == ResourceType::PersistentVolumeClaim);
    let bound: BTreeSet<ObjectKey> = claims
        .filter_map(|(_, claim)| claim.attributes["spec"]["volumeName"].as_str())
        .map(|name| ObjectKey::new(ResourceType::PersistentVolume, "", name))
        .filter(|key| !objects.contains_key(key))
        .collect();
    if bound.is_empty() {
        return Objects::new();
    }
    let listed = list(server, ResourceType::PersistentVolume, &Selection::default()).await.unwrap_or_default();
    listed.into_iter().filter(|(key, _)| bound.contains(key)).collect()
}

/// Some at a time; in the order in which they end.
async fn in_parallel<T>(requests: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    stream::iter(requests).buffer_unordered(PARALLEL_LISTS).collect().await
}

/// Who answers: a cluster is the uid of its namespace kube-system.
async fn identify(server: &Server) -> Result<String, RequestError> {
    let namespace = server.get(&path::object(&ObjectKey::new(ResourceType::Namespace, "", "kube-system"))).await?;
    match namespace["metadata"]["uid"].as_str() {
        Some(uid) if !uid.is_empty() => Ok(uid.to_owned()),
        _ => Err(RequestError::Garbled(server.url.clone())),
    }
}

/// The kinds to list: those asked for, and those of single objects that are asked for.
fn types(wanted: &TargetRequest) -> BTreeSet<ResourceType> {
    let of_keys = wanted.keys.iter().map(|key| key.resource_type);
    wanted.types.iter().copied().chain(of_keys).filter(|one| one.is_kubernetes()).collect()
}

/// The objects of a kind.
///
/// Those of a kind cluster are all of interest: what nobody recorded counts when the cluster is to be made anew. On a
/// remote cluster much else may live: there it is the one namespace, or by label across namespaces, and whole namespaces
/// only where something that was asked for is not among what carries the label.
async fn of_type(
    server: &Server,
    target: &Target,
    wanted: &TargetRequest,
    resource_type: ResourceType,
) -> Result<Objects, RequestError> {
    let everything = Selection::default();
    if !resource_type.is_namespaced() {
        return match list(server, resource_type, &everything).await {
            Err(error) if error.code() == Some(403) => singly(server, wanted, resource_type, error).await,
            other => other,
        };
    }
    let namespaces = namespaces(wanted, resource_type);
    if target.kind_cluster().is_some() {
        return match list(server, resource_type, &everything).await {
            Err(error) if error.code() == Some(403) && !namespaces.is_empty() => {
                in_namespaces(server, resource_type, &namespaces).await
            }
            other => other,
        };
    }
    if namespaces.len() <= 1 || wanted.deployment_ids.is_empty() {
        return in_namespaces(server, resource_type, &namespaces).await;
    }
    let ids = wanted.deployment_ids.iter().cloned().collect();
    let mut found = match list(server, resource_type, &Selection { deployment_ids: ids, ..everything }).await {
        Err(error) if error.code() == Some(403) => return in_namespaces(server, resource_type, &namespaces).await,
        other => other?,
    };
    let seen: BTreeSet<&ObjectKey> = found.iter().map(|(key, _)| key).collect();
    let unseen: BTreeSet<String> = wanted
        .keys
        .iter()
        .filter(|key| key.resource_type == resource_type && !seen.contains(key))
        .map(|key| key.namespace.to_string())
        .collect();
    found.extend(in_namespaces(server, resource_type, &unseen).await?);
    Ok(found)
}

/// The namespaces of interest for a kind: those of its objects that were asked for, else those of any object.
fn namespaces(wanted: &TargetRequest, resource_type: ResourceType) -> BTreeSet<String> {
    let of = |filter: &dyn Fn(&ObjectKey) -> bool| -> BTreeSet<String> {
        let named = wanted.keys.iter().filter(|key| !key.namespace.is_empty() && filter(key));
        named.map(|key| key.namespace.to_string()).collect()
    };
    let own = of(&|key| key.resource_type == resource_type);
    if own.is_empty() { of(&|_| true) } else { own }
}

/// Namespace by namespace.
async fn in_namespaces(
    server: &Server,
    resource_type: ResourceType,
    namespaces: &BTreeSet<String>,
) -> Result<Objects, RequestError> {
    let lists = namespaces.iter().map(|namespace| {
        let selection = Selection { namespace: namespace.clone(), deployment_ids: Vec::new() };
        async move { list(server, resource_type, &selection).await }.boxed()
    });
    let mut found = Objects::new();
    for listed in in_parallel(lists.collect()).await {
        found.extend(listed?);
    }
    Ok(found)
}

/// Cluster-wide objects one by one, for those who may see theirs and not all.
async fn singly(
    server: &Server,
    wanted: &TargetRequest,
    resource_type: ResourceType,
    refused: RequestError,
) -> Result<Objects, RequestError> {
    let keys: Vec<&ObjectKey> = wanted.keys.iter().filter(|key| key.resource_type == resource_type).collect();
    if keys.is_empty() {
        return Err(refused);
    }
    let gets = keys.into_iter().map(|key| async move { server.get(&path::object(key)).await }.boxed());
    let mut found = Objects::new();
    for got in in_parallel(gets.collect()).await {
        match got {
            Ok(object) => found.push(live(resource_type, object)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_takes_no_pods_gives_nothing() {
        let node = |spec: Value| json!({"metadata": {"name": "a"}, "spec": spec, "status": {"allocatable": {"cpu": "2", "memory": "4Gi"}}});
        let given = ("a".to_owned(), Allocatable { cpu: "2".to_owned(), memory: "4Gi".to_owned() });
        let taint =
            |effect: &str| json!({"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": effect}]});
        assert_eq!(allocatable(&node(json!({}))), Some(given.clone()));
        assert_eq!(allocatable(&node(taint("PreferNoSchedule"))), Some(given));
        assert_eq!(allocatable(&node(taint("NoSchedule"))), None);
        assert_eq!(allocatable(&node(json!({"unschedulable": true}))), None);
        assert_eq!(allocatable(&json!({"metadata": {"name": "a"}})), None, "one that has not reported yet");
    }
}
