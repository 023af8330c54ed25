//! The rules of the simulated host, one test each.

mod clusters;
mod faults;
mod objects;
mod persistence;
mod rescue;
mod speed;
mod volumes;

use std::collections::BTreeSet;

use futures::future::FutureExt as _;
use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::apply::{
    EnactError, Enacted, ObserveRequest, Operation, Provider as _, Readiness, Step, TargetRequest,
};
use laconic_engine::resource::{Live, ObservedTarget, Target};
use serde_json::{Value, json};

use super::SimulatedHost;

/// The simulated host never waits.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn main_target() -> Target {
    Target::Kind("main".into())
}

fn key(resource_type: ResourceType, name: &str) -> ObjectKey {
    ObjectKey::new(resource_type, if resource_type.is_namespaced() { "shop" } else { "" }, name)
}

fn step(operation: Operation, key: &ObjectKey, object: Option<Value>) -> Step {
    Step {
        target: main_target(),
        address: Address::new(key.resource_type, Scope::deployment("shop"), &key.name),
        key: key.clone(),
        operation,
        object,
        expected_uid: None,
        force_conflicts: false,
    }
}

fn enact(host: &SimulatedHost, step: &Step) -> Result<Enacted, EnactError> {
    block_on(host.enact(step))
}

fn create(host: &SimulatedHost, key: &ObjectKey, object: Value) -> Result<Live, EnactError> {
    enact(host, &step(Operation::Create, key, Some(object))).map(|enacted| enacted.live.unwrap())
}

fn update(host: &SimulatedHost, key: &ObjectKey, object: Value) -> Result<Live, EnactError> {
    enact(host, &step(Operation::Update, key, Some(object))).map(|enacted| enacted.live.unwrap())
}

fn delete(host: &SimulatedHost, key: &ObjectKey) -> Result<Enacted, EnactError> {
    enact(host, &step(Operation::Delete, key, None))
}

fn ask(host: &SimulatedHost, key: &ObjectKey) -> Readiness {
    block_on(host.readiness(&main_target(), key)).unwrap()
}

fn become_ready(host: &SimulatedHost, key: &ObjectKey) {
    for _ in 0..3 {
        if ask(host, key) == Readiness::Ready {
            return;
        }
    }
    panic!("{key} does not become ready: {:?}", ask(host, key));
}

fn observe(host: &SimulatedHost, target: &Target, types: &[ResourceType]) -> ObservedTarget {
    let wanted = TargetRequest { types: types.iter().copied().collect(), ..TargetRequest::default() };
    let request: ObserveRequest = [(target.clone(), wanted)].into();
    block_on(host.observe(&request)).remove(target).unwrap()
}

fn see(host: &SimulatedHost, key: &ObjectKey) -> Option<Live> {
    observe(host, &main_target(), &[key.resource_type]).objects.unwrap().remove(key)
}

fn cluster() -> Value {
    json!({"name": "main",
           "extraMounts": [{"hostPath": "/srv/kind", "containerPath": "/mnt", "propagation": "HostToContainer"}],
           "extraPortMappings": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 443, "hostPort": 443}]})
}

fn object(resource_type: ResourceType, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": resource_type.api_version(), "kind": resource_type.kind(),
                            "metadata": {"name": name, "labels": {"app.kubernetes.io/stack": "shop"}}});
    if resource_type.is_namespaced() {
        object["metadata"]["namespace"] = json!("shop");
    }
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

/// A host with a cluster `main` and a namespace `shop`.
fn host() -> SimulatedHost {
    let host = SimulatedHost::in_memory();
    host.create_cluster(&cluster()).unwrap();
    let namespace = key(ResourceType::Namespace, "shop");
    create(&host, &namespace, object(ResourceType::Namespace, "shop", json!({}))).unwrap();
    host
}

fn deployment(image: &str, volumes: Value) -> Value {
    object(
        ResourceType::Deployment,
        "web",
        json!({"spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": image}], "volumes": volumes}}}}),
    )
}

fn config_map(name: &str, text: &str) -> Value {
    object(ResourceType::ConfigMap, name, json!({"data": {"a": text}}))
}
