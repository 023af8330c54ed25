//! Duplicate keys and `<<` merges of one mapping.

use std::collections::HashMap;

use super::node::{Node, NodeKind, Style};
use crate::code::Code;
use crate::finding::Finding;

/// From this size on a mapping's keys are looked up in a table: comparing each with each would be quadratic.
const SMALL_MAPPING: usize = 16;

/// Removes duplicate keys (the first stays), each with a finding, and resolves merges.
pub(super) fn tidy<'t>(entries: Vec<(Node<'t>, Node<'t>)>, findings: &mut Vec<Finding>) -> Vec<(Node<'t>, Node<'t>)> {
    let entries = without_duplicates(entries, findings);
    if !entries.iter().any(|(key, _)| is_merge_key(key)) {
        return entries;
    }
    let mut merged: Vec<(Node<'t>, Node<'t>)> = Vec::with_capacity(entries.len());
    let explicit: std::collections::HashSet<String> = entries
        .iter()
        .filter(|(key, _)| !is_merge_key(key))
        .filter_map(|(key, _)| key.text().map(str::to_owned))
        .collect();
    let mut taken = explicit;
    for (key, value) in entries {
        if !is_merge_key(&key) {
            merged.push((key, value));
            continue;
        }
        let place = value.place.clone();
        let sources = match value.kind {
            NodeKind::Mapping(_) => vec![value],
            NodeKind::Sequence(items) => items,
            NodeKind::Scalar { .. } => {
                findings.push(not_mergeable(&place));
                continue;
            }
        };
        for source in sources {
            let NodeKind::Mapping(source_entries) = source.kind else {
                findings.push(not_mergeable(&source.place));
                continue;
            };
            // What is written in the mapping itself wins, then what was merged earlier.
            for (key, value) in source_entries {
                if key.text().is_some_and(|name| taken.insert(name.to_owned())) {
                    merged.push((key, value));
                }
            }
        }
    }
    merged
}

fn not_mergeable(place: &crate::place::Place) -> Finding {
    Finding::new(Code::InvalidYaml, "`<<` merges a mapping or a list of mappings, and this is neither")
        .at(place)
        .help("give `<<` an alias of a mapping, such as `<<: *defaults`, or quote the key if it is meant literally")
}

fn is_merge_key(key: &Node<'_>) -> bool {
    matches!(&key.kind, NodeKind::Scalar { text, style: Style::Plain } if text == "<<")
}

fn without_duplicates<'t>(
    entries: Vec<(Node<'t>, Node<'t>)>,
    findings: &mut Vec<Finding>,
) -> Vec<(Node<'t>, Node<'t>)> {
    if first_occurrences(&entries).is_none() {
        return entries;
    }
    let first = first_occurrences(&entries).unwrap_or_default();
    let mut kept: Vec<(Node<'t>, Node<'t>)> = Vec::with_capacity(entries.len());
    let places: Vec<_> = entries.iter().map(|(key, _)| key.place.clone()).collect();
    for (index, (key, value)) in entries.into_iter().enumerate() {
        let earlier = first.get(index).copied().flatten();
        let (Some(earlier), Some(name)) = (earlier.and_then(|at| places.get(at)), key.text()) else {
            kept.push((key, value));
            continue;
        };
        findings.push(
            Finding::new(Code::InvalidYaml, format!("key `{name}` is given twice"))
                .at(&key.place)
                .label(earlier, "first given here")
                .help("keep one of them: YAML readers disagree about which one counts"),
        );
    }
    kept
}

/// For each entry the index of an earlier one with the same key; `None` when all keys differ.
fn first_occurrences(entries: &[(Node<'_>, Node<'_>)]) -> Option<Vec<Option<usize>>> {
    if entries.len() <= SMALL_MAPPING {
        let has_duplicate = entries.iter().enumerate().any(|(index, (key, _))| {
            entries.iter().take(index).any(|(earlier, _)| key.text().is_some() && earlier.text() == key.text())
        });
        if !has_duplicate {
            return None;
        }
    }
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
    let mut found = false;
    let first = entries
        .iter()
        .enumerate()
        .map(|(index, (key, _))| {
            let name = key.text()?;
            if let Some(&earlier) = seen.get(name) {
                found = true;
                return Some(earlier);
            }
            seen.insert(name, index);
            None
        })
        .collect();
    found.then_some(first)
}
