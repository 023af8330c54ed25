//! Compiling a deployment: files → checked files → resources.

mod amount;
pub mod caddy;
mod command;
pub mod config_map;
mod container;
mod environment;
mod image;
mod ingress;
pub mod input;
pub mod lower;
pub mod naming;
mod pod;
mod secret;
mod service;
pub mod tenant;
mod volume;
pub mod workload;

pub use input::{CheckedDeployment, Compilation, CompiledDeployment, ConfigVariable, DeploymentSource, Layout};
pub use lower::lower;
