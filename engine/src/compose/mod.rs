//! Compose files: what a pod or Job is made of.

mod depends_on;
mod deploy;
mod duration;
mod environment_file;
mod extends;
mod extra_host;
mod file_grant;
mod healthcheck;
mod interpolate;
mod labels;
mod memory_mount;
pub mod model;
mod ports;
mod process_security;
mod read;
mod restart_policy;
mod service;
mod service_keys;
mod substitution;
#[cfg(test)]
mod tests;
mod volumes;

pub use depends_on::{Condition, Dependency, Link};
pub use environment_file::EnvironmentFile;
pub(crate) use extra_host::is_host_name;
pub use extra_host::{DnsSettings, ExtraHost};
pub(crate) use file_grant::undefined;
pub use file_grant::{FileDefinition, FileGrant, FileKind, FileSource};
pub use healthcheck::{
    DEFAULT_INTERVAL, DEFAULT_RETRIES, DEFAULT_START_INTERVAL, DEFAULT_TIMEOUT, HealthTest, Healthcheck,
};
pub use interpolate::{interpolate, interpolate_whole};
pub use memory_mount::MemoryMount;
pub use model::{Command, ComposeFile, Service};
pub use ports::{Port, parse_port};
pub use process_security::ProcessSecurity;
pub use read::{read_compose, read_compose_with};
pub use restart_policy::RestartPolicy;
pub use service_keys::{DEPLOY_KEYS, Effect, Key, SERVICE_KEYS, TOP_LEVEL_KEYS};
pub(crate) use substitution::{SECRET_END, SECRET_START, marked_names, secret_is_blank, secret_mark};
pub use volumes::{VolumeMount, VolumeSource};
