//! Objects that carry a deployment's label and that nobody recorded.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::compile::CompiledDeployment;
use crate::plan::foreign::is_system_manager;
use crate::plan::input::PlanInput;
use crate::resource::{Live, Target};

/// An object of a deployment that no state knows.
#[derive(Clone, Debug)]
pub struct Stray<'a> {
    /// The deployment whose label it carries.
    pub deployment: &'a CompiledDeployment,
    /// The address it has, or would have.
    pub address: Address,
    /// Where it is.
    pub key: &'a ObjectKey,
    /// What it is.
    pub live: &'a Live,
}

/// The objects that carry the label `app=<deployment-id>` of a planned deployment, in its namespace or in none, and that no
/// state records. What a controller made for another object is that object's.
#[must_use]
pub fn strays(input: &PlanInput) -> Vec<Stray<'_>> {
    let mut by_id: BTreeMap<(&Target, &str), &CompiledDeployment> = BTreeMap::new();
    for deployment in &input.deployments {
        by_id.insert((&deployment.target, deployment.identity.deployment_id.as_str()), deployment);
    }
    let recorded: HashSet<(&Target, &ObjectKey)> = input
        .states
        .values()
        .filter_map(|state| Some((state.target.as_ref()?, state)))
        .flat_map(|(target, state)| state.resources.values().map(move |recorded| (target, &recorded.key)))
        .collect();
    let mut unrecorded = Vec::new();
    for (target, observed) in &input.world {
        let Ok(objects) = &observed.objects else { continue };
        for (key, live) in objects.iter().filter(|(key, live)| is_candidate(key, live)) {
            let Some(id) = live.attributes["metadata"]["labels"]["app"].as_str() else { continue };
            let Some(deployment) = by_id.get(&(target, id)) else { continue };
            let here = key.namespace.is_empty() || *key.namespace == *deployment.tenant.namespace;
            if here && !recorded.contains(&(target, key)) {
                unrecorded.push((target, *deployment, key, live));
            }
        }
    }
    if unrecorded.is_empty() {
        return Vec::new();
    }
    let desired: BTreeMap<(&Target, ObjectKey), &Address> = input
        .deployments
        .iter()
        .flat_map(|one| one.resources.iter().map(|resource| ((&one.target, resource.key()), &resource.address)))
        .collect();
    let desired_addresses: BTreeSet<&Address> = desired.values().copied().collect();
    let mut strays: Vec<Stray<'_>> = Vec::new();
    let mut taken: BTreeSet<Address> = BTreeSet::new();
    for (target, deployment, key, live) in unrecorded {
        let address = desired.get(&(target, key.clone())).map_or_else(
            || {
                let short = short_address(deployment, key);
                let free = !desired_addresses.contains(&short) && !taken.contains(&short);
                if free { short } else { Address::new(key.resource_type, short.scope, &key.name) }
            },
            |address| (*address).clone(),
        );
        taken.insert(address.clone());
        strays.push(Stray { deployment, address, key, live });
    }
    strays.sort_by(|left, right| left.address.cmp(&right.address));
    strays
}

/// Whether an object can be somebody's own: no controller keeps it, and not Kubernetes alone wrote it.
fn is_candidate(key: &ObjectKey, live: &Live) -> bool {
    let is_controlled =
        live.attributes["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
    let is_system = !live.owners.is_empty() && live.owners.iter().all(|owner| is_system_manager(&owner.manager));
    key.resource_type.is_kubernetes() && !is_controlled && !is_system && !live.terminating
}

/// The address without the deployment-id that object names begin with.
fn short_address(deployment: &CompiledDeployment, key: &ObjectKey) -> Address {
    let prefix = format!("{}-", deployment.identity.deployment_id);
    let name = key.name.strip_prefix(prefix.as_str()).filter(|rest| !rest.is_empty()).unwrap_or(&*key.name);
    // A namespace is called by its whole name.
    let name = if key.resource_type == ResourceType::Namespace { &*key.name } else { name };
    Address::new(key.resource_type, Scope::deployment(&deployment.name), name)
}
