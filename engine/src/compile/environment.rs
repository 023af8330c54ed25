//! The environment of a container: compose values and `config:`, as the dialect reads them.

use std::collections::HashMap;

use serde_json::Value;

use crate::compose::{ComposeFile, SECRET_END, SECRET_START, Service, secret_mark};
use crate::place::Place;
use crate::secret::{SecretExpression, SecretSource};
use crate::spec::{Dialect, ScalarKind};

use super::input::{CheckedDeployment, ConfigVariable};

/// The variables that compose values may refer to.
pub(super) struct Variables<'a> {
    deployment: &'a str,
    dialect: Dialect,
    config: &'a [ConfigVariable],
    by_name: HashMap<&'a str, &'a ConfigVariable>,
    generated: &'a [(String, String, u32)],
}

/// One variable of a container.
struct Entry<'a> {
    name: &'a str,
    value: Value,
    place: Option<&'a Place>,
}

/// Variables in the order in which they were first set.
#[derive(Default)]
struct Entries<'a> {
    entries: Vec<Entry<'a>>,
    positions: HashMap<&'a str, usize>,
}

impl<'a> Entries<'a> {
    fn set(&mut self, name: &'a str, value: Value, place: Option<&'a Place>) {
        let entry = Entry { name, value, place };
        match self.positions.get(name).and_then(|&position| self.entries.get_mut(position)) {
            Some(old) => *old = entry,
            None => {
                self.positions.insert(name, self.entries.len());
                self.entries.push(entry);
            }
        }
    }
}

impl<'a> Variables<'a> {
    pub(super) fn new(checked: &'a CheckedDeployment) -> Self {
        let by_name = checked.config.iter().map(|variable| (variable.name.as_str(), variable)).collect();
        Self {
            deployment: &checked.name,
            dialect: checked.identity.dialect,
            config: &checked.config,
            by_name,
            generated: &checked.generated,
        }
    }

    fn secret(&self, name: &str) -> Value {
        let source = SecretSource::ConfigEnv { deployment: self.deployment.to_owned(), name: name.to_owned() };
        SecretExpression::Value(source).placeholder()
    }

    fn value_of(&self, variable: &ConfigVariable) -> Value {
        if variable.is_secret { self.secret(&variable.name) } else { variable.value.as_str().into() }
    }

    /// A value as the laconic-so dialect expands it: only when the whole of it is one `${…}`.
    fn expand_whole(&self, text: &str) -> Value {
        let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return text.into();
        };
        let end = inner.find(|character: char| character != '_' && !character.is_ascii_alphanumeric());
        let (name, rest) = inner.split_at(end.unwrap_or(inner.len()));
        // Empty variables were dropped when config.env was read, so `-` and `:-` mean the same.
        let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-')).unwrap_or_default();
        match self.by_name.get(name) {
            Some(variable) => self.value_of(variable),
            None => default.into(),
        }
    }

    /// A text as the compose dialect interpolates it. Kubernetes expands `$(NAME)` itself; a text that merely looks so is
    /// escaped, and a secret variable within a text becomes such a reference, because its value is not known here.
    fn interpolate(&self, text: &str) -> Value {
        let is_generated = |name: &str| self.generated.iter().any(|(generated, _, _)| generated == name);
        let text = interpolate(text, &|name| match self.by_name.get(name) {
            Some(variable) if !variable.is_secret => Some(variable.value.clone()),
            Some(_) => Some(secret_mark(name)),
            None if is_generated(name) => Some(secret_mark(name)),
            None => None,
        });
        let only = text.strip_prefix(SECRET_START).and_then(|rest| rest.strip_suffix(SECRET_END));
        if let Some(name) = only.filter(|name| self.by_name.contains_key(name)) {
            return self.secret(name);
        }
        escape_references(&text).into()
    }

    /// A text of a compose file other than an environment value: interpolated in the compose dialect alone.
    pub(super) fn text(&self, text: &str) -> String {
        if self.dialect == Dialect::LaconicSo {
            return text.to_owned();
        }
        interpolate(text, &|name| self.by_name.get(name).map(|variable| variable.value.clone()))
    }

    /// A word of a command, in which a reference to a secret variable works as in an environment value.
    pub(super) fn word(&self, text: &str) -> String {
        if self.dialect == Dialect::LaconicSo {
            return text.to_owned();
        }
        let is_secret = |name: &str| {
            self.by_name.get(name).map_or_else(
                || self.generated.iter().any(|(generated, _, _)| generated == name),
                |variable| variable.is_secret,
            )
        };
        let text = interpolate(text, &|name| {
            if is_secret(name) {
                return Some(secret_mark(name));
            }
            self.by_name.get(name).map(|variable| variable.value.clone())
        });
        escape_references(&text)
    }

    /// The `env` of a container, with the places of its values. Compose values come first, then what `config:` adds;
    /// `config:` wins. In the compose dialect secret variables come before all, so that others can refer to them.
    pub(super) fn environment(
        &self,
        service: &Service,
        files: &[(String, String, &Place)],
        siblings: &[&str],
    ) -> (Vec<Value>, Vec<(String, Place)>) {
        let is_compose = self.dialect == Dialect::Compose;
        let mut merged = Entries::default();
        if is_compose {
            for variable in self.config.iter().filter(|variable| variable.is_secret) {
                merged.set(&variable.name, self.value_of(variable), variable.place.as_ref());
            }
            for (name, value, place) in files {
                merged.set(name, escape_references(value).into(), Some(*place));
            }
        }
        for (name, value) in &service.environment {
            let expanded = match (value.value.kind, is_compose) {
                // A name without a value passes the process environment's on in compose; here only `config:` counts.
                (ScalarKind::Null, true) => continue,
                (ScalarKind::Null, false) => "".into(),
                (_, true) => self.interpolate(&value.value.text),
                (_, false) => self.expand_whole(&value.value.text),
            };
            merged.set(&name.value, expanded, Some(&value.place));
        }
        for variable in self.config {
            let value = match self.value_of(variable) {
                Value::String(text) if is_compose => Value::String(escape_references(&text)),
                value => value,
            };
            merged.set(&variable.name, value, variable.place.as_ref());
        }
        let mut merged = merged.entries;
        if !is_compose {
            for entry in &mut merged {
                if let Value::String(text) = &mut entry.value {
                    rewrite_siblings(text, siblings);
                }
            }
        }
        let places = merged.iter().filter_map(|entry| Some((entry.name.to_owned(), entry.place?.clone()))).collect();
        let values = merged.into_iter().map(|entry| object! {"name" => entry.name, "value" => entry.value}).collect();
        (values, places)
    }
}

/// The paths of a service's `env_file`, variables replaced; relative ones are meant from the folder of its compose file.
#[must_use]
pub fn environment_file_paths(checked: &CheckedDeployment, service: &Service) -> Vec<String> {
    let variables = Variables::new(checked);
    service.env_files.iter().map(|file| variables.text(&file.path.value)).collect()
}

fn escape_references(text: &str) -> String {
    let escaped = text.replace("$(", "$$(");
    if escaped.contains(SECRET_START) { escaped.replace(SECRET_START, "$(").replace(SECRET_END, ")") } else { escaped }
}

/// The names by which the other services of a compose file are known to one of them.
pub(super) fn siblings<'f>(file: &'f ComposeFile, service: &Service) -> Vec<&'f str> {
    let names = file.services.iter().map(|other| other.name.value.as_str());
    names.filter(|name| *name != service.name.value).collect()
}

/// Puts `localhost` for each sibling's name where it stands as a word, as laconic-so does: containers of a pod share
/// their network, but not their names.
fn rewrite_siblings(text: &mut String, siblings: &[&str]) {
    for sibling in siblings {
        if text.contains(sibling) {
            *text = replace_word(text, sibling, "localhost");
        }
    }
}

fn replace_word(text: &str, word: &str, replacement: &str) -> String {
    if word.is_empty() {
        return text.to_owned();
    }
    let is_word = |character: char| character == '_' || character.is_alphanumeric();
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(position) = rest.find(word) {
        let (skipped, found) = rest.split_at(position);
        let after = &found[word.len()..];
        let previous = skipped.chars().next_back().or(before);
        let is_whole = !previous.is_some_and(is_word) && !after.chars().next().is_some_and(is_word);
        result.push_str(skipped);
        result.push_str(if is_whole { replacement } else { word });
        before = word.chars().next_back();
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Compose interpolation; what there is to say of it was said when the deployment was checked.
fn interpolate(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    crate::compose::interpolate(text, lookup).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_become_localhost_at_word_boundaries() {
        let rewrite = |text: &str| {
            let mut text = text.to_owned();
            rewrite_siblings(&mut text, &["db"]);
            text
        };
        assert_eq!(rewrite("postgres://u:p@db:5432/db"), "postgres://u:p@localhost:5432/localhost");
        assert_eq!(rewrite("db-primary"), "localhost-primary");
        assert_eq!(rewrite("db_primary"), "db_primary");
        assert_eq!(rewrite("dbdb db"), "dbdb localhost");
    }

    #[test]
    fn what_looks_like_a_kubernetes_reference_is_escaped() {
        assert_eq!(escape_references("a $(B)"), "a $$(B)");
        assert_eq!(escape_references(&format!("p:{SECRET_START}B{SECRET_END}@h")), "p:$(B)@h");
    }
}
