//! A Kubernetes API server as a provider.
//!
//! Objects are read with one LIST per kind, made and changed with server-side apply under the field manager `laconic`,
//! and deleted only with the uid that is expected. An answer that did not come, or not whole, is "unknown", never
//! "absent".

mod adopt;
mod connection;
mod delete;
mod enact;
mod list;
mod managed_fields;
mod observe;
pub(crate) mod path;
mod pods;
pub(crate) mod readiness;
mod request;
pub(crate) mod rescue;
pub(crate) mod server;
mod strategy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use laconic_engine::address::ObjectKey;
use laconic_engine::apply::{EnactError, Enacted, ObserveRequest, Provider, Readiness, Step};
use laconic_engine::resource::{Target, World};
use tokio::sync::Mutex;

pub use connection::{Connection, ConnectionError};
pub(crate) use pods::text;
pub use request::RequestError;

use crate::pod::{LogRequest, Pod, PodsOf};
use server::Server;

/// The field manager under which everything is applied.
pub(crate) const MANAGER: &str = laconic_engine::plan::survey::FIELD_MANAGER;

/// The Kubernetes API servers that deployments live on.
///
/// A server is connected to when it is first asked; a target without a connection is unknown.
pub struct KubernetesProvider {
    connections: BTreeMap<Target, Connection>,
    servers: Mutex<BTreeMap<Target, Arc<Server>>>,
    limit: Duration,
}

/// How long one request may take, unless something else is said.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

impl std::fmt::Debug for KubernetesProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesProvider").field("connections", &self.connections).finish_non_exhaustive()
    }
}

impl KubernetesProvider {
    /// A provider that reaches these targets. All of its calls must be made on one tokio runtime: connections live there.
    #[must_use]
    pub fn new(connections: BTreeMap<Target, Connection>) -> Self {
        // Another crate of the program may bring a second implementation of TLS along; then there is no default one, and
        // the client would panic. Whoever was first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { connections, servers: Mutex::default(), limit: REQUEST_LIMIT }
    }

    /// The same provider with another limit for how long one request may take, answer included.
    #[must_use]
    pub fn with_request_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Has a target be reached with an administrator's kubeconfig, at an address of its own. No request is made yet.
    pub(crate) async fn connect(
        &self,
        target: &Target,
        kubeconfig: &str,
        address: &str,
        credentials: String,
    ) -> Result<(), RequestError> {
        let server = connection::open_at(kubeconfig, address, credentials, self.limit).await?;
        self.servers.lock().await.insert(target.clone(), Arc::new(server));
        Ok(())
    }

    /// The version that the server of a target says it has: `v1.36.2`.
    ///
    /// # Errors
    /// A server that cannot be reached, or does not answer as one does.
    pub async fn version(&self, target: &Target) -> Result<String, RequestError> {
        let server = self.server(target).await?;
        let answer = server.get("/version").await?;
        let version = answer["gitVersion"].as_str().map(str::to_owned);
        version.ok_or_else(|| RequestError::Garbled(server.url.clone()))
    }

    /// The pods of a deployment on a target.
    ///
    /// # Errors
    /// A server that cannot be reached, or does not tell.
    pub async fn pods(&self, target: &Target, of: &PodsOf) -> Result<Vec<Pod>, RequestError> {
        pods::pods(&*self.server(target).await?, of).await
    }

    /// What one container says, line by line. A container that has not said anything yet says nothing.
    ///
    /// # Errors
    /// A server that cannot be reached, or does not tell.
    pub async fn logs(
        &self,
        target: &Target,
        request: &LogRequest,
        each: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), RequestError> {
        match pods::logs(&*self.server(target).await?, request, each).await {
            Err(error) if pods::is_silent(&error) => Ok(()),
            other => other,
        }
    }

    /// The server of a target.
    pub(crate) async fn server(&self, target: &Target) -> Result<Arc<Server>, RequestError> {
        let mut servers = self.servers.lock().await;
        if let Some(server) = servers.get(target) {
            return Ok(Arc::clone(server));
        }
        let Some(connection) = self.connections.get(target) else {
            return Err(RequestError::NotConfigured(ConnectionError::Missing));
        };
        let server = Arc::new(connection.open(self.limit).await?);
        servers.insert(target.clone(), Arc::clone(&server));
        Ok(server)
    }
}

impl Provider for KubernetesProvider {
    fn observe<'a>(&'a self, request: &'a ObserveRequest) -> BoxFuture<'a, World> {
        async move {
            let targets = request.iter().map(|(target, wanted)| {
                async move {
                    let observed = match self.server(target).await {
                        Ok(server) => observe::observe(&server, target, wanted).await,
                        Err(error) => observe::unknown(&error),
                    };
                    (target.clone(), observed)
                }
                .boxed()
            });
            futures::future::join_all(targets).await.into_iter().collect()
        }
        .boxed()
    }

    fn enact<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>> {
        async move {
            let server = self.server(&step.target).await.map_err(|error| enact::failure(step, error))?;
            enact::enact(&server, step).await
        }
        .boxed()
    }

    fn dry_run<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>> {
        async move {
            let server = self.server(&step.target).await.map_err(|error| enact::failure(step, error))?;
            enact::dry_run(&server, step).await
        }
        .boxed()
    }

    fn readiness<'a>(&'a self, target: &'a Target, key: &'a ObjectKey) -> BoxFuture<'a, Result<Readiness, EnactError>> {
        async move {
            let server = self.server(target).await.map_err(EnactError::from)?;
            readiness::readiness(&server, key).await
        }
        .boxed()
    }
}
