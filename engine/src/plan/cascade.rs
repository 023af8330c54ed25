//! Cascades: what must follow a resource that is made anew. Each keeps its cause.

use std::collections::BTreeMap;

use crate::address::{Address, ResourceType};
use crate::plan::change::{Action, Reason};
use crate::plan::planner::Judgement;

/// Whether a dependent of this type cannot outlive the resource it needs: it is made anew with it.
///
/// A claim is bound to its volume for life; pods hold their claim; everything in a namespace goes with it. A workload
/// names ConfigMaps, Secrets and Services by name and survives their replacement.
const fn follows(needed: ResourceType, dependent: ResourceType) -> bool {
    match needed {
        ResourceType::Namespace => true,
        ResourceType::PersistentVolume => matches!(dependent, ResourceType::PersistentVolumeClaim),
        ResourceType::PersistentVolumeClaim => matches!(dependent, ResourceType::Deployment | ResourceType::Job),
        _ => false,
    }
}

/// A static volume whose claim is gone is never bound to another one, be it of the same name: Kubernetes leaves it to an
/// operator to free it. It is made anew together with its claim; its bytes stay where they are.
fn free_released_volumes(judgement: &mut Judgement<'_>) {
    let created: BTreeMap<&Address, &Address> = judgement
        .resources
        .iter()
        .filter(|(address, judged)| {
            address.resource_type == ResourceType::PersistentVolumeClaim && judged.verdict.action == Action::Create
        })
        .flat_map(|(claim, judged)| {
            judged.item.desired.into_iter().flat_map(move |one| one.needs.iter().map(move |need| (need, *claim)))
        })
        .collect();
    let released: Vec<(&Address, Address)> = judgement
        .resources
        .iter()
        .filter(|(address, judged)| {
            address.resource_type == ResourceType::PersistentVolume
                && judged.item.recorded.is_some()
                && matches!(judged.verdict.action, Action::NoOp | Action::Update)
                && judged.verdict.finding.is_none()
        })
        .filter(|(_, judged)| judged.item.live.is_some_and(|live| live.attributes["status"]["phase"] == "Released"))
        .filter_map(|(address, _)| Some((*address, (*created.get(address)?).clone())))
        .collect();
    for (address, cause) in released {
        if let Some(judged) = judgement.resources.get_mut(address) {
            judged.verdict.action = Action::Replace;
            judged.verdict.reason = Reason::Cascade { cause };
        }
    }
}

/// Spreads replacements to what cannot outlive them, until nothing more follows.
pub fn cascade(judgement: &mut Judgement<'_>) {
    free_released_volumes(judgement);
    let mut queue: Vec<&Address> = judgement
        .resources
        .iter()
        .filter(|(_, judged)| judged.verdict.action == Action::Replace)
        .filter(|(_, judged)| !matches!(judged.verdict.reason, Reason::ClusterReplaced { .. }))
        .map(|(address, _)| *address)
        .collect();
    if queue.is_empty() {
        return;
    }
    let mut dependents: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (address, judged) in &judgement.resources {
        let recorded = judged.item.recorded.map(|recorded| recorded.needs.as_slice()).unwrap_or_default();
        let desired = judged.item.desired.map(|desired| desired.needs.as_slice()).unwrap_or_default();
        for need in recorded.iter().chain(desired) {
            if let Some((need, _)) = judgement.resources.get_key_value(need) {
                dependents.entry(need).or_default().push(address);
            }
        }
    }
    while let Some(cause) = queue.pop() {
        let mut follow: Vec<&Address> = dependents
            .get(cause)
            .into_iter()
            .flatten()
            .copied()
            .filter(|dependent| follows(cause.resource_type, dependent.resource_type))
            .collect();
        // A static volume keeps the claim of a deleted claimant: it is made anew too, its bytes stay on the host.
        if cause.resource_type == ResourceType::PersistentVolumeClaim
            && let Some(judged) = judgement.resources.get(cause)
        {
            let needs = judged.item.recorded.map(|recorded| recorded.needs.as_slice()).unwrap_or_default();
            follow.extend(
                needs
                    .iter()
                    .filter(|need| need.resource_type == ResourceType::PersistentVolume)
                    .filter_map(|need| judgement.resources.get_key_value(need).map(|(address, _)| *address)),
            );
        }
        for address in follow {
            let Some(judged) = judgement.resources.get_mut(address) else { continue };
            let follows_now = matches!(judged.verdict.action, Action::NoOp | Action::Update)
                && judged.verdict.finding.is_none()
                && judged.item.desired.is_some()
                && judged.item.recorded.is_some()
                && !judged.completed;
            if follows_now {
                judged.verdict.action = Action::Replace;
                judged.verdict.reason = Reason::Cascade { cause: cause.clone() };
                queue.push(address);
            }
        }
    }
}
