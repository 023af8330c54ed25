//! The mark on a kind cluster that says which state keeps it: a second state directory on the host, which knows nothing of
//! the tenants in the first one's register, is refused.

use serde_json::json;

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::apply::{Operation, Step};
use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::plan::PlanInput;
use crate::resource::{ObservedTarget, Target};

/// The annotation of the namespace kube-system, which every cluster has and nobody deletes.
pub const STATE_ANNOTATION: &str = "laconic.com/state";

/// Which state keeps a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateMark {
    /// Its lineage.
    pub lineage: String,
    /// Where it is kept.
    pub place: String,
}

/// Another state that keeps a cluster, beside the one that is used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherState {
    /// Where the cluster says it is kept.
    pub place: String,
    /// Where it would be kept from here.
    pub here: String,
}

fn bearer() -> ObjectKey {
    ObjectKey::new(ResourceType::Namespace, "", "kube-system")
}

impl StateMark {
    /// The mark that a cluster carries.
    #[must_use]
    pub fn of(observed: &ObservedTarget) -> Option<Self> {
        let live = observed.objects.as_ref().ok()?.get(&bearer())?;
        let text = live.attributes.get("metadata")?.get("annotations")?.get(STATE_ANNOTATION)?.as_str()?;
        let (lineage, place) = text.split_once(' ')?;
        Some(Self { lineage: lineage.to_owned(), place: place.to_owned() })
    }

    /// What puts the mark on a cluster.
    #[must_use]
    pub fn step(&self, cluster: &str) -> Step {
        let text = format!("{} {}", self.lineage, self.place);
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "kube-system", "annotations": {STATE_ANNOTATION: text}},
        });
        Step {
            target: Target::Kind(cluster.to_owned()),
            address: Address::new(ResourceType::Namespace, Scope::cluster(cluster), "kube-system"),
            key: bearer(),
            operation: Operation::Update,
            object: Some(object),
            expected_uid: None,
            force_conflicts: true,
        }
    }
}

/// LAC801 for clusters that another state keeps. Taking what is on them over would only make the second register complete.
pub fn judge(input: &PlanInput, findings: &mut Vec<Finding>) {
    if input.other_states.is_empty() {
        return;
    }
    findings.retain(|finding| finding.code != Code::ObjectExists);
    for (cluster, other) in &input.other_states {
        let message = format!(
            "the kind cluster `{cluster}` is kept in the state {}, and this is another one: {}",
            other.place, other.here
        );
        findings.push(
            Finding::new(Code::StateDamaged, message)
                .about(cluster)
                .as_severity(Severity::Refusal)
                .help("use that state: name the directory above `clusters/` with --state-dir or LACONIC_STATE_DIR")
                .help("if it is of no use any more, move it away and take the deployments over: laconic import"),
        );
    }
}
