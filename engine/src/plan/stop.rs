//! Stopping: what stays of a deployment and of its cluster while nothing of it runs.
//!
//! A stop is a plan like any other. Its desired set is what stays, as it is recorded: a spec that was edited meanwhile
//! is looked at by the next start, not by a stop. The cluster either goes as a whole or is not touched at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ResourceType, Scope};
use crate::code::{Code, Severity};
use crate::compile::HOOK_ANNOTATION;
use crate::finding::{Consent, Finding};
use crate::plan::decide::ClusterFate;
use crate::plan::fate::{Bytes, Happening, Whereabouts, is_left};
use crate::plan::forecast::of_tenant;
use crate::plan::locate::{Look, locate};
use crate::plan::planner::{Judgement, is_completed_job};
use crate::plan::survey::{Belief, belief, revive};
use crate::plan::{Mode, PlanInput, Requirements};
use crate::resource::{Resource, Target};
use crate::secret::{SecretSource, sources};
use crate::state::{Recorded, State, Tenant, VolumeStorage};

/// What a stop takes down beside the workloads, as the flags of the command line name it. Each is the consent to what it
/// names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopOptions {
    /// The deployment's own volumes (`--delete-volumes`); files on the host stay.
    pub delete_volumes: bool,
    /// The deployment's namespace (`--delete-namespace`), with every claim in it.
    pub delete_namespace: bool,
    /// The cluster, if nobody else lives on it (`--perform-cluster-management`).
    pub delete_cluster: bool,
}

impl StopOptions {
    /// Whether the claims go, and with them every volume that is inside the cluster.
    const fn deletes_claims(self) -> bool {
        self.delete_volumes || self.delete_namespace
    }

    /// Whether a resource of a deployment stays. Completed Jobs are another question: see `stays`.
    fn keeps(self, address: &Address, recorded: &Recorded) -> bool {
        match address.resource_type {
            ResourceType::Namespace | ResourceType::Secret => !self.delete_namespace,
            ResourceType::PersistentVolume => !self.delete_volumes,
            ResourceType::PersistentVolumeClaim => !self.deletes_claims(),
            // Others may run it too, and the next start does.
            ResourceType::KindImage => true,
            // What a hook has done is done, as long as what it did is there.
            ResourceType::ConfigMap => !self.delete_namespace && is_hook_record(recorded),
            _ => false,
        }
    }
}

fn is_hook_record(recorded: &Recorded) -> bool {
    let form = recorded.desired.value.as_deref();
    form.is_some_and(|form| form["metadata"]["annotations"].get(HOOK_ANNOTATION).is_some())
}

/// What is desired in a stop, and of stopped tenants whose cluster goes away: what stays of them, as recorded.
#[must_use]
pub fn kept(
    input: &PlanInput,
    fates: &BTreeMap<Target, ClusterFate>,
    requirements: &mut Requirements,
) -> Vec<(Target, Resource)> {
    let mut kept = Vec::new();
    if input.mode == Mode::Stop {
        for deployment in &input.deployments {
            let Some(state) = input.states.get(&Scope::deployment(&deployment.name)) else { continue };
            let goes = matches!(fates.get(&deployment.target), Some(ClusterFate::Deleted(_)));
            let stays = stays(input, state, &deployment.target, goes, requirements);
            kept.extend(stays.into_iter().map(|resource| (deployment.target.clone(), resource)));
        }
    }
    ride_along(input, fates, requirements, &mut kept);
    kept
}

/// Stopped tenants of a cluster that is deleted: that it is gone is recorded of them too.
fn ride_along(
    input: &PlanInput,
    fates: &BTreeMap<Target, ClusterFate>,
    requirements: &mut Requirements,
    kept: &mut Vec<(Target, Resource)>,
) {
    for target in fates.iter().filter(|(_, fate)| matches!(fate, ClusterFate::Deleted(_))).map(|(target, _)| target) {
        for (scope, directory) in riding(input, &BTreeSet::from([target.name()])) {
            match input.states.get(&scope) {
                Some(state) => {
                    let stays = stays(input, state, target, true, requirements);
                    kept.extend(stays.into_iter().map(|resource| (target.clone(), resource)));
                }
                // Nothing of it runs there, and its own next plan sees that the cluster is gone.
                None if input.unreadable.contains_key(&scope) => {}
                None => {
                    requirements.tenants.insert(scope, directory);
                }
            }
        }
    }
}

/// What is recorded of a deployment that stops, or whose cluster goes away while it is stopped, and stays so.
///
/// Only what is there stays: a stop makes nothing. That a Job has completed is remembered whatever becomes of the Job, so
/// that the next start does not run it again.
fn stays(
    input: &PlanInput,
    state: &State,
    target: &Target,
    with_cluster: bool,
    requirements: &mut Requirements,
) -> Vec<Resource> {
    let belief = belief(input, target);
    let mut kept = Vec::new();
    for (address, recorded) in &state.resources {
        let is_content = address.resource_type == ResourceType::ConfigMap;
        if is_content && recorded.desired.value.is_none() {
            requirements.bodies.entry(state.scope.clone()).or_default().insert(recorded.desired.digest);
            continue;
        }
        let is_there = is_there(input, target, &belief, recorded);
        let is_remembered = is_completed(input, target, address, recorded) && (with_cluster || !is_there);
        if !is_remembered && (with_cluster || !is_there || !input.stop.keeps(address, recorded)) {
            continue;
        }
        match revive(address, recorded) {
            Some(resource) => kept.push(resource),
            None if recorded.desired.value.is_none() => {
                requirements.bodies.entry(state.scope.clone()).or_default().insert(recorded.desired.digest);
            }
            None => {}
        }
    }
    kept
}

fn is_completed(input: &PlanInput, target: &Target, address: &Address, recorded: &Recorded) -> bool {
    let live = || input.world.get(target)?.objects.as_ref().ok()?.get(&recorded.key);
    address.resource_type == ResourceType::Job
        && (recorded.completed || live().is_some_and(|live| is_completed_job(&live.attributes)))
}

/// Whether a recorded object is there, as far as anybody knows.
fn is_there(input: &PlanInput, target: &Target, belief: &Belief, recorded: &Recorded) -> bool {
    match belief {
        Belief::Gone => false,
        Belief::Doubted(_) => !recorded.uid.is_empty(),
        Belief::Trusted => input.world.get(target).is_some_and(|observed| {
            observed.unlisted.contains_key(&recorded.key.resource_type)
                || observed.objects.as_ref().is_ok_and(|objects| objects.contains_key(&recorded.key))
        }),
    }
}

/// Whether a registered deployment keeps its cluster from being deleted: it runs, or has data inside the cluster, be it that
/// a volume that was to be on the host is in the node.
#[must_use]
pub fn holds_cluster(input: &PlanInput, target: &Target, tenant: &Tenant) -> bool {
    !tenant.stopped || has_data_inside(tenant) || bytes(input, target, tenant).iter().any(Bytes::may_be_in_node)
}

/// As [`holds_cluster`], where nothing is left that nobody could see.
#[must_use]
pub fn surely_holds_cluster(input: &PlanInput, target: &Target, tenant: &Tenant) -> bool {
    let is_in_node = |bytes: &Bytes| bytes.may_be_in_node() && bytes.whereabouts != Whereabouts::Unknown;
    !tenant.stopped || has_data_inside(tenant) || bytes(input, target, tenant).iter().any(is_in_node)
}

/// Whether a deployment that is stopped by this plan keeps its cluster from being deleted: by a volume that is kept, and kept
/// inside the cluster.
#[must_use]
pub fn holds_cluster_stopped(input: &PlanInput, target: &Target, name: &str) -> Option<Tenant> {
    let entry = stopped_entry(input, target, name)?;
    let registered = input.states.get(&Scope::cluster(target.name()))?.tenants.get(name)?;
    let happening = Happening {
        claim_goes: input.stop.deletes_claims(),
        volume_goes: input.stop.delete_volumes,
        ..Happening::default()
    };
    let is_kept = |bytes: &Bytes| !input.stop.delete_volumes && bytes.may_be_in_node() && is_left(bytes, happening);
    let holds = has_data_inside(&entry) || bytes(input, target, registered).iter().any(is_kept);
    holds.then_some(entry)
}

/// Whether the register has data of a deployment inside its cluster.
fn has_data_inside(tenant: &Tenant) -> bool {
    tenant.volumes.values().any(|storage| !matches!(storage, VolumeStorage::Host(_)))
}

/// Where the bytes of a registered deployment are.
fn bytes(input: &PlanInput, target: &Target, tenant: &Tenant) -> Vec<Bytes> {
    let look = Look::new(input, target);
    let volumes = tenant.volumes.iter();
    volumes.map(|(volume, storage)| locate(&look, &of_tenant(tenant, volume, storage)).bytes).collect()
}

/// What the register says of a deployment once it is stopped: it runs nothing and serves nothing, and what it wishes of its
/// cluster is still wished. `None` for one that was never registered.
#[must_use]
pub fn stopped_entry(input: &PlanInput, target: &Target, name: &str) -> Option<Tenant> {
    let cluster = target.kind_cluster()?;
    let registered = input.states.get(&Scope::cluster(cluster))?.tenants.get(name)?;
    let recorded = input.states.get(&Scope::deployment(name));
    let has_claim = |volume: &str| {
        let claim = crate::plan::forecast::claim_address(name, volume);
        recorded.is_none_or(|state| state.resources.contains_key(&claim))
    };
    let mut entry = stopped(registered.clone());
    entry.volumes.retain(|volume, storage| {
        matches!(storage, VolumeStorage::Host(_)) || (!input.stop.deletes_claims() && has_claim(volume))
    });
    Some(entry)
}

/// A deployment of which nothing runs.
#[must_use]
pub fn stopped(mut tenant: Tenant) -> Tenant {
    tenant.stopped = true;
    tenant.restoring = false;
    tenant.hosts.clear();
    tenant.pods.clear();
    tenant
}

/// Whether nothing is recorded of a deployment but what a stop leaves.
#[must_use]
pub fn is_left_by_stop(state: &State) -> bool {
    let is_left = |address: &Address, recorded: &Recorded| match address.resource_type {
        ResourceType::Namespace
        | ResourceType::Secret
        | ResourceType::PersistentVolume
        | ResourceType::PersistentVolumeClaim => true,
        ResourceType::Job => recorded.completed && recorded.uid.is_empty(),
        _ => false,
    };
    !state.is_new() && state.resources.iter().all(|(address, recorded)| is_left(address, recorded))
}

/// The deployments that were stopped before this plan: by the register of their cluster, or on a remote Kubernetes because
/// nothing is recorded of them but what a stop leaves.
#[must_use]
pub fn stopped_before(input: &PlanInput) -> Vec<String> {
    let is_stopped = |name: &str, target: &Target| match target {
        Target::Kind(cluster) => {
            let register = input.states.get(&Scope::cluster(cluster));
            register.and_then(|state| state.tenants.get(name)).is_some_and(|tenant| tenant.stopped)
        }
        Target::Kubernetes(_) => input.states.get(&Scope::deployment(name)).is_some_and(is_left_by_stop),
    };
    let mut names: Vec<String> = input
        .deployments
        .iter()
        .filter(|deployment| is_stopped(&deployment.name, &deployment.target))
        .map(|deployment| deployment.name.clone())
        .collect();
    names.sort();
    names
}

/// The stopped tenants of clusters that this plan deletes, by scope: what is recorded of them goes with the cluster.
#[must_use]
pub fn riding(input: &PlanInput, emptied: &BTreeSet<&str>) -> BTreeMap<Scope, String> {
    let planned: BTreeSet<&str> = input.deployments.iter().map(|deployment| deployment.name.as_str()).collect();
    emptied
        .iter()
        .filter_map(|cluster| input.states.get(&Scope::cluster(cluster)))
        .flat_map(|state| &state.tenants)
        .filter(|(name, _)| !planned.contains(name.as_str()))
        .map(|(name, tenant)| (Scope::deployment(name), tenant.directory.clone()))
        .collect()
}

/// Whether every value of a recorded Secret is kept beside the state, so that its object may go.
#[must_use]
pub fn is_kept_outside(input: &PlanInput, recorded: Option<&Recorded>) -> bool {
    let Some(form) = recorded.and_then(|recorded| recorded.desired.value.as_deref()) else { return false };
    sources(form)
        .iter()
        .all(|source| !matches!(source, SecretSource::Generated { .. }) || input.secrets.contains_key(source))
}

/// Takes the question out of findings whose consent is a flag that was given: the flag that names the thing.
///
/// Objects on the cluster that nobody recorded are not named by any of them: then the cluster needs its full consent.
pub fn lift_what_flags_name(judgement: &Judgement<'_>, findings: &mut [Finding]) {
    let input = judgement.input;
    if input.mode != Mode::Stop {
        return;
    }
    let unrecorded: BTreeSet<String> = findings
        .iter()
        .filter(|finding| finding.code == Code::UnrecordedObjects)
        .map(|finding| finding.subject.clone())
        .collect();
    let is_own = |name: &str| {
        let deployment = name.split('/').next().unwrap_or_default();
        input.deployments.iter().any(|one| one.name == deployment)
    };
    for finding in findings {
        let is_named = match (&finding.consent, finding.code) {
            (Some(Consent::DataLoss(name)), Code::DataLoss | Code::DataLeftBehind | Code::VolumeRenamed) => {
                input.stop.delete_volumes && is_own(name)
            }
            (Some(Consent::ClusterDelete(_)), Code::ClusterDelete) => {
                input.stop.delete_cluster && !unrecorded.contains(&finding.subject)
            }
            _ => false,
        };
        if is_named {
            finding.severity = Severity::Warning;
            finding.consent = None;
        }
    }
}
