//! Hooks of the spec: programs that run when a deployment is applied.
//!
//! That a hook has run is written down in the cluster, in a ConfigMap that names the program, its arguments and the
//! digests of it and of its inputs. Making or changing that ConfigMap is running the hook: so it is planned, ordered,
//! journaled and resumed like everything else, and what it did to a cluster that is made anew it does again.

use serde_json::{Value, json};

use super::input::{CheckedDeployment, DeploymentSource, Layout};
use super::naming::Naming;
use crate::address::{Address, ResourceType};
use crate::resource::Resource;
use crate::source::{SourceError, SourceReader, join_path};
use crate::spec::{Hook, HookPhase};
use crate::value::Digest;

/// The annotation of the ConfigMap of a hook; its value is the hook's name.
pub const HOOK_ANNOTATION: &str = "laconic.com/hook";

/// A file that a hook needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFile {
    /// Where it is, for the reader.
    pub from: String,
    /// Where it is in the deployment directory.
    pub to: String,
    /// Whether it is the program.
    pub is_executable: bool,
}

/// The files of a hook: its program, unless that is looked up in PATH, then its inputs.
pub(super) fn hook_files(source: &DeploymentSource, hook: &Hook) -> Vec<HookFile> {
    let name = hook.name.value.as_str();
    let program = Some(hook.executable.value.as_str()).filter(|path| path.contains('/'));
    let files = program.map(|path| (path, true)).into_iter();
    files
        .chain(hook.inputs.iter().map(|path| (path.value.as_str(), false)))
        .map(|(path, is_executable)| {
            let base = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
            let to = if is_executable { format!("hooks/{name}/{base}") } else { format!("hooks/{name}/inputs/{base}") };
            let from = match source.layout {
                Layout::Directory => to.clone(),
                Layout::Repository { .. } => join_path(&join_path(&source.spec_file, ".."), path),
            };
            HookFile { from, to, is_executable }
        })
        .collect()
}

/// The ConfigMaps of the hooks. `resources` are those made so far: what runs before the workloads is needed by them, what
/// runs after them needs them and everything that leads to them.
pub(super) fn hooks(
    checked: &CheckedDeployment,
    naming: &Naming<'_>,
    reader: &dyn SourceReader,
    resources: &mut Vec<Resource>,
) {
    let is_workload =
        |one: &Resource| matches!(one.address.resource_type, ResourceType::Deployment | ResourceType::Job);
    let mut before: Vec<Address> = Vec::new();
    let mut made = Vec::new();
    let mut earlier: Option<Address> = None;
    for phase in [HookPhase::BeforeWorkloads, HookPhase::AfterWorkloads] {
        for hook in checked.spec.hooks.iter().filter(|hook| hook.phase == phase) {
            let mut resource = config_map(checked, naming, reader, hook);
            match phase {
                HookPhase::BeforeWorkloads => {
                    // Volumes and what pods read are there when it runs.
                    let prepared = |one: &&Resource| {
                        matches!(
                            one.address.resource_type,
                            ResourceType::PersistentVolumeClaim | ResourceType::ConfigMap | ResourceType::Secret
                        )
                    };
                    resource.needs.extend(resources.iter().filter(prepared).map(|one| one.address.clone()));
                    before.push(resource.address.clone());
                }
                HookPhase::AfterWorkloads => {
                    let last = |one: &&Resource| {
                        is_workload(one)
                            || matches!(one.address.resource_type, ResourceType::Service | ResourceType::Ingress)
                    };
                    resource.needs.extend(resources.iter().filter(last).map(|one| one.address.clone()));
                }
            }
            // One after the other, in the order of the spec.
            resource.needs.extend(earlier.replace(resource.address.clone()));
            made.push(resource);
        }
    }
    for workload in resources.iter_mut().filter(|one| is_workload(one)) {
        workload.needs.extend(before.iter().cloned());
    }
    resources.append(&mut made);
}

fn config_map(checked: &CheckedDeployment, naming: &Naming<'_>, reader: &dyn SourceReader, hook: &Hook) -> Resource {
    let short = format!("hook-{}", hook.name.value);
    let mut data = serde_json::Map::new();
    let mut inputs = String::new();
    let mut program = hook.executable.value.clone();
    for file in checked.hook_files.get(&hook.name.value).into_iter().flatten() {
        let digest = match reader.read(&file.from) {
            Ok(bytes) => Digest::of_bytes(&bytes).to_string(),
            // Said by the check where it can be told; else it is found out when it runs.
            Err(SourceError::NotConsulted) => "not consulted".to_owned(),
            Err(_) => "missing".to_owned(),
        };
        if file.is_executable {
            data.insert("executable-sha256".to_owned(), digest.into());
            program.clone_from(&file.to);
        } else {
            inputs.push_str(&format!("{digest}  {}\n", file.to));
        }
    }
    data.insert("executable".to_owned(), program.into());
    let arguments: Vec<&str> = hook.arguments.iter().map(|argument| argument.value.as_str()).collect();
    data.insert("arguments".to_owned(), Value::from(arguments).to_string().into());
    data.insert("inputs".to_owned(), inputs.into());
    data.insert("phase".to_owned(), hook.phase.word().into());
    let mut metadata = naming.metadata(&naming.object_name(&short), None);
    metadata["annotations"] = json!({HOOK_ANNOTATION: hook.name.value});
    let object = object! {
        "apiVersion" => "v1",
        "kind" => "ConfigMap",
        "metadata" => metadata,
        "data" => data,
    };
    let mut resource = naming.resource(ResourceType::ConfigMap, &short, object, Some(&hook.name.place));
    resource.places.push(("data.executable".to_owned(), hook.executable.place.clone()));
    resource
}
