//! Addresses: the stable names that people, plans and state use for resources.
//!
//! `type.deployment.name` in deployment scope (`persistent_volume.shop.pgdata`), `type.cluster[.name]` in cluster
//! scope (`kind_mount.main./mnt`). An address never contains a generated id, so that a pull-request check and the
//! server speak of the same thing.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! resource_types {
    ($($(#[$doc:meta])* $variant:ident => $word:literal, $kind:literal, $api:literal, $namespaced:literal;)*) => {
        /// What sort of thing a resource is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceType { $($(#[$doc])* $variant,)* }

        impl ResourceType {
            /// Every resource type, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word used in addresses.
            #[must_use]
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word,)* } }

            /// The Kubernetes `kind`, or the kind-specific name for what is no Kubernetes object.
            #[must_use]
            pub const fn kind(self) -> &'static str { match self { $(Self::$variant => $kind,)* } }

            /// The Kubernetes `apiVersion`; empty for what lives in Docker rather than in the API server.
            #[must_use]
            pub const fn api_version(self) -> &'static str { match self { $(Self::$variant => $api,)* } }

            /// Whether objects of this type live in a namespace.
            #[must_use]
            pub const fn is_namespaced(self) -> bool { match self { $(Self::$variant => $namespaced,)* } }
        }
    };
}

resource_types! {
    /// A kind cluster: the node container and everything fixed at its creation.
    KindCluster => "kind_cluster", "KindCluster", "", false;
    /// One extraMount of a kind cluster; fixed at cluster creation.
    KindMount => "kind_mount", "KindMount", "", false;
    /// One extraPortMapping of a kind cluster; fixed at cluster creation.
    KindPort => "kind_port", "KindPort", "", false;
    /// An image of this host's container engine on the nodes of a kind cluster; goes with the cluster.
    KindImage => "kind_image", "KindImage", "", false;
    /// A RuntimeClass.
    RuntimeClass => "runtime_class", "RuntimeClass", "node.k8s.io/v1", false;
    /// A Namespace.
    Namespace => "namespace", "Namespace", "v1", false;
    /// A PersistentVolume.
    PersistentVolume => "persistent_volume", "PersistentVolume", "v1", false;
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim => "persistent_volume_claim", "PersistentVolumeClaim", "v1", true;
    /// A ConfigMap.
    ConfigMap => "config_map", "ConfigMap", "v1", true;
    /// A Secret.
    Secret => "secret", "Secret", "v1", true;
    /// A ServiceAccount.
    ServiceAccount => "service_account", "ServiceAccount", "v1", true;
    /// A ClusterRole.
    ClusterRole => "cluster_role", "ClusterRole", "rbac.authorization.k8s.io/v1", false;
    /// A ClusterRoleBinding.
    ClusterRoleBinding => "cluster_role_binding", "ClusterRoleBinding", "rbac.authorization.k8s.io/v1", false;
    /// A Role.
    Role => "role", "Role", "rbac.authorization.k8s.io/v1", true;
    /// A RoleBinding.
    RoleBinding => "role_binding", "RoleBinding", "rbac.authorization.k8s.io/v1", true;
    /// A Service.
    Service => "service", "Service", "v1", true;
    /// Endpoints of a Service without a selector.
    Endpoints => "endpoints", "Endpoints", "v1", true;
    /// A Deployment.
    Deployment => "deployment", "Deployment", "apps/v1", true;
    /// A Job.
    Job => "job", "Job", "batch/v1", true;
    /// A CronJob.
    CronJob => "cron_job", "CronJob", "batch/v1", true;
    /// An IngressClass.
    IngressClass => "ingress_class", "IngressClass", "networking.k8s.io/v1", false;
    /// An Ingress.
    Ingress => "ingress", "Ingress", "networking.k8s.io/v1", true;
}

impl ResourceType {
    /// Whether this is an object in the Kubernetes API (as opposed to a fact about the kind node container).
    #[must_use]
    pub const fn is_kubernetes(self) -> bool {
        !self.api_version().is_empty()
    }

    /// Whether this can only change by making the cluster anew: kind fixes mounts and ports at creation.
    #[must_use]
    pub const fn is_fixed_at_cluster_creation(self) -> bool {
        matches!(self, Self::KindMount | Self::KindPort)
    }

    /// The type with that Kubernetes `kind`.
    #[must_use]
    pub fn from_kind(kind: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|candidate| candidate.kind() == kind)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for ResourceType {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::ALL
            .iter()
            .copied()
            .find(|candidate| candidate.word() == text)
            .ok_or_else(|| AddressError { text: text.to_owned(), problem: "unknown resource type" })
    }
}

/// Whose state a resource is recorded in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A kind cluster, shared by its tenants; by the cluster's name.
    Cluster(Arc<str>),
    /// One deployment; by the deployment's name.
    Deployment(Arc<str>),
}

impl Scope {
    /// The cluster's or deployment's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Cluster(name) | Self::Deployment(name) => name,
        }
    }

    /// The scope of the cluster with that name.
    #[must_use]
    pub fn cluster(name: &str) -> Self {
        Self::Cluster(name.into())
    }

    /// The scope of the deployment with that name.
    #[must_use]
    pub fn deployment(name: &str) -> Self {
        Self::Deployment(name.into())
    }

    /// Whether this is a cluster's scope.
    #[must_use]
    pub const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::Deployment(name) => write!(f, "deployment {name}"),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let prefix = if self.is_cluster() { "cluster" } else { "deployment" };
        serializer.collect_str(&format_args!("{prefix}/{}", self.name()))
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once('/') {
            Some(("cluster", name)) => Ok(Self::cluster(name)),
            Some(("deployment", name)) => Ok(Self::deployment(name)),
            _ => Err(serde::de::Error::custom(format!("`{text}` is no scope"))),
        }
    }
}

/// The address of one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// What it is.
    pub resource_type: ResourceType,
    /// Whose it is.
    pub scope: Scope,
    /// Its name within type and scope; `None` only for the cluster itself.
    pub name: Option<Arc<str>>,
}

impl Address {
    /// An address with a name.
    #[must_use]
    pub fn new(resource_type: ResourceType, scope: Scope, name: &str) -> Self {
        Self { resource_type, scope, name: Some(name.into()) }
    }

    /// The address of a kind cluster.
    #[must_use]
    pub fn kind_cluster(name: &str) -> Self {
        Self { resource_type: ResourceType::KindCluster, scope: Scope::cluster(name), name: None }
    }

    /// The short name: the resource's own, or the scope's for the cluster itself.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.scope.name())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.resource_type, self.scope.name())?;
        match &self.name {
            Some(name) => write!(f, ".{name}"),
            None => Ok(()),
        }
    }
}

/// An address in machine form, unambiguous about its scope: `cluster/main:kind_mount:/mnt`.
impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scope = if self.scope.is_cluster() { "cluster" } else { "deployment" };
        let name = self.name.as_deref().unwrap_or_default();
        serializer.collect_str(&format_args!("{scope}/{}:{}:{name}", self.scope.name(), self.resource_type))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        parse_machine_form(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no address")))
    }
}

fn parse_machine_form(text: &str) -> Option<Address> {
    let (scope, rest) = text.split_once(':')?;
    let (word, name) = rest.split_once(':')?;
    let scope = match scope.split_once('/')? {
        ("cluster", name) => Scope::cluster(name),
        ("deployment", name) => Scope::deployment(name),
        _ => return None,
    };
    let resource_type = word.parse().ok()?;
    Some(Address { resource_type, scope, name: (!name.is_empty()).then(|| name.into()) })
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address: {problem}")]
pub struct AddressError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Where an object lives in its API server: kind, namespace (empty for cluster-wide objects), name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The type of the object.
    pub resource_type: ResourceType,
    /// Its namespace; empty when it has none.
    pub namespace: Arc<str>,
    /// Its `metadata.name`; for a mount the container path, for a port `hostPort/protocol`.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The key of an object.
    #[must_use]
    pub fn new(resource_type: ResourceType, namespace: &str, name: &str) -> Self {
        Self { resource_type, namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}|{}", self.resource_type.kind(), self.namespace, self.name)
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let mut parts = text.splitn(3, '|');
        let key = (|| {
            let resource_type = ResourceType::from_kind(parts.next()?)?;
            Some(Self::new(resource_type, parts.next()?, parts.next()?))
        })();
        key.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no object key")))
    }
}
