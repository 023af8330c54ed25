//! `extends`: a service that is written as another one with changes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::interpolate::split_at_colons;
use crate::yaml::{Decoder, MAX_NODES, Node, NodeKind, Style};

/// How long a chain of services that extend each other may be.
const MAX_CHAIN: usize = 32;

/// Among how many names a misspelt one is looked for.
const MAX_SUGGESTED: usize = 100;

/// Keys that are mappings from names to values, whether written so or as a list.
const NAMED_VALUES: &[&str] =
    &["environment", "labels", "annotations", "sysctls", "extra_hosts", "depends_on", "ulimits", "storage_opt"];
/// Keys that may be one text or a list.
const ONE_OR_MANY: &[&str] = &["dns", "dns_search", "env_file", "tmpfs"];
/// Lists that are one thing, and not a collection.
const WHOLE: &[&str] = &["command", "entrypoint", "test"];

/// The services of a file with what they extend merged in.
pub(super) struct Extension<'n, 't> {
    services: BTreeMap<&'n str, &'n Node<'t>>,
    /// How many nodes may still be copied: a small file could ask for a very large one.
    budget: usize,
}

impl<'n, 't> Extension<'n, 't> {
    pub(super) fn new(entries: &'n [(Node<'t>, Node<'t>)]) -> Self {
        let services = entries.iter().filter_map(|(name, node)| Some((name.text()?, node))).collect();
        Self { services, budget: MAX_NODES }
    }

    /// A service as it is meant.
    pub(super) fn merged(
        &mut self,
        decoder: &mut Decoder,
        file: &str,
        name: &'n str,
        node: &'n Node<'t>,
    ) -> Cow<'n, Node<'t>> {
        let mut chain: Vec<(&str, &Node<'t>)> = vec![(name, node)];
        while let Some((_, last)) = chain.last() {
            let Some(extends) = last.get("extends").filter(|extends| !extends.is_null()) else { break };
            let Some(base) = base_name(decoder, file, extends) else { break };
            if let Some(at) = chain.iter().position(|(name, _)| *name == base) {
                let names: Vec<&str> = chain.iter().skip(at).map(|(name, _)| *name).chain([base]).collect();
                // Each service of a circle would say the same.
                if chain.iter().skip(at).map(|(name, _)| *name).min() == Some(name) {
                    let message = format!("services extend each other in a circle: {}", names.join(" -> "));
                    decoder.invalid(&extends.place, message, Some("let one of them stand for itself"));
                }
                break;
            }
            let Some((known, found)) = self.services.get_key_value(base) else {
                // Among very many names a search for each mistake would take long.
                let known: Vec<&str> = self.services.keys().copied().take(MAX_SUGGESTED).collect();
                let help = match crate::yaml::nearest(base, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name a service of this file".to_owned(),
                };
                let message = format!("`extends` names the service `{base}`, which this file does not have");
                decoder.invalid(&extends.place, message, Some(&help));
                break;
            };
            if chain.len() >= MAX_CHAIN {
                decoder.invalid(&extends.place, "the chain of `extends` is too long", Some("shorten it"));
                break;
            }
            chain.push((known, found));
        }
        let mut links = chain.into_iter().rev().map(|(_, node)| node);
        let first = links.next().unwrap_or(node);
        let mut merged = Cow::Borrowed(first);
        for own in links {
            let cost = size(&merged) + size(own);
            if cost > self.budget {
                let help = "extend smaller services, or fewer of them";
                decoder.invalid(&own.place, "`extends` makes the file too large", Some(help));
                return Cow::Borrowed(node);
            }
            self.budget -= cost;
            merged = Cow::Owned(merge("", &merged, own));
        }
        merged
    }
}

/// The name of the service that is extended.
fn base_name<'n>(decoder: &mut Decoder, file: &str, extends: &'n Node<'_>) -> Option<&'n str> {
    if let Some(other) = extends.get("file").and_then(Node::text) {
        let is_this = other.trim_start_matches("./") == file.rsplit('/').next().unwrap_or(file);
        if !is_this {
            let help = "copy the other file's service into this one: a deployment directory has no other files";
            decoder.invalid(&extends.place, "`extends` of another file is not read", Some(help));
            return None;
        }
    }
    for (key, _) in match &extends.kind {
        NodeKind::Mapping(entries) => entries.as_slice(),
        _ => &[],
    } {
        if !matches!(key.text(), Some("file" | "service")) {
            decoder.unknown_key(key, &["service", "file"]);
        }
    }
    let service = match &extends.kind {
        NodeKind::Scalar { text, .. } => Some(text.as_ref()),
        _ => extends.get("service").and_then(Node::text),
    };
    if service.is_none_or(str::is_empty) {
        decoder.invalid(&extends.place, "`extends` names no service", Some("write `extends: {service: NAME}`"));
        return None;
    }
    service
}

fn size(node: &Node<'_>) -> usize {
    match &node.kind {
        NodeKind::Scalar { .. } => 1,
        NodeKind::Sequence(items) => 1 + items.iter().map(size).sum::<usize>(),
        NodeKind::Mapping(entries) => 1 + entries.iter().map(|(_, value)| 1 + size(value)).sum::<usize>(),
    }
}

/// One value with another one over it.
fn merge<'t>(key: &str, base: &Node<'t>, own: &Node<'t>) -> Node<'t> {
    if NAMED_VALUES.contains(&key) {
        let entries = merge_entries(&named_values(key, base), &named_values(key, own));
        return Node { kind: NodeKind::Mapping(entries), place: own.place.clone() };
    }
    match (&base.kind, &own.kind) {
        (NodeKind::Mapping(base), NodeKind::Mapping(entries)) => {
            Node { kind: NodeKind::Mapping(merge_entries(base, entries)), place: own.place.clone() }
        }
        (NodeKind::Sequence(base), NodeKind::Sequence(items)) if !WHOLE.contains(&key) => {
            let kind = NodeKind::Sequence(merge_items(key, base, items));
            Node { kind, place: own.place.clone() }
        }
        (NodeKind::Scalar { .. }, NodeKind::Sequence(_)) | (NodeKind::Sequence(_), NodeKind::Scalar { .. })
            if ONE_OR_MANY.contains(&key) =>
        {
            let items = |node: &Node<'t>| match &node.kind {
                NodeKind::Sequence(items) => items.clone(),
                _ => vec![node.clone()],
            };
            let kind = NodeKind::Sequence(merge_items(key, &items(base), &items(own)));
            Node { kind, place: own.place.clone() }
        }
        (NodeKind::Scalar { .. }, NodeKind::Scalar { .. }) if ONE_OR_MANY.contains(&key) => {
            let items = merge_items(key, std::slice::from_ref(base), std::slice::from_ref(own));
            Node { kind: NodeKind::Sequence(items), place: own.place.clone() }
        }
        _ => own.clone(),
    }
}

fn merge_entries<'t>(base: &[(Node<'t>, Node<'t>)], own: &[(Node<'t>, Node<'t>)]) -> Vec<(Node<'t>, Node<'t>)> {
    let over: HashMap<&str, &(Node<'t>, Node<'t>)> =
        own.iter().filter_map(|entry| Some((entry.0.text()?, entry))).collect();
    let known: HashSet<&str> = base.iter().filter_map(|(key, _)| key.text()).collect();
    let mut merged = Vec::with_capacity(base.len() + own.len());
    for (key, value) in base {
        let name = key.text().unwrap_or_default();
        match over.get(name) {
            _ if name == "extends" => {}
            Some((other, over)) => merged.push((other.clone(), merge(name, value, over))),
            None => merged.push((key.clone(), value.clone())),
        }
    }
    let is_new = |key: &Node<'t>| key.text().is_some_and(|name| name != "extends" && !known.contains(name));
    merged.extend(own.iter().filter(|(key, _)| is_new(key)).cloned());
    merged
}

fn merge_items<'t>(key: &str, base: &[Node<'t>], own: &[Node<'t>]) -> Vec<Node<'t>> {
    let identity = |item: &Node<'t>| match key {
        // A path in the container is mounted once.
        "volumes" | "secrets" | "configs" => target(key, item).unwrap_or_default(),
        _ => spelled(item),
    };
    let over: HashSet<String> = own.iter().map(identity).collect();
    base.iter().filter(|item| !over.contains(&identity(item))).chain(own).cloned().collect()
}

fn target(key: &str, item: &Node<'_>) -> Option<String> {
    if let Some(text) = item.text() {
        let parts = split_at_colons(text);
        let index = usize::from(key == "volumes" && parts.len() > 1);
        return parts.get(index).map(|part| (*part).to_owned());
    }
    let member = |name| item.get(name).and_then(Node::text);
    member("target").or_else(|| member("source")).map(str::to_owned)
}

/// A text that is the same for values that say the same, wherever they are written.
fn spelled(node: &Node<'_>) -> String {
    match &node.kind {
        NodeKind::Scalar { text, .. } => format!("{text:?}"),
        NodeKind::Sequence(items) => format!("[{}]", items.iter().map(spelled).collect::<Vec<_>>().join(",")),
        NodeKind::Mapping(entries) => {
            let mut entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{:?}:{}", key.text(), spelled(value))).collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(","))
        }
    }
}

/// The entries of what is written as a list of `NAME=VALUE`, or of names.
fn named_values<'t>(key: &str, node: &Node<'t>) -> Vec<(Node<'t>, Node<'t>)> {
    match &node.kind {
        NodeKind::Mapping(entries) => entries.clone(),
        NodeKind::Scalar { .. } => Vec::new(),
        NodeKind::Sequence(items) => {
            let mut entries: Vec<(Node<'t>, Node<'t>)> = Vec::new();
            let mut positions: HashMap<&str, usize> = HashMap::new();
            for item in items {
                let Some(text) = item.text() else { continue };
                let separators: &[char] = if key == "extra_hosts" { &['=', ':'] } else { &['='] };
                let (name, value) = match text.split_once(separators) {
                    Some((name, value)) => (name, Some(value)),
                    None => (text, None),
                };
                let scalar = |text: &str, style| {
                    let kind = NodeKind::Scalar { text: Cow::Owned(text.to_owned()), style };
                    Node { kind, place: item.place.clone() }
                };
                // A name alone has no value: nothing is written.
                let value = value.map_or_else(|| scalar("", Style::Plain), |value| scalar(value, Style::Quoted));
                let entry = (scalar(name, Style::Quoted), value);
                match positions.get(name).and_then(|at: &usize| entries.get_mut(*at)) {
                    Some(earlier) => *earlier = entry,
                    None => {
                        positions.insert(name, entries.len());
                        entries.push(entry);
                    }
                }
            }
            entries
        }
    }
}
