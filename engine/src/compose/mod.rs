//! Compose files: what a pod or Job is made of.

pub mod model;

pub use model::{Command, ComposeFile, Port, Service, VolumeMount, VolumeSource};
