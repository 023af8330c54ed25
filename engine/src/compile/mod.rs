//! Compiling a deployment: files → checked files → resources.

pub mod check;
pub mod input;

pub use check::{CheckOutcome, check, host_path_volume_name};
pub use input::{CheckedDeployment, Compilation, CompiledDeployment, ConfigVariable, DeploymentSource, Layout};

use crate::source::join_path;
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
