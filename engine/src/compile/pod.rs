//! Pods: what Deployments and Jobs have in common.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::address::{Address, ResourceType, Scope};
use crate::compose::{ComposeFile, Service, VolumeSource};
use crate::place::Place;
use crate::spec::Dialect;

use super::amount::{Notation, size as size_of};
use super::config_map::{CompiledConfigMap, config_digest};
use super::container::{CERTIFICATE_VOLUME, Role, container};
use super::host_alias::host_aliases;
use super::lower::Context;
use super::naming::volume_name;
use super::pod_settings::pod_settings;
use super::secret::{CA_CERTIFICATES, GENERATED};
use super::start_order::{Stage, start_order};

/// The runtime class that `unlimited-memlock` asks for.
pub const HIGH_MEMLOCK: &str = "high-memlock";

/// A compiled pod.
pub(super) struct Pod {
    /// The pod template's `spec`.
    pub spec: Map<String, Value>,
    /// What it needs beside its Namespace.
    pub needs: Vec<Address>,
    /// Places of its fields, from the workload's root.
    pub places: Vec<(String, Place)>,
    /// Digest of what it reads from ConfigMaps and Secrets at its start; in the compose dialect alone.
    pub config_digest: Option<String>,
}

/// Compiles a compose file to the pod of a Deployment or Job.
pub(super) fn pod(context: &Context<'_>, file: &ComposeFile, is_job: bool) -> Pod {
    let spec = &context.checked.spec;
    let naming = &context.naming;
    let role = if is_job { Role::Job } else { Role::Regular };
    let takes_settings = context.takes_pod_settings(role);
    let mut places = Vec::new();
    let mut object = Map::new();
    let (mut containers, mut init_containers) = (Vec::new(), Vec::new());
    let order = if naming.is_compose() {
        start_order(file)
    } else {
        // laconic-so runs every service of a job side by side.
        let stage = |service: &Service| if service.is_init && !is_job { Stage::Init } else { Stage::Regular };
        file.services.iter().map(|service| (service, stage(service))).collect()
    };
    for (service, stage) in &order {
        let compiled = container(context, file, service, if *stage == Stage::Init { Role::Init } else { role }, *stage);
        places.extend(compiled.places);
        if *stage == Stage::Regular { &mut containers } else { &mut init_containers }.push(compiled.object);
    }
    object.insert("containers".to_owned(), containers.into());
    if !init_containers.is_empty() {
        object.insert("initContainers".to_owned(), init_containers.into());
    }
    let pull_secrets: Vec<Value> = context.registry_secret.iter().map(|name| json!({"name": name})).collect();
    object.insert("imagePullSecrets".to_owned(), pull_secrets.into());
    let (mut volumes, mut needs, mut maps) = volumes(context, file, takes_settings);
    let files = context.granted_files.of_pod(file);
    volumes.extend(files.volumes);
    needs.extend(files.needs);
    maps.extend(files.config_maps.iter().filter_map(|name| context.config_maps.by_volume.get(*name)));
    object.insert("volumes".to_owned(), volumes.into());
    if takes_settings {
        scheduling(context, &mut object, &mut needs);
        if has_host_network(context, file, is_job) {
            object.insert("hostNetwork".to_owned(), true.into());
            object.insert("dnsPolicy".to_owned(), "ClusterFirstWithHostNet".into());
        }
    }
    if naming.is_compose() {
        let has_ended = |service: &Service| {
            order.iter().any(|(other, stage)| *stage == Stage::Init && other.name.value == service.name.value)
        };
        let below = |(path, place)| (format!("spec.template.spec.{path}"), place);
        let (aliases, alias_places) = host_aliases(file, &has_ended);
        if !aliases.is_empty() {
            object.insert("hostAliases".to_owned(), aliases.into());
        }
        places.extend(alias_places.into_iter().map(below));
        let settings = pod_settings(file);
        object.extend(settings.members);
        places.extend(settings.places.into_iter().map(below));
    }
    let mut sources: Vec<String> = files.digest_sources;
    if context.registry_secret.is_some() && context.has_registry_secret {
        needs.push(naming.address(ResourceType::Secret, "registry"));
    }
    if !context.checked.generated.is_empty() {
        needs.push(naming.address(ResourceType::Secret, GENERATED));
        sources.extend(context.checked.generated.iter().map(|(name, _, _)| format!("generated {name}")));
    }
    if takes_settings && !spec.ca_certificates.is_empty() {
        needs.push(naming.address(ResourceType::Secret, CA_CERTIFICATES));
        sources.extend(spec.ca_certificates.iter().map(|file| format!("file {}", file.value)));
    }
    sources.sort_unstable();
    // Deployments that laconic-so made have no digest and must not roll when they are adopted.
    let config_digest = naming.is_compose().then(|| config_digest(&maps, &sources)).flatten();
    Pod { spec: object, needs, places, config_digest }
}

/// Pod volumes: every top-level volume of the compose file, mounted or not, then the host paths.
fn volumes<'c>(
    context: &'c Context<'_>,
    file: &ComposeFile,
    takes_settings: bool,
) -> (Vec<Value>, Vec<Address>, Vec<&'c CompiledConfigMap>) {
    let naming = &context.naming;
    let (mut volumes, mut needs, mut maps) = (Vec::new(), Vec::new(), Vec::new());
    let mut config_map = |name: &str, needs: &mut Vec<Address>| {
        if let Some(map) = context.config_maps.by_volume.get(name) {
            needs.push(map.resource.address.clone());
            maps.push(map);
        }
        let source = object! {"name" => naming.object_name(name), "defaultMode" => 0o755};
        object! {"name" => name, "configMap" => source}
    };
    for volume in &file.volumes {
        let name = volume.value.as_str();
        if context.config_map_names.contains(name) {
            volumes.push(config_map(name, &mut needs));
        } else {
            if let Some(addresses) = context.volumes.addresses.get(name) {
                needs.extend(addresses.first().cloned());
            }
            let claim = object! {"claimName" => naming.object_name(name)};
            volumes.push(object! {"name" => name, "persistentVolumeClaim" => claim});
        }
    }
    let mut seen = BTreeSet::new();
    for service in &file.services {
        for (index, mount) in service.volumes.iter().enumerate() {
            match &mount.source {
                VolumeSource::HostPath(path) => {
                    let Some(bind) = context.config_maps.binds.get(path) else { continue };
                    if seen.insert(bind.volume.as_str()) {
                        volumes.push(config_map(&bind.volume, &mut needs));
                    }
                }
                VolumeSource::Anonymous if naming.is_compose() => {
                    let name = anonymous_volume(&service.name.value, index);
                    volumes.push(json!({"name": name, "emptyDir": {}}));
                }
                VolumeSource::Named(_) | VolumeSource::Anonymous => {}
            }
        }
        for (index, mount) in service.memory_mounts.iter().enumerate() {
            let mut source = json!({"medium": "Memory"});
            let size =
                mount.size.as_ref().and_then(|size| size_of(&size.value.text, Notation::Compose, Dialect::Compose));
            if let Some(size) = size.filter(|size| size.bytes().any(|byte| matches!(byte, b'1'..=b'9'))) {
                source["sizeLimit"] = size.into();
            }
            volumes.push(json!({"name": memory_volume(&service.name.value, index), "emptyDir": source}));
        }
    }
    if takes_settings && !context.checked.spec.ca_certificates.is_empty() {
        let secret = json!({"secretName": naming.object_name(CA_CERTIFICATES)});
        volumes.push(json!({"name": CERTIFICATE_VOLUME, "secret": secret}));
    }
    (volumes, needs, maps)
}

/// The pod volume of an anonymous mount, by its place in the service's list.
pub(super) fn anonymous_volume(service: &str, index: usize) -> String {
    volume_name(&format!("anonymous-{service}-{index}"))
}

/// The pod volume of a mount in memory, by its place in the service's list.
pub(super) fn memory_volume(service: &str, index: usize) -> String {
    volume_name(&format!("memory-{service}-{index}"))
}

/// laconic-so puts all pods on the host's network when a service of any of them wants it.
fn has_host_network(context: &Context<'_>, file: &ComposeFile, is_job: bool) -> bool {
    let wants = |file: &ComposeFile| file.services.iter().any(|service| service.host_network.is_some());
    if context.naming.is_compose() || is_job { wants(file) } else { context.any_host_network }
}

fn scheduling(context: &Context<'_>, object: &mut Map<String, Value>, needs: &mut Vec<Address>) {
    let spec = &context.checked.spec;
    if !spec.node_affinities.is_empty() {
        let term =
            |key: &str, value: &str| json!({"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]});
        let affinities = spec.node_affinities.iter();
        let terms: Vec<Value> = affinities.map(|entry| term(&entry.key.value, &entry.value.value)).collect();
        let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
        object.insert("affinity".to_owned(), json!({"nodeAffinity": required}));
    }
    if !spec.node_tolerations.is_empty() {
        let tolerations = spec.node_tolerations.iter().map(|entry| {
            json!({"effect": "NoSchedule", "key": entry.key.value, "operator": "Equal", "value": entry.value.value})
        });
        object.insert("tolerations".to_owned(), tolerations.collect::<Vec<_>>().into());
    }
    let security = &spec.security;
    if let Some(class) = &security.runtime_class {
        object.insert("runtimeClassName".to_owned(), class.value.as_str().into());
    } else if security.unlimited_memlock.as_ref().is_some_and(|wished| wished.value) {
        object.insert("runtimeClassName".to_owned(), HIGH_MEMLOCK.into());
        if let Some(cluster) = context.target.kind_cluster() {
            needs.push(Address::new(ResourceType::RuntimeClass, Scope::cluster(cluster), HIGH_MEMLOCK));
        }
    }
}
