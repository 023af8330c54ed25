//! The part of a compose file that has a meaning on Kubernetes, as read: every value with its place.
//!
//! `image`, `environment`, `command`, `entrypoint`, `user`, `working_dir` and `env_file` are kept as written: what they
//! become depends on the dialect, and where a secret may stand in them. In all other values variables are replaced.

use std::sync::Arc;

use super::{
    Dependency, DnsSettings, EnvironmentFile, ExtraHost, FileDefinition, FileGrant, Healthcheck, Link, MemoryMount,
    Port, ProcessSecurity, RestartPolicy, VolumeMount,
};
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
    /// The top-level `secrets`, in order.
    pub secrets: Vec<FileDefinition>,
    /// The top-level `configs`, in order.
    pub configs: Vec<FileDefinition>,
    /// The services that are left out, because none of their profiles is active.
    pub inactive: Vec<Located<String>>,
}

/// A command or entrypoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// One string, split by the dialect's rule.
    Text(Located<String>),
    /// A list of words.
    Words(Vec<Located<String>>),
}

/// One service. What the laconic-so dialect ignores is empty there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, the container's name.
    pub name: Located<String>,
    /// `image`, not interpolated.
    pub image: Option<Located<String>>,
    /// `environment`, in order, not interpolated; a null value is [`crate::spec::ScalarKind::Null`].
    pub environment: Vec<(Located<String>, Located<Scalar>)>,
    /// `env_file`.
    pub env_files: Vec<EnvironmentFile>,
    /// `ports`: the published ones.
    pub ports: Vec<Port>,
    /// `expose`: ports that are only listened on.
    pub exposed: Vec<Port>,
    /// `volumes`.
    pub volumes: Vec<VolumeMount>,
    /// `tmpfs`, `shm_size` and volumes of type `tmpfs` with a size.
    pub memory_mounts: Vec<MemoryMount>,
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
    /// Whether `pid` is `host`.
    pub host_processes: Option<Place>,
    /// Whether `ipc` is `host`.
    pub host_ipc: Option<Place>,
    /// The services whose network or memory segments `network_mode` or `ipc` says it shares, with that key.
    pub joins: Vec<(&'static str, Located<String>)>,
    /// `deploy.resources`, and below it `mem_limit`, `mem_reservation` and `cpus`.
    pub resources: ResourceBlock,
    /// Whether the label `laconic.init-container` makes it an init container.
    pub is_init: bool,
    /// `labels`, in order, without `laconic.init-container`.
    pub labels: Vec<(Located<String>, Located<String>)>,
    /// `annotations`, in order.
    pub annotations: Vec<(Located<String>, Located<String>)>,
    /// `healthcheck`.
    pub healthcheck: Option<Healthcheck>,
    /// `depends_on`, and `links` that name a service which it does not.
    pub depends_on: Vec<Dependency>,
    /// `links` with another name than the service's.
    pub links: Vec<Link>,
    /// Further names of the service: `aliases` of its networks.
    pub aliases: Vec<Located<String>>,
    /// `hostname`.
    pub hostname: Option<Located<String>>,
    /// `extra_hosts`.
    pub extra_hosts: Vec<ExtraHost>,
    /// `dns`, `dns_search`, `dns_opt`.
    pub dns: DnsSettings,
    /// `sysctls`.
    pub sysctls: Vec<(Located<String>, Located<String>)>,
    /// `cap_add`, `cap_drop`, `privileged`, `read_only`, `group_add`, `security_opt`.
    pub security: ProcessSecurity,
    /// `stop_grace_period` in seconds.
    pub stop_grace_period: Option<Located<u32>>,
    /// `restart`, or `deploy.restart_policy`.
    pub restart: Option<Located<RestartPolicy>>,
    /// `scale` or `deploy.replicas`.
    pub replicas: Option<Located<u32>>,
    /// `pull_policy` in Kubernetes' words.
    pub pull_policy: Option<Located<&'static str>>,
    /// `platform`: operating system and architecture in Kubernetes' words.
    pub platform: Option<Located<(String, Option<String>)>>,
    /// `stdin_open`.
    pub has_stdin: bool,
    /// `tty`.
    pub has_terminal: bool,
    /// `profiles`.
    pub profiles: Vec<Located<String>>,
    /// `secrets`.
    pub secrets: Vec<FileGrant>,
    /// `configs`.
    pub configs: Vec<FileGrant>,
}

impl Service {
    /// A service that says nothing but its name.
    #[must_use]
    pub fn named(name: Located<String>) -> Self {
        Self {
            name,
            image: None,
            environment: Vec::new(),
            env_files: Vec::new(),
            ports: Vec::new(),
            exposed: Vec::new(),
            volumes: Vec::new(),
            memory_mounts: Vec::new(),
            command: None,
            entrypoint: None,
            user: None,
            working_dir: None,
            host_network: None,
            host_processes: None,
            host_ipc: None,
            joins: Vec::new(),
            resources: ResourceBlock::default(),
            is_init: false,
            labels: Vec::new(),
            annotations: Vec::new(),
            healthcheck: None,
            depends_on: Vec::new(),
            links: Vec::new(),
            aliases: Vec::new(),
            hostname: None,
            extra_hosts: Vec::new(),
            dns: DnsSettings::default(),
            sysctls: Vec::new(),
            security: ProcessSecurity::default(),
            stop_grace_period: None,
            restart: None,
            replicas: None,
            pull_policy: None,
            platform: None,
            has_stdin: false,
            has_terminal: false,
            profiles: Vec::new(),
            secrets: Vec::new(),
            configs: Vec::new(),
        }
    }
}

impl ComposeFile {
    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name.value == name)
    }

    /// Leaves out the services that have profiles of which none is active; `*` stands for all.
    pub(crate) fn leave_out_inactive(&mut self, active: &[Located<String>]) {
        let is_active = |profile: &Located<String>| {
            active.iter().any(|active| active.value == "*" || active.value == profile.value)
        };
        let (kept, left_out) = std::mem::take(&mut self.services)
            .into_iter()
            .partition(|service: &Service| service.profiles.is_empty() || service.profiles.iter().any(is_active));
        self.services = kept;
        self.inactive = left_out.into_iter().map(|service| service.name).collect();
    }

    /// Whether a service of that name is left out for its profiles.
    #[must_use]
    pub fn is_inactive(&self, name: &str) -> bool {
        self.inactive.iter().any(|service| service.value == name)
    }
}
