//! Pods as people look at them: what runs of a deployment, how it is, and what it says.

use serde_json::Value;

use crate::kubernetes::text;

/// Whose pods are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodsOf {
    /// Their namespace.
    pub namespace: String,
    /// The values of their label `app`.
    pub apps: Vec<String>,
}

/// One pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// How it is, in kubectl's words: `Running`, `Pending`, `CrashLoopBackOff`, `Completed`, …
    pub status: String,
    /// The node it runs on; empty where none was found for it yet.
    pub node: String,
    /// When it started, RFC 3339; empty when it did not.
    pub started: String,
    /// Its containers, init containers first.
    pub containers: Vec<PodContainer>,
}

/// One container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodContainer {
    /// Its name.
    pub name: String,
    /// Its id for the runtime of its node; empty before it was made.
    pub id: String,
    /// Its image.
    pub image: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether it only prepares for the others.
    pub is_init: bool,
    /// How often it was started again.
    pub restarts: u64,
    /// What it waits for or ended with; empty while it runs.
    pub reason: String,
}

/// What is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// How many lines from the end; all without it.
    pub tail: Option<u64>,
    /// Whether to go on as long as it runs.
    pub follow: bool,
}

impl Pod {
    /// A pod as an API server describes it.
    #[must_use]
    pub fn read(pod: &Value) -> Self {
        let mut containers = containers(pod, "initContainers", "initContainerStatuses", true);
        containers.extend(containers_of(pod));
        Self {
            name: text(pod, "/metadata/name").to_owned(),
            status: status(pod, &containers),
            node: text(pod, "/spec/nodeName").to_owned(),
            started: text(pod, "/status/startTime").to_owned(),
            containers,
        }
    }

    /// How many of its containers are ready, and of how many.
    #[must_use]
    pub fn ready(&self) -> (usize, usize) {
        let own = self.containers.iter().filter(|container| !container.is_init);
        (own.clone().filter(|container| container.ready).count(), own.count())
    }

    /// How often its containers were started again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.containers.iter().map(|container| container.restarts).sum()
    }
}

fn containers_of(pod: &Value) -> Vec<PodContainer> {
    containers(pod, "containers", "containerStatuses", false)
}

fn containers(pod: &Value, specs: &str, statuses: &str, is_init: bool) -> Vec<PodContainer> {
    let statuses = pod["status"][statuses].as_array().cloned().unwrap_or_default();
    let specs = pod["spec"][specs].as_array().into_iter().flatten();
    specs
        .map(|spec| {
            let name = text(spec, "/name");
            let status = statuses.iter().find(|status| text(status, "/name") == name).cloned().unwrap_or_default();
            PodContainer {
                name: name.to_owned(),
                id: text(&status, "/containerID").rsplit('/').next().unwrap_or_default().to_owned(),
                image: text(spec, "/image").to_owned(),
                ready: status["ready"].as_bool().unwrap_or(false),
                is_init,
                restarts: status["restartCount"].as_u64().unwrap_or_default(),
                reason: reason(&status["state"]),
            }
        })
        .collect()
}

fn reason(state: &Value) -> String {
    let waiting = text(state, "/waiting/reason");
    let ended = text(state, "/terminated/reason");
    match (waiting, ended, state.pointer("/terminated/exitCode").and_then(Value::as_i64)) {
        ("", "", Some(code)) => format!("ExitCode:{code}"),
        ("", ended, _) => ended.to_owned(),
        (waiting, ..) => waiting.to_owned(),
    }
}

/// One word for a pod: what keeps one of its containers from running says more than the phase.
fn status(pod: &Value, containers: &[PodContainer]) -> String {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return "Terminating".to_owned();
    }
    let phase = text(pod, "/status/phase");
    let said = text(pod, "/status/reason");
    let ended = |container: &&PodContainer| !(container.is_init && container.reason == "Completed");
    let kept = containers.iter().filter(ended).find(|container| !container.ready && !container.reason.is_empty());
    match (said, kept, phase) {
        ("", Some(container), _) if container.is_init && container.reason != "Completed" => {
            format!("Init:{}", container.reason)
        }
        ("", Some(container), _) => container.reason.clone(),
        ("", None, "") => "Unknown".to_owned(),
        ("", None, phase) => phase.to_owned(),
        (said, ..) => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: Value) -> Pod {
        Pod::read(&json!({
            "metadata": {"name": "web-1"},
            "spec": {"initContainers": [{"name": "wait", "image": "i"}], "containers": [{"name": "web", "image": "w:1"}]},
            "status": status,
        }))
    }

    #[test]
    fn a_pod_is_told_in_one_word() {
        let waited =
            json!({"name": "wait", "ready": true, "state": {"terminated": {"reason": "Completed", "exitCode": 0}}});
        let running = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "initContainerStatuses": [waited],
            "containerStatuses": [{"name": "web", "ready": true, "restartCount": 2, "state": {"running": {}}}]});
        let found = pod(running);
        assert_eq!((found.status.as_str(), found.ready(), found.restarts()), ("Running", (1, 1), 2));
        let crashing = json!({"phase": "Running",
            "containerStatuses": [{"name": "web", "ready": false, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
        assert_eq!(pod(crashing).status, "CrashLoopBackOff");
        let init = json!({"phase": "Pending",
            "initContainerStatuses": [{"name": "wait", "ready": false, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]});
        assert_eq!(pod(init).status, "Init:ImagePullBackOff");
        let killed = json!({"phase": "Failed",
            "containerStatuses": [{"name": "web", "ready": false, "state": {"terminated": {"exitCode": 137}}}]});
        assert_eq!(pod(killed).status, "ExitCode:137");
        assert_eq!(pod(json!({"phase": "Failed", "reason": "Evicted"})).status, "Evicted");
        assert_eq!(pod(json!({})).status, "Unknown");
    }
}
