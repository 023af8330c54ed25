//! The contract, on both stores.

use std::cell::RefCell;
use std::collections::BTreeMap;

use laconic_state::contract::{self, Handles};
use laconic_state::{LocalStore, LocalStoreOptions, MemoryStore};

#[test]
fn memory_store() {
    contract::run(&|| {
        let store = MemoryStore::new();
        (Box::new(store.clone()), Box::new(store))
    });
}

#[test]
fn local_store() {
    let directories = RefCell::new(Vec::new());
    contract::run(&|| {
        let directory = tempfile::tempdir().unwrap();
        let make = || {
            LocalStore::new(LocalStoreOptions {
                state_directory: directory.path().join("state"),
                simulated: false,
                deployment_directories: BTreeMap::from([("shop".to_owned(), directory.path().join("shop"))]),
            })
        };
        let handles: Handles = (Box::new(make()), Box::new(make()));
        directories.borrow_mut().push(directory);
        handles
    });
}

#[test]
fn simulated_local_store() {
    let directories = RefCell::new(Vec::new());
    contract::run(&|| {
        let directory = tempfile::tempdir().unwrap();
        let make = || LocalStore::simulated(directory.path(), BTreeMap::new());
        let handles: Handles = (Box::new(make()), Box::new(make()));
        directories.borrow_mut().push(directory);
        handles
    });
}
