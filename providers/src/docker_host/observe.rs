//! Looking at clusters: the container engine and the remote API servers side by side, then the clusters' own.
//!
//! A cluster costs three processes, one for its container, one for the files in it and one for the directories of its
//! volumes, and all of them one for the daemon.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{join, join_all, join3};
use laconic_engine::apply::{ObserveRequest, Provider as _, TargetRequest};
use laconic_engine::resource::{
    ClusterIdentity, Live, NodeFacts, Observed, ObservedTarget, Target, UnknownReason, World,
};

use super::reach::{self, ReachError};
use super::readiness::is_complete;
use super::shared_mounts::with_shared_mounts;
use super::{DockerHost, images, node_facts};
use crate::docker::{Container, ContainerState, Daemon, DockerError, NodeFile};
use crate::kind::read_back::{ADMIN_KUBECONFIG, CONTAINERD_CONFIGURATION, KUBEADM_CONFIGURATION, Patches, facts, live};
use crate::kind::{Progress, node_name};

/// The files of a node that tell about its cluster.
pub(super) const FILES: [&str; 3] = [ADMIN_KUBECONFIG, KUBEADM_CONFIGURATION, CONTAINERD_CONFIGURATION];

/// How often a node that is being made or taken away is looked at again, and after how long.
const LOOKS_AGAIN: usize = 20;
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Looks at everything that was asked for.
pub(super) async fn observe(host: &DockerHost, request: &ObserveRequest) -> World {
    let (clusters, remote): (Vec<_>, Vec<_>) = request.iter().partition(|(target, _)| target.kind_cluster().is_some());
    let remote: ObserveRequest = remote.into_iter().map(|(target, wanted)| (target.clone(), wanted.clone())).collect();
    if clusters.is_empty() {
        return host.kubernetes.observe(&remote).await;
    }
    // Every cluster asks for the daemon's id; it is the same one.
    let daemon = host.kind.docker().daemon().shared();
    let looks = clusters.into_iter().map(|(target, wanted)| {
        let daemon = daemon.clone();
        async move { (target.clone(), cluster(host, target, wanted, daemon).await) }.boxed()
    });
    let (mut world, clusters) = join(host.kubernetes.observe(&remote), join_all(looks)).await;
    world.extend(clusters);
    world
}

fn unknown(reason: UnknownReason) -> ObservedTarget {
    ObservedTarget { objects: Err(reason.clone()), ..ObservedTarget::unknown(reason) }
}

async fn cluster(
    host: &DockerHost,
    target: &Target,
    wanted: &TargetRequest,
    daemon: impl Future<Output = Result<Daemon, DockerError>>,
) -> ObservedTarget {
    let name = target.name();
    let docker = host.kind.docker();
    let node_name = node_name(name);
    let (daemon, node, files) = join3(daemon, host.kind.node(name), docker.files(&node_name, &FILES)).await;
    let daemon = match daemon {
        Ok(daemon) => daemon,
        Err(error) => return unknown(error.unknown()),
    };
    match node {
        Ok(Some(node)) => return present(host, target, wanted, &daemon, &node, files).await,
        Ok(None) => {}
        Err(error) => return unknown(error.unknown()),
    }
    let nodes = match host.kind.nodes(name).await {
        Ok(nodes) => nodes,
        Err(error) => return unknown(error.unknown()),
    };
    if !nodes.contains(&node_name) {
        let images = if wanted.images { images::look(host, &[]).await } else { None };
        let mut observed = absent(name, daemon, &nodes, wanted);
        observed.node.images = images;
        return observed;
    }
    // It is being made, or taken away: by a kind that goes on, or by Docker after a kind that was killed. For a moment
    // it is listed and cannot be inspected.
    for _ in 0..LOOKS_AGAIN {
        match join(host.kind.node(name), docker.files(&node_name, &FILES)).await {
            (Ok(None), _) => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
            (Ok(Some(node)), files) => return present(host, target, wanted, &daemon, &node, files).await,
            (Err(error), _) => return unknown(error.unknown()),
        }
    }
    unknown(UnknownReason::Failed("its control plane is being made or deleted just now; run it again".to_owned()))
}

/// No cluster, but it is known who says so: an absence is believed only from the recorded daemon.
fn absent(name: &str, daemon: Daemon, nodes: &[String], wanted: &TargetRequest) -> ObservedTarget {
    if !nodes.is_empty() {
        let left = nodes.join(", ");
        let text = format!(
            "its control plane is gone and other nodes are left ({left}); `kind delete cluster --name {name}` takes them away"
        );
        return unknown(UnknownReason::Failed(text));
    }
    let identity = ClusterIdentity { daemon: daemon.id, ..ClusterIdentity::default() };
    ObservedTarget {
        identity: Some(identity),
        cluster: Observed::Absent,
        objects: Ok(std::collections::BTreeMap::new()),
        unlisted: std::collections::BTreeMap::new(),
        node: NodeFacts {
            certificate_backup: wanted.certificate_backup.as_deref().and_then(node_facts::backup_on_host),
            ..NodeFacts::default()
        },
    }
}

async fn present(
    host: &DockerHost,
    target: &Target,
    wanted: &TargetRequest,
    daemon: &Daemon,
    node: &Container,
    files: Result<Vec<NodeFile>, DockerError>,
) -> ObservedTarget {
    let name = target.name();
    let unseen = |error: &ReachError, patches: Option<&Patches>| {
        let cluster = match patches {
            Some(patches) => Observed::Present(live(name, node, patches)),
            None => Observed::Unknown(error.unknown()),
        };
        ObservedTarget { objects: Err(error.unknown()), ..without_objects(daemon, node, cluster) }
    };
    if let Err(error) = reach::check_label(name, node) {
        return unseen(&error, None);
    }
    let unfinished = match host.kind.creation(name).and_then(|creation| creation.unfinished(&daemon.id)) {
        Ok(unfinished) => unfinished,
        Err(error) => return unknown(UnknownReason::Failed(error.to_string())),
    };
    let connected = match (reach::check_state(node), &files) {
        (Err(error), _) => Err(error),
        (Ok(()), Err(error)) => Err(error.clone().into()),
        (Ok(()), Ok(files)) => reach::connect(host, name, node, files).await,
    };
    if let Some(progress) = unfinished
        && !(connected.is_ok() && is_complete(host, target).await)
    {
        return half_made(name, daemon, node, &progress);
    }
    if let Err(error) = connected {
        let patches = match files {
            Ok(files) => Some(Patches::of_files(&files)),
            // Nothing runs in it. What cannot be read here either is not taken for missing.
            Err(_) => {
                let copies = host.kind.docker().copies(&node.name, &FILES[1..]).await;
                copies.ok().map(|files| Patches::of_files(&files))
            }
        };
        return unseen(&error, patches.as_ref());
    }
    let request = ObserveRequest::from([(target.clone(), wanted.clone())]);
    let observed = host.kubernetes.observe(&request).await.remove(target);
    let Some(mut observed) = observed else { return unknown(UnknownReason::Offline) };
    let node = &match with_shared_mounts(host, name, node, observed.node.count).await {
        Ok(node) => node,
        Err(error) => return unknown(error.unknown()),
    };
    observed.cluster = Observed::Present(live(name, node, &Patches::of_files(&files.unwrap_or_default())));
    let nodes = [node.name.clone()];
    let images = async { if wanted.images { images::look(host, &nodes).await } else { None } };
    let (facts_of_node, images) = join(node_facts::look(host, node, &observed, wanted), images).await;
    observed.node = NodeFacts { images, ..facts_of_node };
    if let Ok(objects) = &mut observed.objects {
        objects.extend(facts(node));
        objects.extend(observed.node.images.iter().flat_map(|images| images::facts(node, images)));
    }
    let kube_system = observed.identity.map(|identity| identity.kube_system);
    observed.identity = kube_system.map(|kube_system| identity(daemon, node, kube_system));
    observed
}

/// A cluster whose creation by us never ended: what it was to be is known, and that nothing lives on it. It answers so
/// that the creation can be brought to its end.
fn half_made(name: &str, daemon: &Daemon, node: &Container, progress: &Progress) -> ObservedTarget {
    let cluster: Live = live(name, node, &Patches::asked(&progress.attributes));
    ObservedTarget { objects: Ok(facts(node)), ..without_objects(daemon, node, Observed::Present(cluster)) }
}

fn without_objects(daemon: &Daemon, node: &Container, cluster: Observed) -> ObservedTarget {
    ObservedTarget {
        identity: Some(identity(daemon, node, String::new())),
        cluster,
        objects: Ok(std::collections::BTreeMap::new()),
        unlisted: std::collections::BTreeMap::new(),
        node: NodeFacts::default(),
    }
}

fn identity(daemon: &Daemon, node: &Container, kube_system: String) -> ClusterIdentity {
    ClusterIdentity { daemon: daemon.id.clone(), node: node.id.clone(), kube_system }
}

/// A cluster that was just made, or found to be as wanted: how it is, and who.
pub(super) fn enacted(
    cluster: &str,
    daemon: &Daemon,
    node: &Container,
    files: &[NodeFile],
    kube_system: String,
) -> laconic_engine::apply::Enacted {
    debug_assert_eq!(node.state, ContainerState::Running);
    laconic_engine::apply::Enacted {
        live: Some(live(cluster, node, &Patches::of_files(files))),
        identity: Some(identity(daemon, node, kube_system)),
    }
}
