//! What changed behind our back, field by field, with who did it and when.

use std::fmt::Write as _;

use laconic_engine::plan::{Drift, DriftField, DriftKind, Plan, Reason};

use crate::view::style::{Palette, clean, count};
use crate::view::value::{content, inline};

/// The drift that feeds a plan: changes that are made because of it.
#[must_use]
pub fn of_plan(plan: &Plan, palette: Palette) -> String {
    let feeds = |drift: &&Drift| {
        plan.change(&drift.address).is_some_and(|change| {
            matches!(
                change.reason,
                Reason::Drifted | Reason::SpecChangedAndDrifted | Reason::Vanished | Reason::AlreadyGone
            )
        })
    };
    let drifts: Vec<&Drift> = plan.drift.iter().filter(feeds).collect();
    if drifts.is_empty() {
        return String::new();
    }
    let mut text = format!("{}\n\n", palette.accent("Note: Objects have changed outside of laconic"));
    for drift in drifts {
        text.push_str(&one(drift, palette));
    }
    text.push('\n');
    text
}

/// The report of `laconic drift`.
#[must_use]
pub fn report(drifts: &[Drift], palette: Palette) -> String {
    if drifts.is_empty() {
        return "No drift. Nothing changed outside of laconic.\n".to_owned();
    }
    let mut text = format!("{}\n\n", palette.accent("Note: Objects have changed outside of laconic"));
    for drift in drifts {
        text.push_str(&one(drift, palette));
    }
    let _ = writeln!(text, "\nDrift: {} changed outside of laconic.", count(drifts.len(), "object"));
    text
}

fn one(drift: &Drift, palette: Palette) -> String {
    let address = clean(&drift.address.to_string());
    let sentence = match drift.kind {
        DriftKind::Changed => "has changed",
        DriftKind::Removed => "has been deleted",
        DriftKind::Remade => "has been deleted and made again by somebody else",
        DriftKind::Added => "carries our label and is not recorded",
    };
    let mut text = format!("  {}\n", palette.bold(&format!("# {address} {sentence}")));
    for field in &drift.fields {
        let _ = writeln!(text, "      {} {}", symbol(field, palette), line(field, palette));
    }
    text
}

fn symbol(field: &DriftField, palette: Palette) -> String {
    match (&field.recorded, &field.observed) {
        (None, Some(_)) => palette.good("+"),
        (Some(_), None) => palette.bad("-"),
        _ => palette.warn("~"),
    }
}

fn line(field: &DriftField, palette: Palette) -> String {
    let show = |value: &serde_json::Value| {
        if field.path.starts_with("binaryData") { content(&field.path, value) } else { inline(value) }
    };
    let values = match (&field.recorded, &field.observed) {
        (Some(recorded), Some(observed)) => format!("{} -> {}", show(recorded), show(observed)),
        (Some(recorded), None) => format!("{} -> null", show(recorded)),
        (None, Some(observed)) => show(observed),
        (None, None) => String::new(),
    };
    let mut text = format!("{}: {values}", clean(&field.path));
    let _ = write!(text, "   {}", palette.dim(&format!("# {}", attribution(field))));
    text
}

/// Who did it and when, and that it stays when it is none of ours.
fn attribution(field: &DriftField) -> String {
    let manager = if field.manager.is_empty() { "unknown".to_owned() } else { clean(&field.manager) };
    let since = if field.time.is_empty() { String::new() } else { format!(", {}", clean(&field.time)) };
    let how = match (field.added, field.probably) {
        (true, _) => "added by ",
        (false, true) => "probably by ",
        (false, false) => "by ",
    };
    let stays = if field.added { "; not ours, stays" } else { "" };
    format!("{how}{manager}{since}{stays}")
}
