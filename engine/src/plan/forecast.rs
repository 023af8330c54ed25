//! The forecast: what becomes of the bytes of every volume, by this plan and by whatever else may happen.

use std::collections::BTreeSet;

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::plan::change::Action;
use crate::plan::decide::{ClusterFate, Presence};
use crate::plan::document::{EventFate, VolumeForecast, VolumeReason, VolumeVerdict};
use crate::plan::fate::{Basis, Bytes, Happening, Release, VolumeEvent, Whereabouts, fate};
use crate::plan::locate::{Located, Look, Sought, locate};
use crate::plan::planner::{Judgement, registers};
use crate::plan::recreate::RecreateCourse;
use crate::plan::stop::{holds_cluster, surely_holds_cluster};
use crate::plan::transaction::{course, is_chosen, is_in_vault};
use crate::plan::{Mode, PlanInput, VolumeMove, migration};
use crate::resource::Target;
use crate::state::{Tenant, VolumeStorage};

/// One volume: where it is wanted to be and where it was found.
struct Volume<'a> {
    name: String,
    located: Located,
    will: Option<&'a VolumeStorage>,
}

/// The forecast of every volume of the planned deployments and of every other tenant of their clusters.
#[must_use]
pub fn forecast(judgement: &Judgement<'_>) -> Vec<VolumeForecast> {
    let input = judgement.input;
    let mut forecasts = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for deployment in &input.deployments {
        seen.insert(&deployment.name);
        let is_wanted = !matches!(input.mode, Mode::Destroy | Mode::Stop);
        let names: BTreeSet<String> = recorded_volumes(judgement, &deployment.name)
            .chain(deployment.tenant.volumes.keys().filter(|_| is_wanted).cloned())
            .collect();
        let volumes = names.into_iter().map(|name| {
            let will = deployment.tenant.volumes.get(&name).filter(|_| is_wanted);
            Volume { located: find(judgement, &deployment.target, &deployment.name, &name), name, will }
        });
        judge(judgement, &deployment.target, &deployment.name, volumes.collect(), &mut forecasts);
    }
    for (target, register) in registers(input) {
        for (name, tenant) in register.tenants.iter().filter(|(name, _)| !seen.contains(name.as_str())) {
            let moved = migration::tenant(input, target.name(), name, tenant);
            let wanted = moved.as_ref().unwrap_or(tenant);
            let volumes = tenant.volumes.iter().map(|(volume, storage)| {
                let mut located = locate(&Look::of(judgement, target), &of_tenant(tenant, volume, storage));
                if located.bytes.whereabouts == Whereabouts::Gone && never_made(judgement, name, volume) {
                    located = nowhere();
                }
                Volume { name: volume.clone(), located, will: wanted.volumes.get(volume) }
            });
            judge(judgement, target, name, volumes.collect(), &mut forecasts);
        }
    }
    forecasts.sort_by(|left, right| {
        (left.verdict, &left.deployment, &left.volume).cmp(&(right.verdict, &right.deployment, &right.volume))
    });
    forecasts
}

/// The volumes of a deployment that have a recorded claim: by it, not by what a spec or register says now.
fn recorded_volumes<'a>(judgement: &Judgement<'a>, deployment: &str) -> impl Iterator<Item = String> + use<'a> {
    let state = judgement.input.states.get(&Scope::deployment(deployment));
    let addresses = state.into_iter().flat_map(|state| state.resources.keys());
    addresses
        .filter(|address| address.resource_type == ResourceType::PersistentVolumeClaim)
        .map(|address| address.short_name().to_owned())
}

/// What the register says of a deployment.
#[must_use]
pub fn registered_tenant<'a>(judgement: &Judgement<'a>, target: &Target, name: &str) -> Option<&'a Tenant> {
    let cluster = target.kind_cluster()?;
    judgement.input.states.get(&Scope::cluster(cluster))?.tenants.get(name)
}

/// The address of a volume's claim.
#[must_use]
pub fn claim_address(deployment: &str, volume: &str) -> Address {
    Address::new(ResourceType::PersistentVolumeClaim, Scope::deployment(deployment), volume)
}

/// The address of the PersistentVolume that is made by hand for a volume with a path.
fn volume_address(deployment: &str, volume: &str) -> Address {
    Address::new(ResourceType::PersistentVolume, Scope::deployment(deployment), volume)
}

/// A volume that nothing was ever written to.
const fn nowhere() -> Located {
    let bytes =
        Bytes { whereabouts: Whereabouts::Nowhere, dynamic: true, release: Release::Deleted, basis: Basis::Recorded };
    Located { bytes, size: None, nominal: None }
}

/// Whether the state of another tenant says that it never came to a claim: it joined the register, and no further.
fn never_made(judgement: &Judgement<'_>, deployment: &str, volume: &str) -> bool {
    let state = judgement.input.states.get(&Scope::deployment(deployment));
    state.is_some_and(|state| !state.is_new() && !state.resources.contains_key(&claim_address(deployment, volume)))
}

/// A volume of another tenant, by what the register says of it: its state is not at hand.
#[must_use]
pub fn of_tenant<'a>(tenant: &Tenant, volume: &str, storage: &'a VolumeStorage) -> Sought<'a> {
    let name = format!("{}-{volume}", tenant.deployment_id);
    Sought {
        claim: ObjectKey::new(ResourceType::PersistentVolumeClaim, &tenant.namespace, &name),
        volume: Some(ObjectKey::new(ResourceType::PersistentVolume, "", &name)),
        path: None,
        registered: Some(storage),
    }
}

/// Finds the bytes of a volume of a planned deployment.
fn find(judgement: &Judgement<'_>, target: &Target, deployment: &str, volume: &str) -> Located {
    let (claim, by_hand) = (claim_address(deployment, volume), volume_address(deployment, volume));
    if !claim_exists(judgement, deployment, &claim) {
        if let Some(waiting) = waiting(judgement, target, deployment, volume) {
            return waiting;
        }
        return nowhere();
    }
    let state = judgement.input.states.get(&Scope::deployment(deployment));
    let key_of = |address: &Address| {
        let recorded = state.and_then(|state| state.resources.get(address)).map(|recorded| recorded.key.clone());
        let desired = || Some(judgement.resources.get(address)?.item.desired?.key());
        recorded.or_else(desired)
    };
    // Of a claim that is recorded without a volume of its own, the one that the spec wants now is not the one it has.
    let is_recorded = |address: &Address| state.is_some_and(|state| state.resources.contains_key(address));
    let has_volume = is_recorded(&by_hand) || !is_recorded(&claim);
    let path = || {
        let recorded =
            state.and_then(|state| state.resources.get(&by_hand)?.desired.value.as_deref()).and_then(path_of);
        // A volume whose form was not loaded is not touched: it is what the spec asks for.
        let desired = || path_of(&judgement.resources.get(&by_hand)?.item.desired?.attributes.value());
        recorded.or_else(desired)
    };
    let sought = Sought {
        claim: key_of(&claim).unwrap_or_else(|| ObjectKey::new(ResourceType::PersistentVolumeClaim, "", "")),
        volume: key_of(&by_hand).filter(|_| has_volume),
        path: has_volume.then(path).flatten(),
        registered: registered_tenant(judgement, target, deployment)
            .and_then(|tenant| tenant.volumes.get(volume))
            .filter(|_| has_volume),
    };
    locate(&Look::of(judgement, target), &sought)
}

/// What a stopped deployment left on the host, where its next start finds it.
fn waiting(judgement: &Judgement<'_>, target: &Target, deployment: &str, volume: &str) -> Option<Located> {
    let tenant = registered_tenant(judgement, target, deployment).filter(|tenant| tenant.stopped)?;
    let storage = tenant.volumes.get(volume).filter(|storage| matches!(storage, VolumeStorage::Host(_)))?;
    Some(locate(&Look::of(judgement, target), &of_tenant(tenant, volume, storage)))
}

fn path_of(volume: &serde_json::Value) -> Option<String> {
    volume.pointer("/spec/hostPath/path")?.as_str().map(str::to_owned)
}

/// Whether there is or was a claim: the register names a volume before that, and bytes are only where a claim is or was.
fn claim_exists(judgement: &Judgement<'_>, deployment: &str, claim: &Address) -> bool {
    let state = judgement.input.states.get(&Scope::deployment(deployment));
    let seen = judgement.resources.get(claim).map(|judged| judged.item.presence);
    match state.and_then(|state| state.resources.get(claim)) {
        Some(recorded) if !recorded.uid.is_empty() => true,
        // An interrupted create of which nobody can tell whether it was done: better to fear for it than to forget it.
        Some(_) => seen.is_some_and(|seen| seen != Presence::Absent),
        // Nobody recorded it, and there it is.
        None => seen.is_some_and(|seen| !matches!(seen, Presence::Absent | Presence::Unknown)),
    }
}

fn judge(
    judgement: &Judgement<'_>,
    target: &Target,
    deployment: &str,
    volumes: Vec<Volume<'_>>,
    forecasts: &mut Vec<VolumeForecast>,
) {
    let siblings: Vec<Bytes> = volumes.iter().map(|volume| volume.located.bytes.clone()).collect();
    let is_held = |holds: Holds| is_held(judgement, target, deployment, holds);
    let (may_be_held, is_surely_held) = (is_held(holds_cluster), is_held(surely_holds_cluster));
    for Volume { name, located, will } in volumes {
        let (verdict, because) = by_plan(judgement, target, deployment, &name, &located, will);
        let events = VolumeEvent::ALL
            .into_iter()
            .filter(|event| target.kind_cluster().is_some() || *event != VolumeEvent::ClusterRecreate)
            .map(|event| {
                let judged = |is_held: bool| {
                    let happening = event.happening(&siblings, is_held);
                    // What is moved is afterwards where the spec has it.
                    let is_moved = matches!(because, VolumeReason::Moved(_));
                    relocated(&located, will.filter(|_| happening.comes_back && !is_moved), happening)
                };
                let (mut verdict, mut because) = judged(may_be_held);
                // Whether the cluster goes along hangs on what nobody could see.
                if may_be_held != is_surely_held && judged(is_surely_held).0 != verdict {
                    (verdict, because) = (VolumeVerdict::Unknown, VolumeReason::MountsUnknown);
                }
                (event, EventFate { verdict, because })
            })
            .collect();
        let storage = located.nominal.or_else(|| will.cloned()).unwrap_or(VolumeStorage::Overlay);
        let (bytes, size) = (located.bytes, located.size);
        let deployment = deployment.to_owned();
        forecasts.push(VolumeForecast { deployment, volume: name, storage, bytes, size, verdict, because, events });
    }
}

/// Whether a tenant keeps its cluster alive.
type Holds = fn(&PlanInput, &Target, &Tenant) -> bool;

/// Whether somebody else keeps the cluster alive when a deployment goes: another tenant that runs, or has data in it. A
/// remote cluster is not ours.
fn is_held(judgement: &Judgement<'_>, target: &Target, deployment: &str, holds: Holds) -> bool {
    let input = judgement.input;
    let Some(cluster) = target.kind_cluster() else { return true };
    let register = input.states.get(&Scope::cluster(cluster)).map(|state| &state.tenants);
    let mut others = register.into_iter().flatten().filter(|(name, _)| *name != deployment);
    // What is planned and was never there joins; what was stopped is as the register has it.
    let is_known = |name: &str| register.is_some_and(|tenants| tenants.contains_key(name));
    let joins = || {
        let mut planned = input.deployments.iter().filter(|one| one.target == *target && one.name != deployment);
        matches!(input.mode, Mode::Apply | Mode::Import) && planned.any(|one| !is_known(&one.name))
    };
    others.any(|(_, tenant)| holds(input, target, tenant)) || joins()
}

/// What this plan makes of a volume.
fn by_plan(
    judgement: &Judgement<'_>,
    target: &Target,
    deployment: &str,
    volume: &str,
    located: &Located,
    will: Option<&VolumeStorage>,
) -> (VolumeVerdict, VolumeReason) {
    let from_node = located.bytes.may_be_in_node() && is_chosen(judgement, target, deployment, volume);
    let from_vault = || is_in_vault(judgement, target, deployment, volume);
    let way = migration::way(judgement.input, target, deployment, volume, will);
    if let Some(VolumeMove { from: Some(from), to, .. }) = way
        && is_moved(judgement, target, &located.bytes.whereabouts, from)
    {
        return (VolumeVerdict::Kept, VolumeReason::Moved(to.clone()));
    }
    // What is on the host now is not overwritten by what was in a node; the place that a migration gives it is empty.
    let has_room = will == Some(&VolumeStorage::Overlay) || way.is_some_and(|one| one.from.is_none());
    if has_room && (from_node || from_vault()) {
        return (VolumeVerdict::Kept, VolumeReason::Rescued);
    }
    let action = |address: &Address| judgement.resources.get(address).map_or(Action::NoOp, |one| one.verdict.action);
    let goes = |action: Action| matches!(action, Action::Delete | Action::Replace);
    let claim = action(&claim_address(deployment, volume));
    let by_hand = action(&volume_address(deployment, volume));
    let node_goes = matches!(
        judgement.fates.get(target),
        Some(ClusterFate::Replaced(_) | ClusterFate::Deleted(_) | ClusterFate::Lost(_))
    );
    let happening = Happening {
        claim_goes: goes(claim),
        volume_goes: goes(by_hand),
        node_goes,
        comes_back: will.is_some() && !matches!(judgement.fates.get(target), Some(ClusterFate::Deleted(_))),
    };
    let is_new = fate(&located.bytes, happening).0 == VolumeVerdict::New;
    if is_new && will.is_some() && claim == Action::Create {
        return (VolumeVerdict::New, VolumeReason::Created);
    }
    relocated(located, will, happening)
}

/// Whether a move is done by this plan: with a recreate that begins, from where the bytes are; with one that goes on, from
/// where they were when it began.
fn is_moved(judgement: &Judgement<'_>, target: &Target, whereabouts: &Whereabouts, from: &str) -> bool {
    match course(judgement, target) {
        Some(RecreateCourse::Begins) => *whereabouts == Whereabouts::Host(from.to_owned()),
        Some(RecreateCourse::Resumes) => true,
        Some(RecreateCourse::Abandons) | None => false,
    }
}

/// What becomes of a volume to which something happens, when it may come back elsewhere.
fn relocated(located: &Located, will: Option<&VolumeStorage>, happening: Happening) -> (VolumeVerdict, VolumeReason) {
    let (verdict, because) = fate(&located.bytes, happening);
    let is_touched = happening.claim_goes || happening.volume_goes || happening.node_goes;
    match (verdict, &located.nominal, will) {
        (VolumeVerdict::Kept | VolumeVerdict::LeftBehind, Some(old), Some(new)) if is_touched && old != new => {
            let place = match new {
                VolumeStorage::Host(path) => path.clone(),
                VolumeStorage::Overlay | VolumeStorage::Provisioned => "an empty volume inside the cluster".to_owned(),
            };
            (VolumeVerdict::LeftBehind, VolumeReason::PathChanged(place))
        }
        _ => (verdict, because),
    }
}
