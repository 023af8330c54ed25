//! Making an input comparable: secrets fingerprinted, observed secrets masked.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{ObjectKey, ResourceType, Scope};
use crate::apply::{ObserveRequest, TargetRequest};
use crate::attributes::Attributes;
use crate::compile::CompiledDeployment;
use crate::plan::danger_workload::{is_workload, referenced_secrets, request_of};
use crate::plan::{Mode, PlanInput};
use crate::resource::{Target, cluster_scope};
use crate::secret::{Fingerprinter, add_fingerprints, mask_observed};

/// Fingerprints the desired secrets and masks the observed ones. Call it once, after the world and the secrets are filled
/// in; the plan of an input that was not prepared compares no secrets.
pub fn prepare(input: &mut PlanInput) {
    for deployment in &mut input.deployments {
        let fingerprinter = input.fingerprinters.get(&deployment.name);
        for resource in &mut deployment.resources {
            if resource.attributes.has_secrets() {
                add_fingerprints(resource.attributes.value_mut(), &input.secrets, fingerprinter);
                resource.attributes.pack();
            }
        }
    }
    // Offline nothing was observed, and there is nothing to mask.
    if input.world.is_empty() {
        return;
    }
    let mut shapes: BTreeMap<(&Target, ObjectKey), (&Attributes, Option<&Fingerprinter>)> = BTreeMap::new();
    for deployment in &input.deployments {
        let fingerprinter = input.fingerprinters.get(&deployment.name);
        for resource in &deployment.resources {
            shapes.insert((&deployment.target, resource.key()), (&resource.attributes, fingerprinter));
        }
    }
    for (target, observed) in &mut input.world {
        let Ok(objects) = &mut observed.objects else { continue };
        for (key, live) in objects {
            let shape = shapes.get(&(target, key.clone()));
            let fingerprinter = shape.and_then(|(_, fingerprinter)| *fingerprinter);
            // A shape without placeholders masks nothing.
            let desired = shape.map(|(desired, _)| desired).filter(|it| it.has_secrets()).map(|it| it.value());
            mask_observed(&mut live.attributes, desired.as_deref(), fingerprinter);
        }
    }
}

/// What has to be looked at for a plan of this input: one LIST per kind and target.
#[must_use]
pub fn observe_request(input: &PlanInput) -> ObserveRequest {
    let mut request = ObserveRequest::new();
    for deployment in &input.deployments {
        let entry = request.entry(deployment.target.clone()).or_default();
        add_types(entry, deployment.resources.iter().map(|resource| resource.address.resource_type));
        if let Some(scope) = cluster_scope(&deployment.target) {
            // What a cluster may hold that nobody recorded, for blast radius and forecast.
            entry.types.extend([
                ResourceType::KindMount,
                ResourceType::KindPort,
                ResourceType::Namespace,
                ResourceType::PersistentVolume,
                ResourceType::PersistentVolumeClaim,
                ResourceType::Secret,
                ResourceType::Deployment,
                ResourceType::Job,
            ]);
            let ingress =
                deployment.tenant.wishes.ingress || input.states.get(&scope).is_some_and(|state| !state.is_new());
            if ingress {
                add_types(entry, CADDY_TYPES.iter().copied());
            }
            if let Some(state) = input.states.get(&scope) {
                add_types(entry, state.resources.keys().map(|address| address.resource_type));
            }
        }
        if let Some(state) = input.states.get(&Scope::deployment(&deployment.name)) {
            add_types(entry, state.resources.keys().map(|address| address.resource_type));
        }
    }
    for deployment in &input.deployments {
        let umbrella = umbrella(input, &deployment.target);
        if let Some(entry) = request.get_mut(&deployment.target) {
            entry.certificate_backup = umbrella.map(crate::certificate::backup_path);
        }
    }
    for deployment in &input.deployments {
        let Some(scope) = cluster_scope(&deployment.target) else { continue };
        let entry = request.entry(deployment.target.clone()).or_default();
        // Others that come back with their cluster may have images of their own.
        let others =
            input.states.get(&scope).is_some_and(|state| state.tenants.keys().any(|one| *one != deployment.name));
        let own = input.states.get(&Scope::deployment(&deployment.name));
        let recorded =
            own.is_some_and(|state| state.resources.keys().any(|one| one.resource_type == ResourceType::KindImage));
        entry.images |= others || recorded || !deployment.images.is_empty();
    }
    if input.mode == Mode::Apply {
        for deployment in &input.deployments {
            let entry = request.entry(deployment.target.clone()).or_default();
            entry.allocatable |= asks_for_more(input, deployment);
            entry.keys.extend(missing_secrets(deployment));
        }
    }
    if input.mode == Mode::Import {
        // What carries our label may be of a kind that the spec no longer has.
        for entry in request.values_mut() {
            let kinds = ResourceType::ALL.iter().copied().filter(|one| one.is_kubernetes());
            entry.types.extend(kinds.filter(|one| one.is_namespaced() || *one == ResourceType::PersistentVolume));
        }
    }
    for deployment in &input.deployments {
        let entry = request.entry(deployment.target.clone()).or_default();
        entry.deployment_ids.insert(deployment.identity.deployment_id.clone());
        if !matches!(input.mode, Mode::Destroy | Mode::Stop) {
            entry.keys.extend(deployment.resources.iter().map(crate::resource::Resource::key));
        }
        // What is recorded says where to look for it, even if it is no longer wanted.
        if let Some(state) = input.states.get(&Scope::deployment(&deployment.name)) {
            entry.keys.extend(state.resources.values().map(|recorded| recorded.key.clone()));
        }
    }
    request
}

/// The directory of the host that a kind cluster has as its umbrella, by the wishes of the deployments on it.
fn umbrella<'a>(input: &'a PlanInput, target: &Target) -> Option<&'a str> {
    let state = input.states.get(&Scope::cluster(target.kind_cluster()?));
    let planned = input.deployments.iter().filter(|deployment| deployment.target == *target);
    let registered = state.into_iter().flat_map(|state| state.tenants.values());
    let mut wishes = registered.chain(planned.map(|deployment| &deployment.tenant)).map(|tenant| &tenant.wishes);
    wishes.find_map(|wishes| wishes.mount_root.as_deref())
}

/// Whether a workload that asks its node for something is new or changed.
fn asks_for_more(input: &PlanInput, deployment: &CompiledDeployment) -> bool {
    let state = input.states.get(&Scope::deployment(&deployment.name));
    deployment
        .resources
        .iter()
        .filter(|one| is_workload(&one.address))
        .filter(|one| {
            let recorded = state.and_then(|state| state.resources.get(&one.address));
            recorded.is_none_or(|recorded| recorded.desired.digest != one.digest())
        })
        .any(|one| !request_of(&one.attributes.value()["spec"]["template"]["spec"]).is_nothing())
}

/// The Secrets that pods refer to and that their deployment does not make.
fn missing_secrets(deployment: &CompiledDeployment) -> BTreeSet<ObjectKey> {
    let made: BTreeSet<ObjectKey> = deployment.resources.iter().map(crate::resource::Resource::key).collect();
    let workloads = deployment.resources.iter().filter(|one| is_workload(&one.address));
    workloads
        .flat_map(|one| referenced_secrets(&one.attributes.value()))
        .map(|one| one.key)
        .filter(|key| !made.contains(key))
        .collect()
}

/// The kinds of the Caddy system's objects.
const CADDY_TYPES: [ResourceType; 12] = [
    ResourceType::Namespace,
    ResourceType::ServiceAccount,
    ResourceType::ClusterRole,
    ResourceType::ClusterRoleBinding,
    ResourceType::ConfigMap,
    ResourceType::Service,
    ResourceType::IngressClass,
    ResourceType::Deployment,
    ResourceType::Role,
    ResourceType::RoleBinding,
    ResourceType::CronJob,
    ResourceType::RuntimeClass,
];

fn add_types(entry: &mut TargetRequest, types: impl Iterator<Item = ResourceType>) {
    let types: BTreeSet<ResourceType> = types.filter(|one| *one != ResourceType::KindCluster).collect();
    entry.types.extend(types);
}
