//! Deciding when Caddy's certificates come back from their backup: whenever its Deployment is made on a cluster with an
//! umbrella, and no vault has them.

use serde::{Deserialize, Serialize};

use crate::address::{Address, ResourceType, Scope};
use crate::certificate::{backup_path, controller_key};
use crate::compile::UMBRELLA;
use crate::compile::caddy::CONTROLLER;
use crate::plan::Mode;
use crate::plan::change::Action;
use crate::plan::planner::Judgement;
use crate::plan::recreate::RecreateCourse;
use crate::plan::transaction::course;
use crate::resource::{CertificateBackup, Target};

/// Certificates that come back from their backup before Caddy starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRestore {
    /// The cluster.
    pub cluster: String,
    /// The same as a target.
    pub target: Target,
    /// Where the host has the backup.
    pub file: String,
    /// What is known of it; `None` where it could not be seen: then it is looked for when it is needed.
    pub backup: Option<CertificateBackup>,
}

/// The clusters of a plan whose certificates come back from their backup.
#[must_use]
pub fn certificate_restores(judgement: &Judgement<'_>) -> Vec<CertificateRestore> {
    if judgement.input.mode != Mode::Apply {
        return Vec::new();
    }
    let key = controller_key();
    let is_made = |address: &Address, action: Action| {
        address.scope.is_cluster()
            && address.resource_type == key.resource_type
            && matches!(action, Action::Create | Action::Replace)
    };
    let controllers = judgement.resources.iter().filter(|(address, judged)| is_made(address, judged.verdict.action));
    controllers
        .filter(|(address, _)| address.short_name() == CONTROLLER)
        .filter(|(_, judged)| !is_in_vault(judgement, judged.item.target))
        .filter_map(|(_, judged)| {
            let target = judged.item.target;
            let backup = backup(judgement, target).cloned();
            let restore = CertificateRestore {
                cluster: target.kind_cluster()?.to_owned(),
                target: target.clone(),
                file: backup_file(judgement, target)?,
                backup,
            };
            (restore.backup != Some(CertificateBackup::Missing)).then_some(restore)
        })
        .collect()
}

/// Whether the certificates of a cluster come back from its vault.
#[must_use]
pub fn is_in_vault(judgement: &Judgement<'_>, target: &Target) -> bool {
    matches!(course(judgement, target), Some(RecreateCourse::Begins | RecreateCourse::Resumes))
}

/// What is known of the backup of a cluster's certificates.
#[must_use]
pub fn backup<'a>(judgement: &Judgement<'a>, target: &Target) -> Option<&'a CertificateBackup> {
    judgement.input.world.get(target)?.node.certificate_backup.as_ref()
}

/// Where the host has the backup of a cluster's certificates; `None` for a cluster without an umbrella.
#[must_use]
pub fn backup_file(judgement: &Judgement<'_>, target: &Target) -> Option<String> {
    let address = Address::new(ResourceType::KindMount, Scope::cluster(target.name()), UMBRELLA);
    let judged = judgement.resources.get(&address)?;
    let desired = judged.item.desired.map(|mount| mount.attributes.value().into_owned());
    let mount =
        desired.or_else(|| judged.item.recorded.and_then(|recorded| recorded.desired.value.as_deref().cloned()))?;
    Some(backup_path(mount["hostPath"].as_str()?))
}
