//! What nobody could look at although its cluster answers: kinds of objects that a role does not allow to list.

use crate::code::Code;
use crate::finding::{Consent, Finding};
use crate::plan::danger::{target_text, unknown_help, unknown_text};
use crate::plan::danger_cluster::is_survivor_kind;
use crate::plan::planner::Judgement;
use crate::plan::survey::Belief;
use crate::resource::{ObservedTarget, Target};

/// LAC805, once for each kind and target.
pub fn unlisted(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (target, observed) in &judgement.input.world {
        if judgement.beliefs.get(target) != Some(&Belief::Trusted) {
            continue;
        }
        for (resource_type, reason) in &observed.unlisted {
            let message = format!(
                "the objects of kind {} on {} could not be listed: {}; they are planned from the recorded state",
                resource_type.kind(),
                target_text(target),
                unknown_text(reason)
            );
            findings.push(Finding::new(Code::NotConsulted, message).about(target.name()).help(unknown_help(reason)));
        }
    }
}

/// LAC213 for what may be on a cluster that goes away and that nobody could look for: not seen is not the same as not there.
pub fn unseen_on_cluster(target: &Target, name: &str, observed: &ObservedTarget, consent: Consent) -> Option<Finding> {
    let kinds: Vec<&str> = match &observed.objects {
        Err(_) => vec!["any kind"],
        Ok(_) => observed.unlisted.keys().filter(|one| is_survivor_kind(**one)).map(|one| one.kind()).collect(),
    };
    if kinds.is_empty() {
        return None;
    }
    let message = format!(
        "whether {} holds objects of kind {} that are recorded nowhere could not be seen: they would not come back",
        target_text(target),
        kinds.join(", ")
    );
    Some(Finding::new(Code::UnrecordedObjects, message).about(name).lifted_by(consent))
}
