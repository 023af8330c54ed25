//! Which workloads are stopped before their cluster goes: those that write to files which outlive it, whoever made them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::{ObjectKey, ResourceType};
use crate::compile::caddy::NAMESPACE as CADDY_NAMESPACE;
use crate::plan::document::{VolumeForecast, VolumeReason};
use crate::plan::fate::Whereabouts;
use crate::plan::forecast::claim_address;
use crate::plan::locate::{Look, place_of_path, place_of_volume};
use crate::plan::planner::Judgement;
use crate::plan::recreate::{QuiesceReason, QuiescedWorkload, Recreate};
use crate::resource::Live;
use crate::vault::VaultContents;

/// The kinds of workloads that are stopped: by their number of pods, or by suspending them.
const KINDS: [ResourceType; 3] = [ResourceType::Deployment, ResourceType::Job, ResourceType::CronJob];

type Objects = BTreeMap<ObjectKey, Live>;

/// The workloads that write to files which outlive the cluster.
pub(super) fn quiesced(
    judgement: &Judgement<'_>,
    recreate: &Recreate,
    contents: &VaultContents,
    forecast: &[VolumeForecast],
) -> Vec<QuiescedWorkload> {
    let observed = judgement.input.world.get(&recreate.target);
    let Some(objects) = observed.and_then(|observed| observed.objects.as_ref().ok()) else { return Vec::new() };
    let look = Look::new(judgement.input, &recreate.target);
    let mut writes = writes_of_unrecorded(&look, objects, &recreate.exported);
    writes.extend(writes_of_recorded(judgement, recreate, forecast));
    let same_node = contents.node == recreate.node;
    let workloads = objects
        .iter()
        .filter(|(key, _)| KINDS.contains(&key.resource_type) && recreate.namespaces.contains(&*key.namespace));
    workloads
        .filter_map(|(key, live)| {
            let template = template(key.resource_type, &live.attributes)?;
            let of_claims = claims(template).filter_map(|name| {
                let claim = ObjectKey::new(ResourceType::PersistentVolumeClaim, &key.namespace, name);
                writes.get(&claim).copied()
            });
            // What backs certificates up is on the host for good, and writes each file as a whole.
            let is_own = *key.namespace == *CADDY_NAMESPACE;
            let of_paths =
                paths(template).filter(|path| !is_own && matches!(place_of_path(&look, path), Whereabouts::Host(_)));
            let because = of_claims.chain(of_paths.map(|_| QuiesceReason::WritesToHost)).max()?;
            // An earlier run may have stopped it already.
            let stopped = contents.quiesced.get(key).copied().filter(|_| same_node).unwrap_or_default();
            let replicas = runs(key.resource_type, &live.attributes).max(stopped);
            (replicas > 0).then(|| QuiescedWorkload { key: key.clone(), replicas, because })
        })
        .collect()
}

/// The claims of deployments that are known, by what the plan makes of their volumes.
fn writes_of_recorded(
    judgement: &Judgement<'_>,
    recreate: &Recreate,
    forecast: &[VolumeForecast],
) -> BTreeMap<ObjectKey, QuiesceReason> {
    let of_volume = |volume: &VolumeForecast| {
        let because = match (&volume.bytes.whereabouts, &volume.because) {
            (_, VolumeReason::Rescued) => QuiesceReason::WritesToRescued,
            (Whereabouts::Host(_), _) => QuiesceReason::WritesToHost,
            _ => return None,
        };
        let judged = judgement.resources.get(&claim_address(&volume.deployment, &volume.volume))?;
        let recorded = judged.item.recorded.filter(|_| *judged.item.target == recreate.target)?;
        Some((recorded.key.clone(), because))
    };
    forecast.iter().filter_map(of_volume).collect()
}

/// The claims of deployments that no state records, as far as their bytes are on the host.
fn writes_of_unrecorded(
    look: &Look<'_>,
    objects: &Objects,
    namespaces: &BTreeSet<String>,
) -> BTreeMap<ObjectKey, QuiesceReason> {
    let claims = objects.iter().filter(|(key, _)| {
        key.resource_type == ResourceType::PersistentVolumeClaim && namespaces.contains(&*key.namespace)
    });
    let is_on_host = |live: &Live| {
        let name = live.attributes["spec"]["volumeName"].as_str().unwrap_or_default();
        let volume = objects.get(&ObjectKey::new(ResourceType::PersistentVolume, "", name));
        volume.is_some_and(|volume| matches!(place_of_volume(look, &volume.attributes), Some(Whereabouts::Host(_))))
    };
    claims.filter(|(_, live)| is_on_host(live)).map(|(key, _)| (key.clone(), QuiesceReason::WritesToHost)).collect()
}

/// How many pods it may run; one that is suspended has none.
fn runs(kind: ResourceType, workload: &Value) -> u32 {
    let ended = || {
        let conditions = workload.pointer("/status/conditions").and_then(Value::as_array);
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|one| one["status"] == "True" && (one["type"] == "Complete" || one["type"] == "Failed"))
    };
    match kind {
        ResourceType::Deployment => {
            u32::try_from(workload["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap_or(u32::MAX)
        }
        _ => u32::from(workload["spec"]["suspend"] != Value::Bool(true) && !ended()),
    }
}

fn template(kind: ResourceType, workload: &Value) -> Option<&Value> {
    workload.pointer(match kind {
        ResourceType::CronJob => "/spec/jobTemplate/spec/template/spec",
        _ => "/spec/template/spec",
    })
}

fn claims(template: &Value) -> impl Iterator<Item = &str> {
    volumes(template).filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

/// Directories of the node that pods have without any claim.
fn paths(template: &Value) -> impl Iterator<Item = &str> {
    volumes(template).filter_map(|volume| volume.pointer("/hostPath/path")?.as_str())
}

fn volumes(template: &Value) -> impl Iterator<Item = &Value> {
    template["volumes"].as_array().into_iter().flatten()
}
