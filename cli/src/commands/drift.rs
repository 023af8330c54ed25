//! `laconic drift`: what changed behind our back. Takes no lock, writes nothing, ignores readiness.

use laconic_engine::address::Scope;
use laconic_engine::apply::{LockMode, StateError};
use laconic_engine::plan::{Consulted, Mode};
use serde_json::json;

use crate::args::Planning;
use crate::error::{Exit, Problem, Result};
use crate::planning::{Wanted, make};
use crate::session::Session;
use crate::view::{drift_text, plan_json};

/// Runs it.
pub fn run(session: &Session) -> Result<Exit> {
    let planning = Planning::default();
    let wanted = Wanted {
        mode: Mode::Apply,
        offline: false,
        consents: std::collections::BTreeSet::new(),
        planning: &planning,
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
    let details: Vec<String> = plan
        .consulted
        .iter()
        .filter_map(|(target, consulted)| match consulted {
            Consulted::Unknown(why) => Some(format!("{}: {why}", target.name())),
            Consulted::Live | Consulted::Offline => None,
        })
        .collect();
    if session.output.json {
        let drift: Vec<_> = plan.drift.iter().map(plan_json::drift).collect();
        session.output.print_json(&json!({
            "format_version": plan_json::FORMAT_VERSION,
            "drifted": !plan.drift.is_empty(),
            "unreachable": details,
            "deployments": plan.deployments,
            "resource_drift": drift,
        }))?;
    } else if details.is_empty() || !plan.drift.is_empty() {
        // "No drift" is only said by one who could look.
        session.output.print(&drift_text::report(&plan.drift, session.output.palette))?;
    }
    if !details.is_empty() {
        return Err(Problem::Unreachable { details });
    }
    Ok(if plan.drift.is_empty() { Exit::Done } else { Exit::Changes })
}
