//! Volumes: where their bytes are, and the PersistentVolume and PersistentVolumeClaim of each.
//!
//! A kind node sees the umbrella (`kind-mount-root`) at `/mnt`, and a directory outside it at `/mnt/VOLUME` through a
//! mount of its own. Where laconic-so placed a volume elsewhere than these rules do, an existing directory keeps the
//! old place, because moving a PersistentVolume leaves the bytes behind; [`locate`] says which places those are.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::{Address, ResourceType};
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::resource::{Resource, Target};
use crate::source::{is_under, join_path, normalize_path};
use crate::spec::{Dialect, Located};
use crate::state::VolumeStorage;

use super::amount::{Notation, size};
use super::input::CheckedDeployment;
use super::naming::Naming;

/// Where a kind node sees the umbrella.
pub const UMBRELLA: &str = "/mnt";

/// Where the bytes of a volume with a path are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The path the node sees: the `hostPath` of the PersistentVolume.
    pub node_path: String,
    /// The directory of the host.
    pub host_path: String,
    /// Whether the host directory has to be mounted into the kind node at `node_path`.
    pub needs_mount: bool,
    /// Where the bytes really are.
    pub storage: VolumeStorage,
}

/// Where the bytes of the volume `name` with that path are on a kind cluster.
///
/// `is_mounted_by_pod`: whether a service of a pod mounts it; laconic-so made mounts only for those.
pub(super) fn locate(
    name: &str,
    path: &str,
    directory: &str,
    root: Option<&str>,
    dialect: Dialect,
    is_mounted_by_pod: bool,
) -> Location {
    let host_path = join_path(directory, path);
    let own_path = format!("{UMBRELLA}/{name}");
    let below_root = root.filter(|root| is_under(&host_path, root));
    let Some(root) = below_root else {
        let needs_mount = is_mounted_by_pod || dialect == Dialect::Compose;
        let storage = match (needs_mount, root) {
            (true, _) => VolumeStorage::Host(host_path.clone()),
            (false, Some(root)) => VolumeStorage::Host(join_path(root, name)),
            (false, None) => VolumeStorage::Overlay,
        };
        return Location { node_path: own_path, host_path, needs_mount, storage };
    };
    // laconic-so looked at the path as written: a relative one never was under the umbrella for it, and the volume lies
    // in the umbrella's folder of the volume's name.
    if dialect == Dialect::LaconicSo && !path.starts_with(root) {
        let storage = VolumeStorage::Host(join_path(root, name));
        return Location { node_path: own_path, host_path, needs_mount: false, storage };
    }
    let below = host_path.strip_prefix(normalize_path(root).trim_end_matches('/')).unwrap_or_default();
    let node_path = match (below, dialect) {
        // The spelling that existing volumes have; a volume's source cannot be changed.
        ("", Dialect::LaconicSo) => format!("{UMBRELLA}/."),
        (below, _) => format!("{UMBRELLA}{below}"),
    };
    let storage = VolumeStorage::Host(host_path.clone());
    Location { node_path, host_path, needs_mount: false, storage }
}

/// What the volumes of a deployment come to.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// PersistentVolumes and claims.
    pub resources: Vec<Resource>,
    /// Storage by volume.
    pub storage: BTreeMap<String, VolumeStorage>,
    /// Addresses of claim and volume, by volume.
    pub addresses: BTreeMap<String, Vec<Address>>,
    /// Node path → host path and the line that wants it.
    pub mounts: BTreeMap<String, (String, Place)>,
    /// What there is to say.
    pub findings: Vec<Finding>,
}

/// Compiles the volumes of the spec that a compose file declares.
pub(super) fn volumes(checked: &CheckedDeployment, naming: &Naming<'_>, target: &Target) -> Volumes {
    let mut volumes = Volumes::default();
    for (name, path) in &checked.spec.volumes {
        if !is_declared(checked, &name.value) || volumes.storage.contains_key(&name.value) {
            continue;
        }
        let path = path.as_ref().filter(|path| !path.value.is_empty());
        let volume = match (path, target.kind_cluster()) {
            (None, None) => {
                volumes.storage.insert(name.value.clone(), VolumeStorage::Provisioned);
                None
            }
            (None, Some(_)) => {
                volumes.storage.insert(name.value.clone(), VolumeStorage::Overlay);
                None
            }
            (Some(path), Some(cluster)) => Some(on_kind(checked, naming, cluster, name, path, &mut volumes)),
            (Some(path), None) => on_kubernetes(checked, naming, name, path, &mut volumes),
        };
        let has_path = path.is_some();
        let claim = claim(checked, naming, name, has_path, volume.as_ref());
        let mut addresses = vec![claim.address.clone()];
        volumes.resources.push(claim);
        if let Some(volume) = volume {
            addresses.push(volume.address.clone());
            volumes.resources.push(volume);
        }
        volumes.addresses.insert(name.value.clone(), addresses);
    }
    volumes
}

fn is_declared(checked: &CheckedDeployment, name: &str) -> bool {
    let mut files = checked.pods.iter().chain(&checked.jobs);
    files.any(|(_, file)| file.volumes.iter().any(|volume| volume.value == name))
}

fn is_mounted_by_pod(checked: &CheckedDeployment, name: &str) -> bool {
    use crate::compose::VolumeSource;
    let mut mounts = checked.pods.iter().flat_map(|(_, file)| &file.services).flat_map(|service| &service.volumes);
    mounts.any(|mount| matches!(&mount.source, VolumeSource::Named(source) if source == name))
}

fn on_kind(
    checked: &CheckedDeployment,
    naming: &Naming<'_>,
    cluster: &str,
    name: &Located<String>,
    path: &Located<String>,
    volumes: &mut Volumes,
) -> Resource {
    let root = checked.spec.kind_mount_root.as_ref().map(|root| root.value.as_str());
    let is_mounted = is_mounted_by_pod(checked, &name.value);
    let location = locate(&name.value, &path.value, &checked.directory, root, naming.dialect, is_mounted);
    judge(naming, name, path, root, &location, &mut volumes.findings);
    let scope = crate::address::Scope::cluster(cluster);
    let need = if location.needs_mount {
        Address::new(ResourceType::KindMount, scope, &location.node_path)
    } else if root.is_some() {
        Address::new(ResourceType::KindMount, scope, UMBRELLA)
    } else {
        Address::kind_cluster(cluster)
    };
    let mut volume = persistent_volume(checked, naming, name, path, &location.node_path);
    volume.needs.push(need);
    if location.needs_mount {
        volumes.mounts.insert(location.node_path, (location.host_path, path.place.clone()));
    }
    volumes.storage.insert(name.value.clone(), location.storage);
    volume
}

/// Says where the bytes are when that is not where the path says.
fn judge(
    naming: &Naming<'_>,
    name: &Located<String>,
    path: &Located<String>,
    root: Option<&str>,
    location: &Location,
    findings: &mut Vec<Finding>,
) {
    let subject = format!("{}/{}", naming.scope.name(), name.value);
    match (&location.storage, root) {
        (VolumeStorage::Host(real), Some(root)) if *real != location.host_path => {
            // LAC212 of the check tells of the other case, the relative path under the umbrella.
            if is_under(&location.host_path, root) {
                return;
            }
            let message = format!(
                "volume `{}` is stored in {real}, not in {}: no pod mounts it, only a job, and laconic-so makes no mount \
                 for jobs",
                name.value, location.host_path
            );
            findings.push(
                Finding::new(Code::OutsideUmbrella, message)
                    .at(&path.place)
                    .about(subject)
                    .help(format!("write the real place, `{}: {real}`, to keep the data and say so", name.value)),
            );
        }
        (VolumeStorage::Overlay, None) => findings.push(
            Finding::new(
                Code::EphemeralVolume,
                format!(
                    "volume `{}` dies with the cluster although it has a path: no pod mounts it, only a job, and laconic-so \
                     makes no mount for jobs",
                    name.value
                ),
            )
            .at(&path.place)
            .about(subject)
            .help("set `kind-mount-root` and put the path under it, or switch to `dialect: compose`"),
        ),
        _ => {}
    }
}

fn on_kubernetes(
    checked: &CheckedDeployment,
    naming: &Naming<'_>,
    name: &Located<String>,
    path: &Located<String>,
    volumes: &mut Volumes,
) -> Option<Resource> {
    let node_path = on_nodes(&path.value);
    volumes.storage.insert(name.value.clone(), VolumeStorage::Host(node_path.clone()));
    // A relative path is nowhere on another machine (LAC107); an existing deployment has its claim without a volume.
    node_path.starts_with('/').then(|| persistent_volume(checked, naming, name, path, &node_path))
}

/// A path on the nodes of a remote cluster: as it is written, which is how an existing volume has it, but without `..`, which
/// no PersistentVolume may have.
fn on_nodes(path: &str) -> String {
    let climbs = path.starts_with('/') && path.split('/').any(|component| component == "..");
    if climbs { normalize_path(path) } else { path.to_owned() }
}

fn storage_size(checked: &CheckedDeployment, naming: &Naming<'_>, name: &str) -> (String, Option<Place>) {
    let resources = &checked.spec.resources;
    let written = resources.volume.get(name).or(resources.volumes.as_ref());
    let read = |text: &str| size(text, Notation::Spec, naming.dialect);
    // The check has refused what is no size: an empty quantity is never written.
    match written.and_then(|written| Some((read(&written.value.text)?, written.place.clone()))) {
        Some((quantity, place)) => (quantity, Some(place)),
        None => (read("2Gi").unwrap_or_else(|| "2Gi".to_owned()), None),
    }
}

fn persistent_volume(
    checked: &CheckedDeployment,
    naming: &Naming<'_>,
    name: &Located<String>,
    path: &Located<String>,
    node_path: &str,
) -> Resource {
    let object_name = naming.object_name(&name.value);
    let mut labels = naming.labels();
    labels.insert("volume-label".to_owned(), object_name.as_str().into());
    let (storage, storage_place) = storage_size(checked, naming, &name.value);
    let attributes = object! {
        "apiVersion" => "v1",
        "kind" => "PersistentVolume",
        "metadata" => object! {"name" => object_name, "labels" => labels},
        "spec" => object! {
            "accessModes" => vec!["ReadWriteOnce"],
            "capacity" => object! {"storage" => storage},
            "hostPath" => object! {"path" => node_path},
            "storageClassName" => "manual",
        },
    };
    let mut volume = Resource::new(naming.address(ResourceType::PersistentVolume, &name.value), attributes);
    volume.place = Some(name.place.clone());
    volume.places.extend(storage_place.map(|place| ("spec.capacity.storage".to_owned(), place)));
    volume.places.push(("spec.hostPath.path".to_owned(), path.place.clone()));
    volume
}

fn claim(
    checked: &CheckedDeployment,
    naming: &Naming<'_>,
    name: &Located<String>,
    has_path: bool,
    volume: Option<&Resource>,
) -> Resource {
    let object_name = naming.object_name(&name.value);
    let (storage, storage_place) = storage_size(checked, naming, &name.value);
    let mut spec = object! {
        "accessModes" => vec!["ReadWriteOnce"],
        "resources" => object! {"requests" => object! {"storage" => storage}},
    };
    if has_path {
        spec["storageClassName"] = Value::from("manual");
        spec["volumeName"] = Value::from(object_name.as_str());
    }
    let attributes = object! {
        "apiVersion" => "v1",
        "kind" => "PersistentVolumeClaim",
        "metadata" => naming.metadata(&object_name, Some(("volume-label", &object_name))),
        "spec" => spec,
    };
    let mut claim = naming.resource(ResourceType::PersistentVolumeClaim, &name.value, attributes, Some(&name.place));
    claim.needs.extend(volume.map(|volume| volume.address.clone()));
    claim.places.extend(storage_place.map(|place| ("spec.resources.requests.storage".to_owned(), place)));
    claim
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, dialect: Dialect, is_mounted: bool) -> Location {
        locate("vol", path, "/srv/kind/deployments/shop", Some("/srv/kind"), dialect, is_mounted)
    }

    #[test]
    fn no_path_on_other_nodes_climbs() {
        let table =
            [("/srv/a/../b", "/srv/b"), ("/srv/a//b/", "/srv/a//b/"), ("/srv/a..b", "/srv/a..b"), ("../b", "../b")];
        assert_eq!(table.map(|(path, _)| on_nodes(path)), table.map(|(_, expected)| expected.to_owned()));
    }

    #[test]
    fn a_sibling_of_the_umbrella_gets_its_own_mount() {
        let location = at("/srv/kind2/x", Dialect::LaconicSo, true);
        assert_eq!(location.node_path, "/mnt/vol");
        assert!(location.needs_mount);
    }

    #[test]
    fn a_relative_path_under_the_umbrella_keeps_its_real_place() {
        let old = at("./data", Dialect::LaconicSo, true);
        assert_eq!((old.node_path.as_str(), old.needs_mount), ("/mnt/vol", false));
        assert_eq!(old.storage, VolumeStorage::Host("/srv/kind/vol".to_owned()));
        let new = at("./data", Dialect::Compose, true);
        assert_eq!(new.node_path, "/mnt/deployments/shop/data");
        assert_eq!(new.storage, VolumeStorage::Host("/srv/kind/deployments/shop/data".to_owned()));
    }

    #[test]
    fn a_volume_of_a_job_alone_is_mounted_only_in_the_compose_dialect() {
        let old = locate("vol", "/opt/x", "/d", None, Dialect::LaconicSo, false);
        assert_eq!((old.needs_mount, old.storage), (false, VolumeStorage::Overlay));
        let new = locate("vol", "/opt/x", "/d", None, Dialect::Compose, false);
        assert_eq!((new.needs_mount, new.storage), (true, VolumeStorage::Host("/opt/x".to_owned())));
    }

    #[test]
    fn a_path_under_the_umbrella_is_seen_below_mnt() {
        assert_eq!(at("/srv/kind/a/b/", Dialect::LaconicSo, true).node_path, "/mnt/a/b");
        assert_eq!(at("/srv/kind", Dialect::Compose, true).node_path, "/mnt");
    }
}
