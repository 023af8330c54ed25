//! Writing a snapshot: the bytes of a state whose bodies are loaded or can be copied from the file before it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use laconic_engine::state::State;
use laconic_engine::value::{Digest, canonical_bytes};

use super::read::{Bodies, encode_line};
use super::v1::{BodyTable, StoredForm};
use super::{FORMAT_VERSION, FileError, v1};
use crate::contents;

/// A snapshot ready to be written.
#[derive(Debug)]
pub struct Encoded {
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// The large contents that must be beside it.
    pub contents: BTreeMap<Digest, String>,
}

/// The bytes of a state. A body that is not loaded is copied from `old`, after its digest was verified, so that damage
/// in one generation is found rather than handed on to the next.
///
/// # Errors
/// Damage in `old`, or a body that is nowhere.
pub fn encode(state: &State, old: Option<&Bodies>) -> Result<Encoded, FileError> {
    let mut contents = BTreeMap::new();
    let mut lines: BTreeMap<Digest, (Vec<u8>, Option<StoredForm>)> = BTreeMap::new();
    for body in state.resources.values().flat_map(|recorded| [&recorded.desired, &recorded.observed]) {
        if lines.contains_key(&body.digest) {
            continue;
        }
        let line = match &body.value {
            Some(value) => {
                let canonical = canonical_bytes(value);
                if Digest::of_bytes(&canonical) != body.digest {
                    return Err(FileError::damaged("a recorded form does not match its digest"));
                }
                let mut taken_out = BTreeMap::new();
                match contents::extract(value, &mut taken_out) {
                    None => (canonical, None),
                    Some(stored) => {
                        let bytes = canonical_bytes(&stored);
                        let digest = Digest::of_bytes(&bytes);
                        let form = StoredForm { digest, contents: taken_out.keys().copied().collect() };
                        contents.append(&mut taken_out);
                        (bytes, Some(form))
                    }
                }
            }
            None => {
                let missing = || FileError::damaged(format!("the body {} is nowhere", body.digest.short()));
                let old = old.ok_or_else(missing)?;
                let line = old.line(&body.digest)?.ok_or_else(missing)?;
                (line, old.stored_form(&body.digest).cloned())
            }
        };
        lines.insert(body.digest, line);
    }
    let mut table = BodyTable::default();
    for (number, (digest, (line, form))) in lines.iter().enumerate() {
        table.digests.push(*digest);
        table.lengths.push(line.len() as u64);
        if let Some(form) = form {
            table.stored.insert(number, form.clone());
        }
    }
    let first = encode_line(FORMAT_VERSION, &v1::encode(state, &table)?);
    let length = first.len() + 1 + lines.values().map(|(line, _)| line.len() + 1).sum::<usize>();
    let mut bytes = Vec::with_capacity(length);
    for line in std::iter::once(Cow::Owned(first)).chain(lines.values().map(|(line, _)| Cow::Borrowed(line.as_slice())))
    {
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
    }
    Ok(Encoded { bytes, contents })
}
