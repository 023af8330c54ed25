//! The suite on the simulated host.

use futures::FutureExt as _;
use futures::future::{BoxFuture, LocalBoxFuture, ready};
use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Enacted};
use laconic_engine::apply::{ObserveRequest, Provider, Readiness, Step, TargetRequest};
use laconic_engine::resource::{Live, Target, World};
use laconic_providers::SimulatedHost;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::bed::{Bed, Others};

const NAMESPACE: &str = "contract";

struct Shared(Arc<SimulatedHost>);

impl Provider for Shared {
    fn observe<'a>(&'a self, request: &'a ObserveRequest) -> BoxFuture<'a, World> {
        self.0.observe(request)
    }

    fn enact<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>> {
        self.0.enact(step)
    }

    fn dry_run<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>> {
        self.0.dry_run(step)
    }

    fn readiness<'a>(&'a self, target: &'a Target, key: &'a ObjectKey) -> BoxFuture<'a, Result<Readiness, EnactError>> {
        self.0.readiness(target, key)
    }
}

struct Outside {
    host: Arc<SimulatedHost>,
    target: Target,
}

impl Others for Outside {
    fn create<'a>(&'a self, object: &'a Value, manager: &'a str) -> BoxFuture<'a, Live> {
        ready(self.host.create_object(&self.target, object, manager).unwrap()).boxed()
    }

    fn edit<'a>(
        &'a self,
        key: &'a ObjectKey,
        manager: &'a str,
        path: &'a str,
        value: Option<Value>,
    ) -> BoxFuture<'a, ()> {
        self.host.edit_object(&self.target, key, manager, path, value).unwrap();
        ready(()).boxed()
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, ()> {
        self.host.delete_object(&self.target, key).unwrap();
        ready(()).boxed()
    }

    fn read<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Option<Value>> {
        async move {
            let wanted = TargetRequest { keys: [key.clone()].into(), ..TargetRequest::default() };
            let seen = self.host.observe(&[(self.target.clone(), wanted)].into()).await.remove(&self.target)?;
            Some(seen.objects.ok()?.remove(key)?.attributes)
        }
        .boxed()
    }
}

/// Tries a behaviour on a host of its own.
pub fn run(behaviour: impl for<'a> FnOnce(&'a Bed) -> LocalBoxFuture<'a, ()>) {
    let host = Arc::new(SimulatedHost::in_memory());
    let target = Target::Kubernetes("contract".to_owned());
    let namespace =
        json!({"apiVersion": "v1", "kind": ResourceType::Namespace.kind(), "metadata": {"name": NAMESPACE}});
    host.create_object(&target, &namespace, "test").unwrap();
    let bed = Bed {
        provider: Box::new(Shared(Arc::clone(&host))),
        others: Box::new(Outside { host, target: target.clone() }),
        target,
        namespace: NAMESPACE.to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(behaviour(&bed));
}
