//! Fields an API server does not let anybody change.

use laconic_engine::address::ResourceType;
use serde_json::Value;

use super::quantity;

/// Why a change is not allowed, worded as the server words it: the field first.
///
/// `can_grow` says whether the claim's storage class can expand volumes.
pub fn check(resource_type: ResourceType, before: &Value, after: &Value, can_grow: bool) -> Result<(), String> {
    let changed = |path: &str| before.pointer(path) != after.pointer(path);
    let immutable = |path: &str, field: &str| match changed(path) {
        true => Err(format!("{field}: Invalid value: {}: field is immutable", shown(after.pointer(path)))),
        false => Ok(()),
    };
    match resource_type {
        ResourceType::PersistentVolume => {
            let is_source = |name: &str| {
                !matches!(
                    name,
                    "accessModes"
                        | "capacity"
                        | "claimRef"
                        | "mountOptions"
                        | "nodeAffinity"
                        | "persistentVolumeReclaimPolicy"
                        | "storageClassName"
                        | "volumeMode"
                )
            };
            let source = |object: &Value| -> Vec<(String, Value)> {
                let spec = object["spec"].as_object().into_iter().flatten();
                spec.filter(|(name, _)| is_source(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
            };
            if source(before) != source(after) {
                return Err("spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after \
                            creation"
                    .to_owned());
            }
            // It is told once.
            if before.pointer("/spec/nodeAffinity").is_some() {
                immutable("/spec/nodeAffinity", "spec.nodeAffinity")?;
            }
            immutable("/spec/volumeMode", "spec.volumeMode")
        }
        ResourceType::PersistentVolumeClaim => check_claim(before, after, can_grow),
        ResourceType::Deployment => immutable("/spec/selector", "spec.selector"),
        ResourceType::Service => {
            let is_external = |object: &Value| object["spec"]["type"] == "ExternalName";
            if is_external(before) || is_external(after) || !changed("/spec/clusterIP") {
                return Ok(());
            }
            let address = shown(after.pointer("/spec/clusterIP"));
            Err(format!("spec.clusterIPs[0]: Invalid value: [{address}]: may not change once set"))
        }
        ResourceType::Job => {
            for field in [
                "completions",
                "completionMode",
                "selector",
                "backoffLimitPerIndex",
                "podFailurePolicy",
                "successPolicy",
                "managedBy",
            ] {
                immutable(&format!("/spec/{field}"), &format!("spec.{field}"))?;
            }
            immutable("/spec/template", "spec.template")
        }
        ResourceType::Secret => {
            immutable("/type", "type")?;
            check_frozen(before, after)
        }
        ResourceType::ConfigMap => check_frozen(before, after),
        ResourceType::RuntimeClass => immutable("/handler", "handler"),
        ResourceType::IngressClass => immutable("/spec/controller", "spec.controller"),
        ResourceType::RoleBinding | ResourceType::ClusterRoleBinding if changed("/roleRef") => {
            Err(format!("roleRef: Invalid value: {}: cannot change roleRef", shown(after.pointer("/roleRef"))))
        }
        _ => Ok(()),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "null".to_owned(), Value::to_string)
}

/// A ConfigMap or Secret that says `immutable: true` keeps its contents.
fn check_frozen(before: &Value, after: &Value) -> Result<(), String> {
    let differs = ["data", "binaryData", "immutable"].into_iter().find(|name| before.get(name) != after.get(name));
    match differs {
        Some(name) if before["immutable"] == true => {
            Err(format!("{name}: Forbidden: field is immutable when `immutable` is set"))
        }
        _ => Ok(()),
    }
}

fn check_claim(before: &Value, after: &Value, can_grow: bool) -> Result<(), String> {
    let rest = |object: &Value| {
        let mut spec = object["spec"].clone();
        if let Some(requests) = spec.pointer_mut("/resources/requests").and_then(Value::as_object_mut) {
            requests.remove("storage");
        }
        // A binder sets the volume once; from then on it stays.
        if before["spec"].get("volumeName").is_none()
            && let Some(spec) = spec.as_object_mut()
        {
            spec.remove("volumeName");
        }
        spec
    };
    if rest(before) != rest(after) {
        return Err("spec: Forbidden: spec is immutable after creation except resources.requests and \
                    volumeAttributesClassName for bound claims"
            .to_owned());
    }
    let storage = |object: &Value| {
        object.pointer("/spec/resources/requests/storage").and_then(Value::as_str).unwrap_or("0").to_owned()
    };
    match quantity::compare(&storage(after), &storage(before)) {
        Some(std::cmp::Ordering::Less) => {
            Err("spec.resources.requests.storage: Forbidden: field can not be less than \
                                               status.capacity"
                .to_owned())
        }
        Some(std::cmp::Ordering::Greater) if !can_grow => {
            Err("spec.resources.requests.storage: Forbidden: only dynamically provisioned pvc can be resized and the \
                 storageclass that provisions the pvc must support resize"
                .to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_immutable_field_is_named() {
        let claim = |size: &str, class: &str| json!({"spec": {"storageClassName": class, "resources": {"requests": {"storage": size}}}});
        let cases = [
            (
                ResourceType::PersistentVolume,
                json!({"spec": {"hostPath": {"path": "/a"}, "capacity": {"storage": "1Gi"}}}),
                json!({"spec": {"hostPath": {"path": "/b"}, "capacity": {"storage": "1Gi"}}}),
                Some("spec.persistentvolumesource"),
            ),
            (
                ResourceType::PersistentVolume,
                json!({"spec": {"hostPath": {"path": "/a"}, "capacity": {"storage": "1Gi"}}}),
                json!({"spec": {"hostPath": {"path": "/a"}, "capacity": {"storage": "2Gi"}}}),
                None,
            ),
            (ResourceType::PersistentVolumeClaim, claim("1Gi", "a"), claim("1Gi", "b"), Some("spec: Forbidden")),
            (ResourceType::PersistentVolumeClaim, claim("2Gi", "a"), claim("1Gi", "a"), Some("spec.resources")),
            (ResourceType::PersistentVolumeClaim, claim("1Gi", "a"), claim("2Gi", "a"), None),
            (
                ResourceType::Deployment,
                json!({"spec": {"selector": {"matchLabels": {"app": "a"}}}}),
                json!({"spec": {"selector": {"matchLabels": {"app": "b"}}}}),
                Some("spec.selector"),
            ),
            (
                ResourceType::Service,
                json!({"spec": {"clusterIP": "10.0.0.1"}}),
                json!({"spec": {"clusterIP": "None"}}),
                Some("spec.clusterIP"),
            ),
            (
                ResourceType::Job,
                json!({"spec": {"template": 1}}),
                json!({"spec": {"template": 2}}),
                Some("spec.template"),
            ),
            (ResourceType::Secret, json!({"type": "a"}), json!({"type": "b"}), Some("type:")),
            (ResourceType::ConfigMap, json!({"data": 1}), json!({"data": 2}), None),
            (
                ResourceType::ConfigMap,
                json!({"data": 1, "immutable": true}),
                json!({"data": 2, "immutable": true}),
                Some("data:"),
            ),
        ];
        for (resource_type, before, after, problem) in cases {
            let outcome = check(resource_type, &before, &after, true);
            match problem {
                None => assert_eq!(outcome, Ok(()), "{resource_type}"),
                Some(field) => assert!(outcome.unwrap_err().starts_with(field), "{resource_type}"),
            }
        }
        assert!(check(ResourceType::PersistentVolumeClaim, &claim("1Gi", "a"), &claim("2Gi", "a"), false).is_err());
    }
}
