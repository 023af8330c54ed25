//! Bytes that are not where they seem to be, or not only one deployment's: LAC306, 309, 310, 311.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::plan::change::{Action, Reason};
use crate::plan::document::VolumeForecast;
use crate::plan::fate::Whereabouts;
use crate::plan::forecast::claim_address;
use crate::plan::planner::{Judged, Judgement, live_cluster, registers};
use crate::resource::{Live, MountSource, Target};

/// LAC306, 310, 311.
pub fn bytes(judgement: &Judgement<'_>, forecast: &[VolumeForecast], findings: &mut Vec<Finding>) {
    in_use(judgement, findings);
    under_missing_mounts(judgement, forecast, findings);
    remade_directories(judgement, findings);
}

/// LAC309: the files alone cannot know how many nodes there are. With one nothing has to be said.
pub fn count_nodes(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    let remote = || judgement.input.world.iter().filter(|(target, _)| target.kind_cluster().is_none());
    let counts: BTreeSet<Option<usize>> = remote().map(|(_, observed)| observed.node.count).collect();
    if counts.len() == 1 && counts.contains(&Some(1)) {
        findings.retain(|finding| finding.code != Code::NodeLocalVolume);
    }
    for (target, observed) in &judgement.input.world {
        let (Some(cluster), Some(count @ 2..)) = (target.kind_cluster(), observed.node.count) else { continue };
        for deployment in judgement.input.deployments.iter().filter(|one| one.target == *target) {
            for resource in &deployment.resources {
                let is_directory = resource.address.resource_type == ResourceType::PersistentVolume;
                if !is_directory {
                    continue;
                }
                let name = format!("{}/{}", deployment.name, resource.address.short_name());
                let message = format!(
                    "the volume `{name}` is a directory of one node, and the cluster `{cluster}` has {count}: its pod finds \
                     another one when it moves"
                );
                findings.push(
                    Finding::new(Code::NodeLocalVolume, message)
                        .about(name)
                        .at_maybe(resource.place.as_ref())
                        .help("keep its pods on one node: `node-affinities: [{label: kubernetes.io/hostname, value: NODE}]`")
                        .help("or mount the directory into every node of the cluster when it is made"),
                );
            }
        }
    }
}

/// Volumes that go by this plan itself, and not because their cluster does.
fn is_deleted(judged: &Judged<'_>) -> bool {
    let with_cluster = matches!(
        judged.verdict.reason,
        Reason::ClusterReplaced { .. } | Reason::ClusterDeleted { .. } | Reason::ClusterLost { .. }
    );
    matches!(judged.verdict.action, Action::Delete | Action::Replace) && !with_cluster
}

fn in_use(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (address, judged) in &judgement.resources {
        if !is_deleted(judged) || address.scope.is_cluster() {
            continue;
        }
        let users = match address.resource_type {
            ResourceType::PersistentVolume => claim_of_others(judgement, address, judged),
            ResourceType::PersistentVolumeClaim => pods_of_others(judgement, address, judged),
            ResourceType::Namespace => claims_of_others(judgement, address, judged),
            _ => continue,
        };
        for (volume, user) in users {
            findings.push(
                Finding::new(Code::VolumeInUse, format!("the volume `{volume}` would be deleted, and {user}"))
                    .about(volume)
                    .at_maybe(place(judgement, address, judged).as_ref())
                    .help("take it from there first, or keep it in the spec until nobody uses it any more"),
            );
        }
    }
}

/// The line behind a resource that goes: its own, or where the spec names its cluster.
fn place(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> Option<Place> {
    let own = judged.item.desired.and_then(|desired| desired.place.clone());
    own.or_else(|| {
        let deployment = judgement.input.deployments.iter().find(|one| one.name == address.scope.name())?;
        deployment.wish_places.get("deploy_to").cloned()
    })
}

fn objects<'a>(
    judgement: &Judgement<'a>,
    target: &Target,
) -> impl Iterator<Item = (&'a ObjectKey, &'a Live)> + use<'a> {
    judgement.input.world.get(target).into_iter().flat_map(|observed| observed.objects.iter().flatten())
}

/// The keys of everything that is recorded of a deployment or that it wants.
fn own_keys(judgement: &Judgement<'_>, scope: &Scope) -> BTreeSet<ObjectKey> {
    let own = judgement.resources.iter().filter(|(address, _)| address.scope == *scope);
    own.flat_map(|(_, judged)| {
        let recorded = judged.item.recorded.map(|recorded| recorded.key.clone());
        recorded.into_iter().chain(judged.item.desired.map(|desired| desired.key()))
    })
    .collect()
}

/// What people call the deployment that an object belongs to.
fn whose(judgement: &Judgement<'_>, target: &Target, key: &ObjectKey, live: &Live) -> String {
    let registered =
        registers(judgement.input).into_iter().filter(|(one, _)| *one == target).find_map(|(_, register)| {
            let mut tenants = register.tenants.iter();
            tenants.find(|(_, tenant)| *tenant.namespace == *key.namespace).map(|(name, _)| name.clone())
        });
    let labelled = || live.attributes["metadata"]["labels"]["app"].as_str().map(str::to_owned);
    registered.or_else(labelled).unwrap_or_else(|| format!("the namespace {}", key.namespace))
}

/// A volume that is bound to somebody else's claim.
fn claim_of_others(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> Vec<(String, String)> {
    let Some(volume) = judged.item.live else { return Vec::new() };
    let reference = |member: &str| volume.attributes["spec"]["claimRef"][member].as_str().unwrap_or_default();
    let key = ObjectKey::new(ResourceType::PersistentVolumeClaim, reference("namespace"), reference("name"));
    let target = judged.item.target;
    let claim = objects(judgement, target).find(|(one, _)| **one == key);
    let Some((_, claim)) = claim.filter(|_| !own_keys(judgement, &address.scope).contains(&key)) else {
        return Vec::new();
    };
    let user = whose(judgement, target, &key, claim);
    let name = format!("{}/{}", address.scope.name(), address.short_name());
    vec![(name, format!("`{user}` uses it: its claim {}/{} is bound to it", key.namespace, key.name))]
}

/// A claim that somebody else's pods mount.
fn pods_of_others(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> Vec<(String, String)> {
    let Some(claim) = judged.item.recorded.map(|recorded| &recorded.key) else { return Vec::new() };
    let (target, own) = (judged.item.target, own_keys(judgement, &address.scope));
    let name = format!("{}/{}", address.scope.name(), address.short_name());
    objects(judgement, target)
        .filter(|(key, _)| matches!(key.resource_type, ResourceType::Deployment | ResourceType::Job))
        .filter(|(key, live)| key.namespace == claim.namespace && !own.contains(key) && mounts(live, &claim.name))
        .map(|(key, live)| {
            let label = live.attributes["metadata"]["labels"]["app"].as_str();
            let user = label.map_or_else(String::new, |label| format!(" of `{label}`"));
            let kind = key.resource_type.kind();
            (name.clone(), format!("the {kind} {}/{}{user} mounts it", key.namespace, key.name))
        })
        .collect()
}

/// Whether the pods of a workload mount a claim.
fn mounts(workload: &Live, claim: &str) -> bool {
    let volumes = workload.attributes.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    let named = |volume: &Value| volume["persistentVolumeClaim"]["claimName"] == *claim;
    volumes.into_iter().flatten().any(named)
}

/// Claims of others in a namespace that goes.
fn claims_of_others(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> Vec<(String, String)> {
    let Some(namespace) = judged.item.recorded.map(|recorded| recorded.key.name.clone()) else { return Vec::new() };
    let (target, own) = (judged.item.target, own_keys(judgement, &address.scope));
    objects(judgement, target)
        .filter(|(key, _)| key.resource_type == ResourceType::PersistentVolumeClaim && key.namespace == namespace)
        .filter(|(key, _)| !own.contains(key))
        .map(|(key, _)| {
            (format!("{}/{}", key.namespace, key.name), "nobody recorded whose it is: its namespace goes".to_owned())
        })
        .collect()
}

fn under_missing_mounts(judgement: &Judgement<'_>, forecast: &[VolumeForecast], findings: &mut Vec<Finding>) {
    for volume in forecast.iter().filter(|volume| !volume.bytes.dynamic) {
        let Whereabouts::Node(path) = &volume.bytes.whereabouts else { continue };
        let name = format!("{}/{}", volume.deployment, volume.volume);
        for (target, observed) in &judgement.input.world {
            let holds = observed.node.directories.values().any(|one| one.real_path == *path && one.holds_data);
            let Some(cluster) = target.kind_cluster().filter(|_| holds && lives_on(judgement, target, volume)) else {
                continue;
            };
            let claim = claim_address(&volume.deployment, &volume.volume);
            let desired = judgement.resources.get(&claim).and_then(|judged| judged.item.desired);
            findings.push(
                Finding::new(
                    Code::OverlayBytes,
                    format!(
                        "the data of `{name}` is in the node of the cluster `{cluster}`, at {path}, where no mount is: it dies \
                         with the cluster, and a mount there would hide it"
                    ),
                )
                .about(name.clone())
                .at_maybe(desired.and_then(|desired| desired.place.as_ref()))
                .help(format!(
                    "save it: docker cp {cluster}-control-plane:{path}/. DIRECTORY, on the host, where the spec will have it"
                ))
                .help("then have the volume lie under a mount: a path under `kind-mount-root`"),
            );
        }
    }
}

fn lives_on(judgement: &Judgement<'_>, target: &Target, volume: &VolumeForecast) -> bool {
    let planned = judgement.input.deployments.iter().any(|one| one.name == volume.deployment && one.target == *target);
    let mut registers = registers(judgement.input).into_iter();
    planned || registers.any(|(one, register)| one == target && register.tenants.contains_key(&volume.deployment))
}

fn remade_directories(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (target, observed) in &judgement.input.world {
        let replaced = observed.node.mounts.iter().filter(|(_, source)| **source == MountSource::Replaced);
        for (container, _) in replaced {
            let cluster = target.name();
            let mounts = live_cluster(judgement.input, target).map(|live| &live.attributes["extraMounts"]);
            let host = mounts
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .find(|mount| mount["containerPath"] == **container)
                .and_then(|mount| mount["hostPath"].as_str())
                .unwrap_or(container);
            let key = format!("mounts.{container}");
            let root = (container == "/mnt").then_some("mount_root");
            let wish = judgement.input.deployments.iter().filter(|one| one.target == *target).find_map(|deployment| {
                let places = &deployment.wish_places;
                places.get(&key).or_else(|| places.get(root?)).or_else(|| places.get("deploy_to"))
            });
            findings.push(
                Finding::new(
                    Code::MountSourceReplaced,
                    format!(
                        "{host} was deleted, or made again, while the cluster `{cluster}` had it mounted at {container}: the \
                         node still writes to the old directory, which the host does not see"
                    ),
                )
                .about(cluster)
                .at_maybe(wish)
                .help(format!("save what was written since: docker cp {cluster}-control-plane:{container}/. DIRECTORY"))
                .help(format!("then have the node mount it anew: docker restart {cluster}-control-plane")),
            );
        }
    }
}
