//! Deciding over recreates: what each keeps, stops and brings back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::code::{Code, Severity};
use crate::compile::caddy::NAMESPACE as CADDY_NAMESPACE;
use crate::finding::Finding;
use crate::plan::blast_radius::unregistered_namespaces;
use crate::plan::decide::ClusterFate;
use crate::plan::document::{VolumeForecast, VolumeReason};
use crate::plan::fate::Whereabouts;
use crate::plan::forecast::claim_address;
use crate::plan::planner::{Judgement, live_cluster};
use crate::plan::recreate::{
    QuiesceReason, QuiescedWorkload, Recreate, RecreateCourse, RecreatePhase, RescuedVolume, SecretReturn,
    VaultedSecret,
};
use crate::plan::survey::Belief;
use crate::plan::{Mode, migration};
use crate::resource::{Live, ObservedTarget, Target};
use crate::vault::VaultContents;

/// Secrets that a cluster makes for itself, bound to what is on it: on another they mean nothing.
const MADE_BY_CLUSTER: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/// Whether a Secret is one that its cluster made for itself.
#[must_use]
pub fn is_made_by_cluster(secret: &Value) -> bool {
    secret["type"].as_str().is_some_and(|kind| MADE_BY_CLUSTER.contains(&kind))
}

/// The course of a cluster's recreate, when it has one.
#[must_use]
pub fn course(judgement: &Judgement<'_>, target: &Target) -> Option<RecreateCourse> {
    let input = judgement.input;
    if input.mode != Mode::Apply {
        return None;
    }
    let contents = input.vaults.get(target.kind_cluster()?);
    match (judgement.fates.get(target), contents) {
        (Some(ClusterFate::Deleted(_)), _) => None,
        (Some(ClusterFate::Replaced(_)), _) if can_be_emptied(judgement, target) => Some(RecreateCourse::Begins),
        (Some(ClusterFate::Replaced(_) | ClusterFate::Lost(_)), Some(contents)) if !contents.discarded => {
            Some(RecreateCourse::Resumes)
        }
        (Some(_), _) | (None, None) => None,
        (None, Some(contents)) if contents.discarded => Some(RecreateCourse::Abandons),
        (None, Some(contents)) => {
            if judgement.beliefs.get(target) != Some(&Belief::Trusted) {
                return None;
            }
            let live = live_cluster(input, target)?;
            Some(if live.uid == contents.node { RecreateCourse::Abandons } else { RecreateCourse::Resumes })
        }
    }
}

/// Whether what is on a cluster can be read. What is on one that does not answer goes with it; LAC213 tells of that.
fn can_be_emptied(judgement: &Judgement<'_>, target: &Target) -> bool {
    let Some(observed) = judgement.input.world.get(target) else { return judgement.input.offline };
    observed.objects.is_ok() && !observed.unlisted.contains_key(&ResourceType::Secret)
}

/// Whether the bytes of a volume are to be taken out of the node before it goes.
#[must_use]
pub fn is_chosen(judgement: &Judgement<'_>, target: &Target, deployment: &str, volume: &str) -> bool {
    judgement.input.rescue_volumes.contains(&format!("{deployment}/{volume}"))
        && course(judgement, target) == Some(RecreateCourse::Begins)
}

/// Whether the bytes of a volume are in the vault since an earlier recreate, and come back from there.
#[must_use]
pub fn is_in_vault(judgement: &Judgement<'_>, target: &Target, deployment: &str, volume: &str) -> bool {
    let contents = target.kind_cluster().and_then(|name| judgement.input.vaults.get(name));
    let Some(contents) = contents else { return false };
    let Some(kept) = contents.volume(deployment, volume).filter(|kept| !kept.restored) else { return false };
    match course(judgement, target) {
        Some(RecreateCourse::Begins) => kept.carried || contents.node != running_node(judgement, target),
        Some(RecreateCourse::Resumes) => true,
        Some(RecreateCourse::Abandons) | None => false,
    }
}

/// The recreates of a plan.
#[must_use]
pub fn recreates(judgement: &Judgement<'_>, forecast: &[VolumeForecast]) -> Vec<Recreate> {
    let targets: BTreeSet<&Target> = judgement.input.deployments.iter().map(|deployment| &deployment.target).collect();
    targets
        .into_iter()
        .filter_map(|target| Some(recreate(judgement, target, course(judgement, target)?, forecast)))
        .collect()
}

fn recreate(
    judgement: &Judgement<'_>,
    target: &Target,
    course: RecreateCourse,
    forecast: &[VolumeForecast],
) -> Recreate {
    let cluster = target.name().to_owned();
    let nothing = VaultContents::default();
    let contents = judgement.input.vaults.get(&cluster).unwrap_or(&nothing);
    let node = match course {
        RecreateCourse::Begins => running_node(judgement, target),
        RecreateCourse::Resumes | RecreateCourse::Abandons => contents.node.clone(),
    };
    let mut recreate = Recreate {
        cluster,
        target: target.clone(),
        node,
        course,
        phases: Vec::new(),
        namespaces: BTreeSet::new(),
        secrets: Vec::new(),
        dropped: BTreeSet::new(),
        volumes: Vec::new(),
        quiesced: Vec::new(),
        exported: BTreeSet::new(),
        migration: None,
        tenants: BTreeMap::new(),
        pending_edits: BTreeMap::new(),
    };
    if course == RecreateCourse::Abandons {
        let back = contents.quiesced.iter().map(|(key, replicas)| QuiescedWorkload {
            key: key.clone(),
            replicas: *replicas,
            because: QuiesceReason::WritesToHost,
        });
        recreate.quiesced.extend(back);
        recreate.phases.push(RecreatePhase::Resume);
        return recreate;
    }
    recreate.namespaces = namespaces(judgement, target, &mut recreate.exported);
    if course == RecreateCourse::Resumes {
        recreate.exported.extend(contents.objects.iter().map(|object| namespace_of(&object.key)));
        recreate.namespaces.extend(contents.secrets.iter().map(|secret| secret.key.namespace.to_string()));
    }
    keep_secrets(judgement, &mut recreate, contents);
    keep_volumes(judgement, &mut recreate, forecast);
    if course == RecreateCourse::Begins {
        quiesce(judgement, &mut recreate, contents, forecast);
    }
    recreate.migration = migration::of_recreate(judgement, target, forecast);
    if recreate.migration.is_some() {
        recreate.tenants = migration::tenants(judgement, target);
    }
    recreate.phases = phases(judgement, &recreate, contents);
    recreate.pending_edits = crate::plan::pending_edits::pending_edits(judgement, target);
    recreate
}

/// The namespace that an object is, or is in.
fn namespace_of(key: &ObjectKey) -> String {
    if key.resource_type == ResourceType::Namespace { &key.name } else { &key.namespace }.to_string()
}

fn running_node(judgement: &Judgement<'_>, target: &Target) -> String {
    let recorded = || {
        let judged = judgement.resources.get(&Address::kind_cluster(target.name()))?;
        Some(judged.item.recorded?.uid.clone())
    };
    live_cluster(judgement.input, target).map(|live| live.uid.clone()).or_else(recorded).unwrap_or_default()
}

/// The namespaces of every deployment on a cluster, and the ingress system's; those of deployments that nobody recorded are
/// told apart.
fn namespaces(judgement: &Judgement<'_>, target: &Target, exported: &mut BTreeSet<String>) -> BTreeSet<String> {
    let input = judgement.input;
    let on_target = || input.deployments.iter().filter(|deployment| deployment.target == *target);
    let mut known: BTreeSet<String> = on_target().map(|deployment| deployment.tenant.namespace.clone()).collect();
    let state = input.states.get(&Scope::cluster(target.name()));
    let registered = state.into_iter().flat_map(|state| &state.tenants);
    let others = registered.clone().filter(|(name, _)| !on_target().any(|deployment| deployment.name == **name));
    known.extend(others.map(|(_, tenant)| tenant.namespace.clone()));
    // Where a deployment of this plan was before is no unrecorded deployment's, and does not come back.
    let mut not_foreign: Vec<String> = known.iter().cloned().collect();
    not_foreign.extend(registered.map(|(_, tenant)| tenant.namespace.clone()));
    exported.extend(unregistered_namespaces(judgement, target, &not_foreign).into_iter().map(|(name, _)| name));
    exported.remove(CADDY_NAMESPACE);
    known.extend(exported.iter().cloned());
    known.insert(CADDY_NAMESPACE.to_owned());
    known
}

fn live_objects<'a>(judgement: &Judgement<'a>, target: &Target) -> Option<&'a BTreeMap<ObjectKey, Live>> {
    judgement.input.world.get(target).and_then(|observed: &ObservedTarget| observed.objects.as_ref().ok())
}

fn keep_secrets(judgement: &Judgement<'_>, recreate: &mut Recreate, contents: &VaultContents) {
    let mut made: BTreeMap<ObjectKey, SecretReturn> = BTreeMap::new();
    let on_target = judgement.resources.iter().filter(|(address, judged)| {
        address.resource_type == ResourceType::Secret && *judged.item.target == recreate.target
    });
    for (address, judged) in on_target {
        let planned = judgement.input.deployments.iter().any(|one| Scope::deployment(&one.name) == address.scope);
        match (judged.item.desired, judged.item.recorded) {
            (Some(desired), _) if planned => drop(made.insert(desired.key(), SecretReturn::AsPlanned)),
            (Some(desired), _) => drop(made.insert(desired.key(), SecretReturn::AsRecorded)),
            (None, Some(recorded)) => drop(recreate.dropped.insert(recorded.key.clone())),
            (None, None) => {}
        }
    }
    recreate.dropped.retain(|key| !made.contains_key(key));
    let mut kept: BTreeSet<ObjectKey> = BTreeSet::new();
    if recreate.course == RecreateCourse::Begins
        && let Some(objects) = live_objects(judgement, &recreate.target)
    {
        let secrets = objects.iter().filter(|(key, live)| {
            key.resource_type == ResourceType::Secret
                && recreate.namespaces.contains(&*key.namespace)
                && !is_made_by_cluster(&live.attributes)
        });
        kept.extend(secrets.map(|(key, _)| key.clone()));
    }
    // What an earlier recreate did not bring back is still in the vault.
    let is_left = recreate.course == RecreateCourse::Resumes || contents.node != recreate.node;
    if is_left && !contents.secrets_restored {
        kept.extend(contents.secrets.iter().map(|secret| secret.key.clone()));
    } else if recreate.course == RecreateCourse::Resumes {
        kept.extend(contents.secrets.iter().map(|secret| secret.key.clone()));
    }
    recreate.secrets = kept
        .into_iter()
        .filter(|key| !recreate.dropped.contains(key))
        .map(|key| VaultedSecret { returns: made.get(&key).copied().unwrap_or(SecretReturn::AsItWas), key })
        .collect();
}

fn keep_volumes(judgement: &Judgement<'_>, recreate: &mut Recreate, forecast: &[VolumeForecast]) {
    let rescued = forecast.iter().filter(|volume| volume.because == VolumeReason::Rescued);
    for volume in rescued {
        let claim = claim_address(&volume.deployment, &volume.volume);
        let Some(judged) = judgement.resources.get(&claim) else { continue };
        if *judged.item.target != recreate.target {
            continue;
        }
        let into = judged.item.desired.map(crate::resource::Resource::key);
        let from = judged.item.recorded.map(|recorded| recorded.key.clone());
        let Some(into) = into else { continue };
        recreate.volumes.push(RescuedVolume {
            deployment: volume.deployment.clone(),
            volume: volume.volume.clone(),
            claim: from.unwrap_or_else(|| into.clone()),
            into,
        });
    }
}

/// The workloads that write to files which outlive the cluster.
fn quiesce(judgement: &Judgement<'_>, recreate: &mut Recreate, contents: &VaultContents, forecast: &[VolumeForecast]) {
    let mut writes: BTreeMap<ObjectKey, QuiesceReason> = BTreeMap::new();
    for volume in forecast {
        let because = match (&volume.bytes.whereabouts, &volume.because) {
            (_, VolumeReason::Rescued) => QuiesceReason::WritesToRescued,
            (Whereabouts::Host(_), _) => QuiesceReason::WritesToHost,
            _ => continue,
        };
        let judged = judgement.resources.get(&claim_address(&volume.deployment, &volume.volume));
        let judged = judged.filter(|judged| *judged.item.target == recreate.target);
        let Some(recorded) = judged.and_then(|judged| judged.item.recorded) else { continue };
        writes.insert(recorded.key.clone(), because);
    }
    let Some(objects) = live_objects(judgement, &recreate.target) else { return };
    let same_node = contents.node == recreate.node;
    for (key, live) in objects.iter().filter(|(key, _)| key.resource_type == ResourceType::Deployment) {
        if !recreate.namespaces.contains(&*key.namespace) {
            continue;
        }
        let because = claims(&live.attributes)
            .filter_map(|name| writes.get(&ObjectKey::new(ResourceType::PersistentVolumeClaim, &key.namespace, name)))
            .max();
        let runs = live.attributes["spec"]["replicas"].as_u64().unwrap_or(1);
        let runs = u32::try_from(runs).unwrap_or(u32::MAX);
        // An earlier run may have stopped it already.
        let stopped = contents.quiesced.get(key).copied().filter(|_| same_node).unwrap_or_default();
        let replicas = runs.max(stopped);
        if let Some(because) = because.filter(|_| replicas > 0) {
            recreate.quiesced.push(QuiescedWorkload { key: key.clone(), replicas, because: *because });
        }
    }
}

fn claims(workload: &Value) -> impl Iterator<Item = &str> {
    let volumes = workload.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    volumes.into_iter().flatten().filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

fn phases(judgement: &Judgement<'_>, recreate: &Recreate, contents: &VaultContents) -> Vec<RecreatePhase> {
    let begins = recreate.course == RecreateCourse::Begins;
    let makes_cluster = begins || judgement.fates.contains_key(&recreate.target);
    let has_moves = recreate.migration.as_ref().is_some_and(|migration| !migration.on_host().is_empty());
    let moves = has_moves && (begins || !contents.moved);
    let all = [
        (RecreatePhase::Vault, begins),
        (RecreatePhase::Quiesce, !recreate.quiesced.is_empty()),
        (RecreatePhase::Rescue, begins && !recreate.volumes.is_empty()),
        (RecreatePhase::Delete, begins),
        (RecreatePhase::Move, moves),
        (RecreatePhase::Create, makes_cluster),
        (RecreatePhase::RestoreSecrets, true),
        (RecreatePhase::RestoreVolumes, !recreate.volumes.is_empty()),
        (RecreatePhase::RestoreObjects, !recreate.exported.is_empty()),
        (RecreatePhase::Wait, true),
        (RecreatePhase::Verify, true),
    ];
    all.into_iter().filter(|(_, is_needed)| *is_needed).map(|(phase, _)| phase).collect()
}

/// LAC804 for what an earlier recreate left in its vault, LAC216 where nothing brings it back.
pub fn unfinished(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    let input = judgement.input;
    for (name, contents) in &input.vaults {
        let target = Target::Kind(name.clone());
        let held =
            format!("{} and {}", counted(contents.secrets.len(), "Secret"), counted(contents.volumes.len(), "volume"));
        if input.mode != Mode::Apply && !contents.discarded {
            let text = format!("a recreate of the cluster `{name}` did not end: its vault still holds {held}");
            findings.push(
                Finding::new(Code::RecreateUnfinished, text)
                    .about(name)
                    .as_severity(Severity::Refusal)
                    .help("bring it to its end first: laconic apply"),
            );
            continue;
        }
        let text = match course(judgement, &target) {
            Some(RecreateCourse::Resumes) => {
                format!("an earlier recreate of the cluster `{name}` did not end: {held} come back from its vault")
            }
            Some(RecreateCourse::Abandons) if !contents.discarded => format!(
                "an earlier recreate of the cluster `{name}` did not get to its deletion: what it stopped runs again, and its vault is deleted"
            ),
            Some(RecreateCourse::Begins)
                if !contents.discarded && contents.node == running_node(judgement, &target) =>
            {
                let stopped = counted(contents.quiesced.len(), "workload");
                format!(
                    "an earlier recreate of the cluster `{name}` did not get to its deletion, and what it stopped ({stopped}) may not run: this plan begins it again"
                )
            }
            _ => continue,
        };
        let mut finding = Finding::new(Code::Interrupted, text).about(name);
        if let Some(place) = input.vault_places.get(name).filter(|_| !contents.discarded) {
            finding = finding.help(format!("until then the vault is {place}"));
        }
        findings.push(finding);
    }
}

fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
