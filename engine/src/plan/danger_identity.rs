//! LAC119: whether an id that was computed is the one that a deployment has.

use std::collections::BTreeMap;

use crate::address::{ObjectKey, ResourceType, Scope};
use crate::code::Code;
use crate::compile::CompiledDeployment;
use crate::finding::Finding;
use crate::plan::PlanInput;
use crate::resource::{Live, Observed, Target};

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
        format!("there is no deployment.yml, and nothing is done with the id computed from the directory's path, `{id}`: {evidence}"),
    )
    .about(&deployment.name)
    .help("restore deployment.yml from a backup, or write it with the `cluster-id` (`kind get clusters`) and the `deployment-id` (the label `app`) that the running objects have")
    .help(format!("if nothing runs and nothing is to be found again, write it with `cluster-id: {id}`"))
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
    let Some(observed) = input.world.get(&deployment.target) else { return Evidence::None };
    if let (Target::Kind(cluster), Observed::Absent) = (&deployment.target, &observed.cluster) {
        // It may well run on a cluster that is called otherwise: laconic-so joined whichever there was.
        return Evidence::Another(format!("nothing is recorded, and no kind cluster `{cluster}` is there to have it"));
    }
    let Ok(objects) = &observed.objects else { return Evidence::None };
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::address::Address;
    use crate::code::Severity;
    use crate::plan::Mode;
    use crate::resource::{ObservedTarget, UnknownReason};
    use crate::spec::compute_identity;
    use crate::state::{Body, Recorded, State, Status, Tenant};

    const DIRECTORY: &str = "/srv/deployments/shop";

    fn input() -> PlanInput {
        let identity = compute_identity(DIRECTORY);
        let tenant =
            Tenant { directory: DIRECTORY.to_owned(), namespace: "laconic-shop".to_owned(), ..Tenant::default() };
        let deployment = CompiledDeployment {
            name: "shop".to_owned(),
            target: Target::Kind(identity.cluster_id.clone()),
            identity,
            resources: Vec::new(),
            tenant,
            wish_places: BTreeMap::new(),
            ignored: Vec::new(),
            suppressed: BTreeMap::new(),
            written_names: BTreeMap::new(),
            volumes: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        PlanInput::new(Mode::Apply, vec![deployment])
    }

    /// What becomes of the warning.
    fn judged(input: &PlanInput) -> Option<Severity> {
        let warning = Finding::new(Code::ComputedIdentity, "x").about("shop").as_severity(Severity::Warning);
        let others = Finding::new(Code::ComputedIdentity, "x").about("ledger").as_severity(Severity::Warning);
        let mut findings = vec![warning, others.clone()];
        judge(input, &mut findings);
        assert!(findings.contains(&others));
        findings.into_iter().find(|finding| finding.subject == "shop").map(|finding| finding.severity)
    }

    fn see(input: &mut PlanInput, cluster: Observed, objects: Vec<(ObjectKey, serde_json::Value)>) {
        let live = |attributes| Live { uid: "u".into(), attributes, owners: Vec::new(), terminating: false };
        let mut observed = ObservedTarget::unknown(UnknownReason::Offline);
        observed.cluster = cluster;
        observed.objects = Ok(objects.into_iter().map(|(key, attributes)| (key, live(attributes))).collect());
        let target = input.deployments[0].target.clone();
        input.world.insert(target, observed);
    }

    fn running() -> Observed {
        Observed::Present(Live { uid: "n".into(), attributes: json!({}), owners: Vec::new(), terminating: false })
    }

    fn record(input: &mut PlanInput, name: &str) {
        let mut state = State::empty(Scope::deployment("shop"));
        let key = ObjectKey::new(ResourceType::Deployment, "laconic-shop", name);
        let body = Body::of(json!({}));
        let recorded = Recorded {
            key,
            uid: "u".into(),
            needs: Vec::new(),
            status: Status::Settled,
            desired: body.clone(),
            observed: body,
            completed: false,
        };
        let address = Address::new(ResourceType::Deployment, Scope::deployment("shop"), "shop");
        state.resources.insert(address, recorded);
        input.states.insert(state.scope.clone(), state);
    }

    #[test]
    fn nothing_known_leaves_the_warning() {
        let mut input = input();
        assert_eq!(judged(&input), Some(Severity::Warning));
        see(&mut input, running(), Vec::new());
        assert_eq!(judged(&input), Some(Severity::Warning));
        see(&mut input, Observed::Absent, Vec::new());
        assert_eq!(judged(&input), Some(Severity::Refusal));
    }

    #[test]
    fn the_recorded_names_decide() {
        let mut input = input();
        let id = input.deployments[0].identity.deployment_id.clone();
        record(&mut input, &format!("{id}-deployment"));
        assert_eq!(judged(&input), None);
        // What is recorded counts more than what is gone.
        see(&mut input, Observed::Absent, Vec::new());
        assert_eq!(judged(&input), None);
        record(&mut input, &format!("{id}5-deployment"));
        assert_eq!(judged(&input), Some(Severity::Refusal));
    }

    #[test]
    fn the_labels_of_live_objects_decide() {
        let mut input = input();
        let id = input.deployments[0].identity.deployment_id.clone();
        let pod_of = |namespace: &str| ObjectKey::new(ResourceType::Deployment, namespace, "x");
        let labelled = |id: &str| json!({"metadata": {"labels": {"app": id}}});
        see(&mut input, running(), vec![(pod_of("laconic-shop"), labelled(&id))]);
        assert_eq!(judged(&input), None);
        // Somebody else's namespace says nothing.
        see(&mut input, running(), vec![(pod_of("elsewhere"), labelled(&id))]);
        assert_eq!(judged(&input), Some(Severity::Warning));
        let namespace = ObjectKey::new(ResourceType::Namespace, "", "laconic-shop");
        let stamped = |directory: &str| json!({"metadata": {"labels": {"app": "laconic-old"}, "annotations": {"laconic.com/deployment-dir": directory}}});
        see(&mut input, running(), vec![(namespace.clone(), stamped(DIRECTORY))]);
        assert_eq!(judged(&input), Some(Severity::Refusal));
        see(&mut input, running(), vec![(namespace, stamped("/srv/deployments/other"))]);
        assert_eq!(judged(&input), Some(Severity::Warning));
    }
}
