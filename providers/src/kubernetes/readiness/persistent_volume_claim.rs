//! Claims: ready when bound, or when nothing but a pod is missing.

use std::cmp::Ordering;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::Readiness;
use laconic_engine::diff::quantity::billionths;
use serde_json::Value;

use super::document::{is_terminating, name, one_line, text};
use super::look::{self, Seen, not_visible};
use crate::kubernetes::path;
use crate::kubernetes::server::Server;

/// Where the scheduler notes for which node a volume is to be made.
const SELECTED_NODE: &str = "/metadata/annotations/volume.kubernetes.io~1selected-node";

/// What is around a claim that is not bound.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// The volume it names; looked at only when it names one.
    pub(crate) volume: Seen<Option<Value>>,
    /// Its storage class; looked at only when it names one, and no volume.
    pub(crate) class: Seen<Option<Value>>,
    /// The events about it.
    pub(crate) events: Seen<Vec<Value>>,
}

/// Whether a claim is bound, or need not be yet.
pub(super) async fn readiness(server: &Server, claim: &Value) -> Readiness {
    let around = match text(claim, "/status/phase") {
        "Bound" | "Lost" => Surroundings { volume: Ok(None), class: Ok(None), events: Ok(Vec::new()) },
        _ => look(server, claim).await,
    };
    judge(claim, &around)
}

async fn look(server: &Server, claim: &Value) -> Surroundings {
    let mut around = Surroundings { volume: Ok(None), class: Ok(None), events: Ok(Vec::new()) };
    let (volume, class) = (text(claim, "/spec/volumeName"), text(claim, "/spec/storageClassName"));
    if !volume.is_empty() {
        let key = ObjectKey::new(ResourceType::PersistentVolume, "", volume);
        around.volume = look::one(server, &path::object(&key)).await;
    } else if !class.is_empty() {
        around.class = look::one(server, &format!("/apis/storage.k8s.io/v1/storageclasses/{class}")).await;
    }
    around.events = look::events(server, claim).await;
    around
}

/// Whether a claim is ready, or is not and why.
pub(crate) fn judge(claim: &Value, around: &Surroundings) -> Readiness {
    let volume = text(claim, "/spec/volumeName");
    match text(claim, "/status/phase") {
        "Bound" => return Readiness::Ready,
        "Lost" => {
            return Readiness::Failed(format!("volume \"{volume}\" is gone, and the data on it"));
        }
        _ => {}
    }
    if !volume.is_empty() {
        return Readiness::Progressing(match &around.volume {
            Ok(None) => format!("volume \"{volume}\" does not exist"),
            Ok(Some(volume)) => mismatch(claim, volume).unwrap_or_else(|| said(around)),
            Err(hidden) => not_visible(hidden),
        });
    }
    let class = text(claim, "/spec/storageClassName");
    let waits = match &around.class {
        Ok(Some(class)) => text(class, "/volumeBindingMode") == "WaitForFirstConsumer",
        // The controller says it too.
        Err(_) => last_event(around).is_some_and(|event| event["reason"] == "WaitForFirstConsumer"),
        Ok(None) => false,
    };
    if waits && text(claim, SELECTED_NODE).is_empty() {
        // It is bound when its first pod comes. Whoever waited for it here would keep that pod from ever being made.
        return Readiness::Ready;
    }
    Readiness::Progressing(match &around.class {
        _ if class.is_empty() => "it names no storage class, and no volume fits it".to_owned(),
        Ok(None) => format!("storage class \"{class}\" does not exist, and no volume of that class fits it"),
        _ => said(around),
    })
}

/// What keeps a volume that a claim names from being bound to it.
fn mismatch(claim: &Value, volume: &Value) -> Option<String> {
    let title = format!("volume \"{}\"", name(volume));
    if is_terminating(volume) {
        return Some(format!("{title} is being deleted"));
    }
    if let Some(bound) = volume.pointer("/spec/claimRef") {
        let is_other_name =
            bound["name"] != claim["metadata"]["name"] || bound["namespace"] != claim["metadata"]["namespace"];
        let uid = text(bound, "/uid");
        let whose = format!("{}/{}", text(bound, "/namespace"), text(bound, "/name"));
        if is_other_name {
            return Some(format!("{title} is bound to another claim, {whose}"));
        }
        if !uid.is_empty() && uid != text(claim, "/metadata/uid") {
            return Some(format!("{title} is still bound to an earlier claim {whose}"));
        }
    }
    let (has, wants) = (text(volume, "/spec/storageClassName"), text(claim, "/spec/storageClassName"));
    if has != wants {
        return Some(format!("{title} is of class \"{has}\", and class \"{wants}\" is asked for"));
    }
    let (has, wants) = (text(volume, "/spec/capacity/storage"), text(claim, "/spec/resources/requests/storage"));
    if billionths(has).zip(billionths(wants)).is_some_and(|(has, wants)| has.cmp(&wants) == Ordering::Less) {
        return Some(format!("{title} holds {has}, and {wants} are asked for"));
    }
    let (has, wants) = (&volume["spec"]["accessModes"], &claim["spec"]["accessModes"]);
    let lacks = wants
        .as_array()
        .into_iter()
        .flatten()
        .find(|wanted| !has.as_array().into_iter().flatten().any(|mode| mode == *wanted));
    lacks.map(|mode| format!("{title} does not allow {}", mode.as_str().unwrap_or_default()))
}

fn last_event(around: &Surroundings) -> Option<&Value> {
    let events = around.events.as_deref().unwrap_or_default();
    // Others speak of the same claim while one provisioner fails over and over.
    events.iter().rev().find(|event| event["type"] == "Warning").or_else(|| events.last())
}

/// What the controllers say of a claim.
fn said(around: &Surroundings) -> String {
    match (&around.events, last_event(around)) {
        (_, Some(event)) => one_line(text(event, "/message")),
        (Ok(_), None) => "it is not bound yet".to_owned(),
        (Err(hidden), None) => format!("it is not bound yet ({})", not_visible(hidden)),
    }
}
