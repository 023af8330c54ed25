//! Creating: what is not there is made, what is there is left alone.

use std::collections::BTreeSet;

use laconic_engine::apply::{Operation, Step};
use laconic_engine::diff::{flatten, project, same};
use serde_json::{Value, json};

use crate::bed::{Bed, exists, key_of};
use crate::objects::{config_map, deployment, kinds, object, sample};

/// What identifies an object belongs to nobody.
pub fn owned(object: &Value) -> BTreeSet<String> {
    let identity = ["apiVersion", "kind", "metadata.name", "metadata.namespace"];
    flatten(object).into_keys().filter(|path| !identity.contains(&path.as_str())).collect()
}

pub async fn a_created_object_is_there(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    let made = bed.created(&wanted).await;
    assert!(!made.uid.is_empty());
    assert_eq!(made.attributes["metadata"]["uid"], made.uid);
    assert_eq!(made.attributes["data"], json!({"a": "1"}));
    assert_eq!(made.attributes["apiVersion"], "v1");
    assert_eq!(made.attributes["kind"], "ConfigMap");
    assert!(!made.terminating);
    assert!(made.attributes["metadata"]["creationTimestamp"].is_string());
    assert!(made.attributes["metadata"]["resourceVersion"].is_string());
    assert_eq!(made.attributes["metadata"].get("managedFields"), None);
    assert_eq!(bed.seen(&key_of(&wanted)).await, Some(made.clone()), "the answer is what a look shows");
    assert_eq!(bed.read(&key_of(&wanted)).await, made.attributes, "the answer is what is stored");
}

pub async fn an_object_of_every_kind_is_created_as_it_was_sent(bed: &Bed) {
    for resource_type in kinds() {
        let wanted = sample(bed, resource_type);
        let made = bed.created(&wanted).await;
        let seen = bed.seen(&key_of(&wanted)).await.unwrap_or_else(|| panic!("{resource_type} is not there"));
        assert_eq!(seen.uid, made.uid, "{resource_type}");
        // Every field that was set is there, and means what was meant.
        let projection = project(&seen.attributes, &wanted);
        for (path, value) in flatten(&wanted) {
            let stored = &projection[&path];
            assert!(same(&path, stored, &value), "{resource_type} {path}: {value} was sent, {stored} is there");
        }
    }
}

pub async fn the_fields_that_were_sent_and_no_others_are_ours(bed: &Bed) {
    for resource_type in kinds() {
        let wanted = sample(bed, resource_type);
        let made = bed.created(&wanted).await;
        let ours: Vec<_> = made.owners.iter().filter(|owner| owner.manager == "laconic").collect();
        let [ours] = ours.as_slice() else { panic!("{resource_type}: {:?}", made.owners) };
        assert_eq!(ours.paths, owned(&wanted), "{resource_type}");
        assert!(!ours.time.is_empty(), "{resource_type}");
    }
}

pub async fn a_create_of_what_others_made_changes_nothing(bed: &Bed) {
    let theirs = config_map(bed, "a", json!({"a": "theirs"}));
    let there = bed.others.create(&theirs, "kubectl-create").await;
    let before = bed.read(&key_of(&theirs)).await;
    let ours = config_map(bed, "a", json!({"b": "ours"}));
    let (uid, managers) = exists(bed.create(&ours).await);
    assert_eq!((uid, managers), (there.uid, vec!["kubectl-create".to_owned()]));
    assert_eq!(bed.read(&key_of(&theirs)).await, before);
    // A force is for fields, not for objects.
    exists(bed.enact(&Step { force_conflicts: true, ..bed.step(Operation::Create, &ours) }).await);
    assert_eq!(bed.read(&key_of(&theirs)).await, before);
}

pub async fn a_create_of_what_is_ours_already_changes_nothing(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    let made = bed.created(&wanted).await;
    let (uid, managers) = exists(bed.create(&wanted).await);
    assert_eq!((uid, managers), (made.uid.clone(), vec!["laconic".to_owned()]));
    exists(bed.create(&config_map(bed, "a", json!({"a": "2"}))).await);
    assert_eq!(bed.seen(&key_of(&wanted)).await, Some(made));
}

pub async fn an_object_that_is_made_again_is_another(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    let first = bed.created(&wanted).await;
    bed.delete(&key_of(&wanted), Some(&first.uid)).await.unwrap();
    let second = bed.created(&wanted).await;
    assert_ne!(first.uid, second.uid);
}

pub async fn a_secret_comes_back_as_it_was_sent(bed: &Bed) {
    let data = json!({"binary": "AP8Q", "text": "c8OpY3JldAo=", "empty": ""});
    let wanted = object(bed, laconic_engine::address::ResourceType::Secret, "s", json!({ "data": data }));
    let made = bed.created(&wanted).await;
    assert_eq!(made.attributes["data"], data);
    assert_eq!(made.attributes["type"], "Opaque");
}

/// What the server fills in is nobody's difference.
pub async fn defaults_are_filled_in_and_are_not_ours(bed: &Bed) {
    let made = bed.created(&deployment(bed, "web")).await;
    let spec = &made.attributes["spec"];
    assert_eq!(spec["progressDeadlineSeconds"], 600);
    assert_eq!(spec["revisionHistoryLimit"], 10);
    assert_eq!(
        spec["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    );
    let container = &spec["template"]["spec"]["containers"][0];
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    assert_eq!(container["resources"], json!({"limits": {"cpu": "500m", "memory": "64Mi"}}));
    let ours = &made.owners.iter().find(|owner| owner.manager == "laconic").unwrap().paths;
    for path in ["spec.revisionHistoryLimit", "spec.template.spec.containers[web].imagePullPolicy"] {
        assert!(!ours.contains(path), "{path}");
    }
}
