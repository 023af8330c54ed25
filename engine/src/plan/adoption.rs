//! What an import takes into state: the forms it records, and namespaces that were there before we came.

use serde_json::{Value, json};

use crate::address::{Address, ResourceType, Scope};
use crate::compile::CompiledDeployment;
use crate::compile::lower::OWNER_ANNOTATION;
use crate::plan::decide::Presence;
use crate::plan::difference::adopted;
use crate::plan::input::PlanInput;
use crate::plan::planner::{Judged, Judgement};
use crate::plan::rollout::{CONFIG_ANNOTATION, SECRET_ANNOTATION, contents_digest};
use crate::plan::stop::stopped;
use crate::plan::stray::{Stray, strays};
use crate::plan::survey::Belief;
use crate::resource::{Live, Resource, Target};
use crate::state::{Recorded, State, Tenant};
use crate::value::Digest;

/// The annotation on a namespace that was there before its deployment came: it is not ours to delete. It stands on the
/// object itself, so that a lost state does not make it ours.
pub const KEEP_ANNOTATION: &str = "laconic.com/keep-namespace";

/// What an import records as the desired form of an object.
#[must_use]
pub fn adopted_form(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> Option<Value> {
    let (desired, live) = (judged.item.desired?, judged.item.live?);
    let wanted = desired.attributes.value();
    let mut form = adopted(&wanted, &live.attributes);
    match address.resource_type {
        ResourceType::Namespace => stamp(&mut form, &wanted, live),
        ResourceType::Deployment => keep_digests(judgement, desired, live, &mut form),
        _ => {}
    }
    Some(form)
}

/// A namespace gets the annotation of its owner; one that had none is marked as not ours to delete.
fn stamp(form: &mut Value, desired: &Value, live: &Live) {
    let Some(owner) = annotation(desired, OWNER_ANNOTATION) else { return };
    form["metadata"]["annotations"][OWNER_ANNOTATION] = json!(owner);
    if annotation(&live.attributes, OWNER_ANNOTATION).is_none() || is_kept(&live.attributes) {
        form["metadata"]["annotations"][KEEP_ANNOTATION] = json!("true");
    }
}

/// The digests of contents on a pod template, which compiling does not put there, are part of what is adopted: without
/// them the next change would take them off and roll the pods.
fn keep_digests(judgement: &Judgement<'_>, desired: &Resource, live: &Live, form: &mut Value) {
    let template = |object: &Value, name: &str| {
        object["spec"]["template"]["metadata"]["annotations"][name].as_str().map(str::to_owned)
    };
    for (name, resource_type) in
        [(CONFIG_ANNOTATION, ResourceType::ConfigMap), (SECRET_ANNOTATION, ResourceType::Secret)]
    {
        let Some(there) = template(&live.attributes, name) else { continue };
        if template(&desired.attributes.value(), name).is_some() {
            continue;
        }
        let used: Vec<&Judged<'_>> = desired
            .needs
            .iter()
            .filter(|need| need.resource_type == resource_type)
            .filter_map(|need| judgement.resources.get(need))
            .collect();
        // As the next plan computes it, under the key of then, if the pods run with what is wanted.
        let as_wanted = used.iter().all(|one| match (one.item.desired, one.item.live) {
            (Some(desired), Some(live)) => {
                let desired = desired.attributes.value();
                adopted(&desired, &live.attributes) == *desired
            }
            _ => false,
        });
        let resources: Vec<&Resource> = used
            .iter()
            .filter_map(|one| one.item.desired)
            .filter(|one| one.attributes.value()["type"] != "kubernetes.io/dockerconfigjson")
            .collect();
        let digest = contents_digest(&resources).filter(|_| as_wanted).unwrap_or(there);
        form["spec"]["template"]["metadata"]["annotations"][name] = json!(digest);
    }
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

/// Whether a form of a namespace says that it was there before.
#[must_use]
pub fn is_kept(namespace: &Value) -> bool {
    annotation(namespace, KEEP_ANNOTATION) == Some("true")
}

/// Whether a namespace that is no longer wanted stays, because it was there before.
#[must_use]
pub fn stays(address: &Address, recorded: Option<&Recorded>, live: Option<&Live>) -> bool {
    let recorded = recorded.and_then(|recorded| recorded.desired.value.as_deref());
    address.resource_type == ResourceType::Namespace
        && (recorded.is_some_and(is_kept) || live.is_some_and(|live| is_kept(&live.attributes)))
}

/// The namespaces that keep their mark, as resources that replace the compiled ones; and what has to be loaded to know.
#[must_use]
pub fn kept_namespaces(state: &State, resources: &[Resource], scope: &Scope) -> (Vec<Resource>, Vec<Digest>) {
    let (mut kept, mut missing) = (Vec::new(), Vec::new());
    let own = |one: &&Resource| one.address.resource_type == ResourceType::Namespace && one.address.scope == *scope;
    for namespace in resources.iter().filter(own) {
        let Some(recorded) = state.resources.get(&namespace.address) else { continue };
        if recorded.desired.digest == namespace.digest() {
            continue;
        }
        let mut marked = namespace.clone();
        marked.attributes.value_mut()["metadata"]["annotations"][KEEP_ANNOTATION] = json!("true");
        match &recorded.desired.value {
            _ if marked.digest() == recorded.desired.digest => kept.push(marked),
            Some(value) if is_kept(value) => kept.push(marked),
            Some(_) => {}
            None => missing.push(recorded.desired.digest),
        }
    }
    (kept, missing)
}

/// What carries our label and is wanted by nobody, as an import records it: so much that the next plan can destroy it.
#[must_use]
pub fn unwanted(input: &PlanInput) -> Vec<(Target, Resource)> {
    let desired = |stray: &Stray<'_>| stray.deployment.resources.iter().any(|one| one.address == stray.address);
    let strays: Vec<Stray<'_>> = strays(input).into_iter().filter(|one| !desired(one) && is_ours(one)).collect();
    let resource = |stray: &Stray<'_>| {
        let key = stray.key;
        let mut metadata = json!({"name": &*key.name, "labels": {"app": stray.deployment.identity.deployment_id}});
        if !key.namespace.is_empty() {
            metadata["namespace"] = json!(&*key.namespace);
        }
        let form = json!({
            "apiVersion": key.resource_type.api_version(), "kind": key.resource_type.kind(), "metadata": metadata,
        });
        let mut resource = Resource::new(stray.address.clone(), form);
        resource.needs = strays
            .iter()
            .filter(|other| other.deployment.name == stray.deployment.name)
            .filter(|other| holds(key.resource_type, other.key.resource_type))
            .map(|other| other.address.clone())
            .collect();
        (stray.deployment.target.clone(), resource)
    };
    strays.iter().map(resource).collect()
}

/// What an import finds of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, and everything was looked at: it was never started, or is wholly gone.
    Nothing,
    /// What a stop leaves: its namespace, its volumes, its Secrets.
    Stopped,
    /// It runs.
    Running,
    /// Nobody could look.
    Unseen,
}

/// What there is of a planned deployment on its cluster.
#[must_use]
pub fn found(judgement: &Judgement<'_>, deployment: &CompiledDeployment) -> Found {
    if matches!(judgement.beliefs.get(&deployment.target), Some(Belief::Doubted(_))) {
        return Found::Unseen;
    }
    let scope = Scope::deployment(&deployment.name);
    let own = judgement.resources.iter().filter(|(address, _)| address.scope == scope);
    let (mut stays, mut runs, mut wants_to_run) = (false, false, false);
    for (address, judged) in own {
        let is_there = judged.item.presence != Presence::Absent;
        if is_left_by_a_stop(address.resource_type) {
            stays |= is_there;
        } else {
            runs |= is_there;
            wants_to_run |= judged.item.desired.is_some();
        }
    }
    match (runs, stays) {
        (true, _) => Found::Running,
        (false, true) if wants_to_run => Found::Stopped,
        (false, true) => Found::Running,
        (false, false) => Found::Nothing,
    }
}

const fn is_left_by_a_stop(resource_type: ResourceType) -> bool {
    matches!(
        resource_type,
        ResourceType::Namespace
            | ResourceType::Secret
            | ResourceType::PersistentVolume
            | ResourceType::PersistentVolumeClaim
    )
}

/// What the register says of a deployment once it is imported; nothing new of one of which nothing was seen.
#[must_use]
pub fn imported_tenant(judgement: &Judgement<'_>, deployment: &CompiledDeployment) -> Option<Tenant> {
    match found(judgement, deployment) {
        Found::Nothing | Found::Unseen => None,
        Found::Stopped => Some(stopped(deployment.tenant.clone())),
        Found::Running => Some(deployment.tenant.clone()),
    }
}

/// A namespace is taken only with our own stamp on it: much else may live there.
fn is_ours(stray: &Stray<'_>) -> bool {
    stray.key.resource_type != ResourceType::Namespace
        || annotation(&stray.live.attributes, OWNER_ANNOTATION) == Some(stray.deployment.tenant.directory.as_str())
}

/// Whether an object of one type may hold one of another, which then goes after it.
const fn holds(holder: ResourceType, held: ResourceType) -> bool {
    match holder {
        ResourceType::Deployment | ResourceType::Job | ResourceType::CronJob => matches!(
            held,
            ResourceType::PersistentVolumeClaim
                | ResourceType::ConfigMap
                | ResourceType::Secret
                | ResourceType::ServiceAccount
        ),
        ResourceType::PersistentVolumeClaim => matches!(held, ResourceType::PersistentVolume),
        ResourceType::Ingress => matches!(held, ResourceType::Service),
        _ => false,
    }
}
