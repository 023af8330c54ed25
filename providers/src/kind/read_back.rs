//! What a running cluster has of what kind was asked for, in the form it is asked for in.
//!
//! Mounts, ports and image are the node container's. Patches leave only their effect behind: those that we make are
//! recognised by it, others are nobody's wish and are left out.

use std::collections::BTreeMap;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::compile::{HIGH_MEMLOCK, INGRESS_READY_PATCH, memlock_patch};
use laconic_engine::resource::Live;
use serde_json::{Value, json};

use crate::docker::{Container, Mount, NodeFile, PublishedPort};

/// The kubeadm configuration that kind made the node with.
pub const KUBEADM_CONFIGURATION: &str = "/kind/kubeadm.conf";
/// The configuration of the node's container runtime.
pub const CONTAINERD_CONFIGURATION: &str = "/etc/containerd/config.toml";
/// The credentials of the cluster's administrator.
pub const ADMIN_KUBECONFIG: &str = "/etc/kubernetes/admin.conf";

/// The port of the API server in its node.
const API_PORT: u16 = 6443;

/// What kind mounts into every node by itself.
const OWN_MOUNTS: [&str; 3] = ["/lib/modules", "/dev/mapper", "/var"];

/// The content of a file of the node.
#[must_use]
pub fn content<'a>(files: &'a [NodeFile], path: &str) -> Option<&'a str> {
    let (_, content) = files.iter().find(|(name, _)| name == path)?;
    std::str::from_utf8(content).ok()
}

/// The cluster as it is: what [`laconic_engine::compile::compose_cluster`] would ask for to get it.
#[must_use]
pub fn live(cluster: &str, node: &Container, patches: &Patches) -> Live {
    let attributes = json!({
        "name": cluster,
        "image": node.image,
        "extraMounts": mounts(node).map(mount_attributes).collect::<Vec<Value>>(),
        "extraPortMappings": ports(node).values().cloned().collect::<Vec<Value>>(),
        "containerdConfigPatches": patches.containerd,
        "kubeadmConfigPatches": patches.kubeadm,
    });
    Live { uid: node.id.clone(), attributes, owners: Vec::new(), terminating: false }
}

/// The patches that a node was made with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patches {
    /// Of containerd's configuration.
    pub containerd: Value,
    /// Of kubeadm's.
    pub kubeadm: Value,
}

impl Patches {
    /// By what they did to the node.
    #[must_use]
    pub fn of_files(files: &[NodeFile]) -> Self {
        let containerd = content(files, CONTAINERD_CONFIGURATION).and_then(memlock_specification);
        let is_ingress_ready =
            content(files, KUBEADM_CONFIGURATION).is_some_and(|text| text.contains("ingress-ready=true"));
        Self {
            containerd: containerd.iter().map(|path| memlock_patch(path)).collect(),
            kubeadm: is_ingress_ready.then_some(INGRESS_READY_PATCH).into_iter().collect(),
        }
    }

    /// Of a node that is still being made: as they were asked for.
    #[must_use]
    pub fn asked(attributes: &Value) -> Self {
        let list = |name: &str| attributes[name].clone();
        Self { containerd: list("containerdConfigPatches"), kubeadm: list("kubeadmConfigPatches") }
    }
}

/// The OCI specification of our runtime, when containerd knows it.
fn memlock_specification(configuration: &str) -> Option<String> {
    let header = format!(".runtimes.{HIGH_MEMLOCK}]");
    let mut lines = configuration.lines().map(str::trim).skip_while(|line| !line.ends_with(&header));
    lines.next()?;
    lines
        .take_while(|line| !line.starts_with('['))
        .find_map(|line| line.strip_prefix("base_runtime_spec")?.trim_start().strip_prefix('='))
        .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
}

/// The mounts and ports of a node, as objects of their own.
#[must_use]
pub fn facts(node: &Container) -> BTreeMap<ObjectKey, Live> {
    let mounts = mounts(node)
        .map(|mount| (ObjectKey::new(ResourceType::KindMount, "", &mount.destination), mount_attributes(mount)));
    let ports = ports(node).into_iter().map(|((host, protocol), attributes)| {
        (ObjectKey::new(ResourceType::KindPort, "", &format!("{host}/{protocol}")), attributes)
    });
    mounts
        .chain(ports)
        .map(|(key, attributes)| {
            let uid = format!("{}{}", node.id, key.name);
            (key, Live { uid, attributes, owners: Vec::new(), terminating: false })
        })
        .collect()
}

/// The address at which the API server is reached from this host.
#[must_use]
pub fn api_server(node: &Container) -> Option<String> {
    let published = node.ports.iter().find(|port| is_api_port(port))?;
    // Bound to all addresses it is reached at this one.
    let address = match published.address.as_str() {
        "" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        address if address.contains(':') => format!("[{address}]"),
        address => address.to_owned(),
    };
    Some(format!("https://{address}:{}", published.host))
}

fn is_api_port(port: &PublishedPort) -> bool {
    port.container == API_PORT && port.protocol == "tcp"
}

/// The mounts that kind was asked for.
pub fn mounts(node: &Container) -> impl Iterator<Item = &Mount> {
    node.mounts.iter().filter(|mount| mount.is_bind && !OWN_MOUNTS.contains(&mount.destination.as_str()))
}

fn mount_attributes(mount: &Mount) -> Value {
    let propagation = match mount.propagation.as_str() {
        "rslave" | "slave" => "HostToContainer",
        "rshared" | "shared" => "Bidirectional",
        _ => "None",
    };
    let mut attributes =
        json!({"containerPath": mount.destination, "hostPath": mount.source, "propagation": propagation});
    if !mount.is_writable {
        attributes["readOnly"] = true.into();
    }
    attributes
}

/// The port mappings, by host port and protocol: one that is bound to several addresses is one.
fn ports(node: &Container) -> BTreeMap<(u16, &str), Value> {
    let published = node.ports.iter().filter(|port| !is_api_port(port));
    published
        .map(|port| {
            let attributes = json!({"containerPort": port.container, "hostPort": port.host,
                                    "protocol": port.protocol.to_ascii_uppercase()});
            ((port.host, port.protocol.as_str()), attributes)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::ContainerState;

    fn mount(destination: &str, propagation: &str) -> Mount {
        Mount {
            destination: destination.to_owned(),
            source: format!("/host{destination}"),
            is_bind: destination != "/var",
            propagation: propagation.to_owned(),
            is_writable: destination != "/lib/modules",
        }
    }

    fn port(container: u16, address: &str, host: u16) -> PublishedPort {
        PublishedPort { container, protocol: "tcp".to_owned(), address: address.to_owned(), host }
    }

    fn node() -> Container {
        Container {
            id: "c1".to_owned(),
            name: "main-control-plane".to_owned(),
            image: "kindest/node:v1.36.2@sha256:0".to_owned(),
            state: ContainerState::Running,
            labels: BTreeMap::new(),
            mounts: vec![
                mount("/lib/modules", ""),
                mount("/mnt", "rslave"),
                mount("/shared", "rshared"),
                mount("/plain", "rprivate"),
                mount("/var", ""),
            ],
            ports: vec![port(80, "0.0.0.0", 80), port(80, "::", 80), port(6443, "127.0.0.1", 39999)],
        }
    }

    #[test]
    fn mounts_and_ports_are_those_that_were_asked_for() {
        let attributes = live("main", &node(), &Patches::default()).attributes;
        let mount = |path: &str, propagation: &str| json!({"containerPath": path, "hostPath": format!("/host{path}"), "propagation": propagation});
        let expected =
            json!([mount("/mnt", "HostToContainer"), mount("/shared", "Bidirectional"), mount("/plain", "None")]);
        assert_eq!(attributes["extraMounts"], expected);
        let expected = json!([{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]);
        assert_eq!(attributes["extraPortMappings"], expected);
        let keys: Vec<String> = facts(&node()).into_keys().map(|key| key.name.to_string()).collect();
        assert_eq!(keys, ["/mnt", "/plain", "/shared", "80/tcp"]);
    }

    #[test]
    fn the_api_server_is_where_its_port_is_published() {
        assert_eq!(api_server(&node()).unwrap(), "https://127.0.0.1:39999");
        let mut other = node();
        other.ports = vec![port(6443, "", 1), port(80, "", 80)];
        assert_eq!(api_server(&other).unwrap(), "https://127.0.0.1:1");
        other.ports = Vec::new();
        assert_eq!(api_server(&other), None);
    }

    #[test]
    fn patches_are_recognised_by_their_effect() {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        // As kind's TOML library writes it back.
        let containerd = "version = 2\n\n[plugins]\n\n  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes]\n\n    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.high-memlock]\n      base_runtime_spec = \"/etc/memlock.json\"\n      runtime_type = \"io.containerd.runc.v2\"\n\n    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n      base_runtime_spec = \"/etc/containerd/cri-base.json\"\n";
        let patches = Patches::of_files(&[
            file(CONTAINERD_CONFIGURATION, containerd),
            file(KUBEADM_CONFIGURATION, "  kubeletExtraArgs:\n    node-labels: ingress-ready=true\n"),
        ]);
        assert_eq!(patches.containerd, json!([memlock_patch("/etc/memlock.json")]));
        assert_eq!(patches.kubeadm, json!([INGRESS_READY_PATCH]));
        let others = containerd.replace("high-memlock", "gvisor");
        let patches = Patches::of_files(&[file(CONTAINERD_CONFIGURATION, &others)]);
        assert_eq!((patches.containerd, patches.kubeadm), (json!([]), json!([])));
    }
}
