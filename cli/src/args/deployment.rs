//! Arguments of `deployment`: laconic-so's everyday commands on one deployment.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Carrying, Consents, Planning, Showing};

/// Arguments of `deployment`.
#[derive(Debug, Args)]
pub struct DeploymentArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: DeploymentCommand,
}

/// Arguments of `cluster`.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// What to do with clusters.
    #[command(subcommand)]
    pub command: ClusterCommand,
}

/// What to do with clusters.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// List the kind clusters that are recorded or run here, and who lives on them
    List,
    /// Show one: its deployments and their volumes; its mounts and ports as recorded, declared and live
    Show {
        /// The cluster; without it the one of `--dir`, or the only one
        cluster: Option<String>,
    },
    /// Put everything on a cluster below one directory of the host: edits of the specs, moves of the data and one recreate,
    /// planned together, shown, and done as one thing that can be interrupted
    Migrate(Box<MigrateArgs>),
}

/// Arguments of `cluster migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Give the cluster an umbrella mount
    #[arg(long, required = true)]
    pub to_umbrella: bool,
    /// The cluster; without it the one of `--dir`, or the only one
    #[arg(long, value_name = "CLUSTER-ID")]
    pub cluster: Option<String>,
    /// The directory of the host that everything is put below, on the file system of the data; without it what a spec
    /// names, or /srv/kind
    #[arg(long, value_name = "DIR")]
    pub mount_root: Option<String>,
    /// Take this volume out of the node, where it dies with the cluster, and give it a place below the umbrella
    #[arg(long, value_name = "DEPLOYMENT/VOLUME")]
    pub rescue_volume: Vec<String>,
    /// Run completed Jobs again after the recreate
    #[arg(long)]
    pub rerun_jobs: bool,
    /// The consents.
    #[command(flatten)]
    pub consents: Consents,
    /// How it is done.
    #[command(flatten)]
    pub carrying: Carrying,
    /// What is shown.
    #[command(flatten)]
    pub showing: Showing,
}

/// What to do with a deployment.
#[derive(Debug, Subcommand)]
pub enum DeploymentCommand {
    /// Start it: plan and apply; makes the cluster if there is none
    #[command(visible_alias = "up")]
    Start(Box<StartArgs>),
    /// Stop it: what runs goes, its data stays
    #[command(visible_alias = "down")]
    Stop(Box<StopArgs>),
    /// Pull the repositories of spec and stack, bring the directory up to date, and apply what changed; never the cluster
    Restart(Box<RestartArgs>),
    /// Make everything that pods need, and no pods: cluster, namespace, volumes, ConfigMaps, Secrets
    Prepare(Box<PartArgs>),
    /// Apply changed environments, ConfigMaps and Secrets to the workloads, and nothing else
    UpdateEnvs(Box<PartArgs>),
    /// Show the state of the deployment, its workloads and its pods
    Status,
    /// List its pods
    Ps,
    /// Show what its containers say
    Logs(LogsArgs),
    /// Say where a port of a service is reached
    Port(PortArgs),
    /// Run a command in a container
    Exec(ExecArgs),
    /// Push the images that were built here (`:local`) to the registry of the spec
    PushImages,
    /// Run a job of the stack now, whether it ran before or not
    RunJob {
        /// The job
        job: String,
        /// Taken and ignored: there are no Helm releases
        #[arg(long, hide = true)]
        helm_release: Option<String>,
        /// How.
        #[command(flatten)]
        part: Box<PartArgs>,
    },
}

/// Arguments of `deployment logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Only these containers
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Only so many lines from the end of each
    #[arg(short = 'n', long, value_name = "LINES")]
    pub tail: Option<u64>,
    /// Go on as long as they run
    #[arg(short, long)]
    pub follow: bool,
}

/// Arguments of `deployment port`.
#[derive(Debug, Args)]
pub struct PortArgs {
    /// The service
    pub service: String,
    /// Its port
    pub port: u16,
}

/// Arguments of `deployment exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// The service
    pub service: String,
    /// The command with its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// Arguments of `deployment restart`.
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// The stack's folder, instead of the one that deployment.yml names
    #[arg(long, value_name = "DIR")]
    pub stack_path: Option<PathBuf>,
    /// Taken and ignored, as laconic-so does
    #[arg(long, hide = true)]
    pub config_file: Option<PathBuf>,
    /// Do not look whether new host names are known to DNS
    #[arg(long)]
    pub force: bool,
    /// Where new host names are expected to lead
    #[arg(long, value_name = "ADDRESS")]
    pub expected_ip: Option<IpAddr>,
    /// Not possible: `image-overrides:` of the spec says it
    #[arg(long, value_name = "CONTAINER=IMAGE", hide = true)]
    pub image: Vec<String>,
    /// Roll every workload, changed or not
    #[arg(long)]
    pub rollout: bool,
    /// What is planned.
    #[command(flatten)]
    pub planning: Planning,
    /// How it is done.
    #[command(flatten)]
    pub carrying: Carrying,
    /// What is shown.
    #[command(flatten)]
    pub showing: Showing,
}

/// Arguments of the commands that apply a part.
#[derive(Debug, Args)]
pub struct PartArgs {
    /// Whether the cluster is managed.
    #[command(flatten)]
    pub cluster: ClusterManagement,
    /// What is planned.
    #[command(flatten)]
    pub planning: Planning,
    /// How it is done.
    #[command(flatten)]
    pub carrying: Carrying,
    /// What is shown.
    #[command(flatten)]
    pub showing: Showing,
}

/// Whether the cluster may be made, changed or deleted.
#[derive(Clone, Debug, Default, Args)]
pub struct ClusterManagement {
    /// Make or delete the cluster where that is needed; on stop the consent to deleting one that nobody else lives on
    #[arg(long, conflicts_with = "skip_cluster_management")]
    pub perform_cluster_management: bool,
}

/// Arguments of `deployment start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Taken and ignored: one deployment is started as a whole
    #[arg(value_name = "SERVICE", hide = true)]
    pub services: Vec<String>,
    /// Taken and ignored: there is no terminal to stay attached to
    #[arg(long, hide = true)]
    pub stay_attached: bool,
    /// Taken and ignored, as it is spelled there
    #[arg(long, alias = "detach-terminal", hide = true)]
    pub detatch_terminal: bool,
    /// Whether the cluster is managed.
    #[command(flatten)]
    pub cluster: ClusterManagement,
    /// What is planned.
    #[command(flatten)]
    pub planning: Planning,
    /// How it is done.
    #[command(flatten)]
    pub carrying: Carrying,
    /// What is shown.
    #[command(flatten)]
    pub showing: Showing,
}

/// Arguments of `deployment stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Taken and ignored: one deployment is stopped as a whole
    #[arg(value_name = "SERVICE", hide = true)]
    pub services: Vec<String>,
    /// Delete the deployment's own volumes; files on the host stay
    #[arg(long, conflicts_with = "preserve_volumes")]
    pub delete_volumes: bool,
    /// Keep the volumes (the default)
    #[arg(long)]
    pub preserve_volumes: bool,
    /// Delete the deployment's namespace with every claim in it
    #[arg(long)]
    pub delete_namespace: bool,
    /// Whether the cluster is managed.
    #[command(flatten)]
    pub cluster: ClusterManagement,
    /// What is planned.
    #[command(flatten)]
    pub planning: Planning,
    /// How it is done.
    #[command(flatten)]
    pub carrying: Carrying,
    /// What is shown.
    #[command(flatten)]
    pub showing: Showing,
}
