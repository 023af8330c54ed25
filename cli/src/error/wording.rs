//! The words of every problem, and what to do about it.

use laconic_engine::apply::{ApplyError, LockHolder, StateError};

use super::{Problem, plain};

impl Problem {
    /// The sentence, without a full stop; empty when everything was said already.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Usage(error) => error.to_string(),
            Self::BrokenPipe => String::new(),
            Self::Output(error) => format!("cannot write the output: {}", plain(error)),
            Self::NeedsSimulation => "`simulate` edits a simulated host, and none is named".to_owned(),
            Self::NoDryRun { command } => format!("`{command}` makes no plan, so that there is no dry run of it"),
            Self::NoDeployment { from } => {
                format!(
                    "no deployment found: neither `{}` nor a directory above it holds spec.yml or laconic.yml",
                    from.display()
                )
            }
            Self::NoDeploymentBelow { roots } => {
                let roots: Vec<String> = roots.iter().map(|root| format!("`{}`", root.display())).collect();
                format!("no deployment on a kind cluster is below {}", roots.join(" or "))
            }
            Self::SameDeployment { id, first, second } => format!(
                "`{}` and `{}` have the same deployment-id, {id}: one of them is a copy",
                first.display(),
                second.display()
            ),
            Self::NotADeployment { directory, lacks } => {
                format!("`{}` is not a deployment directory: it has no {lacks}", directory.display())
            }
            Self::NoRepository => "there is no laconic.yml here or above".to_owned(),
            Self::UnknownSelection { flag, name, .. } => format!("`{flag} {name}` names nothing here"),
            Self::NothingSelected => "no deployment is on a cluster that is named and is named itself".to_owned(),
            Self::NoIdentity { command } => {
                format!("`{command}` needs a deployment, and a spec alone is none: it has no ids and no state")
            }
            Self::SameName { name, first, second } => {
                format!("two deployments are called `{name}`: {first} and {second}")
            }
            Self::NoStack { stack, looked } => {
                let looked: Vec<String> = looked.iter().map(|path| format!("`{}`", path.display())).collect();
                format!("there is no stack `{stack}`: no stack.yml in {}", looked.join(" or "))
            }
            Self::StackNotNamed => "no stack is named".to_owned(),
            Self::InvalidInput { errors: 1 } => "1 error in the input".to_owned(),
            Self::InvalidInput { errors } => format!("{errors} errors in the input"),
            Self::File { path, verb, detail } => format!("`{}` cannot be {verb}: {detail}", path.display()),
            Self::Exists { path, .. } => format!("`{}` exists already and is left as it is", path.display()),
            Self::NothingToUpdate { directory } => {
                format!("`{}` does not exist, so there is nothing to update", directory.display())
            }
            Self::SourceGone { directory, what, source: Some(source) } => {
                format!("the {what} that `{}` was made from is gone: there is no `{source}`", directory.display())
            }
            Self::SourceGone { directory, what, source: None } => {
                format!("the deployment.yml of `{}` does not say which {what} it was made from", directory.display())
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
            Self::OtherChange { expected, found, changes } if changes.is_empty() => {
                format!("the files change nothing of what is recorded ({found}), and {expected} was expected")
            }
            Self::OtherChange { expected, found, changes } => format!(
                "the files change something else than was looked at: {found}, not {expected}; from what is recorded to \
                 what the files say now:\n  {}",
                changes.join("\n  ")
            ),
            Self::Forbidden { codes } => format!("the policy of laconic.yml forbids {}", codes.join(", ")),
            Self::Git { revision, error } => format!("`{revision}` cannot be compared with: {error}"),
            Self::NoRevision { revision, repository } => {
                format!("`{revision}` is no revision of the git repository {}", repository.display())
            }
            Self::OutsideRepository { directory, repository } => format!(
                "`{}` is not in the git repository {}, so that there is no earlier revision of it",
                directory.display(),
                repository.display()
            ),
            Self::InvalidBase { base, errors } => {
                let noun = if *errors == 1 { "error" } else { "errors" };
                format!("{base} has {errors} {noun}, and cannot be compared with")
            }
            Self::Refused { missing, refusals } => refused(missing.len(), *refusals),
            Self::ConsentNotBound { flags, .. } => format!(
                "without a terminal a consent counts only together with a plan file, --expect-plan or --expect-change; given \
                 alone: {}",
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
            Self::UnknownVolume { name, .. } => format!("`{name}` is no volume of the deployments here"),
            Self::Vault(error) => error.to_string(),
            Self::UnknownCluster { cluster: Some(cluster), .. } => {
                format!("the cluster `{cluster}` is not recorded here and does not run here")
            }
            Self::UnknownCluster { cluster: None, .. } => "nothing says which cluster is meant".to_owned(),
            Self::SpecNotEditable { path, .. } => {
                format!("`{}` is written in a way that no program can edit safely", path.display())
            }
            Self::NothingRunsThere { cluster } => format!("every deployment on the cluster `{cluster}` is stopped"),
            Self::UnknownService { service, .. } => format!("there is no service `{service}`"),
            Self::NotRunning { service } => format!("no container of `{service}` runs"),
            Self::PortNotPublished { service, port } => {
                format!("port {port} of `{service}` is reached inside the cluster only")
            }
            Self::NoRegistry { deployment } => format!("the spec of `{deployment}` names no registry"),
            Self::OneDeployment { command } => format!("`{command}` is about one deployment"),
            Self::NothingRuns => "nothing runs on a simulated host".to_owned(),
            Self::ElsewhereByKubectl { .. } => "commands are run in containers of kind clusters only".to_owned(),
            Self::UnknownJob { job, .. } => format!("the stack has no job `{job}`"),
            Self::ClusterWouldChange { cluster } => {
                format!("a restart never makes or deletes the cluster `{cluster}`; nothing was done")
            }
            Self::ImageOnRestart => "`--image` would run what no file says".to_owned(),
            Self::Pull { directory, error } => format!("`git pull` in {} failed: {error}", directory.display()),
            Self::ManyClusters { clusters } => {
                format!("several kind clusters run ({}) and the deployment names none", clusters.join(", "))
            }
            Self::Unreachable { details } if details.len() == 1 => {
                format!("could not look at everything: {}", details.concat())
            }
            Self::Unreachable { details } => format!("could not look at everything:\n  {}", details.join("\n  ")),
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
            Self::NeedsSimulation => {
                vec!["name its directory with `--simulate HOSTDIR` or LACONIC_SIMULATE".to_owned()]
            }
            Self::NoDryRun { .. } => vec!["nothing was done; leave `--dry-run` out".to_owned()],
            Self::NoDeployment { .. } => vec![
                "name a deployment directory with `--dir DIR`, or a spec with `--spec-file FILE --stack DIR`"
                    .to_owned(),
                "`laconic --stack STACK deploy create --spec-file FILE --deployment-dir DIR` makes one".to_owned(),
            ],
            Self::NoDeploymentBelow { .. } => vec![
                "a deployment is a directory with spec.yml and deployment.yml, at most three below; name others with `--dir DIR`"
                    .to_owned(),
            ],
            Self::SameDeployment { .. } => vec![
                "the namespace tells which one runs, in its annotation laconic.com/deployment-dir".to_owned(),
                "move the other one away, or name the directories that are meant with `--dir DIR`".to_owned(),
            ],
            Self::NotADeployment { directory, .. } => vec![format!(
                "`laconic --stack STACK deploy create --spec-file FILE --deployment-dir {}` makes one",
                directory.display()
            )],
            Self::NoRepository => {
                vec![
                    "stacks are pinned and clusters are named in the laconic.yml of an operator's repository"
                        .to_owned(),
                ]
            }
            Self::UnknownSelection { name, known, .. } => {
                vec![crate::inputs::selection::suggestion(name, known)]
            }
            Self::NoIdentity { command } => vec![
                "run `laconic deploy create --spec-file FILE --deployment-dir DIR` first".to_owned(),
                format!("then `laconic {command} --dir DIR`; `--dir DIR` beside `--spec-file` takes the ids from DIR"),
            ],
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
            Self::File { detail, .. } | Self::Secrets { detail, .. } if is_full(detail) => {
                vec!["make room on that disk and run it again".to_owned()]
            }
            Self::Exists { hint, .. } => vec![(*hint).to_owned()],
            Self::NothingToUpdate { .. } => vec!["leave `--update` out to make it".to_owned()],
            Self::SourceGone { what: "stack", .. } => vec!["name it with `--stack DIR`".to_owned()],
            Self::SourceGone { .. } => vec!["name it with `--spec-file FILE`, or restore it".to_owned()],
            Self::NotAPlanFile { .. } => vec!["`laconic plan --out FILE` writes one".to_owned()],
            Self::OtherWorld { plan_is_simulated: true } => {
                vec!["name the same `--simulate HOSTDIR` as for the plan".to_owned()]
            }
            Self::OtherWorld { plan_is_simulated: false } => vec!["leave `--simulate` out".to_owned()],
            Self::StalePlan { .. } => vec!["make the plan again, look at it, and apply that one".to_owned()],
            Self::OtherPlan { .. } => {
                vec!["`laconic plan` shows the plan as it is now; nothing was done".to_owned()]
            }
            Self::OtherChange { changes, .. } if changes.is_empty() => {
                vec![
                    "nothing was done; it was applied already, or the branch is not here: pull, and compare again"
                        .to_owned(),
                ]
            }
            Self::OtherChange { .. } => vec![
                "nothing was done; a later edit, or an earlier one that was never applied, is among them".to_owned(),
                "`laconic plan --base REVISION` shows what a branch changes and its change id".to_owned(),
            ],
            Self::Forbidden { .. } => vec![
                "remove what causes them; `laconic plan` shows it".to_owned(),
                "`policy:` of laconic.yml says which warnings are errors".to_owned(),
            ],
            Self::Git { .. } => {
                vec!["`--base` reads an earlier revision with git, from the clone the files are in".to_owned()]
            }
            Self::NoRevision { revision, .. } => {
                let branch = revision.strip_prefix("origin/").unwrap_or(revision);
                vec![format!("a shallow clone has only what it was told to fetch: git fetch origin {branch}")]
            }
            Self::InvalidBase { .. } => {
                vec!["leave `--base` out to plan this revision alone, or name one without errors".to_owned()]
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
            Self::Incomplete { vaults, .. } => {
                let kept = vaults.iter().map(|place| format!("what must come back to the cluster is kept in {place}"));
                let again = "run it again: what was begun is recorded and is brought to its end".to_owned();
                kept.chain([again]).collect()
            }
            Self::UnknownAddress { like, .. } if !like.is_empty() => {
                vec![format!("did you mean {}?", like.join(" or "))]
            }
            Self::UnknownAddress { .. } => vec!["`laconic graph` and `laconic state list` show addresses".to_owned()],
            Self::Unreachable { .. } => {
                vec!["what was not seen is unknown, never deleted; `laconic plan` says what to do about it".to_owned()]
            }
            Self::Apply(ApplyError::NoCluster(_)) => {
                vec!["nothing was done; leave out `--skip-cluster-management` to have it made".to_owned()]
            }
            Self::Apply(ApplyError::Unseen(_)) => {
                vec!["nothing was done; run it again when the cluster can be looked at".to_owned()]
            }
            Self::UnknownVolume { known, .. } => vec![format!(
                "--rescue-volume names a volume as DEPLOYMENT/VOLUME; these are known: {}",
                known.join(", ")
            )],
            Self::Vault(error) => vec![format!(
                "restore it with its key from a backup; or, if what it holds can be done without, remove {}",
                error.place
            )],
            Self::UnknownCluster { known, .. } if known.is_empty() => {
                vec!["no cluster is recorded or runs here; `--state-dir` says where states are kept".to_owned()]
            }
            Self::UnknownCluster { known, .. } => vec![format!("there are: {}", known.join(", "))],
            Self::SpecNotEditable { root, volumes, .. } => {
                let volumes = if volumes.is_empty() {
                    String::new()
                } else {
                    format!(" and under `volumes:` {}", volumes.join(", "))
                };
                vec![format!("write `kind-mount-root: {root}`{volumes} there, and run it again")]
            }
            Self::NothingRunsThere { .. } => {
                vec!["start one first: `laconic deployment --dir DIR start`".to_owned()]
            }
            Self::UnknownService { known, .. } if known.is_empty() => vec!["nothing of it runs".to_owned()],
            Self::UnknownService { known, .. } => vec![format!("there are: {}", known.join(", "))],
            Self::NotRunning { .. } => vec!["`laconic deployment status` shows what keeps it".to_owned()],
            Self::PortNotPublished { .. } => {
                vec![
                    "publish it with `ports:` in the compose file, or route to it with `http-proxy:` in the spec"
                        .to_owned(),
                ]
            }
            Self::NoRegistry { .. } => vec!["write `image-registry: HOST/ORGANISATION` into the spec".to_owned()],
            Self::OneDeployment { .. } => vec!["name it with `--dir DIR`".to_owned()],
            Self::ElsewhereByKubectl { command } => vec![format!("with its kubeconfig: {command}")],
            Self::UnknownJob { known, .. } if known.is_empty() => vec!["it has none at all".to_owned()],
            Self::UnknownJob { known, .. } => vec![format!("it has: {}", known.join(", "))],
            Self::ClusterWouldChange { .. } => {
                vec![
                    "`laconic deployment start`, or `laconic apply`, makes clusters; the plan above says what it takes"
                        .to_owned(),
                ]
            }
            Self::ImageOnRestart => {
                vec!["write `image-overrides:` into the spec, commit it, and restart".to_owned()]
            }
            Self::Pull { .. } => vec![
                "nothing was done; `laconic deployment start` takes the files as they are, once they are applied from"
                    .to_owned(),
            ],
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
        // The first line says what is damaged; the others say what to do.
        StateError::Damaged { scope, detail } => {
            format!("the state of {scope} is damaged: {}", detail.lines().next().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

/// Whether the system said that there is no room.
fn is_full(detail: &str) -> bool {
    let detail = detail.to_lowercase();
    ["no space left", "disk quota", "storage full", "quota exceeded"].iter().any(|words| detail.contains(words))
}

const FULL: &str = "make room on that disk and run it again: what was begun is recorded and is brought to its end";

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
        StateError::Damaged { detail, .. } => detail
            .lines()
            .skip(1)
            .map(ToOwned::to_owned)
            .chain(["nothing was overwritten; `laconic state history` lists the earlier generations".to_owned()])
            .collect(),
        StateError::Newer { .. } => vec!["use the newer laconic that wrote it".to_owned()],
        StateError::Foreign { .. } => {
            vec!["use the directories it was made with; `--simulate` belongs to state made with it".to_owned()]
        }
        StateError::Stale { .. } => vec!["make the plan again".to_owned()],
        StateError::Storage { detail, .. } if is_full(detail) => vec![FULL.to_owned()],
        StateError::Storage { .. } => Vec::new(),
    }
}
