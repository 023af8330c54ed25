//! LAC119: whether an id that was computed is the one that a deployment has.

use std::collections::BTreeMap;

use crate::address::{ObjectKey, ResourceType, Scope};
use crate::code::Code;
use crate::compile::CompiledDeployment;
use crate::finding::Finding;
use crate::plan::PlanInput;
use crate::resource::Live;

/// What state and world say of an id.
enum Evidence {
    /// It is the one.
    Confirmed,
    /// Another is, as far as it can be named.
    Another(String),
    /// Nothing.
    None,
}

/// Takes back what was said of a computed id that turns out to be right; one that turns out to be wrong is refused, because
/// everything would be made anew beside what runs.
pub fn judge(input: &PlanInput, findings: &mut Vec<Finding>) {
    for deployment in input.deployments.iter().filter(|deployment| deployment.identity.is_computed) {
        let is_it = |one: &Finding| one.code == Code::ComputedIdentity && one.subject == deployment.name;
        match evidence(input, deployment) {
            Evidence::Confirmed => findings.retain(|one| !is_it(one)),
            Evidence::None => {}
            Evidence::Another(evidence) => {
                // The warning may have been suppressed; this is none.
                let place = findings.iter().find(|one| is_it(one)).and_then(|one| one.place.clone());
                findings.retain(|one| !is_it(one));
                findings.push(another(deployment, &evidence).at_maybe(place.as_ref()));
            }
        }
    }
}

fn another(deployment: &CompiledDeployment, evidence: &str) -> Finding {
    let id = &deployment.identity.deployment_id;
    Finding::new(
        Code::ComputedIdentity,
        format!("there is no deployment.yml, and the id computed from the directory's path, `{id}`, is not the deployment's: {evidence}"),
    )
    .about(&deployment.name)
    .help("restore deployment.yml from a backup, or write it with the `cluster-id` and the `deployment-id` that the objects have")
}

fn evidence(input: &PlanInput, deployment: &CompiledDeployment) -> Evidence {
    match recorded(input, deployment) {
        Evidence::None => live(input, deployment),
        known => known,
    }
}

/// The kinds of objects whose names begin with the id in every deployment.
const NAMED: [ResourceType; 3] = [ResourceType::Deployment, ResourceType::PersistentVolumeClaim, ResourceType::Job];

fn recorded(input: &PlanInput, deployment: &CompiledDeployment) -> Evidence {
    let Some(state) = input.states.get(&Scope::deployment(&deployment.name)) else { return Evidence::None };
    let prefix = format!("{}-", deployment.identity.deployment_id);
    let mut named = state.resources.iter().filter(|(address, _)| NAMED.contains(&address.resource_type)).peekable();
    match named.peek().map(|(_, first)| first.key.name.to_string()) {
        None => Evidence::None,
        Some(first) if named.all(|(_, recorded)| !recorded.key.name.starts_with(&prefix)) => {
            Evidence::Another(format!("the recorded objects are called otherwise, such as `{first}`"))
        }
        Some(_) => Evidence::Confirmed,
    }
}

fn live(input: &PlanInput, deployment: &CompiledDeployment) -> Evidence {
    let observed = input.world.get(&deployment.target).and_then(|observed| observed.objects.as_ref().ok());
    let Some(objects) = observed else { return Evidence::None };
    let namespace = &deployment.tenant.namespace;
    let id = deployment.identity.deployment_id.as_str();
    let is_here = |key: &ObjectKey| key.namespace.is_empty() || *key.namespace == **namespace;
    if objects.iter().any(|(key, live)| is_here(key) && app(live) == Some(id)) {
        return Evidence::Confirmed;
    }
    // A namespace that carries the stamp of this very directory carries the id of its deployment too.
    match stamped(objects, namespace, &deployment.tenant.directory) {
        Some(other) => Evidence::Another(format!("the objects in namespace `{namespace}` carry the label app={other}")),
        None => Evidence::None,
    }
}

fn app(live: &Live) -> Option<&str> {
    live.attributes.pointer("/metadata/labels/app")?.as_str()
}

fn stamped<'a>(objects: &'a BTreeMap<ObjectKey, Live>, namespace: &str, directory: &str) -> Option<&'a str> {
    let live = objects.get(&ObjectKey::new(ResourceType::Namespace, "", namespace))?;
    let owner = live.attributes.pointer("/metadata/annotations/laconic.com~1deployment-dir")?.as_str()?;
    app(live).filter(|_| owner == directory)
}
