//! What keeps a pod from being ready.

use std::cmp::Reverse;

use serde_json::Value;

use super::container::{self, Trouble};
use super::document::{condition, is_terminating, items, name, one_line, reason_and_message, text};
use super::look::{Seen, not_visible};

/// What the containers are called that end before the others begin.
const INIT: &str = "init container";

/// Whether a pod still runs or will run: it has not ended and is not on its way out.
pub(super) fn is_live(pod: &Value) -> bool {
    !is_terminating(pod) && !has_ended(pod)
}

/// Whether a pod has ended for good.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether a pod serves.
fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready", "True").is_some()
}

/// Of several pods the one whose trouble explains most: one that needs help, or else the one that came farthest on the
/// way to its trouble; the newest of those.
pub(super) fn most_troubled<'a>(pods: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    let live = pods.filter(|pod| is_live(pod) && !is_ready(pod));
    live.min_by_key(|pod| {
        let waits = |reason: &str| statuses(pod).any(|(_, status)| text(status, "/state/waiting/reason") == reason);
        let rank = match () {
            () if waits("CrashLoopBackOff") => 0,
            () if statuses(pod).any(|(_, status)| is_stuck(text(status, "/state/waiting/reason"))) => 1,
            () if condition(pod, "PodScheduled", "False").is_some() => 2,
            () => 3,
        };
        (rank, Reverse(text(pod, "/metadata/creationTimestamp")), name(pod))
    })
}

fn is_stuck(reason: &str) -> bool {
    !matches!(reason, "" | "ContainerCreating" | "PodInitializing")
}

/// What keeps a pod from being ready, by its status and the events about it, oldest first. It names the pod.
pub(super) fn trouble(pod: &Value, events: &Seen<Vec<Value>>) -> Trouble {
    let Trouble { text: why, needs_help } = find(pod, events.as_deref().unwrap_or_default());
    let hidden = events.as_ref().err().map(|hidden| format!(" ({})", not_visible(hidden))).unwrap_or_default();
    Trouble { text: format!("pod {}: {why}{hidden}", name(pod)), needs_help }
}

fn find(pod: &Value, events: &[Value]) -> Trouble {
    if let Some(unscheduled) = condition(pod, "PodScheduled", "False") {
        // Never for good: another pod may make room, a node may come.
        let why = one_line(text(unscheduled, "/message"));
        return Trouble::passing(format!("no node can take it: {why}"));
    }
    if let Some(trouble) = of_containers(pod, events) {
        return trouble;
    }
    if text(pod, "/spec/nodeName").is_empty() {
        return Trouble::passing("waits for a node");
    }
    if let Some(event) = events.iter().rev().find(|event| keeps_from_starting(text(event, "/reason"))) {
        return Trouble::passing(reason_and_message(text(event, "/reason"), text(event, "/message")));
    }
    if let Some(unready) = condition(pod, "Ready", "False")
        && text(unready, "/reason") == "ReadinessGatesNotReady"
    {
        return Trouble::passing(one_line(text(unready, "/message")));
    }
    Trouble::passing("is starting")
}

/// Of the containers that are not ready, what is wrong with the one that explains most; the first of those.
fn of_containers(pod: &Value, events: &[Value]) -> Option<Trouble> {
    let is_done = |status: &Value| status["ready"] == true || status["state"]["terminated"]["reason"] == "Completed";
    let troubles = statuses(pod).filter(|(_, status)| !is_done(status)).filter_map(|(kind, status)| {
        let Trouble { text: why, needs_help } =
            container::trouble(pod, status, events).or_else(|| at_work(kind, status))?;
        let trouble = Trouble { text: format!("{kind} {}: {why}", text(status, "/name")), needs_help };
        Some((!needs_help, !is_stuck(text(status, "/state/waiting/reason")), trouble))
    });
    troubles.min_by_key(|(helps_itself, moves, _)| (*helps_itself, *moves)).map(|(.., trouble)| trouble)
}

/// That a container runs and nothing is known to be wrong with it.
fn at_work(kind: &str, status: &Value) -> Option<Trouble> {
    let text = if kind == INIT { "is still at work" } else { "runs, but is not ready yet" };
    status.pointer("/state/running").map(|_| Trouble::passing(text))
}

/// Events that say why no container of a pod is there yet.
fn keeps_from_starting(reason: &str) -> bool {
    matches!(
        reason,
        "FailedMount"
            | "FailedAttachVolume"
            | "FailedMapVolume"
            | "FailedCreatePodSandBox"
            | "FailedCreatePodContainer"
            | "FailedValidation"
            | "NetworkNotReady"
    )
}

/// The states of a pod's containers in the order in which they run, each with what it is.
pub(super) fn statuses(pod: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    let of = |pointer, kind| items(pod, pointer).map(move |status| (kind, status));
    of("/status/initContainerStatuses", INIT).chain(of("/status/containerStatuses", "container"))
}

/// How a pod ended: the first container that did not end well, or what the pod itself says, as when it was evicted.
pub(super) fn ending(pod: &Value) -> Option<String> {
    let bad = statuses(pod).find_map(|(kind, status)| {
        let ended = [status.pointer("/state/terminated"), status.pointer("/lastState/terminated")];
        let ended = ended.into_iter().flatten().find(|ended| ended["exitCode"] != 0)?;
        Some(format!("{kind} {}: {}", text(status, "/name"), container::ending(ended)))
    });
    let said = || reason_and_message(text(pod, "/status/reason"), text(pod, "/status/message"));
    let why = bad.unwrap_or_else(said);
    (!why.is_empty()).then(|| format!("pod {}: {why}", name(pod)))
}
