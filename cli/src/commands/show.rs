//! `laconic show`: a saved plan, with its age and whether it is stale; or the state.

use std::path::Path;

use serde_json::json;

use crate::applying::check_states;
use crate::args::ShowArgs;
use crate::error::{Exit, Problem, Result};
use crate::plan_file;
use crate::session::Session;
use crate::view::finding::Texts;
use crate::view::plan_json::plan_json;
use crate::view::plan_text::plan_text;

/// Runs it.
pub fn run(session: &Session, arguments: &ShowArgs) -> Result<Exit> {
    match &arguments.plan_file {
        Some(path) => saved(session, arguments, path),
        None => super::state::show(session, None),
    }
}

fn saved(session: &Session, arguments: &ShowArgs, path: &Path) -> Result<Exit> {
    let file = plan_file::read(path)?;
    let store = session.wire.store(&file.directories);
    // A stale plan can still be looked at; so can one whose state is elsewhere.
    let staleness = match check_states(&file.plan, &store) {
        Ok(()) => None,
        Err(Problem::StalePlan { detail }) => Some(detail),
        Err(other) => Some(format!("its state cannot be read here: {}", other.message())),
    };
    if session.output.json {
        let mut value = plan_json(&file.plan, &Texts::new());
        value["laconic"]["saved"] = json!(file.saved);
        value["laconic"]["stale_because"] = json!(staleness);
        session.output.print_json(&value)?;
    } else {
        let age = match &staleness {
            None => session.output.palette.good("still current"),
            Some(why) => session.output.palette.warn(&format!("stale: {why}")),
        };
        let text = plan_text(&file.plan, &session.plan_view(&arguments.showing, None));
        session.output.print(&format!("Saved {}, {age}\n\n{text}", file.saved))?;
    }
    Ok(Exit::Done)
}
