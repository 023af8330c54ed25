//! The suite on a real API server, with its controllers.

use futures::FutureExt as _;
use futures::future::{BoxFuture, LocalBoxFuture};
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use laconic_engine::address::ObjectKey;
use laconic_engine::diff::path::push_key;
use laconic_engine::diff::replace_at;
use laconic_engine::resource::{Live, Target};
use laconic_providers::KubernetesProvider;
use laconic_providers::kubernetes::Connection;
use laconic_testbed::ApiServer;
use serde_json::{Map, Value};

use crate::bed::{Bed, Others, key_of};

/// Others, by a client of their own.
pub struct Outside {
    /// The client.
    pub client: kube::Client,
}

impl Outside {
    fn api(&self, key: &ObjectKey) -> Api<DynamicObject> {
        let version = key.resource_type.api_version();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, key.resource_type.kind()));
        match key.resource_type.is_namespaced() {
            true => Api::namespaced_with(self.client.clone(), &key.namespace, &resource),
            false => Api::all_with(self.client.clone(), &resource),
        }
    }
}

fn as_manager(manager: &str) -> PostParams {
    PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() }
}

/// An object as the API takes it.
fn typed(object: Value) -> DynamicObject {
    serde_json::from_value(object).unwrap()
}

/// Puts a value at a path, making the maps above it; `null` for what is to go.
fn set(object: &mut Value, path: &str, value: &Value) {
    if replace_at(object, path, value) {
        return;
    }
    // A member that is not there yet, of a map that may be.
    let ends = path.char_indices().filter(|(_, c)| matches!(c, '.' | '[')).map(|(end, _)| end);
    for end in ends.collect::<Vec<_>>().into_iter().rev() {
        let (above, last) = path.split_at(end);
        let member = last.strip_prefix('.').unwrap_or_else(|| last.trim_start_matches('[').trim_end_matches(']'));
        let mut map = laconic_engine::diff::value_at(object, above).and_then(Value::as_object).cloned();
        if map.is_none() && laconic_engine::diff::value_at(object, above).is_none() {
            map = Some(Map::new());
        }
        let Some(mut map) = map else { continue };
        let mut spelled = above.to_owned();
        push_key(&mut spelled, member);
        if spelled != path {
            continue;
        }
        map.insert(member.to_owned(), value.clone());
        return set(object, above, &Value::Object(map));
    }
    object[path] = value.clone();
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

impl Others for Outside {
    fn create<'a>(&'a self, object: &'a Value, manager: &'a str) -> BoxFuture<'a, Live> {
        async move {
            let api = self.api(&key_of(object));
            let made = api.create(&as_manager(manager), &typed(object.clone())).await.unwrap();
            let uid = made.metadata.uid.clone().unwrap();
            let attributes = serde_json::to_value(made).unwrap();
            Live { uid, attributes, owners: Vec::new(), terminating: false }
        }
        .boxed()
    }

    fn edit<'a>(
        &'a self,
        key: &'a ObjectKey,
        manager: &'a str,
        path: &'a str,
        value: Option<Value>,
    ) -> BoxFuture<'a, ()> {
        async move {
            // A controller may write in between.
            for attempt in 1.. {
                let mut object = serde_json::to_value(self.api(key).get(&key.name).await.unwrap()).unwrap();
                set(&mut object, path, value.as_ref().unwrap_or(&Value::Null));
                drop_nulls(&mut object);
                match self.api(key).replace(&key.name, &as_manager(manager), &typed(object)).await {
                    Ok(_) => return,
                    Err(kube::Error::Api(status)) if status.code == 409 && attempt < 5 => {}
                    Err(error) => panic!("{key}: {path}: {error}"),
                }
            }
        }
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, ()> {
        async move {
            self.api(key).delete(&key.name, &DeleteParams::default()).await.unwrap();
        }
        .boxed()
    }

    fn read<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Option<Value>> {
        async move {
            let mut object = self.api(key).get_opt(&key.name).await.unwrap()?;
            object.metadata.managed_fields = None;
            Some(serde_json::to_value(object).unwrap())
        }
        .boxed()
    }
}

/// Tries a behaviour in a namespace of its own.
pub fn run(behaviour: impl for<'a> FnOnce(&'a Bed) -> LocalBoxFuture<'a, ()>) {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared_with_controller_manager();
    let namespace = server.namespace("contract");
    let target = Target::Kubernetes("contract".to_owned());
    let connection = Connection::File { path: server.kubeconfig("admin"), context: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bed = Bed {
            provider: Box::new(KubernetesProvider::new([(target.clone(), connection)].into())),
            others: Box::new(Outside { client: server.client("admin").await }),
            target,
            namespace,
        };
        behaviour(&bed).await;
    });
}
