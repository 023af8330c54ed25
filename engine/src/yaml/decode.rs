//! Typed reading of nodes that collects every mistake instead of stopping at the first.

use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::spec::{Located, Scalar, ScalarKind};
use crate::yaml::node::{Node, NodeKind};
use crate::yaml::parse_integer;

/// Reads typed values from nodes and keeps what is to be said about them.
///
/// Messages never repeat a value: it may be a secret in the wrong place.
#[derive(Debug, Default)]
pub struct Decoder {
    /// What was found so far.
    pub findings: Vec<Finding>,
}

impl Decoder {
    /// A decoder that starts with some findings.
    #[must_use]
    pub const fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// Reports that `key` has another type than expected.
    pub fn wrong_type(&mut self, key: &str, expected: &str, node: &Node<'_>) {
        let name = key.rsplit('.').next().unwrap_or(key).trim_end_matches("[]");
        let help = match expected {
            // The file as a whole.
            "a mapping" if key.ends_with(".yml") || key.contains(' ') => {
                "write a line `KEY: VALUE` for each entry".to_owned()
            }
            "a mapping" => format!("write `{name}:` with a line `KEY: VALUE` for each entry below it"),
            "a list" => format!("write `{name}:` with a line `- VALUE` for each entry below it"),
            "a whole number" => "write digits alone, such as `2`".to_owned(),
            "text" | "a single value" => "write one text, in quotes where it looks like something else".to_owned(),
            other => format!("write {other}"),
        };
        self.invalid(&node.place, format!("`{key}` must be {expected}, not {}", node.describe()), Some(&help));
    }

    /// Reports a value that cannot be used.
    pub fn invalid(&mut self, place: &Place, message: impl Into<String>, help: Option<&str>) {
        let finding = Finding::new(Code::InvalidYaml, message).at(place);
        self.findings.push(match help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }

    /// Reports a key that nothing reads, with the nearest known one.
    pub fn unknown_key(&mut self, key: &Node<'_>, known: &[&str]) {
        let name = key.text().unwrap_or_default();
        let finding = Finding::new(Code::UnknownKey, format!("unknown key `{name}`")).at(&key.place);
        self.findings.push(match nearest(name, known) {
            Some(candidate) => finding.help(format!("did you mean `{candidate}`?")),
            None => finding.help("remove the key: nothing reads it"),
        });
    }

    /// Reports a key that stands in the wrong section.
    pub fn misplaced_key(&mut self, key: &Node<'_>, section: &str) {
        let name = key.text().unwrap_or_default();
        let finding = Finding::new(Code::UnknownKey, format!("unknown key `{name}`")).at(&key.place);
        self.findings.push(finding.help(format!("did you mean `{section}`? It has no effect here")));
    }

    /// Reports a word that is none of those a key takes, with the nearest of them.
    pub fn no_such_word(&mut self, key: &str, word: &Located<String>, known: &[&str]) {
        let quoted: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
        let all = match quoted.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        };
        let help = match nearest(&word.value, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {all}"),
        };
        self.invalid(&word.place, format!("`{key}` must be {all}"), Some(&help));
    }

    /// The entries of a mapping; nothing at all counts as an empty one.
    pub fn entries<'n, 't>(&mut self, key: &str, node: &'n Node<'t>) -> &'n [(Node<'t>, Node<'t>)] {
        match &node.kind {
            NodeKind::Mapping(entries) => entries,
            _ if node.is_null() => &[],
            _ => {
                self.wrong_type(key, "a mapping", node);
                &[]
            }
        }
    }

    /// The items of a list; nothing at all counts as an empty one.
    pub fn items<'n, 't>(&mut self, key: &str, node: &'n Node<'t>) -> &'n [Node<'t>] {
        match &node.kind {
            NodeKind::Sequence(items) => items,
            _ if node.is_null() => &[],
            _ => {
                self.wrong_type(key, "a list", node);
                &[]
            }
        }
    }

    /// Text; numbers count as their text, nothing at all as absent.
    pub fn string(&mut self, key: &str, node: &Node<'_>) -> Option<Located<String>> {
        match (node.scalar_kind(), node.text()) {
            (Some(ScalarKind::Null), _) => None,
            (Some(ScalarKind::Text | ScalarKind::Integer | ScalarKind::Float), Some(text)) => {
                Some(Located::new(text.to_owned(), node.place.clone()))
            }
            (Some(ScalarKind::Boolean), _) => {
                let message = format!("`{key}` must be text, not a boolean");
                self.invalid(&node.place, message, Some("quote the value if it is meant as text"));
                None
            }
            _ => {
                self.wrong_type(key, "text", node);
                None
            }
        }
    }

    /// Any scalar but null as the text that is written.
    pub fn text(&mut self, key: &str, node: &Node<'_>) -> Option<Located<String>> {
        match (node.scalar_kind(), node.text()) {
            (Some(ScalarKind::Null), _) => None,
            (Some(_), Some(text)) => Some(Located::new(text.to_owned(), node.place.clone())),
            _ => {
                self.wrong_type(key, "text", node);
                None
            }
        }
    }

    /// Any scalar, null included.
    pub fn scalar(&mut self, key: &str, node: &Node<'_>) -> Option<Located<Scalar>> {
        match (node.scalar_kind(), node.text()) {
            (Some(kind), Some(text)) => {
                let text = if kind == ScalarKind::Null { String::new() } else { text.to_owned() };
                Some(Located::new(Scalar { text, kind }, node.place.clone()))
            }
            _ => {
                self.wrong_type(key, "a single value", node);
                None
            }
        }
    }

    /// `true` or `false`, quoted or not; also the other words that laconic-so took for true.
    pub fn truth(&mut self, key: &str, node: &Node<'_>) -> Option<Located<bool>> {
        let text = match node.scalar_kind() {
            Some(ScalarKind::Null) => return None,
            Some(_) => node.text().unwrap_or_default(),
            None => {
                self.wrong_type(key, "`true` or `false`", node);
                return None;
            }
        };
        let value = match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "y" => true,
            "false" | "no" | "off" | "0" | "n" | "" => false,
            _ => {
                self.wrong_type(key, "`true` or `false`", node);
                return None;
            }
        };
        Some(Located::new(value, node.place.clone()))
    }

    /// A whole number from `least` to `most`, quoted or not.
    pub fn whole_number(&mut self, key: &str, node: &Node<'_>, least: u32, most: u32) -> Option<Located<u32>> {
        if node.is_null() {
            return None;
        }
        let Some(number) = node.text().and_then(parse_integer) else {
            self.wrong_type(key, "a whole number", node);
            return None;
        };
        match u32::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Some(Located::new(number, node.place.clone())),
            _ => {
                let help = format!("write a number from {least} to {most}");
                self.invalid(&node.place, format!("`{key}` must be from {least} to {most}"), Some(&help));
                None
            }
        }
    }

    /// A list of texts.
    pub fn strings(&mut self, key: &str, node: &Node<'_>) -> Vec<Located<String>> {
        let items = self.items(key, node);
        items.iter().filter_map(|item| self.required_string(&format!("{key}[]"), item)).collect()
    }

    /// Text that must be there.
    pub fn required_string(&mut self, key: &str, node: &Node<'_>) -> Option<Located<String>> {
        if node.is_null() {
            self.wrong_type(key, "text", node);
            return None;
        }
        self.string(key, node)
    }

    /// A key of a mapping as a located name.
    #[must_use]
    pub fn name(key: &Node<'_>) -> Located<String> {
        Located::new(key.text().unwrap_or_default().to_owned(), key.place.clone())
    }
}

/// The known word that is nearest to a misspelt one, when one is near enough to be meant.
#[must_use]
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let simplified = simplify(word);
    let limit = (simplified.chars().count() / 3).max(1);
    known
        .iter()
        .map(|&candidate| (edit_distance(&simplified, &simplify(candidate)), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `kube_config`, `kubeConfig` and `Kube-Config` are one word for people.
fn simplify(word: &str) -> String {
    word.chars().filter(|character| !matches!(character, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour.
fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let width = right.len() + 1;
    let mut table = vec![0_usize; (left.len() + 1) * width];
    let at = |row: usize, column: usize| row * width + column;
    for row in 0..=left.len() {
        for column in 0..=right.len() {
            table[at(row, column)] = if row == 0 || column == 0 {
                row + column
            } else {
                let is_same = left[row - 1] == right[column - 1];
                let replaced = table[at(row - 1, column - 1)] + usize::from(!is_same);
                let mut best = replaced.min(table[at(row - 1, column)] + 1).min(table[at(row, column - 1)] + 1);
                if row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1] {
                    best = best.min(table[at(row - 2, column - 2)] + 1);
                }
                best
            };
        }
    }
    table[at(left.len(), right.len())]
}
