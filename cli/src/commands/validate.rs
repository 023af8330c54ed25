//! `laconic validate`: parse and check; no network, no Docker.

use std::collections::BTreeMap;

use laconic_engine::code::Severity;

use crate::args::{ValidateArgs, ValidateFormat};
use crate::compiling::{Compiled, clusters, compile_all, diagnostics};
use crate::error::{Exit, Result};
use crate::inputs::locate_selected;
use crate::session::Session;
use crate::view::base::Base;
use crate::view::finding::{self, Texts};
use crate::view::style::{Palette, clean, count};
use crate::view::{github, sarif};

/// Runs it.
pub fn run(session: &Session, arguments: &ValidateArgs) -> Result<Exit> {
    let output = &session.output;
    let inputs = locate_selected(&session.common, &arguments.selection)?;
    let mut compiled = compile_all(&inputs, false);
    // What the deployments together make of their clusters, as far as the files tell.
    let clusters = clusters(&compiled.together(), &BTreeMap::new());
    compiled.add_together(clusters.into_values().flat_map(|cluster| cluster.findings).collect());
    if let Some(open) = &inputs.repository {
        open.judge(&mut compiled.findings);
    }
    let usual = if output.json { ValidateFormat::Json } else { ValidateFormat::Text };
    match arguments.format.unwrap_or(usual) {
        ValidateFormat::Json => output.print_json(&diagnostics(&compiled))?,
        ValidateFormat::Text => {
            let mut text = finding::all_with_source(compiled.with_texts(), output.palette);
            text.push_str(&last_lines(&compiled, inputs.selected(), output.palette));
            output.print(&text)?;
        }
        ValidateFormat::Sarif => {
            let none = Texts::new();
            let suppressed = compiled.suppressed.iter();
            let suppressed = suppressed.map(|(one, texts)| (one, compiled.texts.get(*texts).unwrap_or(&none)));
            let first = first_file(&compiled);
            output.print_json(&sarif::document(&Base::here(), &first, compiled.with_texts(), suppressed))?;
        }
        ValidateFormat::Github => {
            let findings = compiled.findings.iter().map(|(finding, _)| finding);
            let mut text = github::commands(&Base::here(), findings);
            text.push_str(&last_lines(&compiled, inputs.selected(), Palette::plain()));
            output.print(&text)?;
        }
    }
    let warnings = compiled.findings.iter().any(|(finding, _)| finding.severity == Severity::Warning);
    Ok(if compiled.errors() > 0 || (arguments.strict && warnings) { Exit::Failed } else { Exit::Done })
}

/// The file that a finding without a place is told at: a spec, when one could be read.
fn first_file(compiled: &Compiled) -> String {
    let all = compiled.all_texts();
    let spec = all.keys().find(|file| file.ends_with("spec.yml")).or_else(|| all.keys().next());
    spec.map_or_else(|| "spec.yml".to_owned(), ToString::to_string)
}

/// What was not told, and the count of what was.
fn last_lines(compiled: &Compiled, checked: usize, palette: Palette) -> String {
    let mut text = String::new();
    for (one, _) in &compiled.suppressed {
        let place = one.finding.place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
        let line = format!("Suppressed: {}{place}: {} ({})", one.finding.code, one.finding.message, one.reason);
        text.push_str(&palette.dim(&clean(&line)));
        text.push('\n');
    }
    if !compiled.suppressed.is_empty() {
        text.push('\n');
    }
    let counts = finding::count_line(compiled.findings.iter().map(|(finding, _)| finding));
    let checked = count(checked, "deployment");
    let mut suffix = if counts.is_empty() { String::new() } else { format!(", {counts}") };
    if !compiled.suppressed.is_empty() {
        suffix.push_str(&format!(", {} suppressed", compiled.suppressed.len()));
    }
    let line = if compiled.errors() == 0 {
        palette.good(&format!("Success! {checked} checked{suffix}."))
    } else {
        palette.bad(&format!("{checked} checked{suffix}."))
    };
    text.push_str(&line);
    text.push('\n');
    text
}
