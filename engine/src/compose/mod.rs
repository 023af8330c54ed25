//! Compose files: what a pod or Job is made of.

mod interpolate;
pub mod model;
mod ports;
mod read;
mod service_keys;
#[cfg(test)]
mod tests;
mod volumes;

pub use interpolate::{interpolate, interpolate_whole};
pub use model::{Command, ComposeFile, Port, Service, VolumeMount, VolumeSource};
pub use ports::parse_port;
pub use read::{read_compose, read_compose_with};
