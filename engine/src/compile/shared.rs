//! The agreement of a repository's deployments on what their clusters are.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::finding::Finding;
use crate::spec::{Located, Repository};

use super::input::CompiledDeployment;

/// Deployments that share a cluster in laconic.yml and go to different ones.
#[must_use]
pub fn agree_on_clusters(repository: &Repository, deployments: &[CompiledDeployment]) -> Vec<Finding> {
    let compiled: BTreeMap<&str, &CompiledDeployment> =
        deployments.iter().map(|deployment| (deployment.name.as_str(), deployment)).collect();
    let mut first: BTreeMap<&str, (&str, &str, &Located<String>)> = BTreeMap::new();
    let mut findings = Vec::new();
    for written in &repository.deployments {
        let Some(cluster) = &written.cluster else { continue };
        let name = written.name.value.as_str();
        let Some(id) = compiled.get(name).and_then(|deployment| deployment.target.kind_cluster()) else { continue };
        let (other, other_id, place) = *first.entry(cluster.value.as_str()).or_insert((name, id, cluster));
        if other_id == id {
            continue;
        }
        let message = format!(
            "{other} and {name} share the cluster {}, and are made for different ones: {other_id} and {id}",
            cluster.value
        );
        findings.push(
            Finding::new(Code::InvalidYaml, message)
                .about(name)
                .at(&cluster.place)
                .label(&place.place, format!("{other} shares it here"))
                .help("give one of them another `cluster:`, or create its directory with the other's `--cluster-id`"),
        );
    }
    findings
}
