//! The shape of spec.yml and laconic.yml as data: every key with its type, meaning, default and example. The readers take
//! the names of known keys from here, and so do the JSON Schemas and the reference pages, so that they cannot diverge.

mod json;
mod keys;
mod operator;
mod reference;
#[cfg(test)]
mod tests;

pub use json::json_schema;
pub(crate) use keys::*;
pub use operator::LACONIC;
pub use reference::reference_page;

use crate::code::Code;

/// A file with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Its keys, in the order of the reference page.
    pub keys: &'static [Key],
}

/// spec.yml.
pub const SPEC: File =
    File { name: "spec.yml", description: "One deployment of a stack on a Kubernetes cluster.", keys: SPEC_TABLE };

/// One key of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What it means; sentences.
    pub description: &'static str,
    /// A value, as YAML in flow style.
    pub example: &'static str,
    /// What holds without it, in words or as a value; empty when that is nothing.
    pub default: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
    /// The key to write instead, when this one is an older name.
    pub replaced_by: Option<&'static str>,
    /// The findings that speak of it.
    pub rules: &'static [Code],
}

impl Key {
    /// A key that may be left out.
    pub(super) const fn new(name: &'static str, kind: Kind, example: &'static str, description: &'static str) -> Self {
        Self { name, kind, description, example, default: "", is_required: false, replaced_by: None, rules: &[] }
    }

    /// Says what holds without it.
    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// Says that it must be there.
    pub(super) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Says which key to write instead.
    pub(super) const fn replaced_by(mut self, name: &'static str) -> Self {
        self.replaced_by = Some(name);
        self
    }

    /// Says which findings speak of it.
    pub(super) const fn rules(mut self, rules: &'static [Code]) -> Self {
        self.rules = rules;
        self
    }
}

/// What a value may be. Nothing at all (`key:`) is taken as a key that is not there, wherever that makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text; a number counts as its text.
    Text,
    /// Text that has this shape: a regular expression, and the shape in words.
    Pattern(&'static str, &'static str),
    /// Any single value: text, number or boolean.
    Scalar,
    /// A single value, or nothing.
    OptionalScalar,
    /// Text, or nothing.
    OptionalText,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`, quoted or not.
    Truth,
    /// A whole number within bounds, quoted or not.
    Number(u32, u32),
    /// A size or share, such as `512MiB`, `10GB` or `0.5`.
    Amount,
    /// Anything.
    Anything,
    /// A list.
    List(&'static Self),
    /// A mapping of names that the author chooses.
    Names(&'static Self),
    /// A mapping of the codes of findings to reasons.
    Codes,
    /// A mapping with these keys.
    Mapping(&'static [Key]),
    /// A mapping with these keys, and names that the author chooses beside them.
    MappingAndNames(&'static [Key], &'static Self),
    /// One or the other.
    Either(&'static [Self]),
}

/// The names of keys, for the reader.
pub(super) const fn names<const COUNT: usize>(keys: &[Key]) -> [&'static str; COUNT] {
    let mut names = [""; COUNT];
    let mut index = 0;
    while index < COUNT {
        names[index] = keys[index].name;
        index += 1;
    }
    names
}

/// Where a key that does not belong here would belong: `security.privileged` for a `privileged` at the top.
#[must_use]
pub fn section_of(name: &str, keys: &[Key]) -> Option<String> {
    keys.iter().find_map(|key| {
        let (Kind::Mapping(below) | Kind::MappingAndNames(below, _)) = key.kind else { return None };
        if below.iter().any(|inner| inner.name == name) {
            return Some(format!("{}.{name}", key.name));
        }
        section_of(name, below).map(|rest| format!("{}.{rest}", key.name))
    })
}
