//! The one place where an action is chosen: an exhaustive match over Desired, Recorded and Observed.

use crate::address::Address;
use crate::code::Code;
use crate::plan::change::{Action, Reason};
use crate::state::Status;

/// What is known of the object's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// It is there, with the uid that is recorded (or nothing is recorded to compare with).
    Present,
    /// It is there with another uid, and carries our field manager.
    RemadeByUs,
    /// It is there with another uid, made by somebody else.
    RemadeByOthers,
    /// It is not there.
    Absent,
    /// Nobody could tell.
    Unknown,
}

/// What happens to the cluster the object lives on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterFate {
    /// Nothing.
    Stays,
    /// It is made anew by this plan.
    Replaced(Address),
    /// It is recorded and gone, and made again by this plan.
    Lost(Address),
    /// It is deleted by this plan.
    Deleted(Address),
}

/// How desired and recorded (and observed) fields differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldVerdict {
    /// The spec asks for something else than last time.
    pub intent: bool,
    /// The world is not as we left it, in a field that we still want otherwise.
    pub drift: bool,
    /// Differing fields that cannot be changed in place.
    pub immutable: Vec<String>,
}

/// The facts about one resource.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Whether the spec asks for it.
    pub desired: bool,
    /// Its recorded status, if it is recorded.
    pub recorded: Option<&'a Status>,
    /// What was seen.
    pub presence: Presence,
    /// What happens to its cluster.
    pub cluster: ClusterFate,
    /// The field differences; looked at only where all three facts exist.
    pub fields: FieldVerdict,
    /// Whether it is a Job that is known to have completed and is not to run again.
    pub completed_job: bool,
    /// Whether it is made by its cluster's creation alone: finding it is having it.
    pub comes_with_cluster: bool,
    /// Whether existing objects are to be taken into state.
    pub import: bool,
    /// Whether the operator wants it made anew.
    pub replace_requested: bool,
    /// Whether the deployment is being destroyed.
    pub destroying: bool,
    /// Whether the deployment is being stopped.
    pub stopping: bool,
    /// Whether it was there before us and is not ours to delete.
    pub stays: bool,
    /// Whether it is an image on the nodes, which others may run too: one is put over another, and none is taken away.
    pub is_image: bool,
}

/// What is to be done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The action.
    pub action: Action,
    /// The reason.
    pub reason: Reason,
    /// The finding that must go with it.
    pub finding: Option<Code>,
}

impl Verdict {
    const fn new(action: Action, reason: Reason) -> Self {
        Self { action, reason, finding: None }
    }

    const fn refuse(code: Code) -> Self {
        Self { action: Action::NoOp, reason: Reason::Refused, finding: Some(code) }
    }
}

/// Chooses the action for one resource: the table of the product's contract, row by row.
#[must_use]
pub fn decide(facts: Facts<'_>) -> Verdict {
    // A cluster that goes away takes everything on it along: what was seen on it counts as gone, and nothing is deleted
    // one by one.
    let (presence, gone_with) = match facts.cluster {
        ClusterFate::Stays => (facts.presence, None),
        ClusterFate::Replaced(ref cause) => (Presence::Absent, Some(Reason::ClusterReplaced { cause: cause.clone() })),
        ClusterFate::Lost(ref cause) => (Presence::Absent, Some(Reason::ClusterLost { cause: cause.clone() })),
        ClusterFate::Deleted(ref cause) => (Presence::Absent, Some(Reason::ClusterDeleted { cause: cause.clone() })),
    };
    if facts.import {
        // An import takes what exists into state, and does nothing else.
        let takes = facts.desired
            && match presence {
                Presence::Present => facts.recorded.is_none(),
                Presence::RemadeByUs | Presence::RemadeByOthers => true,
                Presence::Absent | Presence::Unknown => false,
            };
        return if takes {
            Verdict::new(Action::Import, Reason::Imported)
        } else {
            Verdict::new(Action::NoOp, Reason::InSync)
        };
    }
    match (facts.desired, facts.recorded, presence) {
        (false, None, _) => Verdict::new(Action::NoOp, Reason::InSync),
        (false, Some(_), Presence::Absent) => match (gone_with, facts.presence) {
            (Some(reason), Presence::Present | Presence::Unknown | Presence::RemadeByUs) => {
                Verdict::new(Action::Delete, reason)
            }
            _ => Verdict::new(Action::Forget, Reason::AlreadyGone),
        },
        (false, Some(_), Presence::Present | Presence::RemadeByUs | Presence::RemadeByOthers | Presence::Unknown)
            if facts.is_image =>
        {
            Verdict::new(Action::Forget, Reason::LeftOnNodes)
        }
        // Made again under our name: ours only if an interrupted operation of this state made it.
        (false, Some(Status::Settled | Status::Pending(Action::Update | Action::Delete)), Presence::RemadeByUs)
        | (false, Some(_), Presence::RemadeByOthers) => Verdict::refuse(Code::ObjectRemade),
        (false, Some(_), Presence::Present | Presence::RemadeByUs | Presence::Unknown) if facts.stays => {
            Verdict::new(Action::Forget, Reason::NotOurs)
        }
        (false, Some(_), Presence::Present | Presence::RemadeByUs | Presence::Unknown) => {
            let reason = match (facts.destroying, facts.stopping) {
                (true, _) => Reason::Destroyed,
                (false, true) if facts.completed_job => Reason::CompletedJobStopped,
                (false, true) => Reason::Stopped,
                (false, false) => Reason::NotDesired,
            };
            Verdict::new(Action::Delete, reason)
        }
        (true, None, Presence::Absent) => Verdict::new(Action::Create, gone_with.unwrap_or(Reason::New)),
        (true, None, Presence::Unknown) => Verdict::new(Action::Create, Reason::New),
        (true, None, Presence::Present | Presence::RemadeByUs | Presence::RemadeByOthers) => {
            if facts.comes_with_cluster || facts.is_image {
                // Its create is a look whether it is as wanted; a cluster that lacks it is judged by its own fields.
                Verdict::new(Action::Create, Reason::New)
            } else {
                Verdict::refuse(Code::ObjectExists)
            }
        }
        (true, Some(_), Presence::Absent) if facts.completed_job => {
            if facts.replace_requested {
                Verdict::new(Action::Create, Reason::ReplaceRequested)
            } else {
                Verdict::new(Action::NoOp, Reason::JobCompleted)
            }
        }
        (true, Some(status), Presence::Absent) => match gone_with {
            // What is deleted with its cluster and made again counts as replaced, whatever was seen of it before.
            Some(reason @ Reason::ClusterReplaced { .. }) => Verdict::new(Action::Replace, reason),
            Some(reason) => Verdict::new(Action::Create, reason),
            None if matches!(status, Status::Pending(_)) => Verdict::new(Action::Create, Reason::Interrupted),
            None => Verdict::new(Action::Create, Reason::Vanished),
        },
        (true, Some(status @ Status::Pending(Action::Create | Action::Replace)), Presence::RemadeByUs) => {
            by_fields(&facts, status, presence)
        }
        (true, Some(_), Presence::RemadeByOthers | Presence::RemadeByUs) => Verdict::refuse(Code::ObjectRemade),
        (true, Some(status), Presence::Present | Presence::Unknown) => by_fields(&facts, status, presence),
    }
}

fn by_fields(facts: &Facts<'_>, status: &Status, presence: Presence) -> Verdict {
    let fields = &facts.fields;
    if facts.replace_requested {
        return Verdict::new(Action::Replace, Reason::ReplaceRequested);
    }
    if facts.completed_job && !fields.immutable.is_empty() {
        return Verdict { action: Action::NoOp, reason: Reason::JobCompleted, finding: Some(Code::JobAlreadyRan) };
    }
    if !fields.immutable.is_empty() {
        return Verdict::new(Action::Replace, Reason::Immutable { paths: fields.immutable.clone() });
    }
    // Its object went, and what is left is that it completed; nobody could look whether it came again.
    if facts.completed_job && presence == Presence::Unknown && matches!(status, Status::Pending(Action::Create)) {
        return Verdict::new(Action::NoOp, Reason::JobCompleted);
    }
    match (status, fields.intent, fields.drift) {
        (Status::Pending(Action::Create | Action::Replace), ..) if presence == Presence::Unknown => {
            Verdict::new(Action::Create, Reason::Interrupted)
        }
        (Status::Pending(_), ..) => Verdict::new(Action::Update, Reason::Interrupted),
        (Status::Settled, false, false) => Verdict::new(Action::NoOp, Reason::InSync),
        (Status::Settled, true, _) if facts.is_image => Verdict::new(Action::Update, Reason::BuiltAgain),
        (Status::Settled, true, false) => Verdict::new(Action::Update, Reason::SpecChanged),
        (Status::Settled, false, true) => Verdict::new(Action::Update, Reason::Drifted),
        (Status::Settled, true, true) => Verdict::new(Action::Update, Reason::SpecChangedAndDrifted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENCES: [Presence; 5] =
        [Presence::Present, Presence::RemadeByUs, Presence::RemadeByOthers, Presence::Absent, Presence::Unknown];

    fn facts(desired: bool, recorded: Option<&Status>, presence: Presence) -> Facts<'_> {
        Facts {
            desired,
            recorded,
            presence,
            cluster: ClusterFate::Stays,
            fields: FieldVerdict::default(),
            completed_job: false,
            comes_with_cluster: false,
            import: false,
            replace_requested: false,
            destroying: false,
            stopping: false,
            stays: false,
            is_image: false,
        }
    }

    /// The table of the contract, written out a second time by hand.
    #[test]
    fn the_table_of_the_contract() {
        use Action::*;
        let settled = Status::Settled;
        let table = [
            (false, false, [NoOp, NoOp, NoOp, NoOp, NoOp]),
            (false, true, [Delete, NoOp, NoOp, Forget, Delete]),
            (true, false, [NoOp, NoOp, NoOp, Create, Create]),
            (true, true, [NoOp, NoOp, NoOp, Create, NoOp]),
        ];
        for (desired, recorded, actions) in table {
            for (presence, action) in PRESENCES.into_iter().zip(actions) {
                let verdict = decide(facts(desired, recorded.then_some(&settled), presence));
                assert_eq!(verdict.action, action, "{desired} {recorded} {presence:?}");
            }
        }
    }

    #[test]
    fn what_was_there_before_us_is_let_go_and_not_deleted() {
        let settled = Status::Settled;
        for presence in [Presence::Present, Presence::RemadeByUs, Presence::Unknown] {
            for destroying in [true, false] {
                let verdict = decide(Facts { stays: true, destroying, ..facts(false, Some(&settled), presence) });
                // Made again is another question, which a refusal asks.
                if verdict.finding.is_none() {
                    assert_eq!((verdict.action, verdict.reason), (Action::Forget, Reason::NotOurs));
                }
            }
        }
    }

    #[test]
    fn an_image_is_put_over_another_one_and_left_where_others_may_run_it() {
        let settled = Status::Settled;
        for presence in [Presence::Present, Presence::RemadeByUs, Presence::RemadeByOthers, Presence::Unknown] {
            let wanted = decide(Facts { is_image: true, ..facts(true, None, presence) });
            assert_eq!((wanted.action, wanted.finding), (Action::Create, None), "{presence:?}");
            let unwanted = decide(Facts { is_image: true, ..facts(false, Some(&settled), presence) });
            assert_eq!((unwanted.action, unwanted.reason), (Action::Forget, Reason::LeftOnNodes), "{presence:?}");
        }
        let fields = FieldVerdict { intent: true, drift: true, ..FieldVerdict::default() };
        let again = decide(Facts { is_image: true, fields, ..facts(true, Some(&settled), Presence::Present) });
        assert_eq!((again.action, again.reason), (Action::Update, Reason::BuiltAgain));
    }

    #[test]
    fn a_stop_remembers_that_a_job_completed() {
        let settled = Status::Settled;
        let job = Facts { stopping: true, completed_job: true, ..facts(false, Some(&settled), Presence::Present) };
        assert_eq!((decide(job.clone()).action, decide(job).reason), (Action::Delete, Reason::CompletedJobStopped));
        let other = Facts { stopping: true, ..facts(false, Some(&settled), Presence::Present) };
        assert_eq!(decide(other).reason, Reason::Stopped);
    }

    #[test]
    fn foreign_objects_are_refused_with_their_code() {
        let settled = Status::Settled;
        assert_eq!(decide(facts(true, None, Presence::Present)).finding, Some(Code::ObjectExists));
        assert_eq!(decide(facts(true, Some(&settled), Presence::RemadeByOthers)).finding, Some(Code::ObjectRemade));
        assert_eq!(decide(facts(false, Some(&settled), Presence::RemadeByOthers)).finding, Some(Code::ObjectRemade));
    }

    #[test]
    fn import_takes_what_exists_and_nothing_else() {
        let take = Facts { import: true, ..facts(true, None, Presence::Present) };
        assert_eq!(decide(take).action, Action::Import);
        let settled = Status::Settled;
        for (desired, recorded) in [(true, None), (true, Some(&settled)), (false, Some(&settled))] {
            for presence in PRESENCES {
                let action = decide(Facts { import: true, ..facts(desired, recorded, presence) }).action;
                assert!(
                    matches!(action, Action::Import | Action::NoOp),
                    "{desired} {recorded:?} {presence:?} {action}"
                );
            }
        }
    }

    #[test]
    fn a_pending_create_of_ours_is_brought_to_its_end() {
        let pending = Status::Pending(Action::Create);
        let verdict = decide(facts(true, Some(&pending), Presence::RemadeByUs));
        assert_eq!((verdict.action, verdict.reason), (Action::Update, Reason::Interrupted));
        assert_eq!(decide(facts(true, Some(&pending), Presence::Absent)).reason, Reason::Interrupted);
        assert_eq!(decide(facts(true, Some(&pending), Presence::RemadeByOthers)).finding, Some(Code::ObjectRemade));
    }

    #[test]
    fn a_completed_job_never_runs_again_by_its_absence() {
        let settled = Status::Settled;
        let cause = Address::kind_cluster("main");
        for cluster in [ClusterFate::Stays, ClusterFate::Replaced(cause.clone()), ClusterFate::Lost(cause)] {
            let job = Facts { completed_job: true, cluster, ..facts(true, Some(&settled), Presence::Absent) };
            assert_eq!(decide(job).reason, Reason::JobCompleted);
        }
    }

    #[test]
    fn a_completed_job_runs_again_when_it_is_named_wherever_it_went() {
        for (status, presence, action) in [
            (Status::Settled, Presence::Absent, Action::Create),
            (Status::Pending(Action::Create), Presence::Absent, Action::Create),
            (Status::Settled, Presence::Present, Action::Replace),
        ] {
            let job = Facts { completed_job: true, ..facts(true, Some(&status), presence) };
            assert_eq!(decide(job.clone()).action, Action::NoOp, "{status:?} {presence:?}");
            let named = decide(Facts { replace_requested: true, ..job });
            assert_eq!((named.action, named.reason), (action, Reason::ReplaceRequested), "{status:?} {presence:?}");
        }
        // Nobody looked whether it is there; that it completed is known all the same.
        let status = Status::Pending(Action::Create);
        let job = Facts { completed_job: true, ..facts(true, Some(&status), Presence::Unknown) };
        assert_eq!(decide(job).reason, Reason::JobCompleted);
    }

    #[test]
    fn what_is_on_a_replaced_cluster_is_replaced_with_it_and_keeps_the_cause() {
        let settled = Status::Settled;
        let cause = Address::kind_cluster("main");
        for presence in PRESENCES {
            let moved =
                Facts { cluster: ClusterFate::Replaced(cause.clone()), ..facts(true, Some(&settled), presence) };
            let verdict = decide(moved);
            assert_eq!(verdict.action, Action::Replace);
            assert_eq!(verdict.reason, Reason::ClusterReplaced { cause: cause.clone() });
        }
    }
}
