//! The dangers of deleting a namespace: everything in it goes, whoever made it.

use std::collections::BTreeSet;

use crate::address::{ObjectKey, ResourceType};
use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::plan::change::{Action, Reason};
use crate::plan::danger_cluster::is_survivor_kind;
use crate::plan::planner::{Judged, Judgement};
use crate::resource::Target;

/// LAC213, as a warning, for what somebody may miss. Claims are a question of their own, and so is what goes with a whole
/// cluster.
pub fn namespaces(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    let goes = |judged: &Judged<'_>| {
        judged.verdict.action == Action::Delete && !matches!(judged.verdict.reason, Reason::ClusterDeleted { .. })
    };
    let going: Vec<(&Target, &str)> = judgement
        .resources
        .iter()
        .filter(|(address, judged)| address.resource_type == ResourceType::Namespace && goes(judged))
        .filter_map(|(_, judged)| Some((judged.item.target, &*judged.item.recorded?.key.name)))
        .collect();
    if going.is_empty() {
        return;
    }
    let recorded: BTreeSet<&ObjectKey> = judgement
        .input
        .states
        .values()
        .flat_map(|state| state.resources.values().map(|recorded| &recorded.key))
        .collect();
    let is_missed = |key: &ObjectKey| {
        is_survivor_kind(key.resource_type)
            && key.resource_type != ResourceType::PersistentVolumeClaim
            && !recorded.contains(key)
    };
    for (target, namespace) in going {
        let Some(Ok(objects)) = judgement.input.world.get(target).map(|seen| &seen.objects) else { continue };
        let others: Vec<&ObjectKey> =
            objects.keys().filter(|key| *key.namespace == *namespace && is_missed(key)).collect();
        if others.is_empty() {
            continue;
        }
        let noun = if others.len() == 1 { "1 object goes".to_owned() } else { format!("{} objects go", others.len()) };
        let text = format!("{noun} with the namespace `{namespace}` that nobody recorded");
        let finding = Finding::new(Code::UnrecordedObjects, text).about(namespace).as_severity(Severity::Warning);
        let lines = others.iter().take(10).map(|key| format!("{} {}", key.resource_type.kind(), key.name));
        findings.push(lines.fold(finding, Finding::help));
    }
}
