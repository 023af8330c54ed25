//! Faults of the store in memory.

use laconic_engine::apply::ports::{LockMode, StateStore as _};
use laconic_state::MemoryStore;
use laconic_state::contract::{assert_same, folded, records, scope};

#[test]
fn a_crash_at_any_record_leaves_those_before_it() {
    let records = records();
    for count in 0..=records.len() {
        let store = MemoryStore::new();
        store.fail_append_after(count);
        let mut appended = 0;
        for batch in records.chunks(3) {
            if store.append(&scope(), batch).is_err() {
                break;
            }
            appended += batch.len();
        }
        assert_eq!(appended == records.len(), count == records.len());
        if count < records.len() {
            assert!(store.fold(&scope()).is_err(), "after a crash nothing is written");
        }
        let after = store.fork();
        assert_same(&after.load(&scope()).unwrap(), &folded(&records[..count]));
        after.fold(&scope()).unwrap();
        assert_same(&after.load(&scope()).unwrap(), &folded(&records[..count]));
    }
}

#[test]
fn a_failed_fold_keeps_state_and_journal() {
    let store = MemoryStore::simulated();
    store.append(&scope(), &records()).unwrap();
    store.fail_fold_after(0);
    assert!(store.fold(&scope()).is_err());
    assert!(store.archive(&scope()).is_err());
    assert_same(&store.load(&scope()).unwrap(), &folded(&records()));
    assert_eq!(store.journal(&scope()), records());
    assert!(store.load(&scope()).unwrap().simulated);
}

#[test]
fn a_fork_shares_nothing() {
    let store = MemoryStore::new();
    let _held = store.lock(&scope(), LockMode::Exclusive, "apply").unwrap();
    store.append(&scope(), &records()[..4]).unwrap();
    let fork = store.fork();
    fork.lock(&scope(), LockMode::Exclusive, "apply").unwrap();
    fork.append(&scope(), &records()[4..]).unwrap();
    assert_same(&store.load(&scope()).unwrap(), &folded(&records()[..4]));
    fork.archive(&scope()).unwrap();
    assert_eq!((fork.archived().len(), store.archived().len()), (1, 0));
    let again = MemoryStore::with_state(folded(&records()));
    assert_same(&again.load(&scope()).unwrap(), &folded(&records()));
}
