//! What a server made of our fields otherwise than asked for, told once.

use serde_json::Value;

use crate::apply::options::Apply;
use crate::plan::change::Change;
use crate::plan::danger_dry_run::is_accepted;
use crate::plan::dry_run::{Deviation, deviations};
use crate::resource::Live;
use crate::secret::mask_observed;
use crate::state::Recorded;

/// The deviations of an answer that no earlier apply of the same wish met.
pub(crate) fn new_deviations(apply: &Apply<'_>, change: &Change, asked: &Value, live: &Live) -> Vec<Deviation> {
    if !change.address.resource_type.is_kubernetes() {
        return Vec::new();
    }
    let mut live = live.attributes.clone();
    mask_observed(&mut live, Some(asked), apply.fingerprinters.get(change.address.scope.name()));
    let mut found = deviations(asked, &live);
    if !found.is_empty()
        && let Some(recorded) = recorded(apply, change)
    {
        found.retain(|deviation| !is_accepted(&recorded, deviation));
    }
    found
}

/// What is recorded of a resource, forms loaded. A state that cannot be read here was read before and is written next:
/// that is where its trouble is told.
fn recorded(apply: &Apply<'_>, change: &Change) -> Option<Recorded> {
    let mut state = apply.store.load(&change.address.scope).ok()?;
    let recorded = state.resources.get(&change.address)?;
    let digests = [recorded.desired.digest, recorded.observed.digest].into();
    apply.store.load_bodies(&mut state, &digests).ok()?;
    state.resources.remove(&change.address)
}
