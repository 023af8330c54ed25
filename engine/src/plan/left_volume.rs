//! Volumes that somebody's claim left behind: made for a claim that is gone, kept by their reclaim policy, with bytes that are
//! nowhere but in a kind node. No register and no state knows them any more.

use std::collections::BTreeSet;

use crate::address::{ObjectKey, ResourceType};
use crate::plan::PlanInput;
use crate::plan::locate::{Look, kept_in_node};
use crate::resource::Target;

/// A volume whose claim is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftVolume {
    /// The PersistentVolume.
    pub key: ObjectKey,
    /// The claim that it was made for.
    pub claim: ObjectKey,
}

/// Those of a cluster, as far as they were seen.
#[must_use]
pub fn left_volumes(input: &PlanInput, target: &Target) -> Vec<LeftVolume> {
    if target.kind_cluster().is_none() {
        return Vec::new();
    }
    let look = Look::new(input, target);
    let Some(objects) = look.objects() else { return Vec::new() };
    let recorded: BTreeSet<&ObjectKey> =
        input.states.values().flat_map(|state| state.resources.values().map(|recorded| &recorded.key)).collect();
    let volumes = objects.iter().filter(|(key, _)| key.resource_type == ResourceType::PersistentVolume);
    volumes
        .filter(|(key, _)| !recorded.contains(key))
        .filter_map(|(key, live)| {
            let claimant = live.attributes.pointer("/spec/claimRef")?;
            let name = |member: &str| claimant[member].as_str().unwrap_or_default();
            let claim = ObjectKey::new(ResourceType::PersistentVolumeClaim, name("namespace"), name("name"));
            // A claim of that name that was made again has another volume.
            let is_held = objects
                .get(&claim)
                .is_some_and(|held| held.attributes["spec"]["volumeName"].as_str() == Some(&*key.name));
            (!is_held && kept_in_node(&look, &live.attributes)).then(|| LeftVolume { key: key.clone(), claim })
        })
        .collect()
}
