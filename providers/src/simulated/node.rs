//! kind: clusters as node containers, whose mounts and ports are fixed when they are made.

use std::collections::BTreeMap;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::EnactError;
use laconic_engine::resource::{Live, Target, UnknownReason};
use serde_json::{Value, json};

use super::machine::{DEFAULT_NODE_IMAGE, KindCluster, Machine, NodeState, StoredObject};
use super::transaction::{Mutation, Transaction};

/// Namespaces that kind's nodes start with.
const NAMESPACES: [&str; 5] = ["default", "kube-node-lease", "kube-public", "kube-system", "local-path-storage"];

fn mounts(attributes: &Value) -> impl Iterator<Item = &Value> {
    attributes["extraMounts"].as_array().into_iter().flatten()
}

fn ports(attributes: &Value) -> impl Iterator<Item = &Value> {
    attributes["extraPortMappings"].as_array().into_iter().flatten()
}

/// `80/tcp`: what a port mapping takes of the host.
fn host_port(mapping: &Value) -> Option<String> {
    let protocol = mapping["protocol"].as_str().unwrap_or("TCP").to_lowercase();
    Some(format!("{}/{protocol}", mapping["hostPort"].as_u64()?))
}

/// Makes a cluster: fixes its mounts and ports, makes missing host paths.
pub fn create(tx: &mut Transaction<'_>, name: &str, attributes: &Value) -> Result<(), EnactError> {
    if tx.machine().clusters.contains_key(name) {
        return Err(EnactError::Refused(format!(
            "failed to create cluster: node(s) already exist for a cluster with the name \"{name}\""
        )));
    }
    if !attributes.is_object() {
        return Err(EnactError::Refused("unable to decode config: it is no map".to_owned()));
    }
    check_ports(tx.machine(), attributes)?;
    check_mounts(attributes)?;
    let paths: Vec<String> =
        mounts(attributes).filter_map(|mount| mount["hostPath"].as_str()).map(str::to_owned).collect();
    for path in paths {
        tx.make_host_directory(&path);
    }
    let mut attributes = attributes.clone();
    attributes["name"] = Value::from(name);
    if attributes["image"].as_str().is_none_or(str::is_empty) {
        attributes["image"] = Value::from(DEFAULT_NODE_IMAGE);
    }
    for list in ["extraMounts", "extraPortMappings", "containerdConfigPatches", "kubeadmConfigPatches"] {
        if attributes[list].is_null() {
            attributes[list] = json!([]);
        }
    }
    let number = tx.next_number();
    let node = tx.machine().container_id(number);
    tx.apply(Mutation::PutCluster { name: name.to_owned(), node, attributes });
    let target = Target::Kind(name.to_owned());
    for namespace in NAMESPACES {
        let uid = tx.next_uid();
        let object = tx.machine().system_namespace(namespace, uid);
        tx.put(&target, object);
    }
    Ok(())
}

fn check_ports(machine: &Machine, attributes: &Value) -> Result<(), EnactError> {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for (name, cluster) in &machine.clusters {
        taken.extend(ports(&cluster.attributes).filter_map(host_port).map(|port| (port, name.as_str())));
    }
    for port in ports(attributes).filter_map(host_port) {
        let number = port.split('/').next().unwrap_or_default().to_owned();
        if taken.insert(port, "").is_some() {
            return Err(EnactError::Refused(format!(
                "failed to create cluster: Bind for 0.0.0.0:{number} failed: port is already allocated"
            )));
        }
    }
    Ok(())
}

fn check_mounts(attributes: &Value) -> Result<(), EnactError> {
    let mut taken = BTreeMap::new();
    for mount in mounts(attributes) {
        let host = mount["hostPath"].as_str().unwrap_or_default();
        let container = mount["containerPath"].as_str().unwrap_or_default();
        if !host.starts_with('/') || !container.starts_with('/') {
            return Err(EnactError::Refused(format!(
                "failed to create cluster: mount of `{host}` at `{container}`: both paths must be absolute"
            )));
        }
        if taken.insert(container, host).is_some() {
            return Err(EnactError::Refused(format!("failed to create cluster: Duplicate mount point: {container}")));
        }
    }
    Ok(())
}

/// The cluster as observed.
pub fn live(cluster: &KindCluster) -> Live {
    let (uid, attributes) = (cluster.node.clone(), cluster.attributes.clone());
    Live { uid, attributes, owners: Vec::new(), terminating: false }
}

/// The mounts and ports of a node, as `docker inspect` tells them.
pub fn facts(cluster: &KindCluster) -> BTreeMap<ObjectKey, Live> {
    let mounts = mounts(&cluster.attributes).filter_map(|mount| {
        let path = mount["containerPath"].as_str()?;
        let propagation = mount["propagation"].as_str().unwrap_or("None");
        let attributes = json!({"containerPath": path, "hostPath": mount["hostPath"], "propagation": propagation});
        Some((ObjectKey::new(ResourceType::KindMount, "", path), attributes))
    });
    let ports = ports(&cluster.attributes).filter_map(|mapping| {
        let protocol = mapping["protocol"].as_str().unwrap_or("TCP");
        let attributes = json!({"containerPort": mapping["containerPort"], "hostPort": mapping["hostPort"],
                                "protocol": protocol});
        Some((ObjectKey::new(ResourceType::KindPort, "", &host_port(mapping)?), attributes))
    });
    let images = cluster.images.iter().map(|(image, id)| (super::image::key(image), json!({"image": image, "id": id})));
    mounts
        .chain(ports)
        .chain(images)
        .map(|(key, attributes)| {
            let uid = format!("{}{}", cluster.node, key.name);
            (key, Live { uid, attributes, owners: Vec::new(), terminating: false })
        })
        .collect()
}

/// Whether the running node has exactly that mount or port.
pub fn verify(machine: &Machine, cluster: &str, key: &ObjectKey, wanted: &Value) -> Result<Live, EnactError> {
    let Some(there) = machine.clusters.get(cluster) else {
        return Err(super::server::no_cluster(&Target::Kind(cluster.to_owned())));
    };
    let what = if key.resource_type == ResourceType::KindMount { "mounted" } else { "mapped" };
    let Some(fact) = facts(there).remove(key) else {
        return Err(EnactError::Refused(format!(
            "`{}` is not {what}: kind fixes this when it makes the cluster",
            key.name
        )));
    };
    let differs = wanted.as_object().into_iter().flatten().find(|(name, value)| {
        matches!(
            name.as_str(),
            "containerPath" | "hostPath" | "propagation" | "containerPort" | "hostPort" | "protocol"
        ) && !value.is_null()
            && fact.attributes.get(*name) != Some(*value)
    });
    match differs {
        None => Ok(fact),
        Some((name, value)) => Err(EnactError::Refused(format!(
            "`{}` is not {what} as asked: {name} is {}, not {value}",
            key.name, fact.attributes[name]
        ))),
    }
}

/// Why the API server of a kind cluster says nothing, when it does not.
pub fn silence(machine: &Machine, target: &Target) -> Result<(), UnknownReason> {
    let Some((name, cluster)) = target.kind_cluster().and_then(|name| machine.clusters.get_key_value(name)) else {
        return Ok(());
    };
    match cluster.state {
        NodeState::Running => Ok(()),
        NodeState::Stopped => Err(UnknownReason::Unreachable(format!(
            "its node container `{name}-control-plane` is stopped; start it with `docker start {name}-control-plane`"
        ))),
        NodeState::Unfinished => Err(UnknownReason::Unfinished(format!(
            "the making of the kind cluster `{name}` was never finished: its node container runs without a Kubernetes"
        ))),
    }
}

/// The same for a call that needs an answer.
pub fn answers(machine: &Machine, target: &Target) -> Result<(), EnactError> {
    silence(machine, target)
        .map_err(|reason| EnactError::Transient(laconic_engine::plan::danger::unknown_text(&reason)))
}

/// Takes a node away with everything in it; the host's files stay.
pub fn delete(tx: &mut Transaction<'_>, name: &str) {
    if tx.machine().clusters.contains_key(name) {
        tx.apply(Mutation::RemoveCluster(name.to_owned()));
    }
}

/// Somebody else deletes a cluster and makes an empty one of the same name and configuration: every identity differs.
pub fn replace(tx: &mut Transaction<'_>, name: &str) -> Result<(), EnactError> {
    let target = Target::Kind(name.to_owned());
    let Some(cluster) = tx.machine().clusters.get(name) else { return Err(super::server::no_cluster(&target)) };
    let attributes = cluster.attributes.clone();
    delete(tx, name);
    create(tx, name, &attributes)
}

/// Whether anything says that an object is ours: a field manager, the owner annotation, the labels of a deployment.
pub fn is_ours(object: &StoredObject) -> bool {
    let metadata = &object.attributes["metadata"];
    let has = |member: &str, test: fn(&str) -> bool| {
        metadata[member].as_object().is_some_and(|map| map.keys().any(|name| test(name)))
    };
    object.owners.iter().any(|owner| owner.manager == super::MANAGER)
        || has("annotations", |name| name.starts_with("laconic.com/"))
        || has("labels", |name| name == "app.kubernetes.io/stack" || name.starts_with("laconic.com/"))
        || metadata["labels"]["app.kubernetes.io/managed-by"] == super::MANAGER
}
