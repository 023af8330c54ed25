//! `labels`, `annotations` and other pairs of names and texts.

use super::Service;
use super::read::ignored;
use crate::spec::{Dialect, Located, ScalarKind};
use crate::yaml::{Decoder, Node, NodeKind};

/// The label that makes an init container.
const INIT_LABEL: &str = "laconic.init-container";

/// Pairs of names and texts with their places.
pub(super) type Pairs = Vec<(Located<String>, Located<String>)>;

/// Reads a mapping, or a list of `NAME=VALUE`.
pub(super) fn read_pairs(decoder: &mut Decoder, key: &str, node: &Node<'_>) -> Pairs {
    let mut pairs = Vec::new();
    if let NodeKind::Sequence(_) = &node.kind {
        for item in decoder.strings(key, node) {
            let (name, value) = item.value.split_once('=').unwrap_or((&item.value, ""));
            let value = Located::new(value.to_owned(), item.place.clone());
            pairs.push((Located::new(name.to_owned(), item.place.clone()), value));
        }
        return pairs;
    }
    for (name, value) in decoder.entries(key, node) {
        let name = Decoder::name(name);
        if let Some(scalar) = decoder.scalar(&format!("{key}.{}", name.value), value) {
            let text = if scalar.value.kind == ScalarKind::Null { String::new() } else { scalar.value.text };
            pairs.push((name, Located::new(text, scalar.place)));
        }
    }
    pairs
}

/// Reads `annotations`.
pub(super) fn read_annotations(decoder: &mut Decoder, node: &Node<'_>) -> Pairs {
    read_pairs(decoder, "annotations", node)
}

/// Reads `labels`.
pub(super) fn read_labels(
    decoder: &mut Decoder,
    dialect: Dialect,
    service: &mut Service,
    key: &Node<'_>,
    node: &Node<'_>,
) {
    let pairs = read_pairs(decoder, "labels", node);
    service.is_init = pairs.iter().any(|(name, value)| {
        name.value == INIT_LABEL && matches!(value.value.to_ascii_lowercase().as_str(), "true" | "1" | "yes")
    });
    let others: Pairs = pairs.into_iter().filter(|(name, _)| name.value != INIT_LABEL).collect();
    if dialect == Dialect::Compose {
        service.labels = others;
    } else if !others.is_empty() {
        decoder.findings.push(ignored("labels", &key.place));
    }
}
