//! What keeps pods from being ready.

use serde_json::{Value, json};

use super::{ended, event, pod, waiting};
use crate::kubernetes::readiness::pod::{ending, most_troubled, trouble};

const NOT_FOUND: &str = "Failed to pull image \"shop/web:1\": rpc error: code = NotFound desc = failed to pull and unpack \
    image \"docker.io/shop/web:1\": failed to resolve reference \"docker.io/shop/web:1\": docker.io/shop/web:1: not found";
const DENIED: &str = "Failed to pull image \"shop/web:1\": failed to pull and unpack image \"docker.io/shop/web:1\": failed \
    to resolve reference \"docker.io/shop/web:1\": pull access denied, repository does not exist or may require \
    authorization: server message: insufficient_scope: authorization failed";
const REFUSED: &str = "Failed to pull image \"shop/web:1\": failed to pull and unpack image \"10.0.0.1:5000/shop/web:1\": \
    failed to resolve reference \"10.0.0.1:5000/shop/web:1\": failed to do request: Head \
    \"https://10.0.0.1:5000/v2/shop/web/manifests/1\": dial tcp 10.0.0.1:5000: connect: connection refused";
const BUSY: &str = "Failed to pull image \"shop/web:1\": failed to copy: httpReadSeeker: unexpected status code 429 Too \
    Many Requests - Server message: toomanyrequests: access denied, You have reached your pull rate limit";

/// Status, events, whether it needs help, what is said after `pod web-1: container web: `.
type Case = (Value, Vec<Value>, bool, &'static str);

fn check(cases: Vec<Case>) {
    for (pod, events, needs_help, text) in cases {
        let found = trouble(&pod, &Ok(events));
        assert_eq!(found.text, format!("pod web-1: container web: {text}"));
        assert_eq!(found.needs_help, needs_help, "{text}");
    }
}

#[test]
fn an_image_that_is_not_there_is_given_up_after_some_tries_and_a_registry_later() {
    let back_off = || pod(waiting("ImagePullBackOff", "Back-off pulling image \"shop/web:1\""), 0, json!({}));
    let tried = |message: &str, count| vec![event("Failed", message, count), event("Failed", "Error: ErrImagePull", 9)];
    let not_found = "image \"shop/web:1\" cannot be pulled (2 tries): docker.io/shop/web:1: not found";
    check(vec![
        (back_off(), tried(NOT_FOUND, 2), false, not_found),
        (
            back_off(),
            tried(NOT_FOUND, 3),
            true,
            "image \"shop/web:1\" cannot be pulled (3 tries): docker.io/shop/web:1: not found",
        ),
        (
            back_off(),
            tried(DENIED, 3),
            true,
            "image \"shop/web:1\" cannot be pulled (3 tries): pull access denied, repository does not exist or may \
             require authorization: server message: insufficient_scope: authorization failed",
        ),
        (
            back_off(),
            tried(REFUSED, 4),
            false,
            "image \"shop/web:1\" cannot be pulled (4 tries): failed to do request: Head \
             \"https://10.0.0.1:5000/v2/shop/web/manifests/1\": dial tcp 10.0.0.1:5000: connect: connection refused",
        ),
        (
            back_off(),
            tried(REFUSED, 5),
            true,
            "image \"shop/web:1\" cannot be pulled (5 tries): failed to do request: Head \
             \"https://10.0.0.1:5000/v2/shop/web/manifests/1\": dial tcp 10.0.0.1:5000: connect: connection refused",
        ),
        (
            back_off(),
            tried(BUSY, 4),
            false,
            "image \"shop/web:1\" cannot be pulled (4 tries): failed to copy: httpReadSeeker: unexpected status code \
             429 Too Many Requests - Server message: toomanyrequests: access denied, You have reached your pull rate \
             limit",
        ),
        // Tries of another container are not this one's.
        (
            back_off(),
            vec![json!({"reason": "Failed", "message": NOT_FOUND, "count": 7,
                        "involvedObject": {"fieldPath": "spec.containers{other}"}})],
            false,
            "image \"shop/web:1\" cannot be pulled",
        ),
        // Newer kubelets repeat the reason in the status.
        (
            pod(
                waiting(
                    "ImagePullBackOff",
                    "Back-off pulling image \"shop/web:1\": ErrImagePull: failed to pull and \
                unpack image \"docker.io/shop/web:1\": docker.io/shop/web:1: not found",
                ),
                0,
                json!({}),
            ),
            vec![],
            false,
            "image \"shop/web:1\" cannot be pulled: docker.io/shop/web:1: not found",
        ),
        (
            pod(waiting("InvalidImageName", "Failed to apply default image tag \"A B\": …"), 0, json!({})),
            vec![],
            true,
            "\"shop/web:1\" is not the name of an image",
        ),
        (
            pod(waiting("ErrImageNeverPull", "Container image \"shop/web:1\" is not present …"), 0, json!({})),
            vec![],
            true,
            "image \"shop/web:1\" is not on the node, and its pull policy is Never",
        ),
    ]);
}

#[test]
fn a_crash_loop_is_given_up_after_some_restarts() {
    let crashed = |restarts, last| pod(waiting("CrashLoopBackOff", "back-off 20s restarting failed …"), restarts, last);
    let start_error = "failed to create containerd task: exec: \"serve\": executable file not found in $PATH";
    check(vec![
        (crashed(1, ended(1, "Error", "")), vec![], false, "keeps ending: exit code 1, 1 restart"),
        (crashed(3, ended(1, "Error", "")), vec![], false, "keeps ending: exit code 1, 3 restarts"),
        (crashed(4, ended(1, "Error", "no\ndb")), vec![], true, "keeps ending: exit code 1: no db, 4 restarts"),
        (crashed(4, ended(0, "Completed", "")), vec![], true, "keeps ending: exit code 0, 4 restarts"),
        (
            crashed(1, ended(137, "OOMKilled", "")),
            vec![],
            false,
            "keeps ending: its memory limit was not enough (OOMKilled, exit code 137), 1 restart",
        ),
        (
            crashed(2, ended(137, "OOMKilled", "")),
            vec![],
            true,
            "keeps ending: its memory limit was not enough (OOMKilled, exit code 137), 2 restarts",
        ),
        (
            crashed(2, ended(128, "StartError", start_error)),
            vec![],
            true,
            "keeps ending: exit code 128 (StartError): failed to create containerd task: exec: \"serve\": executable \
             file not found in $PATH, 2 restarts",
        ),
        (pod(ended(2, "Error", ""), 0, json!({})), vec![], false, "exit code 2"),
        (
            pod(json!({"running": {}}), 2, ended(2, "Error", "")),
            vec![],
            false,
            "runs again after exit code 2, 2 restarts",
        ),
    ]);
}

#[test]
fn what_others_may_make_is_waited_for() {
    let message = "container has runAsNonRoot and image will run as root (pod: \"web-1\", container: web)";
    let unhealthy = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    let running = || pod(json!({"running": {}}), 0, json!({}));
    check(vec![
        (
            pod(waiting("CreateContainerConfigError", "secret \"key\" not found"), 0, json!({})),
            vec![],
            false,
            "secret \"key\" not found",
        ),
        (pod(waiting("CreateContainerConfigError", message), 0, json!({})), vec![], true, message),
        (
            pod(waiting("RunContainerError", "context deadline exceeded"), 0, json!({})),
            vec![],
            false,
            "RunContainerError: context deadline exceeded",
        ),
        (
            running(),
            vec![event("Unhealthy", unhealthy, 20)],
            false,
            "readiness probe failed: HTTP probe failed with statuscode: 503",
        ),
        (running(), vec![], false, "runs, but is not ready yet"),
        (
            pod(waiting("ContainerCreating", ""), 0, json!({})),
            vec![event("Pulling", "Pulling image \"shop/web:1\"", 1)],
            false,
            "pulling image \"shop/web:1\"",
        ),
    ]);
}

#[test]
fn pods_without_containers_say_why() {
    let creating = || pod(waiting("ContainerCreating", ""), 0, json!({}));
    let mut unscheduled = creating();
    unscheduled["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available."}]);
    unscheduled["status"]["containerStatuses"] = json!([]);
    let mut fresh = creating();
    fresh["status"] = json!({"phase": "Pending"});
    fresh["spec"]["nodeName"] = Value::Null;
    let mount = json!({"reason": "FailedMount", "involvedObject": {"name": "web-1"},
        "message": "MountVolume.SetUp failed for volume \"key\" : secret \"key\" not found"});
    let sandbox = json!({"reason": "FailedCreatePodSandBox", "involvedObject": {"name": "web-1"},
        "message": "Failed to create pod sandbox: no runtime for \"kata\" is configured"});
    for (pod, events, text) in [
        (
            unscheduled,
            vec![],
            "no node can take it: 0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available.",
        ),
        (fresh, vec![], "waits for a node"),
        (
            creating(),
            vec![mount],
            "FailedMount: MountVolume.SetUp failed for volume \"key\" : secret \"key\" not found",
        ),
        (
            creating(),
            vec![sandbox],
            "FailedCreatePodSandBox: Failed to create pod sandbox: no runtime for \"kata\" is configured",
        ),
        (creating(), vec![], "is starting"),
    ] {
        let found = trouble(&pod, &Ok(events));
        assert_eq!((found.text, found.needs_help), (format!("pod web-1: {text}"), false));
    }
    let hidden = trouble(&creating(), &Err("events is forbidden".to_owned()));
    assert_eq!(hidden.text, "pod web-1: is starting (reasons not visible: events is forbidden)");
}

#[test]
fn init_containers_come_first() {
    let mut pod = pod(waiting("PodInitializing", ""), 0, json!({}));
    pod["status"]["initContainerStatuses"] = json!([
        {"name": "done", "ready": true, "restartCount": 0, "state": ended(0, "Completed", "")},
        {"name": "setup", "ready": false, "restartCount": 4, "state": waiting("CrashLoopBackOff", "back-off …"),
         "lastState": ended(7, "Error", "")},
    ]);
    let found = trouble(&pod, &Ok(Vec::new()));
    assert_eq!(found.text, "pod web-1: init container setup: keeps ending: exit code 7, 4 restarts");
    assert!(found.needs_help);
}

#[test]
fn the_container_that_explains_most_is_named() {
    let mut pod = pod(json!({"running": {}}), 0, json!({}));
    let said = |pod: &Value| trouble(pod, &Ok(Vec::new())).text;
    let add = |pod: &mut Value, name: &str, state: Value| {
        let status = json!({"name": name, "ready": false, "restartCount": 0, "state": state});
        pod["status"]["containerStatuses"].as_array_mut().unwrap().push(status);
    };
    add(&mut pod, "new", waiting("ContainerCreating", ""));
    assert_eq!(said(&pod), "pod web-1: container web: runs, but is not ready yet");
    add(&mut pod, "config", waiting("CreateContainerConfigError", "secret \"key\" not found"));
    assert_eq!(said(&pod), "pod web-1: container config: secret \"key\" not found");
    add(&mut pod, "misnamed", waiting("InvalidImageName", ""));
    assert_eq!(said(&pod), "pod web-1: container misnamed: \"\" is not the name of an image");
    pod["status"]["containerStatuses"] = json!([]);
    pod["status"]["initContainerStatuses"] = json!([{"name": "setup", "ready": false, "state": {"running": {}}}]);
    assert_eq!(said(&pod), "pod web-1: init container setup: is still at work");
}

#[test]
fn the_pod_that_explains_most_is_chosen() {
    let named = |name: &str, mut pod: Value| {
        pod["metadata"]["name"] = name.into();
        pod
    };
    let mut unscheduled = pod(json!({}), 0, json!({}));
    unscheduled["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "False"}]);
    let mut ready = pod(json!({"running": {}}), 0, json!({}));
    ready["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    let mut leaving = pod(waiting("CrashLoopBackOff", ""), 9, ended(1, "Error", ""));
    leaving["metadata"]["deletionTimestamp"] = "2026-11-22T05:51:48Z".into();
    let mut pods = vec![named("ready", ready), named("leaving", leaving)];
    assert_eq!(most_troubled(pods.iter()), None);
    for (name, pod) in [
        ("starting", pod(waiting("ContainerCreating", ""), 0, json!({}))),
        ("unscheduled", unscheduled),
        ("pulling", pod(waiting("ImagePullBackOff", ""), 0, json!({}))),
        ("crashing", pod(waiting("CrashLoopBackOff", ""), 1, ended(1, "Error", ""))),
    ] {
        pods.push(named(name, pod));
        assert_eq!(most_troubled(pods.iter()).unwrap()["metadata"]["name"], name);
    }
}

#[test]
fn pods_say_how_they_ended() {
    let mut evicted = pod(json!({}), 0, json!({}));
    evicted["status"] =
        json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."});
    assert_eq!(ending(&evicted).unwrap(), "pod web-1: Evicted: The node was low on resource: memory.");
    let failed = pod(ended(3, "Error", "no database\n at all"), 0, json!({}));
    assert_eq!(ending(&failed).unwrap(), "pod web-1: container web: exit code 3: no database at all");
}
