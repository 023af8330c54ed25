//! Whether objects work. Being asked is what makes simulated time pass for a workload.

use std::sync::Arc;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::Readiness;
use laconic_engine::resource::Target;
use serde_json::{Value, json};

use super::machine::{Machine, StoredObject};
use super::transaction::Transaction;
use super::{reference, volume};
use crate::kubernetes::readiness::{ingress, persistent_volume, persistent_volume_claim};

/// Where the label is by which Caddy is found.
const CADDY_LABEL: &str = "/metadata/labels/app.kubernetes.io~1name";
/// What that label says.
const CADDY: &str = "caddy-ingress-controller";

/// Looks at one object and lets its controller take a step. What a real controller would say of the object is asked of the
/// very judgements that real objects get.
pub fn ask(tx: &mut Transaction<'_>, target: &Target, key: &ObjectKey) -> Readiness {
    if !key.resource_type.is_kubernetes() {
        return match tx.machine().identity(target) {
            Some(_) => Readiness::Ready,
            None => Readiness::Failed("the cluster does not exist".to_owned()),
        };
    }
    let Some(object) = tx.machine().object(target, key) else {
        return Readiness::Failed("it does not exist".to_owned());
    };
    match key.resource_type {
        _ if object.is_terminating() => Readiness::Progressing("it is being deleted".to_owned()),
        ResourceType::Deployment | ResourceType::Job => ask_workload(tx, target, &object),
        ResourceType::PersistentVolumeClaim => ask_claim(tx.machine(), target, &object),
        ResourceType::PersistentVolume => persistent_volume::judge(&object.attributes),
        ResourceType::Ingress => ask_ingress(tx.machine(), target, &object),
        _ => Readiness::Ready,
    }
}

fn ask_claim(machine: &Machine, target: &Target, claim: &StoredObject) -> Readiness {
    let name = claim.text("/spec/volumeName");
    let volume = machine.object(target, &ObjectKey::new(ResourceType::PersistentVolume, "", name));
    let around = persistent_volume_claim::Surroundings {
        volume: Ok(volume.map(|volume| volume.attributes.clone())),
        class: Ok(volume::class(target, claim.text("/spec/storageClassName"))),
        events: Ok(Vec::new()),
    };
    persistent_volume_claim::judge(&claim.attributes, &around)
}

fn ask_ingress(machine: &Machine, target: &Target, ingress: &StoredObject) -> Readiness {
    let attributes = |object: &Arc<StoredObject>| object.attributes.clone();
    let class = ["/spec/ingressClassName", "/metadata/annotations/kubernetes.io~1ingress.class"]
        .into_iter()
        .map(|pointer| ingress.text(pointer))
        .find_map(|class| machine.object(target, &ObjectKey::new(ResourceType::IngressClass, "", class)));
    let controllers = match target {
        Target::Kind(_) => {
            let all = machine.objects_of(target, ResourceType::Deployment);
            let is_caddy = |one: &&Arc<StoredObject>| one.text(CADDY_LABEL) == CADDY;
            all.iter().filter(is_caddy).map(attributes).collect()
        }
        // Somebody else's cluster came with an ingress controller.
        Target::Kubernetes(_) => vec![json!({"status": {"availableReplicas": 1}})],
    };
    let around = ingress::Surroundings {
        services: Ok(machine
            .objects_in(target, ResourceType::Service, &ingress.key.namespace)
            .iter()
            .map(attributes)
            .collect()),
        class: Ok(class.as_ref().map(attributes)),
        controllers: Ok(controllers),
    };
    ingress::judge(&ingress.attributes, &around)
}

fn ask_workload(tx: &mut Transaction<'_>, target: &Target, object: &StoredObject) -> Readiness {
    let key = &object.key;
    let attributes = &object.attributes;
    let is_job = key.resource_type == ResourceType::Job;
    let replicas = attributes["spec"]["replicas"].as_u64().unwrap_or(1);
    if !is_job && replicas == 0 {
        return Readiness::Ready;
    }
    if is_job && let Some(outcome) = ended(attributes) {
        return outcome;
    }
    let state = match is_job {
        true => "0 of 1 completions".to_owned(),
        false => format!("0 of {replicas} replicas ready"),
    };
    if let Some(reason) = obstacle(tx, target, object) {
        return Readiness::Progressing(format!("{state}: {reason}"));
    }
    let cannot_be_pulled =
        |image: &str| image.contains("does-not-exist") || super::image::is_missing(tx.machine(), target, image);
    if let Some((container, image)) = images(attributes).find(|(_, image)| cannot_be_pulled(image)) {
        let why = format!("image \"{image}\" cannot be pulled: {image}: not found");
        return Readiness::Failed(format!("{state}: container {container}: {why}"));
    }
    let mut next = object.clone();
    next.polls = next.polls.saturating_add(1);
    if object.polls < tx.machine().polls_until_ready {
        let (container, image) = images(attributes).next().unwrap_or_default();
        let reason = format!("{state}: container {container}: pulling image \"{image}\"");
        tx.put(target, next);
        return Readiness::Progressing(reason);
    }
    let is_failure = is_job && images(attributes).any(|(_, image)| image.contains("fails"));
    let status = status(&next, is_job, is_failure, replicas, &tx.now());
    if next.attributes["status"] != status {
        next.attributes["status"] = status;
        tx.put(target, next.clone());
        if !is_failure {
            volume::write_data(tx, target, &next);
        }
    }
    match is_failure {
        true => ended(&next.attributes).unwrap_or(Readiness::Ready),
        false => Readiness::Ready,
    }
}

fn status(object: &StoredObject, is_job: bool, is_failure: bool, replicas: u64, now: &str) -> Value {
    if !is_job {
        return json!({
            "observedGeneration": object.attributes["metadata"]["generation"], "replicas": replicas,
            "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
            "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}],
        });
    }
    if is_failure {
        return json!({"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "message": "Job has reached the specified backoff limit"}]});
    }
    let started = object.text("/metadata/creationTimestamp");
    json!({"succeeded": 1, "startTime": started, "completionTime": now,
           "conditions": [{"type": "Complete", "status": "True"}]})
}

/// How a Job ended, once it has.
fn ended(attributes: &Value) -> Option<Readiness> {
    let conditions = attributes["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find_map(|condition| match condition["type"].as_str() {
        Some("Complete") => Some(Readiness::Ready),
        Some("Failed") => Some(Readiness::Failed(format!(
            "{}: {}: container {}: exit code 1",
            condition["reason"].as_str().unwrap_or_default(),
            condition["message"].as_str().unwrap_or_default(),
            images(attributes).map(|(container, _)| container).next().unwrap_or_default()
        ))),
        _ => None,
    })
}

/// What keeps a workload's pods from starting.
fn obstacle(tx: &Transaction<'_>, target: &Target, object: &StoredObject) -> Option<String> {
    let missing = reference::missing(tx.machine(), target, object);
    if let Some(missing) = missing.first() {
        let kind = missing.resource_type.kind().to_lowercase();
        return Some(format!("{kind} \"{}\" not found", missing.name));
    }
    let class = object.text("/spec/template/spec/runtimeClassName");
    let class_key = ObjectKey::new(ResourceType::RuntimeClass, "", class);
    if !class.is_empty() && tx.machine().object(target, &class_key).is_none() {
        return Some(format!("RuntimeClass \"{class}\" not found"));
    }
    let unbound = reference::references(&object.key, &object.attributes).into_iter().find(|reference| {
        reference.to.resource_type == ResourceType::PersistentVolumeClaim
            && volume::storage_of_claim(tx.machine(), target, &reference.to).is_none()
            && tx.machine().object(target, &reference.to).is_some_and(|claim| claim.text("/status/phase") != "Bound")
    })?;
    Some(format!("persistentvolumeclaim \"{}\" is not bound", unbound.to.name))
}

/// The containers of a workload with their images.
pub(super) fn images(attributes: &Value) -> impl Iterator<Item = (&str, &str)> {
    let pod = &attributes["spec"]["template"]["spec"];
    ["initContainers", "containers"].into_iter().flat_map(|name| pod[name].as_array().into_iter().flatten()).map(
        |container| (container["name"].as_str().unwrap_or_default(), container["image"].as_str().unwrap_or_default()),
    )
}
