//! `laconic deployment start`: plan and apply. Ordinary changes need no approval, because Ansible is who starts things;
//! what needs a consent needs it here too.

use crate::args::{ApplyArgs, Carrying, StartArgs};
use crate::commands::apply;
use crate::error::{Exit, Result};
use crate::session::Session;

/// Runs it.
pub fn run(session: &Session, arguments: &StartArgs) -> Result<Exit> {
    let arguments = ApplyArgs {
        plan_file: None,
        rehearse: false,
        planning: arguments.planning.clone(),
        carrying: Carrying { auto_approve: true, ..arguments.carrying.clone() },
        showing: arguments.showing.clone(),
    };
    apply::run(session, &arguments)
}
