//! The one loop of apply: ask the schedule, write down the intent, do it, write down what came of it.
//!
//! A record is durable before the step it announces starts, another after it ends. Killed anywhere and run again, the
//! plan of then finds by looking what was done, and converges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::address::{Address, ResourceType, Scope};
use crate::apply::enact::{StepDone, StepFailure, enact, wait_until_ready, waits};
use crate::apply::event::{Event, Outcome};
use crate::apply::options::{Apply, ApplyError};
use crate::apply::ports::{ObserveRequest, Operation, TargetRequest};
use crate::apply::record::Recorder;
use crate::apply::recreate::{PhaseFailure, carry_out, returns_from_vault};
use crate::apply::schedule::{Schedule, ScheduledStep, StepKind, address_of};
use crate::plan::Plan;
use crate::plan::change::{Action, Change, Reason};
use crate::plan::recreate::{Recreate, RecreatePhase};
use crate::resource::{ClusterIdentity, Observed, Target};

/// What views are told through. Futures in hand share it.
pub(crate) type Sink<'a> = Mutex<&'a mut (dyn FnMut(&Event) + Send)>;

pub(crate) fn tell(sink: &Sink<'_>, event: &Event) {
    // A view that panicked once is not asked again; the apply goes on without it.
    if let Ok(mut view) = sink.lock() {
        view(event);
    }
}

enum Ended<'a> {
    Phase(usize, &'a Recreate, RecreatePhase, Result<(), PhaseFailure>),
    Enacted(usize, &'a Change, Result<StepDone, StepFailure>),
    Waited(usize, &'a Change, Result<(), String>),
}

/// Does what a plan says.
///
/// # Errors
/// [`ApplyError`] when nothing was begun, or when the state can no longer be kept. A step that fails is no error of the
/// whole: it is in the outcome.
pub async fn drive(apply: Apply<'_>, events: &mut (dyn FnMut(&Event) + Send)) -> Result<Outcome, ApplyError> {
    let plan = apply.plan;
    if plan.is_refused() {
        return Err(ApplyError::Refused);
    }
    let wrong = crate::plan::lint::lint(plan);
    if let Some(first) = wrong.first() {
        return Err(ApplyError::Inconsistent(first.clone()));
    }
    let mut schedule = Schedule::of(plan).map_err(ApplyError::Inconsistent)?;
    if !plan.recreates.is_empty() && apply.recreate.is_none() {
        return Err(ApplyError::Inconsistent("it makes a cluster anew, and there is no vault".to_owned()));
    }
    check_secrets(&apply)?;
    let mut recorder = Recorder::open(&apply)?;
    let unseen = check_world(&apply, recorder.identities()).await?;
    let sink: Sink<'_> = Mutex::new(events);
    tell(&sink, &Event::Begun { plan: plan.id.clone(), steps: schedule.len() });
    recorder.begin()?;

    let mut outcome = Outcome::default();
    let mut in_hand: FuturesUnordered<BoxFuture<'_, Ended<'_>>> = FuturesUnordered::new();
    let mut started: BTreeMap<usize, std::time::Duration> = BTreeMap::new();
    let mut enacting = 0_usize;
    let mut told_to_stop = false;
    loop {
        let stop = apply.stop.level();
        if stop > 0 && !told_to_stop {
            told_to_stop = true;
            outcome.stopped = true;
            tell(&sink, &Event::Stopping);
        }
        if stop > 1 {
            // At once: what is in hand stays recorded as pending, and the next plan looks what became of it.
            drop(in_hand);
            finish_outcome(&schedule, plan, &mut outcome);
            return Ok(outcome);
        }
        let mut batch = Vec::new();
        while stop == 0 && !outcome.stale && enacting + batch.len() < apply.options.parallelism.max(1) {
            let Some(number) = schedule.start_next() else { break };
            batch.push(number);
        }
        let steps = batch.iter().map(|number| schedule.step(*number));
        let is_seen =
            |step: &ScheduledStep| address_of(plan, *step).is_none_or(|address| !unseen.contains_key(&address));
        recorder.intend(steps.filter(is_seen))?;
        for number in batch {
            let step = schedule.step(number);
            if let StepKind::Phase(phase) = step.kind {
                let recreate = &plan.recreates[step.change];
                tell(&sink, &Event::PhaseStarted { address: recreate.address(), phase });
                started.insert(number, apply.clock.elapsed());
                enacting += 1;
                let (apply, sink) = (&apply, &sink);
                in_hand.push(
                    async move { Ended::Phase(number, recreate, phase, carry_out(apply, recreate, phase, sink).await) }
                        .boxed(),
                );
                continue;
            }
            let change = &plan.changes[step.change];
            tell(&sink, &Event::Started { address: change.address.clone(), operation: operation(step.kind) });
            started.insert(number, apply.clock.elapsed());
            enacting += 1;
            let (apply, sink) = (&apply, &sink);
            let unseen = unseen.get(&change.address);
            in_hand.push(
                async move {
                    let result = match unseen {
                        Some(why) => Err(StepFailure { error: why.clone(), stale: false }),
                        None => enact(apply, change, step.kind, sink).await,
                    };
                    Ended::Enacted(number, change, result)
                }
                .boxed(),
            );
        }
        if in_hand.is_empty() {
            break;
        }
        let mut ended = Vec::new();
        {
            let asked = apply.stop.asked_beyond(stop);
            futures::pin_mut!(asked);
            if let futures::future::Either::Left((Some(one), _)) = futures::future::select(in_hand.next(), asked).await
            {
                ended.push(one);
            }
        }
        // Steps that end together share one durable write.
        while let Some(Some(one)) = in_hand.next().now_or_never() {
            ended.push(one);
        }
        let mut done = Vec::new();
        for one in &ended {
            if let Ended::Enacted(number, change, Ok(result)) = one {
                done.push((schedule.step(*number), *change, result));
            }
        }
        recorder.done(&done)?;
        for one in ended {
            match one {
                Ended::Phase(number, recreate, phase, result) => {
                    enacting -= 1;
                    let address = recreate.address();
                    schedule.finish(number, result.is_ok());
                    let took = apply.clock.elapsed().saturating_sub(started.get(&number).copied().unwrap_or_default());
                    match result {
                        Ok(()) => tell(&sink, &Event::PhaseDone { address, phase, took }),
                        Err(PhaseFailure { error, stale }) => {
                            outcome.stale |= stale;
                            outcome.failed.push((address.clone(), error.clone()));
                            tell(&sink, &Event::PhaseFailed { address, phase, error });
                        }
                    }
                }
                Ended::Enacted(number, change, result) => {
                    enacting -= 1;
                    let kind = schedule.step(number).kind;
                    match result {
                        Ok(_) if apply.options.wait && waits(change, kind) => {
                            let (apply, sink) = (&apply, &sink);
                            in_hand.push(
                                async move { Ended::Waited(number, change, wait_until_ready(apply, change, sink).await) }
                                    .boxed(),
                            );
                        }
                        Ok(_) => well(&mut schedule, &mut outcome, &apply, &sink, &started, number, change),
                        Err(failure) => {
                            outcome.stale |= failure.stale;
                            failed(&mut schedule, &mut outcome, &sink, number, change, failure.error);
                        }
                    }
                }
                Ended::Waited(number, change, Ok(())) => {
                    if change.address.resource_type == ResourceType::Job {
                        recorder.completed(&change.address)?;
                    }
                    well(&mut schedule, &mut outcome, &apply, &sink, &started, number, change);
                }
                Ended::Waited(number, change, Err(error)) => {
                    failed(&mut schedule, &mut outcome, &sink, number, change, error);
                }
            }
        }
    }
    drop(in_hand);
    finish_outcome(&schedule, plan, &mut outcome);
    for (address, because) in &outcome.skipped {
        tell(&sink, &Event::Skipped { address: address.clone(), because: because.clone() });
    }
    recorder.end(&outcome)?;
    tell(&sink, &Event::Ended { outcome: outcome.clone() });
    Ok(outcome)
}

const fn operation(kind: StepKind) -> Operation {
    match kind {
        StepKind::Delete | StepKind::Forget => Operation::Delete,
        StepKind::Create => Operation::Create,
        // A phase is told of as such.
        StepKind::Update | StepKind::Phase(_) => Operation::Update,
        StepKind::Import => Operation::Adopt,
    }
}

fn well(
    schedule: &mut Schedule,
    outcome: &mut Outcome,
    apply: &Apply<'_>,
    sink: &Sink<'_>,
    started: &BTreeMap<usize, std::time::Duration>,
    number: usize,
    change: &Change,
) {
    schedule.finish(number, true);
    let kind = schedule.step(number).kind;
    let rides = matches!(change.reason, Reason::ClusterReplaced { .. });
    match kind {
        StepKind::Create => outcome.added += 1,
        StepKind::Update => outcome.changed += 1,
        StepKind::Delete => outcome.destroyed += 1,
        StepKind::Forget if change.action == Action::Delete => outcome.destroyed += 1,
        StepKind::Forget | StepKind::Import | StepKind::Phase(_) => {}
    }
    // It went with its cluster and came back: destroyed and added, as the plan counted it.
    if rides && change.action == Action::Replace && kind == StepKind::Create {
        outcome.destroyed += 1;
    }
    outcome.done.push((change.address.clone(), operation(kind)));
    let took = apply.clock.elapsed().saturating_sub(started.get(&number).copied().unwrap_or_default());
    tell(sink, &Event::Done { address: change.address.clone(), operation: operation(kind), took });
}

fn failed(
    schedule: &mut Schedule,
    outcome: &mut Outcome,
    sink: &Sink<'_>,
    number: usize,
    change: &Change,
    error: String,
) {
    let kind = schedule.step(number).kind;
    schedule.finish(number, false);
    outcome.failed.push((change.address.clone(), error.clone()));
    tell(sink, &Event::Failed { address: change.address.clone(), operation: operation(kind), error });
}

fn finish_outcome(schedule: &Schedule, plan: &Plan, outcome: &mut Outcome) {
    let address = |number: usize| address_of(plan, schedule.step(number));
    let mut skipped: BTreeSet<(Address, Address)> = BTreeSet::new();
    for (number, because) in schedule.skipped() {
        if let (Some(address), Some(because)) = (address(number), address(because))
            && address != because
        {
            skipped.insert((address, because));
        }
    }
    outcome.skipped = skipped.into_iter().collect();
    let not_started: BTreeSet<Address> = schedule.not_started().filter_map(address).collect();
    outcome.not_started = not_started.into_iter().collect();
}

/// Every value that must reach the cluster is here, or nothing is begun.
fn check_secrets(apply: &Apply<'_>) -> Result<(), ApplyError> {
    for change in &apply.plan.changes {
        if !matches!(change.action, Action::Create | Action::Update | Action::Replace) {
            continue;
        }
        let Some(after) = &change.after else { continue };
        // What the vault has comes from there; that it has it is seen before anything is deleted.
        if returns_from_vault(&apply.plan.recreates, change).is_some() {
            continue;
        }
        if let Err(missing) = crate::secret::materialize(after, apply.secrets) {
            return Err(ApplyError::MissingSecret { missing: missing.0, needed_by: change.address.to_string() });
        }
    }
    Ok(())
}

/// The world answers, and as the one the plan saw or the state knows. Returns the resources that still cannot be looked at,
/// each with the reason: nothing is done to them.
async fn check_world(
    apply: &Apply<'_>,
    recorded: &BTreeMap<Target, ClusterIdentity>,
) -> Result<BTreeMap<Address, String>, ApplyError> {
    let mut request = ObserveRequest::new();
    for change in &apply.plan.changes {
        let entry: &mut TargetRequest = request.entry(change.target.clone()).or_default();
        if change.assumed && change.key.resource_type.is_kubernetes() {
            entry.keys.insert(change.key.clone());
        }
    }
    for recreate in &apply.plan.recreates {
        request.entry(recreate.target.clone()).or_default();
    }
    let world = apply.provider.observe(&request).await;
    for (target, observed) in &world {
        let name = target.name();
        let cluster = target.kind_cluster().and_then(|name| apply.plan.change(&Address::kind_cluster(name)));
        let finishes_cluster = cluster.is_some_and(|change| change.reason == Reason::Interrupted);
        // What is on a cluster that goes away, or was never finished, need not be seen.
        let needs_objects = !finishes_cluster
            && !cluster.is_some_and(|change| matches!(change.action, Action::Replace | Action::Delete));
        let unseen = match (&observed.cluster, &observed.objects) {
            (Observed::Unknown(reason), _) => Some(reason),
            (_, Err(reason)) if needs_objects => Some(reason),
            _ => None,
        };
        if let Some(reason) = unseen {
            let why = crate::redact::redact(&crate::plan::danger::unknown_text(reason), apply.secrets);
            return Err(ApplyError::Unseen(format!("the cluster `{name}` was not seen: {why}")));
        }
        let makes_cluster = cluster.is_some_and(|change| change.action == Action::Create);
        // What is only dropped from state was seen to be gone; that it still is, is no news.
        let mut of_target = apply.plan.changes.iter().filter(|change| change.target == *target);
        let only_forgets = of_target.all(|change| change.action == Action::Forget);
        // A plan that nobody looked for has no identities: then the recorded ones count.
        let known = apply.plan.identities.get(target).or_else(|| recorded.get(target));
        match (known, &observed.cluster, &observed.identity) {
            (Some(known), Observed::Present(_), Some(seen)) if !known.is(seen) && !finishes_cluster => {
                return Err(ApplyError::Stale(format!(
                    "another cluster answers as `{name}` than the one it was made for"
                )));
            }
            (None, Observed::Absent, _) if !makes_cluster && !finishes_cluster && !only_forgets => {
                return Err(ApplyError::NoCluster(name.to_owned()));
            }
            (Some(_), Observed::Absent, _) if !makes_cluster && !finishes_cluster && !only_forgets => {
                return Err(ApplyError::Stale(format!("the cluster `{name}` is gone since it was made")));
            }
            _ => {}
        }
    }
    let assumed = apply.plan.changes.iter().filter(|change| change.assumed);
    let unseen = assumed.filter_map(|change| {
        let reason = world.get(&change.target)?.unlisted.get(&change.key.resource_type)?;
        let why = crate::redact::redact(&crate::plan::danger::unknown_text(reason), apply.secrets);
        Some((change.address.clone(), format!("whether it is there could not be seen: {why}")))
    });
    Ok(unseen.collect())
}

/// The scopes a plan writes to.
#[must_use]
pub fn scopes(plan: &crate::plan::Plan) -> BTreeSet<Scope> {
    let changed = plan.changes.iter().map(|change| change.address.scope.clone());
    let registered = plan.register.iter().map(|change| Scope::cluster(&change.cluster));
    let completed = plan.completed_jobs.iter().map(|address| address.scope.clone());
    let recreated = plan.recreates.iter().map(|recreate| recreate.address().scope);
    changed.chain(registered).chain(completed).chain(recreated).collect()
}

/// The step of a change that a scheduled step belongs to, for the recorder.
#[must_use]
pub(crate) fn change_of(plan: &crate::plan::Plan, step: ScheduledStep) -> &Change {
    &plan.changes[step.change]
}
