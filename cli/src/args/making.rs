//! Arguments of the commands that look after state, make directories and play somebody else.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Arguments of `state`.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: StateCommand,
}

/// What to do with the state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// List the recorded resources
    List,
    /// Show what is recorded of a resource, or of everything
    Show {
        /// The resource's address
        address: Option<String>,
    },
    /// List the generations that are kept
    History,
    /// Remove a lock whose holder is dead
    Unlock,
}

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Where the deployment goes
    #[arg(long, value_name = "TARGET", default_value = "k8s-kind", global = true)]
    pub deploy_to: DeployTo,
    /// What to make.
    #[command(subcommand)]
    pub command: DeployCommand,
}

/// How a deployment directory is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DialectChoice {
    /// Compose as compose means it.
    Compose,
    /// As laconic-so reads it.
    LaconicSo,
}

/// Which port of the nodes each port of a stack gets. The words are laconic-so's, which also has docker compose in mind;
/// Kubernetes opens a port of a node on all of its addresses, and only ports from 30000 to 32767.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PortRecipe {
    /// None: the port is reached inside the cluster, or through the ingress
    #[default]
    AnyVariableRandom,
    /// The same port, where it is one that nodes may open
    AnySame,
    /// A port chosen now and written down
    AnyFixedRandom,
    /// Not possible on Kubernetes
    #[value(hide = true)]
    LocalhostSame,
    /// Not possible on Kubernetes
    #[value(hide = true)]
    LocalhostFixedRandom,
}

/// Where a deployment goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeployTo {
    /// A kind cluster.
    #[default]
    #[value(name = "k8s-kind")]
    K8sKind,
    /// A remote Kubernetes.
    #[value(name = "k8s")]
    K8s,
}

/// What to make.
#[derive(Debug, Subcommand)]
pub enum DeployCommand {
    /// Write a template for the spec of a stack
    Init {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// Values for `config:`, as NAME=VALUE separated by commas
        #[arg(long, value_name = "NAME=VALUE,…", value_delimiter = ',')]
        config: Vec<String>,
        /// A file of NAME=VALUE lines for `config:`; what `--config` says counts more
        #[arg(long, value_name = "FILE")]
        config_file: Option<PathBuf>,
        /// Which port of the nodes each port of the stack gets
        #[arg(long, value_name = "RECIPE", default_value = "any-variable-random")]
        map_ports_to_host: PortRecipe,
        /// The kube-config of the remote Kubernetes (`--deploy-to k8s`)
        #[arg(long, value_name = "FILE")]
        kube_config: Option<String>,
        /// The registry of the images (`--deploy-to k8s`)
        #[arg(long, value_name = "REGISTRY")]
        image_registry: Option<String>,
        /// Overwrite the file if it is there
        #[arg(long)]
        force: bool,
    },
    /// Fetch the stacks that laconic.yml pins to revisions of other repositories
    Fetch {
        /// Ask again what tags and branches are now, though they were fetched before
        #[arg(long)]
        update: bool,
    },
    /// Make a deployment directory from a spec and a stack
    Create {
        /// The directory to make
        #[arg(long, value_name = "DIR")]
        deployment_dir: PathBuf,
        /// Bring an existing directory up to date with spec and stack
        #[arg(long)]
        update: bool,
        /// How the directory is read; without it an update keeps what is, and a new one is read as compose means it
        #[arg(long, value_name = "DIALECT")]
        dialect: Option<DialectChoice>,
        /// The deployment-id, instead of a new one
        #[arg(long, value_name = "ID", hide = true)]
        deployment_id: Option<String>,
        /// The cluster-id, instead of the running cluster's or a new one
        #[arg(long, value_name = "ID", hide = true)]
        cluster_id: Option<String>,
    },
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// What somebody else does.
    #[command(subcommand)]
    pub command: SimulateCommand,
}

/// What somebody else does to a simulated host.
#[derive(Debug, Subcommand)]
pub enum SimulateCommand {
    /// Show what is on the host
    Show,
    /// Set a field of an object
    Edit {
        /// The field manager that does it
        #[arg(long, default_value = "kubectl-edit")]
        manager: String,
        /// The object: kind/namespace/name, or kind/name for one without a namespace
        object: String,
        /// The field path
        path: String,
        /// The value, as JSON or as plain text
        value: String,
        /// The cluster, when several run
        #[arg(long)]
        cluster: Option<String>,
    },
    /// Make an object
    Create {
        /// A file with the object in JSON
        file: PathBuf,
        /// The field manager that does it
        #[arg(long, default_value = "kubectl")]
        manager: String,
        /// The cluster, when several run
        #[arg(long)]
        cluster: Option<String>,
    },
    /// Delete an object
    Delete {
        /// The object: kind/namespace/name, or kind/name for one without a namespace
        object: String,
        /// The cluster, when several run
        #[arg(long)]
        cluster: Option<String>,
    },
    /// Make the host fail: `dies-after N`, `fails-once N`, `none`
    Fault {
        /// The fault
        kind: FaultKind,
        /// After how many steps
        steps: Option<u64>,
    },
    /// Have the API servers do what webhooks and roles do
    Policy {
        /// What.
        #[command(subcommand)]
        policy: PolicyCommand,
    },
    /// Delete a cluster with everything in it
    DeleteCluster {
        /// The cluster
        cluster: String,
    },
    /// Delete a cluster and make an empty one of the same name and configuration
    ReplaceCluster {
        /// The cluster
        cluster: String,
    },
    /// Make an empty kind cluster, as somebody else would
    CreateCluster {
        /// Its name
        cluster: String,
    },
    /// Write data into a directory of the host, which is made where it is not there
    WritePath {
        /// The directory
        path: String,
        /// What is in it from then on
        text: String,
    },
    /// Have the CronJob of a cluster that saves its certificates run now
    SaveCertificates {
        /// The cluster
        cluster: String,
    },
    /// Build an image on the host, as `docker build` does: each time another one, and no registry has it
    BuildImage {
        /// The image, with its tag
        image: String,
    },
    /// Remove an image from the host; the nodes of clusters keep theirs
    RemoveImage {
        /// The image, with its tag
        image: String,
    },
    /// Remove a path of the host with everything beneath it
    RemovePath {
        /// The path
        path: String,
    },
    /// Stop the node container of a cluster
    StopNode {
        /// The cluster
        cluster: String,
    },
    /// Start the node container of a cluster again
    StartNode {
        /// The cluster
        cluster: String,
    },
}

/// What API servers do beside the rules of Kubernetes.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Admission sets a field of every object of a kind
    Sets {
        /// The kind of object
        kind: String,
        /// The field path
        path: String,
        /// The value, as JSON or as plain text
        value: String,
    },
    /// Admission refuses every object of a kind
    Denies {
        /// The kind of object
        kind: String,
        /// In these words
        message: String,
    },
    /// Our role does not allow to see objects of a kind
    Hides {
        /// The kind of object
        kind: String,
    },
    /// Our role does not allow to change objects of a kind
    Forbids {
        /// The kind of object
        kind: String,
    },
    /// Nothing any more
    None,
}

/// How a simulated host fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultKind {
    /// It stops answering after so many steps, the last one done but its answer lost.
    DiesAfter,
    /// It stops answering in the middle of the step of that number: a cluster that was being made is left unfinished.
    DiesDuring,
    /// It refuses the step of that number, once.
    FailsOnce,
    /// It works.
    None,
}
