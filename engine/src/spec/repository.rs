//! The shape of laconic.yml: every deployment of an operator's repository, and what they share.

use std::sync::Arc;

use super::{Dialect, Located};
use crate::code::Code;
use crate::place::Place;

/// laconic.yml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// The file's display name.
    pub file: Arc<str>,
    /// `deployments`, in order.
    pub deployments: Vec<RepositoryDeployment>,
    /// `clusters`, in order.
    pub clusters: Vec<RepositoryCluster>,
    /// `policy`.
    pub policy: Policy,
    /// `suppress`: codes not to be reported for any deployment, each with its reason.
    pub suppress: Vec<(Located<String>, String)>,
    /// `required-version`, as written.
    pub required_version: Option<Located<String>>,
}

impl Repository {
    /// The settings of a cluster.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<&RepositoryCluster> {
        self.clusters.iter().find(|cluster| cluster.name.value == name)
    }
}

/// One entry of `deployments:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryDeployment {
    /// The deployment's name: the second part of its addresses.
    pub name: Located<String>,
    /// `spec`: the path of its spec file.
    pub spec: Located<String>,
    /// `stack`; without it the spec's own `stack:` counts.
    pub stack: Option<StackReference>,
    /// `directory`: its deployment directory on the host it runs on.
    pub directory: Option<Located<String>>,
    /// `cluster`: the key under `clusters:` of the cluster it shares.
    pub cluster: Option<Located<String>>,
    /// `dialect`: how it is read where its directory is not at hand.
    pub dialect: Option<Located<Dialect>>,
}

/// Where a stack is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackReference {
    /// A folder of this repository or of this host.
    Folder(Located<String>),
    /// A folder of one revision of another repository.
    Pinned(PinnedStack),
}

/// `{repo, rev, path}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedStack {
    /// The repository: a path or an address.
    pub repo: Located<String>,
    /// The revision: a commit or a tag.
    pub rev: Located<String>,
    /// The stack's folder in it.
    pub path: Located<String>,
}

/// One entry of `clusters:`: settings that a cluster can have only once. They are the wish of every deployment on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryCluster {
    /// What `cluster:` of the deployments calls it.
    pub name: Located<String>,
    /// `kind-mount-root`.
    pub kind_mount_root: Option<Located<String>>,
    /// `kind-node-image`.
    pub kind_node_image: Option<Located<String>>,
    /// `caddy-ingress-image`.
    pub caddy_ingress_image: Option<Located<String>>,
    /// `acme-email`.
    pub acme_email: Option<Located<String>>,
}

impl RepositoryCluster {
    /// A cluster without settings.
    #[must_use]
    pub const fn new(name: Located<String>) -> Self {
        Self { name, kind_mount_root: None, kind_node_image: None, caddy_ingress_image: None, acme_email: None }
    }
}

/// `policy:`: what is stricter here than elsewhere. It never makes anything milder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `strict`: every warning is an error.
    pub strict: bool,
    /// `warnings-as-errors`: codes of warnings that are errors here.
    pub warnings_as_errors: Vec<(Code, Place)>,
}

impl Policy {
    /// Whether a warning of that code is an error here.
    #[must_use]
    pub fn forbids(&self, code: Code) -> bool {
        self.strict || self.warnings_as_errors.iter().any(|(forbidden, _)| *forbidden == code)
    }
}
