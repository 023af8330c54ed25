//! Dangers: what a plan must say before anything is touched. One function per group of the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ResourceType, Scope};
use crate::code::{Code, Severity};
use crate::finding::{Consent, Finding};
use crate::plan::Mode;
use crate::plan::change::{Action, Reason};
use crate::plan::document::{BlastRadius, VolumeForecast};
use crate::plan::planner::{Judged, Judgement};
use crate::plan::recreate::Recreate;
use crate::plan::stop::is_kept_outside;
use crate::plan::survey::{Belief, identity_state};
use crate::resource::{Target, UnknownReason};

/// Every danger of a plan.
#[must_use]
pub fn dangers(
    judgement: &Judgement<'_>,
    forecast: &[VolumeForecast],
    radius: &[BlastRadius],
    recreates: &[Recreate],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    identity(judgement, &mut findings);
    crate::plan::danger_ownership::ownership(judgement, &mut findings);
    crate::plan::danger_cluster::cluster(judgement, radius, recreates, &mut findings);
    crate::plan::danger_certificate::certificates(judgement, &mut findings);
    crate::plan::transaction::unfinished(judgement, &mut findings);
    crate::plan::migration::obstacles(judgement, &mut findings);
    crate::plan::danger_volume::volumes(judgement, forecast, &mut findings);
    crate::plan::danger_namespace::namespaces(judgement, &mut findings);
    crate::plan::danger_bytes::bytes(judgement, forecast, &mut findings);
    workloads(judgement, &mut findings);
    crate::plan::danger_workload::workloads(judgement, &mut findings);
    crate::plan::image::findings(judgement, &mut findings);
    secrets(judgement, recreates, &mut findings);
    state(judgement, &mut findings);
    crate::plan::danger_import::imports(judgement, &mut findings);
    crate::plan::danger_unseen::unlisted(judgement, &mut findings);
    crate::plan::state_mark::judge(judgement.input, &mut findings);
    findings
}

/// Why something is not known, for people.
#[must_use]
pub fn unknown_text(reason: &UnknownReason) -> String {
    match reason {
        UnknownReason::Offline => "nobody looked (offline)".to_owned(),
        UnknownReason::Unreachable(detail) => format!("it cannot be reached: {detail}"),
        UnknownReason::Forbidden(detail) => format!("it does not tell us: {detail}"),
        UnknownReason::Failed(detail) => format!("it did not answer well: {detail}"),
        UnknownReason::NotServed(detail)
        | UnknownReason::Unfinished(detail)
        | UnknownReason::NotConfigured(detail)
        | UnknownReason::OtherIdentity(detail) => detail.clone(),
    }
}

/// What to do about something that is not known.
#[must_use]
pub const fn unknown_help(reason: &UnknownReason) -> &'static str {
    match reason {
        UnknownReason::Offline => "leave out `--offline` to have it looked at",
        UnknownReason::Unfinished(_) => {
            "if nobody is making it any more, delete it (`kind delete cluster`); an apply that was interrupted is run again"
        }
        UnknownReason::Unreachable(_) | UnknownReason::Failed(_) => {
            "run it again when it answers; what was not seen never counts as deleted"
        }
        UnknownReason::Forbidden(_) => {
            "use credentials with the permissions that the page \"Permissions\" of the book lists"
        }
        UnknownReason::NotServed(_) => "have the server serve that version of its API, or use one that does",
        UnknownReason::NotConfigured(_) => {
            "put its kubeconfig.yml into the deployment directory (`kube-config:` in the spec), or name it with `--kubeconfig` or `--context`"
        }
        UnknownReason::OtherIdentity(_) => "reach the cluster that is recorded",
    }
}

fn identity(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    moved_deployments(judgement, findings);
    same_names(judgement, findings);
    same_hosts(judgement, findings);
    for (target, belief) in &judgement.beliefs {
        let Belief::Doubted(UnknownReason::OtherIdentity(detail)) = belief else { continue };
        let name = target.name();
        let recorded = identity_state(judgement.input, target).and_then(|state| state.identity.as_ref());
        let subject = match target {
            Target::Kind(name) => format!("the cluster `{name}`"),
            Target::Kubernetes(_) => target_text(target),
        };
        let mut finding =
            Finding::new(Code::ForeignCluster, format!("{subject} is not the one that is recorded: {detail}"))
                .about(name);
        if let Some(recorded) = recorded {
            let node = match target {
                Target::Kind(_) => format!("node {}, ", short(&recorded.node)),
                Target::Kubernetes(_) => String::new(),
            };
            finding = finding.help(format!("recorded: {node}kube-system {}", short(&recorded.kube_system)));
        }
        findings.push(
            finding
                .help("if it is the right one (restored, or made by hand), take it over: laconic import")
                .help("if the recorded one is gone for good, forget it: laconic state rm"),
        );
    }
}

/// A deployment whose objects are recorded on another cluster than it now goes to: they would be orphaned there.
fn moved_deployments(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for deployment in &judgement.input.deployments {
        let state = judgement.input.states.get(&Scope::deployment(&deployment.name));
        let Some(state) = state.filter(|state| !state.resources.is_empty()) else { continue };
        let Some(recorded) = state.target.as_ref().filter(|recorded| **recorded != deployment.target) else { continue };
        let (from, to) = (target_text(recorded), target_text(&deployment.target));
        findings.push(
            Finding::new(
                Code::ForeignCluster,
                format!("`{}` is recorded on {from}, and would go to {to} now", deployment.name),
            )
            .about(&deployment.name)
            .help(format!("its objects on {from} would be left behind: put the old cluster back into its files and destroy it there first"))
            .help("if the old cluster is gone for good, forget it: laconic state rm"),
        );
    }
}

/// Another deployment is registered under this one's name: its objects would be taken for this one's.
fn same_names(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for deployment in &judgement.input.deployments {
        let registered = crate::plan::forecast::registered_tenant(judgement, &deployment.target, &deployment.name);
        let Some(other) = registered.filter(|other| {
            other.deployment_id != deployment.tenant.deployment_id && other.directory != deployment.tenant.directory
        }) else {
            continue;
        };
        findings.push(
            Finding::new(
                Code::NamespaceOwned,
                format!(
                    "another deployment is called `{}`: {} in {}, this one is {} in {}",
                    deployment.name,
                    other.deployment_id,
                    other.directory,
                    deployment.tenant.deployment_id,
                    deployment.tenant.directory
                ),
            )
            .about(&deployment.name)
            .help("a deployment is called after its directory: give this one's directory another name"),
        );
    }
}

/// A host that a registered neighbour serves already.
fn same_hosts(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    if matches!(judgement.input.mode, Mode::Destroy | Mode::Stop) {
        return;
    }
    for (target, register) in crate::plan::planner::registers(judgement.input) {
        let planned = |name: &str| judgement.input.deployments.iter().any(|deployment| deployment.name == name);
        let neighbours = register.tenants.iter().filter(|(name, _)| !planned(name));
        for (neighbour, tenant) in neighbours {
            for deployment in judgement.input.deployments.iter().filter(|one| one.target == *target) {
                for host in deployment.tenant.hosts.iter().filter(|host| tenant.hosts.contains(host)) {
                    findings.push(
                        Finding::new(
                            Code::ObjectCollision,
                            format!("`{neighbour}` on the same cluster serves the host {host} already"),
                        )
                        .about(&deployment.name)
                        .as_severity(Severity::Refusal)
                        .help("one of the two needs another `host-name`"),
                    );
                }
            }
        }
    }
}

/// What people call a target.
#[must_use]
pub fn target_text(target: &Target) -> String {
    match target {
        Target::Kind(name) => format!("the kind cluster `{name}`"),
        Target::Kubernetes(name) => format!("the Kubernetes of `{name}`"),
    }
}

fn short(text: &str) -> &str {
    text.get(..12).unwrap_or(text)
}

fn workloads(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (address, judged) in &judgement.resources {
        let template_changes =
            judged.comparison.differences.iter().any(|one| {
                one.path.starts_with("spec.template") || one.path == "spec.selector" || one.forces_replacement
            });
        let Some(desired) = judged.item.desired else { continue };
        if address.resource_type == ResourceType::Deployment {
            let recreate =
                || desired.attributes.value().pointer("/spec/strategy/type").is_some_and(|kind| kind == "Recreate");
            let down = match judged.verdict.action {
                Action::Update => template_changes && recreate(),
                // With its cluster everything goes down; that is said once, with the blast radius.
                Action::Replace => !matches!(judged.verdict.reason, Reason::ClusterReplaced { .. }),
                _ => false,
            };
            if address.scope.is_cluster() {
                caddy(judgement, address, judged, findings);
            } else if down {
                findings.push(interruption(judgement, address, judged));
            }
        }
        if judged.verdict.action == Action::Replace
            && judged.comparison.differences.iter().any(|one| one.path == "metadata.name")
            && address.resource_type == ResourceType::Deployment
            && has_several_pods(judgement, address)
        {
            findings.push(
                Finding::new(
                    Code::PodRenamed,
                    format!("`{address}` is made anew under another name: a stack with several pods names each Deployment after its pod"),
                )
                .about(address.to_string())
                .at_maybe(desired.place.as_ref())
                .help("to keep it as it is, deploy the new pod as a stack of its own"),
            );
        }
        let runs_again = address.resource_type == ResourceType::Job
            && matches!(judged.verdict.action, Action::Replace | Action::Create)
            && judged.completed;
        if runs_again {
            // The flag that names the Job is its consent.
            findings.push(
                Finding::new(Code::JobRunsAgain, format!("`{address}` has completed and runs again"))
                    .about(address.to_string())
                    .as_severity(Severity::Warning)
                    .at_maybe(desired.place.as_ref()),
            );
        }
    }
}

/// Whether a deployment has more pods than the one of an address: names change for other reasons too.
fn has_several_pods(judgement: &Judgement<'_>, address: &Address) -> bool {
    judgement.resources.iter().any(|(other, judged)| {
        *other != address
            && other.scope == address.scope
            && other.resource_type == ResourceType::Deployment
            && judged.item.desired.is_some()
    })
}

fn interruption(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> Finding {
    let hosts = judgement
        .input
        .deployments
        .iter()
        .find(|deployment| Scope::deployment(&deployment.name) == address.scope)
        .map(|deployment| deployment.tenant.hosts.join(", "))
        .filter(|hosts| !hosts.is_empty());
    let served = hosts.map_or_else(String::new, |hosts| format!("; hosts of the deployment: {hosts}"));
    let place = judged.comparison.differences.iter().find_map(|one| one.place.as_ref());
    Finding::new(
        Code::ServiceInterruption,
        format!("`{address}` is taken down before its new pods start, usually for 10-60 s{served}"),
    )
    .about(address.to_string())
    .at_maybe(place.or_else(|| judged.item.desired.and_then(|desired| desired.place.as_ref())))
}

fn caddy(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>, findings: &mut Vec<Finding>) {
    let image = judged
        .comparison
        .differences
        .iter()
        .find(|one| one.path.starts_with("spec.template.spec.containers") && one.path.ends_with(".image"));
    let Some(image) = image.filter(|_| judged.verdict.action == Action::Update) else { return };
    let mut finding = Finding::new(
        Code::IngressInterruption,
        format!("`{address}` gets another image: 10-30 s without ingress for every deployment on the cluster"),
    )
    .about(address.to_string())
    .at_maybe(image.place.as_ref());
    for (name, hosts) in served(judgement, judged.item.target) {
        finding = finding.help(format!("{name}: {}", hosts.join(", ")));
    }
    findings.push(finding);
}

/// The deployments that are served on a cluster, with their hosts: those registered, and those of this plan as they were
/// before it.
fn served<'a>(judgement: &Judgement<'a>, target: &Target) -> BTreeMap<&'a str, &'a [String]> {
    let input = judgement.input;
    let planned = input.deployments.iter().filter(|deployment| deployment.target == *target);
    let planned = planned.map(|deployment| (deployment.name.as_str(), deployment.tenant.hosts.as_slice()));
    let state = input.states.get(&Scope::cluster(target.name()));
    let registered = state.into_iter().flat_map(|state| &state.tenants).filter(|(_, tenant)| !tenant.stopped);
    let registered = registered.map(|(name, tenant)| (name.as_str(), tenant.hosts.as_slice()));
    planned.chain(registered).filter(|(_, hosts)| !hosts.is_empty()).collect()
}

fn secrets(judgement: &Judgement<'_>, recreates: &[Recreate], findings: &mut Vec<Finding>) {
    let input = judgement.input;
    let mut unset: BTreeSet<(String, String)> = BTreeSet::new();
    for (address, judged) in &judgement.resources {
        let generated = address.resource_type == ResourceType::Secret && address.short_name() == "generated-secrets";
        let is_kept = input.mode == Mode::Stop && is_kept_outside(input, judged.item.recorded);
        if generated && judged.verdict.action == Action::Delete && !is_kept {
            let name = format!("{}/secrets", address.scope.name());
            findings.push(
                Finding::new(
                    Code::SecretLost,
                    format!("the generated secrets of `{}` are deleted", address.scope.name()),
                )
                .about(&name)
                .help("what was encrypted or signed with them cannot be read without them")
                .lifted_by(Consent::DataLoss(name)),
            );
        }
        if generated && !input.offline && rotates(input, judged) {
            let name = format!("{}/secrets", address.scope.name());
            findings.push(
                Finding::new(
                    Code::SecretLost,
                    format!(
                        "the generated secrets of `{}` are not here any more and would be made anew",
                        address.scope.name()
                    ),
                )
                .about(&name)
                .help("restore the file `secrets` beside the state from a backup")
                .help("or take the live values over first: laconic import")
                .lifted_by(Consent::DataLoss(name)),
            );
        }
        let key = judged.item.desired.map(crate::resource::Resource::key);
        // What is kept in the vault comes back from there.
        let is_kept =
            key.is_some_and(|key| recreates.iter().any(|one| one.target == *judged.item.target && one.keeps(&key)));
        let is_read = !input.offline && input.mode != Mode::Stop && !is_kept;
        if let Some(desired) = judged.item.desired.filter(|_| is_read) {
            for source in desired.attributes.sources() {
                let is_generated = matches!(source, crate::secret::SecretSource::Generated { .. });
                let is_told = |path: &str| {
                    let mut told = input.findings.iter().filter(|finding| finding.code == Code::SecretNotSet);
                    told.any(|finding| finding.message.contains(&format!("`{path}`")))
                };
                // The check of the files has told of it, with its line.
                let is_told = matches!(&source, crate::secret::SecretSource::File(path) if is_told(path));
                if !is_generated && !is_told && !input.secrets.contains_key(&source) {
                    unset.insert((address.scope.name().to_owned(), source.to_string()));
                }
            }
        }
    }
    for (deployment, source) in unset {
        findings.push(
            Finding::new(Code::SecretNotSet, format!("the {source} is not set here: it is read again at apply"))
                .about(deployment)
                .help("apply needs it only where the Secret has to be created"),
        );
    }
}

/// Whether generated values that were in use would be replaced by new ones: the object is or was there, it is sent again,
/// and its values are not in the deployment's store.
fn rotates(input: &crate::plan::PlanInput, judged: &Judged<'_>) -> bool {
    let sent = matches!(judged.verdict.action, Action::Create | Action::Update | Action::Replace);
    let was_used = judged.item.live.is_some() || judged.item.recorded.is_some_and(|recorded| !recorded.uid.is_empty());
    let missing = judged.item.desired.is_some_and(|desired| {
        desired.attributes.sources().iter().any(|source| {
            matches!(source, crate::secret::SecretSource::Generated { .. }) && !input.secrets.contains_key(source)
        })
    });
    sent && was_used && missing
}

fn state(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    let input = judgement.input;
    let scopes = input.scopes();
    for state in input.states.values().filter(|state| scopes.contains(&state.scope)) {
        if let Some(interrupted) = &state.interrupted {
            let pending =
                state.resources.values().filter(|recorded| recorded.status != crate::state::Status::Settled).count();
            findings.push(
                Finding::new(
                    Code::Interrupted,
                    format!(
                        "{}: an earlier operation did not end ({interrupted}), {pending} steps are of unknown outcome",
                        state.scope
                    ),
                )
                .about(state.scope.name())
                .help("what was found by looking is in this plan; applying it brings them to their end"),
            );
        }
    }
    if let Some(base) = &input.base {
        let text = format!(
            "planned as if {base} had been applied everywhere: what is really recorded and live was not looked at"
        );
        findings.push(Finding::new(Code::NotConsulted, text));
    } else if input.offline {
        let new = input.states.values().all(crate::state::State::is_new);
        let text = if new {
            "offline, and no state is recorded: everything is planned as new; ownership, mounts and drift are not judged"
        } else {
            "offline: planned from the recorded state; ownership, live mounts and drift are not judged"
        };
        findings.push(Finding::new(Code::NotConsulted, text));
    }
    for (target, belief) in &judgement.beliefs {
        match belief {
            Belief::Doubted(UnknownReason::Offline | UnknownReason::OtherIdentity(_))
            | Belief::Trusted
            | Belief::Gone => {}
            Belief::Doubted(reason) => {
                let subject = target_text(target);
                let inspected = crate::plan::planner::live_cluster(input, target).is_some();
                let (begun_by_us, why) = (judgement.fates.contains_key(target), unknown_text(reason));
                let message = match reason {
                    UnknownReason::Unfinished(_) if begun_by_us => {
                        format!("{why}: an interrupted apply began it, it is made from the start")
                    }
                    _ if inspected => {
                        format!("what is on {subject} was not seen: {why}; planned from the recorded state")
                    }
                    _ => format!("{subject} was not seen: {why}; planned from the recorded state"),
                };
                let mut finding = Finding::new(Code::NotConsulted, message).about(target.name());
                if !begun_by_us {
                    finding = finding.help(unknown_help(reason));
                }
                findings.push(finding);
                if target.kind_cluster().is_some() && !inspected {
                    findings.push(
                        Finding::new(Code::MountsUnknown, format!("the mounts of {subject} could not be inspected"))
                            .about(target.name()),
                    );
                }
            }
        }
    }
}
