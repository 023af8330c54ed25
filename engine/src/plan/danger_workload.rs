//! Workloads whose pods would not start: LAC502, more than a node can give, and LAC704, a Secret that nobody makes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::{Address, ObjectKey, ResourceType};
use crate::code::Code;
use crate::compile::CompiledDeployment;
use crate::diff::flatten;
use crate::diff::quantity::billionths;
use crate::finding::Finding;
use crate::place::Place;
use crate::plan::Mode;
use crate::plan::planner::Judgement;
use crate::plan::survey::Belief;
use crate::resource::{Allocatable, Resource, Target};

/// LAC502 and LAC704, for the deployments of a plan on clusters that were seen.
pub fn workloads(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    if judgement.input.mode != Mode::Apply {
        return;
    }
    for deployment in &judgement.input.deployments {
        too_large(judgement, deployment, findings);
        secrets(judgement, deployment, findings);
    }
    for target in judgement.beliefs.keys() {
        too_many(judgement, target, findings);
    }
}

/// Whether pods come of it.
#[must_use]
pub const fn is_workload(address: &Address) -> bool {
    matches!(address.resource_type, ResourceType::Deployment | ResourceType::Job)
}

/// What a pod asks its node for, in billionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodRequest {
    cpu: i128,
    memory: i128,
}

impl PodRequest {
    /// Whether it asks for nothing.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.cpu == 0 && self.memory == 0
    }

    const fn fits(self, into: Self) -> bool {
        self.cpu <= into.cpu && self.memory <= into.memory
    }

    const fn plus(self, other: Self, times: i128) -> Self {
        Self { cpu: self.cpu + other.cpu * times, memory: self.memory + other.memory * times }
    }

    fn of_node(node: &Allocatable) -> Option<Self> {
        Some(Self { cpu: billionths(&node.cpu)?, memory: billionths(&node.memory)? })
    }
}

/// What the pods of a pod specification ask for each: what its containers ask for together, or one of those that run before
/// them if that is more.
#[must_use]
pub fn request_of(pod: &Value) -> PodRequest {
    let mut running = PodRequest::default();
    let mut most = PodRequest::default();
    for (list, ends) in [("initContainers", true), ("containers", false)] {
        for container in pod[list].as_array().into_iter().flatten() {
            let amount = |member: &str| {
                let text = |of: &str| container["resources"][of][member].as_str().and_then(billionths);
                // A limit without a request is one.
                text("requests").or_else(|| text("limits")).unwrap_or_default()
            };
            let one = PodRequest { cpu: amount("cpu"), memory: amount("memory") };
            let with_it = running.plus(one, 1);
            most = PodRequest { cpu: most.cpu.max(with_it.cpu), memory: most.memory.max(with_it.memory) };
            // A sidecar goes on running.
            if !ends || container["restartPolicy"] == "Always" {
                running = with_it;
            }
        }
    }
    most
}

/// An amount as people write it: at most three digits behind the point, memory in powers of two.
fn shown(amount: i128, is_memory: bool) -> String {
    let units = [("Gi", 1_i128 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    let (unit, size) =
        units.into_iter().filter(|_| is_memory).find(|(_, size)| amount >= size * 1_000_000_000).unwrap_or(("", 1));
    let thousandths = amount / (size * 1_000_000);
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

/// `4 processors and 8Gi of memory`: what of a request is more than there is.
fn excess(asked: PodRequest, given: PodRequest) -> (String, String) {
    let mut parts = Vec::new();
    if asked.cpu > given.cpu {
        parts.push((format!("{} CPU", shown(asked.cpu, false)), shown(given.cpu, false)));
    }
    if asked.memory > given.memory {
        parts.push((format!("{} of memory", shown(asked.memory, true)), shown(given.memory, true)));
    }
    let join =
        |which: fn(&(String, String)) -> &String| parts.iter().map(which).cloned().collect::<Vec<_>>().join(" and ");
    (join(|part| &part.0), join(|part| &part.1))
}

fn nodes(judgement: &Judgement<'_>, target: &Target) -> BTreeMap<String, PodRequest> {
    let allocatable = judgement.input.world.get(target).map(|observed| &observed.node.allocatable);
    let nodes = allocatable.into_iter().flatten();
    nodes.filter_map(|(name, node)| Some((name.clone(), PodRequest::of_node(node)?))).collect()
}

fn pod(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]
}

/// Pods that fit on no node, however empty it is.
fn too_large(judgement: &Judgement<'_>, deployment: &CompiledDeployment, findings: &mut Vec<Finding>) {
    let nodes = nodes(judgement, &deployment.target);
    let largest = |of: fn(&PodRequest) -> i128| nodes.values().map(of).max().unwrap_or_default();
    let most = PodRequest { cpu: largest(|node| node.cpu), memory: largest(|node| node.memory) };
    if nodes.is_empty() {
        return;
    }
    for workload in changed_workloads(judgement, deployment) {
        let asked = request_of(pod(&workload.attributes.value()));
        if nodes.values().any(|node| asked.fits(*node)) {
            continue;
        }
        let (asks, given) = excess(asked, most);
        let message = match asks.is_empty() {
            // Each amount is on some node, and no node has both.
            true => format!(
                "a pod of `{}` asks for more CPU and memory together than any one node can give",
                workload.address
            ),
            false => format!(
                "a pod of `{}` asks for {asks}, and no node can give more than {given}: it would stay Pending",
                workload.address
            ),
        };
        findings.push(unschedulable(workload, message));
    }
}

/// Pods that fit one by one and not together with what runs there already.
fn too_many(judgement: &Judgement<'_>, target: &Target, findings: &mut Vec<Finding>) {
    let nodes = nodes(judgement, target);
    let given = nodes.values().fold(PodRequest::default(), |sum, node| sum.plus(*node, 1));
    if nodes.is_empty() {
        return;
    }
    let mut asked = PodRequest::default();
    let mut planned: BTreeMap<ObjectKey, &Resource> = BTreeMap::new();
    let mut changed: Option<&Resource> = None;
    for deployment in judgement.input.deployments.iter().filter(|one| one.target == *target) {
        let workloads = deployment.resources.iter().filter(|one| one.address.resource_type == ResourceType::Deployment);
        planned.extend(workloads.map(|one| (one.key(), one)));
        changed = changed.or_else(|| changed_workloads(judgement, deployment).next());
    }
    for workload in planned.values() {
        asked = asked.plus(all_pods(&workload.attributes.value()), 1);
        if nodes.values().all(|node| !request_of(pod(&workload.attributes.value())).fits(*node)) {
            // Told by itself.
            return;
        }
    }
    let live = judgement.input.world.get(target).and_then(|observed| observed.objects.as_ref().ok());
    let others = live
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.resource_type == ResourceType::Deployment && !planned.contains_key(key));
    // Those that this plan takes away make room.
    let goes = |key: &ObjectKey| {
        judgement.resources.values().any(|judged| {
            judged.item.desired.is_none() && judged.item.recorded.is_some_and(|recorded| recorded.key == *key)
        })
    };
    for (_, other) in others.filter(|(key, _)| !goes(key)) {
        asked = asked.plus(all_pods(&other.attributes), 1);
    }
    let (Some(changed), false) = (changed, asked.fits(given)) else { return };
    let (asks, given) = excess(asked, given);
    let message = format!(
        "all Deployments on {} ask for {asks} together, and its nodes can give {given}: some pods would stay Pending",
        crate::plan::danger::target_text(target)
    );
    findings.push(unschedulable(changed, message));
}

/// What all pods of a Deployment ask for.
fn all_pods(workload: &Value) -> PodRequest {
    let replicas = i128::from(workload["spec"]["replicas"].as_u64().unwrap_or(1));
    PodRequest::default().plus(request_of(pod(workload)), replicas)
}

fn unschedulable(workload: &Resource, message: String) -> Finding {
    Finding::new(Code::Unschedulable, message)
        .about(workload.address.to_string())
        .at_maybe(place_of_most(workload))
        .help("ask for less under `resources:` of the spec, or give the node more")
}

/// Where the container that asks for most asks for it.
fn place_of_most(workload: &Resource) -> Option<&Place> {
    let attributes = workload.attributes.value();
    let containers = pod(&attributes)["containers"].as_array();
    let asked = |one: &&Value| request_of(&serde_json::json!({"containers": [one]})).cpu;
    let most = containers.into_iter().flatten().max_by_key(asked)?;
    let name = most["name"].as_str().unwrap_or_default();
    workload.place_of(&format!("spec.template.spec.containers[{name}].resources.requests.cpu"))
}

fn changed_workloads<'a>(
    judgement: &'a Judgement<'_>,
    deployment: &'a CompiledDeployment,
) -> impl Iterator<Item = &'a Resource> {
    let is_changed = |one: &&Resource| {
        is_workload(&one.address)
            && judgement.resources.get(&one.address).is_some_and(|judged| judged.verdict.action.is_change())
    };
    deployment.resources.iter().filter(is_changed)
}

/// A Secret that a pod refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretReference {
    /// Where it would be.
    pub key: ObjectKey,
    /// Whether pods start without it.
    pub is_optional: bool,
    /// Whether it is for pulling images.
    pub pulls_images: bool,
}

/// The Secrets that the pods of a workload refer to.
#[must_use]
pub fn referenced_secrets(workload: &Value) -> Vec<SecretReference> {
    let namespace = workload["metadata"]["namespace"].as_str().unwrap_or_default();
    let mut found = Vec::new();
    let mut add = |reference: &Value, member: &str, pulls_images: bool| {
        if let Some(name) = reference[member].as_str() {
            let key = ObjectKey::new(ResourceType::Secret, namespace, name);
            found.push(SecretReference { key, is_optional: reference["optional"] == true, pulls_images });
        }
    };
    let pod = pod(workload);
    let list = |of: &'_ Value| of.as_array().cloned().unwrap_or_default();
    for reference in list(&pod["imagePullSecrets"]) {
        add(&reference, "name", true);
    }
    for volume in list(&pod["volumes"]) {
        add(&volume["secret"], "secretName", false);
        for source in list(&volume["projected"]["sources"]) {
            add(&source["secret"], "name", false);
        }
    }
    for container in list(&pod["initContainers"]).iter().chain(&list(&pod["containers"])) {
        for source in list(&container["envFrom"]) {
            add(&source["secretRef"], "name", false);
        }
        for variable in list(&container["env"]) {
            add(&variable["valueFrom"]["secretKeyRef"], "name", false);
        }
    }
    found
}

/// Secrets that pods refer to, that are not in the namespace, and that this plan does not make.
fn secrets(judgement: &Judgement<'_>, deployment: &CompiledDeployment, findings: &mut Vec<Finding>) {
    let target = &deployment.target;
    let Some(observed) = judgement.input.world.get(target) else { return };
    let is_seen = match judgement.beliefs.get(target) {
        Some(Belief::Trusted) => !observed.unlisted.contains_key(&ResourceType::Secret),
        Some(Belief::Gone) => true,
        _ => false,
    };
    let Some(objects) = observed.objects.as_ref().ok().filter(|_| is_seen) else { return };
    let made = |key: &ObjectKey| {
        let mut resources = judgement.resources.values();
        resources.any(|judged| judged.item.desired.is_some_and(|desired| desired.key() == *key))
    };
    let mut missing: BTreeMap<ObjectKey, (SecretReference, &Resource)> = BTreeMap::new();
    // Every pod of laconic-so's dialect refers to the one that holds generated values, whether there are any or not.
    let is_generated =
        |key: &ObjectKey| *key.name == *format!("{}-generated-secrets", deployment.identity.deployment_id);
    for workload in deployment.resources.iter().filter(|one| is_workload(&one.address)) {
        for reference in referenced_secrets(&workload.attributes.value()) {
            if objects.contains_key(&reference.key) || is_generated(&reference.key) || made(&reference.key) {
                continue;
            }
            let known = missing.entry(reference.key.clone()).or_insert_with(|| (reference.clone(), workload));
            known.0.is_optional &= reference.is_optional;
        }
    }
    for (key, (reference, workload)) in missing {
        let consequence = match (reference.is_optional, reference.pulls_images) {
            (true, _) => "its pods start without it",
            (false, true) => "private images cannot be pulled",
            (false, false) => "its pods wait for it",
        };
        let place = place_of_secret(workload, &key.name);
        let message = format!(
            "`{}` refers to the Secret `{}`, which is not in the namespace `{}` and is not made by this plan: {consequence}",
            workload.address, key.name, key.namespace
        );
        findings.push(
            Finding::new(Code::SecretMissing, message)
                .about(deployment.name.clone())
                .at_maybe(place)
                .help(format!("make it there: kubectl --namespace {} create secret …", key.namespace)),
        );
    }
}

/// Where a workload names a Secret.
fn place_of_secret<'a>(workload: &'a Resource, name: &str) -> Option<&'a Place> {
    let fields = flatten(&workload.attributes.value());
    let words = ["secretRef", "secretKeyRef", "secretName", ".secret.", "imagePullSecrets"];
    let is_named = |(path, value): &(&String, &Value)| *value == name && words.iter().any(|word| path.contains(word));
    let path = fields.iter().find(is_named).map(|(path, _)| path.clone());
    workload.place_of(path.as_deref().unwrap_or_default())
}
