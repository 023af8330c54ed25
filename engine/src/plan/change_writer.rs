//! Writing down what happens to one resource.

use std::collections::BTreeMap;

use crate::address::{Address, Scope};
use crate::plan::adoption::adopted_form;
use crate::plan::change::{Action, Change, DifferenceOrigin};
use crate::plan::danger_ownership::taker;
use crate::plan::decide::Presence;
use crate::plan::ignored::leave_to_others;
use crate::plan::planner::{Judged, Judgement};
use crate::resource::Resource;

/// The change of one resource. Complete: apply needs nothing else.
#[must_use]
pub fn write_change(
    judgement: &Judgement<'_>,
    address: &Address,
    judged: &Judged<'_>,
    ignored: &BTreeMap<Scope, Vec<String>>,
) -> Change {
    let observed = judgement.input.world.get(judged.item.target);
    let unlisted = observed.is_some_and(|observed| observed.unlisted.contains_key(&address.resource_type));
    let Judged { item, verdict, comparison, .. } = judged;
    let action = verdict.action;
    let before = match (item.live, item.recorded) {
        (Some(live), _) if action == Action::Import => Some(live.attributes.clone()),
        (_, Some(recorded)) if action != Action::Create => recorded.desired.value.as_deref().cloned(),
        (Some(live), None) => Some(live.attributes.clone()),
        _ => None,
    };
    let desired = item.desired.map(|desired| desired.attributes.value().into_owned());
    let after = match (action, item.live, ignored.get(&address.scope)) {
        (Action::Forget | Action::Delete, ..) => None,
        (Action::Import, ..) => adopted_form(judgement, address, judged).or(desired),
        (Action::Update, Some(live), Some(rules)) => desired.map(|form| leave_to_others(&form, live, rules, address)),
        _ => desired,
    };
    let taken = comparison.differences.iter().any(|difference| difference.origin == DifferenceOrigin::Drift)
        || comparison.differences.iter().any(|difference| taker(judged, difference).is_some());
    let recorded_key = item.recorded.map(|recorded| recorded.key.clone());
    let desired_key = item.desired.map(Resource::key);
    let key = match (recorded_key, desired_key) {
        (Some(recorded), _) if matches!(action, Action::Delete | Action::Forget) => recorded,
        (_, Some(desired)) => desired,
        (Some(recorded), None) => recorded,
        // A resource is in the plan because it is desired or recorded.
        (None, None) => crate::address::ObjectKey::new(address.resource_type, "", address.short_name()),
    };
    let expected_uid = item
        .live
        .map(|live| live.uid.clone())
        .or_else(|| item.recorded.map(|recorded| recorded.uid.clone()))
        .filter(|uid| !uid.is_empty() && action != Action::Create);
    let replaced_key = item
        .recorded
        .map(|recorded| recorded.key.clone())
        .filter(|recorded| action == Action::Replace && *recorded != key);
    Change {
        address: address.clone(),
        replaced_key,
        key,
        target: item.target.clone(),
        action,
        reason: verdict.reason.clone(),
        before,
        after,
        differences: if matches!(action, Action::Update | Action::Replace) {
            comparison.differences.clone()
        } else {
            Vec::new()
        },
        needs: item.desired.map(|desired| desired.needs.clone()).unwrap_or_default(),
        needed: item.recorded.map(|recorded| recorded.needs.clone()).unwrap_or_default(),
        expected_uid,
        assumed: item.presence == Presence::Unknown && (item.recorded.is_some() || unlisted),
        force_conflicts: taken,
        place: item.desired.and_then(|desired| desired.place.clone()),
    }
}
