//! Edits in the files of deployments that come back with their cluster as recorded: told, and not applied.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::{Address, Scope};
use crate::compile::CompiledDeployment;
use crate::diff::{Fields, flatten};
use crate::plan::migration::{is_of_moved, migration};
use crate::plan::planner::Judgement;
use crate::plan::rollout::{CONFIG_ANNOTATION, SECRET_ANNOTATION};
use crate::resource::Target;
use crate::secret::{HMAC_MEMBER, is_placeholder};
use crate::state::{Recorded, State, Status};

/// The resources that the files of the other deployments on a cluster want otherwise than recorded, by deployment.
#[must_use]
pub fn pending_edits(judgement: &Judgement<'_>, target: &Target) -> BTreeMap<String, Vec<Address>> {
    let input = judgement.input;
    let Some(register) = input.states.get(&Scope::cluster(target.name())) else { return BTreeMap::new() };
    let mut edits = BTreeMap::new();
    for name in register.tenants.keys() {
        let (Some(files), Some(state)) = (input.tenant_files.get(name), input.states.get(&Scope::deployment(name)))
        else {
            continue;
        };
        let mut edited = edited(files, state);
        if let Some(migration) = migration(input, target.name()) {
            // Those are what is done.
            edited.retain(|address| !is_of_moved(migration, name, address));
        }
        if !edited.is_empty() {
            edits.insert(name.clone(), edited);
        }
    }
    edits
}

/// The resources that files want otherwise than recorded.
#[must_use]
pub fn edited(files: &CompiledDeployment, state: &State) -> Vec<Address> {
    let differs = |address: &Address, recorded: &Recorded| {
        let desired = files.resources.iter().find(|resource| resource.address == *address);
        match (desired, recorded.desired.value.as_deref()) {
            (Some(desired), Some(recorded)) => comparable(&desired.attributes.value()) != comparable(recorded),
            // What was on its way out is no edit of the files.
            (None, _) => recorded.status != Status::Pending(crate::plan::Action::Delete),
            (Some(_), None) => false,
        }
    };
    let changed = state.resources.iter().filter(|(address, recorded)| differs(address, recorded));
    let mut edited: Vec<Address> = changed.map(|(address, _)| address.clone()).collect();
    let new = files.resources.iter().map(|resource| &resource.address);
    edited.extend(new.filter(|address| !state.resources.contains_key(*address)).cloned());
    edited.sort();
    edited
}

/// The fields that come from files: no fingerprints, and no digests that planning puts on templates.
fn comparable(form: &Value) -> Fields {
    let mut form = form.clone();
    forget_fingerprints(&mut form);
    let by_planning = |path: &str| path.contains(CONFIG_ANNOTATION) || path.contains(SECRET_ANNOTATION);
    flatten(&form).into_iter().filter(|(path, _)| !by_planning(path)).collect()
}

fn forget_fingerprints(value: &mut Value) {
    let is_secret = is_placeholder(value);
    match value {
        Value::Object(object) if is_secret => drop(object.remove(HMAC_MEMBER)),
        Value::Object(object) => object.values_mut().for_each(forget_fingerprints),
        Value::Array(items) => items.iter_mut().for_each(forget_fingerprints),
        _ => {}
    }
}
