//! The tree that YAML text becomes.

use std::borrow::Cow;

use crate::place::Place;
use crate::spec::ScalarKind;

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes on one or more lines: it may be a number, a boolean or null.
    Plain,
    /// Quoted, a block scalar or tagged as text: it is always text.
    Quoted,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind<'t> {
    /// A single value; its text is borrowed from the file where no unescaping was needed.
    Scalar {
        /// The text after unescaping; empty where nothing is written.
        text: Cow<'t, str>,
        /// How it was written.
        style: Style,
    },
    /// A list.
    Sequence(Vec<Node<'t>>),
    /// Keys with their values, in the order of the file, without duplicates; merges are resolved.
    Mapping(Vec<(Node<'t>, Node<'t>)>),
}

/// A node and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<'t> {
    /// What it is.
    pub kind: NodeKind<'t>,
    /// Where it is written; for collections their first line.
    pub place: Place,
}

impl<'t> Node<'t> {
    /// The text of a scalar, whatever its kind.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } => Some(text),
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
        }
    }

    /// What YAML says a scalar is; `None` for collections.
    #[must_use]
    pub fn scalar_kind(&self) -> Option<ScalarKind> {
        match &self.kind {
            NodeKind::Scalar { style: Style::Quoted, .. } => Some(ScalarKind::Text),
            NodeKind::Scalar { text, style: Style::Plain } => Some(super::resolve(text)),
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
        }
    }

    /// Whether nothing, `~` or `null` is written.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar_kind() == Some(ScalarKind::Null)
    }

    /// The value of a key, when this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node<'t>> {
        match &self.kind {
            NodeKind::Mapping(entries) => {
                entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
            }
            NodeKind::Scalar { .. } | NodeKind::Sequence(_) => None,
        }
    }

    /// What this is, in words for a message.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "a mapping",
            NodeKind::Scalar { .. } => match self.scalar_kind() {
                Some(ScalarKind::Null) | None => "nothing",
                Some(ScalarKind::Boolean) => "a boolean",
                Some(ScalarKind::Integer) => "a whole number",
                Some(ScalarKind::Float) => "a number",
                Some(ScalarKind::Text) => "text",
            },
        }
    }

    /// How many nodes this one consists of, itself included.
    pub(super) fn count(&self) -> usize {
        match &self.kind {
            NodeKind::Scalar { .. } => 1,
            NodeKind::Sequence(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            NodeKind::Mapping(entries) => {
                1 + entries.iter().map(|(key, value)| key.count() + value.count()).sum::<usize>()
            }
        }
    }

    /// How deep collections are nested in this node; 0 for a scalar.
    pub(super) fn depth(&self) -> usize {
        match &self.kind {
            NodeKind::Scalar { .. } => 0,
            NodeKind::Sequence(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            NodeKind::Mapping(entries) => 1 + entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }
}
