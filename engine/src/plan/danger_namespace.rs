//! The dangers of deleting a namespace: everything in it goes, whoever made it.

use std::collections::BTreeSet;

use crate::address::{ObjectKey, ResourceType};
use crate::code::{Code, Severity};
use crate::finding::{Consent, Finding};
use crate::plan::change::{Action, Reason};
use crate::plan::danger_cluster::is_survivor_kind;
use crate::plan::planner::Judgement;

/// LAC302 for claims that nobody recorded, LAC213 for everything else that somebody may miss.
pub fn namespaces(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    let recorded: BTreeSet<&ObjectKey> = judgement
        .input
        .states
        .values()
        .flat_map(|state| state.resources.values().map(|recorded| &recorded.key))
        .collect();
    for (address, judged) in &judgement.resources {
        // With a cluster everything on it goes, which is asked about by the cluster's name.
        let goes = address.resource_type == ResourceType::Namespace
            && judged.verdict.action == Action::Delete
            && !matches!(judged.verdict.reason, Reason::ClusterDeleted { .. });
        let Some(Ok(objects)) = judgement.input.world.get(judged.item.target).map(|seen| &seen.objects) else {
            continue;
        };
        let Some(namespace) = judged.item.recorded.map(|recorded| &recorded.key.name).filter(|_| goes) else {
            continue;
        };
        let unrecorded = objects.keys().filter(|key| {
            key.namespace == *namespace && is_survivor_kind(key.resource_type) && !recorded.contains(key)
        });
        let (claims, others): (Vec<&ObjectKey>, Vec<&ObjectKey>) =
            unrecorded.partition(|key| key.resource_type == ResourceType::PersistentVolumeClaim);
        for claim in claims {
            let name = format!("{}/{}", address.scope.name(), claim.name);
            findings.push(
                Finding::new(
                    Code::DataLoss,
                    format!(
                        "the claim `{}`, which nobody recorded, is deleted with the namespace `{namespace}`",
                        claim.name
                    ),
                )
                .about(&name)
                .help("its data goes too, unless its volume is one of the host")
                .lifted_by(Consent::DataLoss(name)),
            );
        }
        if !others.is_empty() {
            let count = others.len();
            let noun = if count == 1 { "object goes" } else { "objects go" };
            let text = format!("{count} {noun} with the namespace `{namespace}` that nobody recorded");
            let finding =
                Finding::new(Code::UnrecordedObjects, text).about(&**namespace).as_severity(Severity::Warning);
            let lines = others.iter().take(10).map(|key| format!("{} {}", key.resource_type.kind(), key.name));
            findings.push(lines.fold(finding, Finding::help));
        }
    }
}
