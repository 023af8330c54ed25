//! What a command looks at and acts on: a simulated host, or real API servers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use laconic_engine::apply::Provider;
use laconic_engine::resource::Target;
use laconic_providers::kubernetes::Connection;
use laconic_providers::{KubernetesProvider, SimulatedHost};

/// What a command looks at and acts on.
#[derive(Debug)]
pub enum Host {
    /// A simulated one.
    Simulated(Box<SimulatedHost>),
    /// The API servers that deployments live on.
    Live(Box<KubernetesProvider>),
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

    /// The simulated host, if it is one.
    #[must_use]
    pub fn simulated(&self) -> Option<&SimulatedHost> {
        match self {
            Self::Simulated(host) => Some(host),
            Self::Live(_) => None,
        }
    }
}

/// The name `deploy create` gives the kubeconfig of a deployment; laconic-so calls it so.
const KUBECONFIG: &str = "kubeconfig.yml";

/// The API servers of targets. One that nothing says how to reach is not among them, and nothing is known of it.
///
/// For a remote Kubernetes what the command line names comes first, then the deployment's own kubeconfig; never whatever
/// context somebody's own kubeconfig happens to be at, nor the cluster that happens to be around us.
#[must_use]
pub fn live(reach: &Reach, targets: &BTreeSet<Target>, directories: &BTreeMap<String, PathBuf>) -> Host {
    let connections = targets.iter().filter_map(|target| {
        let connection = match target {
            Target::Kind(cluster) => Connection::kind(cluster),
            Target::Kubernetes(deployment) => reach.remote(directories.get(deployment))?,
        };
        Some((target.clone(), connection))
    });
    let provider = KubernetesProvider::new(connections.collect());
    Host::Live(Box::new(match reach.request_limit {
        Some(limit) => provider.with_request_limit(limit),
        None => provider,
    }))
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
