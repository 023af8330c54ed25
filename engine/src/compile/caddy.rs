//! The Caddy ingress system: one per kind cluster that serves anything.
//!
//! Names, labels and behaviour are those of the system that laconic-so installs, so that a running one is adopted as it
//! is; only the backup of certificates is more careful with what it overwrites.

use serde_json::{Value, json};

use crate::address::{Address, ResourceType, Scope};
use crate::resource::Resource;

use super::lower::settle;
use super::volume::UMBRELLA;

/// The name of Caddy's IngressClass.
pub const INGRESS_CLASS: &str = "caddy";
/// The namespace of the ingress system.
pub const NAMESPACE: &str = "caddy-system";
/// The name of the controller's Deployment, Service, ServiceAccount and roles.
pub const CONTROLLER: &str = "caddy-ingress-controller";
/// The ConfigMap that Caddy reads.
pub const CONFIG_MAP: &str = "caddy-ingress-controller-configmap";
/// The image where no deployment wishes another.
pub const DEFAULT_IMAGE: &str = "ghcr.io/laconicnetwork/caddy-ingress:latest";
/// The name of the backup's CronJob, ServiceAccount and roles.
pub const BACKUP: &str = "caddy-cert-backup";
/// The name of the backup's file, in a directory of the umbrella that is called as the CronJob.
pub const BACKUP_FILE: &str = "caddy-secrets.yaml";

const BACKUP_IMAGE: &str = "alpine/kubectl:1.35.3";
const ACME_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Writes the certificates to a file beside the old one and then over it, but only when there are any: a cluster that
/// has none yet must not take the good copy away, and its Caddy has an account with the authority before it has a
/// certificate. They are asked for once, so that what is looked at is what is written. JSON is YAML too.
const BACKUP_SCRIPT: &str = "\
set -eu
umask 077
secrets=$(kubectl get secrets --namespace caddy-system --selector manager=caddy --output json)
case $secrets in
  *'.crt\"'*) ;;
  *)
    echo 'no certificates: the last copy stays'
    exit 0
    ;;
esac
printf '%s\\n' \"$secrets\" > /backup/caddy-secrets.yaml.new
mv /backup/caddy-secrets.yaml.new /backup/caddy-secrets.yaml
";

/// What is made of the cluster-level knobs.
#[derive(Clone, Copy, Debug)]
pub struct CaddySettings<'a> {
    /// The controller's image.
    pub image: &'a str,
    /// The e-mail address for the certificate authority; empty for none.
    pub acme_email: &'a str,
    /// Whether the cluster has an umbrella mount, into which certificates are saved.
    pub has_umbrella: bool,
}

struct Builder<'a> {
    cluster: &'a str,
    scope: Scope,
    resources: Vec<Resource>,
}

impl Builder<'_> {
    fn address(&self, resource_type: ResourceType, name: &str) -> Address {
        Address::new(resource_type, self.scope.clone(), name)
    }

    fn add(&mut self, resource_type: ResourceType, mut object: Value, needs: Vec<Address>) {
        object["apiVersion"] = resource_type.api_version().into();
        object["kind"] = resource_type.kind().into();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let mut resource = Resource::new(self.address(resource_type, name), Value::Null);
        resource.attributes = object.into();
        resource.needs = needs;
        resource.needs.push(match resource_type.is_namespaced() {
            true => self.address(ResourceType::Namespace, NAMESPACE),
            false => Address::kind_cluster(self.cluster),
        });
        settle(&mut resource);
        self.resources.push(resource);
    }
}

fn labels(name: &str, is_controller: bool) -> Value {
    let mut labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/instance": "caddy-ingress"});
    if is_controller {
        labels["app.kubernetes.io/component"] = "controller".into();
    }
    labels
}

fn metadata(name: &str, is_controller: bool) -> Value {
    json!({"name": name, "namespace": NAMESPACE, "labels": labels(CONTROLLER, is_controller)})
}

fn cluster_metadata(name: &str) -> Value {
    json!({"name": name, "labels": labels(CONTROLLER, false)})
}

fn tolerations() -> Value {
    let tolerate = |key: &str| json!({"key": key, "operator": "Equal", "effect": "NoSchedule"});
    json!([tolerate("node-role.kubernetes.io/master"), tolerate("node-role.kubernetes.io/control-plane")])
}

/// The objects of the ingress system.
#[must_use]
pub fn caddy_system(cluster: &str, settings: CaddySettings<'_>) -> Vec<Resource> {
    let mut builder = Builder { cluster, scope: Scope::cluster(cluster), resources: Vec::with_capacity(12) };
    builder.add(ResourceType::Namespace, json!({"metadata": cluster_metadata(NAMESPACE)}), Vec::new());
    roles(&mut builder);
    let config = json!({
        "metadata": metadata(CONFIG_MAP, false),
        "data": {"acmeCA": ACME_DIRECTORY, "email": settings.acme_email},
    });
    builder.add(ResourceType::ConfigMap, config, Vec::new());
    let service = json!({
        "metadata": metadata(CONTROLLER, true),
        "spec": {
            "type": "NodePort",
            "selector": labels(CONTROLLER, true),
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                {"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"},
            ],
        },
    });
    builder.add(ResourceType::Service, service, Vec::new());
    let mut class_metadata = cluster_metadata(INGRESS_CLASS);
    class_metadata["annotations"] = json!({"ingressclass.kubernetes.io/is-default-class": "true"});
    let class = json!({"metadata": class_metadata, "spec": {"controller": "caddy.io/ingress-controller"}});
    builder.add(ResourceType::IngressClass, class, Vec::new());
    controller(&mut builder, settings.image);
    if settings.has_umbrella {
        backup(&mut builder);
    }
    builder.resources
}

fn roles(builder: &mut Builder<'_>) {
    builder.add(ResourceType::ServiceAccount, json!({"metadata": metadata(CONTROLLER, false)}), Vec::new());
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let rules = json!([
        rule("", &["configmaps", "endpoints", "nodes", "pods", "namespaces", "services"], &["list", "watch", "get"]),
        rule("", &["secrets"], &["list", "watch", "get", "create", "update", "delete"]),
        rule("", &["events"], &["create", "patch"]),
        rule("networking.k8s.io", &["ingresses", "ingressclasses"], &["get", "list", "watch"]),
        rule("networking.k8s.io", &["ingresses/status"], &["update"]),
        rule("coordination.k8s.io", &["leases"], &["get", "create", "update", "delete"]),
    ]);
    let role = json!({"metadata": cluster_metadata(CONTROLLER), "rules": rules});
    builder.add(ResourceType::ClusterRole, role, Vec::new());
    let binding = json!({
        "metadata": cluster_metadata(CONTROLLER),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CONTROLLER},
        "subjects": [{"kind": "ServiceAccount", "name": CONTROLLER, "namespace": NAMESPACE}],
    });
    let needs = vec![
        builder.address(ResourceType::ClusterRole, CONTROLLER),
        builder.address(ResourceType::ServiceAccount, CONTROLLER),
    ];
    builder.add(ResourceType::ClusterRoleBinding, binding, needs);
}

fn controller(builder: &mut Builder<'_>, image: &str) {
    let probe = json!({"httpGet": {"path": "/healthz", "port": 9765}, "initialDelaySeconds": 3, "periodSeconds": 10});
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let port =
        |name: &str, number: u16| json!({"name": name, "containerPort": number, "hostPort": number, "protocol": "TCP"});
    let container = json!({
        "name": CONTROLLER,
        "image": image,
        "imagePullPolicy": "Always",
        "args": [format!("-config-map={NAMESPACE}/{CONFIG_MAP}"), format!("-class-name={INGRESS_CLASS}")],
        "env": [field("POD_NAME", "metadata.name"), field("POD_NAMESPACE", "metadata.namespace")],
        "ports": [port("http", 80), port("https", 443)],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "1000m", "memory": "512Mi"},
        },
        "readinessProbe": probe,
        "livenessProbe": probe,
        "securityContext": {
            "allowPrivilegeEscalation": true,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            "runAsUser": 0,
            "runAsGroup": 0,
        },
        "volumeMounts": [
            {"name": "caddy-data", "mountPath": "/data"},
            {"name": "caddy-config", "mountPath": "/config"},
        ],
    });
    let deployment = json!({
        "metadata": metadata(CONTROLLER, true),
        "spec": {
            "replicas": 1,
            // A second pod could not have the host's ports beside the first.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels(CONTROLLER, true)},
            "template": {
                "metadata": {"labels": labels(CONTROLLER, true)},
                "spec": {
                    "serviceAccountName": CONTROLLER,
                    "terminationGracePeriodSeconds": 60,
                    "nodeSelector": {"ingress-ready": "true", "kubernetes.io/os": "linux"},
                    "tolerations": tolerations(),
                    "containers": [container],
                    "volumes": [{"name": "caddy-data", "emptyDir": {}}, {"name": "caddy-config", "emptyDir": {}}],
                },
            },
        },
    });
    let needs = vec![
        builder.address(ResourceType::ServiceAccount, CONTROLLER),
        builder.address(ResourceType::ClusterRoleBinding, CONTROLLER),
        builder.address(ResourceType::ConfigMap, CONFIG_MAP),
        builder.address(ResourceType::IngressClass, INGRESS_CLASS),
    ];
    builder.add(ResourceType::Deployment, deployment, needs);
}

fn backup(builder: &mut Builder<'_>) {
    let metadata = json!({"name": BACKUP, "namespace": NAMESPACE, "labels": labels(BACKUP, false)});
    builder.add(ResourceType::ServiceAccount, json!({"metadata": metadata}), Vec::new());
    let role = json!({
        "metadata": metadata,
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}],
    });
    builder.add(ResourceType::Role, role, Vec::new());
    let binding = json!({
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": BACKUP},
        "subjects": [{"kind": "ServiceAccount", "name": BACKUP, "namespace": NAMESPACE}],
    });
    let needs =
        vec![builder.address(ResourceType::Role, BACKUP), builder.address(ResourceType::ServiceAccount, BACKUP)];
    builder.add(ResourceType::RoleBinding, binding, needs);
    let container = json!({
        "name": "backup",
        "image": BACKUP_IMAGE,
        "command": ["sh", "-c", BACKUP_SCRIPT],
        "volumeMounts": [{"name": "backup", "mountPath": "/backup"}],
    });
    let directory = json!({"path": format!("{UMBRELLA}/{BACKUP}"), "type": "DirectoryOrCreate"});
    let pod = json!({
        "serviceAccountName": BACKUP,
        "restartPolicy": "OnFailure",
        "nodeSelector": {"ingress-ready": "true"},
        "tolerations": tolerations(),
        "containers": [container],
        "volumes": [{"name": "backup", "hostPath": directory}],
    });
    let cron_job = json!({
        "metadata": metadata,
        "spec": {
            "schedule": "*/5 * * * *",
            "concurrencyPolicy": "Replace",
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"spec": {"template": {"metadata": {"labels": labels(BACKUP, false)}, "spec": pod}}},
        },
    });
    let needs = vec![
        builder.address(ResourceType::RoleBinding, BACKUP),
        builder.address(ResourceType::ServiceAccount, BACKUP),
        builder.address(ResourceType::KindMount, UMBRELLA),
    ];
    builder.add(ResourceType::CronJob, cron_job, needs);
}
