//! Who owns a field, and what happens when two want it.

use laconic_engine::apply::Step;
use laconic_engine::resource::Live;
use serde_json::json;

use crate::bed::{Bed, key_of, stale};
use crate::create::owned;
use crate::objects::{config_map, deployment};

/// Those who own a field, sorted.
fn owners_of<'a>(live: &'a Live, path: &str) -> Vec<&'a str> {
    let owners = live.owners.iter().filter(|owner| owner.paths.contains(path));
    let mut managers: Vec<&str> = owners.map(|owner| owner.manager.as_str()).collect();
    managers.sort_unstable();
    managers
}

pub async fn a_field_that_others_changed_is_a_conflict(bed: &Bed) {
    let made = bed.created(&config_map(bed, "a", json!({"a": "1", "b": "2"}))).await;
    let wanted = config_map(bed, "a", json!({"a": "3", "b": "4"}));
    bed.others.edit(&key_of(&wanted), "kubectl-edit", "data.a", Some("theirs".into())).await;
    let before = bed.seen(&key_of(&wanted)).await.unwrap();
    assert_eq!(owners_of(&before, "data.a"), ["kubectl-edit"]);
    assert_eq!(owners_of(&before, "data.b"), ["laconic"]);
    let said = stale(bed.update(&wanted, &made.uid).await);
    assert!(said.contains("kubectl-edit") && said.contains(".data.a"), "{said}");
    assert!(!said.contains(".data.b"), "{said}");
    assert_eq!(bed.seen(&key_of(&wanted)).await, Some(before));
}

pub async fn a_force_takes_the_field(bed: &Bed) {
    let made = bed.created(&config_map(bed, "a", json!({"a": "1", "b": "2"}))).await;
    let wanted = config_map(bed, "a", json!({"a": "3", "b": "2"}));
    let key = key_of(&wanted);
    bed.others.edit(&key, "kubectl-edit", "data.a", Some("theirs".into())).await;
    bed.others.edit(&key, "kubectl-edit", "data.c", Some("theirs too".into())).await;
    let step = Step { force_conflicts: true, ..bed.update_step(&wanted, &made.uid) };
    let changed = bed.enact(&step).await.unwrap().live.unwrap();
    assert_eq!(changed.attributes["data"], json!({"a": "3", "b": "2", "c": "theirs too"}));
    assert_eq!(owners_of(&changed, "data.a"), ["laconic"]);
    assert_eq!(owners_of(&changed, "data.c"), ["kubectl-edit"]);
    // From now on it is ours without a force.
    bed.updated(&config_map(bed, "a", json!({"a": "4", "b": "2"})), &made.uid).await;
}

pub async fn two_who_want_the_same_share_it(bed: &Bed) {
    let made = bed.created(&config_map(bed, "a", json!({"a": "1"}))).await;
    let wanted = config_map(bed, "a", json!({"a": "2"}));
    bed.others.edit(&key_of(&wanted), "kubectl-edit", "data.a", Some("2".into())).await;
    let changed = bed.updated(&wanted, &made.uid).await;
    assert_eq!(owners_of(&changed, "data.a"), ["kubectl-edit", "laconic"]);
}

pub async fn a_conflict_within_a_list_item_names_the_item(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    let made = bed.created(&wanted).await;
    let key = key_of(&wanted);
    let image = "spec.template.spec.containers[web].image";
    bed.others.edit(&key, "kubectl-set", image, Some("example/web:9".into())).await;
    bed.others.edit(&key, "kubectl-scale", "spec.replicas", Some(5.into())).await;
    let there = bed.seen(&key).await.unwrap();
    assert_eq!(owners_of(&there, image), ["kubectl-set"]);
    assert_eq!(owners_of(&there, "spec.replicas"), ["kubectl-scale"]);
    wanted["spec"]["replicas"] = 3.into();
    let said = stale(bed.update(&wanted, &made.uid).await);
    for part in ["kubectl-set", ".image", "name=\"web\"", "kubectl-scale", ".spec.replicas"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

/// A port has no name that both sides could misspell: it is its number and protocol.
pub async fn owners_of_ports_are_found_by_number(bed: &Bed) {
    let wanted = crate::objects::service(bed, "web");
    bed.created(&wanted).await;
    let path = "spec.ports[80/tcp].targetPort";
    assert_eq!(owners_of(&bed.seen(&key_of(&wanted)).await.unwrap(), path), ["laconic"]);
    bed.others.edit(&key_of(&wanted), "kubectl-edit", path, Some(9090.into())).await;
    assert_eq!(owners_of(&bed.seen(&key_of(&wanted)).await.unwrap(), path), ["kubectl-edit"]);
}

/// The rules of an Ingress and of a Role are one field: whoever writes a part of them owns them all.
pub async fn a_list_without_keys_has_one_owner(bed: &Bed) {
    let wanted = crate::objects::sample(bed, laconic_engine::address::ResourceType::Role);
    let made = bed.created(&wanted).await;
    let verbs = json!(["get"]);
    bed.others.edit(&key_of(&wanted), "kubectl-edit", "rules[0].verbs", Some(verbs)).await;
    let there = bed.seen(&key_of(&wanted)).await.unwrap();
    assert_eq!(owners_of(&there, "rules[0].resources[0]"), ["kubectl-edit"]);
    let said = stale(bed.update(&wanted, &made.uid).await);
    assert!(said.contains(".rules"), "{said}");
    let step = Step { force_conflicts: true, ..bed.update_step(&wanted, &made.uid) };
    let changed = bed.enact(&step).await.unwrap().live.unwrap();
    assert_eq!(changed.owners.len(), 1, "{:?}", changed.owners);
    assert_eq!(changed.owners[0].paths, owned(&wanted));
}

pub async fn a_field_that_is_no_longer_sent_is_no_longer_ours(bed: &Bed) {
    let made = bed.created(&config_map(bed, "a", json!({"a": "1", "b": "2"}))).await;
    let wanted = config_map(bed, "a", json!({"b": "2"}));
    let changed = bed.updated(&wanted, &made.uid).await;
    assert_eq!(changed.owners.len(), 1);
    assert_eq!(changed.owners[0].paths, owned(&wanted));
}
