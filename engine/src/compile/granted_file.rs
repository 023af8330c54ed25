//! `secrets` and `configs` of compose files: the objects that hold them, and how containers get them as files.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::config_map::{ConfigMaps, single_file};
use super::input::CheckedDeployment;
use super::naming::{Naming, volume_name};
use super::secret::{file_source, secret};
use crate::address::{Address, ResourceType};
use crate::compose::{ComposeFile, FileDefinition, FileGrant, FileKind, FileSource, Service};
use crate::resource::Resource;
use crate::secret::{SecretExpression, SecretSource};
use crate::source::{SourceReader, join_path};

/// Permissions that compose gives.
const DEFAULT_MODE: u32 = 0o444;

/// The definitions that services are given, by kind and name.
#[derive(Debug, Default)]
pub(super) struct GrantedFiles {
    files: BTreeMap<(FileKind, String), GrantedFile>,
    /// The Secrets; ConfigMaps are among the others.
    pub resources: Vec<Resource>,
}

#[derive(Debug)]
struct GrantedFile {
    /// The name of the Secret or ConfigMap.
    object: String,
    /// Which of the two it is.
    is_config_map: bool,
    /// What a pod that is given it needs.
    need: Option<Address>,
    /// What rolls the pods when it changes, beside contents of ConfigMaps: never a secret.
    digest_source: Option<String>,
    /// The ConfigMap among the others.
    config_map: Option<String>,
}

/// What a pod needs for the files of its services.
#[derive(Debug, Default)]
pub(super) struct PodFiles<'g> {
    pub volumes: Vec<Value>,
    pub needs: Vec<Address>,
    pub digest_sources: Vec<String>,
    pub config_maps: Vec<&'g str>,
}

/// A definition with the folder that its path is meant from.
pub(super) fn definitions(
    checked: &CheckedDeployment,
    kind: FileKind,
) -> impl Iterator<Item = (&FileDefinition, &ComposeFile, &'static str)> {
    let pods = checked.pods.iter().map(|(_, file)| (file, "compose"));
    let jobs = checked.jobs.iter().map(|(_, file)| (file, "compose-jobs"));
    pods.chain(jobs).flat_map(move |(file, folder)| {
        let list = match kind {
            FileKind::Secret => &file.secrets,
            FileKind::Config => &file.configs,
        };
        list.iter().map(move |definition| (definition, file, folder))
    })
}

/// The files of a kind that a service is given.
pub(super) fn grants(service: &Service, kind: FileKind) -> &[FileGrant] {
    match kind {
        FileKind::Secret => &service.secrets,
        FileKind::Config => &service.configs,
    }
}

/// A name as object names have it: compose lets it have underscores.
pub(super) fn object_suffix(kind: FileKind, name: &str) -> String {
    let word = match kind {
        FileKind::Secret => "secret",
        FileKind::Config => "config",
    };
    format!("{word}-{}", name.to_ascii_lowercase().replace(['_', '.'], "-"))
}

/// Compiles what services are given; ConfigMaps are added to the others.
pub(super) fn granted_files(
    checked: &CheckedDeployment,
    naming: &Naming<'_>,
    reader: &dyn SourceReader,
    config_maps: &mut ConfigMaps,
) -> GrantedFiles {
    let mut granted = GrantedFiles::default();
    if !naming.is_compose() {
        return granted;
    }
    for kind in [FileKind::Secret, FileKind::Config] {
        for (definition, file, folder) in definitions(checked, kind) {
            let name = &definition.name.value;
            let is_given = file.services.iter().any(|it| grants(it, kind).iter().any(|it| it.source.value == *name));
            let key = (kind, name.clone());
            // The first of several counts; that they differ was an error.
            if !is_given || granted.files.contains_key(&key) {
                continue;
            }
            let suffix = object_suffix(kind, name);
            let object = naming.object_name(&suffix);
            let is_config_map = kind == FileKind::Config;
            let mut entry = GrantedFile { object, is_config_map, need: None, digest_source: None, config_map: None };
            match (&definition.source, kind) {
                (FileSource::External(name), _) => entry.object.clone_from(&name.value),
                (source, FileKind::Secret) if !is_plain(checked, source) => {
                    let source = secret_source(checked, source, folder);
                    entry.digest_source = Some(format!("secret {name}: {source}"));
                    let data = Map::from_iter([(name.clone(), SecretExpression::Base64(source).placeholder())]);
                    let place = Some(&definition.name.place);
                    let resource = secret(naming, &suffix, &entry.object, "Opaque", data, place);
                    entry.need = Some(resource.address.clone());
                    granted.resources.push(resource);
                }
                (source, _) => {
                    entry.is_config_map = true;
                    let content = content(checked, source, reader);
                    let map = single_file(naming, &suffix, name, &content, &definition.name.place);
                    entry.need = Some(naming.address(ResourceType::ConfigMap, &suffix));
                    entry.config_map = Some(suffix.clone());
                    config_maps.by_volume.insert(suffix, map);
                }
            }
            granted.files.insert(key, entry);
        }
    }
    granted
}

/// Whether a secret is a variable of `config:`, which is no secret and stands in every environment anyway: a Secret holds
/// no value that a plan shows, so that a ConfigMap holds it.
fn is_plain(checked: &CheckedDeployment, source: &FileSource) -> bool {
    let FileSource::Environment(name) = source else { return false };
    checked.config.iter().any(|variable| variable.name == name.value && !variable.is_secret)
}

/// Where the value of a secret comes from.
fn secret_source(checked: &CheckedDeployment, source: &FileSource, folder: &str) -> SecretSource {
    let name = match source {
        FileSource::File(path) => return file_source(checked, &from_directory(&path.value, folder)),
        // The reader takes neither of the last two for a secret.
        FileSource::Environment(name) | FileSource::Content(name) | FileSource::External(name) => &name.value,
    };
    if let Some((_, encoding, bytes)) = checked.generated.iter().find(|(known, _, _)| known == name) {
        return SecretSource::Generated {
            deployment: checked.name.clone(),
            name: name.clone(),
            encoding: encoding.clone(),
            bytes: *bytes,
        };
    }
    if checked.config.iter().any(|variable| variable.name == *name) {
        return SecretSource::ConfigEnv { deployment: checked.name.clone(), name: name.clone() };
    }
    SecretSource::Environment(name.clone())
}

/// A path of a compose file as it is meant from the deployment directory.
fn from_directory(path: &str, folder: &str) -> String {
    if path.starts_with(['/', '~']) { path.to_owned() } else { join_path(folder, path) }
}

/// What a config holds.
fn content(checked: &CheckedDeployment, source: &FileSource, reader: &dyn SourceReader) -> Vec<u8> {
    match source {
        FileSource::File(path) => {
            let path = join_path(&checked.compose_directory, &path.value);
            reader.read(&path).map(|bytes| bytes.to_vec()).unwrap_or_default()
        }
        FileSource::Environment(name) => {
            let variable = checked.config.iter().find(|variable| variable.name == name.value);
            variable.map(|variable| variable.value.clone().into_bytes()).unwrap_or_default()
        }
        FileSource::Content(text) | FileSource::External(text) => text.value.clone().into_bytes(),
    }
}

impl GrantedFiles {
    /// What a pod needs.
    pub(super) fn of_pod(&self, file: &ComposeFile) -> PodFiles<'_> {
        let mut pod = PodFiles::default();
        let mut seen: Vec<String> = Vec::new();
        for service in &file.services {
            for (grant, granted, volume) in self.of_service(service) {
                if seen.contains(&volume) {
                    continue;
                }
                let mode = grant.mode.unwrap_or(DEFAULT_MODE);
                pod.volumes.push(if granted.is_config_map {
                    json!({"name": volume, "configMap": {"name": granted.object, "defaultMode": mode}})
                } else {
                    json!({"name": volume, "secret": {"secretName": granted.object, "defaultMode": mode}})
                });
                pod.needs.extend(granted.need.clone());
                pod.digest_sources.extend(granted.digest_source.clone());
                pod.config_maps.extend(granted.config_map.as_deref());
                seen.push(volume);
            }
        }
        pod
    }

    fn of_service<'g, 's>(&'g self, service: &'s Service) -> Vec<(&'s FileGrant, &'g GrantedFile, String)> {
        let mut found = Vec::new();
        for kind in [FileKind::Secret, FileKind::Config] {
            for grant in grants(service, kind) {
                let Some(file) = self.files.get(&(kind, grant.source.value.clone())) else { continue };
                let mut volume = object_suffix(kind, &grant.source.value);
                if let Some(mode) = grant.mode {
                    volume = format!("{volume}-{mode:o}");
                }
                found.push((grant, file, volume_name(&volume)));
            }
        }
        found
    }

    /// How a container mounts them.
    pub(super) fn mounts(&self, service: &Service) -> Vec<Value> {
        let granted = self.of_service(service).into_iter();
        granted
            .map(|(grant, _, volume)| {
                json!({
                    "name": volume,
                    "mountPath": grant.target,
                    "subPath": grant.source.value,
                    "readOnly": true,
                })
            })
            .collect()
    }
}
