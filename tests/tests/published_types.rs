//! Every compiled object is one of the published Kubernetes types: read as such and written back, nothing is lost.

#[expect(dead_code, reason = "each test file uses its part of the fixtures")]
mod cases;

use cases::{compile_sources, names, sources};
use k8s_openapi::api::{apps, batch, core, networking, node, rbac};
use laconic_engine::address::ResourceType;
use laconic_engine::compile::caddy::{CaddySettings, caddy_system};
use laconic_engine::compile::{ClusterInput, compose_cluster};
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

fn check(resource: &Resource) {
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

fn check_case(case: &str, more_identity: &str, more_spec: &str) {
    let mut sources = sources(case, more_identity);
    let spec = cases::text(case, "deployment/spec.yml").unwrap();
    sources.insert("spec.yml", format!("{spec}\n{more_spec}").as_bytes());
    let compilation = compile_sources(case, &sources);
    let Some(compiled) = compilation.deployment else { panic!("{case}: {:#?}", compilation.findings) };
    compiled.resources.iter().for_each(check);
    let tenants = [].into();
    let planned = [(case.to_owned(), Some((compiled.tenant.clone(), compiled.wish_places.clone())))].into();
    let cluster = compose_cluster(&ClusterInput { name: "c", registered: &tenants, planned, recorded: None });
    cluster.resources.iter().for_each(check);
    let cluster_name = compiled.target.name();
    for resource in &compiled.resources {
        assert!(resource.needs.is_sorted(), "{}", resource.address);
        assert!(resource.places.is_sorted_by_key(|(path, _)| path.clone()), "{}", resource.address);
        for need in &resource.needs {
            let here = compiled.resources.iter().any(|other| other.address == *need);
            let in_cluster = need.scope.is_cluster()
                && need.scope.name() == cluster_name
                && cluster.resources.iter().any(|other| {
                    other.address.resource_type == need.resource_type
                        && (need.name.is_none() || other.address.name == need.name)
                });
            assert!(here || in_cluster, "{} needs {need}, which nobody makes", resource.address);
        }
    }
    assert!(compiled.resources.is_sorted_by(|left, right| left.address < right.address), "{case}");
}

#[test]
fn objects_of_every_fixture_are_published_types() {
    for case in names() {
        check_case(&case, "", "");
    }
}

#[test]
fn objects_of_the_compose_dialect_are_published_types() {
    for case in names() {
        // These are what only laconic-so accepts: see their notes.
        if matches!(case.as_str(), "x-hostpaths" | "x-env" | "x-unmapped-volume") {
            continue;
        }
        check_case(&case, "\ndialect: compose\n", "");
    }
}

#[test]
fn objects_of_rare_keys_are_published_types() {
    let more = "
registry-credentials: {server: ghcr.io, username: bot, token-env: TOKEN}
ca-certificates: [/etc/ca.pem]
image-pull-policy: Always
annotations: {'example.com/{name}': x}
labels: {tier: web}
node-affinities: [{label: zone, value: a}]
node-tolerations: [{key: dedicated, value: web}]
external-services:
  mail: {host: mail.example.com}
  cache: {ip: 10.0.0.9, port: 6379}
  other: {selector: {app: x}, namespace: y}
";
    for dialect in ["", "\ndialect: compose\n"] {
        check_case("x-multipod", dialect, more);
    }
}

#[test]
fn the_ingress_system_is_published_types() {
    let settings = CaddySettings { image: "caddy:1", acme_email: "", has_umbrella: true };
    caddy_system("c", settings).iter().for_each(check);
}
