//! The bytes of volumes on their way into the vault and back, compared at the end of each way.

use sha2::{Digest as _, Sha256};

use crate::address::ObjectKey;
use crate::apply::ports::EnactError;
use crate::apply::recreate::{Phase, PhaseFailure};
use crate::value::{Digest, hexadecimal};
use crate::vault::KeptVolume;

/// The chosen volumes are put into the vault.
pub(crate) async fn rescue(phase: &Phase<'_>) -> Result<(), PhaseFailure> {
    let (vault, cluster) = (phase.ports.vault, &phase.recreate.cluster);
    for chosen in &phase.recreate.volumes {
        let mut contents = phase.contents()?;
        let is_same = |one: &KeptVolume| one.deployment == chosen.deployment && one.volume == chosen.volume;
        // What an earlier recreate did not bring back is in the vault and nowhere else.
        if contents.volumes.iter().any(|one| is_same(one) && one.carried) {
            continue;
        }
        let mut attempt = 1;
        let (items, digest) = loop {
            let mut items: Vec<String> = Vec::new();
            let mut hash = Sha256::new();
            let mut sink = |bytes: &[u8]| {
                hash.update(bytes);
                items.push(vault.put(cluster, bytes).map_err(|error| error.to_string())?);
                Ok(())
            };
            let read = phase.ports.rescue.read_volume(&phase.recreate.target, &chosen.claim, &mut sink).await;
            match read {
                Ok(()) => break (items, digest_of(hash)?),
                Err(EnactError::Transient(_)) if attempt < phase.apply.options.attempts => attempt += 1,
                Err(error) => return Err(failure(phase, chosen_name(&chosen.deployment, &chosen.volume), error)),
            }
        };
        contents.volumes.retain(|one| !is_same(one));
        contents.volumes.push(KeptVolume {
            deployment: chosen.deployment.clone(),
            volume: chosen.volume.clone(),
            claim: chosen.claim.clone(),
            digest,
            items,
            restored: false,
            carried: false,
        });
        vault.commit(&contents)?;
    }
    Ok(())
}

/// The volumes in the vault are put back, each compared before anything can write to it.
pub(crate) async fn restore(phase: &Phase<'_>) -> Result<(), PhaseFailure> {
    let (vault, cluster) = (phase.ports.vault, &phase.recreate.cluster);
    for chosen in &phase.recreate.volumes {
        let mut contents = phase.contents()?;
        let found = contents
            .volumes
            .iter_mut()
            .find(|one| one.deployment == chosen.deployment && one.volume == chosen.volume && !one.restored);
        let Some(kept) = found else { continue };
        let name = || chosen_name(&chosen.deployment, &chosen.volume);
        let mut attempt = 1;
        loop {
            let mut next = kept.items.iter();
            let mut source = || {
                let item = next.next().map(|item| vault.get(cluster, item)).transpose();
                item.map_err(|error| error.to_string())
            };
            match phase.ports.rescue.write_volume(&phase.recreate.target, &chosen.into, &mut source).await {
                Ok(()) => break,
                Err(EnactError::Transient(_)) if attempt < phase.apply.options.attempts => attempt += 1,
                Err(error) => return Err(failure(phase, name(), error)),
            }
        }
        if digest(phase, &chosen.into).await.map_err(|error| failure(phase, name(), error))? != kept.digest {
            let place = vault.place(cluster);
            let text = format!("{} is not as it was before the recreate; the vault stays in {place}", name());
            return Err(PhaseFailure::from(text));
        }
        kept.restored = true;
        vault.commit(&contents)?;
    }
    Ok(())
}

async fn digest(phase: &Phase<'_>, claim: &ObjectKey) -> Result<Digest, EnactError> {
    let mut hash = Sha256::new();
    let mut sink = |bytes: &[u8]| {
        hash.update(bytes);
        Ok(())
    };
    phase.ports.rescue.read_volume(&phase.recreate.target, claim, &mut sink).await?;
    digest_of(hash).map_err(|failure| EnactError::Refused(failure.error))
}

fn digest_of(hash: Sha256) -> Result<Digest, PhaseFailure> {
    Digest::parse(&hexadecimal(&hash.finalize()))
        .ok_or_else(|| PhaseFailure::from("a digest of another length than every digest has".to_owned()))
}

fn chosen_name(deployment: &str, volume: &str) -> String {
    format!("the volume {deployment}/{volume}")
}

fn failure(phase: &Phase<'_>, name: String, error: EnactError) -> PhaseFailure {
    let stale = matches!(error, EnactError::Stale(_));
    PhaseFailure { error: format!("{name}: {}", error.redacted(phase.apply.secrets)), stale }
}
