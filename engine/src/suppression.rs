//! Which findings are not reported because somebody asked so, where several deployments are spoken of at once.

use std::collections::BTreeMap;

use crate::code::Severity;
use crate::compile::CompiledDeployment;
use crate::finding::{Finding, Suppressed};

/// What deployments, and the repository around them, ask not to report.
#[derive(Debug)]
pub struct Suppressions<'a> {
    deployments: &'a [CompiledDeployment],
    everywhere: &'a BTreeMap<String, String>,
}

impl<'a> Suppressions<'a> {
    /// What these deployments ask, and what is asked for all of them.
    #[must_use]
    pub const fn new(deployments: &'a [CompiledDeployment], everywhere: &'a BTreeMap<String, String>) -> Self {
        Self { deployments, everywhere }
    }

    /// Why a finding is not to be reported, when it is not: whoever it is about asks so, and of what is about a cluster all
    /// that are planned on it. Errors, refusals and consents are always reported.
    #[must_use]
    pub fn reason(&self, finding: &Finding) -> Option<&'a str> {
        if finding.severity <= Severity::Warning { self.asked(finding) } else { None }
    }

    fn asked(&self, finding: &Finding) -> Option<&'a str> {
        let is_any = |one: &CompiledDeployment| !one.suppressed.is_empty();
        if self.everywhere.is_empty() && !self.deployments.iter().any(is_any) {
            return None;
        }
        let code = finding.code.to_string();
        if let Some(reason) = self.everywhere.get(&code) {
            return Some(reason);
        }
        let scope = scope_of(&finding.subject);
        if let Some(owner) = self.deployments.iter().find(|one| one.name == scope) {
            return owner.suppressed.get(&code).map(String::as_str);
        }
        let on_cluster = |one: &&CompiledDeployment| one.target.name() == scope;
        let is_of_cluster = self.deployments.iter().any(|one| on_cluster(&one));
        let concerned = self.deployments.iter().filter(|one| !is_of_cluster || on_cluster(one));
        let mut reasons = concerned.map(|one| one.suppressed.get(&code));
        let first = reasons.next()??;
        reasons.all(|reason| reason.is_some()).then_some(first.as_str())
    }

    /// Takes out the findings that are not to be reported.
    #[must_use]
    pub fn apply(&self, findings: Vec<Finding>) -> (Vec<Finding>, Vec<Suppressed>) {
        let (mut reported, mut suppressed) = (Vec::with_capacity(findings.len()), Vec::new());
        for finding in findings {
            match self.reason(&finding) {
                Some(reason) => suppressed.push(Suppressed { finding, reason: reason.to_owned() }),
                None if finding.severity > Severity::Warning && self.asked(&finding).is_some() => {
                    reported.push(crate::finding::in_spite(finding));
                }
                None => reported.push(finding),
            }
        }
        (reported, suppressed)
    }
}

/// The deployment or cluster that a subject is, or is a part of: `shop`, `shop/db-data`, `service.shop.web`.
fn scope_of(subject: &str) -> &str {
    if let Some((name, _)) = subject.split_once('/').filter(|(name, _)| !name.contains('.')) {
        return name;
    }
    match subject.split_once('.') {
        Some((_, rest)) => rest.split('.').next().unwrap_or(rest),
        None => subject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::resource::Target;
    use crate::spec::DeploymentFile;
    use crate::state::Tenant;

    /// Deployments of a cluster, and whether each asks not to be told of LAC501.
    fn deployments(asking: &[(&str, bool)]) -> Vec<CompiledDeployment> {
        let one = |(name, asks): &(&str, bool)| CompiledDeployment {
            name: (*name).to_owned(),
            identity: DeploymentFile::default(),
            target: Target::Kind("main".to_owned()),
            resources: Vec::new(),
            tenant: Tenant::default(),
            wish_places: BTreeMap::new(),
            ignored: Vec::new(),
            suppressed: asks.then(|| ("LAC501".to_owned(), "fine".to_owned())).into_iter().collect(),
            written_names: BTreeMap::new(),
            volumes: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        asking.iter().map(one).collect()
    }

    #[test]
    fn subjects_have_scopes() {
        let subjects = [
            ("shop", "shop"),
            ("shop/db-data", "shop"),
            ("service.shop.web", "shop"),
            ("kind_mount.main./mnt/x.y", "main"),
            ("", ""),
        ];
        for (subject, scope) in subjects {
            assert_eq!(scope_of(subject), scope, "{subject}");
        }
    }

    #[test]
    fn nobody_suppresses_for_somebody_else() {
        let finding = |subject: &str| Finding::new(Code::ServiceInterruption, "x").about(subject);
        let some = deployments(&[("shop", true), ("ledger", false)]);
        let none = BTreeMap::new();
        let suppressions = Suppressions::new(&some, &none);
        assert_eq!(suppressions.reason(&finding("shop")), Some("fine"));
        assert_eq!(suppressions.reason(&finding("deployment.shop.web")), Some("fine"));
        for others in ["ledger", "ledger/chain", "main", "kind_mount.main./mnt", ""] {
            assert_eq!(suppressions.reason(&finding(others)), None, "{others}");
        }
        let some = deployments(&[("shop", true), ("ledger", true)]);
        let suppressions = Suppressions::new(&some, &none);
        for others in ["ledger", "main", "kind_mount.main./mnt", ""] {
            assert_eq!(suppressions.reason(&finding(others)), Some("fine"), "{others}");
        }
        let everywhere = BTreeMap::from([("LAC501".to_owned(), "all fine".to_owned())]);
        let some = deployments(&[("shop", false)]);
        assert_eq!(Suppressions::new(&some, &everywhere).reason(&finding("main")), Some("all fine"));
    }
}
