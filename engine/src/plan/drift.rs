//! Drift: what changed behind our back, resource by resource.

use crate::address::{ResourceType, Scope};
use crate::plan::Mode;
use crate::plan::change::{Drift, DriftField, DriftKind};
use crate::plan::decide::{ClusterFate, Presence};
use crate::plan::foreign::is_system_manager;
use crate::plan::planner::Judgement;
use crate::plan::stray::strays;
use crate::plan::survey::Belief;
use crate::state::Status;

/// What is observed now against what was last observed.
#[must_use]
pub fn drift(judgement: &Judgement<'_>) -> Vec<Drift> {
    let mut drift = Vec::new();
    for (address, judged) in &judgement.resources {
        let Some(recorded) = judged.item.recorded.filter(|recorded| recorded.status == Status::Settled) else {
            continue;
        };
        let kind = match judged.item.presence {
            Presence::Absent if !recorded.completed => DriftKind::Removed,
            Presence::RemadeByOthers => DriftKind::Remade,
            Presence::Present | Presence::RemadeByUs if !judged.comparison.drift.is_empty() => DriftKind::Changed,
            _ => continue,
        };
        // What a cluster takes along when it goes is the cluster's drift, not a hundred others.
        let with_cluster = matches!(judgement.fates.get(judged.item.target), Some(ClusterFate::Lost(_)))
            && address.resource_type != ResourceType::KindCluster;
        if kind == DriftKind::Removed && with_cluster {
            continue;
        }
        drift.push(Drift { address: (*address).clone(), kind, fields: judged.comparison.drift.clone() });
    }
    drift.extend(added(judgement));
    drift.sort_by(|left, right| (&left.address, left.kind).cmp(&(&right.address, right.kind)));
    drift
}

/// Objects that carry the label of a deployment that was applied before, and that nobody recorded.
fn added(judgement: &Judgement<'_>) -> Vec<Drift> {
    let is_known = |scope: &Scope| judgement.input.states.get(scope).is_some_and(|state| !state.is_new());
    strays(judgement.input)
        .into_iter()
        .filter(|stray| judgement.input.mode == Mode::Apply && is_known(&stray.address.scope))
        .filter(|stray| judgement.beliefs.get(&stray.deployment.target) == Some(&Belief::Trusted))
        .map(|stray| {
            let made = stray.live.attributes.pointer("/metadata/creationTimestamp").cloned();
            let by = stray
                .live
                .owners
                .iter()
                .filter(|owner| !is_system_manager(&owner.manager))
                .min_by_key(|owner| &owner.time);
            let field = DriftField {
                path: "metadata.creationTimestamp".to_owned(),
                recorded: None,
                observed: made,
                manager: by.map(|owner| owner.manager.clone()).unwrap_or_default(),
                time: by.map(|owner| owner.time.clone()).unwrap_or_default(),
                added: true,
                probably: false,
            };
            Drift { address: stray.address, kind: DriftKind::Added, fields: vec![field] }
        })
        .collect()
}
