//! One step against the provider: retries, objects found in the way, waiting until it works.

use std::time::Duration;

use serde_json::Value;

use crate::address::ResourceType;
use crate::apply::certificates;
use crate::apply::deviation::new_deviations;
use crate::apply::drive::{Sink, tell};
use crate::apply::event::Event;
use crate::apply::options::Apply;
use crate::apply::ports::{EnactError, Enacted, Operation, Readiness, Step};
use crate::apply::recreate::returns_from_vault;
use crate::apply::schedule::StepKind;
use crate::plan::change::{Change, Reason};
use crate::plan::foreign::recorded_view;
use crate::plan::recreate::SecretReturn;
use crate::plan::survey::FIELD_MANAGER;
use crate::redact::redact;
use crate::resource::{ClusterIdentity, Live};

/// First pause before another try; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a resource that is waited for is spoken of.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What came of a step that ended well.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepDone {
    /// The object's uid; empty after a delete.
    pub uid: String,
    /// The form asked for, secrets fingerprinted.
    pub desired: Option<Value>,
    /// The fields we own, as they are now.
    pub observed: Value,
    /// The identity of a cluster that was made.
    pub identity: Option<ClusterIdentity>,
}

/// Why a step did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepFailure {
    /// For people; free of secrets.
    pub error: String,
    /// Whether it means that the plan no longer fits the world.
    pub stale: bool,
}

impl StepFailure {
    fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), stale: false }
    }
}

/// Does one step, with retries.
pub(crate) async fn enact(
    apply: &Apply<'_>,
    change: &Change,
    kind: StepKind,
    sink: &Sink<'_>,
) -> Result<StepDone, StepFailure> {
    let desired = change.after.clone();
    match kind {
        StepKind::Forget => {
            if change.reason == Reason::NotOurs && !change.assumed {
                give_back(apply, change, sink).await?;
            }
            return Ok(StepDone { uid: String::new(), desired: None, observed: Value::Null, identity: None });
        }
        StepKind::Import => {
            let live = change.before.clone().unwrap_or_default();
            let wanted = desired.clone().unwrap_or_default();
            let mut owners = Vec::new();
            if change.key.resource_type.is_kubernetes() {
                let adopted = adopt(apply, change, sink).await?;
                owners = adopted.live.map(|live| live.owners).unwrap_or_default();
            }
            let mut live = Live { uid: String::new(), attributes: live, owners, terminating: false };
            if change.address.resource_type == ResourceType::Namespace
                && let Some(stamped) = stamp(apply, change, sink).await?
            {
                live = stamped;
            }
            return Ok(StepDone {
                uid: change.expected_uid.clone().unwrap_or_default(),
                observed: recorded_view(&live, &wanted),
                desired,
                identity: apply.plan.identities.get(&change.target).cloned(),
            });
        }
        StepKind::Delete | StepKind::Create | StepKind::Update | StepKind::Phase(_) => {}
    }
    let fingerprinter = apply.fingerprinters.get(change.address.scope.name());
    let mut fingerprinted = desired.map(|mut desired| {
        crate::secret::add_fingerprints(&mut desired, apply.secrets, fingerprinter);
        desired
    });
    let object = match (&mut fingerprinted, kind) {
        (Some(desired), StepKind::Create | StepKind::Update) => match from_vault(apply, change, desired)? {
            Some(Returned { sent, ours }) => {
                // What is recorded is the fingerprint of what was sent.
                let shape = std::mem::replace(desired, ours);
                crate::secret::mask_observed(desired, Some(&shape), fingerprinter);
                Some(sent)
            }
            None => {
                let object = crate::secret::materialize(desired, apply.secrets);
                Some(object.map_err(|missing| StepFailure::new(missing.to_string()))?)
            }
        },
        _ => None,
    };
    let deletes = kind == StepKind::Delete;
    let step = Step {
        target: change.target.clone(),
        address: change.address.clone(),
        key: change.replaced_key.as_ref().filter(|_| deletes).unwrap_or(&change.key).clone(),
        operation: match kind {
            StepKind::Delete => Operation::Delete,
            StepKind::Update => Operation::Update,
            _ => Operation::Create,
        },
        object,
        expected_uid: change.expected_uid.clone().filter(|_| kind != StepKind::Create),
        force_conflicts: change.force_conflicts,
    };
    if kind == StepKind::Create {
        certificates::before_creation(apply, change, sink).await;
    }
    let enacted = with_retries(apply, change, step, sink).await?;
    let wanted = fingerprinted.as_ref().unwrap_or(&Value::Null);
    if let Some(live) = &enacted.live {
        let fields = new_deviations(apply, change, wanted, live);
        if !fields.is_empty() {
            tell(sink, &Event::Deviated { address: change.address.clone(), fields });
        }
    }
    Ok(StepDone {
        uid: enacted.live.as_ref().map(|live| live.uid.clone()).unwrap_or_default(),
        observed: enacted.live.map_or(Value::Null, |live| recorded_view(&live, wanted)),
        desired: fingerprinted.filter(|_| !deletes),
        identity: enacted.identity,
    })
}

/// A Secret on its way back from the vault.
struct Returned {
    /// The whole object.
    sent: Value,
    /// The part of it that we want: somebody may have put more into it.
    ours: Value,
}

/// The object of a Secret with the values that the vault has: of a deployment that comes back as recorded all of them, else
/// those that are not here.
fn from_vault(apply: &Apply<'_>, change: &Change, desired: &Value) -> Result<Option<Returned>, StepFailure> {
    let Some((cluster, returns)) = returns_from_vault(&apply.plan.recreates, change) else { return Ok(None) };
    let is_here = crate::secret::materialize(desired, apply.secrets).is_ok();
    if is_here && returns == SecretReturn::AsPlanned {
        return Ok(None);
    }
    let Some(ports) = &apply.recreate else { return Ok(None) };
    let failure = |error: crate::vault::VaultError| StepFailure::new(error.to_string());
    let contents = ports.vault.contents(&cluster).map_err(failure)?.unwrap_or_default();
    let Some(kept) = contents.secret(&change.key) else { return Ok(None) };
    let bytes = ports.vault.get(&cluster, &kept.item).map_err(failure)?;
    let copy: Value = serde_json::from_slice(&bytes).map_err(|_| {
        StepFailure::new(format!("the vault {} holds an item that is no object", ports.vault.place(&cluster)))
    })?;
    let Some(ours) = crate::secret::materialize_from(desired, &copy, apply.secrets) else { return Ok(None) };
    let mut sent = ours.clone();
    if returns == SecretReturn::AsRecorded
        && let Some(values) = copy["data"].as_object()
    {
        for (name, value) in values {
            if sent["data"][name].is_null() {
                sent["data"][name] = value.clone();
            }
        }
    }
    Ok(Some(Returned { sent, ours }))
}

/// Has the fields of an imported object become ours, so that one the spec drops later really goes. Only which fields there
/// are matters: no secret is put in.
async fn adopt(apply: &Apply<'_>, change: &Change, sink: &Sink<'_>) -> Result<Enacted, StepFailure> {
    let step = Step {
        target: change.target.clone(),
        address: change.address.clone(),
        key: change.key.clone(),
        operation: Operation::Adopt,
        object: change.after.clone(),
        expected_uid: change.expected_uid.clone(),
        force_conflicts: true,
    };
    with_retries(apply, change, step, sink).await
}

/// Writes the annotation of its owner on a namespace that lacks it. Nothing else of it changes.
async fn stamp(apply: &Apply<'_>, change: &Change, sink: &Sink<'_>) -> Result<Option<Live>, StepFailure> {
    let annotations = |form: &Option<Value>| form.as_ref().map(|form| form["metadata"]["annotations"].clone());
    let (Some(form), Some(wanted)) = (&change.after, annotations(&change.after)) else { return Ok(None) };
    let there = annotations(&change.before).unwrap_or_default();
    let is_missing = |(name, value): (&String, &Value)| !value.is_null() && there.get(name) != Some(value);
    if !wanted.as_object().is_some_and(|wanted| wanted.iter().any(is_missing)) {
        return Ok(None);
    }
    let object = crate::diff::without_nulls(form);
    Ok(with_retries(apply, change, update_of(change, object), sink).await?.live)
}

/// Takes off a namespace that stays what we put on it, the annotation of its owner first of all: somebody else may have it.
async fn give_back(apply: &Apply<'_>, change: &Change, sink: &Sink<'_>) -> Result<Enacted, StepFailure> {
    let object = serde_json::json!({
        "apiVersion": change.key.resource_type.api_version(),
        "kind": change.key.resource_type.kind(),
        "metadata": {"name": &*change.key.name},
    });
    with_retries(apply, change, update_of(change, object), sink).await
}

fn update_of(change: &Change, object: Value) -> Step {
    Step {
        target: change.target.clone(),
        address: change.address.clone(),
        key: change.key.clone(),
        operation: Operation::Update,
        object: Some(object),
        expected_uid: change.expected_uid.clone(),
        force_conflicts: true,
    }
}

async fn with_retries(
    apply: &Apply<'_>,
    change: &Change,
    mut step: Step,
    sink: &Sink<'_>,
) -> Result<Enacted, StepFailure> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        let error = match apply.provider.enact(&step).await {
            Ok(enacted) => return Ok(enacted),
            Err(error) => error.redacted(apply.secrets),
        };
        match error {
            EnactError::Transient(error) if attempt < apply.options.attempts => {
                attempt += 1;
                tell(sink, &Event::Retrying { address: change.address.clone(), attempt, after: pause, error });
                apply.clock.sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            // A create of ours whose answer was lost, in this run or in an interrupted one: the object is brought to its
            // form. Our name alone proves nothing, other deployments apply under it too.
            EnactError::Exists { uid, managers }
                if step.operation == Operation::Create
                    && (attempt > 1 || change.reason == Reason::Interrupted)
                    && (managers.iter().any(|manager| manager == FIELD_MANAGER)
                        || change.address.resource_type == ResourceType::KindCluster) =>
            {
                step.operation = Operation::Update;
                step.expected_uid = Some(uid);
            }
            EnactError::Exists { managers, .. } => {
                let by = if managers.is_empty() { String::new() } else { format!(", made by {}", managers.join(", ")) };
                return Err(StepFailure { error: format!("it exists since the plan was made{by}"), stale: true });
            }
            EnactError::Stale(error) => return Err(StepFailure { error, stale: true }),
            EnactError::Transient(error) | EnactError::Refused(error) | EnactError::Unreachable(error) => {
                return Err(StepFailure::new(error));
            }
        }
    }
}

/// Whether a step ends only when its object works.
///
/// Claims are not waited for: a class that binds on first use would wait for pods that wait for the claim.
pub(crate) const fn waits(change: &Change, kind: StepKind) -> bool {
    matches!(kind, StepKind::Create | StepKind::Update)
        && matches!(
            change.address.resource_type,
            ResourceType::KindCluster | ResourceType::Deployment | ResourceType::Job | ResourceType::Ingress
        )
}

/// Waits until an object works.
pub(crate) async fn wait_until_ready(apply: &Apply<'_>, change: &Change, sink: &Sink<'_>) -> Result<(), String> {
    let begun = apply.clock.elapsed();
    let mut spoken = None;
    let mut failures = 0;
    loop {
        let waited = apply.clock.elapsed().saturating_sub(begun);
        let readiness = match apply.provider.readiness(&change.target, &change.key).await {
            Ok(readiness) => readiness,
            Err(EnactError::Transient(error)) if failures < apply.options.attempts => {
                failures += 1;
                Readiness::Progressing(error)
            }
            Err(error) => return Err(redact(&error.to_string(), apply.secrets)),
        };
        let readiness = readiness.redacted(apply.secrets);
        match &readiness {
            Readiness::Ready => return Ok(()),
            Readiness::Failed(why) => return Err(why.clone()),
            Readiness::Progressing(why) if waited >= apply.options.timeout => {
                return Err(format!("not ready after {} s: {why}", waited.as_secs()));
            }
            Readiness::Progressing(why) if apply.stop.level() > 0 => {
                return Err(format!("not waited for any longer, a stop was asked for: {why}"));
            }
            Readiness::Progressing(_) => {}
        }
        if spoken.is_none_or(|last| waited.saturating_sub(last) >= HEARTBEAT) {
            spoken = Some(waited);
            tell(sink, &Event::Waiting { address: change.address.clone(), readiness, waited });
        }
        apply.clock.sleep(apply.options.poll).await;
    }
}
