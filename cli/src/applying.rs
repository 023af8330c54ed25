//! From a plan to a changed world: consent, approval, locks, the engine's loop, the report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::apply::drive::scopes;
use laconic_engine::apply::{
    Apply, ApplyOptions, Clock, Event, LockGuard, LockMode, ObserveRequest, Outcome, Provider, RecreatePorts,
    StateStore, Stop, drive, moved_on,
};
use laconic_engine::code::Code;
use laconic_engine::finding::Consent;
use laconic_engine::plan::{Consulted, Mode, Plan};
use laconic_engine::resource::{Target, World};
use laconic_engine::secret::{SecretSource, SecretValues, sources};
use laconic_engine::state::State;
use laconic_engine::vault::Vault;

use crate::args::{Carrying, Showing};
use crate::clock::{SimulatedClock, SystemClock};
use crate::error::{Exit, Problem, Result};
use crate::planning::{Planned, secret_places};
use crate::secret_values::{self, Missing, SecretPlace};
use crate::session::Session;
use crate::view::outcome::Ending;
use crate::view::plan_text::{plan_text, plan_text_in_short, short_id};
use crate::view::progress::Progress;
use crate::view::{events_json, outcome};
use crate::wire::{self, Host, LocalStore, MemoryVault};

/// Fewer characters of an id name no plan.
const SHORTEST_ID: usize = 8;

/// What is to be carried out, and how.
#[derive(Debug)]
pub struct Order<'a> {
    /// The plan, with the consents that count.
    pub plan: Plan,
    /// The deployment directories, other tenants' included.
    pub directories: BTreeMap<String, PathBuf>,
    /// Values of secrets that are live and that nobody keeps yet; an import keeps them.
    pub live_secrets: SecretValues,
    /// The world.
    pub host: Host,
    /// How it is done.
    pub carrying: &'a Carrying,
    /// What is shown.
    pub showing: &'a Showing,
    /// Whether it needs no approval: a saved plan was looked at when it was made, a rehearsal does nothing.
    pub approved: bool,
    /// Whether it is a saved plan, of which only the dangers are shown again.
    pub saved: bool,
    /// The states it was made from, for a rehearsal on a copy; empty for the real thing.
    pub rehearsal: Option<BTreeMap<Scope, State>>,
}

impl<'a> Order<'a> {
    /// What was planned just now, to be approved and done for real.
    ///
    /// # Errors
    /// A plan for which nobody looked at the world.
    pub fn of(mut planned: Planned, carrying: &'a Carrying, showing: &'a Showing) -> Result<Self> {
        let host = planned.take_host()?;
        let Planned { plan, directories, live_secrets, .. } = planned;
        let (approved, saved, rehearsal) = (false, false, None);
        Ok(Self { plan, directories, live_secrets, host, carrying, showing, approved, saved, rehearsal })
    }
}

/// The consents that count: all of them at a terminal, with a plan file, with `--expect-plan` or with `--expect-change`;
/// none otherwise.
#[must_use]
pub fn counting(given: BTreeSet<Consent>, session: &Session, bound: bool) -> BTreeSet<Consent> {
    if bound || session.output.interactive { given } else { BTreeSet::new() }
}

/// Shows the plan, asks, does it.
///
/// # Errors
/// Refusals, plans that are stale, approvals that were not given, state that cannot be kept.
pub fn carry_out(session: &Session, order: Order<'_>, given: &BTreeSet<Consent>) -> Result<Exit> {
    carry_out_after(session, order, given, &|| Ok(()))
}

/// The same, with something that is done first, once all locks are held.
///
/// # Errors
/// As [`carry_out`], and whatever keeps that from being done.
pub fn carry_out_after(
    session: &Session,
    mut order: Order<'_>,
    given: &BTreeSet<Consent>,
    first: &dyn Fn() -> Result<()>,
) -> Result<Exit> {
    let output = &session.output;
    let now = laconic_state::timestamp::now();
    if output.json {
        output.print(&format!("{}{}", events_json::version(&now), events_json::planned(&now, &order.plan)))?;
    } else {
        let view = session.plan_view(order.showing, None);
        let text = if order.saved { plan_text_in_short(&order.plan, &view) } else { plan_text(&order.plan, &view) };
        output.print(&text)?;
    }
    if let Some(expected) = &order.carrying.expect_plan
        && (expected.len() < SHORTEST_ID || !order.plan.id.starts_with(expected.as_str()))
    {
        let found = short_id(&order.plan.id).to_owned();
        return Err(Problem::OtherPlan { expected: expected.clone(), found });
    }
    expect_change(&order)?;
    ask_consents(session, &mut order.plan)?;
    refuse(&order.plan, given)?;
    if !order.plan.has_work() {
        // "Nothing to do" is only said by one who could look.
        let details = unseen(&order.plan);
        return if details.is_empty() { Ok(Exit::Done) } else { Err(Problem::Unreachable { details }) };
    }
    if !order.approved && !order.carrying.auto_approve {
        approve(session, order.plan.mode)?;
    }
    match order.rehearsal.take() {
        Some(states) => rehearse(session, &order, states),
        None => really(session, &order, first),
    }
}

/// The files change what somebody looked at, and nothing else.
fn expect_change(order: &Order<'_>) -> Result<()> {
    let Some(expected) = &order.carrying.expect_change else { return Ok(()) };
    let plan = &order.plan;
    if expected.len() >= SHORTEST_ID && plan.change_id.starts_with(expected.as_str()) {
        return Ok(());
    }
    let changes = plan
        .change_set
        .iter()
        .map(|one| {
            let paths = if one.paths.is_empty() { String::new() } else { format!(": {}", one.paths.join(", ")) };
            format!("{} {}{paths}", one.action.symbol(), one.address)
        })
        .collect();
    Err(Problem::OtherChange { expected: expected.clone(), found: plan.change_id.clone(), changes })
}

/// The targets of which nothing could be seen, and why.
fn unseen(plan: &Plan) -> Vec<String> {
    let unknown = |(target, consulted): (&Target, &Consulted)| match consulted {
        Consulted::Unknown(why) => Some(format!("{}: {why}", target.name())),
        Consulted::Live | Consulted::Offline => None,
    };
    plan.consulted.iter().filter_map(unknown).collect()
}

/// At a terminal: each danger is consented to by typing its object's name.
fn ask_consents(session: &Session, plan: &mut Plan) -> Result<()> {
    if !session.output.interactive || plan.refusals().next().is_some() {
        return Ok(());
    }
    for consent in plan.missing_consents() {
        let (question, name) = match &consent {
            Consent::Recreate(name) => (format!("To have cluster {name} made anew, type its name"), name),
            Consent::DataLoss(name) => (format!("To give up the data of {name}, type its name"), name),
            Consent::ClusterDelete(name) => (format!("To have cluster {name} deleted, type its name"), name),
        };
        let question = crate::view::style::clean(&question);
        let answer = session.output.ask(&format!("\n{}: ", session.output.palette.bold(&question)))?;
        if answer != *name {
            return Err(Problem::NotApproved);
        }
        plan.consents_given.insert(consent);
    }
    Ok(())
}

/// A plan with an open refusal or a consent not given is not carried out.
fn refuse(plan: &Plan, given: &BTreeSet<Consent>) -> Result<()> {
    if !plan.is_refused() {
        return Ok(());
    }
    let missing = plan.missing_consents();
    let refusals = plan.refusals().count();
    let unbound: Vec<String> = missing.intersection(given).map(ToString::to_string).collect();
    if refusals == 0 && !unbound.is_empty() && missing.is_subset(given) {
        return Err(Problem::ConsentNotBound { plan: short_id(&plan.id).to_owned(), flags: unbound });
    }
    Err(Problem::Refused { missing: missing.iter().map(ToString::to_string).collect(), refusals })
}

fn approve(session: &Session, mode: Mode) -> Result<()> {
    if !session.output.interactive {
        return Err(Problem::NoApproval);
    }
    let question = match mode {
        Mode::Apply => "Do you want to perform these actions?",
        Mode::Destroy => "Do you really want to destroy all of this?",
        Mode::Stop => "Do you want to stop this?",
        Mode::Import => "Do you want to take these objects into state?",
    };
    let prompt = format!(
        "\n{}\n  laconic will perform the actions described above.\n  Only 'yes' will be accepted to approve.\n\n  {} ",
        session.output.palette.bold(question),
        session.output.palette.bold("Enter a value:"),
    );
    if session.output.ask(&prompt)? == "yes" { Ok(()) } else { Err(Problem::NotApproved) }
}

/// The whole apply on copies of host and state.
fn rehearse(session: &Session, order: &Order<'_>, states: BTreeMap<Scope, State>) -> Result<Exit> {
    let store = session.wire.store(&order.directories);
    let host = match order.host.simulated() {
        Some(host) => host.fork(),
        None => wire::SimulatedHost::copy_of(&wire::runtime()?.block_on(look(order, &states))),
    };
    let copy = wire::rehearsal_store(&store, states.into_values())?;
    session.output.remark("Rehearsal on a simulated copy: nothing is changed.\n");
    let secrets = Secrets { store: &store, keys: Missing::LeaveOut, values: Missing::ThrowAway, kept: BTreeSet::new() };
    let clusters = order.plan.recreates.iter().map(|recreate| recreate.cluster.as_str());
    let ports = RecreatePorts { rescue: &host, vault: &MemoryVault::copy_of(&session.wire.vault(), clusters)? };
    let end = run(session, order, (&host, ports), &copy, &SimulatedClock::default(), &secrets);
    session.output.remark("This was a rehearsal: nothing was changed.\n");
    match end {
        // That what was begun is recorded is true of an apply only.
        Err(Problem::Incomplete { stale: false, .. }) => {
            Err(Problem::System { detail: "the rehearsal did not come to its end".to_owned() })
        }
        other => other,
    }
}

/// What a rehearsal needs to see of the real world: what the plan touches and what is recorded beside it.
async fn look(order: &Order<'_>, states: &BTreeMap<Scope, State>) -> World {
    let mut request = ObserveRequest::new();
    for change in &order.plan.changes {
        let entry = request.entry(change.target.clone()).or_default();
        entry.types.insert(change.key.resource_type);
        entry.keys.insert(change.key.clone());
    }
    for state in states.values() {
        let Some(entry) = state.target.as_ref().and_then(|target| request.get_mut(target)) else { continue };
        entry.keys.extend(state.resources.values().map(|recorded| recorded.key.clone()));
    }
    order.host.provider().observe(&request).await
}

fn really(session: &Session, order: &Order<'_>, first: &dyn Fn() -> Result<()>) -> Result<Exit> {
    let store = session.wire.store(&with_tenants(session, order)?);
    let _locks = lock(&order.plan, &store)?;
    check_states(&order.plan, &store)?;
    // Damage is found before anything is touched, not when the recorded form is needed in the middle.
    for reference in &order.plan.states {
        store.verify(&reference.scope)?;
    }
    first()?;
    crate::deployment_directory::provide_memlock_specs(&order.plan, &order.directories)?;
    // A simulated host has a time of its own: waiting in ours would only make its runs differ.
    let clock: Box<dyn Clock> = if session.wire.is_simulated() {
        Box::new(SimulatedClock::default())
    } else {
        Box::new(SystemClock::default())
    };
    let values = if order.plan.mode == Mode::Import {
        secret_values::adopt(&order.live_secrets, &secret_places_of(order, &store)?)?;
        Missing::LeaveOut
    } else {
        Missing::Make
    };
    let kept = recorded_secrets(&order.plan, &store)?;
    let secrets = Secrets { store: &store, keys: Missing::Make, values, kept };
    let ports = RecreatePorts { rescue: order.host.rescue(), vault: &session.wire.vault() };
    let exit = run(session, order, (order.host.provider(), ports), &store, clock.as_ref(), &secrets)?;
    crate::state_mark::mark(session, &order.plan, order.host.provider(), &store)?;
    Ok(exit)
}

/// The deployment directories, with those of every tenant of a cluster that changes: stopped ones are locked too, although
/// the plan does not look into their states. One whose directory is gone has nobody who could apply there.
fn with_tenants(session: &Session, order: &Order<'_>) -> Result<BTreeMap<String, PathBuf>> {
    let mut directories = order.directories.clone();
    let store = session.wire.store(&directories);
    for scope in scopes(&order.plan).into_iter().filter(Scope::is_cluster) {
        for (name, tenant) in store.load(&scope)?.tenants {
            let directory = PathBuf::from(tenant.directory);
            if session.wire.is_simulated() || directory.is_dir() {
                directories.entry(name).or_insert(directory);
            }
        }
    }
    Ok(directories)
}

/// How a run comes by its secrets.
struct Secrets<'a> {
    /// Knows the places they are in.
    store: &'a LocalStore,
    /// What becomes of keys that are missing.
    keys: Missing,
    /// What becomes of values that are missing.
    values: Missing,
    /// Sources whose Secret is recorded: the value was there once, and another one is not made in its place.
    kept: BTreeSet<SecretSource>,
}

/// The sources of recorded Secrets, of deployments for which nobody consented to new values.
fn recorded_secrets(plan: &Plan, store: &LocalStore) -> Result<BTreeSet<SecretSource>> {
    let given_up: BTreeSet<&str> = plan
        .findings
        .iter()
        .filter(|finding| finding.code == Code::SecretLost)
        .filter_map(|finding| match &finding.consent {
            Some(consent @ Consent::DataLoss(name)) if plan.consents_given.contains(consent) => name.split('/').next(),
            _ => None,
        })
        .collect();
    let wanted: BTreeSet<&Scope> = plan
        .changes
        .iter()
        .filter(|change| change.after.as_ref().is_some_and(has_generated))
        .map(|change| &change.address.scope)
        .filter(|scope| !given_up.contains(scope.name()))
        .collect();
    let mut found = BTreeSet::new();
    for scope in wanted {
        let mut state = store.load(scope)?;
        let is_secret = |address: &Address| address.resource_type == ResourceType::Secret;
        let secrets = state.resources.iter().filter(|(address, _)| is_secret(address));
        // A create that never ended recorded nothing that anybody uses.
        let digests =
            secrets.filter(|(_, one)| !one.uid.is_empty()).map(|(_, recorded)| recorded.desired.digest).collect();
        store.load_bodies(&mut state, &digests)?;
        let bodies = state.resources.iter().filter(|(address, one)| is_secret(address) && !one.uid.is_empty());
        found.extend(bodies.filter_map(|(_, one)| one.desired.value.as_deref()).flat_map(sources));
    }
    Ok(found)
}

fn has_generated(value: &serde_json::Value) -> bool {
    sources(value).iter().any(|source| matches!(source, SecretSource::Generated { .. }))
}

fn secret_places_of(order: &Order<'_>, store: &LocalStore) -> Result<BTreeMap<String, SecretPlace>> {
    let changed = order.plan.changes.iter().map(|change| &change.address.scope).filter(|scope| !scope.is_cluster());
    let names: BTreeSet<&str> =
        changed.map(Scope::name).chain(order.plan.deployments.iter().map(String::as_str)).collect();
    secret_places(&order.directories, store, names.into_iter())
}

/// Takes the locks: the deployments exclusively, their clusters shared, or exclusively with all their tenants when the
/// plan changes the cluster.
fn lock(plan: &Plan, store: &LocalStore) -> Result<Vec<Box<dyn LockGuard>>> {
    let operation = match plan.mode {
        Mode::Apply => "apply",
        Mode::Destroy => "destroy",
        Mode::Stop => "stop",
        Mode::Import => "import",
    };
    let recreated: Vec<Scope> = plan.recreates.iter().map(|recreate| recreate.address().scope).collect();
    let changed: BTreeSet<&Scope> = plan.changes.iter().map(|change| &change.address.scope).chain(&recreated).collect();
    let mut wanted: BTreeMap<Scope, LockMode> =
        plan.deployments.iter().map(|name| (Scope::deployment(name), LockMode::Exclusive)).collect();
    let mut all = scopes(plan);
    all.extend(plan.consulted.keys().filter_map(laconic_engine::resource::cluster_scope));
    for scope in all {
        if !scope.is_cluster() {
            wanted.insert(scope, LockMode::Exclusive);
        } else if changed.contains(&scope) {
            let tenants = store.load(&scope)?.tenants;
            let known =
                tenants.keys().map(|name| Scope::deployment(name)).filter(|tenant| store.directory(tenant).is_ok());
            wanted.extend(known.map(|tenant| (tenant, LockMode::Exclusive)));
            wanted.insert(scope, LockMode::Exclusive);
        } else {
            wanted.insert(scope, LockMode::Shared);
        }
    }
    let own =
        |scope: &Scope| matches!(scope, Scope::Deployment(name) if plan.deployments.iter().any(|own| **own == **name));
    let mut order: Vec<(Scope, LockMode)> = wanted.into_iter().collect();
    // Our own deployments first, then clusters, then other tenants; within each by name.
    order.sort_by_key(|(scope, _)| if own(scope) { 0 } else { 1 + u8::from(!scope.is_cluster()) });
    let mut guards = Vec::with_capacity(order.len());
    for (scope, mode) in order {
        guards.push(store.lock(&scope, mode, operation)?);
    }
    Ok(guards)
}

/// The states are the ones the plan was made from.
///
/// # Errors
/// A state that moved on, or cannot be read.
pub fn check_states(plan: &Plan, store: &LocalStore) -> Result<()> {
    for reference in &plan.states {
        if let Some(detail) = moved_on(plan, reference, &store.load(&reference.scope)?) {
            return Err(Problem::StalePlan { detail });
        }
    }
    Ok(())
}

fn run(
    session: &Session,
    order: &Order<'_>,
    (provider, ports): (&dyn Provider, RecreatePorts<'_>),
    store: &dyn StateStore,
    clock: &dyn Clock,
    how: &Secrets<'_>,
) -> Result<Exit> {
    let places = secret_places_of(order, how.store)?;
    let wanted: BTreeSet<SecretSource> =
        order.plan.changes.iter().filter_map(|change| change.after.as_ref()).flat_map(sources).collect();
    let (kept, others) = wanted.into_iter().partition(|source| how.kept.contains(source));
    let mut secrets = secret_values::values(&others, &places, how.values)?;
    secrets.extend(secret_values::values(&kept, &places, Missing::LeaveOut)?);
    let fingerprinters = secret_values::fingerprinters(&places, how.keys)?;
    let stop = Arc::new(Stop::default());
    let vault = ports.vault;
    let apply = Apply {
        plan: &order.plan,
        provider,
        store,
        clock,
        secrets: &secrets,
        fingerprinters: &fingerprinters,
        recreate: Some(ports),
        options: ApplyOptions {
            parallelism: usize::from(order.carrying.parallelism),
            wait: !order.carrying.no_wait,
            timeout: order.carrying.timeout,
            ..ApplyOptions::default()
        },
        stop: &stop,
    };
    let rehearsed = how.values == Missing::ThrowAway;
    let output = &session.output;
    let mut progress = Progress::new(output);
    let mut view = |event: &Event| {
        if output.json {
            // An answer nobody reads any more is no reason to leave an apply half done.
            let ending = match event {
                Event::Ended { outcome } => Ending::of(&order.plan, rehearsed, outcome),
                _ => Ending::APPLY,
            };
            let _ = output.print(&events_json::event(&clock.now(), event, ending));
        } else {
            progress.show(event, output);
        }
    };
    let runtime = wire::runtime()?;
    let listener = Arc::clone(&stop);
    let outcome = runtime.block_on(async {
        let listening = tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                listener.ask();
            }
        });
        let outcome = drive(apply, &mut view).await;
        listening.abort();
        outcome
    })?;
    if !output.json {
        let ending = Ending::of(&order.plan, rehearsed, &outcome);
        output.print(&format!("\n{}", outcome::report(&outcome, ending, output.palette)))?;
    }
    end(&outcome, kept_vaults(&order.plan, vault))
}

/// Where the vaults are of recreates that did not end.
fn kept_vaults(plan: &Plan, vault: &dyn Vault) -> Vec<String> {
    let clusters = plan.recreates.iter().map(|recreate| &recreate.cluster);
    let kept = clusters.filter(|cluster| matches!(vault.contents(cluster), Ok(Some(_)) | Err(_)));
    kept.map(|cluster| vault.place(cluster)).collect()
}

fn end(outcome: &Outcome, vaults: Vec<String>) -> Result<Exit> {
    if outcome.is_complete() && !outcome.stale {
        return Ok(Exit::Done);
    }
    Err(Problem::Incomplete { stale: outcome.stale, stopped: outcome.stopped, vaults })
}
