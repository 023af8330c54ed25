//! A recreate as people read it: its phases in order, with what each keeps, stops and brings back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use laconic_engine::address::ObjectKey;
use laconic_engine::plan::{
    Migration, Plan, QuiesceReason, Recreate, RecreateCourse, RecreatePhase, SecretReturn, VolumeMove,
};
use laconic_engine::resource::CertificateBackup;

use crate::view::style::{Palette, clean, count};

/// How many of a list are shown where not all are asked for.
const SHOWN: usize = 10;

/// Every recreate of a plan.
#[must_use]
pub fn recreates(plan: &Plan, all: bool, palette: Palette) -> String {
    let mut text = String::new();
    for recreate in &plan.recreates {
        let name = clean(&recreate.cluster);
        let heading = match recreate.course {
            RecreateCourse::Begins => format!("Recreate of cluster {name}, in one transaction:"),
            RecreateCourse::Resumes => format!("Recreate of cluster {name}, continued from its vault:"),
            RecreateCourse::Abandons => format!("Recreate of cluster {name}, given up before its deletion:"),
        };
        let _ = writeln!(text, "{}", palette.bold(&heading));
        for phase in &recreate.phases {
            let (sentence, list) = phase_lines(recreate, *phase);
            let _ = writeln!(text, "  {:<9} {sentence}", word(*phase));
            let shown = if all { list.len() } else { SHOWN };
            for line in list.iter().take(shown) {
                let _ = writeln!(text, "              {line}");
            }
            if let Some(more) = list.len().checked_sub(shown).filter(|more| *more > 0) {
                let _ =
                    writeln!(text, "              {}", palette.dim(&format!("and {more} more; --show-all lists them")));
            }
        }
        for (deployment, addresses) in &recreate.pending_edits {
            let edited = count(addresses.len(), "resource");
            let line =
                format!("{} comes back as recorded: edits of {edited} in its files are not applied", clean(deployment));
            let _ = writeln!(text, "  {}", palette.warn(&line));
        }
        text.push('\n');
    }
    text
}

/// The certificates that come back from a backup; of one that nobody saw there is nothing to say.
#[must_use]
pub fn certificates(plan: &Plan, palette: Palette) -> String {
    let mut text = String::new();
    for restore in &plan.certificate_restores {
        let Some(CertificateBackup::Saved { at }) = &restore.backup else { continue };
        let heading = format!("Certificates of cluster {}:", clean(&restore.cluster));
        let saved = at.as_ref().map(|at| format!(", saved {}", clean(at))).unwrap_or_default();
        let file = clean(&restore.file);
        let _ = writeln!(text, "{}", palette.bold(&heading));
        let _ = writeln!(text, "  restore   from {file}{saved}, before Caddy starts\n");
    }
    text
}

/// What a phase is called.
const fn word(phase: RecreatePhase) -> &'static str {
    match phase {
        RecreatePhase::Vault => "vault",
        RecreatePhase::Quiesce => "quiesce",
        RecreatePhase::Rescue => "rescue",
        RecreatePhase::Delete => "delete",
        RecreatePhase::Move => "move",
        RecreatePhase::Create => "create",
        RecreatePhase::RestoreSecrets | RecreatePhase::RestoreVolumes | RecreatePhase::RestoreObjects => "restore",
        RecreatePhase::Wait => "wait",
        RecreatePhase::Verify => "verify",
        RecreatePhase::Resume => "resume",
    }
}

fn phase_lines(recreate: &Recreate, phase: RecreatePhase) -> (String, Vec<String>) {
    let volumes = || recreate.volumes.iter().map(|one| clean(&format!("{}/{}", one.deployment, one.volume))).collect();
    match phase {
        RecreatePhase::Vault => (
            format!(
                "keep every Secret of {}, encrypted beside the state of the cluster{}",
                namespaces(recreate),
                match recreate.secrets.len() {
                    // Offline nobody looked.
                    0 => String::new(),
                    number => format!("; now {}:", count(number, "Secret")),
                }
            ),
            recreate.secrets.iter().map(|one| format!("{} ({})", name(&one.key), returns(one.returns))).collect(),
        ),
        RecreatePhase::Quiesce => (
            format!("stop {}, so that files are whole:", count(recreate.quiesced.len(), "workload")),
            recreate.quiesced.iter().map(|one| format!("{} ({})", name(&one.key), because(one.because))).collect(),
        ),
        RecreatePhase::Rescue => {
            (format!("keep the bytes of {} in the vault:", count(recreate.volumes.len(), "volume")), volumes())
        }
        RecreatePhase::Delete => ("the cluster".to_owned(), Vec::new()),
        RecreatePhase::Move => {
            let moves = recreate.migration.as_ref().map(Migration::on_host).unwrap_or_default();
            let root = recreate.migration.as_ref().map(|migration| clean(&migration.root)).unwrap_or_default();
            let way = |(from, to, one): &(&str, &str, &VolumeMove)| {
                clean(&format!("{}/{}: {from} -> {to}", one.deployment, one.volume))
            };
            let sentence = format!("the data of {} below {root}, nothing running:", count(moves.len(), "volume"));
            (sentence, moves.iter().map(way).collect())
        }
        RecreatePhase::Create => ("the cluster".to_owned(), Vec::new()),
        RecreatePhase::RestoreSecrets => {
            let as_was = recreate.secrets.iter().filter(|one| one.returns == SecretReturn::AsItWas).count();
            let sentence = match as_was {
                0 => "Secrets first".to_owned(),
                number => format!("Secrets first, {number} of them as they were"),
            };
            (sentence, Vec::new())
        }
        RecreatePhase::RestoreVolumes => {
            (format!("the bytes of {}, each compared:", count(recreate.volumes.len(), "volume")), volumes())
        }
        RecreatePhase::RestoreObjects => {
            let names = recreate.exported.iter().map(|name| clean(name)).collect::<Vec<_>>().join(", ");
            (format!("what no state records, as it is now: the objects of {names}"), Vec::new())
        }
        RecreatePhase::Wait => ("until everything else is back as recorded, and works".to_owned(), Vec::new()),
        RecreatePhase::Verify => {
            ("compare every Secret and volume with the vault, then delete the vault".to_owned(), Vec::new())
        }
        RecreatePhase::Resume if recreate.quiesced.is_empty() => {
            ("delete what is left of the vault".to_owned(), Vec::new())
        }
        RecreatePhase::Resume => (
            format!("start {} again, then delete the vault:", count(recreate.quiesced.len(), "workload")),
            recreate.quiesced.iter().map(|one| name(&one.key)).collect(),
        ),
    }
}

fn namespaces(recreate: &Recreate) -> String {
    let mut by_namespace: BTreeMap<&str, usize> = recreate.namespaces.iter().map(|name| (name.as_str(), 0)).collect();
    for secret in &recreate.secrets {
        *by_namespace.entry(&secret.key.namespace).or_default() += 1;
    }
    by_namespace.keys().map(|name| clean(name)).collect::<Vec<_>>().join(", ")
}

fn name(key: &ObjectKey) -> String {
    clean(&format!("{}/{}", key.namespace, key.name))
}

const fn returns(returns: SecretReturn) -> &'static str {
    match returns {
        SecretReturn::AsItWas => "comes back as it was",
        SecretReturn::AsRecorded => "comes back as recorded",
        SecretReturn::AsPlanned => "made as planned",
    }
}

const fn because(reason: QuiesceReason) -> &'static str {
    match reason {
        QuiesceReason::WritesToHost => "writes to the host",
        QuiesceReason::WritesToRescued => "writes to a rescued volume",
    }
}

/// What is being done in a phase.
#[must_use]
pub const fn doing(phase: RecreatePhase) -> &'static str {
    match phase {
        RecreatePhase::Vault => "Filling the vault",
        RecreatePhase::Quiesce => "Stopping what writes to volumes",
        RecreatePhase::Rescue => "Rescuing volumes",
        RecreatePhase::Delete => "Deleting",
        RecreatePhase::Move => "Moving data below the umbrella",
        RecreatePhase::Create => "Creating",
        RecreatePhase::RestoreSecrets => "Restoring Secrets",
        RecreatePhase::RestoreVolumes => "Restoring volumes",
        RecreatePhase::RestoreObjects => "Restoring objects",
        RecreatePhase::Wait => "Waiting",
        RecreatePhase::Verify => "Comparing with the vault",
        RecreatePhase::Resume => "Starting what was stopped",
    }
}

/// What was done in a phase.
#[must_use]
pub const fn done(phase: RecreatePhase) -> &'static str {
    match phase {
        RecreatePhase::Vault => "Vault filled",
        RecreatePhase::Quiesce => "What writes to volumes is stopped",
        RecreatePhase::Rescue => "Volumes rescued",
        RecreatePhase::Delete => "Deleted",
        RecreatePhase::Move => "Data moved below the umbrella",
        RecreatePhase::Create => "Created",
        RecreatePhase::RestoreSecrets => "Secrets restored",
        RecreatePhase::RestoreVolumes => "Volumes restored",
        RecreatePhase::RestoreObjects => "Objects restored",
        RecreatePhase::Wait => "Everything works",
        RecreatePhase::Verify => "Everything is as it was; the vault is deleted",
        RecreatePhase::Resume => "What was stopped runs again; the vault is deleted",
    }
}

/// What did not succeed in a phase.
#[must_use]
pub const fn failing(phase: RecreatePhase) -> &'static str {
    match phase {
        RecreatePhase::Vault => "filling the vault",
        RecreatePhase::Quiesce => "stopping what writes to volumes",
        RecreatePhase::Rescue => "rescuing volumes",
        RecreatePhase::Delete => "deleting",
        RecreatePhase::Move => "moving data below the umbrella",
        RecreatePhase::Create => "creating",
        RecreatePhase::RestoreSecrets => "restoring Secrets",
        RecreatePhase::RestoreVolumes => "restoring volumes",
        RecreatePhase::RestoreObjects => "restoring objects",
        RecreatePhase::Wait => "waiting",
        RecreatePhase::Verify => "comparing with the vault",
        RecreatePhase::Resume => "starting what was stopped",
    }
}
