//! A place for the state of one deployment, with stores on it.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use laconic_engine::apply::ports::StateStore as _;
use laconic_state::contract::{records, scope};
use laconic_state::{LocalStore, LocalStoreOptions};

pub struct Place {
    directory: tempfile::TempDir,
    name: &'static str,
}

impl Place {
    pub fn new() -> Self {
        Self::named("shop")
    }

    pub fn named(name: &'static str) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), name }
    }

    /// With all records folded: serial 2, and a generation 1 with half of them.
    pub fn folded() -> Self {
        let place = Self::new();
        let records = records();
        for half in [&records[..7], &records[7..]] {
            place.store().append(&scope(), half).unwrap();
            place.store().fold(&scope()).unwrap();
        }
        place
    }

    pub fn deployment(&self) -> PathBuf {
        self.directory.path().join(self.name)
    }

    pub fn state(&self) -> PathBuf {
        self.deployment().join(".laconic")
    }

    pub fn store(&self) -> LocalStore {
        self.store_simulated(false)
    }

    pub fn store_simulated(&self, simulated: bool) -> LocalStore {
        LocalStore::new(LocalStoreOptions {
            state_directory: self.directory.path().join("state"),
            simulated,
            deployment_directories: BTreeMap::from([(self.name.to_owned(), self.deployment())]),
        })
    }
}

pub fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_directory(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
