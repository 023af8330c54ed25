//! What objects refer to, and who uses an object.

use std::collections::BTreeSet;
use std::sync::Arc;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::resource::Target;
use serde_json::Value;

use super::machine::{Machine, StoredObject};

/// What one object says about another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The object referred to.
    pub to: ObjectKey,
    /// Whether it works without.
    pub optional: bool,
}

/// Everything an object refers to.
pub fn references(key: &ObjectKey, attributes: &Value) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    let mut add = |resource_type: ResourceType, name: Option<&Value>, optional: bool| {
        let Some(name) = name.and_then(Value::as_str).filter(|name| !name.is_empty()) else { return };
        let namespace = if resource_type.is_namespaced() { &*key.namespace } else { "" };
        found.insert(Reference { to: ObjectKey::new(resource_type, namespace, name), optional });
    };
    match key.resource_type {
        ResourceType::Deployment | ResourceType::Job | ResourceType::CronJob => {
            if let Some(pod) = pod(key.resource_type, attributes) {
                add_pod(pod, &mut add);
            }
        }
        ResourceType::PersistentVolumeClaim => {
            add(ResourceType::PersistentVolume, attributes.pointer("/spec/volumeName"), false);
        }
        ResourceType::Ingress => {
            let spec = &attributes["spec"];
            add(ResourceType::Service, spec.pointer("/defaultBackend/service/name"), false);
            for rule in list(spec, "rules") {
                for path in rule.pointer("/http/paths").and_then(Value::as_array).into_iter().flatten() {
                    add(ResourceType::Service, path.pointer("/backend/service/name"), false);
                }
            }
        }
        _ => {}
    }
    found
}

/// The pod specification of a workload.
pub fn pod(resource_type: ResourceType, attributes: &Value) -> Option<&Value> {
    match resource_type {
        ResourceType::Deployment | ResourceType::Job => attributes.pointer("/spec/template/spec"),
        ResourceType::CronJob => attributes.pointer("/spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn add_pod<'a>(pod: &'a Value, add: &mut impl FnMut(ResourceType, Option<&'a Value>, bool)) {
    let optional = |source: &Value| source.get("optional").and_then(Value::as_bool).unwrap_or(false);
    for volume in list(pod, "volumes") {
        add(ResourceType::PersistentVolumeClaim, volume.pointer("/persistentVolumeClaim/claimName"), false);
        if let Some(source) = volume.get("configMap") {
            add(ResourceType::ConfigMap, source.get("name"), optional(source));
        }
        if let Some(source) = volume.get("secret") {
            add(ResourceType::Secret, source.get("secretName"), optional(source));
        }
    }
    for container in list(pod, "initContainers").chain(list(pod, "containers")) {
        for source in list(container, "envFrom") {
            if let Some(reference) = source.get("configMapRef") {
                add(ResourceType::ConfigMap, reference.get("name"), optional(reference));
            }
            if let Some(reference) = source.get("secretRef") {
                add(ResourceType::Secret, reference.get("name"), optional(reference));
            }
        }
        for variable in list(container, "env").filter_map(|variable| variable.get("valueFrom")) {
            if let Some(reference) = variable.get("configMapKeyRef") {
                add(ResourceType::ConfigMap, reference.get("name"), optional(reference));
            }
            if let Some(reference) = variable.get("secretKeyRef") {
                add(ResourceType::Secret, reference.get("name"), optional(reference));
            }
        }
    }
    // A kubelet pulls without a pull secret that is missing.
    for secret in list(pod, "imagePullSecrets") {
        add(ResourceType::Secret, secret.get("name"), true);
    }
}

/// What an object refers to, cannot do without, and is not there.
pub fn missing(machine: &Machine, target: &Target, object: &StoredObject) -> Vec<ObjectKey> {
    references(&object.key, &object.attributes)
        .into_iter()
        .filter(|reference| !reference.optional && machine.object(target, &reference.to).is_none())
        .map(|reference| reference.to)
        .collect()
}

/// Whether a workload has pods that hold on to what it refers to: it was not scaled away and has not ended.
pub fn has_pods(object: &StoredObject) -> bool {
    match object.key.resource_type {
        ResourceType::Deployment => object.attributes["spec"]["replicas"] != 0,
        ResourceType::Job => object.attributes["status"].get("completionTime").is_none(),
        _ => false,
    }
}

/// The first thing that uses an object and would miss it.
pub fn user_of(machine: &Machine, target: &Target, key: &ObjectKey) -> Option<ObjectKey> {
    let refers = |resource_type: ResourceType, only_with_pods: bool| {
        machine.objects_in(target, resource_type, &key.namespace).into_iter().find(|user| {
            (!only_with_pods || has_pods(user))
                && references(&user.key, &user.attributes).contains(&Reference { to: key.clone(), optional: false })
        })
    };
    let user: Option<Arc<StoredObject>> = match key.resource_type {
        // A Job that has ended starts no pod any more.
        ResourceType::ConfigMap | ResourceType::Secret => {
            refers(ResourceType::Deployment, false).or_else(|| refers(ResourceType::Job, true))
        }
        ResourceType::PersistentVolumeClaim => [ResourceType::Deployment, ResourceType::Job]
            .into_iter()
            .find_map(|resource_type| refers(resource_type, true)),
        ResourceType::Service => refers(ResourceType::Ingress, false),
        ResourceType::PersistentVolume => {
            let volume = machine.object(target, key)?;
            let (namespace, name) = (volume.text("/spec/claimRef/namespace"), volume.text("/spec/claimRef/name"));
            let claim = ObjectKey::new(ResourceType::PersistentVolumeClaim, namespace, name);
            machine.object(target, &claim).filter(|claim| claim.uid == volume.text("/spec/claimRef/uid"))
        }
        _ => None,
    };
    user.map(|user| user.key.clone())
}
