//! What a server fills in, for the fields that cannot be changed in place: spelling such a default out, or no longer, changes
//! nothing and must not replace anything.

use serde_json::Value;

use crate::address::ResourceType;

/// Whether a field that is not set would have that value all the same.
#[must_use]
pub fn is_default(resource_type: ResourceType, path: &str, value: &Value) -> bool {
    let is = |text: &str| value == text;
    match (resource_type, path) {
        (ResourceType::PersistentVolume | ResourceType::PersistentVolumeClaim, "spec.volumeMode") => is("Filesystem"),
        (ResourceType::PersistentVolume, "spec.hostPath.type") => is(""),
        (ResourceType::Secret, "type") => is("Opaque"),
        (ResourceType::RoleBinding | ResourceType::ClusterRoleBinding, "roleRef.apiGroup") => {
            is("rbac.authorization.k8s.io")
        }
        (ResourceType::Job, "spec.completionMode") => is("NonIndexed"),
        (ResourceType::Job, "spec.completions") => *value == 1,
        (ResourceType::Job, _) => {
            path.strip_prefix("spec.template.spec.").is_some_and(|path| is_pod_default(path, value))
        }
        _ => false,
    }
}

/// The defaults of a pod that do not depend on its other fields.
fn is_pod_default(path: &str, value: &Value) -> bool {
    let field = path.rsplit('.').next().unwrap_or(path);
    match field {
        "dnsPolicy" => value == "ClusterFirst",
        "schedulerName" => value == "default-scheduler",
        "terminationGracePeriodSeconds" => *value == 30,
        "terminationMessagePath" => value == "/dev/termination-log",
        "terminationMessagePolicy" => value == "File",
        "protocol" => value == "TCP",
        "defaultMode" => *value == 420,
        "apiVersion" => path.ends_with("fieldRef.apiVersion") && value == "v1",
        "type" => path.ends_with("hostPath.type") && value == "",
        "value" | "workingDir" | "hostname" | "subdomain" | "subPath" => value == "",
        "readOnly" | "hostNetwork" | "hostPID" | "hostIPC" | "stdin" | "stdinOnce" | "tty" => *value == false,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_default_is_one_in_its_place_only() {
        let job =
            |path: &str, value: Value| is_default(ResourceType::Job, &format!("spec.template.spec.{path}"), &value);
        assert!(job("terminationGracePeriodSeconds", json!(30)));
        assert!(!job("terminationGracePeriodSeconds", json!(31)));
        assert!(job("volumes[a].hostPath.type", json!("")));
        assert!(!job("automountServiceAccountToken", json!(false)));
        assert!(is_default(ResourceType::PersistentVolumeClaim, "spec.volumeMode", &json!("Filesystem")));
        assert!(!is_default(ResourceType::PersistentVolumeClaim, "spec.storageClassName", &json!("")));
    }
}
