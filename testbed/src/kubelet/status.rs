//! The status that a kubelet reports of a pod.

use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Map, Value, json};

use super::Behaviour;

/// How often a container that fails over and over did so: more than a Job puts up with unless told otherwise.
const RESTARTS: u32 = 10;

/// What holds for all containers of a pod.
struct Containers {
    state: Value,
    last_state: Value,
    ready: bool,
    started: bool,
    restarts: u32,
}

impl Containers {
    fn running(ready: bool, since: &Value) -> Self {
        let state = json!({ "running": { "startedAt": since } });
        Self { state, last_state: json!({}), ready, started: true, restarts: 0 }
    }

    fn waiting(reason: &str, message: &str) -> Self {
        let state = json!({ "waiting": { "reason": reason, "message": message } });
        Self { state, last_state: json!({}), ready: false, started: false, restarts: 0 }
    }

    fn terminated(code: u32, since: &Value) -> Self {
        let state = json!({ "terminated": terminated(code, since) });
        Self { state, last_state: json!({}), ready: false, started: false, restarts: 0 }
    }

    fn of(&self, container: &Container) -> Value {
        let image = container.image.as_deref().unwrap_or_default();
        json!({
            "name": container.name,
            "image": image,
            "imageID": if self.started { image } else { "" },
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        })
    }
}

fn terminated(code: u32, since: &Value) -> Value {
    let reason = if code == 0 { "Completed" } else { "Error" };
    json!({ "exitCode": code, "reason": reason, "startedAt": since, "finishedAt": since })
}

/// The status of a pod that has a node, or nothing if it has that status already.
pub(super) fn of(pod: &Pod, behaviour: &Behaviour, address: &str, now: &str) -> Option<Value> {
    let current = serde_json::to_value(pod.status.as_ref()?).ok()?;
    let spec = pod.spec.as_ref()?;
    let since = current.get("startTime").cloned().unwrap_or_else(|| json!(now));
    let first_image = spec.containers.first().and_then(|container| container.image.as_deref()).unwrap_or_default();
    let (phase, containers) = match behaviour {
        Behaviour::Ready | Behaviour::NeverEnds => ("Running", Containers::running(true, &since)),
        Behaviour::NotReady => ("Running", Containers::running(false, &since)),
        Behaviour::Succeed => ("Succeeded", Containers::terminated(0, &since)),
        Behaviour::Fail => ("Failed", Containers::terminated(1, &since)),
        Behaviour::ImagePullBackOff => {
            let message = format!("Back-off pulling image \"{first_image}\"");
            ("Pending", Containers::waiting("ImagePullBackOff", &message))
        }
        Behaviour::CrashLoopBackOff => {
            let waiting = Containers::waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container");
            let last_state = json!({ "terminated": terminated(1, &since) });
            ("Running", Containers { last_state, restarts: RESTARTS, ..waiting })
        }
        Behaviour::Waiting { reason, message } => ("Pending", Containers::waiting(reason, message)),
        Behaviour::Unschedulable | Behaviour::Unseen => return None,
    };
    let truth = |holds: bool| if holds { "True" } else { "False" };
    let reason = match phase {
        "Succeeded" => Some("PodCompleted"),
        "Failed" => Some("PodFailed"),
        _ if containers.ready => None,
        _ => Some("ContainersNotReady"),
    };
    let names: Vec<&str> = spec.containers.iter().map(|container| container.name.as_str()).collect();
    let message = reason.filter(|reason| *reason == "ContainersNotReady");
    let message = message.map(|_| format!("containers with unready status: [{}]", names.join(" ")));
    let mut conditions = Conditions::of(&current, now);
    conditions.set("PodReadyToStartContainers", truth(phase != "Succeeded" && phase != "Failed"), None, None);
    conditions.set("Initialized", "True", reason.filter(|reason| *reason == "PodCompleted"), None);
    conditions.set("ContainersReady", truth(containers.ready), reason, message.as_deref());
    conditions.set("Ready", truth(containers.ready), reason, message.as_deref());

    let mut desired = json!({
        "phase": phase,
        "conditions": conditions.0,
        "hostIP": "127.0.0.1",
        "podIP": current.get("podIP").cloned().unwrap_or_else(|| json!(address)),
        "startTime": since,
        "containerStatuses": spec.containers.iter().map(|container| containers.of(container)).collect::<Vec<_>>(),
    });
    if let Some(initial) = spec.init_containers.as_ref().filter(|initial| !initial.is_empty()) {
        let completed = Containers { ready: true, ..Containers::terminated(0, &since) };
        desired["initContainerStatuses"] = initial.iter().map(|container| completed.of(container)).collect();
    }
    changed(&current, desired)
}

/// The status of a pod that has no node and gets none, or nothing if it has that status already.
pub(super) fn unschedulable(pod: &Pod, message: &str, now: &str) -> Option<Value> {
    let current = serde_json::to_value(pod.status.as_ref()?).ok()?;
    let mut conditions = Conditions::of(&current, now);
    conditions.set("PodScheduled", "False", Some("Unschedulable"), Some(message));
    changed(&current, json!({ "phase": "Pending", "conditions": conditions.0 }))
}

/// What is desired, unless all of it holds. The types read and written once more, so that both are spelt the same.
fn changed(current: &Value, desired: Value) -> Option<Value> {
    let spelt: k8s_openapi::api::core::v1::PodStatus = serde_json::from_value(desired.clone()).ok()?;
    let Value::Object(spelt) = serde_json::to_value(spelt).ok()? else { return None };
    let holds = |(key, value): (&String, &Value)| current.get(key) == Some(value);
    (!spelt.iter().all(holds)).then_some(desired)
}

struct Conditions(Vec<Value>, String);

impl Conditions {
    fn of(status: &Value, now: &str) -> Self {
        let current = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        Self(current, now.to_owned())
    }

    /// The time of a condition is when its truth last changed.
    fn set(&mut self, kind: &str, status: &str, reason: Option<&str>, message: Option<&str>) {
        let index = self.0.iter().position(|condition| condition["type"] == kind);
        let before = index.map(|index| self.0.remove(index));
        let since =
            before.filter(|before| before["status"] == status).map(|before| before["lastTransitionTime"].clone());
        let mut condition = Map::new();
        condition.insert("type".to_owned(), json!(kind));
        condition.insert("status".to_owned(), json!(status));
        condition.insert("lastTransitionTime".to_owned(), since.unwrap_or_else(|| json!(self.1)));
        for (key, value) in [("reason", reason), ("message", message)] {
            condition.extend(value.map(|value| (key.to_owned(), json!(value))));
        }
        self.0.insert(index.unwrap_or(self.0.len()), Value::Object(condition));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Behaviour;
    use super::{Pod, of, unschedulable};

    const NOW: &str = "2026-01-01T00:00:00Z";
    const LATER: &str = "2026-01-01T00:00:09Z";

    fn pod(status: Value) -> Pod {
        let container = json!({ "name": "a", "image": "example.com/a:1" });
        serde_json::from_value(json!({ "spec": { "containers": [container] }, "status": status })).unwrap()
    }

    fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
        status["conditions"].as_array().unwrap().iter().find(|one| one["type"] == kind).unwrap()
    }

    #[test]
    fn the_same_status_is_reported_once() {
        for behaviour in
            [Behaviour::Ready, Behaviour::CrashLoopBackOff, Behaviour::Succeed, Behaviour::ImagePullBackOff]
        {
            let first = of(&pod(json!({})), &behaviour, "10.0.0.1", NOW).unwrap();
            assert_eq!(of(&pod(first), &behaviour, "10.0.0.2", LATER), None, "{behaviour:?}");
        }
        let first = unschedulable(&pod(json!({})), "full", NOW).unwrap();
        assert_eq!(unschedulable(&pod(first), "full", LATER), None);
    }

    #[test]
    fn a_condition_tells_when_its_truth_changed() {
        let ready = of(&pod(json!({})), &Behaviour::Ready, "10.0.0.1", NOW).unwrap();
        let not_ready = of(&pod(ready), &Behaviour::NotReady, "10.0.0.1", LATER).unwrap();
        assert_eq!(condition(&not_ready, "Ready")["lastTransitionTime"], LATER);
        assert_eq!(condition(&not_ready, "Ready")["message"], "containers with unready status: [a]");
        assert_eq!(condition(&not_ready, "Initialized")["lastTransitionTime"], NOW);
        assert_eq!(not_ready["startTime"], NOW);
    }
}
