//! The work on one node: pods are scheduled to it, run on it, and end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::{Behaviour, Kubelet, Shared, status};

/// How soon to look again after an error, and at pods whose volumes are not there yet.
const AGAIN: Duration = Duration::from_millis(100);

/// Works until it is dropped. A server that is away, or another one now, is no reason to stop.
pub(super) async fn run(client: &Client, shared: &Shared) {
    let mut work = Work { client, shared, waiting: BTreeSet::new(), addresses: 0 };
    loop {
        let _ = work.register().await;
        while work.look_at_all().await.is_ok() {}
        tokio::time::sleep(AGAIN).await;
    }
}

struct Work<'a> {
    client: &'a Client,
    shared: &'a Shared,
    /// Pods without a node because of their volumes, by namespace and name.
    waiting: BTreeSet<(String, String)>,
    addresses: u32,
}

impl Work<'_> {
    async fn register(&self) -> kube::Result<()> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let resources = json!({ "cpu": "64", "memory": "256Gi", "pods": "10000", "ephemeral-storage": "1Ti" });
        let ready = json!({ "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "is played" });
        let node = json!({
            "metadata": { "name": Kubelet::NODE, "labels": { "kubernetes.io/hostname": Kubelet::NODE, "kubernetes.io/os": "linux" } },
        });
        let status = json!({ "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [ready],
            "addresses": [{ "type": "InternalIP", "address": "127.0.0.1" }, { "type": "Hostname", "address": Kubelet::NODE }],
        }});
        let node = serde_json::from_value(node).map_err(kube::Error::SerdeError)?;
        if let Err(error) = nodes.create(&PostParams::default(), &node).await
            && !is(&error, 409)
        {
            return Err(error);
        }
        // New nodes are tainted as not ready until a controller finds them so, which has nothing to do here.
        let untainted = json!({ "spec": { "taints": null } });
        let parameters = PatchParams::default();
        nodes.patch(Kubelet::NODE, &parameters, &Patch::Merge(&untainted)).await?;
        nodes.patch_status(Kubelet::NODE, &parameters, &Patch::Merge(&status)).await?;
        Ok(())
    }

    /// Looks at all pods, then at each that changes, until there is a reason to look at all again.
    async fn look_at_all(&mut self) -> kube::Result<()> {
        let pods: Api<Pod> = Api::all(self.client.clone());
        let all = pods.list(&ListParams::default()).await?;
        self.waiting.clear();
        for pod in &all.items {
            self.look_at(pod).await?;
        }
        let version = all.metadata.resource_version.unwrap_or_default();
        let mut events = pods.watch(&WatchParams::default().timeout(290), &version).await?.boxed();
        loop {
            let again = async {
                if self.waiting.is_empty() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(AGAIN).await;
            };
            let event = tokio::select! {
                event = events.next() => event,
                () = self.shared.changed.notified() => return Ok(()),
                () = again => return Ok(()),
            };
            match event {
                Some(Ok(WatchEvent::Added(pod) | WatchEvent::Modified(pod))) => self.look_at(&pod).await?,
                Some(Ok(WatchEvent::Deleted(pod))) => drop(self.waiting.remove(&key(&pod))),
                Some(Ok(WatchEvent::Bookmark(_))) => {}
                Some(Err(error)) => return Err(error),
                Some(Ok(WatchEvent::Error(_))) | None => return Ok(()),
            }
        }
    }

    /// A pod that changed or went meanwhile is not an error: it will be looked at again.
    async fn look_at(&mut self, pod: &Pod) -> kube::Result<()> {
        match self.treat(pod).await {
            Err(error) if is(&error, 404) || is(&error, 409) => Ok(()),
            other => other,
        }
    }

    async fn treat(&mut self, pod: &Pod) -> kube::Result<()> {
        let (namespace, name) = key(pod);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &namespace);
        let behaviour = self.shared.behaviour(pod);
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        if behaviour == Behaviour::Unseen || node.is_some_and(|node| node != Kubelet::NODE) {
            return Ok(());
        }
        if pod.metadata.deletion_timestamp.is_some() {
            if behaviour == Behaviour::NeverEnds {
                return Ok(());
            }
            let this = Preconditions { uid: pod.metadata.uid.clone(), resource_version: None };
            let now = DeleteParams::default().grace_period(0).preconditions(this);
            return pods.delete(&name, &now).await.map(drop);
        }
        if ["Succeeded", "Failed"].contains(&phase) {
            return Ok(());
        }
        let now = k8s_openapi::jiff::Timestamp::now().to_string();
        let report = if node.is_some() {
            self.addresses += 1;
            let address = format!("10.244.{}.{}", self.addresses / 250 % 250, 1 + self.addresses % 250);
            status::of(pod, &behaviour, &address, &now)
        } else {
            let why = match behaviour {
                Behaviour::Unschedulable => Some("0/1 nodes are available: 1 Insufficient memory.".to_owned()),
                _ => self.without_volumes(pod).await?,
            };
            match why {
                None => return bind(&pods, &name).await,
                Some(why) => status::unschedulable(pod, &why, &now),
            }
        };
        if let Some(report) = report {
            let report = json!({ "metadata": { "uid": pod.metadata.uid }, "status": report });
            pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&report)).await?;
        }
        Ok(())
    }

    /// Why a pod cannot be scheduled as far as its claims are concerned.
    async fn without_volumes(&mut self, pod: &Pod) -> kube::Result<Option<String>> {
        let (namespace, name) = key(pod);
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &namespace);
        let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let mut why = None;
        for claim in volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref()) {
            let found = claims.get_opt(&claim.claim_name).await?;
            let phase = found.as_ref().map(|claim| claim.status.as_ref().and_then(|status| status.phase.as_deref()));
            why = match phase {
                Some(Some("Bound")) => continue,
                Some(_) => {
                    Some("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.".to_owned())
                }
                None => {
                    Some(format!("0/1 nodes are available: persistentvolumeclaim \"{}\" not found.", claim.claim_name))
                }
            };
            break;
        }
        let key = (namespace, name);
        if why.is_some() {
            self.waiting.insert(key)
        } else {
            self.waiting.remove(&key)
        };
        Ok(why)
    }
}

async fn bind(pods: &Api<Pod>, name: &str) -> kube::Result<()> {
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": { "name": name },
        "target": { "apiVersion": "v1", "kind": "Node", "name": Kubelet::NODE },
    });
    let parameters = PostParams::default();
    pods.create_subresource::<Value, Value>("binding", name, &parameters, &binding).await.map(drop)
}

fn key(pod: &Pod) -> (String, String) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (text(&pod.metadata.namespace), text(&pod.metadata.name))
}

fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
