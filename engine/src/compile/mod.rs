//! Compiling a deployment: files → checked files → resources.

pub mod cluster;
pub mod input;

pub use cluster::{ClusterCompilation, ClusterInput, compose_cluster};
pub use input::{CheckedDeployment, Compilation, CompiledDeployment, ConfigVariable, DeploymentSource, Layout};
