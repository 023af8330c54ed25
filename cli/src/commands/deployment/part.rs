//! The commands that apply a part of a deployment: `prepare`, `run-job`, `update-envs`.

use crate::args::{ApplyArgs, Carrying, PartArgs};
use crate::commands::apply;
use crate::error::{Exit, Result};
use crate::everyday::{Everyday, Part};
use crate::session::Session;

/// Applies that part; everything else is left as it is.
pub fn run(session: &Session, arguments: &PartArgs, part: Part) -> Result<Exit> {
    let arguments = ApplyArgs {
        plan_file: None,
        rehearse: false,
        planning: arguments.planning.clone(),
        carrying: Carrying { auto_approve: true, ..arguments.carrying.clone() },
        showing: arguments.showing.clone(),
    };
    // Only what makes the cluster may make it.
    let keeps_cluster = part != Part::Prepared;
    apply::run_with(session, &arguments, Everyday { part: Some(part), keeps_cluster, ..Everyday::default() })
}
