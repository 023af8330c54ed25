//! What a recreate takes out of an API server and puts back: Secrets, objects that nobody recorded, how many pods run.

use futures::future::{BoxFuture, FutureExt as _, ready};
use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::EnactError;
use laconic_engine::apply::rescue::{Rescue, Sink, Source};
use laconic_engine::export::{SELECTED_NODE, exported};
use laconic_engine::resource::Target;
use laconic_engine::vault::SecretBytes;
use serde_json::{Value, json};

use super::KubernetesProvider;
use super::list::{Selection, list};
use super::path;
use super::request::RequestError;
use super::server::{PatchForm, Server};

/// The field manager of what is put back.
const RESTORER: &str = "laconic-restore";

type Objects = Vec<(ObjectKey, Value)>;

/// Every Secret of those namespaces with its values.
async fn secrets(server: &Server, namespaces: &[String]) -> Result<Objects, EnactError> {
    let mut found = Objects::new();
    for namespace in namespaces {
        found.extend(of_namespace(server, ResourceType::Secret, namespace).await?);
    }
    Ok(found)
}

async fn of_namespace(server: &Server, kind: ResourceType, namespace: &str) -> Result<Objects, RequestError> {
    let selection = Selection { namespace: namespace.to_owned(), deployment_ids: Vec::new() };
    let listed = list(server, kind, &selection).await?;
    Ok(listed.into_iter().map(|(key, live)| (key, live.attributes)).collect())
}

/// Everything else of those namespaces that somebody made, ready to be made again.
async fn export(server: &Server, namespaces: &[String]) -> Result<Objects, EnactError> {
    let mut found = Objects::new();
    for namespace in namespaces {
        let key = ObjectKey::new(ResourceType::Namespace, "", namespace);
        match server.get(&path::object(&key)).await {
            Ok(object) => found.push((key, object)),
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error.into()),
        }
        let kinds = ResourceType::ALL.iter().filter(|kind| kind.is_kubernetes() && kind.is_namespaced());
        for kind in kinds.filter(|kind| **kind != ResourceType::Secret) {
            found.extend(of_namespace(server, *kind, namespace).await?);
        }
    }
    let volumes = of_namespace(server, ResourceType::PersistentVolume, "").await?;
    let is_theirs = |volume: &Value| {
        let claimant = volume.pointer("/spec/claimRef/namespace").and_then(Value::as_str);
        claimant.is_some_and(|claimant| namespaces.iter().any(|namespace| namespace == claimant))
    };
    found.extend(volumes.into_iter().filter(|(_, volume)| is_theirs(volume)));
    Ok(found.into_iter().filter_map(|(key, object)| Some((key.clone(), exported(&key, &object)?))).collect())
}

/// Makes an object; one that is there is left as it is.
async fn restore(server: &Server, key: &ObjectKey, object: &Value) -> Result<(), EnactError> {
    let path = format!("{}?fieldManager={RESTORER}", path::collection(key.resource_type, &key.namespace));
    match server.post(&path, object).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(409) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Has a workload run that many pods.
async fn scale(server: &Server, workload: &ObjectKey, replicas: u32) -> Result<(), EnactError> {
    let patch = json!([{"op": "add", "path": "/spec/replicas", "value": replicas}]);
    let path = format!("{}?fieldManager={}", path::object(workload), super::MANAGER);
    match server.patch(&path, PatchForm::Json, &patch).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How many pods of a workload have not ended, those on their way out too.
async fn running(server: &Server, workload: &ObjectKey) -> Result<u32, EnactError> {
    let object = match server.get(&path::object(workload)).await {
        Ok(object) => object,
        Err(error) if error.is_not_found() => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let selector: Vec<String> =
        labels.into_iter().flatten().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect();
    if selector.is_empty() {
        return Ok(0);
    }
    let selector: String = form_urlencoded::byte_serialize(selector.join(",").as_bytes()).collect();
    let pods = server.get(&format!("/api/v1/namespaces/{}/pods?labelSelector={selector}", workload.namespace)).await?;
    let has_ended =
        |pod: &&Value| matches!(pod.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed"));
    let left = pods["items"].as_array().into_iter().flatten().filter(|pod| !has_ended(pod)).count();
    Ok(u32::try_from(left).unwrap_or(u32::MAX))
}

/// Where the volume of a claim is in its node; `None` while it has none.
pub(crate) async fn path_of(server: &Server, claim: &ObjectKey) -> Result<Option<String>, EnactError> {
    let object = server.get(&path::object(claim)).await?;
    let is_bound = object.pointer("/status/phase").and_then(Value::as_str) == Some("Bound");
    let Some(name) = object.pointer("/spec/volumeName").and_then(Value::as_str).filter(|_| is_bound) else {
        return Ok(None);
    };
    let volume = server.get(&path::object(&ObjectKey::new(ResourceType::PersistentVolume, "", name))).await?;
    let places = ["/spec/hostPath/path", "/spec/local/path"];
    let place = places.iter().find_map(|place| volume.pointer(place)?.as_str());
    match place {
        Some(place) => Ok(Some(place.to_owned())),
        None => Err(EnactError::Refused(format!("the volume {name} is not a directory of the node"))),
    }
}

/// Has a claim that waits for its first pod get its volume now: it is given the node, as the scheduler would.
pub(crate) async fn select_node(server: &Server, claim: &ObjectKey, node: &str) -> Result<(), EnactError> {
    let metadata = json!({"name": &*claim.name, "namespace": &*claim.namespace, "annotations": {SELECTED_NODE: node}});
    let object = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata});
    let path = format!("{}?fieldManager={RESTORER}&force=true", path::object(claim));
    server.patch(&path, PatchForm::Apply, &object).await?;
    Ok(())
}

/// Objects only: where the volumes of a remote cluster are is its own affair, and nobody here makes it anew.
impl Rescue for KubernetesProvider {
    fn secrets<'a>(
        &'a self,
        target: &'a Target,
        namespaces: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(ObjectKey, Value)>, EnactError>> {
        async move { secrets(&*self.server(target).await?, namespaces).await }.boxed()
    }

    fn export<'a>(
        &'a self,
        target: &'a Target,
        namespaces: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(ObjectKey, Value)>, EnactError>> {
        async move { export(&*self.server(target).await?, namespaces).await }.boxed()
    }

    fn read_file<'a>(&'a self, _: &'a Target, _: &'a str) -> BoxFuture<'a, Result<Option<SecretBytes>, EnactError>> {
        ready(Ok(None)).boxed()
    }

    fn restore<'a>(
        &'a self,
        target: &'a Target,
        key: &'a ObjectKey,
        object: &'a Value,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        async move { restore(&*self.server(target).await?, key, object).await }.boxed()
    }

    fn scale<'a>(
        &'a self,
        target: &'a Target,
        workload: &'a ObjectKey,
        replicas: u32,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        async move { scale(&*self.server(target).await?, workload, replicas).await }.boxed()
    }

    fn running<'a>(&'a self, target: &'a Target, workload: &'a ObjectKey) -> BoxFuture<'a, Result<u32, EnactError>> {
        async move { running(&*self.server(target).await?, workload).await }.boxed()
    }

    fn relocate<'a>(&'a self, _: &'a Target, from: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), EnactError>> {
        ready(Err(EnactError::Refused(format!("{from} is on no host of a kind cluster")))).boxed()
    }

    fn obstacle<'a>(
        &'a self,
        _: &'a Target,
        _: Option<&'a str>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, EnactError>> {
        ready(Ok(Some("it is on no host of a kind cluster".to_owned()))).boxed()
    }

    fn read_volume<'a>(
        &'a self,
        _: &'a Target,
        claim: &'a ObjectKey,
        _: Sink<'a>,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        ready(Err(no_node(claim))).boxed()
    }

    fn write_volume<'a>(
        &'a self,
        _: &'a Target,
        claim: &'a ObjectKey,
        _: Source<'a>,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        ready(Err(no_node(claim))).boxed()
    }
}

fn no_node(claim: &ObjectKey) -> EnactError {
    EnactError::Refused(format!("the volume of {} is in no kind node", claim.name))
}
