//! What a cluster's register of tenants becomes.

use crate::address::Scope;
use crate::plan::Mode;
use crate::plan::adoption::imported_tenant;
use crate::plan::document::RegisterChange;
use crate::plan::planner::{Judgement, registers};
use crate::plan::stop::stopped_entry;
use crate::state::Tenant;

/// The tenants of this plan that join, change or leave.
#[must_use]
pub fn register_changes(judgement: &Judgement<'_>) -> Vec<RegisterChange> {
    let input = judgement.input;
    let mut changes: Vec<RegisterChange> = Vec::new();
    for deployment in &input.deployments {
        let Some(cluster) = deployment.target.kind_cluster() else { continue };
        let registered =
            input.states.get(&Scope::cluster(cluster)).and_then(|state| state.tenants.get(&deployment.name));
        let tenant = match input.mode {
            Mode::Destroy => None,
            Mode::Stop => stopped_entry(input, &deployment.target, &deployment.name),
            Mode::Apply => Some(deployment.tenant.clone()),
            // One of which nothing is there does not come by being looked for.
            Mode::Import => imported_tenant(judgement, deployment).or_else(|| registered.cloned()),
        };
        // What a plan of a part does not do is not wished yet.
        let is_part = input.targets.is_some() && registered.is_some();
        if registered != tenant.as_ref() && !is_part {
            changes.push(RegisterChange { cluster: cluster.to_owned(), deployment: deployment.name.clone(), tenant });
        }
    }
    if input.mode == Mode::Stop {
        return changes;
    }
    // Tenants that come back after a recreate that did not end are whole again when this plan is done.
    for (target, register) in registers(input) {
        for (name, tenant) in register.tenants.iter().filter(|(_, tenant)| tenant.restoring) {
            let revived = input.states.contains_key(&Scope::deployment(name));
            let is_planned = || input.deployments.iter().any(|deployment| deployment.name == *name);
            if revived && !is_planned() {
                let tenant = Some(Tenant { restoring: false, ..tenant.clone() });
                changes.push(RegisterChange { cluster: target.name().to_owned(), deployment: name.clone(), tenant });
            }
        }
    }
    changes
}
