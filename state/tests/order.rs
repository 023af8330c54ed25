//! In which order things reach the disk, and what others see meanwhile.

mod common;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use common::Place;
use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::apply::ports::StateStore as _;
use laconic_engine::state::JournalRecord;
use laconic_state::LocalStore;
use laconic_state::contract::{assert_same, cluster, digests, folded, records, scope};
use laconic_state::disk::DiskOperation::{self, CreateFile, Link, Remove, Rename, Sync, SyncDirectory, Write};
use serde_json::json;

#[test]
fn nothing_counts_before_it_is_durable() {
    let place = Place::folded();
    let done: Arc<Mutex<Vec<DiskOperation>>> = Arc::default();
    let log = Arc::clone(&done);
    let store = place.store().with_fault_hook(Arc::new(move |operation, _| {
        log.lock().unwrap().push(operation);
        Ok(())
    }));
    let take = || std::mem::take(&mut *done.lock().unwrap());
    // The first append opens the write lock and the journal, and makes the new journal's name durable.
    store.append(&scope(), &records()[..3]).unwrap();
    assert_eq!(take(), [CreateFile, CreateFile, SyncDirectory, Write, Sync]);
    // One write and one fsync for all records of a call.
    store.append(&scope(), &records()[3..6]).unwrap();
    assert_eq!(take(), [CreateFile, Write, Sync]);
    store.append(&scope(), &[JournalRecord::End { time: "2026-01-02T03:04:05Z".into() }]).unwrap();
    take();
    store.fold(&scope()).unwrap();
    // The last removal before the clean-up is the journal's; linking first removes what has the name.
    let fold = [CreateFile, CreateFile, Write, Sync, Link, Remove, Rename, SyncDirectory, Remove];
    assert_eq!(take(), fold);
}

#[test]
fn what_a_cluster_is_told_is_durable_before_its_deployments_are() {
    let place = Place::new();
    let done: Arc<Mutex<Vec<(DiskOperation, bool)>>> = Arc::default();
    let log = Arc::clone(&done);
    let host = place.state().join("host");
    let store = LocalStore::simulated(&host, [].into()).with_fault_hook(Arc::new(move |operation, path| {
        let is_cluster = path.components().any(|part| part.as_os_str() == "clusters");
        log.lock().unwrap().push((operation, is_cluster));
        Ok(())
    }));
    let end = JournalRecord::End { time: "2026-01-02T03:04:05Z".into() };
    let scopes: Vec<Scope> =
        (0..40).map(|number| Scope::deployment(&format!("shop{number}"))).chain([cluster()]).collect();
    let records: BTreeMap<Scope, Vec<JournalRecord>> =
        scopes.iter().map(|scope| (scope.clone(), vec![end.clone()])).collect();
    store.append_all(&records).unwrap();
    let done = done.lock().unwrap();
    let cluster_ended = done.iter().rposition(|(operation, is_cluster)| *is_cluster && *operation == Sync).unwrap();
    let others_began = done.iter().position(|(_, is_cluster)| !is_cluster).unwrap();
    assert!(cluster_ended < others_began, "{done:?}");
    drop(done);
    let reader = LocalStore::simulated(&host, [].into());
    assert!(scopes.iter().all(|scope| reader.load(scope).unwrap().journaled == 1));
    store.fold_all(&scopes.iter().cloned().collect()).unwrap();
    assert!(scopes.iter().all(|scope| reader.load(scope).unwrap().journaled == 0));
}

/// Deployments that share a cluster's lock all write to its register: what each of them reads, adds to and puts back must not
/// change under it.
#[test]
fn nobody_else_writes_to_a_scope_between_reading_and_writing_it() {
    let place = Place::folded();
    let unlocked: Arc<Mutex<Vec<(DiskOperation, String)>>> = Arc::default();
    let log = Arc::clone(&unlocked);
    let store = place.store().with_fault_hook(Arc::new(move |operation, path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let lock = path.with_file_name(".write-lock");
        // The lock itself is opened before it is held, and a directory is made for it.
        let is_held = || File::open(&lock).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
        if name != ".write-lock" && name != ".laconic" && !is_held() {
            log.lock().unwrap().push((operation, name));
        }
        Ok(())
    }));
    store.append(&scope(), &records()[..3]).unwrap();
    store.append(&scope(), &[JournalRecord::End { time: "2026-01-02T03:04:05Z".into() }]).unwrap();
    store.fold(&scope()).unwrap();
    assert_eq!(*unlocked.lock().unwrap(), []);
    assert!(place.store().load(&scope()).unwrap().journaled == 0);
}

#[test]
fn one_journal_that_cannot_be_written_is_said() {
    let place = Place::new();
    let store = LocalStore::simulated(&place.state().join("host"), [].into()).with_fault_hook(Arc::new(
        |operation, path: &Path| match operation {
            Sync if path.to_string_lossy().contains("/shop7/") => Err(std::io::Error::other("worn out")),
            _ => Ok(()),
        },
    ));
    let end = JournalRecord::End { time: "2026-01-02T03:04:05Z".into() };
    let records: BTreeMap<Scope, Vec<JournalRecord>> =
        (0..20).map(|number| (Scope::deployment(&format!("shop{number}")), vec![end.clone()])).collect();
    let error = store.append_all(&records).unwrap_err().to_string();
    assert!(error.contains("deployment shop7") && error.contains("worn out"), "{error}");
}

/// The n-th of many resources.
fn done(number: usize) -> JournalRecord {
    JournalRecord::Done {
        address: Address::new(ResourceType::ConfigMap, scope(), &format!("{number:04}")),
        uid: number.to_string(),
        needs: Vec::new(),
        desired: json!({"number": number}),
        observed: json!(null),
    }
}

#[test]
fn readers_see_one_moment_while_others_write() {
    const COUNT: usize = 150;
    let place = Place::new();
    let ended = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let store = place.store();
                let mut least = 0;
                while !ended.load(Ordering::SeqCst) {
                    let mut state = store.load(&scope()).unwrap();
                    let count = state.resources.len();
                    assert!(count >= least, "{count} resources after {least}");
                    let expected: Vec<JournalRecord> = (0..count).map(done).collect();
                    assert_same(&state, &folded(&expected));
                    least = count;
                    let all = digests(&state);
                    store.load_bodies(&mut state, &all).unwrap();
                }
            });
        }
        let (first, second) = (place.store(), place.store());
        for number in 0..COUNT {
            let result = first
                .append(&scope(), &[done(number)])
                .and_then(|()| if number % 2 == 1 { second.fold(&scope()).map(|_| ()) } else { Ok(()) });
            if result.is_err() {
                ended.store(true, Ordering::SeqCst);
            }
            result.unwrap();
        }
        ended.store(true, Ordering::SeqCst);
    });
    assert_eq!(place.store().load(&scope()).unwrap().resources.len(), COUNT);
}
