//! Findings: what validation and planning have to say, each with code, place and way out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::code::{Code, Severity};
use crate::place::Place;

/// What an operator must say yes to, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "object")]
pub enum Consent {
    /// `--allow-recreate=<cluster-id>`
    Recreate(String),
    /// `--allow-data-loss=<deployment>/<volume>`
    DataLoss(String),
    /// `--allow-cluster-delete=<cluster-id>`
    ClusterDelete(String),
}

impl fmt::Display for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recreate(name) => write!(f, "--allow-recreate={name}"),
            Self::DataLoss(name) => write!(f, "--allow-data-loss={name}"),
            Self::ClusterDelete(name) => write!(f, "--allow-cluster-delete={name}"),
        }
    }
}

/// A second place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is to be seen there.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its stable code.
    pub code: Code,
    /// Its severity here; never above the catalogue's.
    pub severity: Severity,
    /// The deployment, cluster, volume or resource it speaks of; empty when the place says it all.
    pub subject: String,
    /// One sentence without a full stop.
    pub message: String,
    /// The place that causes it.
    pub place: Option<Place>,
    /// Other places that belong to it.
    pub labels: Vec<Label>,
    /// The way out; each entry is one line.
    pub help: Vec<String>,
    /// What lifts it, for severity [`Severity::Consent`].
    pub consent: Option<Consent>,
}

impl Finding {
    /// A finding with its catalogue severity.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            subject: String::new(),
            message: message.into(),
            place: None,
            labels: Vec::new(),
            help: Vec::new(),
            consent: None,
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// Says where, when it is known.
    #[must_use]
    pub fn at_maybe(mut self, place: Option<&Place>) -> Self {
        self.place = place.cloned();
        self
    }

    /// Says of what.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn label(mut self, place: &Place, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: place.clone(), text: text.into() });
        self
    }

    /// Adds a line of the way out.
    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// Says which consent lifts it.
    #[must_use]
    pub fn lifted_by(mut self, consent: Consent) -> Self {
        self.consent = Some(consent);
        self
    }

    /// Makes it milder: an error that an existing deployment would suddenly meet is a warning there.
    #[must_use]
    pub fn as_severity(mut self, severity: Severity) -> Self {
        self.severity = severity.min(self.severity);
        self
    }
}

/// Whether any of the findings forbids a plan.
#[must_use]
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}
