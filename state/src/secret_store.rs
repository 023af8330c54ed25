//! The secrets beside the state: the key of the fingerprints, and the values that were made by us.
//!
//! Both are in the directory the state is in, readable by us only, and in no other file.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use laconic_engine::secret::SecretValue;
use laconic_engine::value::{Digest, hexadecimal};

use crate::disk::Disk;

/// The name of the key's file.
pub const KEY: &str = "key";
/// The name of the file of generated values.
pub const SECRETS: &str = "secrets";

/// Far more than any key needs; keeps a typing error from asking for gigabytes.
const MOST_BYTES: u32 = 64 * 1024;

/// Why a key or a value could not be had or kept. Never says what is in a file.
#[derive(Debug, thiserror::Error)]
pub enum SecretStoreError {
    /// A file is not what was written.
    #[error("{path}: {problem}; restore it from a backup, or move it away to have new values made")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More random bytes were asked for than any secret needs.
    #[error("{bytes} random bytes were asked for, the most is {MOST_BYTES}")]
    TooLong {
        /// How many.
        bytes: u32,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    System {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

fn refuse(path: &Path) -> impl Fn(io::Error) -> SecretStoreError + '_ {
    |error| SecretStoreError::System { path: path.to_owned(), error }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, SecretStoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse(path)(error)),
    }
}

fn random(bytes: &mut [u8], path: &Path) -> Result<(), SecretStoreError> {
    getrandom::fill(bytes).map_err(|error| refuse(path)(io::Error::other(error)))
}

/// A key written as 64 hexadecimal digits.
#[must_use]
pub fn parse_key(text: &str) -> Option<[u8; 32]> {
    // A digest has the same spelling; parsing it checks length and digits.
    Digest::parse(text)?;
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

/// The key in a directory; `None` when there is none. Writes nothing.
///
/// # Errors
/// A damaged or unreadable key.
pub fn load_key(directory: &Path) -> Result<Option<[u8; 32]>, SecretStoreError> {
    load_key_of(directory, KEY)
}

/// The key of that name in a directory.
pub(crate) fn load_key_of(directory: &Path, name: &str) -> Result<Option<[u8; 32]>, SecretStoreError> {
    let path = directory.join(name);
    let Some(bytes) = read(&path)? else { return Ok(None) };
    let key = std::str::from_utf8(&bytes).ok().and_then(|text| parse_key(text.strip_suffix('\n').unwrap_or(text)));
    key.map(Some).ok_or(SecretStoreError::Damaged { path, problem: "it is no key" })
}

/// The key in a directory, made when there is none. Of several who make it at once one wins, and all get that one.
///
/// # Errors
/// A damaged key, or what the system says.
pub fn load_or_create_key(directory: &Path) -> Result<[u8; 32], SecretStoreError> {
    load_or_create_key_of(&Disk::default(), directory, KEY)
}

/// The key of that name in a directory, made when there is none.
pub(crate) fn load_or_create_key_of(disk: &Disk, directory: &Path, name: &str) -> Result<[u8; 32], SecretStoreError> {
    if let Some(key) = load_key_of(directory, name)? {
        return Ok(key);
    }
    let path = directory.join(name);
    let mut key = [0; 32];
    random(&mut key, &path)?;
    let create = || {
        disk.create_directory(directory)?;
        let mut unfinished = tempfile::Builder::new().prefix(crate::disk::UNFINISHED).tempfile_in(directory)?;
        writeln!(unfinished, "{}", hexadecimal(&key))?;
        unfinished.as_file().sync_all()?;
        // Takes the name only when nobody else has it.
        match unfinished.persist_noclobber(&path) {
            Ok(_) => disk.sync_directory(directory),
            Err(refusal) if refusal.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(refusal) => Err(refusal.error),
        }
    };
    create().map_err(refuse(&path))?;
    load_key_of(directory, name)?.ok_or_else(|| refuse(&path)(io::ErrorKind::NotFound.into()))
}

/// The values that were made by us for one deployment.
pub struct GeneratedSecrets {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl std::fmt::Debug for GeneratedSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.values.keys().collect();
        f.debug_struct("GeneratedSecrets").field("path", &self.path).field("names", &names).finish_non_exhaustive()
    }
}

impl GeneratedSecrets {
    /// The values kept in a directory; none when there is no file. Writes nothing.
    ///
    /// # Errors
    /// A damaged or unreadable file.
    pub fn load(directory: &Path) -> Result<Self, SecretStoreError> {
        let path = directory.join(SECRETS);
        let values = read_values(&path)?;
        Ok(Self { path, values })
    }

    /// The names that have a value.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The value of a name, when it was made.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<SecretValue> {
        self.values.get(name).map(|value| SecretValue::new(value.clone()))
    }

    /// The value of a name, made and kept when there is none: `bytes` random bytes as `base64`, or in any other
    /// encoding as hexadecimal digits. One that exists is never changed, whatever encoding and length are asked for.
    ///
    /// # Errors
    /// What keeps it from being durable; there is no value then.
    pub fn get_or_generate(&mut self, name: &str, encoding: &str, bytes: u32) -> Result<SecretValue, SecretStoreError> {
        // Somebody else may have made it since.
        self.values = read_values(&self.path)?;
        if let Some(value) = self.get(name) {
            return Ok(value);
        }
        let length = usize::try_from(bytes).ok().filter(|_| bytes <= MOST_BYTES);
        let mut made = vec![0; length.ok_or(SecretStoreError::TooLong { bytes })?];
        random(&mut made, &self.path)?;
        let text = match encoding {
            "base64" => base64::engine::general_purpose::STANDARD.encode(&made),
            _ => hexadecimal(&made),
        };
        self.set(name, Some(text.clone()))?;
        Ok(SecretValue::new(text))
    }

    /// Takes over a value that is live already, when there is none here. Returns the one that is kept.
    ///
    /// # Errors
    /// What keeps it from being durable.
    pub fn adopt(&mut self, name: &str, value: &SecretValue) -> Result<SecretValue, SecretStoreError> {
        self.values = read_values(&self.path)?;
        if let Some(value) = self.get(name) {
            return Ok(value);
        }
        self.set(name, Some(value.expose().to_owned()))?;
        Ok(value.clone())
    }

    /// Drops a value, so that the next one asked for is a new one: only when the user asked for it to be replaced.
    ///
    /// # Errors
    /// What keeps it from being durable; the value stays then.
    pub fn forget(&mut self, name: &str) -> Result<(), SecretStoreError> {
        self.values = read_values(&self.path)?;
        if self.values.contains_key(name) { self.set(name, None) } else { Ok(()) }
    }

    fn set(&mut self, name: &str, value: Option<String>) -> Result<(), SecretStoreError> {
        let mut values = self.values.clone();
        match value {
            Some(value) => values.insert(name.to_owned(), value),
            None => values.remove(name),
        };
        let write = || {
            let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
            let disk = Disk::default();
            disk.create_directory(directory)?;
            let mut bytes = serde_json::to_vec_pretty(&values)?;
            bytes.push(b'\n');
            disk.replace(&self.path, &bytes, &|| Ok(()))?;
            disk.sync_directory(directory)
        };
        write().map_err(refuse(&self.path))?;
        self.values = values;
        Ok(())
    }
}

fn read_values(path: &Path) -> Result<BTreeMap<String, String>, SecretStoreError> {
    match read(path)? {
        None => Ok(BTreeMap::new()),
        // The parser's own message may quote a value, so it is left out.
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| SecretStoreError::Damaged {
            path: path.to_owned(),
            problem: "it is no JSON object of names and texts",
        }),
    }
}
