//! `laconic doctor`: whether everything that laconic needs is in order. Takes no lock, writes nothing.

use crate::doctor::Verdict;
use crate::doctor::examination::examine;
use crate::error::{Exit, Result};
use crate::session::Session;
use crate::view::doctor_text;

/// Runs it.
pub fn run(session: &Session) -> Result<Exit> {
    let report = examine(session)?;
    if session.output.json {
        session.output.print_json(&doctor_text::json(&report))?;
    } else {
        session.output.print(&doctor_text::report(&report, session.output.palette))?;
    }
    Ok(if report.count(Verdict::Problem) == 0 { Exit::Done } else { Exit::Failed })
}
