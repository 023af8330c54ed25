//! The pods of simulated workloads: one for each replica that a real controller would have made.

use laconic_engine::address::ResourceType;
use laconic_engine::resource::{Target, UnknownReason};

use super::host::SimulatedHost;
use super::machine::StoredObject;
use super::readiness::images;
use crate::pod::{Pod, PodContainer, PodsOf};

impl SimulatedHost {
    /// The pods of a deployment on a target.
    ///
    /// # Errors
    /// A cluster that is not there.
    pub fn pods(&self, target: &Target, of: &PodsOf) -> Result<Vec<Pod>, UnknownReason> {
        self.look(|machine| {
            if machine.identity(target).is_none() {
                let text = format!("the cluster `{}` does not exist", target.name());
                return Err(UnknownReason::Unreachable(text));
            }
            let kinds = [ResourceType::Deployment, ResourceType::Job];
            let workloads = kinds.into_iter().flat_map(|kind| machine.objects_in(target, kind, &of.namespace));
            let mut pods: Vec<Pod> = workloads
                .filter(|one| of.apps.iter().any(|app| app == one.text("/spec/template/metadata/labels/app")))
                .flat_map(|one| pods_of(&one))
                .collect();
            pods.sort_by(|left, right| left.name.cmp(&right.name));
            Ok(pods)
        })
    }
}

fn pods_of(workload: &StoredObject) -> Vec<Pod> {
    let attributes = &workload.attributes;
    let is_job = workload.key.resource_type == ResourceType::Job;
    let (replicas, ready, status) = if is_job {
        let count = |field: &str| attributes["status"][field].as_u64().unwrap_or_default();
        match (count("succeeded"), count("failed")) {
            (0, 0) => (1, 0, "Pending"),
            (0, _) => (1, 0, "Error"),
            _ => (1, 0, "Completed"),
        }
    } else {
        let replicas = attributes["spec"]["replicas"].as_u64().unwrap_or(1);
        (replicas, attributes["status"]["readyReplicas"].as_u64().unwrap_or_default(), "Running")
    };
    (0..replicas)
        .map(|number| {
            let is_ready = number < ready;
            Pod {
                name: format!("{}-{number}", workload.key.name),
                status: if is_job || is_ready { status } else { "Pending" }.to_owned(),
                node: String::new(),
                started: workload.text("/metadata/creationTimestamp").to_owned(),
                containers: images(attributes)
                    .map(|(name, image)| PodContainer {
                        name: name.to_owned(),
                        image: image.to_owned(),
                        ready: is_ready,
                        ..PodContainer::default()
                    })
                    .collect(),
            }
        })
        .collect()
}
