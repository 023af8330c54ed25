//! The command line of `laconic`: the composition root, and the only crate that words things for people.
//!
//! Architecture invariant: `wire` is the only module that knows which provider and which store are used, `error` the
//! only one that words an error, and `view` the only one that shapes an answer.

pub mod args;
pub mod error;
pub mod output;
pub mod view;
