//! `laconic validate`: parse and check; no network, no Docker.

use laconic_engine::code::Severity;

use crate::args::ValidateArgs;
use crate::compiling::{clusters, compile_all, diagnostics};
use crate::error::{Exit, Result};
use crate::inputs::locate;
use crate::session::Session;
use crate::view::finding;
use crate::view::style::count;

/// Runs it.
pub fn run(session: &Session, arguments: &ValidateArgs) -> Result<Exit> {
    let output = &session.output;
    let inputs = locate(&session.common)?;
    let mut compiled = compile_all(&inputs, false);
    // What the deployments together make of their clusters, as far as the files tell.
    let together = compiled.texts.len().saturating_sub(1);
    let clusters = clusters(&compiled.deployments, &std::collections::BTreeMap::new());
    for cluster in clusters.into_values() {
        compiled.findings.extend(cluster.findings.into_iter().map(|finding| (finding, together)));
    }
    if let Some(open) = &inputs.repository {
        open.judge(&mut compiled.findings);
    }
    let errors = compiled.errors();
    let warnings = compiled.findings.iter().filter(|(finding, _)| finding.severity == Severity::Warning).count();
    if output.json {
        output.print_json(&diagnostics(&compiled))?;
    } else {
        let mut text = finding::all_with_source(compiled.with_texts(), output.palette);
        let counts = finding::count_line(compiled.findings.iter().map(|(finding, _)| finding));
        let checked = count(inputs.len(), "deployment");
        let suffix = if counts.is_empty() { String::new() } else { format!(", {counts}") };
        let line = if errors == 0 {
            output.palette.good(&format!("Success! {checked} checked{suffix}."))
        } else {
            output.palette.bad(&format!("{checked} checked{suffix}."))
        };
        text.push_str(&line);
        text.push('\n');
        output.print(&text)?;
    }
    Ok(if errors > 0 || (arguments.strict && warnings > 0) { Exit::Failed } else { Exit::Done })
}
