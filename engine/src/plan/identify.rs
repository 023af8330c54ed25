//! The id of a plan: the digest of what it does, bound to the states it was made from.

use serde_json::{Value, json};

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
    let mut identity = json!({
        "mode": plan.mode, "states": plan.states, "changes": changes, "register": plan.register,
        "simulated": plan.simulated,
    });
    if !plan.recreates.is_empty() {
        identity["recreates"] = json!(plan.recreates);
    }
    shown(&identity)
}

fn shown(value: &Value) -> String {
    Digest::of(value).to_string().chars().take(SHOWN).collect()
}
