//! The suite on a kind cluster, through the provider that reaches it by its node.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use laconic_engine::address::{Address, ObjectKey, ResourceType};
use laconic_engine::apply::{Operation, Provider as _, Step};
use laconic_engine::resource::Target;
use laconic_providers::docker::{ContainerEngine, Docker};
use laconic_providers::process::Processes;
use laconic_providers::{DockerHost, KubernetesProvider};
use serde_json::json;

use crate::bed::Bed;
use crate::real::Outside;

/// A behaviour with its name.
pub type Behaviour = (&'static str, for<'a> fn(&'a Bed) -> LocalBoxFuture<'a, ()>);

const CLUSTER: &str = "laconic-contract";
/// How many behaviours are tried at once.
const SIDE_BY_SIDE: usize = 4;
/// How long a new namespace may take to get its account.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tries every behaviour, each in a namespace of its own, on one cluster, which is deleted afterwards.
pub fn run(behaviours: &[Behaviour]) {
    let Some(laconic_testbed::Kind { image, shared }) = laconic_testbed::kind() else { return };
    let cluster = Cluster::new(&image, &shared);
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some((name, behaviour)) = behaviours.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tried = std::panic::catch_unwind(|| cluster.try_out(name, *behaviour));
                    if tried.is_err() {
                        failed.lock().unwrap().push(*name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "what these panicked with is above: {failed:#?}");
}

struct Cluster {
    directory: PathBuf,
    kubeconfig: Kubeconfig,
}

impl Cluster {
    fn new(image: &str, shared: &Path) -> Self {
        let directory = shared.join(format!("contract-{}", std::process::id()));
        let object = json!({"name": CLUSTER, "image": image, "extraMounts": [], "extraPortMappings": [],
                            "containerdConfigPatches": [], "kubeadmConfigPatches": []});
        let step = Step {
            target: target(),
            address: Address::kind_cluster(CLUSTER),
            key: ObjectKey::new(ResourceType::KindCluster, "", CLUSTER),
            operation: Operation::Create,
            object: Some(object),
            expected_uid: None,
            force_conflicts: false,
        };
        runtime().block_on(async { host(&directory).enact(&step).await }).unwrap();
        let shown = Command::new("kind").args(["get", "kubeconfig", "--name", CLUSTER]).output().unwrap();
        let kubeconfig = Kubeconfig::from_yaml(&String::from_utf8(shown.stdout).unwrap()).unwrap();
        Self { directory, kubeconfig }
    }

    fn try_out(&self, name: &str, behaviour: for<'a> fn(&'a Bed) -> LocalBoxFuture<'a, ()>) {
        // Part of the names of objects, which are short.
        let number = name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let namespace = format!("contract-{number:x}");
        runtime().block_on(async {
            let client = self.client().await;
            make_namespace(&client, &namespace).await;
            let bed = Bed {
                provider: Box::new(host(&self.directory)),
                others: Box::new(Outside { client }),
                target: target(),
                namespace,
            };
            behaviour(&bed).await;
        });
    }

    async fn client(&self) -> kube::Client {
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(self.kubeconfig.clone(), &options).await.unwrap();
        kube::Client::try_from(config).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let kubeconfig = self.directory.join("kubeconfig-of-kind");
        let mut delete = Command::new("kind");
        delete.args(["delete", "cluster", "--name", CLUSTER, "--kubeconfig"]).arg(kubeconfig);
        // What else could be done about it here?
        let _ = delete.output();
    }
}

fn target() -> Target {
    Target::Kind(CLUSTER.to_owned())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn host(directory: &Path) -> DockerHost {
    let docker = Docker::new(Arc::new(Processes::real()), ContainerEngine::Docker);
    DockerHost::new(docker, KubernetesProvider::new([].into()), directory.to_owned())
}

/// A namespace in which pods can be made: its account is there.
async fn make_namespace(client: &kube::Client, name: &str) {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    Api::<Namespace>::all(client.clone()).create(&Default::default(), &namespace).await.unwrap();
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), name);
    let deadline = Instant::now() + PATIENCE;
    while accounts.get_opt("default").await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "{name} gets no account");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
