//! Findings: what validation and planning have to say, each with code, place and way out.

use std::collections::BTreeMap;
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

/// A finding that the spec asks not to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// The finding.
    pub finding: Finding,
    /// Why it is fine here.
    pub reason: String,
}

/// Takes out the findings that are not to be reported: `reasons` has their codes. Errors, refusals and consents are always
/// reported, whatever it says.
#[must_use]
pub fn suppress(findings: Vec<Finding>, reasons: &BTreeMap<String, String>) -> (Vec<Finding>, Vec<Suppressed>) {
    let mut suppressed = Vec::new();
    let mut reported = Vec::with_capacity(findings.len());
    for finding in findings {
        let can_be = !reasons.is_empty() && finding.severity <= Severity::Warning;
        match reasons.get(&finding.code.to_string()).filter(|_| can_be) {
            Some(reason) => suppressed.push(Suppressed { finding, reason: reason.clone() }),
            None if reasons.contains_key(&finding.code.to_string()) => reported.push(in_spite(finding)),
            None => reported.push(finding),
        }
    }
    (reported, suppressed)
}

/// A finding that somebody asks not to report, and that is reported all the same.
#[must_use]
pub fn in_spite(finding: Finding) -> Finding {
    let text = format!("`suppress: {}` has no effect here: an {} is never suppressed", finding.code, finding.severity);
    finding.help(text)
}

/// Whether any of the findings forbids a plan.
#[must_use]
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stops_nothing_is_suppressed() {
        let codes = [Code::MovingTag, Code::BindTooLarge, Code::DataLoss, Code::ForeignCluster, Code::MountsUnknown];
        let reasons = codes.iter().map(|code| (code.to_string(), "fine".to_owned())).collect();
        let milder = Finding::new(Code::BindTooLarge, "x").as_severity(Severity::Warning);
        let findings = codes.iter().map(|code| Finding::new(*code, "x")).chain([milder]).collect();
        let (reported, suppressed) = suppress(findings, &reasons);
        let codes: Vec<Code> = reported.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::BindTooLarge, Code::DataLoss, Code::ForeignCluster]);
        assert_eq!(suppressed.len(), 3);
        let help = &reported[0].help;
        assert_eq!(*help, ["`suppress: LAC104` has no effect here: an error is never suppressed"]);
    }
}
