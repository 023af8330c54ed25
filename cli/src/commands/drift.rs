//! `laconic drift`: what changed behind our back. Takes no lock, writes nothing, ignores readiness.

use std::collections::BTreeSet;

use laconic_engine::address::Scope;
use laconic_engine::apply::{LockMode, StateError};
use laconic_engine::plan::{Consulted, Mode};
use laconic_engine::state::State;
use serde_json::json;

use crate::args::Planning;
use crate::error::{Exit, Problem, Result};
use crate::everyday::Everyday;
use crate::planning::{Wanted, make};
use crate::session::Session;
use crate::view::style::clean;
use crate::view::{drift_text, plan_json};

/// Runs it.
pub fn run(session: &Session) -> Result<Exit> {
    let planning = Planning::default();
    let wanted = Wanted {
        mode: Mode::Apply,
        offline: false,
        consents: BTreeSet::new(),
        planning: &planning,
        sizes: false,
        everyday: Everyday::default(),
        command: "drift",
    };
    let planned = make(session, &wanted)?;
    let plan = &planned.plan;
    // In the middle of an apply everything has "changed".
    let store = session.wire.store(&planned.directories);
    for reference in &plan.states {
        let report = store.lock_info(&reference.scope)?;
        if report.mode == Some(LockMode::Exclusive) {
            let scope: Scope = reference.scope.clone();
            let holder = report.holders.into_iter().next().map(Box::new);
            return Err(StateError::Locked { scope, holder }.into());
        }
    }
    // A cluster whose objects nobody could list is told of once.
    let details: BTreeSet<String> = plan
        .consulted
        .iter()
        .filter_map(|(target, consulted)| match consulted {
            Consulted::Unknown(why) => Some(format!("{}: {why}", target.name())),
            Consulted::Live | Consulted::Offline => None,
        })
        .chain(planned.unseen.iter().map(|(target, why)| format!("{}: {why}", target.name())))
        .collect();
    let complete = details.is_empty();
    let unrecorded: Vec<&str> = plan
        .deployments
        .iter()
        .map(String::as_str)
        .filter(|name| planned.states.get(&Scope::deployment(name)).is_none_or(State::is_new))
        .collect();
    if session.output.json {
        let drift: Vec<_> = plan.drift.iter().map(plan_json::drift).collect();
        session.output.print_json(&json!({
            "format_version": plan_json::FORMAT_VERSION,
            "complete": complete,
            "drifted": (complete || !plan.drift.is_empty()).then_some(!plan.drift.is_empty()),
            "not_recorded": unrecorded,
            "unreachable": details,
            "deployments": plan.deployments,
            "resource_drift": drift,
        }))?;
    } else {
        if !unrecorded.is_empty() {
            let names: Vec<String> = unrecorded.iter().map(|name| clean(name)).collect();
            session.output.print(&format!("Nothing is recorded of {} yet.\n", names.join(", ")))?;
        }
        // "No drift" is only said by one who could look, and of something.
        let says_something = complete && unrecorded.len() < plan.deployments.len();
        if says_something || !plan.drift.is_empty() {
            session.output.print(&drift_text::report(&plan.drift, session.output.palette))?;
        }
    }
    if !details.is_empty() {
        return Err(Problem::Unreachable { details: details.into_iter().collect() });
    }
    Ok(if plan.drift.is_empty() { Exit::Done } else { Exit::Changes })
}
