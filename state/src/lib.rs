//! Keeps what was recorded: the bytes of a state file, the places it lives in, its locks, and the secrets beside it.
//!
//! - [`mod@file`]: the bytes of a snapshot, one module per format version;
//! - [`journal`]: the append-only records beside a snapshot;
//! - [`local`], [`memory`]: the stores;
//! - [`local_vault`], [`memory_vault`]: what survives a cluster, encrypted;
//! - [`contract`], [`vault_contract`]: what every store and every vault must do;
//! - [`secret_store`]: the key of the fingerprints and the values made by us.
//!
//! Architecture invariant: nothing here decides anything. What a record means is the engine's `State::fold`.

pub mod contents;
pub mod contract;
pub mod disk;
pub mod file;
pub mod history;
pub mod journal;
pub mod local;
pub mod local_vault;
pub mod lock;
pub mod memory;
pub mod memory_vault;
pub mod parallel;
pub mod secret_store;
pub mod timestamp;
pub mod vault_contract;

pub use history::Generation;
pub use local::{LocalStore, LocalStoreOptions};
pub use local_vault::LocalVault;
pub use lock::LockReport;
pub use memory::MemoryStore;
pub use memory_vault::MemoryVault;
