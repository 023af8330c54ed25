//! Everything that deployments live on: kind clusters of this host's container engine and remote API servers.
//!
//! Of a kind cluster the node container says what kind fixed when it made the cluster and who it is; its API server, which
//! is reached with the credentials that lie in the node, says the rest. An engine that does not answer makes everything on
//! it unknown, never absent.

mod enact_cluster;
mod enact_fact;
mod images;
mod node_facts;
mod observe;
mod reach;
mod readiness;
mod relocate;
mod rescue;
mod shared_mounts;

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures::future::{BoxFuture, FutureExt as _};
use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Enacted, ObserveRequest, Provider, Readiness, Step};
use laconic_engine::resource::{Target, UnknownReason, World};
use tokio::sync::Mutex;

use crate::docker::{Docker, DockerError};
use crate::hook::Hooks;
use crate::kind::{CLUSTER_LABEL, Kind, KindError};
use crate::kubernetes::KubernetesProvider;
use crate::pod::{LogRequest, Pod, PodsOf};
use reach::Reached;

/// This host's container engine with its kind clusters, and the API servers elsewhere.
#[derive(Debug)]
pub struct DockerHost {
    kind: Kind,
    kubernetes: KubernetesProvider,
    hooks: Option<Hooks>,
    /// The node that each kind cluster is reached at.
    reached: Mutex<BTreeMap<Target, Reached>>,
}

impl DockerHost {
    /// A host by its container engine, with the remote clusters that `kubernetes` knows. What goes with a kind cluster's
    /// creation is kept in `directory`, in a subdirectory for each. All calls must be made on one tokio runtime.
    #[must_use]
    pub fn new(docker: Docker, kubernetes: KubernetesProvider, directory: PathBuf) -> Self {
        Self { kind: Kind::new(docker, directory), kubernetes, hooks: None, reached: Mutex::default() }
    }

    /// The same host, on which hooks are run.
    #[must_use]
    pub fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = Some(hooks);
        self
    }

    /// The names of all kind clusters.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub async fn clusters(&self) -> Result<Vec<String>, DockerError> {
        Ok(self.kind.docker().label_values(CLUSTER_LABEL).await?.into_iter().collect())
    }

    /// Puts an image of this host into every node of a kind cluster.
    ///
    /// # Errors
    /// An image that is not here, a cluster that is not there.
    pub async fn load_image(&self, cluster: &str, image: &str) -> Result<(), KindError> {
        self.kind.load_image(cluster, image).await
    }

    /// The pods of a deployment on a target.
    ///
    /// # Errors
    /// Why they cannot be told.
    pub async fn pods(&self, target: &Target, of: &PodsOf) -> Result<Vec<Pod>, UnknownReason> {
        self.reach(target).await?;
        self.kubernetes.pods(target, of).await.map_err(|error| error.unknown())
    }

    /// What one container says, line by line.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub async fn logs(
        &self,
        target: &Target,
        request: &LogRequest,
        each: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), UnknownReason> {
        self.reach(target).await?;
        self.kubernetes.logs(target, request, each).await.map_err(|error| error.unknown())
    }

    async fn reach(&self, target: &Target) -> Result<(), UnknownReason> {
        let Some(cluster) = target.kind_cluster() else { return Ok(()) };
        reach::ensure(self, cluster).await.map_err(|error| match error {
            EnactError::Unreachable(text) | EnactError::Transient(text) => UnknownReason::Unreachable(text),
            other => UnknownReason::Failed(other.to_string()),
        })
    }

    /// The version that the API server of a target says it has.
    ///
    /// # Errors
    /// Why it does not say.
    pub async fn server_version(&self, target: &Target) -> Result<String, UnknownReason> {
        self.reach(target).await?;
        self.kubernetes.version(target).await.map_err(|error| error.unknown())
    }
}

impl Provider for DockerHost {
    fn observe<'a>(&'a self, request: &'a ObserveRequest) -> BoxFuture<'a, World> {
        observe::observe(self, request).boxed()
    }

    fn enact<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>> {
        async move {
            match (step.target.kind_cluster(), step.key.resource_type) {
                (Some(cluster), ResourceType::KindCluster) => enact_cluster::enact(self, cluster, step).await,
                (Some(cluster), ResourceType::KindMount | ResourceType::KindPort) => {
                    enact_fact::enact(self, cluster, step).await
                }
                (Some(cluster), ResourceType::KindImage) => images::enact(self, cluster, step).await,
                (cluster, _) => {
                    if let Some(cluster) = cluster {
                        reach::ensure(self, cluster).await?;
                    }
                    if let Some(hooks) = &self.hooks {
                        hooks.run(step).await?;
                    }
                    self.kubernetes.enact(step).await
                }
            }
        }
        .boxed()
    }

    fn dry_run<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>> {
        async move {
            if !step.key.resource_type.is_kubernetes() {
                return Err(EnactError::Refused("kind tries nothing out".to_owned()));
            }
            if let Some(cluster) = step.target.kind_cluster() {
                reach::ensure(self, cluster).await?;
            }
            self.kubernetes.dry_run(step).await
        }
        .boxed()
    }

    fn readiness<'a>(&'a self, target: &'a Target, key: &'a ObjectKey) -> BoxFuture<'a, Result<Readiness, EnactError>> {
        async move {
            let Some(cluster) = target.kind_cluster() else {
                return self.kubernetes.readiness(target, key).await;
            };
            readiness::readiness(self, cluster, target, key).await
        }
        .boxed()
    }
}
