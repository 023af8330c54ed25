//! A dry run answers as the real thing would, and does nothing.

use laconic_engine::address::ResourceType;
use laconic_engine::apply::{Operation, Step};
use laconic_engine::resource::Live;
use serde_json::{Value, json};

use crate::bed::{Bed, exists, key_of, refused, stale};
use crate::objects::{config_map, deployment, kinds, sample};

/// What differs from time to time: ids, times, versions, addresses out of a pool.
fn comparable(live: &Live) -> Value {
    let text = live.attributes.to_string().replace(&live.uid, "UID");
    let mut object: Value = serde_json::from_str(&text).unwrap();
    for member in ["creationTimestamp", "resourceVersion"] {
        object["metadata"].as_object_mut().unwrap().remove(member);
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        // The second in which a volume came to be.
        status.remove("lastPhaseTransitionTime");
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    object
}

pub async fn a_tried_create_answers_as_the_create_does(bed: &Bed) {
    for resource_type in kinds() {
        let wanted = sample(bed, resource_type);
        let step = bed.step(Operation::Create, &wanted);
        let tried = bed.provider.dry_run(&step).await.unwrap_or_else(|error| panic!("{resource_type}: {error}"));
        assert_eq!(bed.others.read(&key_of(&wanted)).await, None, "{resource_type} was made");
        let made = bed.created(&wanted).await;
        assert_eq!(comparable(&tried.live.unwrap()), comparable(&made), "{resource_type}");
    }
}

pub async fn a_tried_update_answers_as_the_update_does(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    let made = bed.created(&wanted).await;
    wanted["spec"]["replicas"] = 3.into();
    wanted["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "B", "value": "3"}]);
    let step = bed.update_step(&wanted, &made.uid);
    let tried = bed.provider.dry_run(&step).await.unwrap().live.unwrap();
    assert_eq!(tried.attributes["spec"]["replicas"], 3);
    assert_eq!(bed.read(&key_of(&wanted)).await["spec"], made.attributes["spec"]);
    let changed = bed.enact(&step).await.unwrap().live.unwrap();
    assert_eq!(tried.uid, changed.uid);
    assert_eq!(comparable(&tried)["spec"], comparable(&changed)["spec"]);
    assert_eq!(tried.attributes["metadata"]["generation"], changed.attributes["metadata"]["generation"]);
}

pub async fn a_dry_run_fails_as_the_real_thing_does(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    let other = "00000000-0000-4000-8000-000000000000";
    stale(bed.provider.dry_run(&bed.update_step(&wanted, other)).await);
    stale(bed.provider.dry_run(&bed.step(Operation::Update, &wanted)).await);
    let made = bed.created(&wanted).await;
    let (uid, managers) = exists(bed.provider.dry_run(&bed.step(Operation::Create, &wanted)).await);
    assert_eq!((uid, managers), (made.uid.clone(), vec!["laconic".to_owned()]));
    stale(bed.provider.dry_run(&bed.update_step(&wanted, other)).await);
    bed.others.edit(&key_of(&wanted), "kubectl-edit", "data.a", Some("theirs".into())).await;
    let step = bed.update_step(&config_map(bed, "a", json!({"a": "2"})), &made.uid);
    stale(bed.provider.dry_run(&step).await);
    bed.provider.dry_run(&Step { force_conflicts: true, ..step }).await.unwrap();
    assert_eq!(bed.read(&key_of(&wanted)).await["data"], json!({"a": "theirs"}));
    let mut homeless = wanted;
    homeless["metadata"]["namespace"] = bed.name("nowhere").into();
    refused(bed.provider.dry_run(&bed.step(Operation::Create, &homeless)).await);
    let mut class = sample(bed, ResourceType::RuntimeClass);
    let made = bed.created(&class).await;
    class["handler"] = "other".into();
    refused(bed.provider.dry_run(&bed.update_step(&class, &made.uid)).await);
}

pub async fn a_tried_delete_deletes_nothing(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({}));
    let made = bed.created(&wanted).await;
    let answer = bed.provider.dry_run(&bed.delete_step(&key_of(&wanted), Some(&made.uid))).await.unwrap();
    assert_eq!(answer.live, None);
    assert_eq!(bed.seen(&key_of(&wanted)).await, Some(made));
}
