//! Deployments: ready when every replica is of the newest form and available, and no other one is left.

use laconic_engine::address::ObjectKey;
use laconic_engine::apply::Readiness;
use serde_json::Value;

use super::container::Trouble;
use super::document::{condition, count, is_terminating, items, name, one_line, text};
use super::look::{self, Seen, not_visible};
use super::pod;
use crate::kubernetes::server::Server;

/// The annotation that counts the forms a Deployment has had, on it and on its ReplicaSets.
const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";

/// What is around a Deployment that is not ready.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The pods its selector selects.
    pub(super) pods: Seen<Vec<Value>>,
    /// Its ReplicaSets; looked at only when pods of an older one are left.
    pub(super) replica_sets: Seen<Vec<Value>>,
    /// The events about the pod that explains most.
    pub(super) events: Seen<Vec<Value>>,
}

/// Whether a Deployment works.
pub(super) async fn readiness(server: &Server, key: &ObjectKey, deployment: &Value) -> Readiness {
    if is_complete(deployment) {
        return Readiness::Ready;
    }
    judge(deployment, &look(server, key, deployment).await)
}

async fn look(server: &Server, key: &ObjectKey, deployment: &Value) -> Surroundings {
    let mut around = Surroundings { pods: Ok(Vec::new()), replica_sets: Ok(Vec::new()), events: Ok(Vec::new()) };
    // The status is of a form that is no more, and so may the pods be.
    let Some(selector) = look::selector(deployment).filter(|_| is_observed(deployment)) else { return around };
    around.pods = look::pods(server, &key.namespace, &selector).await;
    if old_replicas(deployment) > 0 {
        let collection = format!("/apis/apps/v1/namespaces/{}/replicasets", key.namespace);
        around.replica_sets = look::many(server, &collection, &[("labelSelector", &selector)]).await;
    }
    if let Ok(Some(pod)) = explaining(deployment, &around) {
        around.events = look::events(server, pod).await;
    }
    around
}

/// Whether a Deployment is ready, or is not and why.
pub(super) fn judge(deployment: &Value, around: &Surroundings) -> Readiness {
    if is_complete(deployment) {
        return Readiness::Ready;
    }
    if !is_observed(deployment) {
        return Readiness::Progressing("its controller has not seen its last change yet".to_owned());
    }
    let replicas = replicas(deployment);
    if replicas == 0 {
        return scaled_away(around);
    }
    // Those available are of any form; the old ones are, or they would be gone by now.
    let ready = count(deployment, "/status/availableReplicas").saturating_sub(old_replicas(deployment)).min(replicas);
    let mut state = format!("{ready} of {replicas} replicas ready");
    if deployment["spec"]["paused"] == true {
        // A change of the template stays where it is until somebody resumes the Deployment; a scaling goes on.
        state = format!("it is paused, {state}");
    }
    match old_replicas(deployment) {
        0 => {}
        1 => state.push_str(", 1 old one still runs"),
        old => state.push_str(&format!(", {old} old ones still run")),
    }
    let trouble = refusal(deployment).map_or_else(|| trouble(deployment, around), Ok);
    let (why, needs_help) = match trouble {
        Ok(trouble) => (trouble.text, trouble.needs_help),
        Err(hidden) => (not_visible(&hidden), false),
    };
    let state = if why.is_empty() { state } else { format!("{state}: {why}") };
    match condition(deployment, "Progressing", "False") {
        Some(stalled) if text(stalled, "/reason") == "ProgressDeadlineExceeded" => {
            let limit = count(deployment, "/spec/progressDeadlineSeconds");
            Readiness::Failed(format!("no progress within {limit} s, {state}"))
        }
        _ if needs_help => Readiness::Failed(state),
        _ => Readiness::Progressing(state),
    }
}

fn replicas(deployment: &Value) -> u64 {
    deployment.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1)
}

/// Replicas of earlier forms. Those that are being stopped no longer count: the new ones serve.
fn old_replicas(deployment: &Value) -> u64 {
    count(deployment, "/status/replicas").saturating_sub(count(deployment, "/status/updatedReplicas"))
}

/// Whether the status is about the specification as it is now.
fn is_observed(deployment: &Value) -> bool {
    let observed = deployment.pointer("/status/observedGeneration").and_then(Value::as_u64);
    observed.is_some_and(|observed| observed >= count(deployment, "/metadata/generation"))
}

fn is_complete(deployment: &Value) -> bool {
    let status = |member: &str| count(&deployment["status"], member);
    let replicas = replicas(deployment);
    // Scaled to nothing means that nothing runs any more: whoever does that is about to touch what the pods use. Servers
    // before 1.35 do not say how many are still being stopped; then the pods have to be looked at.
    let has_stopped = replicas > 0 || deployment["status"]["terminatingReplicas"] == 0;
    is_observed(deployment)
        && status("/updatedReplicas") == replicas
        && status("/replicas") == replicas
        && status("/availableReplicas") == replicas
        && status("/unavailableReplicas") == 0
        && has_stopped
}

fn scaled_away(around: &Surroundings) -> Readiness {
    match &around.pods {
        Ok(pods) => match pods.iter().filter(|pod| !pod::has_ended(pod)).collect::<Vec<_>>().as_slice() {
            [] => Readiness::Ready,
            [pod] => Readiness::Progressing(format!("pod {} is still being stopped", name(pod))),
            pods => Readiness::Progressing(format!("{} pods are still being stopped", pods.len())),
        },
        Err(hidden) => Readiness::Progressing(format!("its pods may still be being stopped, {}", not_visible(hidden))),
    }
}

/// Why pods cannot be made. The controller tries again and again: a quota may get room when other pods end, a service
/// account may come. What an admission plugin objects to does not change by itself.
fn refusal(deployment: &Value) -> Option<Trouble> {
    let refused = condition(deployment, "ReplicaFailure", "True").or_else(|| {
        let stalled = condition(deployment, "Progressing", "False")?;
        (text(stalled, "/reason") == "ReplicaSetCreateError").then_some(stalled)
    })?;
    let said = text(refused, "/message");
    let needs_help =
        ["violates PodSecurity", "denied the request", "is invalid:"].iter().any(|word| said.contains(word));
    let why = said.split_once(" is forbidden: ").map_or(said, |(_, why)| why);
    Some(Trouble { text: format!("no pod can be made: {}", one_line(why)), needs_help })
}

/// What keeps the pods of the newest form from being ready, or why that cannot be seen.
fn trouble(deployment: &Value, around: &Surroundings) -> Seen<Trouble> {
    if let Some(pod) = explaining(deployment, around)? {
        return Ok(pod::trouble(pod, &around.events));
    }
    let pods = around.pods.as_ref().map_err(Clone::clone)?;
    let min_ready = count(deployment, "/spec/minReadySeconds");
    Ok(Trouble::passing(match pods.iter().find(|pod| is_terminating(pod)) {
        _ if pods.iter().any(pod::is_live) && min_ready > 0 => format!("not for {min_ready} s yet"),
        _ if pods.iter().any(pod::is_live) => String::new(),
        Some(old) => format!("pod {} is still being stopped", name(old)),
        None => pods.iter().find_map(pod::ending).unwrap_or_else(|| "no pod exists yet".to_owned()),
    }))
}

/// The pod that explains most, of those of the newest form: what is wrong with older ones is about to be history.
fn explaining<'a>(deployment: &Value, around: &'a Surroundings) -> Seen<Option<&'a Value>> {
    let pods = around.pods.as_ref().map_err(Clone::clone)?;
    if old_replicas(deployment) == 0 {
        return Ok(pod::most_troubled(pods.iter()));
    }
    let replica_sets = around.replica_sets.as_ref().map_err(Clone::clone)?;
    let Some(newest) = newest(deployment, replica_sets) else { return Ok(None) };
    Ok(pod::most_troubled(pods.iter().filter(|pod| is_of(pod, newest))))
}

/// The ReplicaSet that makes the pods of a Deployment's present form.
fn newest<'a>(deployment: &Value, replica_sets: &'a [Value]) -> Option<&'a Value> {
    let revision = text(deployment, REVISION);
    replica_sets.iter().find(|one| is_of(one, deployment) && text(one, REVISION) == revision)
}

fn is_of(object: &Value, owner: &Value) -> bool {
    let uid = text(owner, "/metadata/uid");
    items(object, "/metadata/ownerReferences")
        .any(|reference| reference["uid"] == uid && reference["controller"] == true)
}
