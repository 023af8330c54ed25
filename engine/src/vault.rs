//! What is kept of a cluster while it is made anew, and the port to where it is kept.
//!
//! A vault is the journal of its transaction as well: what it holds changes as a whole, durable before the next step
//! begins, so that whoever comes after an interruption sees how far it got.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::address::ObjectKey;
use crate::plan::Migration;
use crate::value::{Digest, canonical_bytes};

/// Bytes that are wiped from memory when they are dropped.
pub type SecretBytes = Zeroizing<Vec<u8>>;

/// What a vault holds: names, places of items and digests. It is kept encrypted like the items themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultContents {
    /// The cluster.
    pub cluster: String,
    /// The node container of the cluster that everything was taken from.
    pub node: String,
    /// The Secrets.
    pub secrets: Vec<KeptSecret>,
    /// Whether every Secret was put back and compared.
    pub secrets_restored: bool,
    /// The bytes of volumes.
    pub volumes: Vec<KeptVolume>,
    /// The objects of deployments that no state records.
    pub objects: Vec<KeptObject>,
    /// The workloads that were stopped, with how many pods each ran.
    #[serde(with = "counts")]
    pub quiesced: BTreeMap<ObjectKey, u32>,
    /// What is moved below an umbrella between the deletion of the old cluster and the creation of the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
    /// Whether that was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// Whether it was given up and only its removal did not end.
    #[serde(default)]
    pub discarded: bool,
}

/// A Secret in a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSecret {
    /// Which.
    pub key: ObjectKey,
    /// The digest of its type and values.
    pub digest: Digest,
    /// The item that holds it.
    pub item: String,
    /// Whether it is left from an earlier recreate that did not bring it back.
    #[serde(default)]
    pub carried: bool,
}

/// The bytes of a volume in a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptVolume {
    /// The deployment.
    pub deployment: String,
    /// The volume, as the spec calls it.
    pub volume: String,
    /// Its claim.
    pub claim: ObjectKey,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The items that hold it, in order.
    pub items: Vec<String>,
    /// Whether the bytes were put back and compared.
    pub restored: bool,
    /// Whether they are left from an earlier recreate that did not bring them back.
    #[serde(default)]
    pub carried: bool,
}

/// An object in a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptObject {
    /// Which.
    pub key: ObjectKey,
    /// The item that holds it.
    pub item: String,
}

impl VaultContents {
    /// The Secret with that key.
    #[must_use]
    pub fn secret(&self, key: &ObjectKey) -> Option<&KeptSecret> {
        self.secrets.iter().find(|secret| secret.key == *key)
    }

    /// The volume of that deployment.
    #[must_use]
    pub fn volume(&self, deployment: &str, volume: &str) -> Option<&KeptVolume> {
        self.volumes.iter().find(|one| one.deployment == deployment && one.volume == volume)
    }

    /// Every item that is named.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        let secrets = self.secrets.iter().map(|secret| &secret.item);
        let volumes = self.volumes.iter().flat_map(|volume| &volume.items);
        let objects = self.objects.iter().map(|object| &object.item);
        secrets.chain(volumes).chain(objects).map(String::as_str)
    }
}

/// The digest of what matters of a Secret: its type and its values.
#[must_use]
pub fn secret_digest(secret: &Value) -> Digest {
    let empty = serde_json::Map::new();
    let data = secret["data"].as_object().unwrap_or(&empty);
    let kind = secret["type"].as_str().unwrap_or("Opaque");
    Digest::of(&serde_json::json!({"type": kind, "data": data}))
}

/// An object as it is put into a vault.
#[must_use]
pub fn sealed_form(object: &Value) -> SecretBytes {
    Zeroizing::new(canonical_bytes(object))
}

/// Why a vault could not be read or kept. Never says what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vault {place} {problem}")]
pub struct VaultError {
    /// Where it is.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Keeps what must survive a cluster, encrypted. Synchronous, as the state is: a step waits for it anyway.
pub trait Vault: Send + Sync {
    /// What the vault of a cluster holds; `None` when there is none. Writes nothing.
    ///
    /// # Errors
    /// A vault that is damaged, or whose key is gone.
    fn contents(&self, cluster: &str) -> Result<Option<VaultContents>, VaultError>;

    /// Puts bytes in and returns the name of their item. They count only once contents that name them are committed.
    ///
    /// # Errors
    /// Whatever keeps them from being durable.
    fn put(&self, cluster: &str, bytes: &[u8]) -> Result<String, VaultError>;

    /// The bytes of an item.
    ///
    /// # Errors
    /// An item that is missing or is not what was put in.
    fn get(&self, cluster: &str, item: &str) -> Result<SecretBytes, VaultError>;

    /// Has the vault of its cluster hold this from now on, as a whole or not at all; durable when it returns. Items that are
    /// not named are gone.
    ///
    /// # Errors
    /// Whatever keeps it from being durable; it holds what it held before then.
    fn commit(&self, contents: &VaultContents) -> Result<(), VaultError>;

    /// Gives a vault up, its key first; none is success.
    ///
    /// # Errors
    /// Whatever keeps it from being removed.
    fn discard(&self, cluster: &str) -> Result<(), VaultError>;

    /// Where the vault of a cluster is, for people.
    fn place(&self, cluster: &str) -> String;
}

/// Maps whose keys are no plain strings for every format, as lists of pairs.
mod counts {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::address::ObjectKey;

    pub fn serialize<S: Serializer>(map: &BTreeMap<ObjectKey, u32>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<ObjectKey, u32>, D::Error> {
        Ok(Vec::<(ObjectKey, u32)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_its_type_and_its_values() {
        let one = json!({"metadata": {"uid": "1"}, "type": "Opaque", "data": {"a": "Yg=="}});
        let same = json!({"metadata": {"uid": "2", "labels": {"x": "y"}}, "data": {"a": "Yg=="}});
        assert_eq!(secret_digest(&one), secret_digest(&same));
        assert_ne!(secret_digest(&one), secret_digest(&json!({"data": {"a": "Yw=="}})));
        assert_ne!(secret_digest(&one), secret_digest(&json!({"type": "x/y", "data": {"a": "Yg=="}})));
    }
}
