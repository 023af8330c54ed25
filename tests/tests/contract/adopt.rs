//! Adopting: fields that others applied become ours, and no value changes.

use laconic_engine::apply::{Operation, Step};
use serde_json::json;

use crate::bed::{Bed, key_of, stale};
use crate::create::owned;
use crate::objects::{config_map, deployment, kinds, sample};

pub async fn adopted_fields_are_ours_alone_and_values_stay(bed: &Bed) {
    let wanted = deployment(bed, "web");
    bed.others.create(&wanted, "OpenAPI-Generator").await;
    let before = bed.seen(&key_of(&wanted)).await.unwrap();
    assert!(before.owners.iter().all(|owner| owner.manager != "laconic"));
    let mut step = bed.step(Operation::Adopt, &wanted);
    step.expected_uid = Some(before.uid.clone());
    let adopted = bed.enact(&step).await.unwrap().live.unwrap();
    assert_eq!(adopted.attributes["spec"], before.attributes["spec"]);
    assert_eq!(adopted.attributes["metadata"]["generation"], before.attributes["metadata"]["generation"]);
    let ours = adopted.owners.iter().find(|owner| owner.manager == "laconic").unwrap();
    assert!(
        ours.paths.is_superset(&owned(&wanted)),
        "{:?}",
        owned(&wanted).difference(&ours.paths).collect::<Vec<_>>()
    );
    for owner in adopted.owners.iter().filter(|owner| owner.manager == "OpenAPI-Generator") {
        assert!(owner.paths.is_disjoint(&owned(&wanted)), "{:?}", owner.paths);
    }
}

pub async fn what_was_adopted_goes_when_it_is_no_longer_sent(bed: &Bed) {
    let theirs = config_map(bed, "a", json!({"a": "1", "b": "2", "c": "3"}));
    bed.others.create(&theirs, "OpenAPI-Generator").await;
    let wanted = config_map(bed, "a", json!({"a": "1", "b": "2"}));
    let adopted = bed.enact(&bed.step(Operation::Adopt, &wanted)).await.unwrap().live.unwrap();
    assert_eq!(adopted.attributes["data"], json!({"a": "1", "b": "2", "c": "3"}));
    let changed = bed.updated(&config_map(bed, "a", json!({"a": "1"})), &adopted.uid).await;
    assert_eq!(changed.attributes["data"], json!({"a": "1", "c": "3"}), "what was not adopted stays");
}

/// Values that differ are taken over as they are: the next update changes them, without a force.
pub async fn values_that_differ_are_changed_by_the_next_update(bed: &Bed) {
    bed.others.create(&config_map(bed, "a", json!({"a": "theirs"})), "OpenAPI-Generator").await;
    let wanted = config_map(bed, "a", json!({"a": "ours"}));
    let adopted = bed.enact(&bed.step(Operation::Adopt, &wanted)).await.unwrap().live.unwrap();
    assert_eq!(adopted.attributes["data"], json!({"a": "theirs"}));
    let changed = bed.updated(&wanted, &adopted.uid).await;
    assert_eq!(changed.attributes["data"], json!({"a": "ours"}));
}

pub async fn adopting_twice_changes_nothing(bed: &Bed) {
    for resource_type in kinds() {
        let wanted = sample(bed, resource_type);
        bed.others.create(&wanted, "OpenAPI-Generator").await;
        let step = bed.step(Operation::Adopt, &wanted);
        let first = bed.enact(&step).await.unwrap_or_else(|error| panic!("{resource_type}: {error}")).live.unwrap();
        let second = bed.enact(&step).await.unwrap().live.unwrap();
        let versions = [&first, &second].map(|live| live.attributes["metadata"]["resourceVersion"].clone());
        // A controller may have written a status in between.
        let ours = |live: &laconic_engine::resource::Live| {
            live.owners.iter().find(|owner| owner.manager == "laconic").cloned().unwrap()
        };
        assert_eq!(ours(&first), ours(&second), "{resource_type} {versions:?}");
        assert!(ours(&first).paths.is_superset(&owned(&wanted)), "{resource_type}: {:?}", ours(&first).paths);
    }
}

pub async fn another_object_and_an_absent_one_are_not_adopted(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    stale(bed.enact(&bed.step(Operation::Adopt, &wanted)).await);
    assert_eq!(bed.others.read(&key_of(&wanted)).await, None);
    bed.others.create(&wanted, "OpenAPI-Generator").await;
    let before = bed.seen(&key_of(&wanted)).await;
    let other = Some("00000000-0000-4000-8000-000000000000".to_owned());
    stale(bed.enact(&Step { expected_uid: other, ..bed.step(Operation::Adopt, &wanted) }).await);
    assert_eq!(bed.seen(&key_of(&wanted)).await, before);
}
