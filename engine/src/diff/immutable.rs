//! Which fields cannot be changed in place. From the validation code of Kubernetes and from kind, which fixes a cluster's
//! shape at its creation.

use serde_json::Value;

use crate::address::ResourceType;
use crate::diff::defaults::is_default;
use crate::diff::quantity::billionths;

/// Whether changing this field means deleting the object and making it again.
#[must_use]
pub fn forces_replacement(
    resource_type: ResourceType,
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
) -> bool {
    let under =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    // A default that is spelled out, or no longer, changes nothing.
    match (before, after) {
        (None, Some(value)) | (Some(value), None) if is_default(resource_type, path, value) => return false,
        _ => {}
    }
    match resource_type {
        // kind applies its configuration only when it creates a cluster.
        ResourceType::KindCluster | ResourceType::KindMount | ResourceType::KindPort => true,
        ResourceType::PersistentVolume => {
            under("spec.hostPath") || under("spec.volumeMode") || under("spec.nodeAffinity")
        }
        ResourceType::PersistentVolumeClaim => {
            // Growth is in place only with an expandable class, which neither static nor kind's local volumes have.
            under("spec") && !is_same_amount(before, after)
        }
        ResourceType::Deployment => under("spec.selector"),
        ResourceType::Service => under("spec.clusterIP"),
        ResourceType::Job => {
            const FIXED: [&str; 8] = [
                "spec.template",
                "spec.selector",
                "spec.completions",
                "spec.completionMode",
                "spec.backoffLimitPerIndex",
                "spec.podFailurePolicy",
                "spec.successPolicy",
                "spec.managedBy",
            ];
            FIXED.iter().any(|field| under(field))
        }
        ResourceType::Secret => under("type"),
        ResourceType::RoleBinding | ResourceType::ClusterRoleBinding => under("roleRef"),
        ResourceType::IngressClass => under("spec.controller"),
        ResourceType::RuntimeClass => under("handler"),
        _ => false,
    }
}

fn is_same_amount(before: Option<&Value>, after: Option<&Value>) -> bool {
    let amount = |value: Option<&Value>| value.and_then(Value::as_str).and_then(billionths);
    matches!((amount(before), amount(after)), (Some(before), Some(after)) if before == after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_components_count() {
        assert!(forces_replacement(ResourceType::Deployment, "spec.selector.matchLabels.app", None, None));
        assert!(!forces_replacement(ResourceType::Deployment, "spec.selectorish", None, None));
        assert!(forces_replacement(ResourceType::Secret, "type", None, None));
        assert!(!forces_replacement(ResourceType::ConfigMap, "data.x", None, None));
        assert!(forces_replacement(ResourceType::Job, "spec.completions", None, Some(&json!(2))));
        assert!(!forces_replacement(ResourceType::Job, "spec.backoffLimit", None, Some(&json!(2))));
    }

    #[test]
    fn a_default_that_is_spelled_out_replaces_nothing() {
        let volume_mode =
            |before, after| forces_replacement(ResourceType::PersistentVolumeClaim, "spec.volumeMode", before, after);
        let (default, other) = (json!("Filesystem"), json!("Block"));
        assert!(!volume_mode(None, Some(&default)));
        assert!(!volume_mode(Some(&default), None));
        assert!(volume_mode(None, Some(&other)));
        assert!(volume_mode(Some(&default), Some(&other)));
        assert!(volume_mode(Some(&other), None));
    }
}
