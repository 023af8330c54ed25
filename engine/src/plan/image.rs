//! Images that are built on the host of a kind cluster: no registry has them, so they are put on its nodes before pods run
//! them, again after they were built again, and again after the cluster was made anew.
//!
//! Which images those are, the files say; what is built and what is on the nodes, only a look at the host does. Without one
//! everything stays as it is recorded.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::address::{Address, ResourceType, Scope};
use crate::code::Code;
use crate::compile::{BuiltImage, CompiledDeployment};
use crate::diff::{difference_paths, flatten};
use crate::finding::Finding;
use crate::plan::change::Action;
use crate::plan::decide::ClusterFate;
use crate::plan::planner::Judgement;
use crate::plan::rollout::{IMAGE_ANNOTATION, Rollout, template_annotation};
use crate::plan::survey::revive;
use crate::plan::{Mode, PlanInput};
use crate::resource::{Images, Resource, Target};
use crate::state::{Recorded, State};
use crate::value::Digest;

/// The address of an image.
#[must_use]
pub fn image_address(deployment: &str, reference: &str) -> Address {
    Address::new(ResourceType::KindImage, Scope::deployment(deployment), reference)
}

/// What was seen of the images, when somebody looked.
fn images<'a>(input: &'a PlanInput, target: &Target) -> Option<&'a Images> {
    input.world.get(target)?.node.images.as_ref()
}

/// The images of one deployment that are to be on the nodes. Its workloads need them, and roll with the first change of one.
#[must_use]
pub fn wanted(
    input: &PlanInput,
    deployment: &CompiledDeployment,
    fate: Option<&ClusterFate>,
    rollout: &mut Rollout,
) -> Vec<Resource> {
    let state = input.states.get(&Scope::deployment(&deployment.name));
    let mut found = Vec::new();
    for (reference, built) in &deployment.images {
        let recorded = state.and_then(|state| state.resources.get(&image_address(&deployment.name, reference)));
        if let Some(recorded) = recorded.filter(|recorded| recorded.desired.value.is_none()) {
            rollout.missing.push(recorded.desired.digest);
            continue;
        }
        found.extend(wanted_image(input, deployment, fate, reference, built));
    }
    let runs = |workload: &Resource| {
        let image = |one: &&Resource| {
            deployment.images.get(one.address.short_name()).is_some_and(|it| it.workloads.contains(&workload.address))
        };
        found.iter().filter(image).collect::<Vec<_>>()
    };
    for workload in &deployment.resources {
        let used = runs(workload);
        if used.is_empty() {
            continue;
        }
        rollout.edit(workload, |one| {
            one.needs.extend(used.iter().map(|image| image.address.clone()));
            one.needs.sort_unstable();
        });
        if workload.address.resource_type == ResourceType::Deployment {
            roll(input, state, deployment, workload, &used, rollout);
        }
    }
    found
}

fn wanted_image(
    input: &PlanInput,
    deployment: &CompiledDeployment,
    fate: Option<&ClusterFate>,
    reference: &str,
    built: &BuiltImage,
) -> Option<Resource> {
    let address = image_address(&deployment.name, reference);
    let recorded = || input.states.get(&Scope::deployment(&deployment.name))?.resources.get(&address);
    let mut resource = match images(input, &deployment.target) {
        Some(images) => match images.here.get(reference) {
            Some(id) => Resource::new(address, json!({"image": reference, "id": id})),
            // It is not here any more: what the nodes have stays theirs, as long as they are.
            None if fate.is_none() && images.on_nodes.contains_key(reference) => revive(&address, recorded()?)?,
            None => return None,
        },
        None => revive(&address, recorded()?)?,
    };
    resource.needs = deployment.target.kind_cluster().map(Address::kind_cluster).into_iter().collect();
    resource.place.clone_from(&built.place);
    Some(resource)
}

/// Puts the digest of its images on a workload: on a new one, on one that has it, and on one whose image was changed.
fn roll(
    input: &PlanInput,
    state: Option<&State>,
    deployment: &CompiledDeployment,
    workload: &Resource,
    used: &[&Resource],
    rollout: &mut Rollout,
) {
    let recorded = state.and_then(|state| state.resources.get(&workload.address));
    let is_new = recorded.is_none_or(|recorded| recorded.uid.is_empty());
    if let Some(recorded) = recorded.filter(|_| !is_new) {
        let Some(before) = &recorded.desired.value else {
            rollout.missing.push(recorded.desired.digest);
            return;
        };
        // With a template that changes anyway the pods roll in any case.
        let settled = rollout.workloads.iter().find(|one| one.address == workload.address).unwrap_or(workload);
        let now = settled.attributes.value();
        let rolls =
            !difference_paths(&flatten(&before["spec"]["template"]), &flatten(&now["spec"]["template"])).is_empty();
        let carries = template_annotation(before, IMAGE_ANNOTATION).is_some();
        if !carries && !rolls && !used.iter().any(|image| is_changed(input, state, &deployment.target, image)) {
            return;
        }
    }
    let ids: BTreeMap<&str, Value> =
        used.iter().map(|image| (image.address.short_name(), image.attributes.value()["id"].clone())).collect();
    rollout.put(workload, IMAGE_ANNOTATION, &Digest::of(&json!(ids)).short());
}

/// Whether pods may run another image under that name.
fn is_changed(input: &PlanInput, state: Option<&State>, target: &Target, image: &Resource) -> bool {
    let id = |recorded: &Recorded| {
        recorded.desired.value.as_deref().and_then(|value| value["id"].as_str().map(str::to_owned))
    };
    let before = match state.and_then(|state| state.resources.get(&image.address)) {
        Some(recorded) => id(recorded),
        None => images(input, target).and_then(|images| images.on_nodes.get(image.address.short_name()).cloned()),
    };
    before.is_some_and(|before| image.attributes.value()["id"] != before.as_str())
}

/// The images that an import takes into state: those that the nodes have as they were built here.
#[must_use]
pub fn adopted(input: &PlanInput) -> Vec<(Target, Resource)> {
    let mut found = Vec::new();
    for deployment in &input.deployments {
        let Some(images) = images(input, &deployment.target) else { continue };
        let is_there =
            |reference: &str| images.here.get(reference).is_some_and(|id| images.on_nodes.get(reference) == Some(id));
        for (reference, built) in deployment.images.iter().filter(|(reference, _)| is_there(reference)) {
            let image = wanted_image(input, deployment, None, reference, built);
            found.extend(image.map(|image| (deployment.target.clone(), image)));
        }
    }
    found
}

/// Whether an image can be had from this host; nobody who looked says otherwise.
#[must_use]
pub fn is_here(input: &PlanInput, target: &Target, address: &Address) -> bool {
    images(input, target).is_none_or(|images| images.here.contains_key(address.short_name()))
}

/// Takes out of what comes back with a cluster the images that nobody can put on its nodes any more.
pub fn leave_out_missing(
    input: &PlanInput,
    fates: &BTreeMap<Target, ClusterFate>,
    extra: &mut Vec<(Target, Resource)>,
) {
    let is_on_nodes = |target: &Target, address: &Address| {
        let on_nodes = images(input, target).is_some_and(|images| images.on_nodes.contains_key(address.short_name()));
        on_nodes && !fates.contains_key(target)
    };
    let is_missing = |target: &Target, address: &Address| {
        address.resource_type == ResourceType::KindImage
            && !is_here(input, target, address)
            && !is_on_nodes(target, address)
    };
    extra.retain(|(target, resource)| !is_missing(target, &resource.address));
    for (target, resource) in extra {
        resource.needs.retain(|need| !is_missing(target, need));
    }
}

/// LAC504 and what could not be judged of images.
pub fn findings(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    if judgement.input.mode != Mode::Apply {
        return;
    }
    for deployment in &judgement.input.deployments {
        not_compared(judgement.input, deployment, findings);
    }
    for (address, judged) in judgement.resources.iter().filter(|(one, _)| one.resource_type == ResourceType::KindImage)
    {
        let target = judged.item.target;
        let Some(images) = images(judgement.input, target) else { continue };
        let (name, cluster) = (address.short_name(), target.name());
        let stays = !judgement.fates.contains_key(target)
            && crate::plan::planner::live_cluster(judgement.input, target).is_some();
        let on_nodes = images.on_nodes.get(name);
        let finding = match judged.verdict.action {
            Action::Create | Action::Update if stays && on_nodes != images.here.get(name) => {
                let message = match on_nodes {
                    Some(_) => format!(
                        "the image `{name}` was built again on this host, and the cluster `{cluster}` has the one before"
                    ),
                    None => format!(
                        "the image `{name}` was built on this host, and the cluster `{cluster}` does not have it"
                    ),
                };
                Finding::new(Code::ImageNotLoaded, message)
                    .help("apply puts it on the nodes before the pods that run it start")
            }
            Action::Forget | Action::Delete if is_run(judgement, address) => {
                let message = format!(
                    "the image `{name}` is neither on this host any more nor will it be on the cluster `{cluster}`: its pods wait for it"
                );
                Finding::new(Code::ImageNotLoaded, message)
                    .help("build it again before you apply, or push it to a registry and name it as it is called there")
            }
            _ => continue,
        };
        let place = judged.item.desired.and_then(|desired| desired.place.clone()).or_else(|| place(judgement, address));
        findings.push(finding.about(address.to_string()).at_maybe(place.as_ref()));
    }
}

/// Whether a workload that is to run names the image.
fn is_run(judgement: &Judgement<'_>, address: &Address) -> bool {
    let of_plan = built(judgement, address).is_some();
    of_plan
        || judgement.resources.values().any(|judged| {
            let needed = judged.item.recorded.is_some_and(|recorded| recorded.needs.contains(address));
            needed && judged.item.desired.is_some()
        })
}

fn built<'a>(judgement: &Judgement<'a>, address: &Address) -> Option<&'a BuiltImage> {
    let deployment = judgement.input.deployments.iter().find(|one| Scope::deployment(&one.name) == address.scope)?;
    deployment.images.get(address.short_name())
}

fn place(judgement: &Judgement<'_>, address: &Address) -> Option<crate::place::Place> {
    built(judgement, address)?.place.clone()
}

/// LAC805, for a deployment with images that its stack builds.
fn not_compared(input: &PlanInput, deployment: &CompiledDeployment, findings: &mut Vec<Finding>) {
    let is_looked_at = images(input, &deployment.target).is_some();
    // Of a cluster that was not seen at all, that is told.
    let is_seen = input.world.get(&deployment.target).is_some_and(|observed| observed.objects.is_ok());
    if deployment.images.is_empty() || is_looked_at || input.base.is_some() || !(input.offline || is_seen) {
        return;
    }
    let names: Vec<String> = deployment.images.keys().map(|name| format!("`{name}`")).collect();
    let message =
        format!("whether the cluster has what was built on its host last was not looked at: {}", names.join(", "));
    findings.push(Finding::new(Code::NotConsulted, message).about(&deployment.name));
}
