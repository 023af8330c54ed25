//! The key and the generated values.

use std::fs;

use laconic_engine::secret::SecretValue;
use laconic_state::secret_store::{GeneratedSecrets, KEY, SECRETS, load_key, load_or_create_key, parse_key};

#[test]
fn a_key_is_made_once() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("state");
    assert_eq!(load_key(&directory).unwrap(), None);
    assert!(!directory.exists(), "asking makes nothing");
    let keys: Vec<[u8; 32]> = std::thread::scope(|threads| {
        let made: Vec<_> = (0..8).map(|_| threads.spawn(|| load_or_create_key(&directory).unwrap())).collect();
        made.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0] && *key != [0; 32]));
    assert_eq!(load_key(&directory).unwrap(), Some(keys[0]));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left over");
    assert_eq!(parse_key(fs::read_to_string(directory.join(KEY)).unwrap().trim()), Some(keys[0]));
}

#[test]
fn a_damaged_key_is_refused_and_left_alone() {
    let place = tempfile::tempdir().unwrap();
    for text in ["", "abc", &"g".repeat(64), &"\u{e9}".repeat(32)] {
        fs::write(place.path().join(KEY), text).unwrap();
        assert!(load_key(place.path()).is_err());
        assert!(load_or_create_key(place.path()).is_err());
        assert_eq!(fs::read_to_string(place.path().join(KEY)).unwrap(), text);
    }
}

#[test]
fn generated_values_are_made_once_and_kept() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("state");
    let mut secrets = GeneratedSecrets::load(&directory).unwrap();
    let mut other = GeneratedSecrets::load(&directory).unwrap();
    let hex = secrets.get_or_generate("A", "hex", 16).unwrap();
    assert_eq!(hex.expose().len(), 32);
    assert!(hex.expose().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(secrets.get_or_generate("B", "base64", 6).unwrap().expose().len(), 8);
    assert_eq!(secrets.get_or_generate("C", "rot13", 4).unwrap().expose().len(), 8);
    // Another one that was loaded before, with another idea of the value.
    assert_eq!(other.get_or_generate("A", "base64", 3).unwrap(), hex);
    assert_eq!(other.adopt("A", &SecretValue::new("live".into())).unwrap(), hex);
    other.adopt("D", &SecretValue::new("live".into())).unwrap();
    let mut again = GeneratedSecrets::load(&directory).unwrap();
    assert_eq!(again.names().collect::<Vec<_>>(), ["A", "B", "C", "D"]);
    assert_eq!(again.get("A").unwrap(), hex);
    again.forget("A").unwrap();
    assert_ne!(again.get_or_generate("A", "hex", 16).unwrap(), hex);
    assert!(again.get_or_generate("E", "hex", u32::MAX).is_err());
}

#[test]
fn no_secret_is_in_any_text() {
    let place = tempfile::tempdir().unwrap();
    let mut secrets = GeneratedSecrets::load(place.path()).unwrap();
    let value = secrets.adopt("A", &SecretValue::new("hunter2hunter2".into())).unwrap();
    assert!(!format!("{secrets:?} {secrets:#?} {value:?}").contains("hunter2"));
    for text in ["{\"A\": [\"hunter2hunter2\"]}", "\"hunter2hunter2\"", "{\"A\": \"hunter2hunter2\""] {
        fs::write(place.path().join(SECRETS), text).unwrap();
        let error = GeneratedSecrets::load(place.path()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(secrets.get_or_generate("B", "hex", 4).is_err());
        assert!(secrets.forget("A").is_err());
        assert_eq!(fs::read_to_string(place.path().join(SECRETS)).unwrap(), text, "never overwritten");
    }
}
