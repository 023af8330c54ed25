//! What the commands on one deployment ask of a plan: what a stop takes along, a part instead of the whole, a rollout.

use std::collections::BTreeSet;

use laconic_engine::address::{Address, ResourceType};
use laconic_engine::plan::{PlanInput, StopOptions, survey};

use crate::error::{Problem, Result};

/// What the commands on one deployment ask for beside everything else.
#[derive(Clone, Debug, Default)]
pub struct Everyday {
    /// What a stop takes along.
    pub stop: StopOptions,
    /// The part of the deployment that is meant; all of it without one.
    pub part: Option<Part>,
    /// Whether the maintenance page that a spec names is served instead of everything else.
    pub maintenance: bool,
    /// Whether everything is rolled, changed or not.
    pub rollout: bool,
    /// Whether the cluster is neither made, nor made anew, nor deleted.
    pub keeps_cluster: bool,
}

/// A part of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// What pods need before they run: the cluster, namespace, volumes, ConfigMaps and Secrets.
    Prepared,
    /// The workloads, with the ConfigMaps and Secrets they read.
    Workloads,
    /// What leads host names to services.
    Ingress,
    /// One job, run now.
    Job(String),
}

impl Part {
    /// Its resources among those of a deployment and of its cluster.
    fn has(&self, address: &Address) -> bool {
        match self {
            Self::Prepared => {
                address.scope.is_cluster()
                    || matches!(
                        address.resource_type,
                        ResourceType::Namespace
                            | ResourceType::PersistentVolume
                            | ResourceType::PersistentVolumeClaim
                            | ResourceType::ConfigMap
                            | ResourceType::Secret
                    )
            }
            Self::Workloads => {
                let holds = [ResourceType::Deployment, ResourceType::ConfigMap, ResourceType::Secret];
                !address.scope.is_cluster() && holds.contains(&address.resource_type)
            }
            Self::Ingress => address.resource_type == ResourceType::Ingress,
            Self::Job(name) => {
                address.resource_type == ResourceType::Job
                    && !address.scope.is_cluster()
                    && address.short_name() == name
            }
        }
    }
}

/// Plans nothing but a part.
///
/// # Errors
/// A job that the stack does not have.
pub fn aim(input: &mut PlanInput, part: &Part) -> Result<()> {
    let compiled = input.deployments.iter().flat_map(|deployment| &deployment.resources).map(|one| &one.address);
    let recorded = input.states.values().flat_map(|state| state.resources.keys());
    let mut targets: BTreeSet<Address> =
        compiled.chain(recorded).filter(|address| part.has(address)).cloned().collect();
    if *part == Part::Prepared {
        let composition = survey::compose(input);
        let cluster = composition.clusters.values().flat_map(|cluster| &cluster.resources);
        targets.extend(cluster.map(|resource| resource.address.clone()));
    }
    if let Part::Job(name) = part {
        if targets.is_empty() {
            let jobs = input.deployments.iter().flat_map(|deployment| &deployment.resources);
            let jobs = jobs.map(|one| &one.address).filter(|address| address.resource_type == ResourceType::Job);
            let known = jobs.map(|address| address.short_name().to_owned()).collect();
            return Err(Problem::UnknownJob { job: name.clone(), known });
        }
        // Whoever names it wants it run, whether it ran before or not.
        input.replace.extend(targets.iter().cloned());
    }
    input.targets = Some(targets);
    Ok(())
}
