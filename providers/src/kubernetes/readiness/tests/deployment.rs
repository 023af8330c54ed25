//! Deployments. The statuses are those of a real controller-manager 1.36.

use laconic_engine::apply::Readiness;
use serde_json::{Value, json};

use super::{ended, event, pod, waiting};
use crate::kubernetes::readiness::deployment::{Surroundings, judge};
use Readiness::{Failed, Progressing, Ready};

fn web(replicas: u64, status: Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "web", "generation": 2,
                     "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": replicas, "progressDeadlineSeconds": 600, "selector": {"matchLabels": {"app": "web"}}},
        "status": status,
    })
}

fn around(pods: Vec<Value>, events: Vec<Value>) -> Surroundings {
    let set = |name: &str, revision: &str| {
        json!({"metadata": {"name": name, "uid": name, "annotations": {"deployment.kubernetes.io/revision": revision},
                            "ownerReferences": [{"kind": "Deployment", "uid": "web", "controller": true}]}})
    };
    Surroundings { pods: Ok(pods), replica_sets: Ok(vec![set("set-1", "1"), set("set-2", "2")]), events: Ok(events) }
}

fn available() -> Value {
    json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
           "terminatingReplicas": 0})
}

fn with(mut status: Value, member: &str, value: impl Into<Value>) -> Value {
    status[member] = value.into();
    status
}

#[test]
fn ready_is_the_newest_form_and_nothing_else() {
    let none = || around(Vec::new(), Vec::new());
    assert_eq!(judge(&web(2, available()), &none()), Ready);
    assert_eq!(
        judge(&web(2, with(available(), "terminatingReplicas", 1)), &none()),
        Ready,
        "the old ones may take time"
    );
    for (status, text) in [
        (json!({}), "its controller has not seen its last change yet"),
        (with(available(), "observedGeneration", 1), "its controller has not seen its last change yet"),
        (with(available(), "updatedReplicas", 1), "1 of 2 replicas ready, 1 old one still runs: no pod exists yet"),
        (with(available(), "availableReplicas", 1), "1 of 2 replicas ready: no pod exists yet"),
        (with(available(), "updatedReplicas", 0), "0 of 2 replicas ready, 2 old ones still run: no pod exists yet"),
    ] {
        assert_eq!(judge(&web(2, status), &none()), Progressing(text.to_owned()));
    }
}

#[test]
fn old_pods_are_not_the_reason() {
    // As a real server says in the midst of a rollout: what is available is all old.
    let status = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2,
                        "availableReplicas": 2, "unavailableReplicas": 1, "terminatingReplicas": 0});
    let mut old = pod(waiting("CrashLoopBackOff", ""), 40, ended(1, "Error", ""));
    old["metadata"]["ownerReferences"][0]["uid"] = "set-1".into();
    old["metadata"]["name"] = "old".into();
    let new = pod(waiting("ContainerCreating", ""), 0, json!({}));
    let seen = around(vec![old.clone(), new], Vec::new());
    let text = "0 of 2 replicas ready, 2 old ones still run: pod web-1: is starting";
    assert_eq!(judge(&web(2, status.clone()), &seen), Progressing(text.to_owned()));
    // Which of them is new cannot be seen: nobody is blamed.
    let blind =
        Surroundings { replica_sets: Err("replicasets is forbidden".to_owned()), ..around(vec![old], Vec::new()) };
    let text = "0 of 2 replicas ready, 2 old ones still run: reasons not visible: replicasets is forbidden";
    assert_eq!(judge(&web(2, status), &blind), Progressing(text.to_owned()));
}

#[test]
fn pods_that_are_of_no_use_are_named() {
    let status = || json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1});
    let state = "0 of 1 replicas ready";
    let mut evicted = pod(json!({}), 0, json!({}));
    evicted["status"] = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."});
    let mut leaving = pod(json!({"running": {}}), 0, json!({}));
    leaving["metadata"]["deletionTimestamp"] = "2026-11-22T05:51:48Z".into();
    let mut young = pod(json!({"running": {}}), 0, json!({}));
    young["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    for (pod, why) in [
        (evicted, ": pod web-1: Evicted: The node was low on memory."),
        (leaving, ": pod web-1 is still being stopped"),
        (young.clone(), ""),
    ] {
        assert_eq!(judge(&web(1, status()), &around(vec![pod], Vec::new())), Progressing(format!("{state}{why}")));
    }
    let mut slow = web(1, status());
    slow["spec"]["minReadySeconds"] = 10.into();
    assert_eq!(judge(&slow, &around(vec![young], Vec::new())), Progressing(format!("{state}: not for 10 s yet")));
}

#[test]
fn what_does_not_pass_fails() {
    let status = || json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1});
    let back_off = || pod(waiting("ImagePullBackOff", "Back-off pulling image \"shop/web:1\""), 0, json!({}));
    let tried = |count| vec![event("Failed", "Failed to pull image \"shop/web:1\": shop/web:1: not found", count)];
    let text = |tries: &str| {
        format!(
            "0 of 1 replicas ready: pod web-1: container web: image \"shop/web:1\" cannot be pulled{tries}: shop/web:1: not found"
        )
    };
    assert_eq!(judge(&web(1, status()), &around(vec![back_off()], tried(1))), Progressing(text("")));
    assert_eq!(judge(&web(1, status()), &around(vec![back_off()], tried(3))), Failed(text(" (3 tries)")));
    let stalled = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                          "message": "ReplicaSet \"web-6cd67ffb8f\" has timed out progressing."}]);
    assert_eq!(
        judge(&web(1, with(status(), "conditions", stalled)), &around(Vec::new(), Vec::new())),
        Failed("no progress within 600 s, 0 of 1 replicas ready: no pod exists yet".to_owned())
    );
}

#[test]
fn a_pod_that_cannot_be_made_says_why() {
    let refused = |message: &str| {
        json!({"observedGeneration": 2, "unavailableReplicas": 1, "terminatingReplicas": 0, "conditions": [
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetCreated"},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]})
    };
    let judged = |message: &str| judge(&web(1, refused(message)), &around(Vec::new(), Vec::new()));
    assert_eq!(
        judged("pods \"web-6d8bc856cb-rlxqw\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0"),
        Progressing(
            "0 of 1 replicas ready: no pod can be made: exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0"
                .to_owned()
        )
    );
    assert_eq!(
        judged("pods \"sa-84f98cbd9b-\" is forbidden: error looking up service account shop/nope: serviceaccount \"nope\" not found"),
        Progressing(
            "0 of 1 replicas ready: no pod can be made: error looking up service account shop/nope: serviceaccount \"nope\" not found"
                .to_owned()
        )
    );
    let strict =
        judged("pods \"web-1\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true");
    assert!(
        matches!(strict, Failed(why) if why.ends_with("violates PodSecurity \"restricted:latest\": runAsNonRoot != true"))
    );
}

#[test]
fn scaled_to_nothing_means_that_nothing_runs() {
    let status = || json!({"observedGeneration": 2, "terminatingReplicas": 0});
    let running = || around(vec![pod(json!({"running": {}}), 0, json!({}))], Vec::new());
    assert_eq!(judge(&web(0, status()), &running()), Ready);
    let stopped = Progressing("pod web-1 is still being stopped".to_owned());
    assert_eq!(judge(&web(0, with(status(), "terminatingReplicas", 1)), &running()), stopped);
    // Servers before 1.35 do not say.
    let old = || json!({"observedGeneration": 2});
    assert_eq!(judge(&web(0, old()), &running()), stopped);
    assert_eq!(judge(&web(0, old()), &around(Vec::new(), Vec::new())), Ready);
}

#[test]
fn a_paused_one_and_a_hidden_one_say_so() {
    let status = json!({"observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "availableReplicas": 2});
    let mut paused = web(2, status.clone());
    paused["spec"]["paused"] = true.into();
    let text = "it is paused, 0 of 2 replicas ready, 2 old ones still run: no pod exists yet";
    assert_eq!(judge(&paused, &around(Vec::new(), Vec::new())), Progressing(text.to_owned()));
    let blind = Surroundings { pods: Err("pods is forbidden".to_owned()), ..around(Vec::new(), Vec::new()) };
    let text = "0 of 2 replicas ready, 2 old ones still run: reasons not visible: pods is forbidden";
    assert_eq!(judge(&web(2, status), &blind), Progressing(text.to_owned()));
}
