//! The attributes of a desired resource: a JSON tree, or the same packed into its canonical text.
//!
//! A tree takes some ten times the memory of its text, and a plan holds all resources of all deployments while it needs
//! the attributes of those alone that differ. So they are packed where they are compiled, which is also where their
//! digest costs least: in that deployment's thread, while the tree is at hand.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::secret::{SECRET_MEMBER, SecretSource, is_placeholder, sources};
use crate::value::{Digest, canonical_bytes};

/// Trees that are deeper stay trees: reading a text ends with an error at twice that depth.
const DEEPEST: u32 = 64;

/// What describes an object, packed or not.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Null while they are packed.
    tree: Value,
    packed: Option<Packed>,
}

#[derive(Clone, Debug)]
struct Packed {
    /// Canonical JSON.
    text: Box<[u8]>,
    digest: Digest,
    has_secrets: bool,
    /// By which objects are told from each other.
    namespace: Box<str>,
    name: Box<str>,
}

impl Packed {
    fn tree(&self) -> Value {
        // Only a tree that comes back from its text is packed.
        serde_json::from_slice(&self.text).unwrap_or_default()
    }
}

impl Attributes {
    /// The attributes of a tree.
    #[must_use]
    pub const fn new(tree: Value) -> Self {
        Self { tree, packed: None }
    }

    /// The tree; built anew each time when it is packed.
    #[must_use]
    pub fn value(&self) -> Cow<'_, Value> {
        match &self.packed {
            None => Cow::Borrowed(&self.tree),
            Some(packed) => Cow::Owned(packed.tree()),
        }
    }

    /// The tree, for someone who keeps it.
    #[must_use]
    pub fn into_value(self) -> Value {
        match self.packed {
            None => self.tree,
            Some(packed) => packed.tree(),
        }
    }

    /// The tree, to be changed. What was packed no longer is.
    pub fn value_mut(&mut self) -> &mut Value {
        if let Some(packed) = self.packed.take() {
            self.tree = packed.tree();
        }
        &mut self.tree
    }

    /// Packs them, unless they would not come back as they are.
    pub fn pack(&mut self) {
        if self.packed.is_some() || !can_be_packed(&self.tree, 0) {
            return;
        }
        let tree = std::mem::take(&mut self.tree);
        let (namespace, name) = namespace_and_name(&tree);
        let text = canonical_bytes(&tree).into_boxed_slice();
        let digest = Digest::of_bytes(&text);
        // Hardly any has one, and a text is looked through faster than a tree.
        let has_secrets = contains(&text, SECRET_MEMBER) && has_placeholder(&tree);
        self.packed = Some(Packed { text, digest, has_secrets, namespace: namespace.into(), name: name.into() });
    }

    /// The digest of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.packed.as_ref().map_or_else(|| Digest::of(&self.tree), |packed| packed.digest)
    }

    /// `metadata.namespace` and `metadata.name`; empty where they are not given.
    #[must_use]
    pub fn namespace_and_name(&self) -> (&str, &str) {
        match &self.packed {
            None => namespace_and_name(&self.tree),
            Some(packed) => (&packed.namespace, &packed.name),
        }
    }

    /// Whether there is a placeholder of a secret in them.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        self.packed.as_ref().map_or_else(|| has_placeholder(&self.tree), |packed| packed.has_secrets)
    }

    /// The sources of the secrets in them.
    #[must_use]
    pub fn sources(&self) -> BTreeSet<SecretSource> {
        if self.has_secrets() { sources(&self.value()) } else { BTreeSet::new() }
    }

    /// Whether a member of that name may be in them, found without unpacking.
    #[must_use]
    pub fn may_have_member(&self, name: &str) -> bool {
        self.packed.as_ref().is_none_or(|packed| contains(&packed.text, name))
    }
}

impl From<Value> for Attributes {
    fn from(tree: Value) -> Self {
        Self::new(tree)
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        match (&self.packed, &other.packed) {
            (Some(left), Some(right)) => left.text == right.text,
            _ => self.value() == other.value(),
        }
    }
}

/// `metadata.namespace` and `metadata.name` of a tree; empty where they are not given.
pub(crate) fn namespace_and_name(tree: &Value) -> (&str, &str) {
    let metadata = &tree["metadata"];
    let text = |member: &str| metadata[member].as_str().unwrap_or_default();
    (text("namespace"), text("name"))
}

fn contains(text: &[u8], phrase: &str) -> bool {
    memchr::memmem::find(text, phrase.as_bytes()).is_some()
}

/// Whether a tree holds nothing that its text might give back otherwise: the last digit of a fraction, or more levels
/// than are read.
fn can_be_packed(tree: &Value, depth: u32) -> bool {
    match tree {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => !number.is_f64(),
        Value::Array(items) => depth < DEEPEST && items.iter().all(|item| can_be_packed(item, depth + 1)),
        Value::Object(members) => depth < DEEPEST && members.values().all(|member| can_be_packed(member, depth + 1)),
    }
}

fn has_placeholder(tree: &Value) -> bool {
    match tree {
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Number(_) => false,
        Value::Array(items) => items.iter().any(has_placeholder),
        Value::Object(members) => is_placeholder(tree) || members.values().any(has_placeholder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretExpression;
    use serde_json::json;

    fn packed(tree: &Value) -> Attributes {
        let mut attributes = Attributes::new(tree.clone());
        attributes.pack();
        attributes
    }

    #[test]
    fn what_is_packed_comes_back() {
        let tree =
            json!({"metadata": {"namespace": "a", "name": "b"}, "spec": {"ports": [{"nodePort": 30_000}], "e": "ü\n"}});
        let attributes = packed(&tree);
        assert!(attributes.packed.is_some() && !attributes.has_secrets());
        assert_eq!(*attributes.value(), tree);
        assert_eq!(attributes, Attributes::new(tree.clone()));
        assert_eq!(attributes.digest(), Digest::of(&tree));
        assert_eq!(attributes.namespace_and_name(), ("a", "b"));
        assert!(attributes.may_have_member("nodePort") && !attributes.may_have_member("hostPort"));
        assert_ne!(attributes, packed(&json!({"metadata": {"namespace": "a", "name": "b"}})));
    }

    #[test]
    fn what_would_not_come_back_stays_a_tree() {
        let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
        for tree in [json!([0.1]), deep] {
            let attributes = packed(&tree);
            assert!(attributes.packed.is_none());
            assert_eq!(attributes.value(), Cow::Borrowed(&tree));
            assert_eq!(attributes.digest(), Digest::of(&tree));
        }
    }

    #[test]
    fn secrets_are_known_without_looking() {
        let source = SecretSource::Environment("TOKEN".into());
        let placeholder = SecretExpression::Value(source.clone()).placeholder();
        let attributes = packed(&json!({"data": [{"key": placeholder}]}));
        assert!(attributes.has_secrets());
        assert_eq!(attributes.sources(), [source].into());
        assert!(packed(&json!({"data": [{"key": "$secret"}]})).sources().is_empty());
    }

    #[test]
    fn what_is_changed_is_no_longer_packed() {
        let mut attributes = packed(&json!({"a": 1}));
        attributes.value_mut()["a"] = json!(2);
        assert_eq!(attributes.digest(), Digest::of(&json!({"a": 2})));
        assert_eq!(attributes.into_value(), json!({"a": 2}));
    }
}
