//! The forecast: what becomes of the bytes of every volume.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ResourceType, Scope};
use crate::plan::Mode;
use crate::plan::change::Action;
use crate::plan::decide::Presence;
use crate::plan::document::{VolumeForecast, VolumeReason, VolumeVerdict};
use crate::plan::planner::Judgement;
use crate::resource::Target;
use crate::state::{Tenant, VolumeStorage};

/// The forecast of every volume of the planned deployments, and of every tenant of a cluster that goes away.
#[must_use]
pub fn forecast(judgement: &Judgement<'_>) -> Vec<VolumeForecast> {
    let input = judgement.input;
    let mut forecasts = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for deployment in &input.deployments {
        seen.insert(&deployment.name);
        let recorded_volumes = recorded_volumes(judgement, &deployment.target, &deployment.name);
        let wanted = match input.mode {
            Mode::Destroy | Mode::Stop => BTreeMap::new(),
            Mode::Apply | Mode::Import => deployment.tenant.volumes.clone(),
        };
        let names: BTreeSet<&String> = recorded_volumes.keys().chain(wanted.keys()).collect();
        for volume in names {
            let (was, will) = (recorded_volumes.get(volume), wanted.get(volume));
            forecasts.push(judge_volume(judgement, &deployment.target, &deployment.name, volume, was, will));
        }
    }
    for target in judgement.fates.keys() {
        let Some(cluster) = target.kind_cluster() else { continue };
        let Some(state) = input.states.get(&Scope::cluster(cluster)) else { continue };
        for (name, tenant) in state.tenants.iter().filter(|(name, _)| !seen.contains(name.as_str())) {
            for (volume, storage) in &tenant.volumes {
                forecasts.push(judge_volume(judgement, target, name, volume, Some(storage), Some(storage)));
            }
        }
    }
    forecasts.sort_by(|left, right| {
        (left.verdict, &left.deployment, &left.volume).cmp(&(right.verdict, &right.deployment, &right.volume))
    });
    forecasts
}

/// Where the volumes of a deployment are, as far as recorded: by its claims, not by what a spec or register says now.
fn recorded_volumes(judgement: &Judgement<'_>, target: &Target, deployment: &str) -> BTreeMap<String, VolumeStorage> {
    let input = judgement.input;
    let registered = registered_tenant(judgement, target, deployment);
    let Some(state) = input.states.get(&Scope::deployment(deployment)) else { return BTreeMap::new() };
    let claims = state.resources.keys().filter(|address| address.resource_type == ResourceType::PersistentVolumeClaim);
    claims
        .map(|claim| {
            let volume = claim.short_name().to_owned();
            let address = Address { resource_type: ResourceType::PersistentVolume, ..claim.clone() };
            let storage = match state.resources.get(&address) {
                None if target.kind_cluster().is_some() => VolumeStorage::Overlay,
                None => VolumeStorage::Provisioned,
                // A volume whose form was not loaded is not touched: it is where the register says.
                Some(recorded) => recorded
                    .desired
                    .value
                    .as_deref()
                    .and_then(|volume| volume.pointer("/spec/hostPath/path")?.as_str())
                    .map(|path| on_host(judgement, target, path))
                    .or_else(|| registered.and_then(|tenant| tenant.volumes.get(&volume).cloned()))
                    .or_else(|| planned_storage(judgement, deployment, &volume))
                    .unwrap_or(VolumeStorage::Overlay),
            };
            (volume, storage)
        })
        .collect()
}

fn planned_storage(judgement: &Judgement<'_>, deployment: &str, volume: &str) -> Option<VolumeStorage> {
    let planned = judgement.input.deployments.iter().find(|one| one.name == deployment)?;
    planned.tenant.volumes.get(volume).cloned()
}

/// Where a path of the node is on the host: through the recorded mounts; without one it is the node's own.
fn on_host(judgement: &Judgement<'_>, target: &Target, path: &str) -> VolumeStorage {
    let Some(cluster) = target.kind_cluster() else { return VolumeStorage::Host(path.to_owned()) };
    let attributes = judgement
        .input
        .states
        .get(&Scope::cluster(cluster))
        .and_then(|state| state.resources.get(&Address::kind_cluster(cluster)))
        .and_then(|recorded| recorded.desired.value.as_deref());
    let mounts = attributes.and_then(|attributes| attributes["extraMounts"].as_array());
    let mounted = mounts
        .into_iter()
        .flatten()
        .filter_map(|mount| Some((mount["containerPath"].as_str()?, mount["hostPath"].as_str()?)))
        .filter(|(container, _)| crate::source::is_under(path, container))
        .max_by_key(|(container, _)| container.len());
    match mounted {
        Some((container, host)) => {
            VolumeStorage::Host(format!("{host}{}", path.get(container.len()..).unwrap_or_default()))
        }
        None => VolumeStorage::Overlay,
    }
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

fn claim_exists(judgement: &Judgement<'_>, deployment: &str, claim: &Address) -> bool {
    let state = judgement.input.states.get(&Scope::deployment(deployment));
    let recorded = state.map(|state| state.resources.get(claim));
    let seen = judgement.resources.get(claim).map(|judged| judged.item.presence);
    match recorded {
        // A tenant whose state could not be read has what the register says.
        None => true,
        Some(Some(recorded)) if !recorded.uid.is_empty() => true,
        // An interrupted create of which nobody can tell whether it was done: better to fear for it than to forget it.
        Some(_) => seen.is_some_and(|seen| seen != Presence::Absent),
    }
}

fn judge_volume(
    judgement: &Judgement<'_>,
    target: &Target,
    deployment: &str,
    volume: &str,
    was: Option<&VolumeStorage>,
    will: Option<&VolumeStorage>,
) -> VolumeForecast {
    let claim = claim_address(deployment, volume);
    // The register names a volume before its claim exists; bytes are only where a claim is or was.
    let was = was.filter(|_| claim_exists(judgement, deployment, &claim));
    let action = judgement.resources.get(&claim).map_or(Action::NoOp, |judged| judged.verdict.action);
    let claim_goes = matches!(action, Action::Delete | Action::Replace);
    let cluster_goes = judgement.fates.get(target);
    let is_taken_over = action == Action::Import;
    let (verdict, because) = match (was, will) {
        (None, Some(_)) if is_taken_over => (VolumeVerdict::Kept, VolumeReason::Untouched),
        (None, _) => (VolumeVerdict::New, VolumeReason::Created),
        (Some(VolumeStorage::Host(old)), Some(VolumeStorage::Host(new))) if old != new => {
            (VolumeVerdict::LeftBehind, VolumeReason::PathChanged(new.clone()))
        }
        (Some(VolumeStorage::Host(_)), Some(VolumeStorage::Overlay | VolumeStorage::Provisioned)) => {
            (VolumeVerdict::LeftBehind, VolumeReason::PathChanged("an empty volume inside the cluster".to_owned()))
        }
        (Some(VolumeStorage::Host(_)), _) if claim_goes || cluster_goes.is_some() => {
            (VolumeVerdict::Kept, VolumeReason::OnHost)
        }
        (Some(VolumeStorage::Overlay), _) if cluster_goes.is_some() => {
            (VolumeVerdict::Lost, VolumeReason::OverlayDiesWithCluster)
        }
        (Some(VolumeStorage::Overlay | VolumeStorage::Provisioned), _) if claim_goes => {
            (VolumeVerdict::Lost, VolumeReason::ClaimDeleted)
        }
        (Some(_), _) => (VolumeVerdict::Kept, VolumeReason::Untouched),
    };
    let storage = was.or(will).cloned().unwrap_or(VolumeStorage::Overlay);
    VolumeForecast { deployment: deployment.to_owned(), volume: volume.to_owned(), storage, verdict, because }
}
