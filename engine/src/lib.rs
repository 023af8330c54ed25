//! The engine: what should happen, decided from text and facts alone.
//!
//! ```text
//! text ──parse──> Spec ──check/compile──> Resources ──link──> Graph
//!                                            │                  │
//! StateStore ──load──> State (Recorded) ─────┤                  │
//! Provider  ──observe─> World (Observed) ────┴──> decide ──> Plan ──lint──> plan file, views
//!                                                             │
//!                            approve ──> Schedule (pure) <──> drive (one loop) ──> Provider.enact
//!                                                             │                └─> StateStore.append (before and after)
//!                                                             └──> Event stream ──> views
//! ```
//!
//! Architecture invariant: this crate knows no disk, network, clock, process, environment, randomness or async runtime.
//! What it needs of them it asks through the ports in [`source`] and [`apply::ports`].

pub mod address;
pub mod apply;
pub mod attributes;
pub mod certificate;
pub mod code;
pub mod compile;
pub mod compose;
pub mod diff;
pub mod export;
pub mod finding;
pub mod graph;
pub mod place;
pub mod plan;
pub mod redact;
pub mod resource;
pub mod secret;
pub mod source;
pub mod spec;
pub mod state;
pub mod suppression;
pub mod value;
pub mod vault;
pub mod yaml;
