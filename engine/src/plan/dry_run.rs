//! What the server would say: which changes of a plan are tried before they are made, and what that is worth.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use serde_json::Value;

use crate::address::{Address, ResourceType};
use crate::apply::{EnactError, Enacted, Operation, Step};
use crate::diff::{Fields, flatten, same};
use crate::plan::change::{Action, Change, Reason};
use crate::plan::document::{Consulted, Mode, Plan};
use crate::plan::input::PlanInput;
use crate::resource::Observed;
use crate::secret::{Fingerprinter, SecretSource, SecretValue, SecretValues, mask_observed, materialize, sources};

/// A field that the server makes otherwise than we ask for.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Deviation {
    /// The field path.
    pub path: String,
    /// What we ask for, secrets masked.
    pub asked: Value,
    /// What it becomes; `None` when the server drops it.
    pub becomes: Option<Value>,
}

/// What came of trying a change.
#[derive(Clone, Debug, PartialEq)]
pub enum DryRunOutcome {
    /// The server would do it; what it would make of our fields.
    Accepted(Vec<Deviation>),
    /// It would not, in its own words.
    Refused(String),
    /// It could not be told, and why.
    Unknown(String),
}

impl DryRunOutcome {
    /// What an answer comes to, free of secrets.
    #[must_use]
    pub fn of(
        change: &Change,
        answer: Result<Enacted, EnactError>,
        secrets: &SecretValues,
        fingerprinter: Option<&Fingerprinter>,
    ) -> Self {
        match answer.map_err(|error| error.redacted(secrets)) {
            Ok(enacted) => {
                let asked = change.after.clone().unwrap_or_default();
                let live = enacted.live.map(|mut live| {
                    mask_observed(&mut live.attributes, Some(&asked), fingerprinter);
                    live.attributes
                });
                Self::Accepted(live.map_or_else(Vec::new, |live| deviations(&asked, &live)))
            }
            Err(EnactError::Refused(message)) => match missing_permission(&message) {
                Some(permission) => Self::Unknown(permission.to_owned()),
                None => Self::Refused(message),
            },
            // What moved while the plan was made is found by apply, which looks again.
            Err(error) => Self::Unknown(error.to_string()),
        }
    }
}

/// What of a plan is to be tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DryRunRequest {
    /// The steps, secrets put in.
    pub steps: Vec<Step>,
    /// What could be tried only with a secret that is not here.
    pub untried: BTreeMap<Address, DryRunOutcome>,
}

/// The creates and updates of Kubernetes objects that a server can judge before they are made.
///
/// Left out is what it cannot judge yet: what a replace makes while the old object stands, what lies in a namespace or on a
/// cluster that is only planned, and everything of which nothing is known.
#[must_use]
pub fn dry_run_request(input: &PlanInput, plan: &Plan) -> DryRunRequest {
    let mut request = DryRunRequest::default();
    if input.offline || plan.mode != Mode::Apply {
        return request;
    }
    let planned: BTreeSet<&Address> = plan
        .changes
        .iter()
        .filter(|change| {
            // A cluster whose creation is brought to its end may be made anew.
            !matches!(change.action, Action::Update | Action::Import | Action::NoOp)
                || (change.address.resource_type == ResourceType::KindCluster && change.reason == Reason::Interrupted)
        })
        .filter(|change| matches!(change.address.resource_type, ResourceType::Namespace | ResourceType::KindCluster))
        .map(|change| &change.address)
        .collect();
    for change in &plan.changes {
        let operation = match change.action {
            Action::Create => Operation::Create,
            Action::Update => Operation::Update,
            _ => continue,
        };
        let Some(desired) = change.after.as_ref().filter(|_| can_be_judged(input, plan, &planned, change)) else {
            continue;
        };
        let object = match with_values(input, desired) {
            Ok(object) => object,
            Err(missing) => {
                let why = format!("the {missing} is not set here");
                request.untried.insert(change.address.clone(), DryRunOutcome::Unknown(why));
                continue;
            }
        };
        request.steps.push(Step {
            target: change.target.clone(),
            address: change.address.clone(),
            key: change.key.clone(),
            operation,
            object: Some(object),
            expected_uid: change.expected_uid.clone().filter(|_| operation == Operation::Update),
            force_conflicts: change.force_conflicts,
        });
    }
    request
}

fn can_be_judged(input: &PlanInput, plan: &Plan, planned: &BTreeSet<&Address>, change: &Change) -> bool {
    let resource_type = change.address.resource_type;
    // An interrupted step is repeated as it was; what is there of it may be in the way of a create.
    if !resource_type.is_kubernetes() || change.assumed || change.reason == Reason::Interrupted {
        return false;
    }
    let Some(observed) = input.world.get(&change.target) else { return false };
    let Ok(objects) = &observed.objects else { return false };
    let answers = matches!(observed.cluster, Observed::Present(_))
        && plan.consulted.get(&change.target).is_none_or(|consulted| *consulted == Consulted::Live)
        && !observed.unlisted.contains_key(&resource_type);
    let cluster = change.target.kind_cluster().map(Address::kind_cluster);
    if !answers || cluster.is_some_and(|cluster| planned.contains(&cluster)) {
        return false;
    }
    if !resource_type.is_namespaced() {
        return true;
    }
    // By the object, not by an address: a namespace need not be one of ours.
    let namespace = crate::address::ObjectKey::new(ResourceType::Namespace, "", &change.key.namespace);
    let is_going = plan.changes.iter().any(|other| {
        planned.contains(&other.address)
            && other.target == change.target
            && (other.key == namespace || other.replaced_key.as_ref() == Some(&namespace))
    });
    // A namespace that nobody could see is one that is not known to be missing.
    let is_there = observed.unlisted.contains_key(&ResourceType::Namespace)
        || objects.get(&namespace).is_some_and(|live| !live.terminating);
    is_there && !is_going
}

/// The object with its secrets. A value that is made by us and not made yet is stood in for by one of its shape.
fn with_values(input: &PlanInput, desired: &Value) -> Result<Value, SecretSource> {
    let mut values = input.secrets.clone();
    for source in sources(desired) {
        if let (SecretSource::Generated { encoding, bytes, .. }, false) = (&source, values.contains_key(&source)) {
            let zeros = vec![0; usize::try_from(*bytes).unwrap_or_default()];
            let text = match encoding.as_str() {
                "hex" => crate::value::hexadecimal(&zeros),
                _ => base64::engine::general_purpose::STANDARD.encode(&zeros),
            };
            values.insert(source, SecretValue::new(text));
        }
    }
    materialize(desired, &values).map_err(|missing| missing.0)
}

/// The fields that became otherwise than asked for. `live` is masked by the shape of `asked`.
#[must_use]
pub fn deviations(asked: &Value, live: &Value) -> Vec<Deviation> {
    let live = flatten(live);
    flatten(asked)
        .into_iter()
        .filter(|(path, wanted)| deviates(path, wanted, &live))
        .map(|(path, asked)| Deviation { becomes: live.get(&path).cloned(), path, asked })
        .collect()
}

fn deviates(path: &str, wanted: &Value, live: &Fields) -> bool {
    match live.get(path) {
        Some(is) => !same(path, wanted, is),
        // Servers leave out what is false, nothing or empty, and move `stringData` into `data`.
        None => !is_zero(wanted) && !path.starts_with("stringData"),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether a refusal may be one of the moment: what it misses is made, or what is in its way goes, before the step is done.
#[must_use]
pub fn may_pass_later(plan_changes: &[Change], change: &Change, message: &str) -> bool {
    let comes = || {
        change.needs.iter().any(|need| {
            plan_changes
                .iter()
                .any(|other| other.address == *need && matches!(other.action, Action::Create | Action::Replace))
        })
    };
    let goes = |of: &dyn Fn(&Change) -> bool| {
        plan_changes.iter().any(|other| {
            of(other)
                && matches!(other.action, Action::Delete | Action::Replace | Action::Update)
                && other.address != change.address
        })
    };
    let is_port_taken = message.contains("already allocated") && change.address.resource_type == ResourceType::Service;
    let is_over_quota = message.contains("exceeded quota");
    (message.contains("not found") && comes())
        || (is_port_taken && goes(&|other| other.address.resource_type == ResourceType::Service))
        || (is_over_quota && goes(&|other| other.key.namespace == change.key.namespace))
}

/// What we lack the permission for, when the server refuses for that and not for what the object is: the words of its
/// authorizer without the object's name, so that one note speaks for all objects of a kind.
#[must_use]
pub fn missing_permission(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("is forbidden: ")?;
    (rest.starts_with("User ") && rest.contains(" cannot ")).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn servers_leave_out_what_is_nothing() {
        let asked = json!({"spec": {"readOnly": false, "minReadySeconds": 0, "name": "", "replicas": 1, "cpu": "1"},
                           "stringData": {"a": "b"}});
        assert_eq!(deviations(&asked, &json!({"spec": {"replicas": 1, "cpu": "1"}})), []);
        let found = deviations(&asked, &json!({"spec": {"replicas": 2}}));
        let paths: Vec<&str> = found.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["spec.cpu", "spec.replicas"]);
        assert_eq!((&found[0].becomes, &found[1].becomes), (&None, &Some(json!(2))));
    }

    #[test]
    fn a_lack_of_permission_is_told_by_the_authorizers_words() {
        let role = "deployments.apps \"web\" is forbidden: User \"ci\" cannot patch resource \"deployments\" in API group \"apps\"";
        let expected = "User \"ci\" cannot patch resource \"deployments\" in API group \"apps\"";
        assert_eq!(missing_permission(role), Some(expected));
        for admission in [
            "pods \"web\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3",
            "pods \"web\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false",
            "admission webhook \"x\" denied the request: users cannot do that",
        ] {
            assert_eq!(missing_permission(admission), None);
        }
    }
}
