//! Every way a command can end without its answer: kinds, exit codes, hints.
//!
//! Architecture invariant: this is the only file that words an error for a person. Everything else passes structured
//! [`Problem`]s along.

use std::path::{Path, PathBuf};

use laconic_engine::apply::{ApplyError, LockHolder, StateError};

/// How a command ended, as the number the shell sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or no changes.
    Done,
    /// Failed.
    Failed,
    /// Changes are present (`plan --detailed-exitcode`, `drift`).
    Changes,
    /// An open refusal or a consent not given.
    Refused,
    /// Locked or stale.
    LockedOrStale,
}

impl Exit {
    /// The process exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Refused => 3,
            Self::LockedOrStale => 4,
        }
    }

    /// Of two that fit, the one that counts: 1, 4, 3, 2, 0 in this order.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Changes => 1,
            Self::Refused => 2,
            Self::LockedOrStale => 3,
            Self::Failed => 4,
        }
    }
}

/// What went wrong, as facts.
#[derive(Debug)]
pub enum Problem {
    /// The command line is not one of ours; clap has worded it.
    Usage(clap::Error),
    /// The reader of stdout went away. Not worth a word.
    BrokenPipe,
    /// stdout cannot be written.
    Output(std::io::Error),
    /// A command needs the world, and this build reaches none but a simulated one.
    NoLiveAccess {
        /// The command.
        command: &'static str,
        /// Whether the command has an `--offline` form.
        offline: bool,
    },
    /// A command exists for simulated hosts only.
    NeedsSimulation,
    /// Nothing says which deployment is meant.
    NoDeployment {
        /// Where the search began.
        from: PathBuf,
    },
    /// A directory is no deployment directory.
    NotADeployment {
        /// The directory.
        directory: PathBuf,
        /// The file it lacks.
        lacks: &'static str,
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
    },
    /// An address that names nothing.
    UnknownAddress {
        /// As given.
        address: String,
        /// Addresses like it.
        like: Vec<String>,
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

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        match error {
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
            Self::Refused { .. } | Self::ConsentNotBound { .. } | Self::Apply(ApplyError::Refused) => Exit::Refused,
            Self::StalePlan { .. }
            | Self::OtherPlan { .. }
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
            Self::StalePlan { .. } | Self::OtherPlan { .. } => Some("LAC803"),
            Self::ManyClusters { .. } => Some("LAC406"),
            _ => None,
        }
    }

    /// The sentence, without a full stop; empty when everything was said already.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Usage(error) => error.to_string(),
            Self::BrokenPipe => String::new(),
            Self::Output(error) => format!("cannot write the output: {}", plain(error)),
            Self::NoLiveAccess { command, .. } => {
                format!(
                    "`{command}` needs the live world, and live Docker and Kubernetes access is not part of this build yet"
                )
            }
            Self::NeedsSimulation => "`simulate` edits a simulated host, and none is named".to_owned(),
            Self::NoDeployment { from } => {
                format!(
                    "no deployment found: neither `{}` nor a directory above it holds spec.yml and deployment.yml",
                    from.display()
                )
            }
            Self::NotADeployment { directory, lacks } => {
                format!("`{}` is not a deployment directory: it has no {lacks}", directory.display())
            }
            Self::SameName { name, first, second } => {
                format!("two deployments are called `{name}`: {first} and {second}")
            }
            Self::NoStack { stack, looked } => {
                let looked: Vec<String> = looked.iter().map(|path| format!("`{}`", path.display())).collect();
                format!("there is no stack `{stack}`: no stack.yml in {}", looked.join(" or "))
            }
            Self::StackNotNamed => "no stack is named".to_owned(),
            Self::InvalidInput { errors: 1 } => "1 error in the input; there is no plan".to_owned(),
            Self::InvalidInput { errors } => format!("{errors} errors in the input; there is no plan"),
            Self::File { path, verb, detail } => format!("`{}` cannot be {verb}: {detail}", path.display()),
            Self::Exists { path, .. } => format!("`{}` exists already and is left as it is", path.display()),
            Self::NothingToUpdate { directory } => {
                format!("`{}` does not exist, so there is nothing to update", directory.display())
            }
            Self::NotAPlanFile { path, detail } => format!("`{}` is not a plan file: {detail}", path.display()),
            Self::OtherWorld { plan_is_simulated: true } => {
                "the plan was made against a simulated host and is not applied to anything else".to_owned()
            }
            Self::OtherWorld { plan_is_simulated: false } => {
                "the plan was made without a simulated host and is not applied to one".to_owned()
            }
            Self::StalePlan { detail } => format!("the plan is stale: {detail}"),
            Self::OtherPlan { expected, found } => format!("the plan is {found}, not the expected {expected}"),
            Self::Refused { missing, refusals } => refused(missing.len(), *refusals),
            Self::ConsentNotBound { flags, .. } => format!(
                "without a terminal a consent counts only together with a plan file or --expect-plan; given alone: {}",
                flags.join(" ")
            ),
            Self::NoApproval => "nobody is there to approve the plan: this is no terminal".to_owned(),
            Self::NotApproved => "the plan was not approved; nothing was done".to_owned(),
            Self::State(error) => state_message(error),
            Self::Secrets { what, detail } => format!("{what}: {detail}"),
            Self::Simulation { detail } => format!("the simulated host: {detail}"),
            Self::Apply(ApplyError::Refused) => "the plan is refused; nothing was done".to_owned(),
            Self::Apply(error @ ApplyError::MissingSecret { .. }) => format!("{error}; nothing was done"),
            Self::Apply(error) => error.to_string(),
            Self::Incomplete { stopped: true, .. } => "the apply was stopped before its end".to_owned(),
            Self::Incomplete { stale: true, .. } => {
                "the world is no longer what the plan saw; what was not begun stays undone".to_owned()
            }
            Self::Incomplete { .. } => "not everything was done".to_owned(),
            Self::UnknownAddress { address, .. } => format!("`{address}` is not the address of anything here"),
            Self::ManyClusters { clusters } => {
                format!("several kind clusters run ({}) and the deployment names none", clusters.join(", "))
            }
            Self::Unreachable { details } => format!("could not look at everything: {}", details.join("; ")),
            Self::BrokenPlan { complaints } => {
                format!("the plan contradicts itself, which is a bug: {}", complaints.join("; "))
            }
            Self::System { detail } => detail.clone(),
        }
    }

    /// What to do about it, one line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoLiveAccess { offline, .. } => {
                let mut hints = Vec::new();
                if *offline {
                    hints.push("`--offline` plans from the files and the state alone".to_owned());
                }
                hints.push("`--simulate HOSTDIR` (or LACONIC_SIMULATE) runs it against a simulated host".to_owned());
                hints
            }
            Self::NeedsSimulation => {
                vec!["name its directory with `--simulate HOSTDIR` or LACONIC_SIMULATE".to_owned()]
            }
            Self::NoDeployment { .. } => vec![
                "name a deployment directory with `--dir DIR`, or a spec with `--spec-file FILE --stack DIR`"
                    .to_owned(),
                "`laconic --stack STACK deploy create --spec-file FILE --deployment-dir DIR` makes one".to_owned(),
            ],
            Self::NotADeployment { directory, .. } => vec![format!(
                "`laconic --stack STACK deploy create --spec-file FILE --deployment-dir {}` makes one",
                directory.display()
            )],
            Self::SameName { .. } => {
                vec!["a deployment is called after its directory: rename one of the directories".to_owned()]
            }
            Self::NoStack { .. } => vec![
                "a stack is a folder with a stack.yml, named relative to the spec file or to the current directory"
                    .to_owned(),
            ],
            Self::StackNotNamed => {
                vec!["name it with `--stack DIR`, or with `stack:` in the spec".to_owned()]
            }
            Self::Exists { hint, .. } => vec![(*hint).to_owned()],
            Self::NothingToUpdate { .. } => vec!["leave `--update` out to make it".to_owned()],
            Self::NotAPlanFile { .. } => vec!["`laconic plan --out FILE` writes one".to_owned()],
            Self::OtherWorld { plan_is_simulated: true } => {
                vec!["name the same `--simulate HOSTDIR` as for the plan".to_owned()]
            }
            Self::OtherWorld { plan_is_simulated: false } => vec!["leave `--simulate` out".to_owned()],
            Self::StalePlan { .. } => vec!["make the plan again, look at it, and apply that one".to_owned()],
            Self::OtherPlan { .. } => {
                vec!["`laconic plan` shows the plan as it is now; nothing was done".to_owned()]
            }
            Self::Refused { missing, .. } if !missing.is_empty() => {
                vec![format!("to go ahead, give: {}", missing.join(" "))]
            }
            Self::ConsentNotBound { plan, flags } => {
                vec![format!("to mean this very plan, give: --expect-plan={plan} {}", flags.join(" "))]
            }
            Self::NoApproval => vec![
                "`--auto-approve` approves ordinary changes".to_owned(),
                "`laconic plan --out FILE`, then `laconic apply FILE` applies exactly that plan".to_owned(),
            ],
            Self::State(error) => state_hints(error),
            Self::Apply(ApplyError::MissingSecret { missing, .. }) => match missing {
                laconic_engine::secret::SecretSource::Environment(name) => {
                    vec![format!("set {name} in the environment and run it again")]
                }
                laconic_engine::secret::SecretSource::File(path) => vec![format!("put the value into {path}")],
                _ => Vec::new(),
            },
            Self::Apply(ApplyError::Inconsistent(_)) | Self::BrokenPlan { .. } => {
                vec!["please report it with the output of `laconic plan --json`".to_owned()]
            }
            Self::Incomplete { .. } => {
                vec!["run it again: what was begun is recorded and is brought to its end".to_owned()]
            }
            Self::UnknownAddress { like, .. } if !like.is_empty() => {
                vec![format!("did you mean {}?", like.join(" or "))]
            }
            Self::UnknownAddress { .. } => vec!["`laconic graph` and `laconic state list` show addresses".to_owned()],
            Self::ManyClusters { .. } => {
                vec!["name one with `--cluster-id`, or with `kind-cluster-name:` in the spec".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

fn refused(missing: usize, refusals: usize) -> String {
    let consents = match missing {
        0 => None,
        1 => Some("1 consent is not given".to_owned()),
        count => Some(format!("{count} consents are not given")),
    };
    let refusals = match refusals {
        0 => None,
        1 => Some("1 refusal is open".to_owned()),
        count => Some(format!("{count} refusals are open")),
    };
    let parts: Vec<String> = [refusals, consents].into_iter().flatten().collect();
    format!("refused: {}", parts.join(", "))
}

fn state_message(error: &StateError) -> String {
    match error {
        StateError::Locked { scope, holder: Some(holder) } => {
            format!("the state of {scope} is locked by {}", holder_text(holder))
        }
        other => other.to_string(),
    }
}

/// Who holds a lock, in one phrase.
#[must_use]
pub fn holder_text(holder: &LockHolder) -> String {
    format!(
        "{}@{} (process {}, `{}`, since {})",
        holder.user, holder.host, holder.process, holder.operation, holder.since
    )
}

fn state_hints(error: &StateError) -> Vec<String> {
    match error {
        StateError::Locked { .. } => vec![
            "wait until it is done; a lock goes away with its process".to_owned(),
            "`laconic state unlock` removes one whose holder is known to be dead".to_owned(),
        ],
        StateError::Damaged { .. } => vec![
            "nothing was overwritten; earlier generations lie beside it, `laconic state history` lists them".to_owned(),
        ],
        StateError::Newer { .. } => vec!["use the newer laconic that wrote it".to_owned()],
        StateError::Foreign { .. } => {
            vec!["use the directories it was made with; `--simulate` belongs to state made with it".to_owned()]
        }
        StateError::Stale { .. } => vec!["make the plan again".to_owned()],
        StateError::Storage { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_of_exit_codes() {
        let order = [Exit::Failed, Exit::LockedOrStale, Exit::Refused, Exit::Changes, Exit::Done];
        for (index, strong) in order.iter().enumerate() {
            for weak in &order[index..] {
                assert_eq!(strong.or(*weak), *strong);
                assert_eq!(weak.or(*strong), *strong);
            }
        }
        assert_eq!(order.map(Exit::code), [1, 4, 3, 2, 0]);
    }

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
