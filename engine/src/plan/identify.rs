//! The two digests of a plan: its id, bound to its states, and its change id, which server and pull request share.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::address::Scope;
use crate::compile::CompiledDeployment;
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
    let deployments: BTreeMap<&str, &CompiledDeployment> =
        input.deployments.iter().map(|deployment| (deployment.name.as_str(), deployment)).collect();
    let mut all = String::new();
    for change in &plan.changes {
        let mut text = described(change).to_string();
        match &change.address.scope {
            // What a deployment compiles to names nobody else; looking for everybody in everything would be quadratic.
            Scope::Deployment(name) => {
                if let Some(deployment) = deployments.get(&**name) {
                    text = without_identity(text, deployment);
                }
            }
            Scope::Cluster(_) => {
                text = input.deployments.iter().fold(text, without_identity);
            }
        }
        all.push_str(&text);
        all.push('\n');
    }
    Digest::of_bytes(all.as_bytes()).to_string().chars().take(SHOWN).collect()
}

/// The text with a placeholder for everything that differs from one copy of a deployment to the next.
fn without_identity(mut text: String, deployment: &CompiledDeployment) -> String {
    let identity = &deployment.identity;
    let words = [
        (&deployment.tenant.directory, "directory"),
        (&identity.deployment_id, "deployment-id"),
        (&identity.cluster_id, "cluster-id"),
    ];
    for (word, kind) in words {
        if !word.is_empty() && text.contains(word.as_str()) {
            text = text.replace(word.as_str(), &format!("<{kind} of {}>", deployment.name));
        }
    }
    text
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
