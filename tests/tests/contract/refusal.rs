//! What the server will not do, and how that is said.

use laconic_engine::address::ResourceType;
use serde_json::{Value, json};

use crate::bed::{Bed, key_of, refused};
use crate::objects::{claim, config_map, deployment, job, sample, service, volume};

pub async fn nothing_is_made_in_a_namespace_that_is_not_there(bed: &Bed) {
    let mut wanted = config_map(bed, "a", json!({}));
    wanted["metadata"]["namespace"] = bed.name("nowhere").into();
    let said = refused(bed.create(&wanted).await);
    assert!(said.contains("nowhere") && said.contains("not found"), "{said}");
}

/// Objects that are none, and the field that the server names.
fn invalid(bed: &Bed) -> Vec<(Value, &'static str)> {
    let changed = |mut object: Value, pointer: &str, value: Value| {
        let (above, member) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(above).unwrap()[member] = value;
        object
    };
    let without = |mut object: Value, pointer: &str| {
        let (above, member) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(above).unwrap().as_object_mut().unwrap().remove(member);
        object
    };
    let map = || config_map(bed, "a", json!({"a": "1"}));
    let web = || deployment(bed, "web");
    let pod = "/spec/template/spec";
    vec![
        (config_map(bed, "Big_Name", json!({})), "metadata.name"),
        (changed(map(), "/metadata/labels", json!({"app": "not a label"})), "metadata.labels"),
        (changed(map(), "/metadata/labels", json!({"a b": "x"})), "metadata.labels"),
        (changed(map(), "/metadata/annotations", json!({"a b": "x"})), "metadata.annotations"),
        (changed(map(), "/data", json!({"a/b": "x"})), "data[a/b]"),
        (service(bed, "Web"), "metadata.name"),
        (changed(service(bed, "web"), "/spec/ports", json!([{"port": 70_000}])), "spec.ports[0].port"),
        (changed(service(bed, "web"), "/spec/ports", json!([{"port": 1}, {"port": 2}])), "spec.ports[0].name"),
        (changed(service(bed, "web"), "/spec/type", json!("Cluster")), "spec.type"),
        (changed(web(), "/spec/template/metadata/labels", json!({"app": "other"})), "spec.template.metadata.labels"),
        (changed(web(), "/spec/replicas", json!(-1)), "spec.replicas"),
        (changed(web(), &format!("{pod}/containers"), json!([])), "spec.template.spec.containers"),
        (without(web(), &format!("{pod}/containers/0/image")), "spec.template.spec.containers[0].image"),
        (changed(web(), &format!("{pod}/containers/0/name"), json!("Web")), "spec.template.spec.containers[0].name"),
        (changed(web(), &format!("{pod}/volumes"), json!([])), "spec.template.spec.containers[0].volumeMounts[0].name"),
        (changed(web(), &format!("{pod}/restartPolicy"), json!("Never")), "spec.template.spec.restartPolicy"),
        (
            changed(
                web(),
                &format!("{pod}/containers/0/resources"),
                json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            ),
            "spec.template.spec.containers[0].resources.requests",
        ),
        (
            changed(web(), &format!("{pod}/containers/0/ports"), json!([{"containerPort": 0, "protocol": "TCP"}])),
            "spec.template.spec.containers[0].ports[0].containerPort",
        ),
        (without(job(bed, "once"), &format!("{pod}/restartPolicy")), "spec.template.spec.restartPolicy"),
        (changed(sample(bed, ResourceType::CronJob), "/spec/schedule", json!("never")), "spec.schedule"),
        (without(claim(bed, "c", "1Gi", None), "/spec/accessModes"), "spec.accessModes"),
        (without(claim(bed, "c", "1Gi", None), "/spec/resources"), "spec.resources"),
        (claim(bed, "c", "0", None), "spec.resources"),
        (without(volume(bed, "v", "1Gi"), "/spec/hostPath"), "spec"),
        (without(volume(bed, "v", "1Gi"), "/spec/accessModes"), "spec.accessModes"),
        (without(volume(bed, "v", "1Gi"), "/spec/capacity"), "spec.capacity"),
        (changed(volume(bed, "v", "1Gi"), "/spec/hostPath/path", json!("/srv/../etc")), "spec.hostPath.path"),
        (changed(sample(bed, ResourceType::Secret), "/data", json!({"a": "no base64!"})), "data"),
    ]
}

pub async fn an_invalid_object_is_refused_and_the_field_is_named(bed: &Bed) {
    let mut problems = Vec::new();
    for (object, field) in invalid(bed) {
        match bed.create(&object).await {
            Err(laconic_engine::apply::EnactError::Refused(said)) if said.contains(field) => {}
            other => problems.push(format!("{}: {field}: {other:?}", key_of(&object))),
        }
        if bed.others.read(&key_of(&object)).await.is_some() {
            bed.delete(&key_of(&object), None).await.unwrap();
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A field that nobody knows is a field that was misspelt, and would be lost.
pub async fn an_unknown_field_is_refused_and_named(bed: &Bed) {
    let mut problems = Vec::new();
    let cases = [
        (ResourceType::Deployment, "/spec", "replicsa"),
        (ResourceType::Deployment, "/spec/template/spec", "container"),
        (ResourceType::Deployment, "/spec/template/spec/containers/0", "imagePolicy"),
        (ResourceType::Deployment, "/metadata", "label"),
        (ResourceType::ConfigMap, "", "dat"),
        (ResourceType::Service, "/spec", "port"),
        (ResourceType::Service, "/spec/ports/0", "target"),
        (ResourceType::PersistentVolume, "/spec/hostPath", "mode"),
        (ResourceType::PersistentVolumeClaim, "/spec", "size"),
        (ResourceType::Ingress, "/spec", "className"),
        (ResourceType::Role, "/rules/0", "verb"),
    ];
    for (resource_type, pointer, member) in cases {
        let mut object = sample(bed, resource_type);
        object.pointer_mut(pointer).unwrap()[member] = json!("x");
        match bed.create(&object).await {
            Err(laconic_engine::apply::EnactError::Refused(said)) if said.contains(member) => {}
            other => problems.push(format!("{resource_type} {pointer}/{member}: {other:?}")),
        }
        bed.delete(&key_of(&object), None).await.unwrap();
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

pub async fn an_invalid_change_is_refused_and_nothing_changes(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    let made = bed.created(&wanted).await;
    wanted["spec"]["replicas"] = json!(-1);
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "example/web:2.0".into();
    let said = refused(bed.update(&wanted, &made.uid).await);
    assert!(said.contains("spec.replicas"), "{said}");
    assert_eq!(bed.read(&key_of(&wanted)).await["spec"], made.attributes["spec"]);
}

/// A field may not have two kinds of value.
pub async fn a_value_of_the_wrong_type_is_refused(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    wanted["spec"]["replicas"] = json!("two");
    refused(bed.create(&wanted).await);
    refused(bed.create(&config_map(bed, "a", json!({"a": 1}))).await);
    refused(bed.create(&config_map(bed, "a", json!("text"))).await);
}
