//! What a server checks of an object beyond its types. Not all of it: what people get wrong, and what a compiler could.

use base64::Engine as _;
use laconic_engine::address::ResourceType;
use serde_json::Value;

use super::{quantity, reference};

type Outcome = Result<(), String>;

/// Refuses an object that cannot be, worded as the server words it: the field first.
pub fn check(resource_type: ResourceType, object: &Value) -> Outcome {
    check_metadata(resource_type, &object["metadata"])?;
    match resource_type {
        ResourceType::ConfigMap | ResourceType::Secret => check_data(resource_type, object)?,
        ResourceType::Service => check_service(&object["spec"])?,
        ResourceType::PersistentVolume => check_volume(&object["spec"])?,
        ResourceType::PersistentVolumeClaim => check_claim(&object["spec"])?,
        ResourceType::Deployment => check_deployment(&object["spec"])?,
        ResourceType::CronJob => check_schedule(&object["spec"]["schedule"])?,
        _ => {}
    }
    let Some(pod) = reference::pod(resource_type, object) else { return Ok(()) };
    let field = match resource_type {
        ResourceType::CronJob => "spec.jobTemplate.spec.template.spec",
        _ => "spec.template.spec",
    };
    check_pod(resource_type, pod, field)
}

fn invalid(field: &str, value: &Value, why: &str) -> Outcome {
    Err(format!("{field}: Invalid value: {value}: {why}"))
}

fn required(field: &str, why: &str) -> Outcome {
    Err(format!("{field}: Required value{}{why}", if why.is_empty() { "" } else { ": " }))
}

fn items<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    object[name].as_array().into_iter().flatten().enumerate()
}

fn check_metadata(resource_type: ResourceType, metadata: &Value) -> Outcome {
    let name = metadata["name"].as_str().unwrap_or_default();
    let is_named = match resource_type {
        ResourceType::Namespace | ResourceType::Service => is_label(name),
        ResourceType::Role
        | ResourceType::RoleBinding
        | ResourceType::ClusterRole
        | ResourceType::ClusterRoleBinding => {
            !name.is_empty() && !name.contains(['/', '%']) && name != "." && name != ".."
        }
        _ => is_subdomain(name),
    };
    if !is_named {
        return invalid(
            "metadata.name",
            &metadata["name"],
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'",
        );
    }
    for map in ["labels", "annotations"] {
        for (key, value) in metadata[map].as_object().into_iter().flatten() {
            let field = format!("metadata.{map}");
            if !is_qualified(key) {
                return invalid(
                    &field,
                    &Value::from(key.as_str()),
                    "name part must consist of alphanumeric characters",
                );
            }
            let text = value.as_str().unwrap_or_default();
            if map == "labels" && !(text.is_empty() || is_word(text)) {
                return invalid(
                    &field,
                    value,
                    "a valid label must be an empty string or consist of alphanumeric characters",
                );
            }
        }
    }
    Ok(())
}

/// At most 63 lower case letters, digits and inner hyphens.
fn is_label(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

fn is_subdomain(text: &str) -> bool {
    // The parts of a name that is no host name may be longer than a label.
    text.len() <= 253
        && text.split('.').all(|part| {
            let is_end =
                |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            is_end(part.as_bytes().first())
                && is_end(part.as_bytes().last())
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// At most 63 letters, digits, and inner `-`, `_` and `.`.
fn is_word(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(&prefix.to_lowercase()) && is_word(name),
        None => is_word(key),
    }
}

fn check_data(resource_type: ResourceType, object: &Value) -> Outcome {
    for map in ["data", "binaryData"] {
        for (key, value) in object[map].as_object().into_iter().flatten() {
            let is_key = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
            if key.is_empty() || key.len() > 253 || !is_key {
                let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
                return invalid(&format!("{map}[{key}]"), &Value::from(key.as_str()), why);
            }
            let is_encoded = resource_type == ResourceType::Secret || map == "binaryData";
            let text = value.as_str().unwrap_or_default();
            if is_encoded && base64::engine::general_purpose::STANDARD.decode(text).is_err() {
                return Err(format!("{map}[{key}]: illegal base64 data"));
            }
        }
    }
    Ok(())
}

fn check_port(field: &str, value: &Value) -> Outcome {
    match value.as_i64() {
        Some(1..=65_535) => Ok(()),
        _ => invalid(field, value, "must be between 1 and 65535, inclusive"),
    }
}

fn check_service(spec: &Value) -> Outcome {
    if !matches!(spec["type"].as_str(), Some("ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName")) {
        return Err(format!(
            "spec.type: Unsupported value: {}: supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \
             \"NodePort\"",
            spec["type"]
        ));
    }
    let count = items(spec, "ports").count();
    if count == 0 && spec["type"] != "ExternalName" && spec["clusterIP"] != "None" {
        return required("spec.ports", "");
    }
    for (index, port) in items(spec, "ports") {
        let field = |member: &str| format!("spec.ports[{index}].{member}");
        if count > 1 && port["name"].as_str().unwrap_or_default().is_empty() {
            return required(&field("name"), "");
        }
        check_port(&field("port"), &port["port"])?;
        if port["targetPort"].is_number() {
            check_port(&field("targetPort"), &port["targetPort"])?;
        }
    }
    Ok(())
}

fn check_volume(spec: &Value) -> Outcome {
    if spec["accessModes"].as_array().is_none_or(Vec::is_empty) {
        return required("spec.accessModes", "");
    }
    if spec["capacity"].get("storage").is_none() {
        return required("spec.capacity", "");
    }
    const OTHERS: [&str; 8] = [
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeMode",
    ];
    let mut members = spec.as_object().into_iter().flatten();
    if !members.any(|(name, _)| !OTHERS.contains(&name.as_str())) {
        return required("spec", "must specify a volume type");
    }
    let path = &spec["hostPath"]["path"];
    if path.as_str().unwrap_or_default().split('/').any(|part| part == "..") {
        return invalid("spec.hostPath.path", path, "must not contain '..'");
    }
    Ok(())
}

fn check_claim(spec: &Value) -> Outcome {
    if spec["accessModes"].as_array().is_none_or(Vec::is_empty) {
        return required("spec.accessModes", "at least 1 access mode is required");
    }
    let Some(storage) = spec.pointer("/resources/requests/storage") else {
        return required("spec.resources[storage]", "");
    };
    let text = storage.as_str().map_or_else(|| storage.to_string(), str::to_owned);
    match quantity::compare(&text, "0") {
        Some(std::cmp::Ordering::Greater) => Ok(()),
        _ => invalid("spec.resources[storage]", storage, "must be greater than zero"),
    }
}

fn check_deployment(spec: &Value) -> Outcome {
    if spec["replicas"].as_i64().is_some_and(|replicas| replicas < 0) {
        return invalid("spec.replicas", &spec["replicas"], "must be greater than or equal to 0");
    }
    let selector = spec.pointer("/selector/matchLabels").and_then(Value::as_object);
    if selector.is_none_or(serde_json::Map::is_empty) && spec.pointer("/selector/matchExpressions").is_none() {
        return required("spec.selector", "");
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if selector.into_iter().flatten().any(|(key, value)| labels.get(key) != Some(value)) {
        return invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
    }
    Ok(())
}

fn check_schedule(schedule: &Value) -> Outcome {
    let text = schedule.as_str().unwrap_or_default();
    let is_field = |field: &str| {
        field.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'/' | b',' | b'-' | b'?'))
    };
    let is_sound = match text.strip_prefix('@') {
        Some(word) => {
            matches!(word, "yearly" | "annually" | "monthly" | "weekly" | "daily" | "midnight" | "hourly")
                || word.starts_with("every ")
        }
        None => text.split_whitespace().count() == 5 && text.split_whitespace().all(is_field),
    };
    match is_sound {
        true => Ok(()),
        false => invalid("spec.schedule", schedule, "expected exactly 5 fields"),
    }
}

fn check_pod(resource_type: ResourceType, pod: &Value, field: &str) -> Outcome {
    let restart = &pod["restartPolicy"];
    match (resource_type, restart.as_str()) {
        (ResourceType::Deployment, Some("Always"))
        | (ResourceType::Job | ResourceType::CronJob, Some("Never" | "OnFailure")) => {}
        (ResourceType::Deployment, _) => {
            return Err(format!("{field}.restartPolicy: Unsupported value: {restart}: supported values: \"Always\""));
        }
        _ => return required(&format!("{field}.restartPolicy"), "valid values: \"OnFailure\", \"Never\""),
    }
    if items(pod, "containers").next().is_none() {
        return required(&format!("{field}.containers"), "");
    }
    let volumes: Vec<&Value> = items(pod, "volumes").map(|(_, volume)| &volume["name"]).collect();
    for list in ["initContainers", "containers"] {
        let mut names = Vec::new();
        for (index, container) in items(pod, list) {
            let field = format!("{field}.{list}[{index}]");
            check_container(container, &field, &volumes)?;
            if names.contains(&&container["name"]) {
                return Err(format!("{field}.name: Duplicate value: {}", container["name"]));
            }
            names.push(&container["name"]);
        }
    }
    Ok(())
}

fn check_container(container: &Value, field: &str, volumes: &[&Value]) -> Outcome {
    if !is_label(container["name"].as_str().unwrap_or_default()) {
        let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'";
        return invalid(&format!("{field}.name"), &container["name"], why);
    }
    if container["image"].as_str().unwrap_or_default().is_empty() {
        return required(&format!("{field}.image"), "");
    }
    for (index, port) in items(container, "ports") {
        check_port(&format!("{field}.ports[{index}].containerPort"), &port["containerPort"])?;
    }
    for (index, mount) in items(container, "volumeMounts") {
        if !volumes.contains(&&mount["name"]) {
            return Err(format!("{field}.volumeMounts[{index}].name: Not found: {}", mount["name"]));
        }
    }
    let amount = |side: &str, name: &str| {
        let value = &container["resources"][side][name];
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    };
    for (name, _) in container.pointer("/resources/limits").and_then(Value::as_object).into_iter().flatten() {
        let (request, limit) = (amount("requests", name), amount("limits", name));
        if quantity::compare(&request, &limit) == Some(std::cmp::Ordering::Greater) {
            let why = format!("must be less than or equal to {name} limit of {limit}");
            return invalid(&format!("{field}.resources.requests"), &Value::from(request), &why);
        }
    }
    Ok(())
}
