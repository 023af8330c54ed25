//! Compiling a deployment: files → checked files → resources.

/// A JSON object of values that are moved into it. `serde_json::json!` copies what is put into it, which for the pods
/// of many deployments is most of the time of compiling them.
macro_rules! object {
    ($($key:literal => $value:expr),* $(,)?) => {{
        let mut members = serde_json::Map::new();
        $(members.insert(String::from($key), serde_json::Value::from($value));)*
        serde_json::Value::Object(members)
    }};
}

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
mod dependency;
mod environment;
mod granted_file;
mod host_alias;
mod image;
mod ingress;
pub mod input;
pub mod kind_config;
mod knob;
pub mod lower;
pub mod naming;
mod pod;
mod pod_label;
mod pod_settings;
mod probe;
mod secret;
mod security_context;
mod service;
mod start_order;
pub mod tenant;
mod topology;
mod volume;
pub mod workload;

pub use agree::agree;
pub use check::{CheckOutcome, check, host_path_volume_name};
pub use cluster::{
    ClusterCompilation, ClusterInput, INGRESS_READY_PATCH, PlannedTenants, WishPlaces, compose_cluster, memlock_patch,
};
pub use input::{CheckedDeployment, Compilation, CompiledDeployment, ConfigVariable, DeploymentSource, Layout};
pub use kind_config::kind_config;
pub use lower::lower;
pub use pod::HIGH_MEMLOCK;

use crate::source::SourceReader;
use crate::spec::Located;

/// The folder whose files become a ConfigMap of `configmaps:`. In a deployment directory that is its copy; in a
/// repository an empty path, `./configmaps/NAME`, or a path that begins with `./` and is not there, means the stack's
/// `config/NAME`, and any other path is meant from the spec file.
#[must_use]
pub fn configmap_path(
    deployment: &CheckedDeployment,
    source: &DeploymentSource,
    name: &Located<String>,
    path: Option<&Located<String>>,
    reader: &dyn SourceReader,
) -> String {
    let path = path.map(|path| path.value.as_str()).unwrap_or_default();
    config_map::configmap_source(reader, &deployment.configmap_directory, &source.spec_file, &name.value, path)
}

/// Checks and lowers one deployment.
#[must_use]
pub fn compile(source: &DeploymentSource, reader: &dyn SourceReader) -> Compilation {
    let CheckOutcome { deployment, mut findings, texts, inputs_digest } = check(source, reader);
    let deployment = deployment.and_then(|checked| {
        let (compiled, more) = lower(&checked, reader);
        let has_errors = crate::finding::has_errors(&more);
        findings.extend(more);
        (!has_errors).then_some(compiled)
    });
    Compilation { deployment, findings, texts, inputs_digest }
}
