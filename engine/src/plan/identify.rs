//! The two digests of a plan: its id, bound to its states, and its change id, which server and pull request share.

use serde_json::{Value, json};

use crate::plan::PlanInput;
use crate::plan::change::Change;
use crate::plan::document::Plan;
use crate::value::Digest;

/// How much of a digest people compare: 64 bits, written as 16 hexadecimal characters.
const SHOWN: usize = 16;

/// The id of a plan: what it does, and the states it was made from.
#[must_use]
pub fn plan_id(plan: &Plan) -> String {
    let changes: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| {
            json!({
                "address": change.address, "action": change.action, "key": change.key, "target": change.target,
                "after": change.after, "uid": change.expected_uid, "needs": change.needs, "needed": change.needed,
            })
        })
        .collect();
    let identity = json!({
        "mode": plan.mode, "states": plan.states, "changes": changes, "register": plan.register,
        "simulated": plan.simulated,
    });
    shown(&identity)
}

/// The change id: what it does, with identities and directories as placeholders and secrets as the names of their sources.
#[must_use]
pub fn change_id(plan: &Plan, input: &PlanInput) -> String {
    let changes: Vec<Value> = plan.changes.iter().map(described).collect();
    let mut text = Value::Array(changes).to_string();
    for deployment in &input.deployments {
        let identity = &deployment.identity;
        let words = [
            (&deployment.tenant.directory, "directory"),
            (&identity.deployment_id, "deployment-id"),
            (&identity.cluster_id, "cluster-id"),
        ];
        for (word, kind) in words {
            if !word.is_empty() {
                text = text.replace(word.as_str(), &format!("<{kind} of {}>", deployment.name));
            }
        }
    }
    Digest::of_bytes(text.as_bytes()).to_string().chars().take(SHOWN).collect()
}

fn described(change: &Change) -> Value {
    let fields: Vec<Value> = change
        .differences
        .iter()
        .map(|one| {
            json!([
                one.path,
                without_fingerprints(&one.before),
                without_fingerprints(&one.after),
                one.forces_replacement
            ])
        })
        .collect();
    json!([change.address, change.action, fields])
}

fn without_fingerprints(value: &Option<Value>) -> Option<Value> {
    let mut value = value.clone()?;
    if let Some(object) = value.as_object_mut().filter(|object| object.contains_key(crate::secret::SECRET_MEMBER)) {
        object.remove(crate::secret::HMAC_MEMBER);
    }
    Some(value)
}

fn shown(value: &Value) -> String {
    Digest::of(value).to_string().chars().take(SHOWN).collect()
}
