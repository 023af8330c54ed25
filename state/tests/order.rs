//! In which order things reach the disk, and what others see meanwhile.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use common::Place;
use laconic_engine::address::{Address, ResourceType};
use laconic_engine::apply::ports::StateStore as _;
use laconic_engine::state::JournalRecord;
use laconic_state::contract::{assert_same, digests, folded, records, scope};
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
