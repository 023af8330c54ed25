//! The simulated host: a Docker host with kind clusters, and remote Kubernetes clusters, without any of them.
//!
//! It is a part of the product: `--simulate`, `apply --rehearse`, the demo, and the scenario and fault tests run on it. It
//! keeps the rules that matter: what kind fixes when it makes a cluster, what dies with a node and what stays on the host,
//! ownership of fields, immutable fields, defaults, how volumes are bound and released, what refers to what. It is
//! deterministic: ids come from a counter, time is a counter that moves one second with each change.

mod defaults;
mod deletion;
mod directories;
mod directory;
mod fault;
mod host;
mod image;
mod immutable;
mod machine;
mod node;
mod outside;
mod ownership;
mod paths;
mod pods;
mod policy;
mod provider;
mod quantity;
mod readiness;
mod reference;
mod rescue;
mod server;
mod summary;
mod transaction;
mod types;
mod validation;
mod violation;
mod volume;

#[cfg(test)]
mod tests;

pub use directory::DirectoryError;
pub use fault::{Call, Failure, Fault};
pub use host::{Calls, SimulatedHost};
pub use policy::{Policy, Rule};
pub use summary::{ClusterSummary, Summary};
pub use violation::{Violation, ViolationKind};

/// The field manager the engine acts as.
pub(crate) const MANAGER: &str = "laconic";
