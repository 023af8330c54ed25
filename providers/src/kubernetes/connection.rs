//! How an API server is reached, and never by accident: a context is always named, or the file is the deployment's own.

use std::path::PathBuf;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

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
    /// Connects. No request is made yet; credentials plugins may run.
    pub(crate) async fn open(&self, limit: Duration) -> Result<Server, RequestError> {
        let mut config = self.config().await.map_err(RequestError::NotConfigured)?;
        config.connect_timeout = Some(CONNECT_LIMIT);
        // It goes on for as long as there is time, behind everybody's back: in an apply the engine tries again, and says so.
        config.default_retry = false;
        Server::new(config, self.to_string(), limit)
    }

    async fn config(&self) -> Result<Config, ConnectionError> {
        match self {
            Self::File { path, context } => {
                let failure = |detail: String| ConnectionError::File { path: path.clone(), detail };
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| failure(unreadable(&error)))?;
                let context = context.clone().or_else(|| kubeconfig.current_context.clone());
                if context.as_deref().is_none_or(str::is_empty) {
                    return Err(failure("it names no current-context".to_owned()));
                }
                from(kubeconfig, context).await.map_err(failure)
            }
            Self::Context(context) => {
                let failure = |detail: String| ConnectionError::Context { context: context.clone(), detail };
                let kubeconfig = Kubeconfig::read().map_err(|error| failure(unreadable(&error)))?;
                from(kubeconfig, Some(context.clone())).await.map_err(failure)
            }
            Self::InCluster => Config::incluster().map_err(|error| ConnectionError::InCluster(chain(&error))),
        }
    }
}

/// A server by the text of a kubeconfig, its current context, at another address than the one that is written there.
pub(crate) async fn open_at(
    text: &str,
    address: &str,
    credentials: String,
    limit: Duration,
) -> Result<Server, RequestError> {
    let unusable = |detail: String| ConnectionError::Unusable { credentials: credentials.clone(), detail };
    let mut kubeconfig = Kubeconfig::from_yaml(text).map_err(|error| unusable(unreadable(&error)))?;
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|cluster| cluster.cluster.as_mut()) {
        cluster.server = Some(address.to_owned());
    }
    let context = kubeconfig.current_context.clone();
    let mut config = from(kubeconfig, context).await.map_err(unusable)?;
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.default_retry = false;
    // It is on this host; what leads out of it leads away from it.
    config.proxy_url = None;
    Server::new(config, credentials, limit)
}

async fn from(kubeconfig: Kubeconfig, context: Option<String>) -> Result<Config, String> {
    let known: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
    if let Some(wanted) = context.as_deref().filter(|wanted| !known.contains(wanted)) {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!("there is no context `{wanted}`, only {known}"));
    }
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| chain(&error))
}

/// Why a kubeconfig cannot be read. Nothing of what is in it is said: there are credentials in it.
fn unreadable(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => {
            let text = error.to_string();
            text.split(" (os error ").next().unwrap_or_default().to_lowercase()
        }
        KubeconfigError::Parse(error) => match place(&error.to_string()) {
            Some((line, column)) => format!("it is no kubeconfig: see line {line}, column {column}"),
            None => "it is no kubeconfig".to_owned(),
        },
        other => chain(other),
    }
}

/// The place that a YAML error names, `line 3 column 7`.
fn place(text: &str) -> Option<(u32, u32)> {
    let (_, text) = text.split_once("line ")?;
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let line = words.next()?.parse().ok()?;
    let column = words.find(|word| word.bytes().all(|byte| byte.is_ascii_digit()) && !word.is_empty())?;
    Some((line, column.parse().ok()?))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A kubeconfig of several contexts, each leading to a host of its name.
    fn kubeconfig(current: &str, contexts: &[&str]) -> tempfile::NamedTempFile {
        let named = |member: &str, value: &dyn Fn(&str) -> serde_json::Value| -> Vec<serde_json::Value> {
            contexts.iter().map(|name| json!({"name": name, (member): value(name)})).collect()
        };
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": named("cluster", &|name| json!({"server": format!("https://{name}.example:6443")})),
            "users": named("user", &|_| json!({})),
            "contexts": named("context", &|name| json!({"cluster": name, "user": name})),
            "current-context": current,
        });
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content.to_string()).unwrap();
        file
    }

    fn server(connection: &Connection) -> Result<String, ConnectionError> {
        futures::executor::block_on(connection.config()).map(|config| config.cluster_url.to_string())
    }

    #[tokio::test]
    async fn another_address_takes_the_place_of_the_one_that_is_written_there() {
        let file = kubeconfig("admin", &["admin", "other"]);
        let text = std::fs::read_to_string(file.path()).unwrap();
        let open = |text: &str| {
            let text = text.to_owned();
            async move {
                let address = "https://127.0.0.1:39999";
                open_at(&text, address, "the node".to_owned(), CONNECT_LIMIT).await.map(|server| server.url)
            }
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        assert_eq!(open(&text).await.unwrap(), "https://127.0.0.1:39999");
        let error = open("users: hunter2").await.unwrap_err().to_string();
        assert!(error.starts_with("the node cannot be used") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_file_of_its_own_means_its_current_context_unless_another_one_is_named() {
        let file = kubeconfig("production", &["kind-main", "production"]);
        let of = |context: Option<&str>| Connection::File {
            path: file.path().to_owned(),
            context: context.map(str::to_owned),
        };
        assert_eq!(server(&of(None)).unwrap(), "https://production.example:6443/");
        assert_eq!(server(&of(Some("kind-main"))).unwrap(), "https://kind-main.example:6443/");
        let missing = server(&of(Some("kind-other"))).unwrap_err();
        assert!(
            missing.to_string().ends_with("there is no context `kind-other`, only kind-main, production"),
            "{missing}"
        );
    }

    #[test]
    fn nothing_that_is_in_a_broken_kubeconfig_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let connection = Connection::File { path: file.path().to_owned(), context: None };
        for content in ["users:\n- token: hunter2 ]: [\n", "users: hunter2\n", "hunter2", "users: [{user: hunter2}]"] {
            std::fs::write(file.path(), content).unwrap();
            let error = server(&connection).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn without_a_current_context_none_is_taken() {
        let file = kubeconfig("", &["only"]);
        let connection = Connection::File { path: file.path().to_owned(), context: None };
        let error = server(&connection).unwrap_err();
        assert!(error.to_string().ends_with("it names no current-context"), "{error}");
    }
}
