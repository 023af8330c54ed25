//! What happens to state when the disk, a crash or a person damages it: it is noticed, or nothing is lost.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Place, copy_directory};
use laconic_engine::apply::ports::{LockMode, StateError, StateStore as _};
use laconic_engine::state::JournalRecord;
use laconic_engine::value::Digest;
use laconic_state::LocalStore;
use laconic_state::contract::{assert_same, digests, folded, records, scope};
use laconic_state::disk::fail_after;
use laconic_state::history::SNAPSHOT;
use laconic_state::local::{CONTENTS, JOURNAL};

fn end(minute: u32) -> JournalRecord {
    JournalRecord::End { time: format!("2026-01-02T03:{minute:02}:00Z") }
}

fn damaged(store: &LocalStore) -> String {
    match store.load(&scope()) {
        Err(StateError::Damaged { detail, .. }) => detail,
        other => panic!("not found damaged: {other:?}"),
    }
}

#[test]
fn a_journal_cut_anywhere_is_a_prefix_of_its_records() {
    let place = Place::new();
    let records = records();
    place.store().append(&scope(), &records[..1]).unwrap();
    place.store().append(&scope(), &records[1..]).unwrap();
    let bytes = fs::read(place.state().join(JOURNAL)).unwrap();
    for length in 0..=bytes.len() {
        let copy = Place::new();
        copy_directory(&place.state(), &copy.state());
        fs::write(copy.state().join(JOURNAL), &bytes[..length]).unwrap();
        // A line that lacks only its end is whole.
        let whole = bytes[..length].iter().filter(|byte| **byte == b'\n').count()
            + usize::from(bytes.get(length) == Some(&b'\n'));
        assert_same(&copy.store().load(&scope()).unwrap(), &folded(&records[..whole]));
        // And two more records go on from there.
        let store = copy.store();
        store.append(&scope(), &[end(1)]).unwrap();
        store.append(&scope(), &[end(2)]).unwrap();
        let mut expected = records[..whole].to_vec();
        expected.extend([end(1), end(2)]);
        assert_same(&copy.store().load(&scope()).unwrap(), &folded(&expected));
    }
}

#[test]
fn a_changed_byte_of_the_journal_is_noticed() {
    let place = Place::new();
    place.store().append(&scope(), &records()[..5]).unwrap();
    let path = place.state().join(JOURNAL);
    let bytes = fs::read(&path).unwrap();
    for position in 0..bytes.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[position] ^= change;
            fs::write(&path, &changed).unwrap();
            assert!(damaged(&place.store()).contains("is good"), "byte {position} changed by {change}");
            assert!(place.store().append(&scope(), &[end(1)]).is_err());
            assert!(place.store().fold(&scope()).is_err());
            assert_eq!(fs::read(&path).unwrap(), changed, "a damaged journal is never overwritten");
        }
    }
}

#[test]
fn a_changed_byte_of_the_snapshot_is_noticed() {
    let place = Place::folded();
    let path = place.state().join(SNAPSHOT);
    let bytes = fs::read(&path).unwrap();
    let expected = folded(&records());
    let all = digests(&expected);
    for position in 0..bytes.len() {
        for change in [0x01, 0x02, 0x10, 0x80] {
            let mut changed = bytes.clone();
            changed[position] ^= change;
            fs::write(&path, &changed).unwrap();
            let store = place.store();
            let result = store.load(&scope()).and_then(|mut state| {
                assert_same(&state, &expected);
                store.load_bodies(&mut state, &all)
            });
            assert!(matches!(result, Err(StateError::Damaged { .. })), "byte {position}: {result:?}");
            if position % 7 == 0 {
                // A fold that would have to write refuses too, and does not hand the damage on.
                let _ = store.append(&scope(), &[end(1)]);
                assert!(store.fold(&scope()).is_err(), "byte {position}");
                assert_eq!(fs::read(&path).unwrap(), changed, "a damaged snapshot is never overwritten");
                let _ = fs::remove_file(place.state().join(JOURNAL));
            }
        }
    }
}

#[test]
fn a_snapshot_cut_anywhere_is_noticed() {
    let place = Place::folded();
    let path = place.state().join(SNAPSHOT);
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        damaged(&place.store());
    }
    fs::write(&path, [bytes.as_slice(), b"more"].concat()).unwrap();
    damaged(&place.store());
}

#[test]
fn what_is_no_state_is_named_and_left_alone() {
    let place = Place::folded();
    let path = place.state().join(SNAPSHOT);
    for junk in [&b""[..], b"\0\0\0\0", b"{}\n", b"{\"checksum\":\"", &[0xff; 4096]] {
        fs::write(&path, junk).unwrap();
        let detail = damaged(&place.store());
        assert!(detail.starts_with(&format!("{}: ", path.display())), "{detail}");
        assert!(detail.contains("state.json.1 (serial 1, written 20"), "{detail}");
        assert_eq!(fs::read(&path).unwrap(), junk);
    }
    fs::remove_file(&path).unwrap();
    assert!(damaged(&place.store()).contains("is missing while earlier generations are there"));
    fs::create_dir(&path).unwrap();
    assert!(damaged(&place.store()).contains("no regular file"));
}

#[test]
fn restore_goes_back_to_a_good_generation() {
    let place = Place::folded();
    let path = place.state().join(SNAPSHOT);
    fs::write(&path, "junk").unwrap();
    fs::write(place.state().join("state.json.1"), "junk").unwrap();
    assert!(damaged(&place.store()).contains("state.json.0 (serial 0"));
    assert!(place.store().restore(&scope(), 1).is_err());
    assert!(place.store().restore(&scope(), 9).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"junk");
    assert_eq!(place.store().restore(&scope(), 0).unwrap(), 3);
    let state = place.store().load(&scope()).unwrap();
    assert_eq!((state.serial, state.resources.len()), (3, 0));
    assert_eq!(fs::read(place.state().join("state.json.replaced")).unwrap(), b"junk");
}

#[test]
fn a_newer_version_is_refused_and_left_alone() {
    let place = Place::folded();
    let path = place.state().join(SNAPSHOT);
    let covered = "\"format_version\":2,\"shape\":[]}";
    let newer = format!("{{\"checksum\":\"{}\",{covered}\n", Digest::of_bytes(covered.as_bytes()));
    fs::write(&path, &newer).unwrap();
    let store = place.store();
    for result in [
        store.load(&scope()).map(|_| ()),
        store.append(&scope(), &[end(1)]),
        store.fold(&scope()).map(|_| ()),
        store.archive(&scope()),
    ] {
        assert!(matches!(result, Err(StateError::Newer { found: 2, known: 1, .. })), "{result:?}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn simulated_and_real_state_refuse_each_other() {
    let place = Place::new();
    for (writes, reads) in [(false, true), (true, false)] {
        let scope = laconic_engine::address::Scope::cluster(if writes { "simulated" } else { "real" });
        let tenant = &records()[8..9];
        place.store_simulated(writes).append(&scope, tenant).unwrap();
        let store = place.store_simulated(reads);
        for result in [
            store.load(&scope).map(|_| ()),
            store.append(&scope, tenant),
            store.fold(&scope).map(|_| ()),
            store.archive(&scope),
        ] {
            assert!(matches!(result, Err(StateError::Foreign { .. })), "{result:?}");
        }
        assert_eq!(place.store_simulated(writes).load(&scope).unwrap().tenants.len(), 1);
    }
}

#[test]
fn the_state_of_another_deployment_is_foreign() {
    let place = Place::folded();
    let other = Place::named("other");
    copy_directory(&place.state(), &other.state());
    let result = other.store().load(&laconic_engine::address::Scope::deployment("other"));
    assert!(
        matches!(&result, Err(StateError::Foreign { detail, .. }) if detail.contains("deployment shop")),
        "{result:?}"
    );
}

#[test]
fn a_crash_between_rename_and_removal_of_the_journal_folds_once() {
    let place = Place::folded();
    place.store().append(&scope(), &[end(1)]).unwrap();
    let journal = fs::read(place.state().join(JOURNAL)).unwrap();
    place.store().fold(&scope()).unwrap();
    let folded = place.store().load(&scope()).unwrap();
    fs::write(place.state().join(JOURNAL), &journal).unwrap();
    assert_eq!(place.store().load(&scope()).unwrap(), folded);
    place.store().append(&scope(), &records()[..1]).unwrap();
    assert!(!fs::read(place.state().join(JOURNAL)).unwrap().starts_with(&journal[..40]));
    assert!(place.store().load(&scope()).unwrap().interrupted.is_some());
    // A journal from the future is somebody's restored backup of the snapshot.
    place.store().fold(&scope()).unwrap();
    place.store().append(&scope(), &[end(2)]).unwrap();
    fs::copy(place.state().join("state.json.3"), place.state().join(SNAPSHOT)).unwrap();
    assert!(damaged(&place.store()).contains("continues the snapshot with serial 4"));
}

#[test]
fn a_full_disk_at_any_moment_loses_nothing() {
    let large = |serial: u32| JournalRecord::Done {
        address: laconic_engine::address::Address::new(
            laconic_engine::address::ResourceType::ConfigMap,
            scope(),
            "large",
        ),
        uid: "uid".into(),
        needs: Vec::new(),
        desired: serde_json::json!({"data": format!("{serial}").repeat(20_000)}),
        observed: serde_json::Value::Null,
    };
    let mut failures = 0;
    for count in 0.. {
        let place = Place::new();
        let failing = place.store().with_fault_hook(fail_after(count));
        // What was promised to be durable, and what was under way when the disk was full.
        let mut durable = Vec::new();
        let mut under_way = Vec::new();
        let mut failed = None;
        for (number, record) in records().into_iter().chain((0..3).map(large)).enumerate() {
            match failing.append(&scope(), std::slice::from_ref(&record)) {
                Ok(()) => durable.push(record),
                Err(error) => {
                    under_way.push(record);
                    failed = Some(error);
                    break;
                }
            }
            if number % 4 == 3
                && let Err(error) = failing.fold(&scope())
            {
                failed = Some(error);
                break;
            }
        }
        let found = place.store().load(&scope()).unwrap();
        let expected = folded(&durable);
        let more = folded(&durable.iter().chain(&under_way).cloned().collect::<Vec<_>>());
        let is = |expected| std::panic::catch_unwind(|| assert_same(&found, expected)).is_ok();
        assert!(is(&expected) || is(&more), "after {count} operations");
        place.store().append(&scope(), &[end(1)]).unwrap();
        place.store().fold(&scope()).unwrap();
        place.store().verify(&scope()).unwrap();
        let Some(error) = failed else { break };
        failures += 1;
        let StateError::Storage { detail, verb: "written", .. } = &error else { panic!("{error:?}") };
        assert!(detail.contains("No space left on device") && detail.contains(".laconic"), "{detail}");
    }
    assert!(failures > 40, "only {failures} operations");
}

#[test]
fn generations_are_kept_and_contents_that_none_uses_removed() {
    let place = Place::new();
    for serial in 0..9 {
        let record = JournalRecord::Done {
            address: laconic_engine::address::Address::new(
                laconic_engine::address::ResourceType::ConfigMap,
                scope(),
                "large",
            ),
            uid: "uid".into(),
            needs: Vec::new(),
            desired: serde_json::json!({"data": format!("{serial}").repeat(20_000)}),
            observed: serde_json::Value::Null,
        };
        place.store().append(&scope(), &[record]).unwrap();
        fs::write(place.state().join(".new-left"), "left by a crash").unwrap();
        place.store().fold(&scope()).unwrap();
    }
    let serials: Vec<u64> = place.store().generations(&scope()).unwrap().iter().map(|kept| kept.serial).collect();
    assert_eq!(serials, [8, 7, 6, 5, 4]);
    let contents = fs::read_dir(place.state().join(CONTENTS)).unwrap().count();
    assert_eq!(contents, 6, "one for each generation and the snapshot");
    assert!(!place.state().join(".new-left").exists());
    place.store().verify(&scope()).unwrap();
    let any = fs::read_dir(place.state().join(CONTENTS)).unwrap().next().unwrap().unwrap().path();
    for entry in fs::read_dir(place.state().join(CONTENTS)).unwrap() {
        fs::write(entry.unwrap().path(), "other").unwrap();
    }
    assert!(
        matches!(place.store().verify(&scope()), Err(StateError::Damaged { detail, .. }) if detail.contains(CONTENTS))
    );
    fs::remove_file(any).unwrap();
    assert!(place.store().verify(&scope()).is_err());
}

#[test]
fn nobody_else_can_read_it() {
    let place = Place::folded();
    let _lock = place.store().lock(&scope(), LockMode::Exclusive, "apply").unwrap();
    place.store().append(&scope(), &[end(1)]).unwrap();
    laconic_state::secret_store::load_or_create_key(&place.state()).unwrap();
    laconic_state::secret_store::GeneratedSecrets::load(&place.state())
        .unwrap()
        .get_or_generate("A", "hex", 8)
        .unwrap();
    fn check(path: &Path, seen: &mut usize) {
        let metadata = fs::metadata(path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
        *seen += 1;
        if metadata.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| check(&entry.unwrap().path(), seen));
        }
    }
    let mut seen = 0;
    check(&place.state(), &mut seen);
    assert!(seen >= 9, "only {seen} files");
}

#[test]
fn a_name_cannot_leave_its_directory() {
    let place = Place::new();
    for name in ["", ".", "..", "../up", "a/b", "/etc", "a\\b", "a\0b", ".hidden", "a\nb", &"x".repeat(201)] {
        for scope in [laconic_engine::address::Scope::cluster(name), laconic_engine::address::Scope::deployment(name)] {
            let result = place.store().load(&scope);
            assert!(matches!(result, Err(StateError::Storage { .. })), "{name:?}: {result:?}");
        }
    }
    let unknown = place.store().append(&laconic_engine::address::Scope::deployment("nobody"), &[end(1)]);
    assert!(matches!(unknown, Err(StateError::Storage { .. })));
}

#[test]
fn archived_files_stay_together() {
    let place = Place::folded();
    let state = place.store().load(&scope()).unwrap();
    place.store().archive(&scope()).unwrap();
    let archive = place.state().join("archive").join(format!("{}-{}", state.lineage, state.serial));
    assert!(archive.join(SNAPSHOT).is_file() && archive.join("state.json.1").is_file());
    assert!(!place.state().join(SNAPSHOT).exists());
    assert!(place.store().generations(&scope()).unwrap().is_empty());
}

#[test]
fn a_failed_archiving_goes_on_where_it_stopped() {
    for count in 0.. {
        let place = Place::folded();
        let state = place.store().load(&scope()).unwrap();
        let result = place.store().with_fault_hook(fail_after(count)).archive(&scope());
        if result.is_err() {
            let now = place.store().load(&scope()).unwrap();
            assert!(now.is_new() || now == state, "after {count} operations");
            place.store().archive(&scope()).unwrap();
        }
        assert!(place.store().load(&scope()).unwrap().is_new());
        let archive = place.state().join("archive").join(format!("{}-{}", state.lineage, state.serial));
        assert!(archive.join(SNAPSHOT).is_file() && archive.join("state.json.1").is_file());
        if result.is_ok() {
            assert!(count > 4);
            break;
        }
    }
}

#[test]
fn a_state_changed_by_hand_is_put_only_over_the_one_it_was_made_from() {
    let place = Place::folded();
    let store = place.store();
    let mut state = store.load(&scope()).unwrap();
    state.resources.pop_first();
    assert!(matches!(store.put(&state, 1), Err(StateError::Stale { expected: 1, found: 2, .. })));
    let stranger = laconic_engine::state::State { lineage: "other".into(), ..state.clone() };
    assert!(matches!(store.put(&stranger, 2), Err(StateError::Foreign { .. })));
    store.append(&scope(), &[end(1)]).unwrap();
    assert!(matches!(store.put(&state, 2), Err(StateError::Stale { expected: 2, found: 3, .. })));
    store.fold(&scope()).unwrap();
    assert_eq!(store.put(&state, 3).unwrap(), 4);
    store.verify(&scope()).unwrap();
    assert_same(&place.store().load(&scope()).unwrap(), &state);
}
