//! What becomes of the kind clusters: decided before everything that is on them.

use std::collections::BTreeMap;

use crate::address::Scope;
use crate::plan::change::Action;
use crate::plan::decide::ClusterFate;
use crate::plan::planner::judge;
use crate::plan::survey::{Composition, leaves_cluster_alone, survey_clusters};
use crate::plan::{PlanInput, Requirements};
use crate::resource::{Target, UnknownReason};

/// The fates of the clusters that do not stay as they are.
pub fn cluster_fates(
    input: &PlanInput,
    composition: &Composition,
    targets: &BTreeMap<Scope, Target>,
    requirements: &mut Requirements,
) -> BTreeMap<Target, ClusterFate> {
    let mut fates = BTreeMap::new();
    if leaves_cluster_alone(input, composition) {
        return fates;
    }
    for (address, item) in &survey_clusters(input, composition, targets) {
        let recorded = item.recorded.is_some();
        let judged = judge(input, address, item.clone(), ClusterFate::Stays, &BTreeMap::new(), requirements);
        let cause = (*address).clone();
        let fate = match judged.verdict.action {
            Action::Replace => ClusterFate::Replaced(cause),
            Action::Create if recorded => ClusterFate::Lost(cause),
            Action::Delete | Action::Forget => ClusterFate::Deleted(cause),
            // Our own, interrupted while it was made: there is nothing on it yet, and it is made from the start.
            Action::Update if is_unfinished(input, item.target) => ClusterFate::Lost(cause),
            Action::NoOp | Action::Create | Action::Update | Action::Import => continue,
        };
        fates.insert(item.target.clone(), fate);
    }
    fates
}

fn is_unfinished(input: &PlanInput, target: &Target) -> bool {
    let objects = input.world.get(target).map(|observed| &observed.objects);
    matches!(objects, Some(Err(UnknownReason::Unfinished(_))))
}
