//! Findings inside a plan: dangers first, warnings after the changes, notes last.

use std::fmt::Write as _;

use laconic_engine::code::Severity;
use laconic_engine::finding::Finding;
use laconic_engine::plan::Plan;

use crate::view::style::{Palette, clean, count};

/// The dangers of a plan: errors, refusals and consents, each with its place, the way out and its flag.
#[must_use]
pub fn dangers(plan: &Plan, palette: Palette) -> String {
    let of = |severity: Severity| plan.findings.iter().filter(move |finding| finding.severity == severity);
    let mut text = String::new();
    for finding in of(Severity::Error).chain(of(Severity::Refusal)).chain(of(Severity::Consent)) {
        let given = finding.consent.as_ref().is_some_and(|consent| plan.consents_given.contains(consent));
        text.push_str(&one(finding, given, palette));
        text.push('\n');
    }
    text
}

/// The findings of one mild severity.
#[must_use]
pub fn mild(plan: &Plan, severity: Severity, palette: Palette) -> String {
    let mut text = String::new();
    for finding in plan.findings.iter().filter(|finding| finding.severity == severity) {
        text.push_str(&one(finding, false, palette));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn one(finding: &Finding, given: bool, palette: Palette) -> String {
    let word = format!("{}[{}]", finding.severity, finding.code);
    let word = match finding.severity {
        Severity::Error | Severity::Refusal | Severity::Consent => palette.bad(&word),
        Severity::Warning => palette.warn(&word),
        Severity::Note => palette.accent(&word),
    };
    let mut text = String::new();
    let subject = match finding.subject.as_str() {
        "" => String::new(),
        subject if finding.message.contains(subject) => String::new(),
        subject => format!("{}: ", clean(subject)),
    };
    let _ = writeln!(text, "{word}: {subject}{}", clean(&finding.message));
    if let Some(place) = &finding.place {
        let _ = writeln!(text, "  {} {}", palette.dim("-->"), clean(&place.to_string()));
    }
    for label in &finding.labels {
        let place = clean(&label.place.to_string());
        let _ = writeln!(text, "  {} {place}: {}", palette.dim("-->"), clean(&label.text));
    }
    for line in &finding.help {
        // An indented line goes on with the one before it.
        let label = if line.starts_with(' ') { "     ".to_owned() } else { palette.accent("help:") };
        let _ = writeln!(text, "  {label} {}", clean(line));
    }
    if let Some(consent) = &finding.consent {
        let state = if given { "given" } else { "needed" };
        let _ = writeln!(text, "  consent {state}: {}", palette.bold(&clean(&consent.to_string())));
    }
    text
}

/// The risk of a plan in a few words; nothing when there is none.
#[must_use]
pub fn risk(plan: &Plan, palette: Palette) -> Option<String> {
    use laconic_engine::plan::VolumeVerdict;

    let volumes = |verdict: VolumeVerdict| plan.forecast.iter().filter(|volume| volume.verdict == verdict).count();
    let mut risks = Vec::new();
    match volumes(VolumeVerdict::Lost) {
        0 => {}
        lost => risks.push(format!("DATA LOSS ({})", count(lost, "volume"))),
    }
    match volumes(VolumeVerdict::LeftBehind) {
        0 => {}
        left => risks.push(format!("data left behind ({})", count(left, "volume"))),
    }
    for radius in &plan.blast_radius {
        let what = if radius.recreated { "recreate" } else { "delete" };
        let others = radius.tenants.iter().filter(|tenant| !plan.deployments.contains(&tenant.name)).count();
        let suffix = match others {
            0 => String::new(),
            _ => format!(" with {}", count(others, "other deployment")),
        };
        risks.push(format!("cluster {what}{suffix}"));
    }
    let refusals = plan.refusals().count();
    if refusals > 0 {
        risks.push(count(refusals, "open refusal"));
    }
    let missing: Vec<String> = plan.missing_consents().iter().map(ToString::to_string).collect();
    if risks.is_empty() && missing.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    if !risks.is_empty() {
        parts.push(format!("Risk: {}.", risks.join(", ")));
    }
    if !missing.is_empty() {
        parts.push(format!("Consent needed: {}", clean(&missing.join(" "))));
    }
    Some(palette.bad(&parts.join("  ")))
}
