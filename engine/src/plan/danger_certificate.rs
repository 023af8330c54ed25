//! LAC604: certificates that die with their cluster and are in no backup, or not as they are now.

use crate::address::{Address, Scope};
use crate::certificate::{controller_key, written_at};
use crate::code::Code;
use crate::compile::caddy::{BACKUP, NAMESPACE};
use crate::finding::Finding;
use crate::plan::certificate_restore::{backup, backup_file, is_in_vault};
use crate::plan::decide::ClusterFate;
use crate::plan::planner::Judgement;
use crate::resource::{CertificateBackup, Target};

/// What is lacking of the backup of a cluster's certificates.
pub fn certificates(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (target, fate) in &judgement.fates {
        findings.extend(match fate {
            ClusterFate::Replaced(_) | ClusterFate::Deleted(_) => endangered(judgement, target, fate),
            ClusterFate::Lost(_) => gone(judgement, target),
            ClusterFate::Stays => None,
        });
    }
}

/// The certificates of a cluster that is still there.
fn endangered(judgement: &Judgement<'_>, target: &Target, fate: &ClusterFate) -> Option<Finding> {
    let name = target.kind_cluster()?;
    let objects = judgement.input.world.get(target)?.objects.as_ref().ok()?;
    let written: Vec<&str> = objects.iter().filter_map(|(key, live)| written_at(key, live)).collect();
    let newest = written.iter().max()?;
    let file = backup_file(judgement, target);
    let count = written.len();
    let its = if count == 1 { "its certificate is".to_owned() } else { format!("its {count} certificates are") };
    let happens = if matches!(fate, ClusterFate::Deleted(_)) { "is deleted" } else { "is made anew" };
    let message = match (&file, backup(judgement, target)?) {
        (None, _) => format!("the cluster `{name}` {happens}, and {its} in no backup: it has no umbrella mount"),
        (Some(file), CertificateBackup::Missing) => {
            format!("the cluster `{name}` {happens}, and {its} in no backup: there is no {file}")
        }
        (Some(file), CertificateBackup::Saved { at: Some(at) }) if at.as_str() < *newest => {
            let newer = written.iter().filter(|time| **time > at.as_str()).count();
            format!(
                "the cluster `{name}` {happens}, and the backup of its certificates, {file}, is from {at}: {newer} of {count} written since"
            )
        }
        (Some(_), CertificateBackup::Saved { .. }) => return None,
    };
    let mut finding = Finding::new(Code::CertificateBackup, message).about(name);
    finding = finding.help(match is_in_vault(judgement, target) {
        true => "they go through the vault of the recreate; if it were lost, Caddy would have to ask the certificate authority again",
        false => "Caddy asks the certificate authority again, which limits how often it issues them",
    });
    Some(match file {
        Some(_) => finding.help(format!(
            "have them saved first: kubectl --namespace {NAMESPACE} create job --from=cronjob/{BACKUP} {BACKUP}-now"
        )),
        None => finding.help("set `kind-mount-root`: certificates are saved under the umbrella, every five minutes"),
    })
}

/// The certificates of a cluster that somebody else deleted.
fn gone(judgement: &Judgement<'_>, target: &Target) -> Option<Finding> {
    let name = target.kind_cluster()?;
    let address = Address::new(controller_key().resource_type, Scope::cluster(name), &controller_key().name);
    let judged = judgement.resources.get(&address)?;
    let served = judged.item.recorded.is_some() && judged.item.desired.is_some();
    let is_missing = backup(judgement, target) == Some(&CertificateBackup::Missing);
    if !served || !is_missing || is_in_vault(judgement, target) {
        return None;
    }
    let file = backup_file(judgement, target)?;
    let message =
        format!("the certificates of the cluster `{name}` went with it, and there is no backup of them: no {file}");
    let finding = Finding::new(Code::CertificateBackup, message).about(name);
    Some(
        finding
            .help("Caddy asks the certificate authority again, which limits how often it issues them")
            .help("if a copy is kept elsewhere, put it there before the cluster is made"),
    )
}
