//! The phases of a recreate that are no steps of changes: filling the vault, stopping what writes, bringing back, comparing.
//!
//! Every phase can be done again from its start. What it has achieved is committed to the vault before it ends, and only
//! the last one deletes the vault.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::address::{ObjectKey, ResourceType};
use crate::apply::drive::Sink;
use crate::apply::options::{Apply, RecreatePorts};
use crate::apply::ports::EnactError;
use crate::apply::volume_bytes;
use crate::plan::recreate::{Recreate, RecreateCourse, RecreatePhase, SecretReturn};
use crate::plan::transaction::is_made_by_cluster;
use crate::redact::redact;
use crate::secret::{SecretSource, SecretValue, SecretValues};
use crate::vault::{
    KeptObject, KeptSecret, KeptVolume, SecretBytes, VaultContents, VaultError, sealed_form, secret_digest,
};

/// Why a phase did not end well; free of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhaseFailure {
    /// For people.
    pub error: String,
    /// Whether it means that the plan no longer fits the world.
    pub stale: bool,
}

impl From<String> for PhaseFailure {
    fn from(error: String) -> Self {
        Self { error, stale: false }
    }
}

impl From<VaultError> for PhaseFailure {
    fn from(error: VaultError) -> Self {
        Self { error: error.to_string(), stale: false }
    }
}

/// What a phase works with.
pub(crate) struct Phase<'a> {
    pub(crate) apply: &'a Apply<'a>,
    pub(crate) ports: &'a RecreatePorts<'a>,
    pub(crate) recreate: &'a Recreate,
}

/// Does one phase.
pub(crate) async fn carry_out(
    apply: &Apply<'_>,
    recreate: &Recreate,
    phase: RecreatePhase,
    _sink: &Sink<'_>,
) -> Result<(), PhaseFailure> {
    let ports = apply.recreate.as_ref().ok_or_else(|| "there is no vault here".to_owned())?;
    let one = Phase { apply, ports, recreate };
    match phase {
        RecreatePhase::Vault => one.fill().await,
        RecreatePhase::Quiesce => one.quiesce().await,
        RecreatePhase::Rescue => volume_bytes::rescue(&one).await,
        RecreatePhase::Move => one.relocate().await,
        RecreatePhase::RestoreSecrets => one.restore_secrets().await,
        RecreatePhase::RestoreVolumes => volume_bytes::restore(&one).await,
        RecreatePhase::RestoreObjects => one.restore_objects().await,
        RecreatePhase::Verify => one.verify().await,
        RecreatePhase::Resume => one.resume().await,
        RecreatePhase::Delete | RecreatePhase::Create | RecreatePhase::Wait => Ok(()),
    }
}

impl Phase<'_> {
    /// The contents of the vault, which must be there.
    pub(crate) fn contents(&self) -> Result<VaultContents, PhaseFailure> {
        let found = self.ports.vault.contents(&self.recreate.cluster)?;
        let place = || self.ports.vault.place(&self.recreate.cluster);
        found.filter(|contents| !contents.discarded).ok_or_else(|| PhaseFailure {
            error: format!("the vault {} is gone since the plan was made", place()),
            stale: true,
        })
    }

    /// Does something that may fail for a passing reason.
    pub(crate) async fn again<T, F: Future<Output = Result<T, EnactError>>>(
        &self,
        one: impl FnMut() -> F,
    ) -> Result<T, PhaseFailure> {
        again(self.apply, one).await.map_err(|error| {
            let stale = matches!(error, EnactError::Stale(_));
            PhaseFailure { error: error.to_string(), stale }
        })
    }

    async fn live_secrets(&self, namespaces: &BTreeSet<String>) -> Result<BTreeMap<ObjectKey, Value>, PhaseFailure> {
        let namespaces: Vec<String> = namespaces.iter().cloned().collect();
        let target = &self.recreate.target;
        let found = self.again(|| self.ports.rescue.secrets(target, &namespaces)).await?;
        let kept =
            |(key, secret): &(ObjectKey, Value)| !is_made_by_cluster(secret) && !self.recreate.dropped.contains(key);
        Ok(found.into_iter().filter(kept).collect())
    }

    fn put(&self, object: &Value) -> Result<String, VaultError> {
        self.ports.vault.put(&self.recreate.cluster, &sealed_form(object))
    }

    fn object(&self, item: &str) -> Result<Value, PhaseFailure> {
        let bytes: SecretBytes = self.ports.vault.get(&self.recreate.cluster, item)?;
        // What the parser says may quote what it read.
        serde_json::from_slice(&bytes).map_err(|_| {
            let place = self.ports.vault.place(&self.recreate.cluster);
            PhaseFailure::from(format!("the vault {place} holds an item that is no object"))
        })
    }

    /// Every Secret, and everything of deployments that nobody recorded, is put into the vault. Nothing is touched.
    async fn fill(&self) -> Result<(), PhaseFailure> {
        let recreate = self.recreate;
        let before = self.ports.vault.contents(&recreate.cluster)?.filter(|contents| !contents.discarded);
        let mut contents = VaultContents {
            cluster: recreate.cluster.clone(),
            node: recreate.node.clone(),
            quiesced: recreate.quiesced.iter().map(|one| (one.key.clone(), one.replicas)).collect(),
            migration: recreate.migration.clone(),
            ..VaultContents::default()
        };
        for (key, secret) in self.live_secrets(&recreate.namespaces).await? {
            let secret = clean_secret(&key, &secret);
            let item = self.put(&secret)?;
            contents.secrets.push(KeptSecret { digest: secret_digest(&secret), key, item, carried: false });
        }
        let exported: Vec<String> = recreate.exported.iter().cloned().collect();
        if !exported.is_empty() {
            let target = &recreate.target;
            for (key, mut object) in self.again(|| self.ports.rescue.export(target, &exported)).await? {
                // An earlier run may have stopped it.
                if let Some(replicas) = contents.quiesced.get(&key) {
                    object["spec"]["replicas"] = Value::from(*replicas);
                }
                let item = self.put(&object)?;
                contents.objects.push(KeptObject { key, item });
            }
        }
        if let Some(before) = before {
            carry_over(&mut contents, before);
        }
        self.ports.vault.commit(&contents)?;
        self.check_values(&contents)
    }

    /// Every value that a Secret of this plan is made with is here or in the vault: after the deletion it is too late to ask.
    fn check_values(&self, contents: &VaultContents) -> Result<(), PhaseFailure> {
        for change in &self.apply.plan.changes {
            let Some(after) = change.after.as_ref().filter(|_| change.target == self.recreate.target) else { continue };
            let Err(missing) = crate::secret::materialize(after, self.apply.secrets) else { continue };
            let copy = contents.secret(&change.key).map(|kept| self.object(&kept.item)).transpose()?;
            let filled = copy.and_then(|copy| crate::secret::materialize_from(after, &copy, self.apply.secrets));
            if filled.is_none() {
                return Err(PhaseFailure::from(format!(
                    "{missing}, and {} needs it; nothing was touched",
                    change.address
                )));
            }
        }
        Ok(())
    }

    /// What writes to files that stay is stopped, and waited for.
    async fn quiesce(&self) -> Result<(), PhaseFailure> {
        let target = &self.recreate.target;
        for workload in &self.recreate.quiesced {
            self.again(|| self.ports.rescue.scale(target, &workload.key, 0)).await?;
        }
        let begun = self.apply.clock.elapsed();
        for workload in &self.recreate.quiesced {
            loop {
                let left = self.again(|| self.ports.rescue.running(target, &workload.key)).await?;
                if left == 0 {
                    break;
                }
                let waited = self.apply.clock.elapsed().saturating_sub(begun);
                if waited >= self.apply.options.timeout {
                    let name = shown(&workload.key);
                    return Err(PhaseFailure::from(format!(
                        "{left} pods of {name} did not end within {} s; the cluster was not touched",
                        waited.as_secs()
                    )));
                }
                self.apply.clock.sleep(self.apply.options.poll).await;
            }
        }
        Ok(())
    }

    /// Directories of the host are moved below the umbrella. Each move can be done again: it sees that it was done.
    async fn relocate(&self) -> Result<(), PhaseFailure> {
        let mut contents = self.contents()?;
        // What was to be moved when it began; the plan that goes on with it may have seen a part of it only.
        let Some(migration) = contents.migration.clone().filter(|_| !contents.moved) else { return Ok(()) };
        for (from, to, one) in migration.on_host() {
            let moved = self.again(|| self.ports.rescue.relocate(&self.recreate.target, from, to)).await;
            moved.map_err(|failure| PhaseFailure {
                error: format!("the volume {}/{}: {}", one.deployment, one.volume, failure.error),
                ..failure
            })?;
        }
        contents.moved = true;
        Ok(self.ports.vault.commit(&contents)?)
    }

    /// Secrets that no change makes come back as they were.
    async fn restore_secrets(&self) -> Result<(), PhaseFailure> {
        let mut contents = self.contents()?;
        if contents.secrets_restored {
            return Ok(());
        }
        let target = &self.recreate.target;
        for kept in contents.objects.iter().filter(|one| one.key.resource_type == ResourceType::Namespace) {
            let namespace = self.object(&kept.item)?;
            self.again(|| self.ports.rescue.restore(target, &kept.key, &namespace)).await?;
        }
        let live = self.live_secrets(&self.namespaces_of(&contents)).await?;
        for kept in self.as_they_were(&contents) {
            if live.contains_key(&kept.key) {
                continue;
            }
            let secret = self.object(&kept.item)?;
            let restored = self.again(|| self.ports.rescue.restore(target, &kept.key, &secret)).await;
            restored.map_err(|failure| PhaseFailure {
                error: redact(&format!("{}: {}", shown(&kept.key), failure.error), &values_of(&secret)),
                ..failure
            })?;
        }
        let live = self.live_secrets(&self.namespaces_of(&contents)).await?;
        let unlike = differing(self.as_they_were(&contents), &live);
        if !unlike.is_empty() {
            return Err(self.unlike(&unlike));
        }
        contents.secrets_restored = true;
        Ok(self.ports.vault.commit(&contents)?)
    }

    fn as_they_were<'c>(&self, contents: &'c VaultContents) -> impl Iterator<Item = &'c KeptSecret> {
        let recreate = self.recreate;
        contents.secrets.iter().filter(move |kept| {
            recreate.returns(&kept.key) == SecretReturn::AsItWas && !recreate.dropped.contains(&kept.key)
        })
    }

    #[expect(clippy::unused_self, reason = "read with the other questions to a phase")]
    fn namespaces_of(&self, contents: &VaultContents) -> BTreeSet<String> {
        contents.secrets.iter().map(|secret| secret.key.namespace.to_string()).collect()
    }

    fn unlike(&self, keys: &[String]) -> PhaseFailure {
        let place = self.ports.vault.place(&self.recreate.cluster);
        let text = format!("not as before the recreate: {}; the vault stays in {place}", keys.join(", "));
        PhaseFailure::from(text)
    }

    /// The objects of deployments that nobody recorded come back as they were.
    async fn restore_objects(&self) -> Result<(), PhaseFailure> {
        let contents = self.contents()?;
        let target = &self.recreate.target;
        let mut objects: Vec<&KeptObject> = contents.objects.iter().collect();
        // Types are declared in the order in which they need each other.
        objects.sort_by(|left, right| left.key.cmp(&right.key));
        for kept in objects {
            let object = self.object(&kept.item)?;
            let restored = self.again(|| self.ports.rescue.restore(target, &kept.key, &object)).await;
            restored.map_err(|failure| PhaseFailure {
                error: format!("{}: {}", shown(&kept.key), failure.error),
                ..failure
            })?;
        }
        Ok(())
    }

    /// Everything is as it was, and the vault is no longer needed.
    async fn verify(&self) -> Result<(), PhaseFailure> {
        let contents = self.contents()?;
        let live = self.live_secrets(&self.namespaces_of(&contents)).await?;
        let is_recorded = |key: &ObjectKey| self.recreate.returns(key) == SecretReturn::AsRecorded;
        let recorded = contents.secrets.iter().filter(|kept| is_recorded(&kept.key));
        let mut unlike = differing(recorded, &live);
        // Those that came back as they were have been compared, and may have been renewed since.
        let missing = contents.secrets.iter().filter(|kept| !self.recreate.dropped.contains(&kept.key));
        unlike.extend(missing.filter(|kept| !live.contains_key(&kept.key)).map(|kept| shown(&kept.key)));
        unlike.extend(
            contents
                .volumes
                .iter()
                .filter(|volume| !volume.restored)
                .map(|volume| format!("the volume {}/{}", volume.deployment, volume.volume)),
        );
        unlike.sort();
        unlike.dedup();
        if !unlike.is_empty() {
            return Err(self.unlike(&unlike));
        }
        Ok(self.ports.vault.discard(&self.recreate.cluster)?)
    }

    /// What was stopped for a recreate that is not wanted any more runs again.
    async fn resume(&self) -> Result<(), PhaseFailure> {
        let target = &self.recreate.target;
        for workload in &self.recreate.quiesced {
            self.again(|| self.ports.rescue.scale(target, &workload.key, workload.replicas)).await?;
        }
        Ok(self.ports.vault.discard(&self.recreate.cluster)?)
    }
}

/// Does something that may fail for a passing reason; the error is free of secrets.
pub(crate) async fn again<T, F: Future<Output = Result<T, EnactError>>>(
    apply: &Apply<'_>,
    mut one: impl FnMut() -> F,
) -> Result<T, EnactError> {
    let mut pause = Duration::from_millis(250);
    let mut attempt = 1;
    loop {
        match one().await {
            Ok(done) => return Ok(done),
            Err(EnactError::Transient(_)) if attempt < apply.options.attempts => {
                attempt += 1;
                apply.clock.sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
            Err(error) => return Err(error.redacted(apply.secrets)),
        }
    }
}

/// What an earlier recreate did not bring back stays in the vault when it is filled again.
fn carry_over(contents: &mut VaultContents, before: VaultContents) {
    // What was taken from this very cluster is taken again.
    let from_here = before.node == contents.node;
    if !before.secrets_restored {
        let is_left = |kept: &KeptSecret| (!from_here || kept.carried) && contents.secret(&kept.key).is_none();
        let left: Vec<KeptSecret> = before.secrets.into_iter().filter(is_left).collect();
        contents.secrets.extend(left.into_iter().map(|kept| KeptSecret { carried: true, ..kept }));
    }
    let left = before.volumes.into_iter().filter(|volume| !volume.restored && (!from_here || volume.carried));
    contents.volumes.extend(left.map(|volume| KeptVolume { carried: true, ..volume }));
    let there: BTreeSet<ObjectKey> = contents.objects.iter().map(|one| one.key.clone()).collect();
    contents.objects.extend(before.objects.into_iter().filter(|one| !there.contains(&one.key)));
}

/// The Secrets that are not there with the same values.
fn differing<'a>(kept: impl Iterator<Item = &'a KeptSecret>, live: &BTreeMap<ObjectKey, Value>) -> Vec<String> {
    let is_same = |kept: &KeptSecret| live.get(&kept.key).is_some_and(|secret| secret_digest(secret) == kept.digest);
    kept.filter(|kept| !is_same(kept)).map(|kept| shown(&kept.key)).collect()
}

/// A Secret without what its server keeps of it.
fn clean_secret(key: &ObjectKey, secret: &Value) -> Value {
    let mut metadata = serde_json::json!({"name": &*key.name, "namespace": &*key.namespace});
    for member in ["labels", "annotations"] {
        if let Some(Value::Object(map)) = secret["metadata"].get(member) {
            let mut map = map.clone();
            // A copy of everything, and no longer true once the object is another one.
            map.remove("kubectl.kubernetes.io/last-applied-configuration");
            if !map.is_empty() {
                metadata[member] = Value::Object(map);
            }
        }
    }
    let mut clean = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata});
    for member in ["type", "data", "immutable"] {
        if let Some(value) = secret.get(member) {
            clean[member] = value.clone();
        }
    }
    clean
}

/// The values of a Secret, to take them out of what a server says about it.
pub(crate) fn values_of(secret: &Value) -> SecretValues {
    let data = secret["data"].as_object();
    let texts = data.into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let mut values = SecretValues::new();
    for (name, text) in texts {
        let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let plain = decoded.map(|plain| (SecretSource::File(format!("decoded {name}")), SecretValue::new(plain)));
        values.extend(plain);
        values.insert(SecretSource::File(name.clone()), SecretValue::new(text.to_owned()));
    }
    values
}

/// An object's name, for people.
pub(crate) fn shown(key: &ObjectKey) -> String {
    let namespace = if key.namespace.is_empty() { String::new() } else { format!("{}/", key.namespace) };
    format!("{} {namespace}{}", key.resource_type.kind(), key.name)
}

/// Whether a change of a Secret may take its values from the vault, and whether it must: a deployment that comes back as
/// recorded has the values it had.
pub(crate) fn returns_from_vault(
    recreates: &[Recreate],
    change: &crate::plan::Change,
) -> Option<(String, SecretReturn)> {
    if change.address.resource_type != ResourceType::Secret {
        return None;
    }
    let recreate = recreates
        .iter()
        .find(|recreate| recreate.target == change.target && recreate.course != RecreateCourse::Abandons)?;
    let kept = recreate.secrets.iter().find(|secret| secret.key == change.key)?;
    Some((recreate.cluster.clone(), kept.returns))
}
