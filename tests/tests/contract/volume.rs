//! Volumes and claims: binding, and what is left when one of them goes.

use serde_json::{Value, json};

use crate::bed::{Bed, key_of};
use crate::objects::{claim, volume};

fn is_in_phase(phase: &'static str) -> impl Fn(Option<&Value>) -> bool {
    move |object| object.is_some_and(|object| object["status"]["phase"] == phase)
}

pub async fn a_claim_is_bound_to_the_volume_it_names(bed: &Bed) {
    let (volume, claim) = (volume(bed, "v", "1Gi"), claim(bed, "c", "1Gi", Some("v")));
    bed.created(&volume).await;
    bed.eventually(&key_of(&volume), "available", is_in_phase("Available")).await;
    let made = bed.created(&claim).await;
    bed.eventually(&key_of(&claim), "bound", is_in_phase("Bound")).await;
    bed.eventually(&key_of(&volume), "bound", is_in_phase("Bound")).await;
    let bound = bed.read(&key_of(&volume)).await;
    assert_eq!(bound["spec"]["claimRef"]["name"], "c");
    assert_eq!(bound["spec"]["claimRef"]["namespace"], bed.namespace);
    assert_eq!(bound["spec"]["claimRef"]["uid"], made.uid);
    let bound = bed.read(&key_of(&claim)).await;
    assert_eq!(bound["status"]["capacity"], json!({"storage": "1Gi"}));
    assert_eq!(bound["status"]["accessModes"], json!(["ReadWriteOnce"]));
    // What the controllers wrote is no difference, and is not in the way of the next update.
    for object in [&volume, &claim] {
        let before = bed.seen(&key_of(object)).await.unwrap();
        let after = bed.updated(object, &before.uid).await;
        assert_eq!(after.attributes["spec"], before.attributes["spec"]);
    }
}

pub async fn a_claim_that_names_none_gets_the_smallest_that_fits(bed: &Bed) {
    for (name, size) in [("small", "1Gi"), ("large", "20Gi"), ("middle", "10Gi")] {
        let volume = volume(bed, name, size);
        bed.created(&volume).await;
        bed.eventually(&key_of(&volume), "available", is_in_phase("Available")).await;
    }
    let claim = claim(bed, "c", "5Gi", None);
    bed.created(&claim).await;
    bed.eventually(&key_of(&claim), "bound", is_in_phase("Bound")).await;
    assert_eq!(bed.read(&key_of(&claim)).await["spec"]["volumeName"], bed.name("middle"));
}

/// A claim may come first and wait for its volume.
pub async fn a_claim_waits_for_its_volume(bed: &Bed) {
    let (volume, claim) = (volume(bed, "v", "1Gi"), claim(bed, "c", "1Gi", Some("v")));
    bed.created(&claim).await;
    bed.eventually(&key_of(&claim), "pending", is_in_phase("Pending")).await;
    bed.created(&volume).await;
    bed.eventually(&key_of(&claim), "bound", is_in_phase("Bound")).await;
}

pub async fn a_volume_whose_claim_went_is_released_to_nobody(bed: &Bed) {
    let (volume, claim) = (volume(bed, "v", "1Gi"), claim(bed, "c", "1Gi", Some("v")));
    bed.created(&volume).await;
    let first = bed.created(&claim).await;
    bed.eventually(&key_of(&volume), "bound", is_in_phase("Bound")).await;
    bed.eventually(&key_of(&claim), "bound", is_in_phase("Bound")).await;
    bed.delete(&key_of(&claim), Some(&first.uid)).await.unwrap();
    bed.eventually(&key_of(&volume), "released", is_in_phase("Released")).await;
    assert_eq!(bed.read(&key_of(&volume)).await["spec"]["claimRef"]["uid"], first.uid);
    // A claim of the same name is another: the volume still waits for the first.
    let second = bed.created(&claim).await;
    bed.eventually(&key_of(&claim), "pending", is_in_phase("Pending")).await;
    assert_eq!(bed.read(&key_of(&volume)).await["spec"]["claimRef"]["uid"], first.uid);
    bed.others.edit(&key_of(&volume), "kubectl-edit", "spec.claimRef", None).await;
    bed.eventually(&key_of(&claim), "bound", is_in_phase("Bound")).await;
    bed.eventually(&key_of(&volume), "bound to the second claim", |volume| {
        volume.is_some_and(|volume| volume["spec"]["claimRef"]["uid"] == second.uid)
    })
    .await;
}

/// A volume that is bound is marked, and goes when its claim has gone.
pub async fn a_volume_in_use_goes_after_its_claim(bed: &Bed) {
    let (volume, claim) = (volume(bed, "v", "1Gi"), claim(bed, "c", "1Gi", Some("v")));
    bed.created(&volume).await;
    let claimed = bed.created(&claim).await;
    bed.eventually(&key_of(&volume), "bound", is_in_phase("Bound")).await;
    bed.eventually(&key_of(&claim), "bound", is_in_phase("Bound")).await;
    bed.others.delete(&key_of(&volume)).await;
    assert!(bed.seen(&key_of(&volume)).await.unwrap().terminating);
    assert_eq!(bed.read(&key_of(&volume)).await["status"]["phase"], "Bound");
    bed.delete(&key_of(&claim), Some(&claimed.uid)).await.unwrap();
    bed.eventually(&key_of(&volume), "gone", |volume| volume.is_none()).await;
}

/// In the right order both are gone when their deletes end, and can be made anew and bound again.
pub async fn claim_and_volume_are_made_anew(bed: &Bed) {
    let (volume, claim) = (volume(bed, "v", "1Gi"), claim(bed, "c", "1Gi", Some("v")));
    for _ in 0..2 {
        let volume_made = bed.created(&volume).await;
        let claim_made = bed.created(&claim).await;
        bed.eventually(&key_of(&claim), "bound", is_in_phase("Bound")).await;
        bed.delete(&key_of(&claim), Some(&claim_made.uid)).await.unwrap();
        bed.delete(&key_of(&volume), Some(&volume_made.uid)).await.unwrap();
        assert_eq!(bed.others.read(&key_of(&volume)).await, None);
    }
}
