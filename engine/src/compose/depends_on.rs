//! `depends_on` and `links` of a service.

use super::read::ignored;
use crate::spec::Located;
use crate::yaml::{Decoder, Node, NodeKind};

const KEYS: &[&str] = &["condition", "required", "restart"];

/// What must have happened before a service starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// The other one runs.
    Started,
    /// The other one is healthy.
    Healthy,
    /// The other one has ended well.
    Completed,
}

/// One service that another one waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The service that is waited for.
    pub service: Located<String>,
    /// What is waited for.
    pub condition: Condition,
    /// Whether it must be there.
    pub is_required: bool,
}

/// A further name for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The service.
    pub service: String,
    /// The other name.
    pub alias: Located<String>,
}

/// Reads `depends_on`, a list of names or a mapping.
pub(super) fn read_depends_on(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Dependency> {
    if matches!(node.kind, NodeKind::Sequence(_)) {
        let names = decoder.strings("depends_on", node);
        let started = |service| Dependency { service, condition: Condition::Started, is_required: true };
        return names.into_iter().map(started).collect();
    }
    let mut dependencies = Vec::new();
    for (name, value) in decoder.entries("depends_on", node) {
        let mut dependency =
            Dependency { service: Decoder::name(name), condition: Condition::Started, is_required: true };
        for (key, value) in decoder.entries("depends_on", value) {
            let name = key.text().unwrap_or_default();
            match name {
                "condition" => dependency.condition = condition(decoder, value),
                "required" => {
                    dependency.is_required = decoder.truth("depends_on.required", value).is_none_or(|flag| flag.value);
                }
                "restart" => {
                    if decoder.truth("depends_on.restart", value).is_some_and(|flag| flag.value) {
                        decoder.findings.push(ignored("depends_on.restart", &key.place));
                    }
                }
                _ => decoder.unknown_key(key, KEYS),
            }
        }
        dependencies.push(dependency);
    }
    dependencies
}

fn condition(decoder: &mut Decoder, node: &Node<'_>) -> Condition {
    const WORDS: &[&str] = &["service_started", "service_healthy", "service_completed_successfully"];
    let Some(word) = decoder.string("depends_on.condition", node) else { return Condition::Started };
    match word.value.as_str() {
        "service_started" => Condition::Started,
        "service_healthy" => Condition::Healthy,
        "service_completed_successfully" => Condition::Completed,
        other => {
            let help = format!("did you mean `{}`?", crate::yaml::nearest(other, WORDS).unwrap_or("service_healthy"));
            decoder.invalid(&word.place, "`condition` is none of compose's", Some(&help));
            Condition::Started
        }
    }
}

/// Reads `links`: what must run first, and further names.
pub(super) fn read_links(decoder: &mut Decoder, node: &Node<'_>) -> (Vec<Dependency>, Vec<Link>) {
    let (mut dependencies, mut links) = (Vec::new(), Vec::new());
    for link in decoder.strings("links", node) {
        let (service, alias) = link.value.split_once(':').unwrap_or((&link.value, &link.value));
        let place = &link.place;
        if alias != service {
            let alias = Located::new(alias.to_owned(), place.clone());
            links.push(Link { service: service.to_owned(), alias });
        }
        let service = Located::new(service.to_owned(), place.clone());
        dependencies.push(Dependency { service, condition: Condition::Started, is_required: true });
    }
    (dependencies, links)
}
