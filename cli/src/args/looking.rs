//! Arguments of the commands that read and show, and change nothing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Selection, Showing};

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Which deployments are checked.
    #[command(flatten)]
    pub selection: Selection,
    /// Fail on warnings too
    #[arg(long)]
    pub strict: bool,
    /// The format of the answer
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ValidateFormat>,
}

/// The formats of `validate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// Annotations of a GitHub workflow.
    Github,
}

/// A file that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaFile {
    /// spec.yml
    Spec,
    /// laconic.yml
    Laconic,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A plan that `plan --out` saved; without it, the state is shown
    #[arg(value_name = "PLANFILE")]
    pub plan_file: Option<PathBuf>,
    /// What is shown.
    #[command(flatten)]
    pub showing: Showing,
}

/// The formats of a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Graphviz.
    #[default]
    Dot,
    /// Mermaid.
    Mermaid,
}

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The graph of a saved plan, instead of the resources of the deployments
    #[arg(value_name = "PLANFILE")]
    pub plan_file: Option<PathBuf>,
    /// The format
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    pub format: GraphFormat,
}

/// The formats of rendered objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RenderFormat {
    /// YAML documents.
    #[default]
    Yaml,
    /// One JSON List.
    Json,
}

/// Whose objects are rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RenderScope {
    /// All.
    #[default]
    All,
    /// Those of the deployments.
    Deployment,
    /// Those that the deployments of a cluster share.
    Cluster,
}

/// Arguments of `render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// Whose objects: those of the deployments, of their clusters, or all
    #[arg(long, value_name = "SCOPE", default_value = "all")]
    pub scope: RenderScope,
    /// The format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "yaml")]
    pub output: RenderFormat,
    /// Print the kind configuration of the cluster instead
    #[arg(long)]
    pub kind_config: bool,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The resource's address, as plans print it
    pub address: String,
}
