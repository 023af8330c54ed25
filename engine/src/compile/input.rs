//! What is compiled, and what comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hook::HookFile;
use crate::address::Address;
use crate::compose::ComposeFile;
use crate::finding::{Finding, Suppressed};
use crate::place::Place;
use crate::resource::{Resource, Target};
use crate::spec::{DeploymentFile, Dialect, RepositoryCluster, Spec, Stack};
use crate::state::Tenant;

/// Where a deployment's files are and who it is, as far as the caller knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentSource {
    /// The deployment's name: its key in laconic.yml, else its directory's base name.
    pub name: String,
    /// The deployment directory, absolute; a relative volume path is meant from it.
    pub directory: String,
    /// The path of spec.yml for the [`crate::source::SourceReader`].
    pub spec_file: String,
    /// What findings put before the reader's paths to name a file: the directory as the user called it, or nothing.
    pub shown_directory: String,
    /// How the files are laid out.
    pub layout: Layout,
}

/// How a deployment's files are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A deployment directory: stack.yml, deployment.yml, compose/, config/ … all in it, at reader path `""`.
    Directory,
    /// Spec and stack in a repository: compose files in `ROOT/compose`, ROOT two levels above the stack's folder.
    Repository {
        /// The stack's folder, for the reader; its base name is the stack's name.
        stack: String,
        /// Who the deployment is, when a directory is known.
        identity: Option<DeploymentFile>,
    },
}

/// What a repository says of the cluster that a deployment shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedCluster {
    /// The kind cluster's name, for a deployment whose directory is not at hand.
    pub id: Option<String>,
    /// How that deployment is read then.
    pub dialect: Option<Dialect>,
    /// The settings of the cluster.
    pub settings: Option<Arc<RepositoryCluster>>,
}

/// A deployment whose files were read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedDeployment {
    /// Its name.
    pub name: String,
    /// Its directory, absolute.
    pub directory: String,
    /// The reader path that the paths in compose files are relative to: the folder of the compose files.
    pub compose_directory: String,
    /// The reader path of the folder that holds `configmaps/NAME` in a deployment directory, or `config/NAME` in a stack.
    pub configmap_directory: String,
    /// Who it is.
    pub identity: DeploymentFile,
    /// Whether the ids are stand-ins because the deployment was not created yet.
    pub identity_is_placeholder: bool,
    /// spec.yml.
    pub spec: Spec,
    /// stack.yml.
    pub stack: Stack,
    /// The pods' compose files with their names, in order.
    pub pods: Vec<(String, ComposeFile)>,
    /// The jobs' compose files with their names, in order.
    pub jobs: Vec<(String, ComposeFile)>,
    /// config.env as the laconic-so dialect reads it: name → value, in order, later duplicates win, empty ones dropped
    /// there. In the compose dialect it is `config:` itself, exactly. `$generate…$` values are in [`Self::generated`].
    pub config: Vec<ConfigVariable>,
    /// The files of the hooks, by hook.
    pub hook_files: BTreeMap<String, Vec<HookFile>>,
    /// `$generate:encoding:bytes$` values: name, encoding, bytes.
    pub generated: Vec<(String, String, u32)>,
}

/// One variable that every container gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigVariable {
    /// Its name.
    pub name: String,
    /// Its value, empty when it is secret.
    pub value: String,
    /// Whether it comes from a credentials file: then the value is asked for at apply.
    pub is_secret: bool,
    /// Where it is written.
    pub place: Option<Place>,
}

/// What one deployment compiles to.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledDeployment {
    /// Its name.
    pub name: String,
    /// Who it is.
    pub identity: DeploymentFile,
    /// Where it goes.
    pub target: Target,
    /// Its resources, in deployment scope, sorted by address. Needs may point into cluster scope.
    pub resources: Vec<Resource>,
    /// Its entry in the cluster's register, with its wishes.
    pub tenant: Tenant,
    /// Where its wishes are written: field of [`crate::state::ClusterWishes`] (`mount_root`, `mounts./mnt/x`,
    /// `caddy_image`, …) → place.
    pub wish_places: BTreeMap<String, Place>,
    /// Fields that are left to others.
    pub ignored: Vec<String>,
    /// Codes not to be reported, with the reasons.
    pub suppressed: BTreeMap<String, String>,
    /// Volumes by name: the addresses of claim and volume.
    pub volumes: BTreeMap<String, Vec<Address>>,
    /// What the spec calls volumes that `moved:` renamed, by their first names, which are used everywhere else.
    pub written_names: BTreeMap<String, String>,
    /// The images that are built on the host of its kind cluster, by reference: those that its stack says it builds.
    pub images: BTreeMap<String, BuiltImage>,
}

/// An image that a stack builds and that pods run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuiltImage {
    /// Where it is named.
    pub place: Option<Place>,
    /// The workloads that run it.
    pub workloads: Vec<Address>,
}

/// What compiling gave: the deployment, unless an error forbids it, and everything there is to say.
#[derive(Clone, Debug)]
pub struct Compilation {
    /// The compiled deployment; `None` when a finding is an error.
    pub deployment: Option<CompiledDeployment>,
    /// What it would come to but for its errors, as far as they allow: for its agreement with others, and nothing else.
    pub tentative: Option<CompiledDeployment>,
    /// The findings, in the order of files and lines.
    pub findings: Vec<Finding>,
    /// What the spec asks not to report.
    pub suppressed: Vec<Suppressed>,
    /// The codes that it asks not to report, with the reasons.
    pub suppressed_codes: BTreeMap<String, String>,
    /// The text of every file that was read, by display name, for source snippets.
    pub texts: BTreeMap<Arc<str>, Arc<str>>,
    /// Digest of every file that was read.
    pub inputs_digest: String,
}
