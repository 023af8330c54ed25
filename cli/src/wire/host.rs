//! What a command looks at and acts on: a simulated host, or this one's container engine and real API servers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use laconic_engine::apply::{Provider, Rescue};
use laconic_engine::resource::{Target, UnknownReason};
use laconic_providers::docker::{ContainerEngine, Docker, DockerError};
use laconic_providers::kubernetes::Connection;
use laconic_providers::pod::{LogRequest, Pod, PodsOf};
use laconic_providers::process::{ProcessError, Processes};
use laconic_providers::{DockerHost, HookPlace, Hooks, KubernetesProvider, SimulatedHost};

/// What a command looks at and acts on.
#[derive(Debug)]
pub enum Host {
    /// A simulated one.
    Simulated(Box<SimulatedHost>),
    /// This host with its kind clusters, and the API servers elsewhere.
    Live(Box<DockerHost>),
}

impl Host {
    /// What is asked and told.
    #[must_use]
    pub fn provider(&self) -> &dyn Provider {
        match self {
            Self::Simulated(host) => &**host,
            Self::Live(provider) => &**provider,
        }
    }

    /// What a recreate takes out of it and puts back.
    #[must_use]
    pub fn rescue(&self) -> &dyn Rescue {
        match self {
            Self::Simulated(host) => &**host,
            Self::Live(provider) => &**provider,
        }
    }

    /// The version that the API server of a target says it has.
    ///
    /// # Errors
    /// Why it does not say.
    pub async fn server_version(&self, target: &Target) -> Result<String, UnknownReason> {
        match self {
            Self::Simulated(_) => Err(UnknownReason::Offline),
            Self::Live(host) => host.server_version(target).await,
        }
    }

    /// The names of its kind clusters.
    ///
    /// # Errors
    /// A container engine that does not answer.
    pub async fn clusters(&self) -> Result<Vec<String>, DockerError> {
        match self {
            Self::Simulated(host) => Ok(host.summary().clusters.into_keys().collect()),
            Self::Live(provider) => provider.clusters().await,
        }
    }

    /// The pods of a deployment on a target.
    ///
    /// # Errors
    /// Why they cannot be told.
    pub async fn pods(&self, target: &Target, of: &PodsOf) -> Result<Vec<Pod>, UnknownReason> {
        match self {
            Self::Simulated(host) => host.pods(target, of),
            Self::Live(host) => host.pods(target, of).await,
        }
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
        match self {
            // Nothing runs there.
            Self::Simulated(_) => Ok(()),
            Self::Live(host) => host.logs(target, request, each).await,
        }
    }

    /// The simulated host, if it is one.
    #[must_use]
    pub fn simulated(&self) -> Option<&SimulatedHost> {
        match self {
            Self::Simulated(host) => Some(host),
            Self::Live(_) => None,
        }
    }
}

/// A container of a pod in a kind cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPlace {
    /// The node's container.
    pub node: String,
    /// Its id for the runtime in the node.
    pub container: String,
}

/// Has the container engine that kind uses do something that somebody attends to, and gives its exit status.
///
/// # Errors
/// An engine whose program does not run.
pub fn attended(arguments: &[String]) -> Result<i32, ProcessError> {
    laconic_providers::process::attended(ContainerEngine::of_word(&engine_word()).program(), arguments)
}

/// The name `deploy create` gives the kubeconfig of a deployment; laconic-so calls it so.
const KUBECONFIG: &str = "kubeconfig.yml";

/// kind's word for which container engine it uses. What is looked at and what kind does must be the same.
const ENGINE: &str = "KIND_EXPERIMENTAL_PROVIDER";

/// The world of targets: kind clusters of this host's container engine, and remote API servers. One that nothing says how
/// to reach is not among these, and nothing is known of it.
///
/// For a remote Kubernetes what the command line names comes first, then the deployment's own kubeconfig; never whatever
/// context somebody's own kubeconfig happens to be at, nor the cluster that happens to be around us. A kind cluster is
/// reached through its node: nobody's kubeconfig is asked.
#[must_use]
pub fn live(
    reach: &Reach,
    targets: &BTreeSet<Target>,
    directories: &BTreeMap<String, PathBuf>,
    clusters: PathBuf,
) -> Host {
    let connections = targets.iter().filter_map(|target| match target {
        Target::Kind(_) => None,
        Target::Kubernetes(deployment) => Some((target.clone(), reach.remote(directories.get(deployment))?)),
    });
    let kubernetes = KubernetesProvider::new(connections.collect());
    let kubernetes = match reach.request_limit {
        Some(limit) => kubernetes.with_request_limit(limit),
        None => kubernetes,
    };
    let engine = ContainerEngine::of_word(&engine_word());
    let processes = Arc::new(Processes::real());
    let places = directories.iter().map(|(name, directory)| {
        let logs = directory.join(laconic_state::local::DEPLOYMENT_STATE).join("hooks");
        (name.clone(), HookPlace { directory: directory.clone(), logs })
    });
    let hooks = Hooks::new(Arc::clone(&processes), places.collect());
    let docker = Docker::new(processes, engine);
    let docker = match reach.look_limit {
        Some(limit) => docker.with_look_limit(limit),
        None => docker,
    };
    Host::Live(Box::new(DockerHost::new(docker, kubernetes, clusters).with_hooks(hooks)))
}

/// What says which container engine kind uses.
pub(super) fn engine_word() -> String {
    std::env::var(ENGINE).unwrap_or_default()
}

/// What the command line says of remote clusters.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `--in-cluster`.
    pub in_cluster: bool,
    /// `--request-timeout`.
    pub request_limit: Option<Duration>,
    /// How long one look at the container engine may take, where it is not to take as long as it likes.
    pub look_limit: Option<Duration>,
}

impl Reach {
    fn remote(&self, directory: Option<&PathBuf>) -> Option<Connection> {
        let own = directory.map(|directory| directory.join(KUBECONFIG)).filter(|path| path.is_file());
        match (self.kubeconfig.clone().or(own), &self.context) {
            // Only when it is said: a job of a pipeline that itself runs in some cluster must not end up there.
            _ if self.in_cluster => Some(Connection::InCluster),
            (Some(path), context) => Some(Connection::File { path, context: context.clone() }),
            (None, Some(context)) => Some(Connection::Context(context.clone())),
            (None, None) => None,
        }
    }
}
