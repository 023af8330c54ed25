//! Looking: what is there is shown, what is not is not, and what is not known is called so.

use std::collections::BTreeSet;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::TargetRequest;
use laconic_engine::resource::{Observed, ObservedTarget};
use serde_json::json;

use crate::bed::{Bed, key_of};
use crate::objects::{config_map, kinds, sample};

/// The keys of a look that are of this behaviour's namespace or names.
fn here(bed: &Bed, seen: &ObservedTarget) -> BTreeSet<ObjectKey> {
    let all = seen.objects.as_ref().unwrap().keys();
    all.filter(|key| *key.namespace == *bed.namespace || key.name.starts_with(&bed.name(""))).cloned().collect()
}

pub async fn kinds_that_are_asked_for_are_listed(bed: &Bed) {
    let mut made = BTreeSet::new();
    for resource_type in kinds() {
        let wanted = sample(bed, resource_type);
        bed.created(&wanted).await;
        made.insert(key_of(&wanted));
    }
    let wanted = TargetRequest {
        types: kinds().collect(),
        keys: made.clone(),
        deployment_ids: ["shop".to_owned()].into(),
        ..TargetRequest::default()
    };
    let seen = bed.observe(wanted).await;
    assert!(seen.unlisted.is_empty(), "{:?}", seen.unlisted);
    assert!(made.is_subset(&here(bed, &seen)), "{:?}", made.difference(&here(bed, &seen)).collect::<Vec<_>>());
    for (key, live) in seen.objects.as_ref().unwrap() {
        assert_eq!(live.attributes["metadata"]["uid"], live.uid, "{key}");
        assert_eq!(live.attributes["kind"], key.resource_type.kind(), "{key}");
        assert_eq!(live.attributes["apiVersion"], key.resource_type.api_version(), "{key}");
    }
}

pub async fn a_single_object_is_found_without_its_label(bed: &Bed) {
    let mut wanted = config_map(bed, "a", json!({}));
    wanted["metadata"].as_object_mut().unwrap().remove("labels");
    bed.created(&wanted).await;
    let request = TargetRequest {
        types: [ResourceType::ConfigMap].into(),
        keys: [key_of(&wanted)].into(),
        deployment_ids: ["shop".to_owned()].into(),
        ..TargetRequest::default()
    };
    assert!(here(bed, &bed.observe(request).await).contains(&key_of(&wanted)));
    assert!(bed.seen(&key_of(&wanted)).await.is_some());
}

pub async fn a_kind_without_objects_is_empty_and_not_unknown(bed: &Bed) {
    let key = ObjectKey::new(ResourceType::CronJob, &bed.namespace, "none");
    let request = TargetRequest {
        types: [ResourceType::CronJob, ResourceType::Ingress].into(),
        keys: [key].into(),
        deployment_ids: ["shop".to_owned()].into(),
        ..TargetRequest::default()
    };
    let seen = bed.observe(request).await;
    assert!(here(bed, &seen).is_empty());
    assert!(seen.unlisted.is_empty(), "{:?}", seen.unlisted);
}

pub async fn a_cluster_says_who_it_is(bed: &Bed) {
    let seen = bed.observe(TargetRequest::default()).await;
    let namespace = bed.read(&ObjectKey::new(ResourceType::Namespace, "", "kube-system")).await;
    let identity = seen.identity.unwrap();
    assert_eq!(identity.kube_system, namespace["metadata"]["uid"].as_str().unwrap());
    // A kind cluster is also known by its node and by whose that is.
    let is_kind = bed.target.kind_cluster().is_some();
    assert_eq!((identity.daemon.is_empty(), identity.node.is_empty()), (!is_kind, !is_kind), "{identity:?}");
    assert!(matches!(seen.cluster, Observed::Present(_)), "{:?}", seen.cluster);
    assert_eq!(seen.objects, Ok([].into()));
}

pub async fn every_change_has_a_version_of_its_own(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    bed.created(&wanted).await;
    let mut versions = BTreeSet::new();
    for value in ["2", "3", "4"] {
        bed.others.edit(&key_of(&wanted), "kubectl-edit", "data.a", Some(value.into())).await;
        versions
            .insert(bed.seen(&key_of(&wanted)).await.unwrap().attributes["metadata"]["resourceVersion"].to_string());
    }
    assert_eq!(versions.len(), 3);
}
