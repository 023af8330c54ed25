//! What a plan says of what it could not see: never that it is gone.

use crate::address::ResourceType;
use crate::code::Code;
use crate::finding::Finding;
use crate::plan::danger::target_text;
use crate::plan::planner::Judgement;
use crate::plan::survey::Belief;
use crate::resource::{Target, UnknownReason};

/// Why something is not known, for people.
#[must_use]
pub fn unknown_text(reason: &UnknownReason) -> String {
    match reason {
        UnknownReason::Offline => "nobody looked (offline)".to_owned(),
        UnknownReason::Unreachable(detail) => format!("it cannot be reached: {detail}"),
        UnknownReason::Forbidden(detail) => format!("it does not tell us: {detail}"),
        UnknownReason::Failed(detail) => format!("it did not answer well: {detail}"),
        UnknownReason::NotServed(detail)
        | UnknownReason::NotConfigured(detail)
        | UnknownReason::OtherIdentity(detail) => detail.clone(),
    }
}

/// What to do about something that is not known.
const fn unknown_help(reason: &UnknownReason) -> &'static str {
    match reason {
        UnknownReason::Offline => "leave out `--offline` to have it looked at",
        UnknownReason::Unreachable(_) | UnknownReason::Failed(_) => {
            "run it again when it answers; what was not seen never counts as deleted"
        }
        UnknownReason::Forbidden(_) => {
            "use credentials that have the permissions of the page \"Permissions\" in the book; what was not seen never counts as deleted"
        }
        UnknownReason::NotServed(_) => "have the server serve that version of its API, or use a server that does",
        UnknownReason::NotConfigured(_) => {
            "put its kubeconfig.yml into the deployment directory (`kube-config:` in the spec), or name one with `--kubeconfig`, or a context with `--context`"
        }
        UnknownReason::OtherIdentity(_) => "reach the cluster that is recorded",
    }
}

/// Clusters of which nothing was seen, and kinds of which nothing was on those that answer.
pub(super) fn unseen(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (target, belief) in &judgement.beliefs {
        match belief {
            Belief::Doubted(UnknownReason::Offline | UnknownReason::OtherIdentity(_)) | Belief::Gone => {}
            Belief::Trusted => {
                let unlisted = judgement.input.world.get(target).map(|observed| &observed.unlisted);
                for (resource_type, reason) in unlisted.into_iter().flatten() {
                    findings.push(kind(target, *resource_type, reason));
                }
            }
            Belief::Doubted(reason) => {
                let subject = target_text(target);
                let why = unknown_text(reason);
                let text = format!("{subject} was not seen: {why}; planned from the recorded state");
                findings.push(Finding::new(Code::NotConsulted, text).about(target.name()).help(unknown_help(reason)));
                if target.kind_cluster().is_some() {
                    let text = format!("the mounts of {subject} could not be inspected");
                    findings.push(Finding::new(Code::MountsUnknown, text).about(target.name()));
                }
            }
        }
    }
}

/// A kind of which nothing is known, on a cluster that answers.
fn kind(target: &Target, resource_type: ResourceType, reason: &UnknownReason) -> Finding {
    let (subject, kind, why) = (target_text(target), resource_type.kind(), unknown_text(reason));
    let text = format!("no {kind} of {subject} was seen: {why}; theirs is planned from the recorded state");
    Finding::new(Code::NotConsulted, text).about(target.name()).help(unknown_help(reason))
}
