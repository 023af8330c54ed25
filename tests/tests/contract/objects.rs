//! Objects to try things on.

use laconic_engine::address::ResourceType;
use serde_json::{Value, json};

use crate::bed::Bed;

/// The kinds that live in an API server.
pub fn kinds() -> impl Iterator<Item = ResourceType> {
    ResourceType::ALL.iter().copied().filter(|one| one.is_kubernetes())
}

/// An object of a kind with what everybody gives it: a name and the label `app`.
pub fn object(bed: &Bed, resource_type: ResourceType, name: &str, rest: Value) -> Value {
    let (api_version, kind) = (resource_type.api_version(), resource_type.kind());
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"labels": {"app": "shop"}}});
    match resource_type.is_namespaced() {
        true => {
            object["metadata"]["name"] = name.into();
            object["metadata"]["namespace"] = bed.namespace.as_str().into();
        }
        false => object["metadata"]["name"] = bed.name(name).into(),
    }
    if let Value::Object(members) = rest {
        for (member, value) in members {
            object[member] = value;
        }
    }
    object
}

pub fn config_map(bed: &Bed, name: &str, data: Value) -> Value {
    object(bed, ResourceType::ConfigMap, name, json!({ "data": data }))
}

/// A Deployment of one container `web` with environment, port and mount.
pub fn deployment(bed: &Bed, name: &str) -> Value {
    object(
        bed,
        ResourceType::Deployment,
        name,
        json!({"spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {
                "containers": [{
                    "name": "web", "image": "example/web:1.0", "args": ["-a", "-b"],
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}],
                    "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}},
                    "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
                }],
                "volumes": [{"name": "config", "configMap": {"name": "web"}}],
            }},
        }}),
    )
}

pub fn service(bed: &Bed, name: &str) -> Value {
    object(
        bed,
        ResourceType::Service,
        name,
        json!({"spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}],
        }}),
    )
}

/// A volume of a class of its own test's.
pub fn volume(bed: &Bed, name: &str, size: &str) -> Value {
    object(
        bed,
        ResourceType::PersistentVolume,
        name,
        json!({"spec": {
            "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": bed.name("class"),
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": format!("/srv/{name}")},
        }}),
    )
}

/// A claim of the same class; `volume` names the one it wants.
pub fn claim(bed: &Bed, name: &str, size: &str, volume: Option<&str>) -> Value {
    let mut claim = object(
        bed,
        ResourceType::PersistentVolumeClaim,
        name,
        json!({"spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": bed.name("class"),
            "resources": {"requests": {"storage": size}},
        }}),
    );
    if let Some(volume) = volume {
        claim["spec"]["volumeName"] = bed.name(volume).into();
    }
    claim
}

pub fn job(bed: &Bed, name: &str) -> Value {
    object(
        bed,
        ResourceType::Job,
        name,
        json!({"spec": {
            "backoffLimit": 2,
            "template": {"metadata": {"labels": {"app": name}}, "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "once", "image": "example/once:1.0", "command": ["true"]}],
            }},
        }}),
    )
}

fn cron_job(bed: &Bed, name: &str) -> Value {
    object(
        bed,
        ResourceType::CronJob,
        name,
        json!({"spec": {
            "schedule": "0 3 1 1 *",
            "suspend": true,
            "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "OnFailure",
                "containers": [{"name": "once", "image": "example/once:1.0"}],
            }}}},
        }}),
    )
}

fn ingress(bed: &Bed, name: &str) -> Value {
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    object(
        bed,
        ResourceType::Ingress,
        name,
        json!({"spec": {
            "ingressClassName": "caddy",
            "rules": [{"host": format!("{}.example", bed.namespace), "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": backend},
                {"path": "/api", "pathType": "Prefix", "backend": backend},
            ]}}],
            "tls": [{"hosts": [format!("{}.example", bed.namespace)], "secretName": "tls"}],
        }}),
    )
}

/// One object of a kind, as a deployment has it.
pub fn sample(bed: &Bed, resource_type: ResourceType) -> Value {
    let name = resource_type.word().replace('_', "-");
    let name = name.as_str();
    let rules = json!([{"apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["get", "list"]}]);
    let subjects = json!([{"kind": "ServiceAccount", "name": "web", "namespace": bed.namespace}]);
    let role = |kind: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "reader"});
    let rest = match resource_type {
        ResourceType::Deployment => return deployment(bed, name),
        ResourceType::Job => return job(bed, name),
        ResourceType::CronJob => return cron_job(bed, name),
        ResourceType::Service => return service(bed, name),
        ResourceType::PersistentVolume => return volume(bed, name, "2000M"),
        ResourceType::PersistentVolumeClaim => return claim(bed, name, "2G", None),
        ResourceType::Ingress => return ingress(bed, name),
        ResourceType::ConfigMap => json!({"data": {"a": "1", "b.conf": "two\nlines\n"}, "binaryData": {"c": "AAEC"}}),
        ResourceType::Secret => json!({"type": "example.com/token", "data": {"token": "c2VjcmV0"}}),
        ResourceType::ServiceAccount => json!({"imagePullSecrets": [{"name": "registry"}]}),
        ResourceType::ClusterRole | ResourceType::Role => json!({ "rules": rules }),
        ResourceType::ClusterRoleBinding => json!({"roleRef": role("ClusterRole"), "subjects": subjects}),
        ResourceType::RoleBinding => json!({"roleRef": role("Role"), "subjects": subjects}),
        ResourceType::Endpoints => json!({"subsets": [{"addresses": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}],
                                                       "ports": [{"name": "db", "port": 5432, "protocol": "TCP"}]}]}),
        ResourceType::IngressClass => json!({"spec": {"controller": "caddyserver.com/ingress"}}),
        ResourceType::RuntimeClass => json!({"handler": "runsc"}),
        ResourceType::Namespace => json!({}),
        ResourceType::KindCluster | ResourceType::KindMount | ResourceType::KindPort | ResourceType::KindImage => {
            unreachable!("no object of an API server")
        }
    };
    object(bed, resource_type, name, rest)
}
