//! Large strings: stored once, by digest, in a file of their own, with a marker in their place.
//!
//! The marker is `{"$content": "<sha256 of the string>"}`. An object that has a `$content` member of its own is written
//! as `{"$content": {"literal": object}}`, so that nothing a user writes is ever taken for a marker.

use std::collections::BTreeMap;

use laconic_engine::value::Digest;
use serde_json::{Map, Value};

/// Strings longer than this are stored apart.
pub const LARGE: usize = 16 * 1024;

const MARKER: &str = "$content";
const LITERAL: &str = "literal";

/// The form to store, and adds the strings it leaves out to `contents`; `None` when the value can be stored as it is.
#[must_use]
pub fn extract(value: &Value, contents: &mut BTreeMap<Digest, String>) -> Option<Value> {
    needs_extraction(value).then(|| extracted(value, contents))
}

fn needs_extraction(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > LARGE,
        Value::Array(items) => items.iter().any(needs_extraction),
        Value::Object(members) => members.iter().any(|(key, member)| key == MARKER || needs_extraction(member)),
        _ => false,
    }
}

fn extracted(value: &Value, contents: &mut BTreeMap<Digest, String>) -> Value {
    match value {
        Value::String(text) if text.len() > LARGE => {
            let digest = Digest::of_bytes(text.as_bytes());
            contents.entry(digest).or_insert_with(|| text.clone());
            single(MARKER, Value::String(digest.to_string()))
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| extracted(item, contents)).collect()),
        Value::Object(members) => {
            let object = members.iter().map(|(key, member)| (key.clone(), extracted(member, contents))).collect();
            if members.contains_key(MARKER) {
                single(MARKER, single(LITERAL, Value::Object(object)))
            } else {
                Value::Object(object)
            }
        }
        other => other.clone(),
    }
}

fn single(key: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value)]))
}

/// The value that was given to [`extract`], with every string had through `load`.
///
/// # Errors
/// The first error of `load`, or of `malformed` for a marker that [`extract`] never writes.
pub fn restore<E>(
    value: Value,
    load: &mut dyn FnMut(Digest) -> Result<String, E>,
    malformed: &dyn Fn() -> E,
) -> Result<Value, E> {
    match value {
        Value::Object(mut members) => match members.remove(MARKER) {
            Some(Value::String(digest)) => load(Digest::parse(&digest).ok_or_else(malformed)?).map(Value::String),
            Some(Value::Object(mut marker)) => match marker.remove(LITERAL) {
                Some(Value::Object(literal)) => restore_members(literal, load, malformed),
                _ => Err(malformed()),
            },
            Some(_) => Err(malformed()),
            None => restore_members(members, load, malformed),
        },
        Value::Array(items) => {
            items.into_iter().map(|item| restore(item, load, malformed)).collect::<Result<_, _>>().map(Value::Array)
        }
        other => Ok(other),
    }
}

fn restore_members<E>(
    members: Map<String, Value>,
    load: &mut dyn FnMut(Digest) -> Result<String, E>,
    malformed: &dyn Fn() -> E,
) -> Result<Value, E> {
    members
        .into_iter()
        .map(|(key, member)| Ok((key, restore(member, load, malformed)?)))
        .collect::<Result<_, _>>()
        .map(Value::Object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn round_trip(value: &Value) -> (Option<Value>, usize) {
        let mut contents = BTreeMap::new();
        let stored = extract(value, &mut contents);
        if let Some(stored) = &stored {
            let mut load = |digest: Digest| contents.get(&digest).cloned().ok_or("missing");
            assert_eq!(&restore(stored.clone(), &mut load, &|| "malformed").unwrap(), value);
        }
        (stored, contents.len())
    }

    #[test]
    fn small_values_stay() {
        assert_eq!(round_trip(&json!({"a": ["b", 1, null, 0.1]})), (None, 0));
        assert_eq!(round_trip(&json!("x".repeat(LARGE))), (None, 0));
    }

    #[test]
    fn equal_large_strings_are_stored_once() {
        let large = "x".repeat(LARGE + 1);
        let (stored, count) = round_trip(&json!({"data": {"a": large, "b": large}, "list": [large]}));
        assert_eq!(count, 1);
        assert!(stored.unwrap().to_string().len() < 400);
    }

    #[test]
    fn what_looks_like_a_marker_comes_back() {
        let large = "x".repeat(LARGE + 1);
        let digest = Digest::of_bytes(b"x").to_string();
        for value in [
            json!({"$content": digest}),
            json!({"$content": {"literal": {"$content": "a"}}}),
            json!({"$content": {"literal": 7}, "other": large}),
            json!([{"$content": [large, {"$content": null}]}]),
        ] {
            assert!(round_trip(&value).0.is_some());
        }
    }

    #[test]
    fn a_marker_that_nobody_writes_is_malformed() {
        for value in [json!({"$content": 1}), json!({"$content": "zz"}), json!({"$content": {"literal": 1}})] {
            let mut load = |_| Ok(String::new());
            assert_eq!(restore(value, &mut load, &|| "malformed"), Err("malformed"));
        }
    }
}
