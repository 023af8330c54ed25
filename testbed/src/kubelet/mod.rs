//! A played scheduler and kubelet: pods become what tests want them to.

mod behaviour;
mod node;
mod status;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use tokio::sync::Notify;

pub use behaviour::{BEHAVIOUR_ANNOTATION, Behaviour, PodFilter};

use crate::TestbedError;

/// A played scheduler and kubelet for one node, `testbed`. Pods are scheduled to it at once and become ready, or what
/// else a [`Behaviour`] says: the last one set for them ([`Kubelet::set`]), else what the pod
/// [asks for](BEHAVIOUR_ANNOTATION) by annotation or image. Deleted pods go at once. All else (the status of
/// Deployments and Jobs, endpoints, the binding of volumes) is the real controller-manager's work.
///
/// There is one for each server: [`crate::ApiServer::kubelet`].
pub struct Kubelet {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    rules: Mutex<Vec<(PodFilter, Behaviour)>>,
    changed: Notify,
    ended: Notify,
}

impl Kubelet {
    /// The name of the user by whom it is known to the server, for audit filters.
    pub const USER: &'static str = "testbed-kubelet";

    /// The name of its node.
    pub const NODE: &'static str = "testbed";

    /// `connect` is called within the runtime that will use the client.
    pub(crate) fn start<C>(connect: impl FnOnce() -> C + Send + 'static) -> Result<Self, TestbedError>
    where
        C: Future<Output = Result<Client, TestbedError>>,
    {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(TestbedError::io("starting a runtime"))?;
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let client = match connect().await {
                    Ok(client) => client,
                    Err(error) => return drop(ready.send(Err(error))),
                };
                let _ = ready.send(Ok(()));
                tokio::select! {
                    () = node::run(&client, &of_thread) => {}
                    () = of_thread.ended.notified() => {}
                }
            });
        });
        is_ready.recv().unwrap_or(Ok(()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Says what becomes of pods, those that are there and those to come. What is said later wins.
    pub fn set(&self, pods: PodFilter, behaviour: Behaviour) {
        self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner).push((pods, behaviour));
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn behaviour(&self, pod: &Pod) -> Behaviour {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter().rev().find(|(pods, _)| pods.matches(pod));
        let behaviour = rule.map(|(_, behaviour)| behaviour.clone());
        behaviour.unwrap_or_else(|| Behaviour::asked_for(pod)).restarted(pod)
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.shared.ended.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
