//! Reading a snapshot: the first line at once, bodies when they are asked for.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use laconic_engine::state::State;
use laconic_engine::value::Digest;
use serde_json::Value;

use super::v1::BodyTable;
use super::{FORMAT_VERSION, FileError, v1};
use crate::contents;
use crate::disk::Stamp;

/// The first bytes of every state file.
pub const ENVELOPE_START: &[u8] = b"{\"checksum\":\"";
const CHECKSUM_END: &[u8] = b"\",";
const VERSION_START: &[u8] = b"\"format_version\":";
const INDEX_START: &[u8] = b",\"index\":";
const DIGEST_LENGTH: usize = 64;

/// A snapshot whose index was read.
#[derive(Debug)]
pub struct Snapshot {
    /// What it says, bodies not loaded.
    pub state: State,
    /// Its bodies.
    pub bodies: Bodies,
}

/// The bodies of an open snapshot. The file stays open: it is the one whose index was read, whatever has its name now.
#[derive(Debug)]
pub struct Bodies {
    file: File,
    stamp: Stamp,
    table: BodyTable,
    /// Where each body begins.
    offsets: Vec<u64>,
}

impl Snapshot {
    /// Opens a file and reads its index; `None` when there is no file.
    ///
    /// # Errors
    /// A damaged, newer or unreadable file.
    pub fn open(path: &Path) -> Result<Option<Self>, FileError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(FileError::damaged("it is no regular file"));
        }
        let line = first_line(&file)?;
        let (state, table) = decode_line(&line)?;
        let mut offset = line.len() as u64 + 1;
        let mut offsets = Vec::with_capacity(table.lengths.len());
        for length in &table.lengths {
            offsets.push(offset);
            offset = length
                .checked_add(1)
                .and_then(|length| offset.checked_add(length))
                .ok_or_else(|| FileError::damaged("its table of bodies is inconsistent"))?;
        }
        if offset != metadata.len() {
            let length = metadata.len();
            return Err(FileError::damaged(format!("it has {length} bytes where {offset} were written")));
        }
        Ok(Some(Self { state, bodies: Bodies { file, stamp: Stamp::of(&metadata), table, offsets } }))
    }
}

fn first_line(file: &File) -> Result<Vec<u8>, FileError> {
    // As large as the index of some hundred resources: most deployments take one call.
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    // What does not begin like a state file is not searched for the end of its first line.
    reader.by_ref().take(ENVELOPE_START.len() as u64).read_to_end(&mut line)?;
    if line.is_empty() {
        return Err(FileError::damaged("it is empty"));
    }
    if line != ENVELOPE_START {
        return Err(FileError::damaged("it does not begin like a state file"));
    }
    reader.read_until(b'\n', &mut line)?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        _ => Err(FileError::damaged("its first line is cut off")),
    }
}

/// What the first line says; it has the bytes after the checksum that the checksum was made from.
fn decode_line(line: &[u8]) -> Result<(State, BodyTable), FileError> {
    let malformed = || FileError::damaged("its first line is malformed");
    let rest = line.strip_prefix(ENVELOPE_START).ok_or_else(malformed)?;
    let (checksum, rest) = rest.split_at_checked(DIGEST_LENGTH).ok_or_else(malformed)?;
    let covered = rest.strip_prefix(CHECKSUM_END).ok_or_else(malformed)?;
    // The text is compared, not the number it means: one spelling is right, so that every changed byte is noticed.
    if Digest::of_bytes(covered).to_string().as_bytes() != checksum {
        return Err(FileError::damaged("its first line does not match its checksum"));
    }
    let rest = covered.strip_prefix(VERSION_START).ok_or_else(malformed)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (version, rest) = rest.split_at(digits);
    let version: u64 = std::str::from_utf8(version).ok().and_then(|text| text.parse().ok()).ok_or_else(malformed)?;
    if version > FORMAT_VERSION {
        return Err(FileError::Newer(version));
    }
    let index = rest.strip_prefix(INDEX_START).and_then(|rest| rest.strip_suffix(b"}")).ok_or_else(malformed)?;
    match version {
        1 => v1::decode(index),
        _ => Err(malformed()),
    }
}

/// The first line of a file, without its end.
#[must_use]
pub fn encode_line(version: u64, index: &[u8]) -> Vec<u8> {
    let mut covered = Vec::with_capacity(index.len() + 64);
    covered.extend_from_slice(VERSION_START);
    covered.extend_from_slice(version.to_string().as_bytes());
    covered.extend_from_slice(INDEX_START);
    covered.extend_from_slice(index);
    covered.push(b'}');
    let mut line = Vec::with_capacity(covered.len() + DIGEST_LENGTH + 16);
    line.extend_from_slice(ENVELOPE_START);
    line.extend_from_slice(Digest::of_bytes(&covered).to_string().as_bytes());
    line.extend_from_slice(CHECKSUM_END);
    line.extend_from_slice(&covered);
    line
}

impl Bodies {
    /// What tells this file from another one of the same name.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Every body's digest, sorted.
    #[must_use]
    pub fn digests(&self) -> &[Digest] {
        &self.table.digests
    }

    /// The contents its bodies refer to.
    #[must_use]
    pub fn contents(&self) -> BTreeSet<Digest> {
        self.table.stored.values().flat_map(|form| form.contents.iter().copied()).collect()
    }

    /// How a body is stored, when not as it is.
    #[must_use]
    pub fn stored_form(&self, digest: &Digest) -> Option<&v1::StoredForm> {
        self.table.digests.binary_search(digest).ok().and_then(|number| self.table.stored.get(&number))
    }

    /// The stored line of a body, verified; `None` when the file does not have it.
    ///
    /// # Errors
    /// Damage, or what the system says.
    pub fn line(&self, digest: &Digest) -> Result<Option<Vec<u8>>, FileError> {
        let Ok(number) = self.table.digests.binary_search(digest) else { return Ok(None) };
        let (Some(offset), Some(length)) = (self.offsets.get(number), self.table.lengths.get(number)) else {
            return Ok(None);
        };
        // Lengths were checked against the file's when it was opened, so this is no more than the file has.
        let length = usize::try_from(*length).map_err(|_| FileError::damaged("a body is too large"))?;
        let mut line = vec![0; length + 1];
        self.file.read_exact_at(&mut line, *offset)?;
        let end = line.pop();
        let expected = self.table.stored.get(&number).map_or(digest, |form| &form.digest);
        if end != Some(b'\n') || Digest::of_bytes(&line) != *expected {
            return Err(FileError::damaged(format!("the body {} does not match its digest", digest.short())));
        }
        Ok(Some(line))
    }

    /// The value of a body; `None` when the file does not have it. Large contents come through `load`.
    ///
    /// # Errors
    /// Damage, or what the system or `load` says.
    pub fn value(
        &self,
        digest: &Digest,
        load: &mut dyn FnMut(Digest) -> Result<String, FileError>,
    ) -> Result<Option<Value>, FileError> {
        let Some(line) = self.line(digest)? else { return Ok(None) };
        let malformed = || FileError::damaged(format!("the body {} is malformed", digest.short()));
        let value = serde_json::from_slice(&line).map_err(|_| malformed())?;
        if self.stored_form(digest).is_none() {
            return Ok(Some(value));
        }
        let value = contents::restore(value, load, &malformed)?;
        if Digest::of(&value) == *digest { Ok(Some(value)) } else { Err(malformed()) }
    }

    /// Reads everything, to see whether it is good.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self, load: &mut dyn FnMut(Digest) -> Result<String, FileError>) -> Result<(), FileError> {
        self.digests().iter().try_for_each(|digest| self.value(digest, load).map(|_| ()))
    }
}
