//! The part of a compose file that has a meaning on Kubernetes, as read: every value with its place.
//!
//! Values are kept as written; interpolation and the dialects' readings happen when a deployment is compiled.

use std::sync::Arc;

use crate::place::Place;
use crate::spec::{Located, ResourceBlock, Scalar};

/// One compose file: one pod, or one Job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComposeFile {
    /// The file's display name.
    pub file: Arc<str>,
    /// The folder it is in, for the reader: the host paths of its volumes are meant from there.
    pub folder: String,
    /// The services, in order.
    pub services: Vec<Service>,
    /// The top-level volumes, in order.
    pub volumes: Vec<Located<String>>,
}

/// A command or entrypoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// One string, split by the dialect's rule.
    Text(Located<String>),
    /// A list of words.
    Words(Vec<Located<String>>),
}

/// One published or exposed port, parsed from short or long form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The port in the container.
    pub container: u16,
    /// The port on the host, when one is given.
    pub host: Option<u16>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Where it is written.
    pub place: Place,
}

/// One mount of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeMount {
    /// What is mounted.
    pub source: VolumeSource,
    /// The path in the container.
    pub target: String,
    /// The options after the second colon, as written (`ro`, `rw`, `ro,z`), in order.
    pub options: Vec<String>,
    /// Where it is written.
    pub place: Place,
}

/// What a service mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// A named volume.
    Named(String),
    /// A path on the host: it starts with `/`, `.` or `~`.
    HostPath(String),
    /// An anonymous volume, or `tmpfs`.
    Anonymous,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, the container's name.
    pub name: Located<String>,
    /// `image`, not interpolated.
    pub image: Option<Located<String>>,
    /// `environment`, in order, not interpolated; a null value is [`crate::spec::ScalarKind::Null`].
    pub environment: Vec<(Located<String>, Located<Scalar>)>,
    /// `env_file` paths.
    pub env_files: Vec<Located<String>>,
    /// `ports`.
    pub ports: Vec<Port>,
    /// `volumes`.
    pub volumes: Vec<VolumeMount>,
    /// `command`.
    pub command: Option<Command>,
    /// `entrypoint`.
    pub entrypoint: Option<Command>,
    /// `user`, as written.
    pub user: Option<Located<String>>,
    /// `working_dir`.
    pub working_dir: Option<Located<String>>,
    /// Whether `network_mode` is `host`.
    pub host_network: Option<Place>,
    /// `deploy.resources`.
    pub resources: ResourceBlock,
    /// Whether the label `laconic.init-container` makes it an init container.
    pub is_init: bool,
}

impl ComposeFile {
    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name.value == name)
    }
}
