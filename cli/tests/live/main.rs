//! Journeys of the real binary against a real API server: everything that `laconic` says and does for a deployment on
//! a remote Kubernetes, and what it says and does not do when that Kubernetes cannot be seen.
//!
//! One program, so that its tests share the servers of the test bed.

#[path = "../shared/answer.rs"]
mod answer;
mod deployment;
mod everyday;
mod hooks;
mod main_path;
mod permissions;
mod proxy;
mod requests;
mod roles;
mod unseen;
