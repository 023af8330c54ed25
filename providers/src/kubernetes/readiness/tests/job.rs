//! Jobs. The statuses are those of a real controller-manager 1.36.

use laconic_engine::apply::Readiness;
use serde_json::{Value, json};

use super::{ended, pod, waiting};
use crate::kubernetes::readiness::job::{Surroundings, judge};
use Readiness::{Failed, Progressing, Ready};

fn job(status: Value) -> Value {
    json!({"metadata": {"name": "once"}, "spec": {"completions": 1, "backoffLimit": 6}, "status": status})
}

fn around(pods: Vec<Value>) -> Surroundings {
    Surroundings { pods: Ok(pods), events: Ok(Vec::new()) }
}

fn condition(condition_type: &str, reason: &str, message: &str) -> Value {
    json!({"conditions": [{"type": condition_type, "status": "True", "reason": reason, "message": message}]})
}

#[test]
fn done_is_ready() {
    for condition_type in ["Complete", "SuccessCriteriaMet"] {
        let status = condition(condition_type, "CompletionsReached", "Reached expected number of succeeded pods");
        assert_eq!(judge(&job(status), &around(Vec::new())), Ready);
    }
}

#[test]
fn failed_says_how_the_last_pod_ended() {
    let mut failed = pod(ended(3, "Error", "no database\n at all"), 0, json!({}));
    failed["status"]["phase"] = "Failed".into();
    let mut first = failed.clone();
    first["metadata"]["creationTimestamp"] = "2026-11-22T05:00:00Z".into();
    first["metadata"]["name"] = "first".into();
    let said = "BackoffLimitExceeded: Job has reached the specified backoff limit";
    for condition_type in ["Failed", "FailureTarget"] {
        let status = condition(condition_type, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        assert_eq!(
            judge(&job(status.clone()), &around(vec![failed.clone(), first.clone()])),
            Failed(format!("{said}: pod web-1: container web: exit code 3: no database at all"))
        );
        assert_eq!(judge(&job(status.clone()), &around(Vec::new())), Failed(said.to_owned()));
        let blind = Surroundings { pods: Err("pods is forbidden".to_owned()), events: Ok(Vec::new()) };
        assert_eq!(judge(&job(status), &blind), Failed(format!("{said}: reasons not visible: pods is forbidden")));
    }
}

#[test]
fn under_way_says_what_it_is_at() {
    let mut suspended = job(condition("Suspended", "JobSuspended", "Job suspended"));
    suspended["spec"]["suspend"] = true.into();
    let text = "it is suspended: nothing runs until somebody resumes it";
    assert_eq!(judge(&suspended, &around(Vec::new())), Progressing(text.to_owned()));

    let active = || job(json!({"active": 1, "ready": 0, "startTime": "2026-11-22T05:51:48Z", "terminating": 0}));
    let mut running = pod(json!({"running": {}}), 0, json!({}));
    running["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    for (job, pods, text) in [
        (job(json!({})), vec![], "0 of 1 completions: no pod exists yet"),
        (active(), vec![running], "0 of 1 completions: 1 pod running"),
        (
            active(),
            vec![pod(waiting("ContainerCreating", ""), 0, json!({}))],
            "0 of 1 completions: pod web-1: is starting",
        ),
        // How often it may fail is the Job's own to say.
        (
            active(),
            vec![pod(waiting("CrashLoopBackOff", ""), 5, ended(1, "Error", ""))],
            "0 of 1 completions: pod web-1: container web: keeps ending: exit code 1, 5 restarts",
        ),
    ] {
        assert_eq!(judge(&job, &around(pods)), Progressing(text.to_owned()));
    }
    let mut failed = pod(ended(3, "Error", ""), 0, json!({}));
    failed["status"]["phase"] = "Failed".into();
    let between = judge(&job(json!({"failed": 2})), &around(vec![failed]));
    let text = "0 of 1 completions, 2 pods failed: the next one will be made in a while, pod web-1: container web: exit code 3";
    assert_eq!(between, Progressing(text.to_owned()));
}

#[test]
fn an_image_without_a_name_fails_at_once() {
    let misnamed = pod(waiting("InvalidImageName", "couldn't parse image name"), 0, json!({}));
    let text = "0 of 1 completions: pod web-1: container web: \"shop/web:1\" is not the name of an image";
    assert_eq!(judge(&job(json!({"active": 1})), &around(vec![misnamed])), Failed(text.to_owned()));
}
