//! The forecast: what becomes of the bytes of every volume.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ResourceType, Scope};
use crate::plan::Mode;
use crate::plan::change::Action;
use crate::plan::decide::ClusterFate;
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
        let registered = registered_tenant(judgement, &deployment.target, &deployment.name);
        // A remote deployment has no register: what is recorded of its volumes is read from its own resources.
        let recorded_volumes = registered.map(|tenant| tenant.volumes.clone()).unwrap_or_else(|| {
            let state = input.states.get(&Scope::deployment(&deployment.name));
            let known = |volume: &String| {
                state.is_some_and(|state| state.resources.contains_key(&claim_address(&deployment.name, volume)))
            };
            deployment.tenant.volumes.iter().filter(|(volume, _)| known(volume)).map(clone_pair).collect()
        });
        let wanted = match input.mode {
            Mode::Destroy => BTreeMap::new(),
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

fn clone_pair<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
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

fn judge_volume(
    judgement: &Judgement<'_>,
    target: &Target,
    deployment: &str,
    volume: &str,
    was: Option<&VolumeStorage>,
    will: Option<&VolumeStorage>,
) -> VolumeForecast {
    let claim = claim_address(deployment, volume);
    let action = judgement.resources.get(&claim).map_or(Action::NoOp, |judged| judged.verdict.action);
    let claim_goes = matches!(action, Action::Delete | Action::Replace);
    let cluster_goes = judgement.fates.get(target);
    let (verdict, because) = match (was, will) {
        (None, _) => (VolumeVerdict::New, VolumeReason::Created),
        (Some(VolumeStorage::Host(old)), Some(VolumeStorage::Host(new))) if old != new => {
            (VolumeVerdict::LeftBehind, VolumeReason::PathChanged(new.clone()))
        }
        (Some(VolumeStorage::Host(_)), Some(VolumeStorage::Overlay | VolumeStorage::Provisioned)) => {
            (VolumeVerdict::LeftBehind, VolumeReason::PathChanged("an empty volume inside the cluster".to_owned()))
        }
        (Some(VolumeStorage::Host(_)), _) => (VolumeVerdict::Kept, VolumeReason::OnHost),
        (Some(VolumeStorage::Overlay), _) if matches!(cluster_goes, Some(ClusterFate::Lost(_))) => {
            (VolumeVerdict::Lost, VolumeReason::OverlayDiesWithCluster)
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
