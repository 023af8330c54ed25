//! Where objects are found on an API server.

use laconic_engine::address::{ObjectKey, ResourceType};

/// The plural name of a kind in URLs and permissions.
pub(crate) const fn plural(resource_type: ResourceType) -> &'static str {
    match resource_type {
        // What kind makes is in no API server; it never gets here.
        ResourceType::KindCluster | ResourceType::KindMount | ResourceType::KindPort | ResourceType::KindImage => "",
        ResourceType::RuntimeClass => "runtimeclasses",
        ResourceType::Namespace => "namespaces",
        ResourceType::PersistentVolume => "persistentvolumes",
        ResourceType::PersistentVolumeClaim => "persistentvolumeclaims",
        ResourceType::ConfigMap => "configmaps",
        ResourceType::Secret => "secrets",
        ResourceType::ServiceAccount => "serviceaccounts",
        ResourceType::ClusterRole => "clusterroles",
        ResourceType::ClusterRoleBinding => "clusterrolebindings",
        ResourceType::Role => "roles",
        ResourceType::RoleBinding => "rolebindings",
        ResourceType::Service => "services",
        ResourceType::Endpoints => "endpoints",
        ResourceType::Deployment => "deployments",
        ResourceType::Job => "jobs",
        ResourceType::CronJob => "cronjobs",
        ResourceType::IngressClass => "ingressclasses",
        ResourceType::Ingress => "ingresses",
    }
}

/// The URL path of a kind: `/apis/apps/v1/namespaces/shop/deployments`, or of all namespaces with an empty one.
pub(crate) fn collection(resource_type: ResourceType, namespace: &str) -> String {
    let version = resource_type.api_version();
    let root = if version.contains('/') { "apis" } else { "api" };
    let plural = plural(resource_type);
    if namespace.is_empty() || !resource_type.is_namespaced() {
        format!("/{root}/{version}/{plural}")
    } else {
        format!("/{root}/{version}/namespaces/{namespace}/{plural}")
    }
}

/// The URL path of an object.
pub(crate) fn object(key: &ObjectKey) -> String {
    format!("{}/{}", collection(key.resource_type, &key.namespace), key.name)
}

/// How servers speak of a kind: `deployments.apps`.
pub(crate) fn resource_name(resource_type: ResourceType) -> String {
    let group = resource_type.api_version().split_once('/').map_or("", |(group, _)| group);
    let dot = if group.is_empty() { "" } else { "." };
    format!("{}{dot}{group}", plural(resource_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api_conventions() {
        assert_eq!(object(&ObjectKey::new(ResourceType::Namespace, "", "shop")), "/api/v1/namespaces/shop");
        assert_eq!(
            object(&ObjectKey::new(ResourceType::Deployment, "shop", "web")),
            "/apis/apps/v1/namespaces/shop/deployments/web"
        );
        assert_eq!(collection(ResourceType::Ingress, ""), "/apis/networking.k8s.io/v1/ingresses");
        assert_eq!(resource_name(ResourceType::Ingress), "ingresses.networking.k8s.io");
    }
}
