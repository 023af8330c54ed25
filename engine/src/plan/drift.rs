//! Drift: what changed behind our back, resource by resource.

use crate::address::ResourceType;
use crate::plan::change::{Drift, DriftKind};
use crate::plan::decide::{ClusterFate, Presence};
use crate::plan::planner::Judgement;
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
    drift
}
