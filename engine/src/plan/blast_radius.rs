//! The blast radius: who goes down with a cluster.

use std::collections::BTreeMap;

use crate::address::{ResourceType, Scope};
use crate::plan::decide::ClusterFate;
use crate::plan::document::{BlastRadius, TenantImpact};
use crate::plan::planner::Judgement;
use crate::resource::Target;
use crate::state::Tenant;

/// Seconds a kind cluster takes at least from its deletion until workloads are ready again. Measured values are between
/// one and four minutes, a little more for each deployment that starts on it.
const RECREATE_AT_LEAST: u32 = 60;
/// Seconds it takes at most when nothing goes wrong.
const RECREATE_AT_MOST: u32 = 240;
/// Seconds more for each deployment.
const PER_TENANT: u32 = 15;

/// One entry for each cluster that is made anew or deleted.
#[must_use]
pub fn blast_radius(judgement: &Judgement<'_>) -> Vec<BlastRadius> {
    judgement
        .fates
        .iter()
        .filter_map(|(target, fate)| {
            let recreated = match fate {
                ClusterFate::Replaced(_) => true,
                ClusterFate::Deleted(_) => false,
                // Already down: nothing goes down because of this plan.
                ClusterFate::Lost(_) | ClusterFate::Stays => return None,
            };
            Some(of_cluster(judgement, target, recreated))
        })
        .collect()
}

fn of_cluster(judgement: &Judgement<'_>, target: &Target, recreated: bool) -> BlastRadius {
    let input = judgement.input;
    let cluster = target.name().to_owned();
    let mut tenants: BTreeMap<String, TenantImpact> = BTreeMap::new();
    if let Some(state) = input.states.get(&Scope::cluster(&cluster)) {
        for (name, tenant) in &state.tenants {
            tenants.insert(name.clone(), impact(name, tenant));
        }
    }
    let known: Vec<String> = tenants.values().map(|tenant| tenant.namespace.clone()).collect();
    for (namespace, id) in unregistered_namespaces(judgement, target, &known) {
        let pods = pods_in(judgement, target, &namespace);
        tenants.insert(id.clone(), TenantImpact { name: id, recorded: false, namespace, hosts: Vec::new(), pods });
    }
    let count = u32::try_from(tenants.len()).unwrap_or(u32::MAX);
    BlastRadius {
        cluster,
        recreated,
        tenants: tenants.into_values().collect(),
        downtime_at_least: RECREATE_AT_LEAST,
        downtime_at_most: RECREATE_AT_MOST.saturating_add(PER_TENANT.saturating_mul(count)),
    }
}

fn impact(name: &str, tenant: &Tenant) -> TenantImpact {
    TenantImpact {
        name: name.to_owned(),
        recorded: true,
        namespace: tenant.namespace.clone(),
        hosts: tenant.hosts.clone(),
        pods: tenant.pods.values().sum(),
    }
}

/// Namespaces that carry a deployment's label and that no registered tenant has: namespace and deployment-id.
#[must_use]
pub fn unregistered_namespaces(judgement: &Judgement<'_>, target: &Target, known: &[String]) -> Vec<(String, String)> {
    let Some(Ok(objects)) = judgement.input.world.get(target).map(|observed| &observed.objects) else {
        return Vec::new();
    };
    objects
        .iter()
        .filter(|(key, _)| key.resource_type == ResourceType::Namespace)
        .filter(|(key, _)| !known.iter().any(|namespace| **namespace == *key.name))
        .filter_map(|(key, live)| {
            let id = live.attributes["metadata"]["labels"]["app"].as_str()?;
            Some((key.name.to_string(), id.to_owned()))
        })
        .collect()
}

fn pods_in(judgement: &Judgement<'_>, target: &Target, namespace: &str) -> u32 {
    let Some(Ok(objects)) = judgement.input.world.get(target).map(|observed| &observed.objects) else { return 0 };
    objects
        .iter()
        .filter(|(key, _)| key.resource_type == ResourceType::Deployment && *key.namespace == *namespace)
        .map(|(_, live)| live.attributes["spec"]["replicas"].as_u64().unwrap_or(1))
        .sum::<u64>()
        .try_into()
        .unwrap_or(u32::MAX)
}
