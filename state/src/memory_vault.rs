//! Vaults in memory: for rehearsals, and for tests that let them fail at any write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use laconic_engine::vault::{SecretBytes, Vault, VaultContents, VaultError};
use zeroize::Zeroizing;

/// Keeps vaults in memory. Clones share them; [`MemoryVault::fork`] copies them.
#[derive(Clone, Default)]
pub struct MemoryVault {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Clone, Default)]
struct Inner {
    vaults: BTreeMap<String, Kept>,
    made: u64,
    written: u64,
    /// How many more writes will be durable; `None` for all.
    left: Option<u64>,
}

#[derive(Clone, Default)]
struct Kept {
    contents: Option<VaultContents>,
    items: BTreeMap<String, SecretBytes>,
}

impl std::fmt::Debug for MemoryVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryVault")
    }
}

impl MemoryVault {
    /// A copy of other vaults, for a rehearsal.
    ///
    /// # Errors
    /// A vault that cannot be read.
    pub fn copy_of<'a>(vault: &dyn Vault, clusters: impl Iterator<Item = &'a str>) -> Result<Self, VaultError> {
        let copy = Self::default();
        for cluster in clusters {
            let Some(contents) = vault.contents(cluster)? else { continue };
            let items = contents.items().map(|item| Ok((item.to_owned(), vault.get(cluster, item)?)));
            let items = items.collect::<Result<_, VaultError>>()?;
            copy.inner().vaults.insert(cluster.to_owned(), Kept { contents: Some(contents), items });
        }
        Ok(copy)
    }

    /// A copy of what is durable, without faults.
    #[must_use]
    pub fn fork(&self) -> Self {
        let copy = Inner { left: None, ..self.inner().clone() };
        Self { inner: Arc::new(Mutex::new(copy)) }
    }

    /// Lets so many more writes succeed; every later one fails: the process or its disk died there.
    pub fn fail_after(&self, count: u64) {
        self.inner().left = Some(count);
    }

    /// How many writes there were.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.inner().written
    }

    /// Whether nothing is left of any vault.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner().vaults.is_empty()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong(&self, cluster: &str, problem: &str) -> VaultError {
        VaultError { place: self.place(cluster), problem: problem.to_owned() }
    }

    fn write(&self, cluster: &str) -> Result<MutexGuard<'_, Inner>, VaultError> {
        let mut inner = self.inner();
        match &mut inner.left {
            Some(0) => return Err(self.wrong(cluster, "cannot be written: a fault was asked for")),
            Some(left) => *left -= 1,
            None => {}
        }
        inner.written += 1;
        Ok(inner)
    }
}

impl Vault for MemoryVault {
    fn contents(&self, cluster: &str) -> Result<Option<VaultContents>, VaultError> {
        Ok(self.inner().vaults.get(cluster).and_then(|kept| kept.contents.clone()))
    }

    fn put(&self, cluster: &str, bytes: &[u8]) -> Result<String, VaultError> {
        let mut inner = self.write(cluster)?;
        inner.made += 1;
        let name = format!("{:032x}", inner.made);
        let items = &mut inner.vaults.entry(cluster.to_owned()).or_default().items;
        items.insert(name.clone(), Zeroizing::new(bytes.to_vec()));
        Ok(name)
    }

    fn get(&self, cluster: &str, item: &str) -> Result<SecretBytes, VaultError> {
        let inner = self.inner();
        let found = inner.vaults.get(cluster).and_then(|kept| kept.items.get(item)).cloned();
        found.ok_or_else(|| self.wrong(cluster, "is damaged: an item is missing"))
    }

    fn commit(&self, contents: &VaultContents) -> Result<(), VaultError> {
        let mut inner = self.write(&contents.cluster)?;
        let kept = inner.vaults.entry(contents.cluster.clone()).or_default();
        kept.items.retain(|name, _| contents.items().any(|named| named == name));
        kept.contents = Some(contents.clone());
        Ok(())
    }

    fn discard(&self, cluster: &str) -> Result<(), VaultError> {
        self.write(cluster)?.vaults.remove(cluster);
        Ok(())
    }

    fn place(&self, cluster: &str) -> String {
        format!("of {cluster} in memory")
    }
}
