//! kind: clusters as containers, made and deleted with kind's own program, seen through the container engine.
//!
//! kind fixes mounts, ports and patches when it makes a cluster. What a running one has is read back from its node: see
//! [`read_back`].

mod creation;
mod error;
mod program;
pub mod read_back;

pub use creation::{Creation, Progress};
pub use error::KindError;
pub use program::Kind;

/// The label that names a node's cluster.
pub const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";

/// The container of a cluster's first control plane, as kind names it.
#[must_use]
pub fn node_name(cluster: &str) -> String {
    format!("{cluster}-control-plane")
}
