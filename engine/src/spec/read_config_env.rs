//! config.env: the variables every container gets, as laconic-so writes and reads them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::code::{Code, Severity};
use crate::compile::ConfigVariable;
use crate::finding::Finding;
use crate::place::Place;

/// The comment after which everything comes from a credentials file.
const CREDENTIALS_COMMENT: &str = "# From credentials file:";

/// config.env as read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigEnv {
    /// The variables in the order of their first appearance; the last value counts, empty ones are dropped. Values
    /// that come from a credentials file, or refer to one that does, are secret and left out.
    pub variables: Vec<ConfigVariable>,
    /// The line at which the first credentials file begins: from there on the text is not for showing.
    pub secrets_from_line: Option<u32>,
}

/// Reads config.env. The process environment is never read: `${X}` means an earlier entry or nothing.
#[must_use]
pub fn read_config_env(file: &Arc<str>, text: &str) -> (ConfigEnv, Vec<Finding>) {
    let mut reader = Reader {
        file,
        values: BTreeMap::new(),
        order: Vec::new(),
        is_secret: false,
        secrets_from_line: None,
        findings: Vec::new(),
    };
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        reader.line(number, line, &mut lines);
    }
    let Reader { mut values, order, findings, secrets_from_line, .. } = reader;
    let variables = order
        .into_iter()
        .filter_map(|name| {
            let value = values.remove(&name).filter(|value| !value.text.is_empty())?;
            let text = if value.is_secret { String::new() } else { value.text };
            Some(ConfigVariable { name, value: text, is_secret: value.is_secret, place: Some(value.place) })
        })
        .collect();
    (ConfigEnv { variables, secrets_from_line }, findings)
}

struct Value {
    text: String,
    is_secret: bool,
    place: Place,
}

struct Reader<'f> {
    file: &'f Arc<str>,
    values: BTreeMap<String, Value>,
    order: Vec<String>,
    is_secret: bool,
    secrets_from_line: Option<u32>,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn line<'t>(&mut self, number: u32, line: &'t str, following: &mut impl Iterator<Item = (usize, &'t str)>) {
        let trimmed = line.trim();
        if trimmed.starts_with(CREDENTIALS_COMMENT) {
            self.is_secret = true;
            self.secrets_from_line.get_or_insert(number + 1);
        }
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return;
        }
        let assignment = trimmed.strip_prefix("export ").map_or(trimmed, str::trim_start);
        let Some((name, written)) = assignment.split_once('=') else {
            // A name alone sets nothing; anything else is a slip.
            if !is_name(assignment) {
                self.not_understood(number);
            }
            return;
        };
        let name = name.trim_end().trim_matches('\'');
        if !is_name(name) {
            self.not_understood(number);
            return;
        }
        let place = self.place_in(number, line, name);
        let Some(written) = unquote(written.trim_start(), following) else {
            self.not_understood(number);
            return;
        };
        let (text, mentions_secret) = self.expand(&written, number, line);
        let is_secret = self.is_secret || mentions_secret;
        if self.values.insert(name.to_owned(), Value { text, is_secret, place }).is_none() {
            self.order.push(name.to_owned());
        }
    }

    /// Expands `${X}` and `${X:-default}` from earlier entries, and says whether a secret one was among them.
    fn expand(&mut self, written: &str, number: u32, line: &str) -> (String, bool) {
        let mut expanded = String::with_capacity(written.len());
        let mut mentions_secret = false;
        let mut rest = written;
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            expanded.push_str(before);
            let Some(end) = from.find('}') else {
                expanded.push_str(from);
                return (expanded, mentions_secret);
            };
            let inner = from.get(2..end).unwrap_or_default();
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            if name.contains(':') {
                expanded.push_str(from.get(..=end).unwrap_or_default());
            } else if let Some(value) = self.values.get(name) {
                mentions_secret |= value.is_secret;
                // Unlike in a shell, an entry that is set but empty keeps the default out.
                expanded.push_str(&value.text);
            } else if let Some(default) = default {
                expanded.push_str(default);
            } else {
                let place = self.place_in(number, line, &format!("${{{inner}}}"));
                self.unset(name, &place);
            }
            rest = from.get(end + 1..).unwrap_or_default();
        }
        expanded.push_str(rest);
        (expanded, mentions_secret)
    }

    fn unset(&mut self, name: &str, place: &Place) {
        // Inside a credentials file even a name may be part of a secret.
        let message = if self.is_secret {
            "a variable in a credentials file is not set by an earlier line: blank is used".to_owned()
        } else {
            format!("variable `{name}` is not set by an earlier line: blank is used")
        };
        self.findings.push(
            Finding::new(Code::UnsetVariable, message)
                .at(place)
                .help("set it in `config:` before this entry; the process environment is never read"),
        );
    }

    fn not_understood(&mut self, number: u32) {
        self.findings.push(
            Finding::new(Code::InvalidYaml, "the line is no `NAME=value` assignment and is skipped")
                .at(&Place::new(self.file, number, 1, 1))
                .as_severity(Severity::Warning)
                .help("write `NAME=value`, and close every quote"),
        );
    }

    fn place_in(&self, number: u32, line: &str, part: &str) -> Place {
        let before = line.find(part).and_then(|at| line.get(..at)).unwrap_or_default();
        let column = u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX);
        Place::new(self.file, number, column, u32::try_from(part.chars().count()).unwrap_or(1))
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|character: char| character.is_whitespace() || matches!(character, '#' | '\'' | '"'))
}

/// A value without quotes, escapes and trailing comment; `None` when a quote is never closed.
fn unquote<'t>(written: &'t str, following: &mut impl Iterator<Item = (usize, &'t str)>) -> Option<Cow<'t, str>> {
    let Some(quote) = written.chars().next().filter(|first| matches!(first, '\'' | '"')) else {
        return Some(Cow::Borrowed(without_comment(written)));
    };
    let mut body = String::new();
    let mut current = written.get(1..).unwrap_or_default();
    loop {
        let mut characters = current.chars();
        while let Some(character) = characters.next() {
            if character == quote {
                let tail = characters.as_str().trim();
                return (tail.is_empty() || tail.starts_with('#')).then_some(Cow::Owned(body));
            }
            if character != '\\' {
                body.push(character);
                continue;
            }
            match (characters.next(), quote) {
                (Some(escaped @ ('\\' | '\'')), _) | (Some(escaped @ '"'), '"') => body.push(escaped),
                (Some('n'), '"') => body.push('\n'),
                (Some('t'), '"') => body.push('\t'),
                (Some('r'), '"') => body.push('\r'),
                (Some(other), _) => body.extend(['\\', other]),
                (None, _) => body.push('\\'),
            }
        }
        body.push('\n');
        current = following.next()?.1;
    }
}

/// An unquoted value ends at a `#` after white space.
fn without_comment(written: &str) -> &str {
    let mut before = None;
    for (at, character) in written.char_indices() {
        if character == '#' && before.is_some_and(char::is_whitespace) {
            return written.get(..at).unwrap_or_default().trim_end();
        }
        before = Some(character);
    }
    written.trim_end()
}
