//! What a cluster's register of tenants becomes.

use crate::address::Scope;
use crate::plan::document::RegisterChange;
use crate::plan::planner::Judgement;
use crate::plan::{Mode, document};

/// The tenants of this plan that join, change or leave.
#[must_use]
pub fn register_changes(judgement: &Judgement<'_>) -> Vec<RegisterChange> {
    let input = judgement.input;
    input
        .deployments
        .iter()
        .filter_map(|deployment| {
            let cluster = deployment.target.kind_cluster()?;
            let registered =
                input.states.get(&Scope::cluster(cluster)).and_then(|state| state.tenants.get(&deployment.name));
            let tenant = match input.mode {
                Mode::Destroy => None,
                Mode::Apply | Mode::Import => Some(deployment.tenant.clone()),
            };
            (registered != tenant.as_ref()).then(|| document::RegisterChange {
                cluster: cluster.to_owned(),
                deployment: deployment.name.clone(),
                tenant,
            })
        })
        .collect()
}
