//! The published Kubernetes types: objects read as such and written back.

use k8s_openapi::api::{apps, batch, core, networking, node, rbac};
use laconic_engine::address::ResourceType;
use laconic_engine::resource::Resource;
use laconic_engine::secret::is_placeholder;
use serde_json::{Value, json};

/// The object with text where secrets will be.
fn with_secrets(value: &Value, in_data: bool) -> Value {
    match value {
        // Base64, as a Secret's data are.
        placeholder if is_placeholder(placeholder) => json!(if in_data { "c2VjcmV0" } else { "secret" }),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), with_secrets(member, in_data || key == "data")))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| with_secrets(item, in_data)).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

fn through<T: serde::de::DeserializeOwned + serde::Serialize>(object: &Value) -> Value {
    let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object:#}"));
    serde_json::to_value(typed).unwrap()
}

/// Empty lists and objects mean the same as none, and the types leave some of them out.
fn without_empty(value: &Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null => true,
        _ => false,
    };
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(key, member)| (key.clone(), without_empty(member)));
            members.filter(|(_, member)| !is_empty(member)).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(without_empty).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

pub fn check(resource: &Resource) {
    if !resource.address.resource_type.is_kubernetes() {
        return;
    }
    let object = with_secrets(&resource.attributes.value(), false);
    let back = match resource.address.resource_type {
        ResourceType::RuntimeClass => through::<node::v1::RuntimeClass>(&object),
        ResourceType::Namespace => through::<core::v1::Namespace>(&object),
        ResourceType::PersistentVolume => through::<core::v1::PersistentVolume>(&object),
        ResourceType::PersistentVolumeClaim => through::<core::v1::PersistentVolumeClaim>(&object),
        ResourceType::ConfigMap => through::<core::v1::ConfigMap>(&object),
        ResourceType::Secret => through::<core::v1::Secret>(&object),
        ResourceType::ServiceAccount => through::<core::v1::ServiceAccount>(&object),
        ResourceType::ClusterRole => through::<rbac::v1::ClusterRole>(&object),
        ResourceType::ClusterRoleBinding => through::<rbac::v1::ClusterRoleBinding>(&object),
        ResourceType::Role => through::<rbac::v1::Role>(&object),
        ResourceType::RoleBinding => through::<rbac::v1::RoleBinding>(&object),
        ResourceType::Service => through::<core::v1::Service>(&object),
        ResourceType::Endpoints => through::<core::v1::Endpoints>(&object),
        ResourceType::Deployment => through::<apps::v1::Deployment>(&object),
        ResourceType::Job => through::<batch::v1::Job>(&object),
        ResourceType::CronJob => through::<batch::v1::CronJob>(&object),
        ResourceType::IngressClass => through::<networking::v1::IngressClass>(&object),
        ResourceType::Ingress => through::<networking::v1::Ingress>(&object),
        other => panic!("{other} is no Kubernetes object"),
    };
    assert_eq!(without_empty(&object), without_empty(&back), "{}", resource.address);
    assert_eq!(object["apiVersion"], resource.address.resource_type.api_version(), "{}", resource.address);
    assert_eq!(object["kind"], resource.address.resource_type.kind(), "{}", resource.address);
}
