//! Readiness as a real API server, its controllers and a played kubelet make it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{Provider as _, Readiness};
use laconic_engine::resource::Target;
use laconic_providers::KubernetesProvider;
use laconic_providers::kubernetes::Connection;
use laconic_testbed::{ApiServer, AuditFilter, Behaviour, PodFilter, User};
use serde_json::{Value, json};

struct Place {
    server: &'static ApiServer,
    provider: KubernetesProvider,
    namespace: String,
}

impl Place {
    /// A namespace of its own; `None` where there is no test bed.
    fn new(name: &str) -> Option<Self> {
        if laconic_testbed::off() {
            return None;
        }
        let server = ApiServer::shared_with_controller_manager();
        server.kubelet();
        let namespace = server.namespace(name);
        Some(Self { server, provider: provider(server, User::admin()), namespace })
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.server.kubectl("admin", &[&["--namespace", self.namespace.as_str()], arguments].concat());
        assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn apply(&self, object: &Value) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(object.to_string().as_bytes()).unwrap();
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", file.path().to_str().unwrap()]);
    }

    fn patch_status(&self, what: &[&str], status: &Value) {
        let patch = json!({ "status": status }).to_string();
        self.kubectl(&[&["patch"], what, &["--subresource=status", "--type=merge", "--patch", &patch]].concat());
    }

    fn web(&self, image: &str, change: impl FnOnce(&mut Value)) {
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": format!("example.com/{image}:1")}]},
                },
            },
        });
        change(&mut deployment["spec"]);
        self.apply(&deployment);
    }

    fn pods(&self, behaviour: Behaviour) {
        self.server.kubelet().set(PodFilter::new().namespace(self.namespace.as_str()), behaviour);
    }

    /// Says, as a kubelet does, that the image of the pod that waits for one was tried to be pulled so many times.
    fn pull_failed(&self, tries: u64) {
        let pods: Value = serde_json::from_str(&self.kubectl(&["get", "pods", "--output=json"])).unwrap();
        let waits =
            |pod: &&Value| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff";
        let pod = pods["items"].as_array().unwrap().iter().find(waits).unwrap();
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "Failed", "count": tries,
            "message": "Failed to pull image \"example.com/image-pull-back-off:1\": rpc error: code = NotFound desc = \
                        example.com/image-pull-back-off:1: not found",
            "metadata": {"name": "pull-failed"},
            "involvedObject": {"kind": "Pod", "namespace": self.namespace, "name": pod["metadata"]["name"],
                               "uid": pod["metadata"]["uid"], "fieldPath": "spec.containers{web}"},
        }));
    }

    async fn ask(&self, resource_type: ResourceType, name: &str) -> Readiness {
        self.ask_as(&self.provider, resource_type, name).await
    }

    async fn ask_as(&self, provider: &KubernetesProvider, resource_type: ResourceType, name: &str) -> Readiness {
        let namespace = if resource_type.is_namespaced() { self.namespace.as_str() } else { "" };
        provider.readiness(&target(), &ObjectKey::new(resource_type, namespace, name)).await.unwrap()
    }

    async fn becomes(&self, resource_type: ResourceType, name: &str, holds: impl Fn(&Readiness) -> bool) {
        let seen = std::sync::Mutex::new(None);
        let wait = async {
            loop {
                let readiness = self.ask(resource_type, name).await;
                if holds(&readiness) {
                    return;
                }
                *seen.lock().unwrap() = Some(readiness);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_mins(2), wait).await;
        assert!(ended.is_ok(), "{name} is last seen {:?}", seen.lock().unwrap());
    }
}

fn target() -> Target {
    Target::Kubernetes("shop".to_owned())
}

fn provider(server: &ApiServer, user: User) -> KubernetesProvider {
    let connection = Connection::File { path: server.kubeconfig(user), context: None };
    KubernetesProvider::new(BTreeMap::from([(target(), connection)]))
}

fn ready(readiness: &Readiness) -> bool {
    *readiness == Readiness::Ready
}

/// It is progressing, and says all of this.
fn progressing<'a>(words: &'a [&'a str]) -> impl Fn(&Readiness) -> bool + 'a {
    move |readiness| matches!(readiness, Readiness::Progressing(why) if words.iter().all(|word| why.contains(word)))
}

/// It has failed, and says all of this.
fn failed<'a>(words: &'a [&'a str]) -> impl Fn(&Readiness) -> bool + 'a {
    move |readiness| matches!(readiness, Readiness::Failed(why) if words.iter().all(|word| why.contains(word)))
}

#[tokio::test]
async fn a_deployment_whose_new_image_is_not_there_fails_and_recovers() {
    let Some(place) = Place::new("ready-web") else { return };
    place.web("web", |_| {});
    place.becomes(ResourceType::Deployment, "web", ready).await;
    place.web("image-pull-back-off", |_| {});
    let state = "0 of 1 replicas ready, 1 old one still runs: pod web-";
    place
        .becomes(ResourceType::Deployment, "web", progressing(&[state, "image-pull-back-off:1\" cannot be pulled"]))
        .await;
    place.pull_failed(2);
    place.becomes(ResourceType::Deployment, "web", progressing(&[state, "(2 tries): example.com/image"])).await;
    place.pull_failed(3);
    place.becomes(ResourceType::Deployment, "web", failed(&[state, "(3 tries): example.com/image", "not found"])).await;
    place.web("web", |_| {});
    place.becomes(ResourceType::Deployment, "web", ready).await;
}

#[tokio::test]
async fn a_deployment_says_what_its_pods_wait_for() {
    let Some(place) = Place::new("ready-pods") else { return };
    let deployment = ResourceType::Deployment;
    place.pods(Behaviour::Unschedulable);
    place.web("web", |spec| spec["replicas"] = 2.into());
    let state = "0 of 2 replicas ready: pod web-";
    place.becomes(deployment, "web", progressing(&[state, "no node can take it: 0/1 nodes are available"])).await;
    let (reason, message) = ("CreateContainerConfigError".to_owned(), "secret \"key\" not found".to_owned());
    place.pods(Behaviour::Waiting { reason, message });
    place.becomes(deployment, "web", progressing(&[state, ": container web: secret \"key\" not found"])).await;
    place.pods(Behaviour::NotReady);
    place.becomes(deployment, "web", progressing(&[state, "runs, but is not ready yet"])).await;
    place.pods(Behaviour::CrashLoopBackOff);
    place.becomes(deployment, "web", failed(&[state, ": container web: keeps ending: exit code 1, 10 restarts"])).await;
    place.pods(Behaviour::Ready);
    place.becomes(deployment, "web", ready).await;
}

#[tokio::test]
async fn a_deployment_whose_pods_are_refused_says_by_what() {
    let Some(place) = Place::new("ready-refused") else { return };
    place.kubectl(&["create", "quota", "few", "--hard=pods=0"]);
    place.web("web", |_| {});
    let why = ["0 of 1 replicas ready: no pod can be made: exceeded quota: few"];
    place.becomes(ResourceType::Deployment, "web", progressing(&why)).await;

    // Another namespace: a ReplicaSet repeats what was said to its first try.
    let Some(place) = Place::new("ready-strict") else { return };
    place.kubectl(&["label", "namespace", &place.namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    place.web("web", |_| {});
    place.becomes(ResourceType::Deployment, "web", failed(&["no pod can be made: violates PodSecurity"])).await;
}

#[tokio::test]
async fn a_deployment_without_progress_fails_in_the_end() {
    let Some(place) = Place::new("ready-slow") else { return };
    place.pods(Behaviour::Unseen);
    place.web("web", |spec| spec["progressDeadlineSeconds"] = 1.into());
    let why = ["no progress within 1 s, 0 of 1 replicas ready: pod web-", "waits for a node"];
    place.becomes(ResourceType::Deployment, "web", failed(&why)).await;
}

#[tokio::test]
async fn a_deployment_scaled_to_nothing_is_ready_when_nothing_runs() {
    let Some(place) = Place::new("ready-none") else { return };
    place.pods(Behaviour::NeverEnds);
    place.web("web", |_| {});
    place.becomes(ResourceType::Deployment, "web", ready).await;
    place.web("web", |spec| spec["replicas"] = 0.into());
    place.becomes(ResourceType::Deployment, "web", progressing(&["pod web-", "is still being stopped"])).await;
    place.pods(Behaviour::Ready);
    place.becomes(ResourceType::Deployment, "web", ready).await;
}

#[tokio::test]
async fn jobs_end_well_or_say_how_they_ended() {
    let Some(place) = Place::new("ready-jobs") else { return };
    for (name, image, suspend) in [("good", "succeed", false), ("bad", "fail", false), ("halted", "succeed", true)] {
        place.apply(&json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "suspend": suspend, "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "once", "image": format!("example.com/{image}:1")}],
            }}},
        }));
    }
    place.becomes(ResourceType::Job, "good", ready).await;
    let why =
        ["BackoffLimitExceeded: Job has reached the specified backoff limit: pod bad-", "container once: exit code 1"];
    place.becomes(ResourceType::Job, "bad", failed(&why)).await;
    place.becomes(ResourceType::Job, "halted", progressing(&["it is suspended"])).await;
}

#[tokio::test]
async fn claims_are_ready_when_bound_or_waiting_for_a_pod() {
    let Some(place) = Place::new("ready-claims") else { return };
    let own = |name: &str| format!("{}-{name}", place.namespace);
    let volume = |name: &str, size: &str| {
        place.apply(&json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": own(name)},
            "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual",
                     "hostPath": {"path": "/nowhere"}},
        }));
    };
    let claim = |name: &str, class: &str, volume: &str| {
        place.apply(&json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
            "spec": {"storageClassName": class, "volumeName": volume, "accessModes": ["ReadWriteOnce"],
                     "resources": {"requests": {"storage": "1Gi"}}},
        }));
    };
    let claims = ResourceType::PersistentVolumeClaim;
    claim("data", "manual", &own("disk"));
    let missing = format!("volume \"{}\" does not exist", own("disk"));
    place.becomes(claims, "data", progressing(&[&missing])).await;
    volume("disk", "1Gi");
    place.becomes(claims, "data", ready).await;
    claim("second", "manual", &own("disk"));
    place.becomes(claims, "second", progressing(&["is bound to another claim,", "/data"])).await;
    volume("small", "1Mi");
    claim("large", "manual", &own("small"));
    place.becomes(claims, "large", progressing(&["holds 1Mi, and 1Gi are asked for"])).await;
    // A claim whose volume somebody takes away has lost its data.
    place.kubectl(&["patch", "pv", &own("disk"), "--type=merge", "--patch", "{\"metadata\":{\"finalizers\":null}}"]);
    place.kubectl(&["delete", "pv", &own("disk"), "--wait=false"]);
    place.kubectl(&["patch", "pv", &own("small"), "--type=merge", "--patch", "{\"metadata\":{\"finalizers\":null}}"]);

    let class = own("first-use");
    place.apply(&json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": class},
                        "provisioner": "example.com/local", "volumeBindingMode": "WaitForFirstConsumer"}));
    claim("later", &class, "");
    place.becomes(claims, "later", ready).await;
    claim("classless", &own("none"), "");
    let missing = format!("storage class \"{}\" does not exist", own("none"));
    place.becomes(claims, "classless", progressing(&[&missing])).await;
}

#[tokio::test]
async fn load_balancers_are_waited_for() {
    let Some(place) = Place::new("ready-services") else { return };
    for (name, kind) in [("inner", "ClusterIP"), ("outer", "LoadBalancer")] {
        let spec = json!({"type": kind, "ports": [{"port": 80}]});
        place.apply(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}));
    }
    assert_eq!(place.ask(ResourceType::Service, "inner").await, Readiness::Ready);
    let waits = progressing(&["no load balancer has given it an address yet"]);
    assert!(waits(&place.ask(ResourceType::Service, "outer").await));
    place.patch_status(&["service", "outer"], &json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}));
    assert_eq!(place.ask(ResourceType::Service, "outer").await, Readiness::Ready);
}

#[tokio::test]
async fn ingresses_are_ready_when_something_serves_them() {
    let Some(place) = Place::new("ready-ingresses") else { return };
    let ingress = |name: &str, class: &str| {
        place.apply(&json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "annotations": {"kubernetes.io/ingress.class": class}},
            "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
        }));
    };
    let class = |name: &str, controller: &str| {
        place.apply(&json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
                            "metadata": {"name": name}, "spec": {"controller": controller}}));
    };
    let kind = ResourceType::Ingress;
    ingress("web", "caddy");
    assert!(progressing(&["service \"web\", to which it leads, does not exist"])(&place.ask(kind, "web").await));
    let ports = json!({"ports": [{"port": 80}]});
    place.apply(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": ports}));
    assert!(progressing(&["no ingress controller serves class \"caddy\""])(&place.ask(kind, "web").await));
    class("caddy", "caddy.io/ingress-controller");
    place.pods(Behaviour::NotReady);
    let labels = json!({"app.kubernetes.io/name": "caddy-ingress-controller"});
    place.apply(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "caddy-ingress-controller", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                 "spec": {"containers": [{"name": "caddy", "image": "example.com/caddy:1"}]}}},
    }));
    let waits = ["no ingress controller runs: deployment caddy-ingress-controller in namespace", "is not ready"];
    place.becomes(kind, "web", progressing(&waits)).await;
    place.pods(Behaviour::Ready);
    place.becomes(kind, "web", ready).await;

    class("other", "example.com/other");
    ingress("api", "other");
    let waits = "ingress controller example.com/other, of class \"other\", has given it no address yet";
    assert!(progressing(&[waits])(&place.ask(kind, "api").await));
    place.patch_status(&["ingress", "api"], &json!({"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}));
    assert_eq!(place.ask(kind, "api").await, Readiness::Ready);
}

#[tokio::test]
async fn what_is_being_deleted_is_not_ready() {
    let Some(place) = Place::new("ready-leaving") else { return };
    let namespace = place.namespace.clone();
    assert_eq!(place.ask(ResourceType::Namespace, &namespace).await, Readiness::Ready);
    let held = |finalizers: Value| {
        place.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap",
                            "metadata": {"name": "held", "finalizers": finalizers}}));
    };
    held(json!(["example.com/hold"]));
    assert_eq!(place.ask(ResourceType::ConfigMap, "held").await, Readiness::Ready);
    place.kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
    place.becomes(ResourceType::ConfigMap, "held", progressing(&["it is being deleted"])).await;
    let why = ["it is being deleted: ", "configmaps. has 1 resource instances", "example.com/hold"];
    place.becomes(ResourceType::Namespace, &namespace, progressing(&why)).await;
    held(json!([]));
    let gone = |readiness: &Readiness| *readiness == Readiness::Failed("it does not exist".to_owned());
    place.becomes(ResourceType::Namespace, &namespace, gone).await;
}

#[tokio::test]
async fn few_requests_are_made_and_none_is_needed_for_the_judgement() {
    let Some(place) = Place::new("ready-limited") else { return };
    place.web("crash-loop-back-off", |_| {});
    place.becomes(ResourceType::Deployment, "web", failed(&["10 restarts"])).await;

    let user = User::new("readiness-limited");
    let name = "--user=readiness-limited";
    place.kubectl(&["create", "role", "limited", "--verb=get", "--resource=deployments.apps"]);
    place.kubectl(&["create", "rolebinding", "limited", "--role=limited", name]);
    let limited = provider(place.server, user);
    let mark = place.server.audit_mark();
    let blind = place.ask_as(&limited, ResourceType::Deployment, "web").await;
    let why = ["0 of 1 replicas ready: reasons not visible: pods is forbidden: User \"readiness-limited\" cannot list"];
    assert!(progressing(&why)(&blind), "{blind:?}");

    place.kubectl(&["create", "role", "pods", "--verb=list", "--resource=pods"]);
    place.kubectl(&["create", "rolebinding", "pods", "--role=pods", name]);
    let full = place.ask_as(&limited, ResourceType::Deployment, "web").await;
    assert!(failed(&["10 restarts (reasons not visible: events is forbidden"])(&full), "{full:?}");
    let asked = |mark| {
        let of_ours = place.server.audit_since(mark).matching(AuditFilter::new().user("readiness-limited"));
        of_ours.iter().map(|event| format!("{} {}", event.verb, event.resource)).collect::<Vec<_>>()
    };
    let unready = ["get deployments", "list pods", "get deployments", "list pods", "list events"];
    assert_eq!(asked(mark), unready);

    place.web("web", |_| {});
    place.becomes(ResourceType::Deployment, "web", ready).await;
    let mark = place.server.audit_mark();
    assert_eq!(place.ask_as(&limited, ResourceType::Deployment, "web").await, Readiness::Ready);
    assert_eq!(asked(mark), ["get deployments"]);
}
