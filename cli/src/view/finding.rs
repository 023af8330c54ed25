//! Findings with the lines they speak of, all of a run at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use laconic_engine::code::Severity;
use laconic_engine::finding::Finding;
use laconic_engine::place::Place;
use serde_json::{Value, json};

use crate::view::style::{Palette, clean, count};

/// The texts of the files findings speak of, by display name.
pub type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// A finding with its source lines.
#[must_use]
pub fn with_source(finding: &Finding, texts: &Texts, palette: Palette) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Refusal => Level::ERROR.with_name("refusal"),
        Severity::Consent => Level::ERROR.with_name("consent"),
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let code = finding.code.to_string();
    let subject = match finding.subject.as_str() {
        "" => String::new(),
        subject if finding.message.contains(subject) => String::new(),
        subject => format!("{}: ", clean(subject)),
    };
    let message = format!("{subject}{}", clean(&finding.message));
    let mut group = Group::with_title(level.primary_title(message).id(code));
    let mut unquoted = Vec::new();
    let places = finding.place.iter().map(|place| (place, None));
    let labels = finding.labels.iter().map(|label| (&label.place, Some(clean(&label.text))));
    for (index, (place, label)) in places.chain(labels).enumerate() {
        let kind =
            if index == 0 && finding.place.is_some() { AnnotationKind::Primary } else { AnnotationKind::Context };
        match excerpt(place, texts) {
            Some(excerpt) => {
                group = group.element(
                    Snippet::source(excerpt.text)
                        .line_start(place.line as usize)
                        .path(clean(&place.file))
                        .fold(false)
                        .annotation(kind.span(excerpt.span).label(label)),
                );
            }
            None => unquoted.push((place, label)),
        }
    }
    for (place, label) in unquoted {
        let text =
            label.map_or_else(|| clean(&place.to_string()), |label| format!("{}: {label}", clean(&place.to_string())));
        group = group.element(Level::NOTE.message(text));
    }
    let mut help: Vec<String> = Vec::new();
    for line in &finding.help {
        match help.last_mut() {
            // An indented line goes on with the one before it.
            Some(last) if line.starts_with(' ') => {
                last.push('\n');
                last.push_str(&clean(line));
            }
            _ => help.push(clean(line)),
        }
    }
    for message in help {
        group = group.element(Level::HELP.message(message));
    }
    if let Some(consent) = &finding.consent {
        group = group.element(Level::HELP.message(format!("lifted by {}", clean(&consent.to_string()))));
    }
    let renderer = if palette.is_colored() { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
    text.push_str("\n\n");
    text
}

struct Excerpt {
    text: String,
    span: std::ops::Range<usize>,
}

/// The line of a place, and the bytes of the place in it. Lines are cut so that a hostile file cannot flood the screen.
fn excerpt(place: &Place, texts: &Texts) -> Option<Excerpt> {
    const LONGEST_LINE: usize = 200;
    let text = texts.get(&place.file)?;
    let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let line: String = text.lines().nth(index)?.chars().take(LONGEST_LINE).collect();
    let line = clean(&line).replace('\t', " ");
    let byte_of = |character: usize| line.char_indices().nth(character).map_or(line.len(), |(byte, _)| byte);
    let start = (place.column as usize).saturating_sub(1);
    let (from, to) = (byte_of(start), byte_of(start + place.length as usize));
    Some(Excerpt { span: from..to.max(from), text: line })
}

/// All findings of a run, worst last so that they stay on the screen, and a line that counts them.
#[must_use]
pub fn all_with_source<'a>(findings: impl Iterator<Item = (&'a Finding, &'a Texts)>, palette: Palette) -> String {
    let mut text = String::new();
    for (finding, texts) in findings {
        text.push_str(&with_source(finding, texts, palette));
    }
    text
}

/// `2 errors, 1 warning`; empty when there is nothing to count.
#[must_use]
pub fn count_line<'a>(findings: impl Iterator<Item = &'a Finding>) -> String {
    let mut numbers: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        *numbers.entry(finding.severity).or_default() += 1;
    }
    let parts: Vec<String> =
        numbers.iter().rev().map(|(severity, number)| count(*number, &severity.to_string())).collect();
    parts.join(", ")
}

/// A finding as JSON: Terraform's diagnostic with our code and way out beside it.
#[must_use]
pub fn json(finding: &Finding, texts: &Texts) -> Value {
    // Terraform's consumers know two severities; ours is beside it.
    let severity = if finding.severity >= Severity::Consent { "error" } else { "warning" };
    let mut value = json!({
        "severity": severity,
        "summary": finding.message,
        "detail": finding.help.join("\n"),
        "laconic": {
            "code": finding.code,
            "severity": finding.severity,
            "subject": finding.subject,
            "help": finding.help,
            "consent": finding.consent.as_ref().map(ToString::to_string),
            "labels": finding.labels,
        },
    });
    if let Some(place) = &finding.place {
        value["range"] = json!({
            "filename": place.file,
            "start": {"line": place.line, "column": place.column},
            "end": {"line": place.line, "column": place.column.saturating_add(place.length)},
        });
        if let Some(excerpt) = excerpt(place, texts) {
            value["snippet"] = json!({
                "code": excerpt.text,
                "start_line": place.line,
                "highlight_start_offset": excerpt.span.start,
                "highlight_end_offset": excerpt.span.end,
            });
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use laconic_engine::code::Code;

    #[test]
    fn a_finding_points_at_its_line() {
        let file: Arc<str> = "spec.yml".into();
        let texts = Texts::from([(Arc::clone(&file), "stack: ä\nreplicas: many\n".into())]);
        let finding = Finding::new(Code::InvalidYaml, "`replicas` is a whole number")
            .at(&Place::new(&file, 2, 11, 4))
            .label(&Place::new(&file, 1, 8, 1), "of this stack")
            .help("write `replicas: 2`");
        let text = with_source(&finding, &texts, Palette::plain());
        assert!(text.starts_with("error[LAC101]: `replicas` is a whole number\n"), "{text}");
        assert!(text.contains("--> spec.yml:2:11"), "{text}");
        assert!(text.contains("2 | replicas: many"), "{text}");
        assert!(text.contains("= help: write `replicas: 2`"), "{text}");
        assert_eq!(count_line([&finding, &finding].into_iter()), "2 errors");
        assert_eq!(json(&finding, &texts)["range"]["start"]["column"], 11);
    }

    #[test]
    fn places_outside_the_text_do_no_harm() {
        let file: Arc<str> = "spec.yml".into();
        let texts = Texts::from([(Arc::clone(&file), "a\n".into())]);
        for place in [Place::new(&file, 9, 9, 9), Place::new(&file, 1, 99, 9), Place::new(&file, 0, 0, 0)] {
            let text = with_source(&Finding::new(Code::InvalidYaml, "x").at(&place), &texts, Palette::plain());
            assert!(text.contains("x"), "{text}");
        }
    }
}
