//! Providers: make it so. Implementations of [`laconic_engine::apply::Provider`].
//!
//! [`kubernetes`] speaks to API servers, [`docker`] to the container engine and [`kind`] makes clusters with it;
//! [`docker_host`] is all of them together, and runs the [`hook`]s of
//! deployments. [`simulated`] is a whole host in memory or in a directory, for rehearsal,
//! learning and tests.

pub mod docker;
pub mod docker_host;
pub mod git;
pub mod hook;
pub mod kind;
pub mod kubernetes;
pub mod pod;
pub mod process;
pub mod simulated;

pub use docker_host::DockerHost;
pub use hook::{HookPlace, Hooks};
pub use kubernetes::KubernetesProvider;
pub use simulated::SimulatedHost;
