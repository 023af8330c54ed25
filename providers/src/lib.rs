//! Providers: make it so. Implementations of [`laconic_engine::apply::Provider`].
//!
//! [`kubernetes`] speaks to API servers. [`simulated`] is a whole host in memory or in a directory, for rehearsal,
//! learning and tests.

pub mod kubernetes;
pub mod simulated;

pub use kubernetes::KubernetesProvider;
pub use simulated::SimulatedHost;
