//! Deleting: only the object that is expected, and until it is gone.

use laconic_engine::address::{ObjectKey, ResourceType};
use serde_json::json;

use crate::bed::{Bed, key_of, stale, transient};
use crate::objects::{config_map, deployment, kinds, object, sample};

pub async fn what_was_deleted_is_gone(bed: &Bed) {
    for resource_type in kinds() {
        let wanted = sample(bed, resource_type);
        let made = bed.created(&wanted).await;
        let answer = bed.delete(&key_of(&wanted), Some(&made.uid)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{resource_type}: {error}"));
        assert_eq!(answer.live, None, "{resource_type}");
        assert_eq!(bed.others.read(&key_of(&wanted)).await, None, "{resource_type}");
    }
}

pub async fn a_delete_of_another_object_deletes_nothing(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({}));
    bed.created(&wanted).await;
    let before = bed.read(&key_of(&wanted)).await;
    let other = "00000000-0000-4000-8000-000000000000";
    let said = stale(bed.delete(&key_of(&wanted), Some(other)).await);
    assert!(said.contains(other), "{said}");
    assert_eq!(bed.read(&key_of(&wanted)).await, before);
}

pub async fn a_delete_of_what_is_absent_is_done(bed: &Bed) {
    for resource_type in kinds() {
        let key = key_of(&sample(bed, resource_type));
        for uid in [None, Some("00000000-0000-4000-8000-000000000000")] {
            let answer = bed.delete(&key, uid).await;
            assert!(answer.is_ok(), "{resource_type}: {answer:?}");
        }
    }
    let nowhere = ObjectKey::new(ResourceType::ConfigMap, &bed.name("nowhere"), "a");
    bed.delete(&nowhere, None).await.unwrap();
}

pub async fn a_delete_without_an_expected_uid_takes_what_is_there(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({}));
    bed.created(&wanted).await;
    bed.delete(&key_of(&wanted), None).await.unwrap();
    assert_eq!(bed.others.read(&key_of(&wanted)).await, None);
}

pub async fn a_namespace_takes_along_what_is_in_it(bed: &Bed) {
    let namespace = sample(bed, ResourceType::Namespace);
    let made = bed.created(&namespace).await;
    let name = made.attributes["metadata"]["name"].clone();
    let mut inside = vec![config_map(bed, "a", json!({"a": "1"})), deployment(bed, "web")];
    for object in &mut inside {
        object["metadata"]["namespace"] = name.clone();
        bed.created(object).await;
    }
    bed.delete(&key_of(&namespace), Some(&made.uid)).await.unwrap();
    assert_eq!(bed.others.read(&key_of(&namespace)).await, None);
    // A new one of that name is empty.
    bed.created(&namespace).await;
    for object in &inside {
        assert_eq!(bed.others.read(&key_of(object)).await, None);
    }
}

/// Something in it that does not go keeps the namespace, in which nothing can be made meanwhile.
pub async fn nothing_is_made_in_a_namespace_on_its_way_out(bed: &Bed) {
    let namespace = sample(bed, ResourceType::Namespace);
    bed.created(&namespace).await;
    let mut held = config_map(bed, "held", json!({}));
    held["metadata"]["namespace"] = namespace["metadata"]["name"].clone();
    let mut late = held.clone();
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    late["metadata"]["name"] = "late".into();
    bed.created(&held).await;
    bed.others.delete(&key_of(&namespace)).await;
    assert!(bed.seen(&key_of(&namespace)).await.unwrap().terminating);
    let said = transient(bed.create(&late).await);
    assert!(said.contains("terminated"), "{said}");
    assert_eq!(bed.others.read(&key_of(&late)).await, None);
    bed.eventually(&key_of(&held), "on its way out", |object| {
        object.is_some_and(|object| object["metadata"]["deletionTimestamp"].is_string())
    })
    .await;
    bed.others.edit(&key_of(&held), "test", "metadata.finalizers", None).await;
    bed.eventually(&key_of(&namespace), "gone", |object| object.is_none()).await;
    bed.created(&namespace).await;
}

/// Until nobody holds it any more, what is deleted is still there and says that it is going.
pub async fn what_has_a_finalizer_goes_when_it_is_taken_off(bed: &Bed) {
    let mut held = config_map(bed, "held", json!({"a": "1"}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let made = bed.created(&held).await;
    bed.others.delete(&key_of(&held)).await;
    let seen = bed.seen(&key_of(&held)).await.unwrap();
    assert!(seen.terminating);
    assert_eq!((seen.uid, &seen.attributes["data"]), (made.uid, &json!({"a": "1"})));
    bed.others.edit(&key_of(&held), "test", "metadata.finalizers", None).await;
    bed.eventually(&key_of(&held), "gone", |object| object.is_none()).await;
}

pub async fn a_system_namespace_is_not_deleted(bed: &Bed) {
    let key = ObjectKey::new(ResourceType::Namespace, "", "kube-system");
    let said = crate::bed::refused(bed.delete(&key, None).await);
    assert!(said.contains("kube-system"), "{said}");
    assert!(!bed.seen(&key).await.unwrap().terminating);
}

/// The pods have ended when a workload is gone: only then may their volumes be touched.
pub async fn a_workload_takes_its_pods_along(bed: &Bed) {
    let wanted = deployment(bed, "web");
    let made = bed.created(&wanted).await;
    let mut claim = object(bed, ResourceType::PersistentVolumeClaim, "data", json!({}));
    claim["spec"] = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "none-such",
                           "resources": {"requests": {"storage": "1Gi"}}});
    let claimed = bed.created(&claim).await;
    bed.delete(&key_of(&wanted), Some(&made.uid)).await.unwrap();
    bed.delete(&key_of(&claim), Some(&claimed.uid)).await.unwrap();
    assert_eq!(bed.others.read(&key_of(&claim)).await, None);
}
