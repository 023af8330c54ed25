//! kind clusters for real: made, seen, killed in the middle, brought to their end, deleted.
//!
//! `scripts/with-docker.sh cargo test -p laconic-providers --test kind_cluster` gives these tests what they need. A cluster takes
//! half a minute and two cores: they run one after another.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::apply::{
    EnactError, Enacted, ObserveRequest, Operation, Provider as _, Readiness, Step, TargetRequest,
};
use laconic_engine::compile::{INGRESS_READY_PATCH, memlock_patch};
use laconic_engine::diff::flatten;
use laconic_engine::resource::{MountSource, Observed, ObservedTarget, Target, UnknownReason};
use laconic_providers::docker::{ContainerEngine, Docker};
use laconic_providers::kind::KindError;
use laconic_providers::process::Processes;
use laconic_providers::{DockerHost, KubernetesProvider};
use laconic_testbed::Kind;
use serde_json::{Value, json};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Bed {
    name: String,
    image: String,
    directory: PathBuf,
    host: Arc<DockerHost>,
    _turn: MutexGuard<'static, ()>,
}

impl Bed {
    /// A cluster's name, a directory that can be mounted, an engine; `None` where there is no test bed.
    fn new(name: &str) -> Option<Self> {
        let Kind { image, shared } = laconic_testbed::kind()?;
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = shared.join(format!("provider-{name}-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("mnt")).unwrap();
        let bed = Self {
            name: format!("laconic-{name}"),
            image,
            host: host(directory.join("clusters")),
            directory,
            _turn: turn,
        };
        Some(bed)
    }

    fn target(&self) -> Target {
        Target::Kind(self.name.clone())
    }

    fn node(&self) -> String {
        format!("{}-control-plane", self.name)
    }

    fn wanted(&self) -> Value {
        json!({
            "name": self.name,
            "image": self.image,
            "containerdConfigPatches": [memlock_patch("/etc/containerd/cri-base.json")],
            "kubeadmConfigPatches": [INGRESS_READY_PATCH],
            "extraMounts": [self.mount()],
            "extraPortMappings": [{"containerPort": 80, "hostPort": 18080, "protocol": "TCP"}],
        })
    }

    fn mount(&self) -> Value {
        let path = self.directory.join("mnt");
        json!({"containerPath": "/mnt", "hostPath": path, "propagation": "HostToContainer"})
    }

    fn step(&self, operation: Operation, uid: Option<&str>) -> Step {
        Step {
            target: self.target(),
            address: Address::kind_cluster(&self.name),
            key: ObjectKey::new(ResourceType::KindCluster, "", &self.name),
            operation,
            object: (operation != Operation::Delete).then(|| self.wanted()),
            expected_uid: uid.map(str::to_owned),
            force_conflicts: false,
        }
    }

    async fn enact(&self, operation: Operation, uid: Option<&str>) -> Result<Enacted, EnactError> {
        self.host.enact(&self.step(operation, uid)).await
    }

    async fn look(&self) -> ObservedTarget {
        let types = [ResourceType::Namespace, ResourceType::Deployment].into();
        let wanted = TargetRequest { types, ..TargetRequest::default() };
        let request = ObserveRequest::from([(self.target(), wanted)]);
        self.host.observe(&request).await.remove(&self.target()).unwrap()
    }

    /// Waits until the cluster works.
    async fn ready(&self) {
        let key = ObjectKey::new(ResourceType::KindCluster, "", &self.name);
        for _ in 0..240 {
            if self.host.readiness(&self.target(), &key).await == Ok(Readiness::Ready) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("{} does not become ready", self.name);
    }

    /// The whole cluster is there, as wanted.
    fn assert_is_as_wanted(&self, seen: &ObservedTarget) -> String {
        let Observed::Present(live) = &seen.cluster else { panic!("{seen:?}") };
        let there = flatten(&live.attributes);
        for (path, value) in flatten(&self.wanted()) {
            assert_eq!(there.get(&path), Some(&value), "{path}: {}", live.attributes);
        }
        let objects = seen.objects.as_ref().unwrap();
        for (resource_type, name) in [
            (ResourceType::KindMount, "/mnt"),
            (ResourceType::KindPort, "18080/tcp"),
            (ResourceType::Namespace, "kube-system"),
        ] {
            assert!(objects.contains_key(&ObjectKey::new(resource_type, "", name)), "{name}");
        }
        live.uid.clone()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = Command::new("kind")
            .args(["delete", "cluster", "--name", &self.name, "--kubeconfig", "/dev/null"])
            .output();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn host(directory: PathBuf) -> Arc<DockerHost> {
    let docker = Docker::new(Arc::new(Processes::real()), ContainerEngine::Docker);
    Arc::new(DockerHost::new(docker, KubernetesProvider::new(BTreeMap::new()), directory))
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_cluster_is_made_as_asked_and_is_gone_when_deleted() {
    let Some(bed) = Bed::new("made") else { return };
    let absent = bed.look().await;
    assert_eq!(absent.cluster, Observed::Absent);
    let made = bed.enact(Operation::Create, None).await.unwrap();
    let identity = made.identity.unwrap();
    assert_eq!(identity.daemon, absent.identity.unwrap().daemon);
    bed.ready().await;
    // Another run sees the same.
    let seen = DockerHost::new(
        Docker::new(Arc::new(Processes::real()), ContainerEngine::Docker),
        KubernetesProvider::new(BTreeMap::new()),
        bed.directory.join("clusters"),
    );
    let request = ObserveRequest::from([(
        bed.target(),
        TargetRequest { types: [ResourceType::Namespace].into(), ..TargetRequest::default() },
    )]);
    let seen = seen.observe(&request).await.remove(&bed.target()).unwrap();
    let uid = bed.assert_is_as_wanted(&seen);
    assert_eq!((seen.identity.as_ref(), &identity.node), (Some(&identity), &uid));
    assert_eq!(
        made.live.unwrap().attributes,
        match seen.cluster {
            Observed::Present(live) => live.attributes,
            other => panic!("{other:?}"),
        }
    );

    let again = bed.enact(Operation::Create, None).await.unwrap_err();
    assert_eq!(again, EnactError::Exists { uid: uid.clone(), managers: Vec::new() });
    let same = bed.enact(Operation::Update, Some(&uid)).await.unwrap();
    assert_eq!(same.identity.unwrap(), identity);
    let mount = |object: Value| Step {
        address: Address::new(ResourceType::KindMount, Scope::cluster(&bed.name), "/mnt"),
        key: ObjectKey::new(ResourceType::KindMount, "", "/mnt"),
        object: Some(object),
        ..bed.step(Operation::Create, None)
    };
    bed.host.enact(&mount(bed.mount())).await.unwrap();
    let other = bed.host.enact(&mount(json!({"containerPath": "/mnt", "hostPath": "/other"}))).await.unwrap_err();
    assert!(matches!(other, EnactError::Refused(_)), "{other}");

    // Its port is taken: another cluster that wants it is not made, and leaves nothing behind.
    let mut second = bed.step(Operation::Create, None);
    second.target = Target::Kind("laconic-second".to_owned());
    second.object.as_mut().unwrap()["name"] = "laconic-second".into();
    let taken = bed.host.enact(&second).await.unwrap_err();
    let expected = format!("port 18080 of this host is taken by the container `{}`", bed.node());
    assert!(matches!(&taken, EnactError::Refused(text) if text.starts_with(&expected)), "{taken}");
    assert_eq!(docker(&["ps", "--all", "--quiet", "--filter", "name=laconic-second"]), "");

    // An image that only this host's Docker has.
    let built_here = "example.com/built-here:1";
    docker(&["tag", "laconic-testbed/workload:1", built_here]);
    let images = || docker(&["exec", &bed.node(), "ctr", "--namespace=k8s.io", "images", "list", "--quiet"]);
    assert!(!images().contains(built_here), "nobody loaded it yet");
    bed.host.load_image(&bed.name, built_here).await.unwrap();
    assert!(images().contains(built_here), "{}", images());
    let missing = bed.host.load_image(&bed.name, "laconic-testbed/no-such:1").await.unwrap_err();
    assert!(matches!(missing, KindError::NotPresentLocally { .. }), "{missing}");

    docker(&["stop", "--time", "1", &bed.node()]);
    let stopped = bed.look().await;
    assert!(matches!(stopped.cluster, Observed::Present(_)), "{stopped:?}");
    assert!(matches!(stopped.objects, Err(UnknownReason::Unreachable(text)) if text.contains("`docker start ")));
    docker(&["start", &bed.node()]);
    bed.ready().await;
    assert_eq!(bed.assert_is_as_wanted(&bed.look().await), uid);

    let other = bed.enact(Operation::Delete, Some("another")).await.unwrap_err();
    assert!(matches!(other, EnactError::Stale(_)), "{other}");
    bed.enact(Operation::Delete, Some(&uid)).await.unwrap();
    assert_eq!(bed.look().await.cluster, Observed::Absent);
    bed.enact(Operation::Delete, Some(&uid)).await.unwrap();
    if let Some(kubeconfig) = std::env::var_os("KUBECONFIG") {
        let text = std::fs::read_to_string(kubeconfig).unwrap_or_default();
        assert!(!text.contains(&bed.name), "nobody's own kubeconfig is touched");
    }
}

/// Where the bytes of volumes are: through mounts and links of the host, in the node, and in a directory that the host has
/// no more.
#[tokio::test]
async fn what_lies_in_the_node_is_seen() {
    let Some(bed) = Bed::new("facts") else { return };
    bed.enact(Operation::Create, None).await.unwrap();
    bed.ready().await;
    let mnt = bed.directory.join("mnt");
    std::fs::create_dir_all(mnt.join("data")).unwrap();
    std::fs::write(mnt.join("data/file"), [b'x'; 5000]).unwrap();
    std::os::unix::fs::symlink("/elsewhere", mnt.join("link")).unwrap();
    docker(&["exec", &bed.node(), "sh", "-c", "mkdir -p /overlay /elsewhere/x; echo bytes >/overlay/file"]);
    for (name, path) in
        [("data", "/mnt/data"), ("link", "/mnt/link/x"), ("overlay", "/overlay"), ("missing", "/mnt/none")]
    {
        let object = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": path},
                     "storageClassName": "manual"},
        });
        let step = Step {
            address: Address::new(ResourceType::PersistentVolume, Scope::deployment("shop"), name),
            key: ObjectKey::new(ResourceType::PersistentVolume, "", name),
            object: Some(object),
            ..bed.step(Operation::Create, None)
        };
        bed.host.enact(&step).await.unwrap();
    }
    let look = || async {
        let types = [ResourceType::PersistentVolume].into();
        let wanted = TargetRequest { types, sizes: true, ..TargetRequest::default() };
        let request = ObserveRequest::from([(bed.target(), wanted)]);
        bed.host.observe(&request).await.remove(&bed.target()).unwrap().node
    };
    let seen = look().await;
    assert_eq!(seen.count, Some(1));
    assert_eq!(seen.mounts, [("/mnt".to_owned(), MountSource::Same)].into());
    let directory = |path: &str| {
        let one = &seen.directories[path];
        (one.real_path.as_str(), one.holds_data, one.size.is_some_and(|size| size >= 5000))
    };
    assert_eq!(directory("/mnt/data"), ("/mnt/data", true, true));
    assert_eq!(directory("/mnt/link/x"), ("/elsewhere/x", false, false), "an absolute link leads into the node");
    assert_eq!(directory("/overlay"), ("/overlay", true, false));
    assert_eq!(directory("/mnt/none"), ("/mnt/none", false, false));
    // Deleted and made again: the node has the old one until it is started again.
    std::fs::remove_dir_all(&mnt).unwrap();
    std::fs::create_dir(&mnt).unwrap();
    assert_eq!(look().await.mounts["/mnt"], MountSource::Replaced);
    docker(&["restart", "--time", "1", &bed.node()]);
    bed.ready().await;
    assert_eq!(look().await.mounts["/mnt"], MountSource::Same);
}

#[tokio::test]
async fn a_cluster_whose_kind_was_killed_is_made_anew() {
    let Some(bed) = Bed::new("killed") else { return };
    let making = tokio::spawn({
        let (host, step) = (Arc::clone(&bed.host), bed.step(Operation::Create, None));
        async move { host.enact(&step).await }
    });
    let half_made = until_there(&bed).await;
    kill_kind(&bed.name);
    let error = making.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("ended by signal 9"), "{error}");
    let seen = bed.look().await;
    let Observed::Present(live) = &seen.cluster else { panic!("{seen:?}") };
    assert_eq!((live.uid.trim(), seen.objects.is_ok()), (half_made.trim(), true));
    let stale = bed.enact(Operation::Update, Some("another")).await.unwrap_err();
    assert!(matches!(stale, EnactError::Stale(_)), "{stale}");
    let made = bed.enact(Operation::Update, Some(half_made.trim())).await.unwrap();
    assert_ne!(made.live.unwrap().uid, half_made.trim());
    bed.ready().await;
    bed.assert_is_as_wanted(&bed.look().await);
}

#[tokio::test]
async fn a_kind_that_outlives_us_is_waited_for() {
    let Some(bed) = Bed::new("outlived") else { return };
    let making = tokio::spawn({
        let (host, step) = (Arc::clone(&bed.host), bed.step(Operation::Create, None));
        async move { host.enact(&step).await }
    });
    let begun = until_there(&bed).await;
    // As when we are killed: nobody attends to kind any more, and our hold on the lock is gone.
    making.abort();
    assert!(making.await.unwrap_err().is_cancelled());
    assert!(bed.look().await.objects.is_ok(), "what is being made answers, so that it can be brought to its end");
    let made = bed.enact(Operation::Update, Some(begun.trim())).await.unwrap();
    assert_eq!(made.live.unwrap().uid, begun.trim(), "it is the one that was begun");
    bed.ready().await;
    bed.assert_is_as_wanted(&bed.look().await);
}

/// Waits until the node's container exists, and returns its id.
async fn until_there(bed: &Bed) -> String {
    for _ in 0..600 {
        let output = Command::new("docker").args(["inspect", "--format", "{{.Id}}", &bed.node()]).output().unwrap();
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} is not made", bed.node());
}

/// Kills the kind that makes a cluster, and nobody else's.
fn kill_kind(cluster: &str) {
    let is_it = |directory: &std::path::Path| {
        let words = std::fs::read(directory.join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
        words.first().is_some_and(|program| program.ends_with(b"kind")) && words.contains(&cluster.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = processes.filter(|directory| is_it(directory)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let id = found[0].file_name().unwrap().to_str().unwrap();
    let killed = Command::new("kill").args(["-KILL", id]).status().unwrap();
    assert!(killed.success());
}
