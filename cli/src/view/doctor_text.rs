//! What `laconic doctor` found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::doctor::{Check, Report, Verdict};
use crate::view::style::{Palette, clean, count};

/// The version of the JSON form.
pub const FORMAT_VERSION: &str = "1.0";

/// The report as text.
#[must_use]
pub fn report(report: &Report, palette: Palette) -> String {
    let mut text = palette.bold("laconic doctor");
    let names: Vec<String> = report.deployments.iter().map(|name| clean(name)).collect();
    let _ = match names.as_slice() {
        [] => writeln!(text, "  this host"),
        [name] => writeln!(text, "  this host and deployment {name}"),
        names => writeln!(text, "  this host and deployments {}", names.join(", ")),
    };
    for group in &report.groups {
        let _ = writeln!(text, "\n{}", palette.accent(group.title));
        for check in &group.checks {
            text.push_str(&one(check, palette));
        }
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

/// As wide as the longest verdict.
const WIDTH: usize = 11;

fn one(check: &Check, palette: Palette) -> String {
    let word = format!("{:WIDTH$}", check.verdict.word());
    let word = match check.verdict {
        Verdict::Ok => palette.good(&word),
        Verdict::Warning => palette.warn(&word),
        Verdict::Problem => palette.bad(&word),
        Verdict::NotChecked => palette.dim(&word),
    };
    let mut text = format!("  {word}  {}\n", line(&check.found));
    for help in check.help.iter().map(|help| clean(help)) {
        // An indented line goes on with the one before it: a command to copy.
        let label = if help.starts_with(' ') { "     ".to_owned() } else { palette.accent("help:") };
        let _ = writeln!(text, "  {:WIDTH$}  {label} {help}", "");
    }
    text
}

/// In one line, whatever is in it.
fn line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

fn summary(report: &Report) -> String {
    let number = |verdict| report.count(verdict);
    let (problems, warnings) = (number(Verdict::Problem), number(Verdict::Warning));
    let rest = format!("{} ok, {} not checked", number(Verdict::Ok), number(Verdict::NotChecked));
    format!("{}, {}, {rest}.", count(problems, "problem"), count(warnings, "warning"))
}

/// The report as JSON.
#[must_use]
pub fn json(report: &Report) -> Value {
    let check = |check: &Check| json!({"name": check.name, "verdict": check.verdict.word(), "found": check.found, "help": check.help});
    let groups: Vec<Value> = report
        .groups
        .iter()
        .map(|group| json!({"title": group.title, "checks": group.checks.iter().map(check).collect::<Vec<_>>()}))
        .collect();
    json!({
        "format_version": FORMAT_VERSION,
        "deployments": report.deployments,
        "healthy": report.count(Verdict::Problem) == 0,
        "problems": report.count(Verdict::Problem),
        "warnings": report.count(Verdict::Warning),
        "not_checked": report.count(Verdict::NotChecked),
        "groups": groups,
    })
}
