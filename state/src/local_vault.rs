//! Vaults in the directories of clusters' states: encrypted files and, beside them, the key they are encrypted under.
//!
//! ```text
//! clusters/NAME/vault.key     64 hexadecimal digits, readable by us only
//! clusters/NAME/vault/contents
//! clusters/NAME/vault/ITEM…
//! ```
//!
//! A file is a header, 24 random bytes and what XChaCha20-Poly1305 makes of the content; the cluster's and the file's name
//! are authenticated with it, so that no file can be put in the place of another. The contents are replaced as a whole, and
//! an item counts only when they name it. A vault that is given up loses its name first, then its key, then its files.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use laconic_engine::value::hexadecimal;
use laconic_engine::vault::{SecretBytes, Vault, VaultContents, VaultError};
use zeroize::{Zeroize as _, Zeroizing};

use crate::disk::Disk;
use crate::secret_store::{load_key_of, load_or_create_key_of};

/// The directory of a vault, in that of its cluster's state.
pub const VAULT: &str = "vault";
/// The name of its key, beside it.
pub const VAULT_KEY: &str = "vault.key";
/// What a vault is called that is being removed.
const DISCARDED: &str = "vault.discarded";
/// The file that names the others.
const CONTENTS: &str = "contents";
/// The first bytes of every file; they name the format.
const HEADER: &[u8] = b"laconic vault 1\n";
/// How many random bytes are in front of what is encrypted.
const NONCE: usize = 24;
/// How many random bytes name an item.
const NAME: usize = 16;

/// Keeps vaults in the directory of clusters' states.
#[derive(Clone, Debug)]
pub struct LocalVault {
    clusters: PathBuf,
    disk: Disk,
}

impl LocalVault {
    /// The vaults beside the states of clusters, in `clusters/` of a state directory.
    #[must_use]
    pub fn new(state_directory: &Path) -> Self {
        Self { clusters: state_directory.join("clusters"), disk: Disk::default() }
    }

    /// The same on that disk.
    #[must_use]
    pub fn on(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    fn cluster(&self, cluster: &str) -> Result<PathBuf, VaultError> {
        let plain = !cluster.is_empty()
            && !cluster.starts_with('.')
            && !cluster.contains(|character: char| matches!(character, '/' | '\\') || character.is_control());
        if plain { Ok(self.clusters.join(cluster)) } else { Err(self.wrong(cluster, "has no place of its own")) }
    }

    fn wrong(&self, cluster: &str, problem: impl Into<String>) -> VaultError {
        VaultError { place: self.place(cluster), problem: problem.into() }
    }

    fn kept<T>(&self, cluster: &str, verb: &str, result: io::Result<T>) -> Result<T, VaultError> {
        result.map_err(|error| self.wrong(cluster, format!("cannot be {verb}: {error}")))
    }

    fn key(&self, cluster: &str) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let directory = self.cluster(cluster)?;
        match load_key_of(&directory, VAULT_KEY) {
            Ok(Some(key)) => Ok(Zeroizing::new(key)),
            Ok(None) => {
                let problem = format!("cannot be read: its key {} is gone", directory.join(VAULT_KEY).display());
                Err(self.wrong(cluster, problem))
            }
            Err(error) => Err(self.wrong(cluster, format!("cannot be read: {error}"))),
        }
    }

    fn read(&self, cluster: &str, name: &str) -> Result<Option<SecretBytes>, VaultError> {
        let path = self.cluster(cluster)?.join(VAULT).join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return self.kept(cluster, "read", Err(error)),
        };
        let damaged = || self.wrong(cluster, format!("is damaged: {name} is not what was written"));
        let sealed = bytes.strip_prefix(HEADER).and_then(|rest| rest.split_at_checked(NONCE));
        let (nonce, sealed) = sealed.ok_or_else(damaged)?;
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| damaged())?;
        let associated = associated(cluster, name);
        let key = self.key(cluster)?;
        let open = cipher(&key).decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: associated.as_bytes() });
        Ok(Some(Zeroizing::new(open.map_err(|_| damaged())?)))
    }

    fn write(&self, cluster: &str, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        let directory = self.cluster(cluster)?;
        let key = load_or_create_key_of(&self.disk, &directory, VAULT_KEY)
            .map(Zeroizing::new)
            .map_err(|error| self.wrong(cluster, format!("cannot be written: {error}")))?;
        let mut nonce = [0; NONCE];
        self.random(cluster, &mut nonce)?;
        let associated = associated(cluster, name);
        let sealed = cipher(&key)
            .encrypt(&XNonce::from(nonce), Payload { msg: bytes, aad: associated.as_bytes() })
            .map_err(|_| self.wrong(cluster, "cannot be written: an item is too large"))?;
        let file = [HEADER, &nonce, &sealed].concat();
        let folder = directory.join(VAULT);
        let write = || {
            self.disk.create_directory(&folder)?;
            self.disk.replace(&folder.join(name), &file, &|| Ok(()))?;
            self.disk.sync_directory(&folder)?;
            self.disk.sync_directory(&directory)
        };
        self.kept(cluster, "written", write())
    }

    fn random(&self, cluster: &str, bytes: &mut [u8]) -> Result<(), VaultError> {
        getrandom::fill(bytes).map_err(|error| self.wrong(cluster, format!("has no random numbers: {error}")))
    }

    /// Removes the files that no contents name, and what an earlier removal left.
    fn clean_up(&self, directory: &Path, named: &BTreeSet<&str>) -> io::Result<()> {
        self.remove_all(&directory.join(DISCARDED))?;
        let folder = directory.join(VAULT);
        for path in files(&folder)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name != CONTENTS && !named.contains(name.as_str()) {
                self.disk.remove(&path)?;
            }
        }
        Ok(())
    }

    fn remove_all(&self, folder: &Path) -> io::Result<()> {
        for path in files(folder)? {
            self.disk.remove(&path)?;
        }
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    let mut key = Key::from(*key);
    let cipher = XChaCha20Poly1305::new(&key);
    key.as_mut_slice().zeroize();
    cipher
}

fn associated(cluster: &str, name: &str) -> String {
    format!("{cluster}/{name}")
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl Vault for LocalVault {
    fn contents(&self, cluster: &str) -> Result<Option<VaultContents>, VaultError> {
        let directory = self.cluster(cluster)?;
        if let Some(bytes) = self.read(cluster, CONTENTS)? {
            let contents = serde_json::from_slice(&bytes);
            return contents.map(Some).map_err(|_| self.wrong(cluster, "holds contents of another version"));
        }
        let left = directory.join(DISCARDED).is_dir();
        let discarded = VaultContents { cluster: cluster.to_owned(), discarded: true, ..VaultContents::default() };
        Ok(left.then_some(discarded))
    }

    fn put(&self, cluster: &str, bytes: &[u8]) -> Result<String, VaultError> {
        let mut name = [0; NAME];
        self.random(cluster, &mut name)?;
        let name = hexadecimal(&name);
        self.write(cluster, &name, bytes)?;
        Ok(name)
    }

    fn get(&self, cluster: &str, item: &str) -> Result<SecretBytes, VaultError> {
        let is_item = !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_hexdigit());
        let found = if is_item { self.read(cluster, item)? } else { None };
        found.ok_or_else(|| self.wrong(cluster, "is damaged: an item is missing"))
    }

    fn commit(&self, contents: &VaultContents) -> Result<(), VaultError> {
        let cluster = &contents.cluster;
        let bytes = serde_json::to_vec(contents).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| self.wrong(cluster, "cannot be written: its contents are no JSON"))?;
        self.write(cluster, CONTENTS, &bytes)?;
        let named = contents.items().collect();
        let cleaned = self.clean_up(&self.cluster(cluster)?, &named);
        self.kept(cluster, "tidied", cleaned)
    }

    fn discard(&self, cluster: &str) -> Result<(), VaultError> {
        let directory = self.cluster(cluster)?;
        if !directory.is_dir() {
            return Ok(());
        }
        let (folder, discarded) = (directory.join(VAULT), directory.join(DISCARDED));
        let discard = || {
            if folder.is_dir() {
                self.remove_all(&discarded)?;
                self.disk.rename(&folder, &discarded)?;
                self.disk.sync_directory(&directory)?;
            }
            self.disk.remove(&directory.join(VAULT_KEY))?;
            self.disk.sync_directory(&directory)?;
            self.remove_all(&discarded)?;
            self.disk.sync_directory(&directory)
        };
        self.kept(cluster, "removed", discard())
    }

    fn place(&self, cluster: &str) -> String {
        self.clusters.join(cluster).join(VAULT).display().to_string()
    }
}
