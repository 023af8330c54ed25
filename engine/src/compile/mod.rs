//! Compiling a deployment: files → checked files → resources.

pub mod agree;
mod amount;
pub mod caddy;
pub mod check;
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
pub use check::{CheckOutcome, check, host_path_volume_name};
pub use cluster::{ClusterCompilation, ClusterInput, compose_cluster};
pub use input::{CheckedDeployment, Compilation, CompiledDeployment, ConfigVariable, DeploymentSource, Layout};
pub use kind_config::kind_config;
pub use lower::lower;

use crate::source::{SourceReader, join_path};
use crate::spec::Located;

/// The folder whose files become a ConfigMap of `configmaps:`. In a deployment directory that is its copy; in a
/// repository an empty path, or one that begins with `./`, means the stack's `config/NAME`, and any other path is
/// meant from the spec file.
#[must_use]
pub fn configmap_path(
    deployment: &CheckedDeployment,
    source: &DeploymentSource,
    name: &Located<String>,
    path: Option<&Located<String>>,
) -> String {
    let path = path.map(|path| path.value.as_str()).unwrap_or_default();
    if source.layout == Layout::Directory || path.is_empty() || path.starts_with("./") {
        return join_path(&deployment.configmap_directory, &name.value);
    }
    let folder = source.spec_file.rsplit_once('/').map_or("", |(folder, _)| folder);
    join_path(folder, path)
}

/// Checks and lowers one deployment.
#[must_use]
pub fn compile(source: &DeploymentSource, reader: &dyn SourceReader) -> Compilation {
    let CheckOutcome { deployment, mut findings, texts, inputs_digest } = check(source, reader);
    let deployment = deployment.map(|checked| {
        let (compiled, more) = lower(&checked, reader);
        findings.extend(more);
        compiled
    });
    Compilation { deployment, findings, texts, inputs_digest }
}
