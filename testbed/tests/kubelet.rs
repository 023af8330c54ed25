//! Pods become what tests want them to, and the real controllers draw their conclusions.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use laconic_testbed::{ApiServer, BEHAVIOUR_ANNOTATION, Behaviour, PodFilter};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

struct Place {
    client: Client,
    namespace: String,
    server: &'static ApiServer,
}

impl Place {
    async fn new() -> Self {
        let server = ApiServer::shared_with_controller_manager();
        server.kubelet();
        Self { client: server.client("admin").await, namespace: server.namespace("kubelet"), server }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn create<K>(&self, object: Value)
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + serde::Serialize,
        K: DeserializeOwned + Clone + std::fmt::Debug,
        K::DynamicType: Default,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.api::<K>().create(&PostParams::default(), &object).await.unwrap();
    }

    /// The only pod that makes a condition true.
    async fn pod(&self, holds: impl Fn(&Pod) -> bool) -> Pod {
        until(async || self.api::<Pod>().list(&ListParams::default()).await.unwrap().items.into_iter().find(&holds))
            .await
    }

    async fn deployment(&self, holds: impl Fn(&Deployment) -> bool) -> Deployment {
        until(async || self.api::<Deployment>().get("web").await.ok().filter(&holds)).await
    }
}

async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), found).await.expect("it does not come to that")
}

fn web(image: &str, volumes: &Value) -> Value {
    json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": image }], "volumes": volumes },
            },
        },
    })
}

fn waits_for(reason: &'static str) -> impl Fn(&Pod) -> bool {
    move |pod| {
        let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let mut states = statuses.filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
        states.any(|waiting| waiting == reason)
    }
}

fn condition(pod: &Pod, kind: &str) -> Option<(String, String)> {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let found = conditions.find(|condition| condition.type_ == kind)?;
    Some((found.status.clone(), found.message.clone().unwrap_or_default()))
}

fn ready_replicas(deployment: &Deployment) -> i32 {
    deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default()
}

#[tokio::test]
async fn a_deployment_becomes_ready_and_its_pods_go_with_it() {
    if laconic_testbed::off() {
        return;
    }
    let place = Place::new().await;
    place.create::<Deployment>(web("example.com/web:1", &json!([]))).await;
    place.deployment(|web| ready_replicas(web) == 1).await;
    place.api::<Deployment>().delete("web", &DeleteParams::background()).await.unwrap();
    until(async || place.api::<Pod>().list(&ListParams::default()).await.unwrap().items.is_empty().then_some(())).await;
}

#[tokio::test]
async fn an_image_names_what_becomes_of_its_pod() {
    if laconic_testbed::off() {
        return;
    }
    let place = Place::new().await;
    place.create::<Deployment>(web("example.com/image-pull-back-off:1", &json!([]))).await;
    place.pod(waits_for("ImagePullBackOff")).await;
    assert_eq!(ready_replicas(&place.api::<Deployment>().get("web").await.unwrap()), 0);
}

#[tokio::test]
async fn a_test_changes_its_mind_about_pods() {
    if laconic_testbed::off() {
        return;
    }
    let place = Place::new().await;
    let kubelet = place.server.kubelet();
    let pods = PodFilter::new().namespace(&place.namespace).name("web-");
    kubelet.set(pods.clone(), Behaviour::Unschedulable);
    place.create::<Deployment>(web("example.com/web:1", &json!([]))).await;
    place.pod(|pod| condition(pod, "PodScheduled").is_some_and(|(status, _)| status == "False")).await;
    kubelet.set(pods.clone(), Behaviour::CrashLoopBackOff);
    place.pod(waits_for("CrashLoopBackOff")).await;
    kubelet.set(pods.clone(), Behaviour::Ready);
    place.deployment(|web| ready_replicas(web) == 1).await;
    kubelet.set(pods, Behaviour::NotReady);
    place.deployment(|web| ready_replicas(web) == 0).await;
}

#[tokio::test]
async fn jobs_succeed_and_fail() {
    if laconic_testbed::off() {
        return;
    }
    let place = Place::new().await;
    for (name, behaviour, condition) in [("good", "succeed", "Complete"), ("bad", "fail", "Failed")] {
        let job = json!({
            "metadata": { "name": name },
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "metadata": { "annotations": { BEHAVIOUR_ANNOTATION: behaviour } },
                    "spec": { "restartPolicy": "Never", "containers": [{ "name": "a", "image": "example.com/a:1" }] },
                },
            },
        });
        place.create::<Job>(job).await;
        until(async || {
            let status = place.api::<Job>().get(name).await.unwrap().status?;
            let conditions = status.conditions.unwrap_or_default();
            conditions.into_iter().find(|one| one.type_ == condition && one.status == "True")
        })
        .await;
    }
}

#[tokio::test]
async fn a_pod_waits_until_its_volume_is_bound() {
    if laconic_testbed::off() {
        return;
    }
    let place = Place::new().await;
    let class = place.namespace.clone();
    place
        .create::<Deployment>(web(
            "example.com/web:1",
            &json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]),
        ))
        .await;
    let says = |text: &'static str| {
        move |pod: &Pod| condition(pod, "PodScheduled").is_some_and(|(_, message)| message.contains(text))
    };
    place.pod(says("\"data\" not found")).await;
    let size = json!({ "storage": "1Gi" });
    let claim = json!({
        "metadata": { "name": "data" },
        "spec": { "storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": { "requests": size } },
    });
    place.create::<PersistentVolumeClaim>(claim).await;
    place.pod(says("unbound immediate")).await;
    let volume = json!({
        "metadata": { "name": class },
        "spec": { "storageClassName": class, "accessModes": ["ReadWriteOnce"], "capacity": size, "hostPath": { "path": "/data" } },
    });
    let volumes: Api<PersistentVolume> = Api::all(place.client.clone());
    volumes.create(&PostParams::default(), &serde_json::from_value(volume).unwrap()).await.unwrap();
    place.deployment(|web| ready_replicas(web) == 1).await;
}
