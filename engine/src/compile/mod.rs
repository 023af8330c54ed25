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
mod hook;
mod host_alias;
mod image;
mod ingress;
pub mod input;
pub mod kind_config;
mod knob;
pub mod lower;
mod memlock_spec;
pub mod naming;
mod origin;
mod places;
mod pod;
mod pod_label;
mod pod_settings;
mod probe;
mod secret;
mod security_context;
mod service;
mod shared;
mod start_order;
pub mod tenant;
mod topology;
mod volume;
pub mod workload;

pub use agree::agree;
pub use check::{CheckOutcome, check, check_shared, host_path_volume_name};
pub use cluster::{
    ClusterCompilation, ClusterInput, INGRESS_READY_PATCH, PlannedTenants, WishPlaces, compose_cluster, memlock_patch,
};
pub use environment::environment_file_paths;
pub use hook::{HOOK_ANNOTATION, HookFile};
pub use image::{image_reference, pushed_images};
pub use input::{
    BuiltImage, CheckedDeployment, Compilation, CompiledDeployment, ConfigVariable, DeploymentSource, Layout,
    SharedCluster,
};
pub use kind_config::kind_config;
pub use lower::lower;
pub use memlock_spec::{MEMLOCK_SPEC_FILE, memlock_spec, wants_memlock_spec};
pub use origin::{Origin, origin};
pub use pod::HIGH_MEMLOCK;
pub use shared::agree_on_clusters;
pub use volume::UMBRELLA;

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
    compile_shared(source, &SharedCluster::default(), reader)
}

/// Checks and lowers one deployment of a repository, with what it says of the deployment's cluster.
#[must_use]
pub fn compile_shared(source: &DeploymentSource, shared: &SharedCluster, reader: &dyn SourceReader) -> Compilation {
    let CheckOutcome { deployment, in_spite, mut findings, texts, inputs_digest, suppressed: suppressed_codes } =
        check_shared(source, shared, reader);
    let (is_sound, checked) = (deployment.is_some(), deployment.or(in_spite));
    let (mut deployment, mut tentative) = (None, None);
    if let Some(checked) = checked {
        let (compiled, more) = lower(&checked, reader);
        let is_sound = is_sound && !crate::finding::has_errors(&more);
        findings.extend(more);
        if is_sound {
            deployment = Some(compiled);
        } else {
            tentative = Some(compiled);
        }
    }
    let (findings, suppressed) = crate::finding::suppress(findings, &suppressed_codes);
    Compilation { deployment, tentative, findings, suppressed, suppressed_codes, texts, inputs_digest }
}
