//! Providers: make it so. Implementations of [`laconic_engine::apply::Provider`].
//!
//! [`simulated`] is a whole host in memory or in a directory, for rehearsal, learning and tests.

pub mod simulated;

pub use simulated::SimulatedHost;
