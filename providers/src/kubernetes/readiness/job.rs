//! Jobs: ready when they have done what they are for.

use laconic_engine::address::ObjectKey;
use laconic_engine::apply::Readiness;
use serde_json::Value;

use super::container::{Trouble, times};
use super::document::{condition, count, reason_and_message, text};
use super::look::{self, Seen, not_visible};
use super::pod;
use crate::kubernetes::server::Server;

/// What is around a Job that is not done.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// Its pods.
    pub(super) pods: Seen<Vec<Value>>,
    /// The events about the pod that explains most.
    pub(super) events: Seen<Vec<Value>>,
}

/// Whether a Job has done what it is for.
pub(super) async fn readiness(server: &Server, key: &ObjectKey, job: &Value) -> Readiness {
    if is_done(job) {
        return Readiness::Ready;
    }
    judge(job, &look(server, key, job).await)
}

async fn look(server: &Server, key: &ObjectKey, job: &Value) -> Surroundings {
    let mut around = Surroundings { pods: Ok(Vec::new()), events: Ok(Vec::new()) };
    let Some(selector) = look::selector(job) else { return around };
    around.pods = look::pods(server, &key.namespace, &selector).await;
    // Why a pod ended is in the pod.
    if failure(job).is_none()
        && let Ok(pods) = &around.pods
        && let Some(pod) = pod::most_troubled(pods.iter())
    {
        around.events = look::events(server, pod).await;
    }
    around
}

/// Whether a Job is done, or is not and why.
pub(super) fn judge(job: &Value, around: &Surroundings) -> Readiness {
    if is_done(job) {
        return Readiness::Ready;
    }
    if let Some(failed) = failure(job) {
        let said = reason_and_message(text(failed, "/reason"), text(failed, "/message"));
        return Readiness::Failed(join(said, last_ending(around)));
    }
    if job["spec"]["suspend"] == true {
        return Readiness::Progressing("it is suspended: nothing runs until somebody resumes it".to_owned());
    }
    let wanted = job.pointer("/spec/completions").and_then(Value::as_u64).unwrap_or(1);
    let mut state = format!("{} of {wanted} completions", count(job, "/status/succeeded"));
    match count(job, "/status/failed") {
        0 => {}
        // How many may fail is the Job's own to say, with `backoffLimit`: it is not given up before it gives up.
        failed => state.push_str(&format!(", {} failed", times(failed, "pod"))),
    }
    match trouble(job, around) {
        Ok(trouble) if trouble.needs_help => Readiness::Failed(join(state, Some(trouble.text))),
        Ok(trouble) => Readiness::Progressing(join(state, Some(trouble.text))),
        Err(hidden) => Readiness::Progressing(join(state, Some(not_visible(&hidden)))),
    }
}

fn join(state: String, why: Option<String>) -> String {
    match why {
        Some(why) if !why.is_empty() => format!("{state}: {why}"),
        _ => state,
    }
}

/// Whether it has succeeded, also when the last of its pods have yet to end.
fn is_done(job: &Value) -> bool {
    ["Complete", "SuccessCriteriaMet"].iter().any(|one| condition(job, one, "True").is_some())
}

/// Why it has failed, also when the last of its pods have yet to end.
fn failure(job: &Value) -> Option<&Value> {
    ["Failed", "FailureTarget"].iter().find_map(|one| condition(job, one, "True"))
}

/// How the last of its pods ended that did not end well. None may be left: a Job deletes those that it no longer wants.
fn last_ending(around: &Surroundings) -> Option<String> {
    let pods = match &around.pods {
        Ok(pods) => pods,
        Err(hidden) => return Some(not_visible(hidden)),
    };
    let mut pods: Vec<&Value> = pods.iter().filter(|pod| text(pod, "/status/phase") != "Succeeded").collect();
    pods.sort_by_key(|pod| text(pod, "/metadata/creationTimestamp"));
    pods.into_iter().rev().find_map(pod::ending)
}

fn trouble(job: &Value, around: &Surroundings) -> Seen<Trouble> {
    let pods = around.pods.as_ref().map_err(Clone::clone)?;
    let Some(pod) = pod::most_troubled(pods.iter()) else {
        let text = match (count(job, "/status/active"), last_ending(around)) {
            (0, Some(ending)) => format!("the next one will be made in a while, {ending}"),
            (0, None) => "no pod exists yet".to_owned(),
            (running, _) => format!("{} running", times(running, "pod")),
        };
        return Ok(Trouble::passing(text));
    };
    let trouble = pod::trouble(pod, &around.events);
    // A container that fails over and over counts against the same limit of the Job's.
    let keeps_ending = pod::statuses(pod).any(|(_, one)| text(one, "/state/waiting/reason") == "CrashLoopBackOff");
    Ok(Trouble { needs_help: trouble.needs_help && !keeps_ending, ..trouble })
}
