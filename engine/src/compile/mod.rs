//! Compiling a deployment: files → checked files → resources.

pub mod input;

pub use input::{CheckedDeployment, Compilation, CompiledDeployment, ConfigVariable, DeploymentSource, Layout};
