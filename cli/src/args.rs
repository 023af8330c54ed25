//! The command line.

mod deployment;
mod looking;
mod making;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use deployment::{
    ClusterArgs, ClusterCommand, ClusterManagement, DeploymentArgs, DeploymentCommand, ExecArgs, LogsArgs, MigrateArgs,
    PartArgs, PortArgs, RestartArgs, StartArgs, StopArgs,
};
pub use looking::{
    GraphArgs, GraphFormat, RenderArgs, RenderFormat, RenderScope, SchemaFile, ShowArgs, ValidateArgs, ValidateFormat,
    WhyArgs,
};
pub use making::{
    DeployArgs, DeployCommand, DeployTo, DialectChoice, FaultKind, PolicyCommand, PortRecipe, SimulateArgs,
    SimulateCommand, StateArgs, StateCommand,
};

/// Plan and apply deployments on kind and Kubernetes, with every danger shown before anything is touched.
#[derive(Debug, Parser)]
#[command(name = "laconic", version, propagate_version = true, max_term_width = 100, subcommand_required = true)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// A deployment directory; may be given several times
    #[arg(long = "dir", value_name = "DIR", global = true)]
    pub dirs: Vec<PathBuf>,
    /// A spec file in the operator's repository
    #[arg(long, value_name = "FILE", global = true)]
    pub spec_file: Option<PathBuf>,
    /// The stack's folder, when the spec does not name it
    #[arg(long, value_name = "DIR", global = true)]
    pub stack: Option<PathBuf>,
    /// Where the state of clusters is kept
    #[arg(long, value_name = "DIR", env = "LACONIC_STATE_DIR", global = true)]
    pub state_dir: Option<PathBuf>,
    /// Run against the simulated host kept in this directory, state included
    #[arg(long, value_name = "HOSTDIR", env = "LACONIC_SIMULATE", global = true)]
    pub simulate: Option<PathBuf>,
    /// The kubeconfig of a remote Kubernetes, instead of the deployment's own
    #[arg(long, value_name = "FILE", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig context of a remote Kubernetes; no context is ever taken from your own kubeconfig by itself
    #[arg(long, value_name = "NAME", global = true)]
    pub context: Option<String>,
    /// Reach a remote Kubernetes with the service account of the pod this runs in
    #[arg(long, conflicts_with_all = ["kubeconfig", "context"], global = true)]
    pub in_cluster: bool,
    /// How long a Kubernetes may take to answer one request: 90s, 5m, 1h
    #[arg(long, value_name = "DURATION", value_parser = parse_limit, global = true)]
    pub request_timeout: Option<Duration>,
    /// Only plan what would be done, and touch nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColorChoice,
    /// Never ask
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Print no durations, for transcripts that are compared
    #[arg(long, hide = true, global = true)]
    pub plain_times: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check specs, compose files and the agreement of deployments that share a cluster
    Validate(ValidateArgs),
    /// Show what would happen
    Plan(PlanArgs),
    /// Plan, ask, do it; or do exactly what a plan file says
    Apply(ApplyArgs),
    /// Take a deployment down
    Destroy(DestroyArgs),
    /// Show what changed behind our back; exit 2 when something did
    Drift,
    /// Look whether this host, its clusters and its state are in order, and say what to do; exit 1 on a problem
    Doctor,
    /// Show a saved plan, or the state
    Show(ShowArgs),
    /// Print the graph of resources
    Graph(GraphArgs),
    /// Print the compiled Kubernetes objects
    Render(RenderArgs),
    /// Say where each field of a resource comes from, and who needs it
    Why(WhyArgs),
    /// Take deployments that exist, or all of a host, into state
    Import(ImportArgs),
    /// Look at kind clusters and at who lives on them
    Cluster(ClusterArgs),
    /// Look after the state
    State(StateArgs),
    /// Make specs and deployment directories
    Deploy(DeployArgs),
    /// Start, stop and look after a deployment
    Deployment(DeploymentArgs),
    /// Look at and change a simulated host, as somebody else would
    Simulate(SimulateArgs),
    /// Print the JSON Schema of spec.yml or laconic.yml, for editors
    Schema {
        /// Of which file
        file: SchemaFile,
    },
    /// Print the reference page of all findings
    #[command(hide = true)]
    FindingsReference,
    /// Print the reference page of spec.yml
    #[command(hide = true)]
    SpecReference,
}

/// The consents, each naming its object.
#[derive(Clone, Debug, Default, Args)]
pub struct Consents {
    /// Consent to making this cluster anew
    #[arg(long, value_name = "CLUSTER-ID", require_equals = true)]
    pub allow_recreate: Vec<String>,
    /// Consent to losing the data of this volume
    #[arg(long, value_name = "DEPLOYMENT/VOLUME", require_equals = true)]
    pub allow_data_loss: Vec<String>,
    /// Consent to deleting this cluster
    #[arg(long, value_name = "CLUSTER-ID", require_equals = true)]
    pub allow_cluster_delete: Vec<String>,
}

/// Which deployments of an operator's repository are meant.
#[derive(Clone, Debug, Default, Args)]
pub struct Selection {
    /// Only the deployments on this cluster of laconic.yml; may be given several times
    #[arg(long = "cluster", value_name = "NAME")]
    pub clusters: Vec<String>,
    /// Only this deployment; may be given several times
    #[arg(long = "deployment", value_name = "NAME")]
    pub deployments: Vec<String>,
}

/// What shapes a plan.
#[derive(Clone, Debug, Default, Args)]
pub struct Planning {
    /// Which deployments are planned.
    #[command(flatten)]
    pub selection: Selection,
    /// Make this resource anew, whatever it is like
    #[arg(long, value_name = "ADDRESS")]
    pub replace: Vec<String>,
    /// Plan only this resource, with what it needs and what must follow it; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub target: Vec<String>,
    /// Never touch the cluster itself
    #[arg(long)]
    pub skip_cluster_management: bool,
    /// Run completed Jobs again after a recreate
    #[arg(long)]
    pub rerun_jobs: bool,
    /// Have the bytes of this volume come back after a recreate, although it dies with the cluster's node
    #[arg(long, value_name = "DEPLOYMENT/VOLUME")]
    pub rescue_volume: Vec<String>,
    /// The consents.
    #[command(flatten)]
    pub consents: Consents,
}

/// How much of a plan is shown.
#[derive(Clone, Debug, Default, Args)]
pub struct Showing {
    /// Show every attribute and every object
    #[arg(long)]
    pub show_all: bool,
    /// Show one line per resource
    #[arg(long)]
    pub summary: bool,
    /// Show the forecast of every volume
    #[arg(long)]
    pub forecast: bool,
}

/// The formats of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Read the given files and the state, nothing else
    #[arg(long)]
    pub offline: bool,
    /// Save the plan to this file, for `apply FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Plan what this branch changes since it left that git revision; needs no state, no cluster and no secrets
    #[arg(long, value_name = "GIT-REF", conflicts_with_all = ["out", "destroy"])]
    pub base: Option<String>,
    /// Plan to take the deployment down
    #[arg(long)]
    pub destroy: bool,
    /// Exit 2 when there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// The format of the answer
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<PlanFormat>,
    /// What is planned.
    #[command(flatten)]
    pub planning: Planning,
    /// What is shown.
    #[command(flatten)]
    pub showing: Showing,
}

/// How a plan is carried out.
#[derive(Clone, Debug, Args)]
pub struct Carrying {
    /// Approve ordinary changes; gives no consent
    #[arg(long)]
    pub auto_approve: bool,
    /// Go ahead only if the plan has this id
    #[arg(long, value_name = "ID")]
    pub expect_plan: Option<String>,
    /// Go ahead only if the files change what `plan --base` showed under this change id
    #[arg(long, value_name = "ID")]
    pub expect_change: Option<String>,
    /// How many steps are in hand at once
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallelism: u16,
    /// Wait until objects work (the default)
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Do not wait until objects work
    #[arg(long, overrides_with = "wait")]
    pub no_wait: bool,
    /// How long an object is waited for: 90s, 5m, 1h
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
}

impl Carrying {
    /// Whether a consent given here is given to what was looked at.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        self.expect_plan.is_some() || self.expect_change.is_some()
    }
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A plan that `plan --out` saved
    #[arg(value_name = "PLANFILE")]
    pub plan_file: Option<PathBuf>,
    /// Go through the whole apply on a throw-away simulated copy
    #[arg(long)]
    pub rehearse: bool,
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

/// Arguments of `destroy`.
#[derive(Debug, Args)]
pub struct DestroyArgs {
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

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Take every deployment on a kind cluster whose directory is below this one; may be given several times. `--cluster` then
    /// means the cluster-id
    #[arg(long, value_name = "DIR", conflicts_with_all = ["dirs", "spec_file"])]
    pub deployments_root: Vec<PathBuf>,
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

/// Parses `90`, `90s`, `5m`, `1h`, `1m30s`.
///
/// # Errors
/// A text that is no duration.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration like 90s, 5m or 1h");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = 0_u64;
    let mut digits = String::new();
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let factor = match character {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        total = number.checked_mul(factor).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        digits.clear();
    }
    if digits.is_empty() && !text.is_empty() { Ok(Duration::from_secs(total)) } else { Err(wrong()) }
}

/// Parses a time limit: a duration within which something can happen.
///
/// # Errors
/// A text that is no duration, or none at all.
pub fn parse_limit(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a limit of 0 leaves no time at all".to_owned()),
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("laconic").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn common_options_go_before_and_after_the_command() {
        let before = parse("--stack s --dir a deploy init --output x").unwrap();
        assert_eq!(before.common.stack, Some("s".into()));
        let after = parse("plan --dir a --dir b --json").unwrap();
        assert_eq!(after.common.dirs, [PathBuf::from("a"), "b".into()]);
        assert!(after.common.json);
    }

    #[test]
    fn the_old_spelling_of_deploy_parses() {
        let Command::Deploy(deploy) = parse("--stack s deploy --deploy-to k8s init --output x").unwrap().command else {
            panic!()
        };
        assert_eq!(deploy.deploy_to, DeployTo::K8s);
    }

    /// The spellings that playbooks have: options of a group before and after its command, and each pair of flags.
    #[test]
    fn the_commands_on_a_deployment_parse_as_laconic_so_spells_them() {
        for line in [
            "deployment --dir d start",
            "deployment --dir d up --stay-attached",
            "deployment --dir d restart --stack-path s --spec-file f --config-file c --force --expected-ip 192.0.2.1",
            "deployment --dir d prepare --skip-cluster-management",
            "deployment --dir d update-envs",
            "deployment --dir d push-images",
            "deployment --dir d status",
            "deployment --dir d ps",
            "deployment --dir d logs -n 20 -f web",
            "deployment --dir d port web 80",
            "deployment --dir d exec web ls -l /",
            "deployment --dir d run-job migrate --helm-release r",
            "--dry-run deployment --dir d start --skip-cluster-management",
            "deployment --dir d start --perform-cluster-management --detatch-terminal web",
            "--stack s deploy --deploy-to k8s-kind init --output f",
            "--stack s deploy init --output f --deploy-to k8s-kind",
        ] {
            parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        for verb in ["stop", "down"] {
            let line =
                format!("deployment --dir d {verb} --delete-volumes --delete-namespace --perform-cluster-management");
            let Command::Deployment(DeploymentArgs { command: DeploymentCommand::Stop(stop) }) =
                parse(&line).unwrap().command
            else {
                panic!()
            };
            assert!(stop.delete_volumes && stop.delete_namespace && stop.cluster.perform_cluster_management);
            assert!(!stop.planning.skip_cluster_management);
        }
        parse("deployment stop --preserve-volumes --skip-cluster-management").unwrap();
        parse("deployment stop --delete-volumes --preserve-volumes").unwrap_err();
        parse("deployment stop --skip-cluster-management --perform-cluster-management").unwrap_err();
    }

    #[test]
    fn consents_name_their_object_with_an_equals_sign() {
        let Command::Apply(apply) = parse("apply p --allow-recreate=a --allow-recreate=b").unwrap().command else {
            panic!()
        };
        assert_eq!(apply.planning.consents.allow_recreate, ["a", "b"]);
        assert_eq!(apply.plan_file, Some("p".into()));
        parse("apply --allow-recreate a").unwrap_err();
        parse("apply --allow-recreate").unwrap_err();
    }

    #[test]
    fn the_last_of_wait_and_no_wait_counts() {
        let Command::Apply(apply) = parse("apply --wait --no-wait").unwrap().command else { panic!() };
        assert!(apply.carrying.no_wait && !apply.carrying.wait);
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "m", "5x", "5m3", "-1", "99999999999999999999h", "9999999999999999999h"] {
            parse_duration(wrong).unwrap_err();
        }
        assert_eq!(parse_limit("2s"), Ok(Duration::from_secs(2)));
        parse_limit("0s").unwrap_err();
    }

    #[test]
    fn unknown_subcommands_are_refused() {
        let error = parse("paln").unwrap_err();
        assert!(error.to_string().contains("plan"), "{error}");
    }
}
