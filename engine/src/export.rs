//! Objects as they are made again elsewhere: without what a server keeps of them.

use serde_json::{Map, Value};

use crate::address::{ObjectKey, ResourceType};

/// What a server writes into the metadata of every object.
const SERVER_METADATA: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];
/// Annotations that tell of one object on one cluster.
const SERVER_ANNOTATIONS: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
];
/// The annotation by which a claim was given a node.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The annotation of a volume that a provisioner made for its claim.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// The labels by which a Job knows its pods; each Job gets its own.
const JOB_LABELS: [&str; 4] =
    ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];

/// The object as it is made again; `None` for what a cluster makes by itself, what another object makes, and Jobs that
/// have completed.
#[must_use]
pub fn exported(key: &ObjectKey, object: &Value) -> Option<Value> {
    let metadata = object["metadata"].as_object()?;
    let owned = metadata.get("ownerReferences").and_then(Value::as_array).is_some_and(|owners| !owners.is_empty());
    let by_cluster = match key.resource_type {
        ResourceType::ConfigMap => &*key.name == "kube-root-ca.crt",
        ResourceType::ServiceAccount => &*key.name == "default",
        ResourceType::Endpoints | ResourceType::Secret => true,
        ResourceType::Job => crate::plan::planner::is_completed_job(object),
        ResourceType::PersistentVolume => has_annotation(metadata, PROVISIONED_BY),
        _ => !key.resource_type.is_kubernetes(),
    };
    if owned || by_cluster || metadata.contains_key("deletionTimestamp") {
        return None;
    }
    let mut clean = object.clone();
    clean["apiVersion"] = key.resource_type.api_version().into();
    clean["kind"] = key.resource_type.kind().into();
    let members = clean.as_object_mut()?;
    members.remove("status");
    if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
        SERVER_METADATA.iter().for_each(|member| drop(metadata.remove(*member)));
        without(metadata, "annotations", |name| SERVER_ANNOTATIONS.contains(&name) || name == SELECTED_NODE);
        without(metadata, "finalizers", |_| true);
    }
    let is_provisioned = has_annotation(metadata, "volume.kubernetes.io/storage-provisioner")
        || has_annotation(metadata, "volume.beta.kubernetes.io/storage-provisioner");
    if let Some(spec) = members.get_mut("spec").and_then(Value::as_object_mut) {
        clean_spec(key.resource_type, spec, is_provisioned);
    }
    Some(clean)
}

fn has_annotation(metadata: &Map<String, Value>, name: &str) -> bool {
    metadata.get("annotations").is_some_and(|annotations| annotations.get(name).is_some())
}

fn without(parent: &mut Map<String, Value>, member: &str, goes: impl Fn(&str) -> bool) {
    let is_empty = match parent.get_mut(member) {
        Some(Value::Object(map)) => {
            map.retain(|name, _| !goes(name));
            map.is_empty()
        }
        Some(_) => goes(""),
        None => false,
    };
    if is_empty {
        parent.remove(member);
    }
}

fn clean_spec(resource_type: ResourceType, spec: &mut Map<String, Value>, is_provisioned: bool) {
    match resource_type {
        ResourceType::Namespace => spec.clear(),
        ResourceType::Service if spec.get("clusterIP").is_none_or(|address| address != "None") => {
            spec.remove("clusterIP");
            spec.remove("clusterIPs");
        }
        ResourceType::PersistentVolume => {
            // It stays its claim's, which will be another object of the same name.
            if let Some(claim) = spec.get_mut("claimRef").and_then(Value::as_object_mut) {
                claim.remove("uid");
                claim.remove("resourceVersion");
            }
        }
        ResourceType::PersistentVolumeClaim if is_provisioned => drop(spec.remove("volumeName")),
        ResourceType::Job => {
            spec.remove("selector");
            let labels = spec.get_mut("template").and_then(|template| template.pointer_mut("/metadata/labels"));
            if let Some(labels) = labels.and_then(Value::as_object_mut) {
                labels.retain(|name, _| !JOB_LABELS.contains(&name.as_str()));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(resource_type: ResourceType, name: &str, object: Value) -> Option<Value> {
        exported(&ObjectKey::new(resource_type, "x", name), &object)
    }

    #[test]
    fn what_a_server_keeps_of_an_object_is_left_out() {
        let deployment = json!({
            "metadata": {"name": "web", "namespace": "x", "uid": "u", "resourceVersion": "7", "generation": 2,
                         "annotations": {"deployment.kubernetes.io/revision": "3"}, "labels": {"app": "x"}},
            "spec": {"replicas": 2}, "status": {"replicas": 2}});
        let clean = of(ResourceType::Deployment, "web", deployment).unwrap();
        let metadata = json!({"name": "web", "namespace": "x", "labels": {"app": "x"}});
        let expected =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 2}});
        assert_eq!(clean, expected);
    }

    #[test]
    fn addresses_and_volumes_of_the_old_cluster_are_left_out() {
        let service = json!({"metadata": {"name": "a"}, "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}});
        assert_eq!(of(ResourceType::Service, "a", service).unwrap()["spec"], json!({}));
        let headless = json!({"metadata": {"name": "a"}, "spec": {"clusterIP": "None"}});
        assert_eq!(of(ResourceType::Service, "a", headless).unwrap()["spec"]["clusterIP"], "None");
        let claim = |annotations: Value| json!({"metadata": {"name": "a", "annotations": annotations}, "spec": {"volumeName": "v"}});
        let dynamic = claim(json!({"volume.kubernetes.io/storage-provisioner": "p", SELECTED_NODE: "n"}));
        let dynamic = of(ResourceType::PersistentVolumeClaim, "a", dynamic).unwrap();
        assert_eq!((&dynamic["spec"], &dynamic["metadata"]), (&json!({}), &json!({"name": "a"})));
        let by_hand = of(ResourceType::PersistentVolumeClaim, "a", claim(json!({}))).unwrap();
        assert_eq!(by_hand["spec"]["volumeName"], "v");
        let volume = json!({"metadata": {"name": "v"}, "spec": {"claimRef": {"name": "a", "uid": "u"}}});
        let volume = of(ResourceType::PersistentVolume, "v", volume).unwrap();
        assert_eq!(volume["spec"]["claimRef"], json!({"name": "a"}));
    }

    #[test]
    fn what_others_make_is_left_to_them() {
        let plain = |name: &str| json!({"metadata": {"name": name}});
        let owned = json!({"metadata": {"name": "a", "ownerReferences": [{"kind": "CronJob", "name": "c"}]}});
        let done =
            json!({"metadata": {"name": "a"}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}});
        assert_eq!(of(ResourceType::ConfigMap, "kube-root-ca.crt", plain("kube-root-ca.crt")), None);
        assert_eq!(of(ResourceType::ServiceAccount, "default", plain("default")), None);
        assert_eq!(of(ResourceType::Job, "a", owned), None);
        assert_eq!(of(ResourceType::Job, "a", done), None);
        assert!(of(ResourceType::Job, "a", plain("a")).is_some());
    }
}
