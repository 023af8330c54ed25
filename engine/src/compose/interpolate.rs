//! `${…}` in compose files: as compose reads it, and as laconic-so does.

use crate::code::{Code, Severity};
use crate::finding::Finding;

/// How deep defaults may contain further variables.
const MAX_NESTING: usize = 16;

/// Replaces every variable of a text as compose does: `$V`, `${V}`, `${V:-d}`, `${V-d}`, `${V:?m}`, `${V?m}`,
/// `${V:+a}`, `${V+a}`, and `$$` for a dollar sign. Findings have no place; the caller knows it.
#[must_use]
pub fn interpolate(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> (String, Vec<Finding>) {
    if !text.contains('$') {
        return (text.to_owned(), Vec::new());
    }
    let mut findings = Vec::new();
    let result = expand(text, lookup, &mut findings, 0);
    (result, findings)
}

/// Replaces a text as laconic-so does: only when the whole of it is one `${…}`. A missing variable with `?` is blank
/// there, and everything else, `$V` and `a${V}b` included, stays as it is written.
#[must_use]
pub fn interpolate_whole(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> (String, Vec<Finding>) {
    let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return (text.to_owned(), Vec::new());
    };
    let at = inner.find(|character: char| !is_name_character(character)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(at);
    let value = lookup(name).filter(|value| !value.is_empty());
    let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'));
    match (value, default) {
        (Some(value), _) => (value, Vec::new()),
        (None, Some(default)) => (default.to_owned(), Vec::new()),
        (None, None) => (String::new(), vec![unset(name)]),
    }
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn unset(name: &str) -> Finding {
    Finding::new(Code::UnsetVariable, format!("variable `{name}` is not set and has no default: blank is used"))
        .help(format!(
            "set `{name}` in `config:` of the spec or write `${{{name}:-DEFAULT}}`; the process environment is never read"
        ))
}

fn required(name: &str) -> Finding {
    let mut finding = Finding::new(Code::UnsetVariable, format!("variable `{name}` is required and not set"))
        .help(format!("set `{name}` in `config:` of the spec; the process environment is never read"));
    finding.severity = Severity::Error;
    finding
}

fn malformed(what: &str) -> Finding {
    Finding::new(Code::InvalidYaml, format!("{what} in a `$` expression"))
        .help("write `${NAME}` or `${NAME:-default}`, and `$$` for a dollar sign")
}

fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>, findings: &mut Vec<Finding>, nesting: usize) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        result.push_str(before);
        let after = from.get(1..).unwrap_or_default();
        match after.chars().next() {
            Some('$') => {
                result.push('$');
                rest = after.get(1..).unwrap_or_default();
            }
            Some('{') => {
                let body = after.get(1..).unwrap_or_default();
                let Some(end) = closing_brace(body) else {
                    findings.push(malformed("a `{` is not closed"));
                    result.push_str(from);
                    return result;
                };
                let inner = body.get(..end).unwrap_or_default();
                match braced(inner, lookup, findings, nesting) {
                    Some(value) => result.push_str(&value),
                    None => result.extend(["${", inner, "}"]),
                }
                rest = body.get(end + 1..).unwrap_or_default();
            }
            Some(first) if first.is_ascii_alphabetic() || first == '_' => {
                let end = after.find(|character: char| !is_name_character(character)).unwrap_or(after.len());
                let (name, following) = after.split_at(end);
                result.push_str(&lookup(name).unwrap_or_else(|| {
                    findings.push(unset(name));
                    String::new()
                }));
                rest = following;
            }
            _ => {
                findings.push(malformed("a lone `$`"));
                result.push('$');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

/// Where the brace closes that was opened just before `body`; nested `${…}` are skipped.
fn closing_brace(body: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, character) in body.char_indices() {
        match character {
            '{' if before == '$' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        before = character;
    }
    None
}

/// The value of what stands between braces; `None` when it is no variable.
fn braced(
    inner: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    findings: &mut Vec<Finding>,
    nesting: usize,
) -> Option<String> {
    let end = inner.find(|character: char| !is_name_character(character)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        findings.push(malformed("no variable name"));
        return None;
    }
    if nesting >= MAX_NESTING {
        findings.push(malformed("too many nested defaults"));
        return None;
    }
    let (counts_empty, operator) = match rest.strip_prefix(':') {
        Some(operator) => (false, operator),
        None => (true, rest),
    };
    let value = lookup(name).filter(|value| counts_empty || !value.is_empty());
    let Some(kind) = operator.chars().next() else {
        if rest.is_empty() {
            return Some(value.unwrap_or_else(|| {
                findings.push(unset(name));
                String::new()
            }));
        }
        findings.push(malformed("an unknown operator"));
        return None;
    };
    let word = operator.get(kind.len_utf8()..).unwrap_or_default();
    match (kind, value) {
        ('-' | '?', Some(value)) => Some(value),
        ('-', None) => Some(expand(word, lookup, findings, nesting + 1)),
        ('?', None) => {
            let message = expand(word, lookup, &mut Vec::new(), nesting + 1);
            let finding = required(name);
            findings.push(if message.is_empty() { finding } else { finding.help(format!("the file says: {message}")) });
            Some(String::new())
        }
        ('+', Some(_)) => Some(expand(word, lookup, findings, nesting + 1)),
        ('+', None) => Some(String::new()),
        _ => {
            findings.push(malformed("an unknown operator"));
            None
        }
    }
}

/// Splits at colons that are outside `${…}` and outside brackets, so that defaults and IPv6 addresses stay whole.
pub(super) fn split_at_colons(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut before) = (0, 0_usize, ' ');
    for (at, character) in text.char_indices() {
        match character {
            '{' if before == '$' => depth += 1,
            '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        before = character;
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}
