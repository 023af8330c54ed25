//! Variables in whole trees of values.

use std::borrow::Cow;

use super::interpolate::interpolate;
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::yaml::{Node, NodeKind};

/// Around the name of a variable whose value is secret and not known here: private-use characters, which no input has.
pub(crate) const SECRET_START: char = '\u{F8F0}';
/// The end of such a name.
pub(crate) const SECRET_END: char = '\u{F8F1}';

/// The stand-in for a secret variable.
pub(crate) fn secret_mark(name: &str) -> String {
    format!("{SECRET_START}{name}{SECRET_END}")
}

/// The tree with the variables of all its values replaced, as compose does before it looks at what they mean. Keys are
/// left as they are. Marks of secret variables stay in the texts.
pub(super) fn substituted<'n, 't>(
    node: &'n Node<'t>,
    lookup: &dyn Fn(&str) -> Option<String>,
    findings: &mut Vec<Finding>,
) -> Cow<'n, Node<'t>> {
    if !has_variable(node) {
        return Cow::Borrowed(node);
    }
    let kind = match &node.kind {
        NodeKind::Scalar { text, style } => {
            let (text, found) = interpolate(text, lookup);
            findings.extend(found.into_iter().map(|finding| finding.at(&node.place)));
            NodeKind::Scalar { text: Cow::Owned(text), style: *style }
        }
        NodeKind::Sequence(items) => {
            NodeKind::Sequence(items.iter().map(|item| substituted(item, lookup, findings).into_owned()).collect())
        }
        NodeKind::Mapping(entries) => NodeKind::Mapping(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), substituted(value, lookup, findings).into_owned()))
                .collect(),
        ),
    };
    Cow::Owned(Node { kind, place: node.place.clone() })
}

/// The tree without marks of secret variables, each said: where nothing fills a secret in later, it is blank.
pub(super) fn without_secrets<'n, 't>(node: Cow<'n, Node<'t>>, findings: &mut Vec<Finding>) -> Cow<'n, Node<'t>> {
    if !any_text(&node, &|text| text.contains(SECRET_START)) {
        return node;
    }
    let mut node = node.into_owned();
    strip(&mut node, findings);
    Cow::Owned(node)
}

fn strip(node: &mut Node<'_>, findings: &mut Vec<Finding>) {
    match &mut node.kind {
        NodeKind::Scalar { text, .. } => {
            while let Some((before, name, after)) = split_mark(text) {
                findings.push(secret_is_blank(name, &node.place));
                let stripped = format!("{before}{after}");
                *text = Cow::Owned(stripped);
            }
        }
        NodeKind::Sequence(items) => items.iter_mut().for_each(|item| strip(item, findings)),
        NodeKind::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| strip(value, findings)),
    }
}

/// What stands before the first mark, the variable's name, and what stands after it.
pub(super) fn split_mark(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(SECRET_START)?;
    let (name, after) = rest.split_once(SECRET_END)?;
    Some((before, name, after))
}

/// The names of the secret variables that are marked in a text.
pub(crate) fn marked_names(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, name, after) = split_mark(rest)?;
        rest = after;
        Some(name)
    })
}

/// A secret stands where nothing fills it in.
pub(crate) fn secret_is_blank(name: &str, place: &Place) -> Finding {
    Finding::new(Code::ComposeFeatureIgnored, format!("the secret variable `{name}` is not known here: blank is used"))
        .at(place)
        .help("secret values reach `environment`, `command` and `entrypoint` only; refer to the environment there")
}

fn has_variable(node: &Node<'_>) -> bool {
    any_text(node, &|text| text.contains('$'))
}

fn any_text(node: &Node<'_>, is_it: &dyn Fn(&str) -> bool) -> bool {
    match &node.kind {
        NodeKind::Scalar { text, .. } => is_it(text),
        NodeKind::Sequence(items) => items.iter().any(|item| any_text(item, is_it)),
        NodeKind::Mapping(entries) => entries.iter().any(|(_, value)| any_text(value, is_it)),
    }
}
