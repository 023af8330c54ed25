//! Plans of a part: what is named, what that needs, and what must follow it.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ResourceType, Scope};
use crate::code::Code;
use crate::finding::Finding;
use crate::plan::change::{Action, Reason};
use crate::plan::decide::{ClusterFate, Verdict};
use crate::plan::input::PlanInput;
use crate::plan::planner::{Judgement, cause};
use crate::plan::survey::Composition;
use crate::resource::{Resource, Target};

/// A cluster is made anew only by its name, or where the part needs a mount or a port that it lacks: anything else of a part
/// is planned on the cluster as it is.
pub fn leave_clusters(input: &PlanInput, composition: &Composition, fates: &mut BTreeMap<Target, ClusterFate>) {
    let Some(targets) = &input.targets else { return };
    let lacking = lacking(input, composition, targets);
    fates.retain(|_, fate| match fate {
        ClusterFate::Replaced(cluster) => targets.contains(cluster) || lacking.contains(&cluster.scope),
        _ => true,
    });
}

/// The clusters that lack, or have otherwise, a mount or a port that a part needs.
fn lacking(input: &PlanInput, composition: &Composition, targets: &BTreeSet<Address>) -> BTreeSet<Scope> {
    let of_deployments = input.deployments.iter().flat_map(|deployment| &deployment.resources);
    let of_clusters = composition.clusters.values().flat_map(|cluster| &cluster.resources);
    let wanted: BTreeMap<&Address, &Resource> =
        of_deployments.chain(of_clusters).map(|resource| (&resource.address, resource)).collect();
    let mut lacking = BTreeSet::new();
    let mut seen: BTreeSet<&Address> = BTreeSet::new();
    let mut queue: Vec<&Address> = targets.iter().collect();
    while let Some(address) = queue.pop() {
        let Some(resource) = wanted.get(address).filter(|_| seen.insert(address)) else { continue };
        queue.extend(&resource.needs);
        if matches!(address.resource_type, ResourceType::KindMount | ResourceType::KindPort) {
            let recorded = input.states.get(&address.scope).and_then(|state| state.resources.get(address));
            if recorded.is_none_or(|recorded| recorded.desired.digest != resource.digest()) {
                lacking.insert(address.scope.clone());
            }
        }
    }
    lacking
}

/// Leaves everything else as it is, whatever was decided of it.
pub fn narrow(judgement: &mut Judgement<'_>) {
    let Some(targets) = &judgement.input.targets else { return };
    let kept = closure(judgement, targets);
    for (address, judged) in &mut judgement.resources {
        if !kept.contains(*address) {
            judgement.left_out += usize::from(judged.verdict.action.is_change());
            judged.verdict = Verdict { action: Action::NoOp, reason: Reason::InSync, finding: None };
        }
    }
    let is_kept = |fate: &ClusterFate| match fate {
        ClusterFate::Stays => false,
        ClusterFate::Replaced(cluster) | ClusterFate::Lost(cluster) | ClusterFate::Deleted(cluster) => {
            kept.contains(cluster)
        }
    };
    judgement.fates.retain(|_, fate| is_kept(fate));
}

/// What is named, with what has to be made for it and what cannot stay as it is when it changes.
fn closure(judgement: &Judgement<'_>, targets: &BTreeSet<Address>) -> BTreeSet<Address> {
    let mut kept: BTreeSet<Address> = BTreeSet::new();
    let mut queue: Vec<&Address> = targets.iter().collect();
    while let Some(address) = queue.pop() {
        let Some((address, judged)) = judgement.resources.get_key_value(address) else { continue };
        if !kept.insert((*address).clone()) {
            continue;
        }
        if !judged.verdict.action.is_change() {
            continue;
        }
        queue.extend(cause(&judged.verdict.reason));
        let needs = judged.item.desired.map(|desired| desired.needs.as_slice()).unwrap_or_default();
        let is_needed = |need: &&Address| {
            let action = judgement.resources.get(need).map(|needed| needed.verdict.action);
            match action {
                Some(Action::Create) => true,
                // A workload that rolls for it must find it.
                Some(Action::Update) => need.resource_type == ResourceType::KindImage,
                // Its own fate says whether it is.
                Some(Action::Replace) => need.resource_type != ResourceType::KindCluster,
                _ => false,
            }
        };
        queue.extend(needs.iter().filter(is_needed));
        let follows = |reason: &Reason| cause(reason) == Some(address);
        queue.extend(judgement.resources.iter().filter(|(_, one)| follows(&one.verdict.reason)).map(|(one, _)| *one));
    }
    kept
}

/// LAC805: that the plan is of a part.
pub fn left_out(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    if judgement.left_out > 0 {
        let count = judgement.left_out;
        let noun = if count == 1 {
            "resource differs and is left as it is"
        } else {
            "resources differ and are left as they are"
        };
        let message = format!("this plan is of a part: {count} other {noun}");
        findings.push(Finding::new(Code::NotConsulted, message).help("`laconic plan` shows everything"));
    }
}
