//! Everything that is looked at, in the order in which it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::{join, join_all};
use laconic_engine::address::Scope;
use laconic_engine::apply::StateStore as _;
use laconic_engine::resource::{Target, UnknownReason};
use laconic_engine::state::Tenant;

use super::engine::{EngineFacts, Whereabouts};
use super::subject::Subject;
use super::{
    Check, Report, clusters, disk, engine, kind, limits, locks, mounts, permissions, ports, register, servers, state,
};
use crate::compiling::in_parallel;
use crate::error::{Problem, Result};
use crate::inputs::{directories, read_identity};
use crate::session::Session;
use crate::wire::{LocalStore, MachineSeen, Port};

/// How long an API server may take with everything that is asked to reach it.
const SERVER_LIMIT: Duration = Duration::from_secs(60);

/// What API servers answered.
type Answers = BTreeMap<Target, Result<String, UnknownReason>>;

/// Looks at everything.
///
/// # Errors
/// Threads that cannot be had.
pub fn examine(session: &Session) -> Result<Report> {
    let (subject, store) = Subject::read(session);
    let mut report = Report {
        deployments: subject.inputs.iter().map(|input| input.source.name.clone()).collect(),
        groups: Vec::new(),
    };
    report.add("Deployments", subject.checks.clone());
    if session.wire.is_simulated() {
        let found =
            "container engine, kind, clusters, mounts, ports and limits: a simulated run uses none of this host";
        let help = "leave `--simulate` (or LACONIC_SIMULATE) out to look at this host";
        report.add("This host", vec![Check::not_checked("simulated", found, help)]);
    } else {
        let (seen, answers) = look(session, &subject)?;
        host(&mut report, &subject, &seen, &answers);
    }
    report.add("Permissions", permissions_of(session, &subject, &store));
    report.add("Locks", locks_of(&subject, &store));
    report.add("State", states_of(&subject, &store));
    report.add("Tenants", tenants_of(&subject));
    Ok(report)
}

/// Asks programs and servers, all of them side by side.
fn look(session: &Session, subject: &Subject) -> Result<(MachineSeen, Answers)> {
    let wanted: BTreeSet<Port> = subject.ports.iter().map(|port| (port.port, port.protocol.clone())).collect();
    let targets: BTreeSet<Target> = subject.targets.values().cloned().collect();
    let host = session.wire.live_for_a_look(&targets, &directories(&subject.inputs));
    let machine = session.wire.machine();
    let asked = async {
        let answers = join_all(targets.iter().map(|target| async {
            let answer = tokio::time::timeout(SERVER_LIMIT, host.server_version(target)).await;
            let late = || Err(UnknownReason::Unreachable(format!("no answer within {} s", SERVER_LIMIT.as_secs())));
            (target.clone(), answer.unwrap_or_else(|_| late()))
        }));
        join(machine.look(&wanted), answers).await
    };
    let (seen, answers) = crate::wire::runtime()?.block_on(asked);
    Ok((seen, answers.into_iter().collect()))
}

/// This host, as far as deployments on kind clusters need it, and the API servers.
fn host(report: &mut Report, subject: &Subject, seen: &MachineSeen, answers: &Answers) {
    let needs_kind = subject.needs_kind();
    let facts = seen.engine.answer.as_ref().ok().and_then(Option::as_ref);
    let nodes = seen.nodes.as_deref().unwrap_or_default();
    let address = seen.engine.address.as_str();
    let whereabouts = match facts {
        Some(facts) => Some(facts.whereabouts(address, &host_name())),
        None => engine::by_address(address),
    };
    if needs_kind {
        let mut checks = engine::judge(&seen.engine);
        checks.extend(facts.map(|facts| room(facts, whereabouts.as_ref(), !nodes.is_empty())));
        report.add("Container engine", checks);
        report.add("kind", vec![kind::judge(&seen.kind)]);
        report.add("Kind clusters", clusters_of(subject, seen, facts));
    } else {
        let found = "container engine, kind, mounts, ports and limits: every deployment is on a remote Kubernetes";
        let help = "name no deployment to look at this host alone";
        report.add("This host", vec![Check::not_checked("host", found, help)]);
    }
    report.add("API servers", servers_of(subject, nodes, answers));
    report.add("Mounts", mounts_of(subject, seen, whereabouts.as_ref()));
    report.add("Ports", ports_of(subject, seen, whereabouts.as_ref()));
    if needs_kind {
        report.add("Kernel limits", limits_of(whereabouts.as_ref()));
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}

fn room(facts: &EngineFacts, whereabouts: Option<&Whereabouts>, has_cluster: bool) -> Check {
    match whereabouts {
        Some(Whereabouts::Elsewhere(place)) => {
            let found = format!("how much is free where the container engine keeps its data: it runs {place}");
            Check::not_checked("disk", found, format!("there: `df -h {}`", facts.root))
        }
        _ if facts.root.is_empty() => Check::not_checked(
            "disk",
            "the container engine does not say where it keeps its data",
            "`docker system df`",
        ),
        _ => disk::judge(&facts.root, disk::look(&facts.root), has_cluster),
    }
}

fn clusters_of(subject: &Subject, seen: &MachineSeen, facts: Option<&EngineFacts>) -> Vec<Check> {
    match (&seen.nodes, facts) {
        (Ok(nodes), Some(facts)) => clusters::judge(nodes, &subject.known, &facts.id),
        (Err(error), Some(_)) => {
            let help = "see what `docker ps --all --filter label=io.x-k8s.kind.cluster` prints";
            vec![Check::problem("cluster", format!("the clusters cannot be listed: {error}"), help)]
        }
        (_, None) => {
            let found = "the container engine does not answer; its clusters are unknown, not gone";
            vec![Check::not_checked("cluster", found, "put the container engine right first")]
        }
    }
}

fn servers_of(subject: &Subject, nodes: &[clusters::Node], answers: &Answers) -> Vec<Check> {
    answers
        .iter()
        .filter_map(|(target, answer)| match target {
            // Of a cluster that does not run, that is what there is to say, and it is said.
            Target::Kind(cluster) => {
                let place = format!("cluster {cluster}");
                clusters::works(nodes, cluster).then(|| servers::judge(&place, answer))
            }
            Target::Kubernetes(deployment) => {
                let input = subject.inputs.iter().find(|input| input.source.name == *deployment);
                let directory = input.and_then(|input| input.directory.as_deref());
                let place = directory.map(|directory| format!(" ({})", directory.display())).unwrap_or_default();
                Some(servers::judge(&format!("the Kubernetes of deployment {deployment}{place}"), answer))
            }
        })
        .collect()
}

/// Why paths and ports of this host say nothing, when that is so.
fn nothing_here(
    name: &'static str,
    what: &str,
    whereabouts: Option<&Whereabouts>,
    is_wanted: bool,
) -> Option<Vec<Check>> {
    if !is_wanted {
        return Some(Vec::new());
    }
    match whereabouts {
        Some(Whereabouts::Elsewhere(place)) => {
            let found = format!("{what}: the container engine runs {place}");
            Some(vec![Check::not_checked(name, found, "run `laconic doctor` there")])
        }
        _ => None,
    }
}

fn mounts_of(subject: &Subject, seen: &MachineSeen, whereabouts: Option<&Whereabouts>) -> Vec<Check> {
    let what = "directories that clusters mount";
    if let Some(checks) = nothing_here("mount", what, whereabouts, !subject.mounts.is_empty()) {
        return checks;
    }
    let points = std::fs::read_to_string("/proc/self/mountinfo").ok().map(|text| mounts::parse(&text));
    let nodes = seen.nodes.as_deref().unwrap_or_default();
    subject
        .mounts
        .iter()
        .map(|wanted| {
            let runs = clusters::runs(nodes, &wanted.cluster);
            mounts::judge(wanted, &mounts::look(&wanted.host), points.as_deref(), runs)
        })
        .collect()
}

fn ports_of(subject: &Subject, seen: &MachineSeen, whereabouts: Option<&Whereabouts>) -> Vec<Check> {
    if let Some(checks) = nothing_here("port", "ports that clusters want", whereabouts, !subject.ports.is_empty()) {
        return checks;
    }
    let listeners = ports::look();
    let first_unprivileged = ports::first_unprivileged();
    let facts = seen.engine.answer.as_ref().ok().and_then(Option::as_ref);
    let nodes = seen.nodes.as_deref().unwrap_or_default();
    let mut checks = Vec::new();
    for wanted in &subject.ports {
        if clusters::runs(nodes, &wanted.cluster) {
            continue;
        }
        let holder = seen.holders.get(&(wanted.port, wanted.protocol.clone())).map(String::as_str);
        // Its own node has it: one that is paused, say.
        if nodes.iter().any(|node| node.cluster == wanted.cluster && Some(node.name.as_str()) == holder) {
            continue;
        }
        let is_rootless = facts.is_some_and(|facts| facts.is_rootless);
        let seen = ports::Seen { listeners: listeners.as_deref(), holder, is_rootless, first_unprivileged };
        checks.extend(ports::judge(wanted, seen));
    }
    checks
}

fn limits_of(whereabouts: Option<&Whereabouts>) -> Vec<Check> {
    match nothing_here("limit", "limits of the kernel", whereabouts, true) {
        Some(checks) => checks,
        None => limits::judge(&limits::look()),
    }
}

fn permissions_of(session: &Session, subject: &Subject, store: &LocalStore) -> Vec<Check> {
    let mut checks = Vec::new();
    let state_directory = session.wire.state_directory();
    let way_out = "run laconic as root, or name another directory with `--state-dir` (always the same one)";
    let seen = permissions::look_writable(&state_directory);
    checks.push(permissions::judge_writable("the state directory", &seen, way_out));
    for scope in &subject.scopes {
        let Ok(directory) = store.directory(scope) else { continue };
        checks.extend(permissions::judge_private(&directory, &permissions::look(&directory)));
    }
    let simulated = session.wire.is_simulated();
    for (name, directory) in directories(&subject.inputs) {
        if !simulated {
            let own = store.directory(&Scope::deployment(&name)).unwrap_or_else(|_| directory.clone());
            let seen = permissions::look_writable(&own);
            let what = format!("the state of deployment {name}");
            let way_out = format!("run laconic as its owner, or `sudo chown -R \"$USER\" {}`", directory.display());
            checks.push(permissions::judge_writable(&what, &seen, &way_out));
        }
        let kubeconfig = permissions::look_at(&directory.join("kubeconfig.yml"));
        checks.extend(kubeconfig.map(|entry| permissions::judge_kubeconfig(&entry)));
    }
    checks
}

fn locks_of(subject: &Subject, store: &LocalStore) -> Vec<Check> {
    let of = |scope: &Scope| {
        let unlock = format!("laconic state unlock {}", subject.flag(scope));
        match store.lock_info(scope) {
            Ok(report) => locks::judge(scope, &report, laconic_state::lock::may_be_alive, &unlock),
            Err(error) => super::subject::of_problem("lock", &Problem::State(error)),
        }
    };
    subject.scopes.iter().map(of).collect()
}

fn states_of(subject: &Subject, store: &LocalStore) -> Vec<Check> {
    let scopes: Vec<&Scope> = subject.scopes.iter().collect();
    let judged = in_parallel(&scopes, |scope| {
        let generations = store.generations(scope).map(|generations| {
            let generation = |one: laconic_state::Generation| state::Generation {
                serial: one.serial,
                file: one.path.display().to_string(),
                damage: store.verify_generation(scope, one.serial).err(),
            };
            generations.into_iter().map(generation).collect()
        });
        let state = store.load(scope).and_then(|state| store.verify(scope).map(|()| state));
        state::judge(&state::Seen {
            scope: (*scope).clone(),
            file: store.describe(scope).unwrap_or_default(),
            state,
            generations,
            flag: subject.flag(scope),
            is_at_work: store
                .lock_info(scope)
                .is_ok_and(|report| report.holders.first().is_some_and(laconic_state::lock::may_be_alive)),
        })
    });
    judged.into_iter().flatten().collect()
}

fn tenants_of(subject: &Subject) -> Vec<Check> {
    let clusters = subject.states.values().filter(|state| state.scope.is_cluster());
    let tenants =
        clusters.flat_map(|state| state.tenants.iter().map(|(name, tenant)| (state.scope.name(), name, tenant)));
    let of = |(cluster, name, tenant): (&str, &String, &Tenant)| {
        register::judge(cluster, name, &tenant.directory, &tenant.deployment_id, &directory_of(tenant))
    };
    tenants.map(of).collect()
}

fn directory_of(tenant: &Tenant) -> register::Directory {
    let path = PathBuf::from(&tenant.directory);
    if tenant.directory.is_empty() {
        return register::Directory::Unrecorded;
    }
    if !Path::new(&path).exists() {
        return register::Directory::Missing;
    }
    match read_identity(&path) {
        Ok(Some(identity)) if identity.deployment_id == tenant.deployment_id => register::Directory::Its,
        Ok(Some(identity)) => register::Directory::Another(identity.deployment_id),
        Ok(None) => register::Directory::NoDeployment,
        Err(problem) => register::Directory::Unreadable(problem.message()),
    }
}
