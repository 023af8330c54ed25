//! Findings as SARIF 2.1.0, which code scanning services read.

use std::collections::BTreeMap;

use laconic_engine::code::{Code, Severity};
use laconic_engine::finding::{Finding, Suppressed};
use laconic_engine::place::Place;
use laconic_engine::value::Digest;
use serde_json::{Value, json};

use crate::view::base::Base;
use crate::view::finding::Texts;
use crate::view::style::clean;

/// The document. A finding without a place is told at the first line of `otherwise`, because services drop results
/// without one.
#[must_use]
pub fn document<'a>(
    base: &Base,
    otherwise: &str,
    findings: impl Iterator<Item = (&'a Finding, &'a Texts)>,
    suppressed: impl Iterator<Item = (&'a Suppressed, &'a Texts)>,
) -> Value {
    let otherwise = Place::new(&otherwise.into(), 1, 1, 1);
    let mut results = Results { base, otherwise, seen: BTreeMap::new(), results: Vec::new() };
    for (finding, texts) in findings {
        results.add(finding, texts, None);
    }
    for (one, texts) in suppressed {
        results.add(&one.finding, texts, Some(&one.reason));
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "laconic",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": Code::ALL.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results.results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.to_string(),
        "name": format!("{code:?}"),
        "shortDescription": {"text": sentence(code.title())},
        "fullDescription": {"text": format!("{} ({})", sentence(code.title()), effect(code.severity()))},
        "help": {
            "text": code.help(),
            "markdown": format!("**{code}** ({}): {}\n\n{}", code.severity(), code.title(), code.help()),
        },
        "defaultConfiguration": {"level": level(code.severity())},
        "properties": {"severity": code.severity(), "tags": ["deployment", "kubernetes"]},
    })
}

fn sentence(title: &str) -> String {
    let mut characters = title.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

const fn effect(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "there is no plan",
        Severity::Refusal => "apply does nothing",
        Severity::Consent => "apply does nothing until the flag is given that it names",
        Severity::Warning => "nothing is stopped",
        Severity::Note => "worth knowing",
    }
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error | Severity::Refusal | Severity::Consent => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

struct Results<'b> {
    base: &'b Base,
    otherwise: Place,
    /// How often a fingerprint was given, so that equal findings stay apart.
    seen: BTreeMap<String, usize>,
    results: Vec<Value>,
}

impl Results<'_> {
    fn add(&mut self, finding: &Finding, texts: &Texts, reason: Option<&str>) {
        let mut message = clean(&finding.message);
        if !finding.subject.is_empty() && !finding.message.contains(&finding.subject) {
            message = format!("{}: {message}", clean(&finding.subject));
        }
        for help in &finding.help {
            message.push_str(&format!("\nHelp: {}", clean(help)));
        }
        if let Some(consent) = &finding.consent {
            message.push_str(&format!("\nLifted by {}", clean(&consent.to_string())));
        }
        let place = &finding.place.clone().unwrap_or_else(|| self.otherwise.clone());
        let fingerprint = self.fingerprint(finding, place, texts);
        let related: Vec<Value> = finding
            .labels
            .iter()
            .enumerate()
            .map(|(index, label)| {
                let mut location = self.location(&label.place, texts);
                location["id"] = (index + 1).into();
                location["message"] = json!({"text": clean(&label.text)});
                location
            })
            .collect();
        let mut result = json!({
            "ruleId": finding.code.to_string(),
            "ruleIndex": Code::ALL.iter().position(|code| *code == finding.code),
            "level": level(finding.severity),
            "message": {"text": message},
            "locations": [self.location(place, texts)],
            "partialFingerprints": {"primaryLocationLineHash": fingerprint},
            "properties": {"severity": finding.severity},
        });
        if !related.is_empty() {
            result["relatedLocations"] = related.into();
        }
        if let Some(reason) = reason {
            result["suppressions"] = json!([{"kind": "inSource", "status": "accepted", "justification": reason}]);
        }
        self.results.push(result);
    }

    fn location(&self, place: &Place, texts: &Texts) -> Value {
        let mut region = json!({
            "startLine": place.line,
            "startColumn": place.column,
            "endColumn": place.column.saturating_add(place.length),
        });
        if let Some(line) = line_of(place, texts) {
            region["snippet"] = json!({"text": clean(line)});
        }
        let name = self.base.name(&place.file);
        let uri = uri(&name);
        let file = if name.starts_with('/') {
            json!({"uri": format!("file://{uri}")})
        } else {
            json!({"uri": uri, "uriBaseId": "%SRCROOT%"})
        };
        json!({"physicalLocation": {"artifactLocation": file, "region": region}})
    }

    /// What makes this finding the same one after lines above it came or went: code, file, the text of its line.
    fn fingerprint(&mut self, finding: &Finding, place: &Place, texts: &Texts) -> String {
        let line = line_of(place, texts).unwrap_or_default().trim();
        let parts = [&finding.code.to_string(), &self.base.name(&place.file), &finding.subject, line].join("\0");
        let digest = Digest::of_bytes(parts.as_bytes()).to_string();
        let short: String = digest.chars().filter(char::is_ascii_hexdigit).rev().take(16).collect();
        let count = self.seen.entry(short.clone()).or_default();
        *count += 1;
        format!("{short}:{count}")
    }
}

fn line_of<'t>(place: &Place, texts: &'t Texts) -> Option<&'t str> {
    let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
    texts.get(&place.file)?.lines().nth(index)
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn fingerprints_survive_lines_above_and_keep_equals_apart() {
        let file: Arc<str> = "a b/spec.yml".into();
        let base = Base::new(Path::new("/repo"), Path::new("/repo"));
        let of = |text: &str, lines: &[u32]| -> Vec<String> {
            let texts = Texts::from([(Arc::clone(&file), text.into())]);
            let findings: Vec<Finding> = lines
                .iter()
                .map(|line| Finding::new(Code::UnknownKey, "unknown key `a`").at(&Place::new(&file, *line, 1, 1)))
                .collect();
            let document =
                document(&base, "spec.yml", findings.iter().map(|finding| (finding, &texts)), std::iter::empty());
            let results = document["runs"][0]["results"].as_array().unwrap();
            let location = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            assert_eq!(location, "a%20b/spec.yml");
            let fingerprint = |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].to_string();
            results.iter().map(fingerprint).collect()
        };
        let before = of("a: 1\nb: 2\na: 1\n", &[1, 3]);
        assert_ne!(before[0], before[1]);
        assert_eq!(before, of("x: 0\na: 1\nb: 2\na: 1\n", &[2, 4]));
    }
}
