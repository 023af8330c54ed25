//! The two differences of one resource: intent (desired against recorded desired) and drift (observed against recorded
//! observed), over the fields we own.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::address::{Address, ResourceType};
use crate::diff::{Fields, difference_paths, flatten, forces_replacement, is_order_path, same};
use crate::plan::change::{Action, DifferenceOrigin, DriftField, FieldDifference};
use crate::plan::decide::{FieldVerdict, Presence};
use crate::plan::foreign::{additions, probable_remover, recorded_view};
use crate::plan::survey::Item;
use crate::resource::{Live, Resource};
use crate::secret::{Fingerprinter, mask_observed};
use crate::state::{Recorded, Status};
use crate::value::Digest;

/// What comparing one resource gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// For `decide`.
    pub verdict: FieldVerdict,
    /// The fields that will change.
    pub differences: Vec<FieldDifference>,
    /// The fields that changed behind our back, whether or not that leads to a change.
    pub drift: Vec<DriftField>,
    /// Recorded forms that have to be loaded before this can be said.
    pub missing: Vec<Digest>,
}

/// Whether a field is left to others by an ignore rule: `PATH`, `TYPE:PATH` or `ADDRESS:PATH`, and everything below.
#[must_use]
pub fn is_ignored(rules: &[String], address: &Address, path: &str) -> bool {
    rules.iter().any(|rule| {
        let (subject, prefix) =
            rule.rsplit_once(':').map_or((None, rule.as_str()), |(subject, path)| (Some(subject), path));
        let applies =
            subject.is_none_or(|subject| subject == address.resource_type.word() || subject == address.to_string());
        let below = path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        applies && below
    })
}

/// Compares one resource that is desired and recorded.
#[must_use]
pub fn compare(
    address: &Address,
    item: &Item<'_>,
    ignored: &[String],
    fingerprinter: Option<&Fingerprinter>,
) -> Comparison {
    let (Some(desired), Some(recorded)) = (item.desired, item.recorded) else { return Comparison::default() };
    let live = match item.presence {
        Presence::Present | Presence::RemadeByUs => item.live,
        Presence::RemadeByOthers | Presence::Absent | Presence::Unknown => None,
    };
    if let Some(live) = live.filter(|_| is_remade(recorded, item.presence)) {
        let masked = masked(live, &[&desired.attributes.value()], fingerprinter);
        return against_live(address, desired, &masked, ignored);
    }
    let same_intent = desired.digest() == recorded.desired.digest;
    // With the same intent the owned fields are the desired ones, and digests alone can tell that nothing drifted.
    if same_intent {
        let undrifted = live.is_none_or(|live| {
            Digest::of(&recorded_view(live, &desired.attributes.value())) == recorded.observed.digest
        });
        if undrifted {
            return Comparison::default();
        }
    }
    let mut comparison = Comparison::default();
    for body in [&recorded.desired, &recorded.observed] {
        if body.value.is_none() {
            comparison.missing.push(body.digest);
        }
    }
    let (Some(old), Some(last_seen)) = (&recorded.desired.value, &recorded.observed.value) else { return comparison };
    let old_fields = flatten(old);
    let wanted = desired.attributes.value();
    let new_fields = flatten(&wanted);
    let mut found: Vec<FieldDifference> = Vec::new();
    for path in difference_paths(&old_fields, &new_fields) {
        found.push(FieldDifference {
            before: old_fields.get(&path).cloned(),
            after: new_fields.get(&path).cloned(),
            forces_replacement: false,
            place: desired.place_of(&path).cloned(),
            origin: DifferenceOrigin::Intent,
            path,
        });
    }
    if let Some(live) = live {
        // What was a secret last time may be none now, and the other way around: no form of it is ever shown.
        let masked = masked(live, &[old.as_ref(), &wanted], fingerprinter);
        drift(&masked, &old_fields, &new_fields, last_seen, &mut found, &mut comparison.drift, desired);
        let mut ours = old_fields.clone();
        ours.extend(new_fields.clone());
        let empty = serde_json::Map::new();
        comparison.drift.extend(additions(&masked, &ours, last_seen.as_object().unwrap_or(&empty)));
    }
    let is_pending = recorded.status != Status::Settled;
    comparison.drift.retain(|field| !is_ignored(ignored, address, &field.path));
    let mut comparison = settle(address, found, ignored, comparison);
    if is_pending && live.is_some() {
        // An interrupted update that had arrived: it is recorded, and nothing of it is left to show.
        comparison.differences.retain(|one| match (&one.before, &one.after) {
            (Some(before), Some(after)) => !same(&one.path, before, after),
            _ => true,
        });
    }
    comparison
}

/// A live object with everything masked that is a secret in one of the given forms.
fn masked(live: &Live, shapes: &[&Value], fingerprinter: Option<&Fingerprinter>) -> Live {
    let mut live = live.clone();
    for shape in shapes {
        mask_observed(&mut live.attributes, Some(shape), fingerprinter);
    }
    live
}

/// Whether the object that is there was made by a create of ours whose end was never recorded: what is recorded as
/// desired is then the form of the object before it.
fn is_remade(recorded: &Recorded, presence: Presence) -> bool {
    presence == Presence::RemadeByUs && matches!(recorded.status, Status::Pending(Action::Create | Action::Replace))
}

fn against_live(address: &Address, desired: &Resource, live: &Live, ignored: &[String]) -> Comparison {
    let live_fields = flatten(&live.attributes);
    let found = flatten(&desired.attributes.value())
        .into_iter()
        .filter(|(path, wanted)| !live_fields.get(path).is_some_and(|is| same(path, is, wanted)))
        .map(|(path, wanted)| FieldDifference {
            before: live_fields.get(&path).cloned(),
            after: Some(wanted),
            origin: DifferenceOrigin::Drift,
            forces_replacement: false,
            place: desired.place_of(&path).cloned(),
            path,
        })
        .collect();
    settle(address, found, ignored, Comparison::default())
}

fn settle(
    address: &Address,
    mut found: Vec<FieldDifference>,
    ignored: &[String],
    mut comparison: Comparison,
) -> Comparison {
    found.retain(|difference| !is_ignored(ignored, address, &difference.path));
    for difference in &mut found {
        difference.forces_replacement = is_identity(&difference.path)
            || forces_replacement(
                address.resource_type,
                &difference.path,
                difference.before.as_ref(),
                difference.after.as_ref(),
            );
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    comparison.verdict = FieldVerdict {
        intent: found.iter().any(|difference| difference.origin == DifferenceOrigin::Intent),
        drift: found.iter().any(|difference| difference.origin == DifferenceOrigin::Drift),
        immutable: found.iter().filter(|one| one.forces_replacement).map(|one| one.path.clone()).collect(),
    };
    comparison.differences = found;
    comparison
}

/// An object with another name is another object.
pub(crate) fn is_identity(path: &str) -> bool {
    matches!(path, "metadata.name" | "metadata.namespace" | "kind")
}

fn drift(
    live: &Live,
    old_fields: &Fields,
    new_fields: &Fields,
    last_seen: &Value,
    found: &mut Vec<FieldDifference>,
    drifted: &mut Vec<DriftField>,
    desired: &Resource,
) {
    let live_fields = flatten(&live.attributes);
    let empty = serde_json::Map::new();
    let last_seen = last_seen.as_object().unwrap_or(&empty);
    for path in old_fields.keys() {
        let (was, is) = (last_seen.get(path), live_fields.get(path));
        let unchanged = match (was, is) {
            (Some(was), Some(is)) => same(path, was, is),
            (None, None) => true,
            _ => false,
        };
        if unchanged {
            continue;
        }
        // The order of a list was not always recorded.
        if was.is_none() && is_order_path(path) {
            continue;
        }
        // A secret that cannot be fingerprinted here cannot be compared here either.
        if was.is_none() && old_fields.get(path).is_some_and(crate::secret::is_placeholder) {
            continue;
        }
        let owner = live
            .owners
            .iter()
            .filter(|owner| owner.manager != crate::plan::survey::FIELD_MANAGER)
            .find(|owner| owner.paths.contains(path));
        let remover = if is.is_none() { probable_remover(live) } else { None };
        let probably = owner.is_none() && remover.is_some();
        let owner = owner.or(remover);
        drifted.push(DriftField {
            path: path.clone(),
            recorded: was.cloned(),
            observed: is.cloned(),
            manager: owner.map(|owner| owner.manager.clone()).unwrap_or_default(),
            time: owner.map(|owner| owner.time.clone()).unwrap_or_default(),
            added: false,
            probably,
        });
        // It leads to a change only where we still want something else than what is there now.
        let wanted = new_fields.get(path);
        let already = match (wanted, is) {
            (Some(wanted), Some(is)) => same(path, wanted, is),
            (None, None) => true,
            _ => false,
        };
        match found.iter_mut().find(|difference| difference.path == *path) {
            Some(difference) => difference.before = is.cloned(),
            None if !already && wanted.is_some() => found.push(FieldDifference {
                path: path.clone(),
                before: is.cloned(),
                after: wanted.cloned(),
                origin: DifferenceOrigin::Drift,
                forces_replacement: false,
                place: desired.place_of(path).cloned(),
            }),
            None => {}
        }
    }
}

/// Whether a claim would shrink: the paths say where.
#[must_use]
pub fn shrinks(resource_type: ResourceType, difference: &FieldDifference) -> bool {
    let amount =
        |value: &Option<Value>| value.as_ref().and_then(Value::as_str).and_then(crate::diff::quantity::billionths);
    resource_type == ResourceType::PersistentVolumeClaim
        && difference.path == "spec.resources.requests.storage"
        && matches!((amount(&difference.before), amount(&difference.after)), (Some(before), Some(after)) if after < before)
}

/// What an import records as the desired form: the desired object with every field as it is live, so that the next plan
/// shows what the spec wants otherwise.
#[must_use]
pub fn adopted(desired: &Value, live: &Value) -> Value {
    let live = flatten(live);
    let mut adopted = desired.clone();
    let mut missing = BTreeSet::new();
    for (path, wanted) in flatten(desired) {
        match live.get(&path) {
            Some(value) if !same(&path, &wanted, value) => {
                crate::diff::replace_at(&mut adopted, &path, value);
            }
            Some(_) => {}
            // Servers leave out what is false or an empty text: its absence is as wanted.
            None if wanted == Value::Bool(false) || wanted == "" => {}
            None => {
                missing.insert(path);
            }
        }
    }
    crate::diff::drop_leaves(&mut adopted, &missing);
    adopted
}
