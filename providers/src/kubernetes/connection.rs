//! How an API server is reached, and never by accident: a context is always named, or the file is the deployment's own.

use std::path::PathBuf;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::request::RequestError;
use super::server::Server;

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Which server and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// A kubeconfig file that belongs to one deployment: its current context is meant unless another one is named.
    File {
        /// The file.
        path: PathBuf,
        /// The context, if not the file's current one.
        context: Option<String>,
    },
    /// A context by its name, wherever kubectl would find it (`KUBECONFIG`, `~/.kube/config`). The current context of
    /// these files is never used: it is whatever somebody last looked at.
    Context(String),
    /// The service account of the pod this runs in.
    InCluster,
}

/// Where a connection's credentials come from.
impl std::fmt::Display for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, context: None } => write!(f, "`{}`", path.display()),
            Self::File { path, context: Some(context) } => {
                write!(f, "the context `{context}` of `{}`", path.display())
            }
            Self::Context(context) => write!(f, "the context `{context}`"),
            Self::InCluster => f.write_str("the service account of this pod"),
        }
    }
}

/// Why there is nothing to connect with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// Nobody said how.
    #[error("nothing says how it is reached")]
    Missing,
    /// A server address, a certificate or a proxy that no client can be made of.
    #[error("{credentials} cannot be used: {detail}")]
    Unusable {
        /// Where they are.
        credentials: String,
        /// What is wrong.
        detail: String,
    },
    /// A kubeconfig that cannot be read or used.
    #[error("the kubeconfig `{}` cannot be used: {detail}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A context that is in no kubeconfig.
    #[error("the context `{context}` cannot be used: {detail}")]
    Context {
        /// Its name.
        context: String,
        /// What is wrong.
        detail: String,
    },
    /// No pod around us, or one without a service account.
    #[error("not in a cluster, or without a service account there: {0}")]
    InCluster(String),
}

impl Connection {
    /// The connection to the kind cluster of that name, as kind itself enters it into kubeconfig.
    #[must_use]
    pub fn kind(cluster: &str) -> Self {
        Self::Context(format!("kind-{cluster}"))
    }

    /// Connects. No request is made yet; credentials plugins may run.
    pub(crate) async fn open(&self, limit: Duration) -> Result<Server, RequestError> {
        let mut config = self.config().await.map_err(RequestError::NotConfigured)?;
        config.connect_timeout = Some(CONNECT_LIMIT);
        Server::new(config, self.to_string(), limit)
    }

    async fn config(&self) -> Result<Config, ConnectionError> {
        match self {
            Self::File { path, context } => {
                let failure = |detail: String| ConnectionError::File { path: path.clone(), detail };
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| failure(chain(&error)))?;
                let context = context.clone().or_else(|| kubeconfig.current_context.clone());
                if context.as_deref().is_none_or(str::is_empty) {
                    return Err(failure("it names no current-context".to_owned()));
                }
                from(kubeconfig, context).await.map_err(failure)
            }
            Self::Context(context) => {
                let failure = |detail: String| ConnectionError::Context { context: context.clone(), detail };
                let kubeconfig = Kubeconfig::read().map_err(|error| failure(chain(&error)))?;
                from(kubeconfig, Some(context.clone())).await.map_err(failure)
            }
            Self::InCluster => Config::incluster().map_err(|error| ConnectionError::InCluster(chain(&error))),
        }
    }
}

async fn from(kubeconfig: Kubeconfig, context: Option<String>) -> Result<Config, String> {
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| chain(&error))
}

/// An error with its causes, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
