//! The journal: records appended to a file, each durable before the step it announces.
//!
//! A line is `{"checksum":"<16 hexadecimal digits>","serial":N,"record":{…}}`. The serial is that of the snapshot the
//! record continues; the checksum, the first digits of a SHA-256, covers every byte of the line after it.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use laconic_engine::state::JournalRecord;
use laconic_engine::value::Digest;

use crate::disk::{Disk, Stamp};
use crate::file::FileError;

const CHECKSUM_START: &[u8] = b"{\"checksum\":\"";
const CHECKSUM_LENGTH: usize = 16;
const CHECKSUM_END: &[u8] = b"\",";
const SERIAL_START: &[u8] = b"\"serial\":";
const RECORD_START: &[u8] = b",\"record\":";

/// A journal that was read.
#[derive(Debug, Default)]
pub struct Journal {
    /// The records that continue the snapshot.
    pub records: Vec<JournalRecord>,
    /// How many bytes of the file are these records; what follows was torn by a crash or continues an older snapshot.
    pub length: u64,
    /// Whether there is a file at all.
    pub exists: bool,
    /// Whether only the end of the last record's line is missing.
    unterminated: bool,
}

/// Reads the records that continue the snapshot with that serial.
///
/// A last line that was torn by a crash is left out: the append that wrote it never returned. A journal of an older
/// snapshot was already folded; the crash came before it was removed.
///
/// # Errors
/// A damaged line, a journal of a later snapshot, or what the system says.
pub fn read(path: &Path, serial: u64) -> Result<Journal, FileError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Journal::default()),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            return Err(FileError::damaged("it is no regular file"));
        }
        Err(error) => return Err(error.into()),
    };
    let mut journal = Journal { exists: true, ..Journal::default() };
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = number + 1;
        let (content, terminated) = match line.strip_suffix(b"\n") {
            Some(content) => (content, true),
            None => (line, false),
        };
        let Some((found, record)) = parse(content) else {
            if !terminated && !has_one_byte_too_many(content) {
                break;
            }
            return Err(FileError::damaged(format!("line {number} does not match its checksum")));
        };
        if found < serial && number == 1 {
            break;
        }
        if found != serial {
            return Err(FileError::damaged(format!(
                "line {number} continues the snapshot with serial {found}, but the snapshot beside it has serial {serial}"
            )));
        }
        let record = serde_json::from_slice(record)
            .map_err(|error| FileError::damaged(format!("line {number} is no record known here: {error}")))?;
        journal.records.push(record);
        journal.length += line.len() as u64;
        journal.unterminated = !terminated;
    }
    Ok(journal)
}

/// The serial and the record's bytes of a line that matches its checksum.
fn parse(line: &[u8]) -> Option<(u64, &[u8])> {
    let rest = line.strip_prefix(CHECKSUM_START)?;
    let (checksum, rest) = rest.split_at_checked(CHECKSUM_LENGTH)?;
    let covered = rest.strip_prefix(CHECKSUM_END)?;
    if checksum_of(covered).as_bytes() != checksum {
        return None;
    }
    let rest = covered.strip_prefix(SERIAL_START)?;
    let (serial, rest) = rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let serial = std::str::from_utf8(serial).ok()?.parse().ok()?;
    Some((serial, rest.strip_prefix(RECORD_START)?.strip_suffix(b"}")?))
}

/// Whether a last line without an end is a whole record with the end changed, rather than torn.
fn has_one_byte_too_many(line: &[u8]) -> bool {
    line.split_last().is_some_and(|(_, line)| parse(line).is_some())
}

fn checksum_of(covered: &[u8]) -> String {
    Digest::of_bytes(covered).to_string().chars().take(CHECKSUM_LENGTH).collect()
}

/// The line of a record.
///
/// # Errors
/// A record that cannot be written as JSON.
pub fn line(serial: u64, record: &JournalRecord) -> io::Result<Vec<u8>> {
    let mut covered = Vec::with_capacity(512);
    covered.extend_from_slice(SERIAL_START);
    covered.extend_from_slice(serial.to_string().as_bytes());
    covered.extend_from_slice(RECORD_START);
    serde_json::to_writer(&mut covered, record)?;
    covered.push(b'}');
    let mut line = Vec::with_capacity(covered.len() + 40);
    line.extend_from_slice(CHECKSUM_START);
    line.extend_from_slice(checksum_of(&covered).as_bytes());
    line.extend_from_slice(CHECKSUM_END);
    line.append(&mut covered);
    line.push(b'\n');
    Ok(line)
}

/// A journal open for appending.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    serial: u64,
    stamp: Stamp,
    /// Whether the last line still lacks its end.
    unterminated: bool,
}

impl Writer {
    /// Opens the journal of the snapshot with that serial, and cuts off what is not part of it.
    ///
    /// # Errors
    /// A damaged journal, or what the system says.
    pub fn open(disk: &Disk, path: &Path, serial: u64) -> Result<Self, FileError> {
        let journal = read(path, serial)?;
        let mut file = disk.open(path)?;
        if !journal.exists
            && let Some(directory) = path.parent()
        {
            disk.sync_directory(directory)?;
        }
        if file.metadata()?.len() != journal.length {
            disk.truncate(&file, path, journal.length)?;
        }
        file.seek(SeekFrom::Start(journal.length))?;
        let stamp = Stamp::of(&file.metadata()?);
        Ok(Self { file, path: path.to_owned(), serial, stamp, unterminated: journal.unterminated })
    }

    /// Whether the file that has the name is still this one, with nothing in it that others wrote.
    ///
    /// # Errors
    /// The system's.
    pub fn is_current(&self) -> io::Result<bool> {
        Ok(Stamp::of_path(&self.path)? == Some(self.stamp))
    }

    /// Appends records; they are durable when this returns. After an error the writer is not used again.
    ///
    /// # Errors
    /// The system's. What was written of the records is taken back as far as the disk allows.
    pub fn append(&mut self, disk: &Disk, records: &[JournalRecord]) -> io::Result<()> {
        let mut bytes = if self.unterminated { vec![b'\n'] } else { Vec::new() };
        for record in records {
            bytes.append(&mut line(self.serial, record)?);
        }
        let written = disk
            .write(&mut self.file, &self.path, &bytes)
            .and_then(|()| disk.sync(&self.file, &self.path))
            .and_then(|()| self.file.metadata());
        match written {
            Ok(metadata) => {
                self.stamp = Stamp::of(&metadata);
                self.unterminated = false;
                Ok(())
            }
            Err(error) => {
                // When this fails too, the next writer finds a torn line or records of steps that never started;
                // both are harmless.
                let _ = disk.truncate(&self.file, &self.path, self.stamp.length());
                Err(error)
            }
        }
    }
}
