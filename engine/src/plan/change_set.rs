//! What a change of the files changes: from what is recorded to what is desired, whatever the world is like.
//!
//! A pull request knows neither ids nor directories nor secrets, and the server knows all three. For both to come to one
//! answer, the values of this copy of a deployment are replaced by placeholders, secrets stand by the names of their
//! sources, and what only follows from a change (digests on pod templates, everything on a cluster that is made anew) is
//! left out. The substitution can be undone by whoever knows the values, so that two edits never look the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::address::{Address, ResourceType, Scope};
use crate::diff::{difference_paths, flatten, forces_replacement};
use crate::plan::PlanInput;
use crate::plan::adoption::KEEP_ANNOTATION;
use crate::plan::change::{Action, Change};
use crate::plan::difference::{is_identity, is_ignored};
use crate::plan::document::Mode;
use crate::plan::planner::{Judged, Judgement, ignore_rules};
use crate::plan::rollout::{CONFIG_ANNOTATION, IMAGE_ANNOTATION, ROLLOUT_ANNOTATION, SECRET_ANNOTATION};
use crate::secret::{HMAC_MEMBER, SECRET_MEMBER};
use crate::value::Digest;

/// How much of a digest people compare: 64 bits, written as 16 hexadecimal characters.
const SHOWN: usize = 16;

/// What is to become of one resource, told without anything that differs from one copy of a deployment to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IntendedChange {
    /// Its address, clusters by a name that does not depend on their ids.
    pub address: String,
    /// What is done by itself: what follows from another change is not listed.
    pub action: Action,
    /// The fields that change; none for what is created or deleted.
    pub paths: Vec<String>,
    /// The fields among them that force a replacement.
    pub replace_paths: Vec<String>,
    /// Digest of the form before and after.
    pub digest: String,
}

/// The changes of an input's files against its states, sorted by address. `changes` are those of the plan, by address: the
/// forms in them need not be built again.
#[must_use]
pub fn change_set(judgement: &Judgement<'_>, changes: &[Change]) -> Vec<IntendedChange> {
    let words = Words::of(judgement.input);
    let ignored = ignore_rules(judgement.input);
    let mut set: Vec<IntendedChange> = judgement
        .resources
        .iter()
        .filter_map(|(address, judged)| {
            let rules = ignored.get(&address.scope).map_or(&[][..], Vec::as_slice);
            let change = changes.binary_search_by(|change| change.address.cmp(address)).ok();
            let created = change
                .and_then(|index| changes.get(index))
                .filter(|change| change.action == Action::Create)
                .and_then(|change| change.after.as_ref());
            intended(judgement.input, address, judged, created, rules, &words)
        })
        .collect();
    set.sort();
    set
}

/// The change id: the digest of a change set.
#[must_use]
pub fn change_id(mode: Mode, set: &[IntendedChange]) -> String {
    Digest::of(&json!({"mode": mode, "changes": set})).to_string().chars().take(SHOWN).collect()
}

/// The part of a change set that is about some deployments and about the cluster that is called `cluster`.
#[must_use]
pub fn part(set: &[IntendedChange], deployments: &BTreeSet<&str>, cluster: &str) -> Vec<IntendedChange> {
    let cluster = format!("<cluster {cluster}>");
    let is_part = |change: &&IntendedChange| {
        let scope = change.address.split_once('.').map(|(_, rest)| rest).unwrap_or_default();
        let name = scope.split('.').next().unwrap_or_default();
        deployments.contains(name)
            || scope.strip_prefix(&cluster).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    set.iter().filter(is_part).cloned().collect()
}

fn intended(
    input: &PlanInput,
    address: &Address,
    judged: &Judged<'_>,
    created: Option<&Value>,
    rules: &[String],
    words: &Words<'_>,
) -> Option<IntendedChange> {
    // What was built on a host is nothing that files say.
    if address.resource_type == ResourceType::KindImage {
        return None;
    }
    // A create that never ended has not happened.
    let recorded = judged.item.recorded.filter(|recorded| !recorded.uid.is_empty());
    let desired = judged.item.desired;
    let requested = input.replace.contains(address);
    if let (Some(desired), Some(recorded)) = (desired, recorded)
        && desired.digest() == recorded.desired.digest
        && !requested
    {
        return None;
    }
    // Its changed template does not run, neither here nor where the change is looked at.
    if judged.completed && desired.is_some() && !requested {
        return None;
    }
    let words = words.of_scope(&address.scope);
    let whole = |action: Action, form: &Value| {
        let mut bytes = Vec::with_capacity(2048);
        words.feed(form, &mut bytes);
        let (address, digest) = (words.tell_address(address), Digest::of_bytes(&bytes).short());
        Some(IntendedChange { address, action, paths: Vec::new(), replace_paths: Vec::new(), digest })
    };
    let (action, mut paths, mut replace_paths, content) = match (recorded, desired) {
        (None, None) => return None,
        (None, Some(desired)) => {
            return match created {
                Some(form) => whole(Action::Create, form),
                None => whole(Action::Create, &desired.attributes.value()),
            };
        }
        (Some(recorded), None) => {
            return whole(Action::Delete, recorded.desired.value.as_deref().unwrap_or(&Value::Null));
        }
        (Some(recorded), Some(desired)) => {
            let before = comparable(recorded.desired.value.as_deref().unwrap_or(&Value::Null));
            let after = comparable(&desired.attributes.value());
            let (before, after) = (flatten(&before), flatten(&after));
            let paths: Vec<String> = difference_paths(&before, &after)
                .into_iter()
                // Without values a secret is compared by the name of its source.
                .chain(secret_paths(&before, &after))
                .filter(|path| !is_ignored(rules, address, path))
                .collect();
            if paths.is_empty() && !requested {
                return None;
            }
            let forcing: Vec<String> = paths
                .iter()
                .filter(|path| {
                    let (before, after) = (before.get(*path), after.get(*path));
                    is_identity(path) || forces_replacement(address.resource_type, path, before, after)
                })
                .cloned()
                .collect();
            let content: Vec<Value> = paths
                .iter()
                .map(|path| {
                    let told = |value: Option<&Value>| value.map(|value| words.tell_value(value));
                    json!([words.tell(path), told(before.get(path)), told(after.get(path))])
                })
                .collect();
            let action = if requested || !forcing.is_empty() { Action::Replace } else { Action::Update };
            (action, paths, forcing, json!(content))
        }
    };
    for path in paths.iter_mut().chain(&mut replace_paths) {
        *path = words.tell(path);
    }
    let digest = Digest::of(&content).short();
    Some(IntendedChange { address: words.tell_address(address), action, paths, replace_paths, digest })
}

/// Where both have a secret and its source is another one.
fn secret_paths(before: &crate::diff::Fields, after: &crate::diff::Fields) -> Vec<String> {
    let is_secret = |value: &Value| value.get(SECRET_MEMBER).is_some();
    after
        .iter()
        .filter(|(path, value)| {
            is_secret(value) && before.get(*path).is_some_and(|old| is_secret(old) && old != *value)
        })
        .map(|(path, _)| path.clone())
        .collect()
}

/// A form without fingerprints of secrets and without what is put on objects because of something else.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let is_secret = members.contains_key(SECRET_MEMBER);
            let mut kept = Map::new();
            for (key, member) in members {
                if !is_left_out(key, is_secret) {
                    kept.insert(key.clone(), comparable(member));
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(comparable).collect()),
        other => other.clone(),
    }
}

/// Whether a member says nothing about what was wanted.
fn is_left_out(key: &str, of_secret: bool) -> bool {
    matches!(key, CONFIG_ANNOTATION | SECRET_ANNOTATION | IMAGE_ANNOTATION | ROLLOUT_ANNOTATION | KEEP_ANNOTATION)
        || (of_secret && key == HMAC_MEMBER)
}

/// What differs from one copy of the deployments to the next.
struct Words<'a> {
    /// By deployment: its directory and its id.
    deployments: BTreeMap<&'a str, Vec<(&'a str, String)>>,
    /// By kind cluster: what it is called.
    clusters: BTreeMap<&'a str, String>,
    /// The directories of all, which their cluster's mounts may name.
    directories: Vec<(&'a str, String)>,
}

impl<'a> Words<'a> {
    fn of(input: &'a PlanInput) -> Self {
        let mut words = Self { deployments: BTreeMap::new(), clusters: BTreeMap::new(), directories: Vec::new() };
        for deployment in &input.deployments {
            let name = deployment.name.as_str();
            let directory = (deployment.tenant.directory.as_str(), format!("directory of {name}"));
            let id = (deployment.identity.deployment_id.as_str(), format!("id of {name}"));
            words.directories.push(directory.clone());
            words.deployments.insert(name, vec![directory, id]);
            if let Some(cluster) = deployment.target.kind_cluster() {
                let label = input.cluster_labels.get(cluster).cloned();
                let label = label.unwrap_or_else(|| format!("of {name}"));
                let known = words.clusters.entry(cluster).or_insert_with(|| label.clone());
                // Of the names a cluster could have after its deployments, the first one.
                if label < *known {
                    *known = label;
                }
            }
        }
        // A directory inside of another one is found before it.
        words.directories.sort_by_key(|(directory, _)| std::cmp::Reverse(directory.len()));
        words
    }

    fn of_scope<'w>(&'w self, scope: &Scope) -> ScopeWords<'w, 'a> {
        match scope {
            Scope::Deployment(name) => {
                let words = self.deployments.get(&**name).map(Vec::as_slice).unwrap_or_default();
                ScopeWords { words, whole: None }
            }
            Scope::Cluster(name) => ScopeWords {
                words: &self.directories,
                whole: self.clusters.get_key_value(&**name).map(|(name, label)| (*name, label.as_str())),
            },
        }
    }
}

/// The words of one scope.
struct ScopeWords<'w, 'a> {
    /// Found anywhere in a text, where nothing around them makes them a part of another word.
    words: &'w [(&'a str, String)],
    /// Found only as a whole text: a cluster may be called as anything is.
    whole: Option<(&'a str, &'w str)>,
}

/// Around a placeholder. One that a file holds is doubled, so that nothing in a file looks like a placeholder.
const MARK: char = '\u{1}';

impl ScopeWords<'_, '_> {
    fn tell_address(&self, address: &Address) -> String {
        let scope = match (&address.scope, self.whole) {
            (Scope::Cluster(_), Some((_, label))) => format!("<cluster {label}>"),
            (scope, _) => scope.name().to_owned(),
        };
        let name = address.name.as_deref().map(|name| format!(".{}", self.tell(name))).unwrap_or_default();
        format!("{}.{scope}{name}", address.resource_type)
    }

    fn tell_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.tell(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.tell_value(item)).collect()),
            Value::Object(members) => {
                members.iter().map(|(key, member)| (self.tell(key), self.tell_value(member))).collect()
            }
            other => other.clone(),
        }
    }

    /// The bytes of a whole form, each length before its text, so that no two forms have the same.
    fn feed(&self, value: &Value, bytes: &mut Vec<u8>) {
        match value {
            Value::String(text) => {
                bytes.push(b's');
                self.feed_text(text, bytes);
            }
            Value::Array(items) => {
                bytes.push(b'[');
                items.iter().for_each(|item| self.feed(item, bytes));
                bytes.push(b']');
            }
            Value::Object(members) => {
                let is_secret = members.contains_key(SECRET_MEMBER);
                bytes.push(b'{');
                for (key, member) in members.iter().filter(|(key, _)| !is_left_out(key, is_secret)) {
                    // An object of which nothing is left is as good as absent.
                    let left_out =
                        |of: &Map<String, Value>| !of.is_empty() && of.keys().all(|key| is_left_out(key, false));
                    if member.as_object().is_some_and(left_out) {
                        continue;
                    }
                    self.feed_text(key, bytes);
                    self.feed(member, bytes);
                }
                bytes.push(b'}');
            }
            other => {
                bytes.push(b'v');
                bytes.extend_from_slice(other.to_string().as_bytes());
                bytes.push(b';');
            }
        }
    }

    fn feed_text(&self, text: &str, bytes: &mut Vec<u8>) {
        let told = self.tell(text);
        bytes.extend_from_slice(told.len().to_string().as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(told.as_bytes());
    }

    fn tell(&self, text: &str) -> String {
        if let Some((cluster, label)) = self.whole
            && text == cluster
        {
            return format!("{MARK}cluster {label}{MARK}");
        }
        let mut told = if text.contains(MARK) { text.replace(MARK, "\u{1}\u{1}") } else { text.to_owned() };
        for (word, placeholder) in self.words {
            if !word.is_empty() && told.contains(word) {
                told = replace_word(&told, word, placeholder);
            }
        }
        told
    }
}

fn replace_word(text: &str, word: &str, placeholder: &str) -> String {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(word) {
        let end = at + word.len();
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(end..).unwrap_or_default());
        let bounded = !before.chars().next_back().is_some_and(is_part) && !after.chars().next().is_some_and(is_part);
        if !bounded {
            continue;
        }
        out.push_str(text.get(done..at).unwrap_or_default());
        out.push(MARK);
        out.push_str(placeholder);
        out.push(MARK);
        done = end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}
