//! What an import did not find, and clusters that it finds to be other ones.

use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::plan::Mode;
use crate::plan::adoption::{Found, found};
use crate::plan::danger::target_text;
use crate::plan::decide::Presence;
use crate::plan::planner::Judgement;
use crate::plan::survey::identity_state;
use crate::resource::{Observed, Target};

/// LAC209 for a cluster that is not the recorded one, LAC805 for deployments of which nothing is there.
pub fn imports(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    let input = judgement.input;
    if input.mode != Mode::Import {
        return;
    }
    for target in judgement.beliefs.keys().filter(|target| is_another(judgement, target)) {
        findings.push(another(judgement, target));
    }
    // What could not be looked at is not what is not there.
    if judgement.resources.values().all(|judged| judged.item.presence == Presence::Absent) {
        findings.push(Finding::new(Code::NotConsulted, "nothing was found that could be imported"));
        return;
    }
    for deployment in input.deployments.iter().filter(|one| found(judgement, one) == Found::Nothing) {
        let (name, target) = (&deployment.name, target_text(&deployment.target));
        findings.push(
            Finding::new(
                Code::NotConsulted,
                format!("nothing of the deployment {name} is on {target}: it is left out"),
            )
            .about(name)
            .help("there is nothing to import of one that was never started: the next apply makes it"),
        );
    }
}

/// Whether another cluster answers than the one that is recorded.
fn is_another(judgement: &Judgement<'_>, target: &Target) -> bool {
    let recorded = identity_state(judgement.input, target).and_then(|state| state.identity.as_ref());
    let seen = judgement.input.world.get(target).filter(|seen| matches!(seen.cluster, Observed::Present(_)));
    match (recorded, seen.and_then(|seen| seen.identity.as_ref())) {
        (Some(recorded), Some(seen)) => !recorded.is(seen),
        _ => false,
    }
}

/// One that has something of the deployments on it is taken over; an empty one is not what anybody meant.
fn another(judgement: &Judgement<'_>, target: &Target) -> Finding {
    let mut own = judgement.input.deployments.iter().filter(|deployment| deployment.target == *target);
    let is_theirs = own.any(|one| matches!(found(judgement, one), Found::Stopped | Found::Running));
    let subject = target_text(target);
    if is_theirs {
        let message = format!("{subject} is not the one that is recorded: this import takes the new one over");
        return Finding::new(Code::ForeignCluster, message).about(target.name()).as_severity(Severity::Warning);
    }
    let message = format!("{subject} is not the one that is recorded, and nothing of these deployments is on it");
    Finding::new(Code::ForeignCluster, message)
        .about(target.name())
        .help("look whether another cluster has taken its name, or Docker or a kubeconfig leads to another host")
        .help("if the recorded one is gone for good, forget it: laconic state rm")
}
