//! What a branch changes: a plan against another revision of the same files, as if that one had been applied.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::address::{ResourceType, Scope};
use crate::code::Code;
use crate::compile::{ClusterInput, CompiledDeployment, compose_cluster};
use crate::finding::Finding;
use crate::plan::planner::plan_or_requirements;
use crate::plan::{Plan, PlanInput, Requirements};
use crate::resource::{Resource, Target, cluster_scope};
use crate::state::{Body, Recorded, State, Status};
use crate::value::Digest;

/// The uid of everything that is assumed to be there.
const ASSUMED: &str = "assumed";

/// The plan of an input against the deployments of another revision. Needs no state, no world and no secrets.
///
/// Deployments that are only in the other revision stay on their clusters: nothing that is applied takes them away.
#[must_use]
pub fn plan_against(base: &[CompiledDeployment], mut input: PlanInput) -> Plan {
    input.offline = true;
    input.world.clear();
    let (states, forms) = as_if_applied(base);
    // As with recorded states: of clusters, those that the planned deployments go to.
    let scopes = input.scopes();
    input.states = states.into_iter().filter(|(scope, _)| !scope.is_cluster() || scopes.contains(scope)).collect();
    input.findings.extend(left_behind(base, &input.deployments));
    // Each round loads forms that were not loaded before, of which there are so many at most.
    for _ in 0..=forms.len() {
        match plan_or_requirements(&input) {
            Ok(plan) => return without_doubts(plan),
            Err(requirements) => fulfil(&mut input, &forms, &requirements),
        }
    }
    without_doubts(crate::plan::plan(&input))
}

/// That nobody looked is said of the whole plan.
fn without_doubts(mut plan: Plan) -> Plan {
    for change in &mut plan.changes {
        change.assumed = false;
    }
    plan
}

/// Recorded forms by digest: most are never looked at, because a digest says that nothing changed.
type Forms<'a> = HashMap<Digest, &'a Resource>;

/// The states that an apply of these deployments leaves.
fn as_if_applied(base: &[CompiledDeployment]) -> (BTreeMap<Scope, State>, Forms<'_>) {
    let mut states = BTreeMap::new();
    let mut forms = Forms::new();
    let mut clusters: BTreeMap<&Target, Vec<&CompiledDeployment>> = BTreeMap::new();
    for deployment in base {
        let mut state = empty(Scope::deployment(&deployment.name), &deployment.target);
        for resource in &deployment.resources {
            let digest = resource.digest();
            forms.insert(digest, resource);
            state.resources.insert(resource.address.clone(), recorded(resource, Body { digest, value: None }));
        }
        states.insert(state.scope.clone(), state);
        clusters.entry(&deployment.target).or_default().push(deployment);
    }
    for (target, deployments) in clusters {
        let Some(scope) = cluster_scope(target) else { continue };
        let planned = deployments
            .iter()
            .map(|one| (one.name.clone(), Some((one.tenant.clone(), one.wish_places.clone()))))
            .collect();
        let nobody = BTreeMap::new();
        let compilation =
            compose_cluster(&ClusterInput { name: target.name(), registered: &nobody, planned, recorded: None });
        let mut state = empty(scope, target);
        for resource in compilation.resources {
            let body = Body::of(resource.attributes.value().into_owned());
            state.resources.insert(resource.address.clone(), recorded(&resource, body));
        }
        state.tenants = compilation.tenants;
        states.insert(state.scope.clone(), state);
    }
    (states, forms)
}

fn empty(scope: Scope, target: &Target) -> State {
    State { lineage: ASSUMED.to_owned(), serial: 1, target: Some(target.clone()), ..State::empty(scope) }
}

fn recorded(resource: &Resource, desired: Body) -> Recorded {
    Recorded {
        key: resource.key(),
        uid: ASSUMED.to_owned(),
        needs: resource.needs.clone(),
        status: Status::Settled,
        desired,
        // Nothing is observed, and so nothing is compared with it.
        observed: Body::of(Value::Null),
        completed: resource.address.resource_type == ResourceType::Job,
    }
}

fn fulfil(input: &mut PlanInput, forms: &Forms<'_>, requirements: &Requirements) {
    for (scope, digests) in &requirements.bodies {
        let Some(state) = input.states.get_mut(scope) else { continue };
        for recorded in state.resources.values_mut() {
            let body = &mut recorded.desired;
            if body.value.is_none() && digests.contains(&body.digest) {
                body.value = forms.get(&body.digest).map(|form| form.attributes.value().into_owned().into());
            }
        }
    }
    // Every tenant of these states was compiled here: one that is not planned has its state among them.
    for scope in requirements.tenants.keys() {
        input.unreadable.insert(scope.clone(), "it is not in this revision".to_owned());
    }
}

/// Deployments that this revision no longer has.
fn left_behind(base: &[CompiledDeployment], now: &[CompiledDeployment]) -> Vec<Finding> {
    let stays = |name: &str| now.iter().any(|deployment| deployment.name == name);
    base.iter()
        .filter(|deployment| !stays(&deployment.name))
        .map(|deployment| {
            let volumes: Vec<&str> = deployment.volumes.keys().map(String::as_str).collect();
            let kept = if volumes.is_empty() {
                String::new()
            } else {
                format!(", its volumes {} included", volumes.join(", "))
            };
            let message = format!(
                "`{}` is not in this revision any more, and nothing takes it down by itself{kept}",
                deployment.name
            );
            Finding::new(Code::LeftBehind, message)
                .about(&deployment.name)
                .help("take it down on its host before this is merged: laconic destroy --dir DIR")
        })
        .collect()
}
