//! Bringing Caddy's certificates back from their backup, right before its Deployment is made.
//!
//! Certificates can be had anew, a page that is down cannot: whatever is wrong with the backup is told, and Caddy starts.

use crate::address::ObjectKey;
use crate::apply::drive::{Sink, tell};
use crate::apply::event::Event;
use crate::apply::options::{Apply, RecreatePorts};
use crate::apply::ports::EnactError;
use crate::apply::recreate::{again, shown, values_of};
use crate::certificate::{backup_path, controller_key, read_backup};
use crate::compile::UMBRELLA;
use crate::plan::certificate_restore::CertificateRestore;
use crate::plan::change::Change;
use crate::redact::redact;

/// Does it, where the plan says so.
pub(crate) async fn before_creation(apply: &Apply<'_>, change: &Change, sink: &Sink<'_>) {
    if change.key != controller_key() {
        return;
    }
    let mut restores = apply.plan.certificate_restores.iter();
    let Some(restore) = restores.find(|restore| restore.target == change.target) else { return };
    let Some(ports) = &apply.recreate else { return };
    let (address, file) = (change.address.clone(), restore.file.clone());
    match bring_back(apply, ports, restore).await {
        Ok(None) => {}
        Ok(Some(secrets)) => tell(sink, &Event::CertificatesRestored { address, file, secrets }),
        Err(error) => tell(sink, &Event::CertificatesNotRestored { address, file, error }),
    }
}

/// How many Secrets came back; `None` where there is no backup. One that is there stays as it is.
async fn bring_back(
    apply: &Apply<'_>,
    ports: &RecreatePorts<'_>,
    restore: &CertificateRestore,
) -> Result<Option<usize>, String> {
    let target = &restore.target;
    let path = backup_path(UMBRELLA);
    let bytes = again(apply, || ports.rescue.read_file(target, &path)).await.map_err(|error| error.to_string())?;
    let Some(bytes) = bytes else { return Ok(None) };
    let secrets = read_backup(&bytes).map_err(|error| error.to_string())?;
    let mut failed: Vec<(&ObjectKey, String)> = Vec::new();
    for (key, secret) in &secrets {
        if let Err(error) = again(apply, || ports.rescue.restore(target, key, secret)).await {
            failed.push((key, redact(&error.to_string(), &values_of(secret))));
            // Where nobody answers, nobody answers to the next one either.
            if !matches!(error, EnactError::Refused(_)) {
                break;
            }
        }
    }
    match failed.first() {
        None => Ok(Some(secrets.len())),
        Some((key, error)) => {
            Err(format!("{} of its {} Secrets did not come back: {}: {error}", failed.len(), secrets.len(), shown(key)))
        }
    }
}
