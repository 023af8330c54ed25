//! The test bed: a real Kubernetes API server on loopback, for tests that must not believe a simulation.
//!
//! [`ApiServer`] runs etcd and kube-apiserver, and kube-controller-manager when asked to. Nothing schedules or runs
//! pods: [`Kubelet`] plays both. The servers come from `make testbed` ([`Assets`]); how to obtain them is in
//! `docs/src/testing.md`.
//!
//! ```no_run
//! # async fn example() -> Result<(), kube::Error> {
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use laconic_testbed::{ApiServer, AuditFilter};
//!
//! if laconic_testbed::off() {
//!     return Ok(());
//! }
//! let server = ApiServer::shared();
//! let namespace = server.namespace("shop");
//! let client = server.client("admin").await;
//! let begin = server.audit_mark();
//! kube::Api::<ConfigMap>::namespaced(client, &namespace).list(&Default::default()).await?;
//! let lists = server.audit_since(begin).matching(AuditFilter::new().namespace(&namespace).verb("list"));
//! assert_eq!(lists.len(), 1);
//! # Ok(())
//! # }
//! ```

mod assets;
mod audit;
mod block;
mod certificate;
mod error;
mod kind;
mod kubeconfig;
mod kubelet;
mod launch;
mod options;
mod port;
mod process;
mod server;
mod shared;
mod trouble;
mod user;
mod watchdog;

pub use assets::{Assets, off};
pub use audit::{AuditEvent, AuditFilter, AuditLog, AuditMark};
pub use error::TestbedError;
pub use kind::{Kind, kind};
pub use kubelet::{BEHAVIOUR_ANNOTATION, Behaviour, Kubelet, PodFilter};
pub use options::Options;
pub use server::ApiServer;
pub use user::User;
