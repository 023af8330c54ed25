//! Rolling pods when the ConfigMaps or Secrets they use change.
//!
//! The pod template carries a digest of what it uses. A workload of the laconic-so dialect, and every workload for its
//! Secrets, gets it with the first change of content and keeps it from then on; until then its absence is no difference,
//! so that adoption rolls nothing. Of secrets only keyed fingerprints enter the digest.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::address::{Address, ResourceType, Scope};
use crate::compile::HOOK_ANNOTATION;
use crate::plan::PlanInput;
use crate::resource::Resource;
use crate::secret::{HMAC_MEMBER, is_placeholder};
use crate::state::Recorded;
use crate::value::Digest;

/// The annotation that carries the digest of the ConfigMaps.
pub const CONFIG_ANNOTATION: &str = "laconic.com/config-digest";
/// The annotation that carries the digest of the Secrets' fingerprints.
pub const SECRET_ANNOTATION: &str = "laconic.com/secret-digest";

/// The annotation that carries the digest of the images that were built on this host.
pub const IMAGE_ANNOTATION: &str = "laconic.com/image-digest";

/// The annotation that carries when everything was asked to be rolled (`restart --rollout`).
pub const ROLLOUT_ANNOTATION: &str = "laconic.com/rolled-out-at";

/// What a deployment's workloads become where their contents changed, and what has to be loaded to know.
#[derive(Debug, Default)]
pub struct Rollout {
    /// Workloads with a digest on their template that compiling did not put there.
    pub workloads: Vec<Resource>,
    /// Recorded forms to load first.
    pub missing: Vec<Digest>,
}

/// The workloads of one deployment that carry a digest.
#[must_use]
pub fn rollout(input: &PlanInput, resources: &[Resource], scope: &Scope) -> Rollout {
    let mut rollout = Rollout::default();
    let Some(state) = input.states.get(scope).filter(|state| !state.is_new()) else { return rollout };
    let workloads = || resources.iter().filter(|resource| resource.address.resource_type == ResourceType::Deployment);
    for workload in workloads() {
        roll(&mut rollout, workload, state.resources.get(&workload.address), input.rollout.as_deref());
    }
    let contents: BTreeMap<&Address, &Resource> = resources
        .iter()
        .filter(|resource| matches!(resource.address.resource_type, ResourceType::ConfigMap | ResourceType::Secret))
        // The kubelet reads registry credentials at each pull; no pod has to be rolled for them.
        .filter(|resource| {
            resource.address.resource_type == ResourceType::ConfigMap
                || resource.attributes.value()["type"] != "kubernetes.io/dockerconfigjson"
        })
        // What a hook has done is written down in one; no pod reads it.
        .filter(|resource| !resource.attributes.may_have_member(HOOK_ANNOTATION))
        .map(|resource| (&resource.address, resource))
        .collect();
    if contents.is_empty() {
        return rollout;
    }
    for workload in workloads() {
        let Some(recorded) = state.resources.get(&workload.address) else { continue };
        let used: Vec<&Resource> = workload.needs.iter().filter_map(|need| contents.get(need).copied()).collect();
        if used.is_empty() {
            continue;
        }
        for (annotation, resource_type) in
            [(CONFIG_ANNOTATION, ResourceType::ConfigMap), (SECRET_ANNOTATION, ResourceType::Secret)]
        {
            let used: Vec<&Resource> =
                used.iter().copied().filter(|one| one.address.resource_type == resource_type).collect();
            if used.is_empty() {
                continue;
            }
            annotate(&mut rollout, workload, recorded, &used, annotation, state);
        }
    }
    rollout
}

/// A workload that is to be rolled now, or was once: what it carries since then stays, or it would roll again.
fn roll(rollout: &mut Rollout, workload: &Resource, recorded: Option<&Recorded>, now: Option<&str>) {
    let Some(recorded) = recorded else { return };
    let stamp = match (now, &recorded.desired.value) {
        (Some(now), _) => now.to_owned(),
        (None, _) if workload.digest() == recorded.desired.digest => return,
        (None, Some(before)) => match template_annotation(before, ROLLOUT_ANNOTATION) {
            Some(stamp) => stamp.to_owned(),
            None => return,
        },
        (None, None) => {
            rollout.missing.push(recorded.desired.digest);
            return;
        }
    };
    rollout.put(workload, ROLLOUT_ANNOTATION, &stamp);
}

impl Rollout {
    /// Puts an annotation on the template of a workload.
    pub(super) fn put(&mut self, workload: &Resource, annotation: &str, value: &str) {
        let annotation = ["spec", "template", "metadata", "annotations", annotation];
        let value = json!(value);
        self.edit(workload, |resource| {
            let attributes = resource.attributes.value_mut();
            *annotation.iter().fold(attributes, |at, member| &mut at[*member]) = value;
        });
    }

    /// Changes a workload, as it was changed before if it was.
    pub(super) fn edit(&mut self, workload: &Resource, change: impl FnOnce(&mut Resource)) {
        let position = self.workloads.iter().position(|one| one.address == workload.address);
        let index = position.unwrap_or_else(|| {
            self.workloads.push(workload.clone());
            self.workloads.len() - 1
        });
        if let Some(resource) = self.workloads.get_mut(index) {
            change(resource);
        }
    }
}

fn annotate(
    rollout: &mut Rollout,
    workload: &Resource,
    recorded: &Recorded,
    used: &[&Resource],
    annotation: &str,
    state: &crate::state::State,
) {
    // Compared by digests alone as long as nothing differs.
    let settled = workload.digest() == recorded.desired.digest;
    let changed_contents: Vec<(&Resource, &Recorded)> = used
        .iter()
        .filter_map(|resource| Some((*resource, state.resources.get(&resource.address)?)))
        .filter(|(resource, recorded)| resource.digest() != recorded.desired.digest)
        .collect();
    if settled && changed_contents.is_empty() {
        return;
    }
    // What compiling put there is right.
    if template_annotation(&workload.attributes.value(), annotation).is_some() {
        return;
    }
    let missing: Vec<Digest> = changed_contents
        .iter()
        .map(|(_, recorded)| *recorded)
        .chain([recorded])
        .filter(|recorded| recorded.desired.value.is_none())
        .map(|recorded| recorded.desired.digest)
        .collect();
    if !missing.is_empty() {
        rollout.missing.extend(missing);
        return;
    }
    let before = recorded.desired.value.as_deref().and_then(|old| template_annotation(old, annotation));
    let changed = changed_contents.iter().any(|(resource, recorded)| {
        let old = recorded.desired.value.as_deref().unwrap_or(&Value::Null);
        !crate::diff::difference_paths(&content(old), &content(&resource.attributes.value())).is_empty()
    });
    let value = match (contents_digest(used), before) {
        // Nothing was ever recorded on it and nothing changed: its absence is no difference.
        (_, None) if !changed => return,
        (Some(digest), _) => digest,
        // Secrets without fingerprints cannot be compared here: keep what is recorded.
        (None, Some(before)) => before.to_owned(),
        (None, None) => return,
    };
    rollout.put(workload, annotation, &value);
}

pub(super) fn template_annotation<'a>(workload: &'a Value, annotation: &str) -> Option<&'a str> {
    workload.get("spec")?.get("template")?.get("metadata")?.get("annotations")?.get(annotation)?.as_str()
}

fn content(object: &Value) -> crate::diff::Fields {
    crate::diff::flatten(&json!({"data": object["data"], "binaryData": object["binaryData"], "type": object["type"]}))
}

/// The digest of contents; `None` when a secret among them has no fingerprint here.
#[must_use]
pub fn contents_digest(used: &[&Resource]) -> Option<String> {
    let mut all = BTreeMap::new();
    for resource in used {
        for (path, value) in content(&resource.attributes.value()) {
            let value = if is_placeholder(&value) { value[HMAC_MEMBER].as_str()?.into() } else { value };
            all.insert(format!("{} {path}", resource.address), value);
        }
    }
    Some(Digest::of(&json!(all)).short())
}
