//! What somebody set up on an API server: webhooks that change or refuse objects, roles that do not allow everything.

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::EnactError;
use laconic_engine::resource::{ObservedTarget, UnknownReason};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::host::SimulatedHost;
use super::machine::{Machine, StoredObject};
use super::transaction::Mutation;
use super::{defaults, paths};

/// One thing that all API servers of a host do to objects of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The kind, as objects name it: `Deployment`.
    pub kind: String,
    /// What is done.
    pub rule: Rule,
}

/// What is done to objects of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Rule {
    /// Admission sets a field, whatever was asked for.
    Sets {
        /// The field.
        path: String,
        /// Its value.
        value: Value,
    },
    /// Admission refuses every create and change.
    Denies {
        /// With these words; `{}` in them becomes the object as it was sent.
        message: String,
    },
    /// Our role does not allow to list or get them.
    Hides,
    /// Our role does not allow to make or change them.
    Forbids,
}

impl SimulatedHost {
    /// Adds a policy.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn add_policy(&self, policy: Policy) -> Result<(), EnactError> {
        self.change(|tx| {
            let mut policies = tx.machine().policies.clone();
            policies.push(policy);
            tx.apply(Mutation::Policies(policies));
            Ok(())
        })
    }

    /// Takes all policies away.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn clear_policies(&self) -> Result<(), EnactError> {
        self.change(|tx| {
            tx.apply(Mutation::Policies(Vec::new()));
            Ok(())
        })
    }
}

fn rules(machine: &Machine, resource_type: ResourceType) -> impl Iterator<Item = &Rule> {
    machine.policies.iter().filter(move |policy| policy.kind == resource_type.kind()).map(|policy| &policy.rule)
}

/// What admission makes of an object that is about to be stored, or its refusal.
pub fn admit(machine: &Machine, object: &mut StoredObject, sent: &Value, verb: &str) -> Result<(), EnactError> {
    let key = object.key.clone();
    for rule in rules(machine, key.resource_type) {
        match rule {
            Rule::Sets { path, value } => {
                paths::set(&mut object.attributes, path, value.clone());
                defaults::normalise_stored(key.resource_type, &mut object.attributes);
            }
            Rule::Denies { message } => {
                let message = message.replace("{}", &sent.to_string());
                return Err(EnactError::Refused(format!(
                    "admission webhook \"simulated\" denied the request: {message}"
                )));
            }
            Rule::Forbids => return Err(EnactError::Refused(forbidden(&key, verb))),
            Rule::Hides => {}
        }
    }
    Ok(())
}

/// The words of the authorizer.
fn forbidden(key: &ObjectKey, verb: &str) -> String {
    let resource = format!("{}s", key.resource_type.kind().to_ascii_lowercase());
    let group = key.resource_type.api_version().split_once('/').map_or("", |(group, _)| group);
    let name = if key.name.is_empty() { String::new() } else { format!(" \"{}\"", key.name) };
    let place = match &*key.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    format!(
        "{resource}{name} is forbidden: User \"laconic\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}"
    )
}

/// Takes out of an answer what may not be seen.
pub fn hide(machine: &Machine, observed: &mut ObservedTarget, asked: impl Iterator<Item = ResourceType>) {
    for resource_type in asked {
        if !rules(machine, resource_type).any(|rule| *rule == Rule::Hides) {
            continue;
        }
        let key = ObjectKey::new(resource_type, "", "");
        observed.unlisted.insert(resource_type, UnknownReason::Forbidden(forbidden(&key, "list")));
        if let Ok(objects) = &mut observed.objects {
            objects.retain(|key, _| key.resource_type != resource_type);
        }
    }
}
