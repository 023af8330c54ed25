//! Checking one deployment: its files are read, and everything that the files alone can tell is said at once.

mod binds;
mod config;
mod declared_hook;
mod granted_files;
mod hook;
#[cfg(test)]
mod host_tests;
mod load;
mod moved;
mod names;
mod network;
mod pods;
mod secrets;
mod shared;
mod storage;
#[cfg(test)]
mod tests;
mod umbrella;
mod workloads;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use binds::{MAX_BIND_BYTES, host_path_volume_name};
pub use moved::written_names;

use super::input::{CheckedDeployment, DeploymentSource, SharedCluster};
use crate::code::Severity;
use crate::compose::{ComposeFile, Service};
use crate::finding::{Finding, has_errors};
use crate::source::SourceReader;
use crate::spec::{DeployTo, Dialect};

/// What checking gave: the deployment, unless an error forbids it, and everything there is to say.
#[derive(Clone, Debug)]
pub struct CheckOutcome {
    /// The checked deployment; `None` when a finding is an error.
    pub deployment: Option<CheckedDeployment>,
    /// The deployment in spite of its errors, as far as its files could be read: for what it has to do with others.
    pub in_spite: Option<CheckedDeployment>,
    /// The findings, in the order of files and lines.
    pub findings: Vec<Finding>,
    /// The text of every file that was read, by display name, for source snippets. Secrets in them are blotted out.
    pub texts: BTreeMap<Arc<str>, Arc<str>>,
    /// Digest of every file that was read.
    pub inputs_digest: String,
    /// Codes not to be reported, with the reasons.
    pub suppressed: BTreeMap<String, String>,
}

/// Reads and checks the files of one deployment.
#[must_use]
pub fn check(source: &DeploymentSource, reader: &dyn SourceReader) -> CheckOutcome {
    check_shared(source, &SharedCluster::default(), reader)
}

/// Reads and checks the files of one deployment of a repository, with what it says of the deployment's cluster.
#[must_use]
pub fn check_shared(source: &DeploymentSource, shared: &SharedCluster, reader: &dyn SourceReader) -> CheckOutcome {
    let mut loader = load::Loader::new(reader, &source.shown_directory, shared);
    let deployment = loader.load(source);
    let load::Loader { mut findings, mut shared_findings, texts, order, digests, suppressed, .. } = loader;
    let inputs_digest = load::digest_of(&digests);
    if let Some(deployment) = &deployment
        && deployment.spec.deploy_to.is_some()
    {
        let mut context = Context { deployment, source, reader, findings: Vec::new() };
        binds::check(&mut context);
        declared_hook::check(&mut context);
        moved::check(&mut context);
        names::check(&mut context);
        network::check(&mut context);
        secrets::check(&mut context);
        storage::check(&mut context);
        workloads::check(&mut context);
        pods::check(&mut context);
        granted_files::check(&mut context);
        findings.append(&mut context.findings);
    }
    let is_wrong = has_errors(&findings);
    findings.append(&mut shared_findings);
    // Files in the order in which they were read, and lines within them.
    findings.sort_by_cached_key(|finding| {
        finding.place.as_ref().map(|place| {
            let file = order.iter().position(|file| *file == place.file).unwrap_or(usize::MAX);
            (file, place.line, place.column)
        })
    });
    let mut is_judged = deployment.filter(|it| it.spec.deploy_to.is_some());
    is_judged.iter_mut().for_each(moved::restore_names);
    let (deployment, in_spite) = if is_wrong { (None, is_judged) } else { (is_judged, None) };
    CheckOutcome { deployment, in_spite, findings, texts, inputs_digest, suppressed }
}

/// What the single checks share.
struct Context<'a> {
    deployment: &'a CheckedDeployment,
    source: &'a DeploymentSource,
    reader: &'a dyn SourceReader,
    findings: Vec<Finding>,
}

impl<'a> Context<'a> {
    fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Reports an error that laconic-so never reported: directories that it made keep loading.
    fn push_new_rule(&mut self, finding: Finding) {
        let finding = if self.is_laconic_so() { finding.as_severity(Severity::Warning) } else { finding };
        self.findings.push(finding);
    }

    fn is_laconic_so(&self) -> bool {
        self.deployment.identity.dialect == Dialect::LaconicSo
    }

    fn is_kind(&self) -> bool {
        self.deployment.spec.deploy_to.as_ref().is_some_and(|target| target.value == DeployTo::KindCluster)
    }

    /// The compose files of pods and jobs.
    fn compose_files(&self) -> impl Iterator<Item = &'a ComposeFile> + use<'a> {
        self.deployment.pods.iter().chain(&self.deployment.jobs).map(|(_, compose)| compose)
    }

    /// The services of all pods.
    fn pod_services(&self) -> impl Iterator<Item = &'a Service> + use<'a> {
        self.deployment.pods.iter().flat_map(|(_, compose)| &compose.services)
    }

    /// What a variable stands for; a secret one for a mark.
    fn lookup_marked(&self) -> impl Fn(&str) -> Option<String> + use<'a> {
        config::lookup_marked(&self.deployment.config, &self.deployment.generated)
    }

    /// What a variable stands for; a secret one for blank, because its value is not known here.
    fn lookup(&self) -> impl Fn(&str) -> Option<String> + use<'a> {
        config::lookup(&self.deployment.config, &self.deployment.generated)
    }
}
