//! What is wrong with a container, from its status and its pod's events.
//!
//! Most of what keeps a container from running may pass by itself: a registry comes back, the database that a program
//! needs comes up. The kubelet tries again and again and never says that it gives up, so somebody else has to. It tries
//! after 10, 20, 40, 80, 160 s and then every 300 s, image pulls and restarts alike. How often it has tried is the
//! measure here, not the time: a slow registry or a slow start is not held against anybody.
//!
//! - What no further try can change (a name that is no image, a pull policy `Never` without the image) needs help at once.
//! - What the next try will hardly change (an image or a permission that a registry says is not there, memory that does
//!   not suffice, a command that is not in the image) needs help after the third try, about half a minute. Once is not
//!   enough: an image may just be about to be pushed.
//! - Everything else needs help after the fifth try, two and a half minutes: half of what an apply waits by default,
//!   and longer than what a program needs that starts together with its database.
//! - What an object that is not there would change (a Secret, a ConfigMap, a key in them) is waited for: others make
//!   such objects, in their own time.

use serde_json::Value;

use super::document::{count, items, one_line, reason_and_message, text};

/// Tries until something that is most likely for good is taken to be so.
const DEFINITE_TRIES: u64 = 3;
/// Tries until something that may pass is taken to be for good.
const TRIES: u64 = 5;

/// Why something does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// For people.
    pub(super) text: String,
    /// Whether it will not go away without help.
    pub(super) needs_help: bool,
}

impl Trouble {
    /// Something that may pass.
    pub(super) fn passing(text: impl Into<String>) -> Self {
        Self { text: text.into(), needs_help: false }
    }

    /// Something that does not pass.
    fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), needs_help: true }
    }
}

/// What is wrong with a container that is not ready; `None` when its status says nothing.
pub(super) fn trouble(pod: &Value, status: &Value, events: &[Value]) -> Option<Trouble> {
    if let Some(waiting) = status.pointer("/state/waiting") {
        return waiting_for(pod, status, waiting, events);
    }
    if let Some(ended) = status.pointer("/state/terminated") {
        return (ended["exitCode"] != 0).then(|| Trouble::passing(ending(ended)));
    }
    if status.pointer("/state/running").is_some() {
        let unhealthy = last(status, events, |event| event["reason"] == "Unhealthy");
        let restarts = count(status, "/restartCount");
        return match status.pointer("/lastState/terminated") {
            Some(ended) if restarts > 0 => {
                Some(Trouble::passing(format!("runs again after {}, {}", ending(ended), times(restarts, "restart"))))
            }
            _ => unhealthy.map(|event| Trouble::passing(one_line(&lowercase(text(event, "/message"))))),
        };
    }
    None
}

/// How a container ended: code, reason and what it left to say.
pub(super) fn ending(ended: &Value) -> String {
    let code = ended["exitCode"].as_i64().unwrap_or_default();
    let mut said = match text(ended, "/reason") {
        "OOMKilled" => format!("its memory limit was not enough (OOMKilled, exit code {code})"),
        // Every bad end is an `Error`.
        "" | "Error" | "Completed" => format!("exit code {code}"),
        reason => format!("exit code {code} ({reason})"),
    };
    let message = one_line(text(ended, "/message"));
    if !message.is_empty() {
        said.push_str(": ");
        said.push_str(&message);
    }
    said
}

fn waiting_for(pod: &Value, status: &Value, waiting: &Value, events: &[Value]) -> Option<Trouble> {
    let (reason, message) = (text(waiting, "/reason"), text(waiting, "/message"));
    Some(match reason {
        "" | "ContainerCreating" | "PodInitializing" => return pulling(status, events),
        "InvalidImageName" => Trouble::lasting(format!("\"{}\" is not the name of an image", image(pod, status))),
        "ErrImageNeverPull" => Trouble::lasting(format!(
            "image \"{}\" is not on the node, and its pull policy is Never",
            image(pod, status)
        )),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "SignatureValidationFailed" => {
            pull_failure(pod, status, message, events)
        }
        "CrashLoopBackOff" => crash_loop(status),
        "CreateContainerConfigError" => Trouble {
            text: one_line(message),
            // The image and the security context are what they are; objects may come.
            needs_help: message.contains("runAsNonRoot") || message.contains("runAsUser"),
        },
        reason => Trouble::passing(reason_and_message(reason, message)),
    })
}

/// The image as the pod asks for it: the status of a container that never ran may name it otherwise.
fn image<'a>(pod: &'a Value, status: &'a Value) -> &'a str {
    let specs = items(pod, "/spec/containers").chain(items(pod, "/spec/initContainers"));
    let image = specs.filter(|spec| spec["name"] == status["name"]).map(|spec| text(spec, "/image")).next();
    image.unwrap_or_else(|| text(status, "/image"))
}

fn crash_loop(status: &Value) -> Trouble {
    let ended = &status["lastState"]["terminated"];
    let restarts = count(status, "/restartCount");
    let definite = matches!(text(ended, "/reason"), "OOMKilled" | "StartError" | "ContainerCannotRun");
    Trouble {
        text: format!("keeps ending: {}, {}", ending(ended), times(restarts, "restart")),
        needs_help: restarts + 1 >= if definite { DEFINITE_TRIES } else { TRIES },
    }
}

fn pull_failure(pod: &Value, status: &Value, message: &str, events: &[Value]) -> Trouble {
    let is_failure =
        |event: &Value| event["reason"] == "Failed" && text(event, "/message").contains("Failed to pull image");
    let tries: u64 = about(status, events).filter(|event| is_failure(event)).map(seen).sum();
    // While they wait for the next try, only newer kubelets say in the status why the last one failed.
    let said = last(status, events, is_failure).map_or(message, |event| text(event, "/message"));
    let said = plain(said);
    let limit = if is_definite(said) { DEFINITE_TRIES } else { TRIES };
    let mut text = format!("image \"{}\" cannot be pulled", image(pod, status));
    if tries > 1 {
        text.push_str(&format!(" ({tries} tries)"));
    }
    // That the next try is some way off is no reason.
    if !said.is_empty() && !said.starts_with("Back-off") {
        text.push_str(&format!(": {}", one_line(said)));
    }
    Trouble { text, needs_help: tries >= limit }
}

/// Whether a registry has said no, as opposed to nothing or that it is busy.
fn is_definite(said: &str) -> bool {
    let passing = ["timeout", "connection refused", "toomanyrequests", "429", "no such host", "EOF", "reset by peer"];
    let definite = [
        ": not found",
        "manifest unknown",
        "does not exist",
        "denied",
        "unauthorized",
        "authorization failed",
        "no basic auth credentials",
        "401",
        "403",
        "invalid reference format",
        "no match for platform",
        "no matching manifest",
    ];
    !passing.iter().any(|word| said.contains(word)) && definite.iter().any(|word| said.contains(word))
}

/// What a failed pull comes down to: its message says the image several times before it says why.
fn plain(message: &str) -> &str {
    let mut rest = message;
    loop {
        let begins =
            ["Failed to pull image", "failed to pull", "failed to resolve", "Back-off pulling", "rpc error: code"]
                .iter()
                .any(|begin| rest.starts_with(begin));
        let after = match begins {
            true if rest.starts_with("rpc error") => rest.split_once(" desc = "),
            true if rest.contains("\": ") => rest.split_once("\": "),
            true => rest.split_once(": "),
            false => rest.strip_prefix("ErrImagePull: ").map(|after| ("", after)),
        };
        match after {
            Some((_, after)) if !after.is_empty() => rest = after,
            _ => return rest,
        }
    }
}

/// That an image is being pulled, which may take its time.
fn pulling(status: &Value, events: &[Value]) -> Option<Trouble> {
    let is_pull = |event: &Value| matches!(text(event, "/reason"), "Pulling" | "Pulled" | "Failed");
    let event = last(status, events, is_pull).filter(|event| event["reason"] == "Pulling")?;
    Some(Trouble::passing(one_line(&lowercase(text(event, "/message")))))
}

fn lowercase(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// How often an event was seen.
fn seen(event: &Value) -> u64 {
    count(event, "/count").max(count(event, "/series/count")).max(1)
}

/// The events about one container of the pod.
fn about<'a>(status: &Value, events: &'a [Value]) -> impl Iterator<Item = &'a Value> + use<'a> {
    let place = format!("{{{}}}", text(status, "/name"));
    events.iter().filter(move |event| text(event, "/involvedObject/fieldPath").ends_with(&place))
}

fn last<'a>(status: &Value, events: &'a [Value], wanted: impl Fn(&Value) -> bool) -> Option<&'a Value> {
    about(status, events).filter(|event| wanted(event)).last()
}

/// `1 restart`, `2 restarts`.
pub(super) fn times(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
