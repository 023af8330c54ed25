//! The shape of the files that describe a deployment, as read: every value with its place, nothing judged yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::place::Place;

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Place,
}

impl<T> Located<T> {
    /// A value at a place.
    #[must_use]
    pub const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

/// How a deployment directory is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// As laconic-so reads it: same object names, same reading of sizes, words and environment.
    #[default]
    LaconicSo,
    /// Compose as compose means it, exact quantities.
    Compose,
}

impl Dialect {
    /// The word in deployment.yml.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::LaconicSo => "laconic-so",
            Self::Compose => "compose",
        }
    }
}

/// Where a deployment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeployTo {
    /// A kind cluster.
    KindCluster,
    /// A remote Kubernetes.
    Kubernetes,
}

/// A scalar as written: the text it stands for and whether it was quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text after YAML unescaping; empty for null.
    pub text: String,
    /// What YAML says it is.
    pub kind: ScalarKind,
}

/// What YAML says a scalar is (YAML 1.1 words for booleans count only in the `laconic-so` dialect's `config:`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarKind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// Another number.
    Float,
    /// Text.
    Text,
}

/// One route of an `http-proxy` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The path prefix.
    pub path: Located<String>,
    /// The container, the part of `proxy-to` before the colon.
    pub container: Located<String>,
    /// The port, the part after it.
    pub port: Located<u16>,
}

/// One `http-proxy` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProxy {
    /// The host name.
    pub host_name: Located<String>,
    /// Its routes, in order.
    pub routes: Vec<Route>,
}

/// Sizes as written, of one `reservations:` or `limits:` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceAmounts {
    /// `cpus`.
    pub cpus: Option<Located<Scalar>>,
    /// `memory`.
    pub memory: Option<Located<Scalar>>,
    /// `storage`.
    pub storage: Option<Located<Scalar>>,
}

/// One `reservations` / `limits` pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceBlock {
    /// What is guaranteed.
    pub reservations: Option<ResourceAmounts>,
    /// What is allowed.
    pub limits: Option<ResourceAmounts>,
}

/// `resources:` of spec.yml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// The block for every container.
    pub containers: ResourceBlock,
    /// The blocks of single containers.
    pub container: BTreeMap<String, ResourceBlock>,
    /// The names of those containers, where they are written.
    pub container_names: Vec<Located<String>>,
    /// The storage of every volume.
    pub volumes: Option<Located<Scalar>>,
    /// The storage of single volumes.
    pub volume: BTreeMap<String, Located<Scalar>>,
    /// The names of those volumes, where they are written.
    pub volume_names: Vec<Located<String>>,
}

/// `registry-credentials:` (or its older alias `image-pull-secret:`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryCredentials {
    /// Whether the key was `image-pull-secret`: the Secret is then named `{id}-image-pull-secret`.
    pub is_image_pull_secret: bool,
    /// Where the block is.
    pub place: Place,
    /// The registry host.
    pub server: Option<Located<String>>,
    /// The user name.
    pub username: Option<Located<String>>,
    /// The environment variable that holds the token.
    pub token_env: Option<Located<String>>,
    /// The file that holds the token; it wins over `token_env`.
    pub token_file: Option<Located<String>>,
}

/// `security:` of spec.yml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Every container is privileged.
    pub privileged: bool,
    /// Where it is said whether they are.
    pub privileged_place: Option<Place>,
    /// Capabilities added to every container.
    pub capabilities: Vec<Located<String>>,
    /// The high-memlock runtime.
    pub unlimited_memlock: Option<Located<bool>>,
    /// The pod's runtime class.
    pub runtime_class: Option<Located<String>>,
}

/// A label or a taint with its value: `node-affinities` and `node-tolerations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The label or taint key.
    pub key: Located<String>,
    /// Its value.
    pub value: Located<String>,
}

/// How an external service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalServiceKind {
    /// By host name.
    Host(String),
    /// By address.
    Ip(String),
    /// By the pods of another namespace.
    Selector {
        /// Pod labels.
        selector: BTreeMap<String, String>,
        /// Their namespace.
        namespace: String,
    },
}

/// One entry of `external-services:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalService {
    /// The Service's name, used as it is.
    pub name: Located<String>,
    /// How it is reached.
    pub kind: ExternalServiceKind,
    /// The port; 443 unless said.
    pub port: u16,
}

/// A service and its ports, as `network.ports` lists them.
pub type ServicePorts = (Located<String>, Vec<Located<Scalar>>);

/// spec.yml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// The file's display name.
    pub file: Arc<str>,
    /// `stack`.
    pub stack: Option<Located<String>>,
    /// `deploy-to`; `None` when absent or not one of the two (a finding was made then).
    pub deploy_to: Option<Located<DeployTo>>,
    /// `kube-config`.
    pub kube_config: Option<Located<String>>,
    /// `kind-cluster-name`.
    pub kind_cluster_name: Option<Located<String>>,
    /// `kind-node-image`.
    pub kind_node_image: Option<Located<String>>,
    /// `namespace`.
    pub namespace: Option<Located<String>>,
    /// `config`, in order.
    pub config: Vec<(Located<String>, Located<Scalar>)>,
    /// `credentials-files`.
    pub credentials_files: Vec<Located<String>>,
    /// `network.ports`: service → ports, in order. `None` when the key is absent.
    pub ports: Option<Vec<ServicePorts>>,
    /// `network.http-proxy`, in order.
    pub http_proxy: Vec<HttpProxy>,
    /// `network.acme-email`.
    pub acme_email: Option<Located<String>>,
    /// `volumes`: name → path or nothing, in order.
    pub volumes: Vec<(Located<String>, Option<Located<String>>)>,
    /// `configmaps`: name → path or nothing, in order.
    pub configmaps: Vec<(Located<String>, Option<Located<String>>)>,
    /// `secrets`: names of Secrets that somebody else makes.
    pub secrets: Vec<Located<String>>,
    /// `resources`.
    pub resources: Resources,
    /// `external-services`.
    pub external_services: Vec<ExternalService>,
    /// `ca-certificates`.
    pub ca_certificates: Vec<Located<String>>,
    /// `image-registry`.
    pub image_registry: Option<Located<String>>,
    /// `registry-credentials` or `image-pull-secret`.
    pub registry_credentials: Option<RegistryCredentials>,
    /// `image-overrides`: container → image.
    pub image_overrides: BTreeMap<String, Located<String>>,
    /// `image-pull-policy`.
    pub image_pull_policy: Option<Located<String>>,
    /// `kind-mount-root`.
    pub kind_mount_root: Option<Located<String>>,
    /// `caddy-ingress-image`.
    pub caddy_ingress_image: Option<Located<String>>,
    /// `maintenance-service`: container and port.
    pub maintenance_service: Option<(Located<String>, u16)>,
    /// `replicas`; 1 unless said.
    pub replicas: Option<Located<u32>>,
    /// `annotations`.
    pub annotations: Vec<(Located<String>, Located<String>)>,
    /// `labels`.
    pub labels: Vec<(Located<String>, Located<String>)>,
    /// `profiles`: the active ones.
    pub profiles: Vec<Located<String>>,
    /// `node-affinities`.
    pub node_affinities: Vec<KeyValue>,
    /// `node-tolerations`.
    pub node_tolerations: Vec<KeyValue>,
    /// `security`.
    pub security: Security,
    /// `ignore`: field paths that are left to others, by address or type.
    pub ignore: Vec<Located<String>>,
    /// `suppress`: codes not to be reported, each with its reason.
    pub suppress: Vec<(Located<String>, String)>,
    /// `required-version`, as written.
    pub required_version: Option<Located<String>>,
    /// `hooks`, in order.
    pub hooks: Vec<Hook>,
    /// `moved`: old name → new name of volumes and deployments.
    pub moved: Vec<(Located<String>, Located<String>)>,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookPhase {
    /// Before any workload is made or changed.
    BeforeWorkloads,
    /// When all workloads are ready.
    #[default]
    AfterWorkloads,
}

impl HookPhase {
    /// The word in the spec.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BeforeWorkloads => "before-workloads",
            Self::AfterWorkloads => "after-workloads",
        }
    }
}

/// An entry of `hooks`: a program that runs when the deployment is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its name.
    pub name: Located<String>,
    /// `executable`: a path from the spec, or a bare name.
    pub executable: Located<String>,
    /// `arguments`.
    pub arguments: Vec<Located<String>>,
    /// `phase`.
    pub phase: HookPhase,
    /// `inputs`: paths from the spec.
    pub inputs: Vec<Located<String>>,
}

/// stack.yml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// The file's display name.
    pub file: Arc<str>,
    /// The identity of the stack: the base name of its directory, not the `name` key.
    pub name: String,
    /// `pods`: compose-file stems, in order.
    pub pods: Vec<Located<String>>,
    /// `jobs`: compose-file stems, in order.
    pub jobs: Vec<Located<String>>,
    /// The compose files of pods that come from other repositories, as paths for the reader, by pod.
    pub pod_files: BTreeMap<String, String>,
    /// `containers`: image-name fragments.
    pub containers: Vec<Located<String>>,
}

/// deployment.yml: who a deployment is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentFile {
    /// `cluster-id`.
    pub cluster_id: String,
    /// `deployment-id`; the cluster-id where the key is missing.
    pub deployment_id: String,
    /// `dialect`.
    pub dialect: Dialect,
    /// `stack-source`.
    pub stack_source: Option<String>,
    /// `spec-source`.
    pub spec_source: Option<String>,
    /// Whether there is no such file and the ids were computed, as laconic-so did for directories from before it existed.
    pub is_computed: bool,
}
