//! What an API server makes of an object before it stores it: canonical spelling, dropped empties, defaults.

use base64::Engine as _;
use laconic_engine::address::ResourceType;
use serde_json::{Map, Value, json};

use super::quantity;

/// Spells an object that was sent the way it will be stored: quantities, `stringData`, empty members.
pub fn normalise(resource_type: ResourceType, object: &mut Value) {
    quantity::normalise(object);
    if resource_type == ResourceType::Secret {
        encode_string_data(object);
    }
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
        members.retain(|name, member| is_kept(name, member));
        let contents = |name: &str| matches!(name, "data" | "binaryData");
        members.iter_mut().filter(|(name, _)| !contents(name)).for_each(|(_, member)| drop_empty(member));
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "selfLink",
            "deletionTimestamp",
        ] {
            metadata.remove(name);
        }
    }
}

/// Spells an object canonically that was stored before and edited since; its status and metadata stay.
pub fn normalise_stored(resource_type: ResourceType, object: &mut Value) {
    let status = object.get("status").cloned();
    quantity::normalise(object);
    if resource_type == ResourceType::Secret {
        encode_string_data(object);
    }
    if let Some(status) = status {
        object["status"] = status;
    }
}

fn encode_string_data(object: &mut Value) {
    let Some(Value::Object(texts)) = object.as_object_mut().and_then(|members| members.remove("stringData")) else {
        return;
    };
    for (name, text) in texts {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text.as_str().unwrap_or_default());
        if let Value::Object(data) = &mut object["data"] {
            data.insert(name, Value::from(encoded));
        } else {
            object["data"] = json!({ name: encoded });
        }
    }
}

/// Drops what a server does not keep because its Go type omits the empty value.
fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, member| is_kept(name, member));
            members.values_mut().for_each(drop_empty);
        }
        Value::Array(items) => {
            for item in items {
                // An environment variable that is set to nothing.
                if let Some(members) = item.as_object_mut().filter(|members| members.len() == 2)
                    && members.contains_key("name")
                    && members.get("value").is_some_and(|value| value == "")
                {
                    members.remove("value");
                }
                drop_empty(item);
            }
        }
        _ => {}
    }
}

fn is_kept(name: &str, member: &Value) -> bool {
    const FLAGS: [&str; 6] = ["readOnly", "hostNetwork", "hostPID", "hostIPC", "stdin", "tty"];
    const MAPS: [&str; 7] = ["labels", "annotations", "nodeSelector", "data", "binaryData", "requests", "limits"];
    match member {
        Value::Array(items) => !items.is_empty(),
        Value::Object(inner) => !(inner.is_empty() && MAPS.contains(&name)),
        Value::Bool(false) => !FLAGS.contains(&name),
        _ => true,
    }
}

/// Puts a default where nothing is.
fn default(object: &mut Value, name: &str, value: impl FnOnce() -> Value) {
    if let Value::Object(members) = object {
        let member = members.entry(name).or_insert(Value::Null);
        if member.is_null() {
            *member = value();
        }
    }
}

/// The member as a map, made when it is missing.
fn section<'a>(object: &'a mut Value, name: &str) -> &'a mut Value {
    if object.get(name).is_none_or(|member| !member.is_object()) && object.is_object() {
        object[name] = Value::Object(Map::new());
    }
    &mut object[name]
}

fn items<'a>(object: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Fills in what the API server defaults. `number` differs from object to object: addresses and node ports come of it.
pub fn fill(resource_type: ResourceType, object: &mut Value, uid: &str, number: u64) {
    match resource_type {
        ResourceType::Deployment => fill_deployment(object),
        ResourceType::Job => {
            fill_job(section(object, "spec"));
            let name = object["metadata"]["name"].clone();
            let spec = section(object, "spec");
            if spec.get("selector").is_none() {
                spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
            }
            default(spec, "manualSelector", || json!(false));
            let labels = section(section(section(spec, "template"), "metadata"), "labels");
            for prefix in ["batch.kubernetes.io/", ""] {
                labels[format!("{prefix}controller-uid")] = Value::from(uid);
                labels[format!("{prefix}job-name")] = name.clone();
            }
            let labels = labels.clone();
            default(section(object, "metadata"), "labels", || labels);
        }
        ResourceType::CronJob => {
            let spec = section(object, "spec");
            default(spec, "concurrencyPolicy", || json!("Allow"));
            default(spec, "failedJobsHistoryLimit", || json!(1));
            default(spec, "successfulJobsHistoryLimit", || json!(3));
            default(spec, "suspend", || json!(false));
            let job = section(spec, "jobTemplate");
            section(job, "metadata");
            let template = section(section(job, "spec"), "template");
            section(template, "metadata");
            fill_pod(section(template, "spec"));
        }
        ResourceType::Service => fill_service(section(object, "spec"), number),
        ResourceType::PersistentVolume => {
            let spec = section(object, "spec");
            default(spec, "persistentVolumeReclaimPolicy", || json!("Retain"));
            default(spec, "volumeMode", || json!("Filesystem"));
            if let Some(host_path) = spec.get_mut("hostPath") {
                default(host_path, "type", || json!(""));
            }
        }
        ResourceType::PersistentVolumeClaim => {
            let spec = section(object, "spec");
            default(spec, "volumeMode", || json!("Filesystem"));
            default(spec, "storageClassName", || json!("standard"));
        }
        ResourceType::Secret => default(object, "type", || json!("Opaque")),
        ResourceType::Namespace => {
            let name = object["metadata"]["name"].clone();
            section(section(object, "metadata"), "labels")["kubernetes.io/metadata.name"] = name;
            default(section(object, "spec"), "finalizers", || json!(["kubernetes"]));
        }
        ResourceType::RoleBinding | ResourceType::ClusterRoleBinding => {
            let group = "rbac.authorization.k8s.io";
            default(section(object, "roleRef"), "apiGroup", || json!(group));
            for subject in items(object, "subjects") {
                let is_account = subject["kind"] == "ServiceAccount";
                if !is_account {
                    default(subject, "apiGroup", || json!(group));
                }
            }
        }
        ResourceType::Endpoints => {
            for subset in items(object, "subsets") {
                items(subset, "ports").for_each(|port| default(port, "protocol", || json!("TCP")));
            }
        }
        _ => {}
    }
}

fn fill_deployment(object: &mut Value) {
    let spec = section(object, "spec");
    default(spec, "replicas", || json!(1));
    default(spec, "revisionHistoryLimit", || json!(10));
    default(spec, "progressDeadlineSeconds", || json!(600));
    let strategy = section(spec, "strategy");
    default(strategy, "type", || json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        let rolling = section(strategy, "rollingUpdate");
        default(rolling, "maxUnavailable", || json!("25%"));
        default(rolling, "maxSurge", || json!("25%"));
    } else if let Some(members) = strategy.as_object_mut() {
        members.remove("rollingUpdate");
    }
    fill_pod(section(section(spec, "template"), "spec"));
}

fn fill_job(spec: &mut Value) {
    default(spec, "backoffLimit", || json!(6));
    default(spec, "completions", || json!(1));
    default(spec, "parallelism", || json!(1));
    default(spec, "completionMode", || json!("NonIndexed"));
    default(spec, "podReplacementPolicy", || json!("TerminatingOrFailed"));
    default(spec, "suspend", || json!(false));
    fill_pod(section(section(spec, "template"), "spec"));
}

fn fill_pod(pod: &mut Value) {
    default(pod, "restartPolicy", || json!("Always"));
    default(pod, "dnsPolicy", || json!("ClusterFirst"));
    default(pod, "schedulerName", || json!("default-scheduler"));
    default(pod, "securityContext", || json!({}));
    default(pod, "terminationGracePeriodSeconds", || json!(30));
    if let Some(account) = pod.get("serviceAccountName").cloned() {
        default(pod, "serviceAccount", || account);
    }
    items(pod, "containers").for_each(fill_container);
    items(pod, "initContainers").for_each(fill_container);
    for volume in items(pod, "volumes") {
        if volume.as_object().is_some_and(|members| members.len() == 1) {
            section(volume, "emptyDir");
        }
        for name in ["configMap", "secret", "projected"] {
            if let Some(source) = volume.get_mut(name) {
                default(source, "defaultMode", || json!(420));
            }
        }
        if let Some(source) = volume.get_mut("hostPath") {
            default(source, "type", || json!(""));
        }
    }
}

fn fill_container(container: &mut Value) {
    default(container, "terminationMessagePath", || json!("/dev/termination-log"));
    default(container, "terminationMessagePolicy", || json!("File"));
    let image = container["image"].as_str().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    let moves = !last.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    default(container, "imagePullPolicy", || json!(if moves { "Always" } else { "IfNotPresent" }));
    default(container, "resources", || json!({}));
    items(container, "ports").for_each(|port| default(port, "protocol", || json!("TCP")));
    for variable in items(container, "env") {
        if let Some(reference) = variable.get_mut("valueFrom").and_then(|from| from.get_mut("fieldRef")) {
            default(reference, "apiVersion", || json!("v1"));
        }
    }
    for name in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(name) else { continue };
        default(probe, "timeoutSeconds", || json!(1));
        default(probe, "periodSeconds", || json!(10));
        default(probe, "successThreshold", || json!(1));
        default(probe, "failureThreshold", || json!(3));
        if let Some(request) = probe.get_mut("httpGet") {
            default(request, "scheme", || json!("HTTP"));
            default(request, "path", || json!("/"));
        }
    }
}

fn fill_service(spec: &mut Value, number: u64) {
    default(spec, "type", || json!("ClusterIP"));
    default(spec, "sessionAffinity", || json!("None"));
    let has_node_port = spec["type"] == "NodePort" || spec["type"] == "LoadBalancer";
    for (index, port) in items(spec, "ports").enumerate() {
        default(port, "protocol", || json!("TCP"));
        let target = port["port"].clone();
        default(port, "targetPort", || target);
        if !has_node_port && let Some(members) = port.as_object_mut() {
            members.remove("nodePort");
        }
        if has_node_port {
            let node_port = 30_000 + (number * 7 + u64::try_from(index).unwrap_or_default()) % 2_768;
            default(port, "nodePort", || json!(node_port));
        }
    }
    if spec["type"] == "ExternalName" {
        return;
    }
    let address = format!("10.96.{}.{}", (number / 250) % 250, number % 250 + 2);
    default(spec, "clusterIP", || json!(address));
    let address = spec["clusterIP"].clone();
    default(spec, "clusterIPs", || json!([address]));
    default(spec, "internalTrafficPolicy", || json!("Cluster"));
    if !has_node_port && let Some(members) = spec.as_object_mut() {
        members.remove("externalTrafficPolicy");
    }
    if has_node_port {
        default(spec, "externalTrafficPolicy", || json!("Cluster"));
    }
    default(spec, "ipFamilies", || json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", || json!("SingleStack"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empties_are_dropped_as_the_server_drops_them() {
        let mut object = json!({"metadata": {"labels": {}}, "spec": {"imagePullSecrets": [], "emptyDir": {},
            "env": [{"name": "A", "value": ""}], "volumeMounts": [{"name": "x", "readOnly": false}]}});
        normalise(ResourceType::Deployment, &mut object);
        assert_eq!(
            object,
            json!({"metadata": {}, "spec": {"emptyDir": {}, "env": [{"name": "A"}], "volumeMounts": [{"name": "x"}]}})
        );
    }

    #[test]
    fn string_data_becomes_data() {
        let mut object = json!({"data": {"a": "YQ=="}, "stringData": {"b": "b"}});
        normalise(ResourceType::Secret, &mut object);
        assert_eq!(object, json!({"data": {"a": "YQ==", "b": "Yg=="}}));
    }

    #[test]
    fn deployments_get_the_servers_defaults() {
        let mut object = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "web", "image": "host:5000/web", "ports": [{"containerPort": 80}],
             "resources": {"limits": {"cpu": "1"}}}]}}}});
        fill(ResourceType::Deployment, &mut object, "uid", 1);
        let pod = &object["spec"]["template"]["spec"];
        assert_eq!(object["spec"]["progressDeadlineSeconds"], json!(600));
        assert_eq!(pod["terminationGracePeriodSeconds"], json!(30));
        assert_eq!(pod["containers"][0]["imagePullPolicy"], json!("Always"));
        assert_eq!(pod["containers"][0]["ports"][0]["protocol"], json!("TCP"));
        // Requests are filled in for pods, not for their templates.
        assert_eq!(pod["containers"][0]["resources"], json!({"limits": {"cpu": "1"}}));
    }

    #[test]
    fn services_get_an_address_and_external_names_do_not() {
        let mut service = json!({"spec": {"ports": [{"port": 80}]}});
        fill(ResourceType::Service, &mut service, "uid", 7);
        assert_eq!(service["spec"]["clusterIP"], json!("10.96.0.9"));
        assert_eq!(service["spec"]["ports"], json!([{"port": 80, "protocol": "TCP", "targetPort": 80}]));
        let mut external = json!({"spec": {"type": "ExternalName", "externalName": "example.com"}});
        fill(ResourceType::Service, &mut external, "uid", 7);
        assert!(external["spec"].get("clusterIP").is_none());
    }
}
