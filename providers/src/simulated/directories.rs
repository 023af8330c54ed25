//! Paths in the node of a kind cluster: through mounts and symbolic links to where their bytes are.

use std::collections::{BTreeMap, BTreeSet};

use laconic_engine::address::ResourceType;
use laconic_engine::apply::TargetRequest;
use laconic_engine::certificate::backup_path;
use laconic_engine::compile::UMBRELLA;
use laconic_engine::resource::{Allocatable, CertificateBackup, MountSource, NodeDirectory, NodeFacts, Target};
use laconic_engine::source::{is_under, normalize_path};

use super::machine::{FileEntry, FileSystem, Files, KindCluster, Machine, time_text};

/// What a node gives to pods.
const NODE_PROCESSORS: &str = "16";
const NODE_MEMORY: &str = "64Gi";

/// Linux follows no more symbolic links than this on one path.
const MOST_LINKS: usize = 40;

/// Where a path of a node leads.
pub struct Resolved {
    /// The path with every symbolic link resolved, as the node sees it.
    pub real_path: String,
    /// The file system and the path in it.
    pub entry: (FileSystem, String),
}

/// Follows a path of a node; `None` when there is no such cluster.
pub fn resolve(machine: &Machine, cluster: &str, path: &str) -> Option<Resolved> {
    let node = machine.clusters.get(cluster)?;
    let mut left: Vec<String> = parts(path);
    let mut real_path = String::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        let next = normalize_path(&format!("{real_path}/{part}"));
        let (file_system, place) = entry(node, cluster, &next);
        match machine.file(&file_system, &place) {
            Some(FileEntry::Link(target)) if links < MOST_LINKS => {
                links += 1;
                if target.starts_with('/') {
                    real_path.clear();
                }
                left.extend(parts(target));
            }
            _ => real_path = next,
        }
    }
    let entry = entry(node, cluster, if real_path.is_empty() { "/" } else { &real_path });
    Some(Resolved { real_path, entry })
}

/// The parts of a path, the first one last.
fn parts(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

/// Where a path of a node is, links not followed: under the deepest mount above it, else in the node.
fn entry(node: &KindCluster, cluster: &str, path: &str) -> (FileSystem, String) {
    let mounts = node.attributes["extraMounts"].as_array().into_iter().flatten();
    let mounted = mounts
        .filter_map(|mount| Some((mount["containerPath"].as_str()?, mount["hostPath"].as_str()?)))
        .filter(|(container, _)| is_under(path, container))
        .max_by_key(|(container, _)| container.trim_end_matches('/').len());
    match mounted {
        Some((container, host)) if !node.detached.contains(container) => {
            let rest = path.get(container.trim_end_matches('/').len()..).unwrap_or_default();
            (FileSystem::Host, normalize_path(&format!("{host}{rest}")))
        }
        // A directory that the host has no more is the node's alone.
        _ => (FileSystem::Overlay(cluster.to_owned()), path.to_owned()),
    }
}

/// What there is to see in the node of a kind cluster.
pub fn facts(machine: &Machine, target: &Target, wanted: &TargetRequest) -> NodeFacts {
    let Some((cluster, node)) = target.kind_cluster().and_then(|name| machine.clusters.get_key_value(name)) else {
        let (count, allocatable) = (Some(machine.node_count(target)), allocatable(machine, target, wanted));
        return NodeFacts { count, allocatable, ..NodeFacts::default() };
    };
    let volumes = machine.objects_of(target, ResourceType::PersistentVolume);
    let paths: BTreeSet<String> = volumes.iter().map(|volume| volume.text("/spec/hostPath/path").to_owned()).collect();
    let directories = paths
        .into_iter()
        .map(|path| normalize_path(&path))
        .filter(|path| path.starts_with('/'))
        .filter_map(|path| {
            let resolved = resolve(machine, cluster, &path)?;
            let bytes = size(machine, &resolved.entry);
            let size = bytes.filter(|_| wanted.sizes);
            Some((path, NodeDirectory { real_path: resolved.real_path, holds_data: bytes.is_some(), size }))
        })
        .collect();
    let mounts = node.attributes["extraMounts"].as_array().into_iter().flatten();
    let mounts: BTreeMap<String, MountSource> = mounts
        .filter_map(|mount| mount["containerPath"].as_str())
        .map(|path| {
            let source = if node.detached.contains(path) { MountSource::Replaced } else { MountSource::Same };
            (path.to_owned(), source)
        })
        .collect();
    let backup = resolve(machine, cluster, &backup_path(UMBRELLA));
    let certificate_backup = backup.map(|place| saved(machine, &place.entry));
    let images = wanted.images.then(|| machine.images_of(cluster));
    let (count, allocatable) = (Some(machine.node_count(target)), allocatable(machine, target, wanted));
    NodeFacts { directories, mounts, count, certificate_backup, allocatable, images }
}

/// The backup of certificates on the host, for a cluster that is not there.
pub fn backup_on_host(machine: &Machine, path: &str) -> CertificateBackup {
    saved(machine, &(FileSystem::Host, path.to_owned()))
}

fn saved(machine: &Machine, (file_system, path): &(FileSystem, String)) -> CertificateBackup {
    match machine.file(file_system, path) {
        Some(FileEntry::Data(text)) if !text.is_empty() => {
            let at = machine.written.get(path).filter(|_| *file_system == FileSystem::Host);
            CertificateBackup::Saved { at: at.map(|seconds| time_text(*seconds)) }
        }
        _ => CertificateBackup::Missing,
    }
}

/// What the nodes give to pods: each one is a machine of some size.
fn allocatable(machine: &Machine, target: &Target, wanted: &TargetRequest) -> BTreeMap<String, Allocatable> {
    let count = if wanted.allocatable { machine.node_count(target) } else { 0 };
    let size = || Allocatable { cpu: NODE_PROCESSORS.to_owned(), memory: NODE_MEMORY.to_owned() };
    (1..=count).map(|number| (format!("{}-node-{number}", target.name()), size())).collect()
}

/// How much data is at a path and below it; `None` when there is none.
fn size(machine: &Machine, (file_system, path): &(FileSystem, String)) -> Option<u64> {
    let files: &Files = match file_system {
        FileSystem::Host => &machine.files,
        FileSystem::Overlay(cluster) => &machine.clusters.get(cluster)?.overlay,
        FileSystem::Node(remote) => &machine.remotes.get(remote)?.files,
    };
    let data = files.iter().filter_map(|(there, entry)| match entry {
        FileEntry::Data(text) if is_under(there, path) => Some(text.len() as u64),
        _ => None,
    });
    data.reduce(|one, other| one + other)
}
