//! Findings as commands of a GitHub workflow, which shows them beside the lines of a pull request.

use laconic_engine::code::Severity;
use laconic_engine::finding::Finding;

use crate::view::base::Base;
use crate::view::style::clean;

/// One command for each finding.
#[must_use]
pub fn commands<'a>(base: &Base, findings: impl Iterator<Item = &'a Finding>) -> String {
    findings.map(|finding| command(base, finding)).collect()
}

fn command(base: &Base, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error | Severity::Refusal | Severity::Consent => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(place) = &finding.place {
        properties.push(format!("file={}", property(&base.name(&place.file))));
        properties.push(format!("line={}", place.line));
        properties.push(format!("col={}", place.column));
        properties.push(format!("endColumn={}", place.column.saturating_add(place.length)));
    }
    properties.push(format!("title={}", property(&finding.code.to_string())));
    let mut text = lines(&finding.message);
    if !finding.subject.is_empty() && !finding.message.contains(&finding.subject) {
        text = format!("{}: {text}", lines(&finding.subject));
    }
    for label in &finding.labels {
        text.push_str(&format!("\n{}: {}", label.place, lines(&label.text)));
    }
    for help in &finding.help {
        text.push_str(&format!("\nhelp: {}", lines(help)));
    }
    if let Some(consent) = &finding.consent {
        text.push_str(&format!("\nhelp: lifted by {consent}"));
    }
    format!("::{level} {}::{}\n", properties.join(","), data(&text))
}

fn lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// A message as the runner takes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property as the runner takes it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use laconic_engine::code::Code;
    use laconic_engine::place::Place;

    use super::*;

    #[test]
    fn what_means_something_to_the_runner_is_escaped() {
        let file: Arc<str> = "a,b:c%/spec.yml".into();
        let finding =
            Finding::new(Code::WritableBind, "50% of `a`: x, y\nz").at(&Place::new(&file, 3, 5, 4)).help("write `:ro`");
        let base = Base::new(Path::new("/repo"), Path::new("/repo"));
        assert_eq!(
            commands(&base, [&finding].into_iter()),
            "::error file=a%2Cb%3Ac%25/spec.yml,line=3,col=5,endColumn=9,title=LAC103::\
             50%25 of `a`: x, y%0Az%0Ahelp: write `:ro`\n"
        );
        let note = Finding::new(Code::NotConsulted, "x").about("shop");
        assert_eq!(commands(&base, [&note].into_iter()), "::notice title=LAC805::shop: x\n");
    }
}
