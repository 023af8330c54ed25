//! Every way a command can end without its answer: kinds, exit codes, hints.
//!
//! Architecture invariant: `wording` is the only file that words an error for a person. Everything else passes structured
//! [`Problem`]s along.

mod exit;
mod wording;

use std::path::{Path, PathBuf};

use laconic_engine::apply::{ApplyError, StateError};
use laconic_engine::vault::VaultError;

pub use exit::Exit;
pub use wording::holder_text;

/// What went wrong, as facts.
#[derive(Debug)]
pub enum Problem {
    /// The command line is not one of ours; clap has worded it.
    Usage(clap::Error),
    /// The reader of stdout went away. Not worth a word.
    BrokenPipe,
    /// stdout cannot be written.
    Output(std::io::Error),
    /// A command exists for simulated hosts only.
    NeedsSimulation,
    /// A command that writes something and has no plan that could be shown instead.
    NoDryRun {
        /// The command.
        command: &'static str,
    },
    /// Nothing says which deployment is meant.
    NoDeployment {
        /// Where the search began.
        from: PathBuf,
    },
    /// No deployment on a kind cluster is below these directories.
    NoDeploymentBelow {
        /// The directories.
        roots: Vec<PathBuf>,
    },
    /// Two directories are one deployment.
    SameDeployment {
        /// Its id.
        id: String,
        /// The one directory.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A directory is no deployment directory.
    NotADeployment {
        /// The directory.
        directory: PathBuf,
        /// The file it lacks.
        lacks: &'static str,
    },
    /// What only an operator's repository has is asked for elsewhere.
    NoRepository,
    /// `--cluster` or `--deployment` names nothing.
    UnknownSelection {
        /// The flag.
        flag: &'static str,
        /// The name.
        name: String,
        /// What could be named.
        known: Vec<String>,
    },
    /// `--cluster` and `--deployment` together leave nothing.
    NothingSelected,
    /// A deployment that is only a spec: it has no ids and no place for its state.
    NoIdentity {
        /// The command.
        command: &'static str,
    },
    /// Two directories give one deployment name.
    SameName {
        /// The name.
        name: String,
        /// One directory.
        first: String,
        /// The other.
        second: String,
    },
    /// A stack cannot be found.
    NoStack {
        /// As given.
        stack: String,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// Neither the command line nor the spec names a stack.
    StackNotNamed,
    /// Findings of severity error were printed.
    InvalidInput {
        /// How many errors.
        errors: usize,
    },
    /// A file or directory that cannot be used.
    File {
        /// Which.
        path: PathBuf,
        /// What was tried: `read`, `written`, `created`.
        verb: &'static str,
        /// What the system said.
        detail: String,
    },
    /// A file is there already and stays.
    Exists {
        /// Which.
        path: PathBuf,
        /// How to go on regardless.
        hint: &'static str,
    },
    /// `--update` of a directory that is not there.
    NothingToUpdate {
        /// Which.
        directory: PathBuf,
    },
    /// `--update` of a directory whose sources are not where they were.
    SourceGone {
        /// Which directory.
        directory: PathBuf,
        /// `spec` or `stack`.
        what: &'static str,
        /// Where it was, when that is recorded.
        source: Option<String>,
    },
    /// A plan file that is none.
    NotAPlanFile {
        /// Which.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// A plan made against the simulated host, applied without it, or the other way around.
    OtherWorld {
        /// Whether the plan is of a simulated host.
        plan_is_simulated: bool,
    },
    /// The state moved on since the plan was made.
    StalePlan {
        /// What moved.
        detail: String,
    },
    /// `--expect-plan` or `--expect-change` names another plan.
    OtherPlan {
        /// What was expected.
        expected: String,
        /// What came out.
        found: String,
    },
    /// `--expect-change` names another change of the files.
    OtherChange {
        /// What was expected.
        expected: String,
        /// What came out.
        found: String,
        /// What the files change, one line for each resource.
        changes: Vec<String>,
    },
    /// Warnings that the repository's policy forbids; they were printed with the plan.
    Forbidden {
        /// Their codes.
        codes: Vec<String>,
    },
    /// git does not do what it is asked for a base revision.
    Git {
        /// The revision.
        revision: String,
        /// What went wrong.
        error: crate::wire::GitError,
    },
    /// A base revision that is none.
    NoRevision {
        /// As given.
        revision: String,
        /// Where it was looked for.
        repository: PathBuf,
    },
    /// A directory that is not in the git repository of the others.
    OutsideRepository {
        /// The directory.
        directory: PathBuf,
        /// The repository.
        repository: PathBuf,
    },
    /// A base revision with errors, which were printed.
    InvalidBase {
        /// What people call it.
        base: String,
        /// How many errors.
        errors: usize,
    },
    /// The plan is refused; it was printed.
    Refused {
        /// The consents that are missing, as flags.
        missing: Vec<String>,
        /// Whether some finding no consent lifts.
        refusals: usize,
    },
    /// A consent was given where it does not count.
    ConsentNotBound {
        /// The plan's id.
        plan: String,
        /// The flags.
        flags: Vec<String>,
    },
    /// Nobody is there to approve.
    NoApproval,
    /// Somebody was asked and did not say yes.
    NotApproved,
    /// State could not be had or kept.
    State(StateError),
    /// The key beside the state, or the store of generated secrets, does not work.
    Secrets {
        /// What was tried.
        what: String,
        /// What went wrong.
        detail: String,
    },
    /// The simulated host does not work, or does not do what it was asked.
    Simulation {
        /// What went wrong.
        detail: String,
    },
    /// An apply did nothing, or ended in the middle.
    Apply(ApplyError),
    /// Some steps of an apply failed; the report was printed.
    Incomplete {
        /// Whether a failed step says that the plan no longer fits.
        stale: bool,
        /// Whether the operator stopped it.
        stopped: bool,
        /// Where what must come back to a cluster is kept meanwhile.
        vaults: Vec<String>,
    },
    /// An address that names nothing.
    UnknownAddress {
        /// As given.
        address: String,
        /// Addresses like it.
        like: Vec<String>,
    },
    /// A volume to be rescued that is none.
    UnknownVolume {
        /// As given.
        name: String,
        /// The volumes that the plan knows.
        known: Vec<String>,
    },
    /// A vault does not work.
    Vault(VaultError),
    /// A cluster that is neither recorded nor runs here, or none where several are.
    UnknownCluster {
        /// As given.
        cluster: Option<String>,
        /// Those that are known.
        known: Vec<String>,
    },
    /// A cluster on which every deployment is stopped.
    NothingRunsThere {
        /// Which.
        cluster: String,
    },
    /// A service that the deployment does not have.
    UnknownService {
        /// As given.
        service: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// A service of which no container runs.
    NotRunning {
        /// The service.
        service: String,
    },
    /// A port that leads nowhere out of the cluster.
    PortNotPublished {
        /// The service.
        service: String,
        /// Its port.
        port: u16,
    },
    /// Images to be pushed, and no `image-registry` in the spec.
    NoRegistry {
        /// The deployment.
        deployment: String,
    },
    /// A command that is about one deployment.
    OneDeployment {
        /// The command.
        command: &'static str,
    },
    /// A command that needs something that runs, on a simulated host.
    NothingRuns,
    /// A command in a container of a remote Kubernetes.
    ElsewhereByKubectl {
        /// What does it.
        command: String,
    },
    /// A job that the stack does not have.
    UnknownJob {
        /// As given.
        job: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// A restart that would make or delete the cluster.
    ClusterWouldChange {
        /// The cluster.
        cluster: String,
    },
    /// An image that is named on the command line of a restart.
    ImageOnRestart,
    /// A `git pull` that failed.
    Pull {
        /// Where.
        directory: PathBuf,
        /// What went wrong.
        error: crate::wire::GitError,
    },
    /// Several kind clusters run and none is named.
    ManyClusters {
        /// Their names.
        clusters: Vec<String>,
    },
    /// The live world could not be consulted in full.
    Unreachable {
        /// Of which target, and why.
        details: Vec<String>,
    },
    /// A plan that contradicts itself; a bug of ours.
    BrokenPlan {
        /// What the linter says.
        complaints: Vec<String>,
    },
    /// A thread or runtime that could not be had.
    System {
        /// What the system said.
        detail: String,
    },
}

/// A result of a command or of a part of it.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Vault(error) => Self::Vault(error),
            ApplyError::State(error) => Self::State(error),
            ApplyError::Stale(detail) => Self::StalePlan { detail },
            other => Self::Apply(other),
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::Output(error) }
    }
}

/// A file error with its path.
pub fn file(path: &Path, verb: &'static str) -> impl FnOnce(std::io::Error) -> Problem {
    let path = path.to_owned();
    move |error| Problem::File { path, verb, detail: plain(&error) }
}

/// What the system said, without Rust's numbers behind it.
#[must_use]
pub fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

impl Problem {
    /// The exit code.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::BrokenPipe => Exit::Done,
            Self::Refused { .. }
            | Self::ConsentNotBound { .. }
            | Self::ClusterWouldChange { .. }
            | Self::Apply(ApplyError::Refused) => Exit::Refused,
            Self::StalePlan { .. }
            | Self::OtherPlan { .. }
            | Self::OtherChange { .. }
            | Self::State(StateError::Locked { .. } | StateError::Stale { .. })
            | Self::Apply(ApplyError::Stale(_))
            | Self::Incomplete { stale: true, .. } => Exit::LockedOrStale,
            _ => Exit::Failed,
        }
    }

    /// The stable code of the catalogue, where it has one.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::State(StateError::Locked { .. }) => Some("LAC802"),
            Self::State(StateError::Damaged { .. } | StateError::Newer { .. } | StateError::Foreign { .. }) => {
                Some("LAC801")
            }
            Self::StalePlan { .. } | Self::OtherPlan { .. } | Self::OtherChange { .. } => Some("LAC803"),
            Self::ManyClusters { .. } => Some("LAC406"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use laconic_engine::apply::LockHolder;

    use super::*;

    #[test]
    fn a_locked_state_names_its_holder() {
        let holder = LockHolder {
            user: "ops".into(),
            host: "web1".into(),
            process: 42,
            boot: "b".into(),
            since: "2026-11-20T10:00:00Z".into(),
            operation: "apply".into(),
        };
        let scope = laconic_engine::address::Scope::deployment("shop");
        let problem = Problem::State(StateError::Locked { scope, holder: Some(Box::new(holder)) });
        assert_eq!(problem.exit(), Exit::LockedOrStale);
        assert!(problem.message().contains("locked by ops@web1 (process 42, `apply`"), "{}", problem.message());
    }
}
