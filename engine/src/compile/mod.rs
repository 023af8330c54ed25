//! Compiling a deployment: files → checked files → resources.

pub mod agree;
mod amount;
pub mod caddy;
pub mod cluster;
#[cfg(test)]
mod cluster_tests;
mod command;
pub mod config_map;
mod container;
mod environment;
mod image;
mod ingress;
pub mod input;
pub mod kind_config;
mod knob;
pub mod lower;
pub mod naming;
mod pod;
mod secret;
mod service;
pub mod tenant;
mod topology;
mod volume;
pub mod workload;

pub use agree::agree;
pub use cluster::{ClusterCompilation, ClusterInput, compose_cluster};
pub use input::{CheckedDeployment, Compilation, CompiledDeployment, ConfigVariable, DeploymentSource, Layout};
pub use kind_config::kind_config;
pub use lower::lower;
