//! The end of an apply: what is done, what failed, what was skipped because of what, what was not begun.

use std::fmt::Write as _;

use laconic_engine::apply::Outcome;
use laconic_engine::plan::{Action, Mode, Plan};

use crate::view::style::{Palette, clean, count};

/// What ended, for the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// `Apply`, `Destroy`, `Import`, `Rehearsal`.
    pub what: &'static str,
    /// How many resources were taken into state.
    pub imported: usize,
}

impl Ending {
    /// The end of an ordinary apply.
    pub const APPLY: Self = Self { what: "Apply", imported: 0 };

    /// The end of carrying out a plan.
    #[must_use]
    pub fn of(plan: &Plan, rehearsed: bool, outcome: &Outcome) -> Self {
        let what = match plan.mode {
            _ if rehearsed => "Rehearsal",
            Mode::Import => "Import",
            Mode::Apply => "Apply",
            Mode::Destroy => "Destroy",
            Mode::Stop => "Stop",
        };
        let is_import = |address| plan.change(address).is_some_and(|change| change.action == Action::Import);
        Self { what, imported: outcome.done.iter().filter(|(address, _)| is_import(address)).count() }
    }
}

/// The report. What is done is listed only when something else is not.
#[must_use]
pub fn report(outcome: &Outcome, ending: Ending, palette: Palette) -> String {
    let mut text = String::new();
    if !outcome.is_complete() {
        if !outcome.done.is_empty() {
            let _ = writeln!(text, "Done:");
            for (address, operation) in &outcome.done {
                let _ = writeln!(text, "  {} ({})", clean(&address.to_string()), word(*operation));
            }
        }
        if !outcome.failed.is_empty() {
            let _ = writeln!(text, "{}", palette.bad("Failed:"));
            for (address, error) in &outcome.failed {
                let _ = writeln!(text, "  {}: {}", clean(&address.to_string()), clean(error));
            }
        }
        if !outcome.skipped.is_empty() {
            let _ = writeln!(text, "{}", palette.warn("Skipped:"));
            for (address, because) in &outcome.skipped {
                let because = clean(&because.to_string());
                let _ = writeln!(text, "  {} (because {because} failed)", clean(&address.to_string()));
            }
        }
        if !outcome.not_started.is_empty() {
            let _ = writeln!(text, "{}", palette.warn("Not started:"));
            for address in &outcome.not_started {
                let _ = writeln!(text, "  {}", clean(&address.to_string()));
            }
        }
        text.push('\n');
    }
    let line = last_line(outcome, ending);
    let line = if outcome.is_complete() { palette.good(&line) } else { palette.bad(&line) };
    let _ = writeln!(text, "{line}");
    text
}

/// `Apply complete! Resources: 3 added, 1 changed, 0 destroyed.`
#[must_use]
pub fn last_line(outcome: &Outcome, ending: Ending) -> String {
    let Ending { what, imported } = ending;
    let others = format!("{} added, {} changed, {} destroyed", outcome.added, outcome.changed, outcome.destroyed);
    let resources = match imported {
        0 if what != "Import" => format!("Resources: {others}"),
        _ if outcome.added + outcome.changed + outcome.destroyed == 0 => format!("Resources: {imported} imported"),
        _ => format!("Resources: {imported} imported, {others}"),
    };
    if outcome.is_complete() {
        return format!("{what} complete! {resources}.");
    }
    let mut line = format!("{what} incomplete. {resources}; {}", count(outcome.failed.len(), "failure"));
    let not_done = outcome.skipped.len() + outcome.not_started.len();
    if not_done > 0 {
        let _ = write!(line, ", {not_done} not begun");
    }
    line.push('.');
    line
}

const fn word(operation: laconic_engine::apply::Operation) -> &'static str {
    use laconic_engine::apply::Operation;
    match operation {
        Operation::Create => "created",
        Operation::Update => "changed",
        Operation::Adopt => "imported",
        Operation::Delete => "destroyed",
    }
}
