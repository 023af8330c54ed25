//! Deleting: only the object that is expected, and until it is gone.

use std::time::Duration;

use laconic_engine::address::ResourceType;
use laconic_engine::apply::{EnactError, Step};
use serde_json::{Value, json};

use super::enact::failure;
use super::path;
use super::server::Server;

/// First pause between two looks whether an object is gone; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long an object may be on its way out. Pods have 30 s to end unless they ask for more.
const LIMIT: Duration = Duration::from_secs(300);

/// Deletes an object and waits until it is gone: what comes after may need its name, or that its pods have ended.
pub(crate) async fn delete(server: &Server, step: &Step) -> Result<(), EnactError> {
    let path = path::object(&step.key);
    let mut options = json!({
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": propagation(step.key.resource_type),
    });
    if let Some(uid) = &step.expected_uid {
        options["preconditions"] = json!({ "uid": uid });
    }
    match server.delete(&path, &options).await {
        Ok(_) => {}
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(failure(step, error)),
    }
    wait_until_gone(server, step, &path).await
}

/// What becomes of an object's dependants. Pods of a workload must have ended before anything else touches their volumes.
const fn propagation(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::Deployment | ResourceType::Job | ResourceType::CronJob => "Foreground",
        _ => "Background",
    }
}

async fn wait_until_gone(server: &Server, step: &Step, path: &str) -> Result<(), EnactError> {
    let mut pause = FIRST_PAUSE;
    let mut waited = Duration::ZERO;
    loop {
        let object = match server.get(path).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(failure(step, error)),
        };
        // Somebody has made another one since: ours is gone.
        if step.expected_uid.as_deref().is_some_and(|uid| object["metadata"]["uid"] != uid) {
            return Ok(());
        }
        if waited >= LIMIT {
            let (seconds, why) = (LIMIT.as_secs(), obstacle(&object));
            return Err(EnactError::Refused(format!("it is still on its way out after {seconds} s: {why}")));
        }
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What keeps an object that was deleted.
fn obstacle(object: &Value) -> String {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    // A namespace says what is left in it.
    let remaining: Vec<&str> = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|condition| condition["status"] == "True")
        .filter_map(|condition| condition["message"].as_str())
        .collect();
    if !remaining.is_empty() && object["kind"] == "Namespace" {
        return remaining.join(" ");
    }
    let finalizers = texts(&object["metadata"]["finalizers"]);
    if finalizers.is_empty() { "nothing says why".to_owned() } else { format!("finalizers {}", finalizers.join(", ")) }
}
