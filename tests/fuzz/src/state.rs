//! A state file and its journal. Checksums would stop nearly every change at once, so half of the inputs get right ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use laconic_engine::address::Scope;
use laconic_engine::apply::StateStore as _;
use laconic_engine::value::Digest;
use laconic_state::file::read::encode_line;
use laconic_state::{LocalStore, LocalStoreOptions};

/// Between the snapshot and its journal.
const JOURNAL: &[u8] = b"\n---\n";

/// Reads a snapshot and a journal. The first byte says whether checksums are put right.
pub fn state(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let (snapshot, journal) = match data.windows(JOURNAL.len()).position(|window| window == JOURNAL) {
        Some(at) => (data.get(..at), data.get(at + JOURNAL.len()..)),
        None => (Some(data), None),
    };
    let (snapshot, journal) = (snapshot.unwrap_or_default(), journal.unwrap_or_default());
    let is_sealed = kind % 2 == 1;
    let folder = folder();
    let (state_file, journal_file) = (folder.join("state.json"), folder.join("journal.jsonl"));
    fs::write(&state_file, if is_sealed { sealed(snapshot) } else { snapshot.to_vec() }).unwrap();
    fs::write(&journal_file, if is_sealed { sealed_lines(journal) } else { journal.to_vec() }).unwrap();

    let scope = Scope::deployment("shop");
    let directories: BTreeMap<String, PathBuf> =
        [("shop".to_owned(), folder.parent().unwrap_or(folder).to_owned())].into();
    let store = LocalStore::new(LocalStoreOptions {
        state_directory: folder.join("clusters"),
        simulated: false,
        deployment_directories: directories,
    });
    if let Ok(mut state) = store.load(&scope) {
        let digests = state.resources.values().map(|recorded| recorded.desired.digest).collect();
        let _ = store.load_bodies(&mut state, &digests);
    }
}

/// The first line is the index, the others are bodies.
fn sealed(snapshot: &[u8]) -> Vec<u8> {
    let end = snapshot.iter().position(|byte| *byte == b'\n').unwrap_or(snapshot.len());
    let (index, bodies) = snapshot.split_at(end);
    let mut file = encode_line(1, index);
    file.extend_from_slice(bodies);
    file
}

/// Each line is a serial, a space and a record.
fn sealed_lines(journal: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    for line in journal.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut parts = line.splitn(2, |byte| *byte == b' ');
        let mut covered = b"\"serial\":".to_vec();
        covered.extend_from_slice(parts.next().unwrap_or_default());
        covered.extend_from_slice(b",\"record\":");
        covered.extend_from_slice(parts.next().unwrap_or_default());
        covered.push(b'}');
        let checksum: String = Digest::of_bytes(&covered).to_string().chars().take(16).collect();
        file.extend_from_slice(format!("{{\"checksum\":\"{checksum}\",").as_bytes());
        file.extend_from_slice(&covered);
        file.push(b'\n');
    }
    file
}

/// One folder for the whole run, in memory where that is to be had.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("laconic-fuzz-").tempdir_in(base).unwrap().keep().join(".laconic");
        fs::create_dir(&folder).unwrap();
        folder
    })
}
