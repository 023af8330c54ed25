//! Reaching the API server of a kind cluster: with the credentials in its node, at the port that its node publishes.

use laconic_engine::apply::EnactError;
use laconic_engine::resource::{Target, UnknownReason};

use super::DockerHost;
use crate::docker::{Container, ContainerState, DockerError, NodeFile};
use crate::kind::read_back::{ADMIN_KUBECONFIG, api_server, content};
use crate::kind::{CLUSTER_LABEL, node_name};
use crate::kubernetes::RequestError;

/// The node that a cluster was reached at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// The id of its container.
    pub(super) node: String,
    /// Where its API server is.
    address: String,
}

/// Why the API server of a cluster that is there cannot be reached.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum ReachError {
    /// Its node does not run.
    #[error("the node container `{0}` is stopped; `docker start {0}` starts it")]
    Stopped(String),
    /// Its node is held.
    #[error("the node container `{0}` is paused; `docker unpause {0}` lets it go on")]
    Paused(String),
    /// A container that kind did not make has the name of the node.
    #[error("the container `{0}` is no node of this cluster; another name is needed for one of them")]
    NotANode(String),
    /// The node has no credentials, so that kubeadm never ran in it.
    #[error(
        "the node container `{node}` has no {ADMIN_KUBECONFIG}: the cluster was never finished; `kind delete cluster --name {cluster}` takes it away"
    )]
    NeverFinished {
        /// The container.
        node: String,
        /// The cluster.
        cluster: String,
    },
    /// The node publishes no port of the API server.
    #[error("the node container `{0}` does not publish the port of its API server")]
    NotPublished(String),
    /// The engine did not give what is needed.
    #[error("{0}")]
    Docker(#[from] DockerError),
    /// No client can be made of what it gave.
    #[error("{0}")]
    Request(#[from] RequestError),
}

impl ReachError {
    pub(super) fn unknown(&self) -> UnknownReason {
        match self {
            Self::Docker(error) => error.unknown(),
            Self::Request(error) => error.unknown(),
            Self::NotANode(_) | Self::NeverFinished { .. } | Self::NotPublished(_) => {
                UnknownReason::Failed(self.to_string())
            }
            Self::Stopped(_) | Self::Paused(_) => UnknownReason::Unreachable(self.to_string()),
        }
    }
}

impl From<ReachError> for EnactError {
    fn from(error: ReachError) -> Self {
        match error {
            ReachError::Docker(error) => error.into(),
            ReachError::Request(error) => error.into(),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// Whether a container is a node of a cluster.
pub(super) fn check_label(cluster: &str, node: &Container) -> Result<(), ReachError> {
    match node.labels.get(CLUSTER_LABEL) {
        Some(name) if name == cluster => Ok(()),
        _ => Err(ReachError::NotANode(node.name.clone())),
    }
}

/// Whether a node runs.
pub(super) fn check_state(node: &Container) -> Result<(), ReachError> {
    match node.state {
        ContainerState::Running => Ok(()),
        ContainerState::Paused => Err(ReachError::Paused(node.name.clone())),
        ContainerState::Stopped(_) => Err(ReachError::Stopped(node.name.clone())),
    }
}

/// Has the API server of a cluster be reached at a node with what lies in it. One that is reached already is left alone.
pub(super) async fn connect(
    host: &DockerHost,
    cluster: &str,
    node: &Container,
    files: &[NodeFile],
) -> Result<(), ReachError> {
    let target = Target::Kind(cluster.to_owned());
    let address = api_server(node).ok_or_else(|| ReachError::NotPublished(node.name.clone()))?;
    let reached = Reached { node: node.id.clone(), address };
    if host.reached.lock().await.get(&target) == Some(&reached) {
        return Ok(());
    }
    let Some(kubeconfig) = content(files, ADMIN_KUBECONFIG) else {
        return Err(ReachError::NeverFinished { node: node.name.clone(), cluster: cluster.to_owned() });
    };
    let credentials = format!("{ADMIN_KUBECONFIG} of the node `{}`", node.name);
    host.kubernetes.connect(&target, kubeconfig, &reached.address, credentials).await?;
    host.reached.lock().await.insert(target, reached);
    Ok(())
}

/// Has the API server of a cluster be reached, if it is not yet.
pub(super) async fn ensure(host: &DockerHost, cluster: &str) -> Result<(), EnactError> {
    if host.reached.lock().await.contains_key(&Target::Kind(cluster.to_owned())) {
        return Ok(());
    }
    let Some(node) = host.kind.node(cluster).await? else {
        return Err(EnactError::Stale(format!("the cluster `{cluster}` is not there")));
    };
    check_label(cluster, &node)?;
    check_state(&node)?;
    let files = host.kind.docker().files(&node_name(cluster), &[ADMIN_KUBECONFIG]).await?;
    connect(host, cluster, &node, &files).await?;
    Ok(())
}
