//! ConfigMaps: of the spec's `configmaps:` and of host-path binds in compose files.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::address::ResourceType;
use crate::compose::{ComposeFile, VolumeSource};
use crate::place::Place;
use crate::resource::Resource;
use crate::source::{SourceEntry, SourceReader, join_path, normalize_path};
use crate::value::hexadecimal;

use super::check::host_path_volume_name;
use super::input::CheckedDeployment;
use super::naming::{Naming, member_path};

/// The ConfigMaps of a deployment, by volume name.
#[derive(Debug, Default)]
pub(super) struct ConfigMaps {
    /// The compiled objects, by the name under which pods mount them.
    pub by_volume: BTreeMap<String, CompiledConfigMap>,
    /// For each host path as written in a compose file: how it is mounted.
    pub binds: BTreeMap<String, Bind>,
}

/// One ConfigMap.
#[derive(Debug)]
pub(super) struct CompiledConfigMap {
    /// The object.
    pub resource: Resource,
    /// SHA-256 over keys and contents; in the compose dialect alone, which is the one that uses it.
    pub digest: [u8; 32],
}

/// How a host path is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bind {
    /// The pod volume.
    pub volume: String,
    /// The file within it, when a single file is mounted.
    pub sub_path: Option<String>,
}

/// Compiles every ConfigMap of a deployment.
pub(super) fn config_maps(checked: &CheckedDeployment, naming: &Naming<'_>, reader: &dyn SourceReader) -> ConfigMaps {
    let mut maps = ConfigMaps::default();
    for (name, path) in &checked.spec.configmaps {
        let is_declared = |(_, file): &(String, ComposeFile)| file.volumes.iter().any(|it| it.value == name.value);
        if !checked.pods.iter().chain(&checked.jobs).any(is_declared) {
            continue;
        }
        let written = path.as_ref().map_or("", |path| path.value.as_str());
        let files = read_configmap(reader, checked, &name.value, written);
        let map = compile(naming, &name.value, files, Some(&name.place));
        maps.by_volume.insert(name.value.clone(), map);
    }
    let files = checked.pods.iter().chain(&checked.jobs).map(|(_, file)| file);
    let mounts = files.flat_map(|file| {
        file.services.iter().flat_map(|service| &service.volumes).map(|mount| (file.folder.as_str(), mount))
    });
    for (folder, mount) in mounts {
        let VolumeSource::HostPath(source) = &mount.source else { continue };
        if maps.binds.contains_key(source) {
            continue;
        }
        let volume = host_path_volume_name(source);
        let path = join_path(folder, source);
        let (files, sub_path) = read_bind(reader, &path);
        // The first of several paths with one name gives the content, as laconic-so does; LAC106 tells of it.
        if !maps.by_volume.contains_key(&volume) {
            let map = compile(naming, &volume, files, Some(&mount.place));
            maps.by_volume.insert(volume.clone(), map);
        }
        maps.binds.insert(source.clone(), Bind { volume, sub_path });
    }
    maps
}

type Files = Vec<(String, Arc<[u8]>)>;

fn read_directory(reader: &dyn SourceReader, path: &str) -> Option<Files> {
    let SourceEntry::Directory(entries) = reader.entry(path).ok()? else { return None };
    let files = entries.into_iter().filter(|entry| !entry.is_directory);
    Some(
        files
            .filter_map(|entry| Some((reader.read(&join_path(path, &entry.name)).ok()?, entry.name)))
            .map(|(bytes, name)| (name, bytes))
            .collect(),
    )
}

/// The path of a ConfigMap's files. A deployment directory has its copies of all ConfigMaps in one folder. In a repository
/// nothing, or `./configmaps/NAME`, means the stack's `config/NAME`; another path is meant from the folder of the spec
/// file. One that begins with `./` and is not there means the stack's folder too, as it does to laconic-so.
pub(super) fn configmap_source(
    reader: &dyn SourceReader,
    configmap_directory: &str,
    spec_file: &str,
    name: &str,
    written: &str,
) -> String {
    let of_stack = || join_path(configmap_directory, name);
    let is_copy = configmap_directory == "configmaps";
    if is_copy || written.is_empty() {
        return of_stack();
    }
    let folder = spec_file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = join_path(folder, written);
    if !written.starts_with("./") {
        return path;
    }
    let is_usual = normalize_path(written) == format!("configmaps/{name}");
    let is_there = || matches!(reader.entry(&path), Ok(SourceEntry::Directory(_) | SourceEntry::File(_)));
    if !is_usual && is_there() { path } else { of_stack() }
}

fn read_configmap(reader: &dyn SourceReader, checked: &CheckedDeployment, name: &str, written: &str) -> Files {
    let path = configmap_source(reader, &checked.configmap_directory, &checked.spec.file, name, written);
    read_bind(reader, &path).0
}

fn read_bind(reader: &dyn SourceReader, path: &str) -> (Files, Option<String>) {
    match reader.entry(path) {
        Ok(SourceEntry::File(_)) => {
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            let files = reader.read(path).map(|bytes| vec![(name.clone(), bytes)]).unwrap_or_default();
            (files, Some(name))
        }
        Ok(SourceEntry::Directory(_)) => (read_directory(reader, path).unwrap_or_default(), None),
        Ok(SourceEntry::Other) | Err(_) => (Vec::new(), None),
    }
}

fn compile(naming: &Naming<'_>, name: &str, files: Files, place: Option<&Place>) -> CompiledConfigMap {
    let mut data = Map::new();
    let mut binary = Map::new();
    let mut hash = Sha256::new();
    for (key, bytes) in files {
        if naming.is_compose() {
            for part in [key.as_bytes(), &bytes] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) if naming.is_compose() => data.insert(key, text.into()),
            _ => binary.insert(key, base64::engine::general_purpose::STANDARD.encode(&bytes).into()),
        };
    }
    let object_name = naming.object_name(name);
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), "v1".into());
    object.insert("kind".to_owned(), "ConfigMap".into());
    object.insert("metadata".to_owned(), naming.metadata(&object_name, Some(("configmap-label", name))));
    let mut places = Vec::new();
    for (member, content) in [("binaryData", binary), ("data", data)] {
        if content.is_empty() {
            continue;
        }
        if let (Some(place), [key]) = (place, content.keys().collect::<Vec<_>>().as_slice()) {
            places.push((member_path(member, key), place.clone()));
        }
        object.insert(member.to_owned(), Value::Object(content));
    }
    let mut resource = naming.resource(ResourceType::ConfigMap, name, Value::Object(object), place);
    resource.places = places;
    CompiledConfigMap { resource, digest: hash.finalize().into() }
}

/// A ConfigMap of one file.
pub(super) fn single_file(
    naming: &Naming<'_>,
    name: &str,
    key: &str,
    content: &[u8],
    place: &Place,
) -> CompiledConfigMap {
    compile(naming, name, vec![(key.to_owned(), Arc::from(content))], Some(place))
}

/// The text that makes pods roll when what they read at start changes: contents of ConfigMaps by digest, Secrets only
/// by the names of their sources, never by their values.
pub(super) fn config_digest(maps: &[&CompiledConfigMap], secret_sources: &[String]) -> Option<String> {
    if maps.is_empty() && secret_sources.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    for map in maps {
        hash.update(map.resource.address.short_name().as_bytes());
        hash.update([0]);
        hash.update(map.digest);
    }
    for source in secret_sources {
        hash.update([1]);
        hash.update(source.as_bytes());
        hash.update([0]);
    }
    Some(hexadecimal(&hash.finalize()))
}
