//! The plan linter: what must be true of every plan. Run by every test, and by apply before it starts.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::plan::change::{Action, Change, Reason};
use crate::plan::document::{Mode, Plan};

/// Everything that is wrong with a plan; empty for a sound one.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    let by_address: BTreeMap<&Address, &Change> = plan.changes.iter().map(|change| (&change.address, change)).collect();
    if by_address.len() != plan.changes.len() {
        wrong.push("an address occurs twice".to_owned());
    }
    if !plan.changes.is_sorted_by(|left, right| left.address < right.address) {
        wrong.push("the changes are not sorted by address".to_owned());
    }
    for change in &plan.changes {
        lint_change(change, &by_address, &mut wrong);
        if plan.mode == Mode::Import && change.action != Action::Import {
            wrong.push(format!("{}: an import would {} it", change.address, change.action));
        }
    }
    for finding in &plan.findings {
        if finding.severity > finding.code.severity() {
            wrong.push(format!("{} is more severe than its catalogue entry", finding.code));
        }
    }
    for recreate in &plan.recreates {
        let shown = recreate.phases.is_sorted();
        if !shown || recreate.phases.is_empty() {
            wrong.push(format!("{}: the phases of its recreate are not in order", recreate.address()));
        }
        if recreate.secrets.iter().any(|secret| recreate.dropped.contains(&secret.key)) {
            wrong.push(format!("{}: a Secret is kept that goes away", recreate.address()));
        }
    }
    if let Err(cycle) = crate::apply::Schedule::of(plan) {
        wrong.push(format!("the steps wait for each other: {cycle}"));
    }
    wrong
}

fn lint_change(change: &Change, by_address: &BTreeMap<&Address, &Change>, wrong: &mut Vec<String>) {
    let address = &change.address;
    let needs_after = match change.action {
        Action::NoOp => {
            wrong.push(format!("{address}: a no-op is listed as a change"));
            return;
        }
        Action::Create | Action::Update | Action::Replace | Action::Import => true,
        Action::Delete | Action::Forget => false,
    };
    if change.after.is_some() != needs_after {
        wrong.push(format!("{address}: {} with{} an after value", change.action, if needs_after { "out" } else { "" }));
    }
    if let Some(cause) = crate::plan::planner::cause(&change.reason)
        && !by_address.contains_key(cause)
    {
        wrong.push(format!("{address}: its cause {cause} is not in the plan"));
    }
    if matches!(change.reason, Reason::InSync | Reason::JobCompleted | Reason::Refused) {
        wrong.push(format!("{address}: {} for the reason of a no-op", change.action));
    }
    // Nothing that stays may need something that goes.
    for need in &change.needs {
        let goes = by_address.get(need).is_some_and(|needed| matches!(needed.action, Action::Delete | Action::Forget));
        if goes && change.after.is_some() {
            wrong.push(format!("{address}: needs {need}, which goes away"));
        }
    }
    if let Some(after) = &change.after
        && after["kind"] == "Secret"
    {
        for member in ["data", "stringData"] {
            let clear = after[member]
                .as_object()
                .is_some_and(|data| data.values().any(|value| !crate::secret::is_placeholder(value)));
            if clear {
                wrong.push(format!("{address}: a secret in clear"));
            }
        }
    }
}
