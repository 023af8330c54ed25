//! Judgements on documents as API servers give them.

mod deployment;
mod job;
mod objects;
mod pod;

use serde_json::{Value, json};

/// A pod of a workload that has a node, with one container `web`.
fn pod(state: Value, restarts: u64, last_state: Value) -> Value {
    json!({
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "pod-1", "creationTimestamp": "2026-11-22T05:51:48Z",
                     "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "set-2", "controller": true}]},
        "spec": {"nodeName": "node", "containers": [{"name": "web", "image": "shop/web:1"}]},
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
                {"type": "PodScheduled", "status": "True"},
            ],
            "containerStatuses": [{"name": "web", "image": "shop/web:1", "imageID": "", "ready": false,
                                   "restartCount": restarts, "state": state, "lastState": last_state}],
        },
    })
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn ended(code: i64, reason: &str, message: &str) -> Value {
    let mut ended = json!({"exitCode": code, "reason": reason, "finishedAt": "2026-11-22T05:51:48Z"});
    if !message.is_empty() {
        ended["message"] = message.into();
    }
    json!({"terminated": ended})
}

/// An event about the container `web`.
fn event(reason: &str, message: &str, count: u64) -> Value {
    json!({"type": "Warning", "reason": reason, "message": message, "count": count,
           "involvedObject": {"kind": "Pod", "name": "web-1", "fieldPath": "spec.containers{web}"}})
}
