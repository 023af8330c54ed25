//! Kind targets out of recordings of the container engine: what is believed of which answers, and at what cost.

use std::collections::BTreeSet;
use std::sync::Arc;

use laconic_engine::address::{Address, ObjectKey, ResourceType};
use laconic_engine::apply::{
    EnactError, Enacted, ObserveRequest, Operation, Provider as _, Readiness, Step, TargetRequest,
};
use laconic_engine::resource::{Observed, ObservedTarget, Target, UnknownReason};
use laconic_providers::docker::{ContainerEngine, Docker};
use laconic_providers::kind::KindError;
use laconic_providers::process::Processes;
use laconic_providers::{DockerHost, KubernetesProvider};
use serde_json::{Value, json};

const NOT_RUNNING: &str =
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
const NO_CONTAINER: &str = "Error response from daemon: No such container: main-control-plane";

fn call(program: &str, arguments: &[&str], status: i32, stdout: &str, stderr: &str) -> Value {
    json!({"program": program, "arguments": arguments, "status": status, "stdout": stdout, "stderr": stderr})
}

fn info() -> Value {
    call("docker", &["info", "--format", "{{.ID}}\t{{.ServerVersion}}"], 0, "daemon-1\t28.2.2\n", "")
}

fn inspect(node: Option<&Value>) -> Value {
    let arguments = ["container", "inspect", "main-control-plane"];
    match node {
        Some(node) => call("docker", &arguments, 0, &json!([node]).to_string(), ""),
        None => call("docker", &arguments, 1, "[]\n", NO_CONTAINER),
    }
}

fn nodes(names: &str) -> Value {
    let label = "label=io.x-k8s.kind.cluster=main";
    call("docker", &["ps", "--all", "--filter", label, "--format", "{{.Names}}"], 0, names, "")
}

fn files(status: i32, stdout: &str, stderr: &str) -> Value {
    let script = "for file; do if [ -f \"$file\" ]; then echo \"$(wc -c <\"$file\") $file\"; cat \"$file\"; fi; done";
    let paths = ["/etc/kubernetes/admin.conf", "/kind/kubeadm.conf", "/etc/containerd/config.toml"];
    let mut arguments = vec!["exec", "main-control-plane", "sh", "-c", script, "sh"];
    arguments.extend(paths);
    call("docker", &arguments, status, stdout, stderr)
}

/// A file of a node in the archive that `docker cp` makes of it.
fn copy(path: &str, content: &str) -> Value {
    let size = format!("{:011o}\0", content.len());
    let archive = format!("{}{size}{}0{}{content}", "\0".repeat(124), " ".repeat(20), "\0".repeat(355));
    call("docker", &["cp", &format!("main-control-plane:{path}"), "-"], 0, &archive, "")
}

/// A node as `docker inspect` shows it, in that state.
fn node(state: &str) -> Value {
    json!({
        "Id": "node-1", "Name": "/main-control-plane", "State": {"Status": state},
        "Config": {"Image": "kindest/node:v1.36.2",
                   "Labels": {"io.x-k8s.kind.cluster": "main", "io.x-k8s.kind.role": "control-plane"}},
        "Mounts": [
            {"Type": "bind", "Source": "/srv/kind", "Destination": "/mnt", "Mode": "rslave", "RW": true, "Propagation": "rslave"},
            {"Type": "volume", "Name": "x", "Source": "/var/lib/docker/volumes/x/_data", "Destination": "/var", "RW": true, "Propagation": ""},
            {"Type": "bind", "Source": "/lib/modules", "Destination": "/lib/modules", "Mode": "ro", "RW": false, "Propagation": "rprivate"}],
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}],
                                        "6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "1"}]}},
        "NetworkSettings": {"Ports": {}},
    })
}

struct Bed {
    host: DockerHost,
    place: tempfile::TempDir,
}

impl Bed {
    fn new(calls: &[Value]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let lines: Vec<String> = calls.iter().map(Value::to_string).collect();
        let processes = Processes::replaying_text(&lines.join("\n")).unwrap();
        let docker = Docker::new(Arc::new(processes), ContainerEngine::Docker);
        let kubernetes = KubernetesProvider::new(std::collections::BTreeMap::new());
        let host = DockerHost::new(docker, kubernetes, place.path().to_owned());
        Self { host, place }
    }

    /// Has a creation be begun on a daemon, as a killed run leaves it behind.
    fn begun(self, daemon: &str) -> Self {
        let directory = self.creation();
        std::fs::create_dir_all(&directory).unwrap();
        let progress = json!({"daemon": daemon, "attributes": wanted()});
        std::fs::write(directory.join("creation.json"), progress.to_string()).unwrap();
        self
    }

    fn creation(&self) -> std::path::PathBuf {
        self.place.path().join("main/kind")
    }

    async fn look(&self) -> ObservedTarget {
        let wanted = TargetRequest { types: BTreeSet::from([ResourceType::Namespace]), ..TargetRequest::default() };
        let request = ObserveRequest::from([(target(), wanted)]);
        self.host.observe(&request).await.remove(&target()).unwrap()
    }

    async fn enact(&self, operation: Operation, uid: Option<&str>) -> Result<Enacted, EnactError> {
        let address = Address::kind_cluster("main");
        let step = Step {
            target: target(),
            key: ObjectKey::new(ResourceType::KindCluster, "", "main"),
            address,
            operation,
            object: (operation != Operation::Delete).then(wanted),
            expected_uid: uid.map(str::to_owned),
            force_conflicts: false,
        };
        self.host.enact(&step).await
    }
}

fn target() -> Target {
    Target::Kind("main".to_owned())
}

fn wanted() -> Value {
    json!({"name": "main", "image": null, "containerdConfigPatches": ["asked"], "kubeadmConfigPatches": ["for"],
           "extraMounts": [{"containerPath": "/mnt", "hostPath": "/srv/kind", "propagation": "HostToContainer"}],
           "extraPortMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]})
}

#[tokio::test]
async fn an_engine_that_does_not_answer_makes_everything_unknown() {
    let bed = Bed::new(&[]);
    let unasked = bed.look().await;
    assert!(matches!(unasked.cluster, Observed::Unknown(UnknownReason::Failed(_))), "{unasked:?}");
    let mut calls = [info(), inspect(None), nodes("")];
    for call in &mut calls {
        call["status"] = 1.into();
        call["stdout"] = "\t\n".into();
        call["stderr"] = NOT_RUNNING.into();
    }
    let seen = Bed::new(&calls).look().await;
    let Observed::Unknown(UnknownReason::Unreachable(text)) = &seen.cluster else { panic!("{seen:?}") };
    assert!(text.starts_with("Docker is not running at unix:///var/run/docker.sock; start it"), "{text}");
    assert_eq!((seen.identity, seen.objects.is_err()), (None, true));
}

#[tokio::test]
async fn an_absence_comes_with_who_says_so() {
    let seen = Bed::new(&[info(), inspect(None), nodes(""), files(1, "", NO_CONTAINER)]).look().await;
    assert_eq!(seen.cluster, Observed::Absent);
    assert_eq!(seen.identity.unwrap().daemon, "daemon-1");
}

#[tokio::test]
async fn other_nodes_that_are_left_are_no_absence() {
    let seen = Bed::new(&[info(), inspect(None), nodes("main-worker\n"), files(1, "", NO_CONTAINER)]).look().await;
    let Observed::Unknown(UnknownReason::Failed(text)) = &seen.cluster else { panic!("{seen:?}") };
    assert!(text.contains("main-worker") && text.contains("kind delete cluster --name main"), "{text}");
}

#[tokio::test]
async fn of_a_node_that_does_not_run_the_mounts_are_known_and_the_objects_are_not() {
    let table = [
        ("exited", "the node container `main-control-plane` is stopped; `docker start main-control-plane` starts it"),
        (
            "paused",
            "the node container `main-control-plane` is paused; `docker unpause main-control-plane` lets it go on",
        ),
    ];
    for (state, expected) in table {
        let refused = files(1, "", "Error response from daemon: container node-1 is not running");
        let calls = [info(), inspect(Some(&node(state))), refused];
        let copies = [
            copy("/kind/kubeadm.conf", "node-labels: ingress-ready=true\n"),
            copy("/etc/containerd/config.toml", "version = 3\n"),
        ];
        let seen = Bed::new(&[&calls[..], &copies].concat()).look().await;
        let Observed::Present(live) = &seen.cluster else { panic!("{seen:?}") };
        assert_eq!(live.uid, "node-1");
        assert_eq!(live.attributes["extraMounts"], wanted()["extraMounts"]);
        assert!(live.attributes["kubeadmConfigPatches"].to_string().contains("ingress-ready=true"));
        assert_eq!(seen.objects, Err(UnknownReason::Unreachable(expected.to_owned())));
        // What it was made with and cannot be read is not taken for missing, which would be a reason to make it anew.
        let seen = Bed::new(&calls).look().await;
        assert!(matches!(seen.cluster, Observed::Unknown(_)), "{seen:?}");
    }
}

#[tokio::test]
async fn a_container_that_only_has_the_name_is_no_cluster() {
    let mut other = node("running");
    other["Config"]["Labels"] = json!({});
    let seen = Bed::new(&[info(), inspect(Some(&other)), files(0, "", "")]).look().await;
    assert!(matches!(seen.cluster, Observed::Unknown(_)), "{seen:?}");
}

#[tokio::test]
async fn a_creation_that_never_ended_is_seen_as_what_it_was_to_be() {
    for (state, answer) in [("running", files(0, "", "")), ("created", files(1, "", "container node-1 is not running"))]
    {
        let calls = [info(), inspect(Some(&node(state))), answer];
        let seen = Bed::new(&calls).begun("daemon-1").look().await;
        let Observed::Present(live) = &seen.cluster else { panic!("{seen:?}") };
        assert_eq!(live.attributes["containerdConfigPatches"], json!(["asked"]));
        let keys: Vec<String> = seen.objects.unwrap().into_keys().map(|key| key.name.to_string()).collect();
        assert_eq!(keys, ["/mnt", "80/tcp"]);
        // One that somebody else began, or on another daemon, is not ours to judge.
        for bed in [Bed::new(&calls), Bed::new(&calls).begun("daemon-2")] {
            assert!(bed.look().await.objects.is_err());
        }
    }
}

#[tokio::test]
async fn a_creation_whose_kind_reached_its_end_is_not_half_made() {
    let calls = [info(), inspect(Some(&node("exited"))), files(1, "", "container node-1 is not running")];
    let bed = Bed::new(&calls).begun("daemon-1");
    std::fs::write(bed.creation().join("kubeconfig"), "x").unwrap();
    assert!(bed.look().await.objects.is_err());
    let error = bed.enact(Operation::Update, Some("node-1")).await.unwrap_err();
    assert!(matches!(error, EnactError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_create_finds_what_is_in_its_way_and_leaves_it() {
    let bed = Bed::new(&[info(), inspect(Some(&node("running")))]);
    let error = bed.enact(Operation::Create, None).await.unwrap_err();
    assert_eq!(error, EnactError::Exists { uid: "node-1".to_owned(), managers: Vec::new() });
    assert!(!bed.creation().join("creation.json").exists());
}

fn create(bed: &Bed) -> Vec<String> {
    let file = |name: &str| bed.creation().join(name).display().to_string();
    [
        "create",
        "cluster",
        "--name",
        "main",
        "--config",
        &file("kind.yaml"),
        "--kubeconfig",
        &file("kubeconfig"),
        "--wait",
        "0s",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A bed whose calls depend on where it is.
fn with_kind(calls: impl Fn(&Bed) -> Vec<Value>) -> Bed {
    let bed = Bed::new(&[]);
    let lines: Vec<String> = calls(&bed).iter().map(Value::to_string).collect();
    let processes = Processes::replaying_text(&lines.join("\n")).unwrap();
    let docker = Docker::new(Arc::new(processes), ContainerEngine::Docker);
    let kubernetes = KubernetesProvider::new(std::collections::BTreeMap::new());
    Bed { host: DockerHost::new(docker, kubernetes, bed.place.path().to_owned()), place: bed.place }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_who_has_it() {
    let said = "ERROR: failed to create cluster: command \"docker run\" failed with error: exit status 125\n\nCommand Output: node-1\ndocker: Error response from daemon: driver failed programming external connectivity on endpoint main-control-plane (0a): Bind for 0.0.0.0:80 failed: port is already allocated.";
    let bed = with_kind(|bed| {
        let arguments = create(bed);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let holder = ["ps", "--filter", "publish=80", "--format", "{{.Names}}"];
        vec![
            info(),
            inspect(None),
            call("kind", &arguments, 1, "", said),
            nodes(""),
            call("docker", &holder, 0, "proxy\n", ""),
        ]
    });
    let error = bed.enact(Operation::Create, None).await.unwrap_err();
    let expected = "port 80 of this host is taken by the container `proxy`; give it up there, or change it in the spec";
    assert_eq!(error, EnactError::Refused(expected.to_owned()));
    assert!(!bed.creation().join("creation.json").exists(), "kind took away what it had made");
}

#[tokio::test]
async fn what_kind_leaves_behind_stays_a_creation_that_was_begun() {
    let bed = with_kind(|bed| {
        let arguments = create(bed);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = "ERROR: failed to create cluster: failed to init node with kubeadm";
        vec![info(), inspect(None), call("kind", &arguments, 1, "", said), nodes("main-control-plane\n")]
    });
    bed.enact(Operation::Create, None).await.unwrap_err();
    assert!(bed.creation().join("creation.json").exists());
}

#[tokio::test]
async fn only_the_expected_node_is_deleted() {
    let bed = Bed::new(&[inspect(Some(&node("running")))]);
    let error = bed.enact(Operation::Delete, Some("node-0")).await.unwrap_err();
    assert!(matches!(error, EnactError::Stale(_)), "{error}");
    // Nothing is recorded of `kind delete`: had it been called, this would be another error.
    let half_made = Bed::new(&[info(), inspect(Some(&node("created")))]).begun("daemon-1");
    let error = half_made.enact(Operation::Update, Some("node-0")).await.unwrap_err();
    assert!(matches!(error, EnactError::Stale(_)), "{error}");
}

#[tokio::test]
async fn a_half_made_cluster_is_deleted_and_made_anew() {
    let bed = with_kind(|bed| {
        let kubeconfig = bed.creation().join("kubeconfig").display().to_string();
        let delete = ["delete", "cluster", "--name", "main", "--kubeconfig", &kubeconfig];
        let arguments = create(bed);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        vec![
            info(),
            inspect(Some(&node("created"))),
            call("kind", &delete, 0, "", "Deleting cluster \"main\" ..."),
            nodes(""),
            call("kind", &arguments, 1, "", "ERROR: failed to create cluster: made anew"),
        ]
    })
    .begun("daemon-1");
    let error = bed.enact(Operation::Update, Some("node-1")).await.unwrap_err();
    assert!(error.to_string().ends_with("made anew"), "{error}");
    // A cluster that was not begun here is never deleted that way.
    let foreign = Bed::new(&[info(), inspect(Some(&node("exited")))]);
    let error = foreign.enact(Operation::Update, Some("node-1")).await.unwrap_err();
    assert!(matches!(error, EnactError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn deleting_what_is_gone_is_done_and_forgets_that_it_was_begun() {
    let bed = Bed::new(&[info(), inspect(None), nodes("")]).begun("daemon-1");
    bed.enact(Operation::Delete, Some("node-1")).await.unwrap();
    assert!(!bed.creation().join("creation.json").exists());
}

#[tokio::test]
async fn mounts_and_ports_are_there_or_are_not() {
    let bed = Bed::new(&[inspect(Some(&node("running")))]);
    let mount = |path: &str, host: &str| {
        let address = Address::new(ResourceType::KindMount, laconic_engine::address::Scope::cluster("main"), path);
        Step {
            target: target(),
            key: ObjectKey::new(ResourceType::KindMount, "", path),
            address,
            operation: Operation::Create,
            object: Some(json!({"containerPath": path, "hostPath": host, "propagation": "HostToContainer"})),
            expected_uid: None,
            force_conflicts: false,
        }
    };
    let done = bed.host.enact(&mount("/mnt", "/srv/kind")).await.unwrap();
    assert_eq!(done.live.unwrap().uid, "node-1/mnt");
    for (path, host) in [("/mnt", "/srv/other"), ("/other", "/srv/kind")] {
        let error = bed.host.enact(&mount(path, host)).await.unwrap_err();
        assert!(matches!(error, EnactError::Refused(_)), "{error}");
    }
    let key = ObjectKey::new(ResourceType::KindPort, "", "80/tcp");
    assert_eq!(bed.host.readiness(&target(), &key).await, Ok(Readiness::Ready));
}

const NODES: [&str; 2] = ["main-control-plane", "main-worker"];
const WEB: &str = "shop/web:local";

fn images_here(lines: &str) -> Value {
    let format = "{{.Repository}}:{{.Tag}}\t{{.ID}}";
    call("docker", &["image", "ls", "--no-trunc", "--format", format], 0, lines, "")
}

/// What a node lists: one image, under that name.
fn images_of(node: &str, id: &str) -> Value {
    let list = json!({"images": [{"id": id, "repoTags": ["docker.io/shop/web:local"], "repoDigests": []}]});
    call("docker", &["exec", node, "sh", "-c", "crictl images --output json", "sh"], 0, &list.to_string(), "")
}

fn load(status: i32, stderr: &str) -> Value {
    call("kind", &["load", "docker-image", WEB, "--name", "main"], status, "", stderr)
}

/// The nodes have these before and after.
fn loading(here: &str, before: [&str; 2], after: [&str; 2]) -> Vec<Value> {
    let mut calls =
        vec![inspect(Some(&node("running"))), nodes("main-control-plane\nmain-worker\n"), images_here(here)];
    for ids in [before, after] {
        calls.extend(NODES.iter().zip(ids).map(|(node, id)| images_of(node, id)));
    }
    calls
}

async fn put_image(calls: &[Value]) -> Result<Enacted, EnactError> {
    let address = Address::new(ResourceType::KindImage, laconic_engine::address::Scope::deployment("shop"), WEB);
    let step = Step {
        target: target(),
        key: ObjectKey::new(ResourceType::KindImage, "", WEB),
        address,
        operation: Operation::Create,
        object: Some(json!({"image": WEB, "id": "sha256:new"})),
        expected_uid: None,
        force_conflicts: false,
    };
    Bed::new(calls).host.enact(&step).await
}

#[tokio::test]
async fn an_image_is_put_on_nodes_that_lack_it_and_on_no_others() {
    let here = "shop/web:local\tsha256:new\n<none>:<none>\tsha256:x\n";
    let (old, new) = ("sha256:old", "sha256:new");
    // One node has it, the other one the image before.
    let calls = [loading(here, [new, old], [new, new]), vec![load(0, "")]].concat();
    let live = put_image(&calls).await.unwrap().live.unwrap();
    assert_eq!((live.uid.as_str(), &live.attributes["id"]), ("node-1shop/web:local", &json!(new)));
    // Nothing is recorded of `kind load`: had it been called, this would be an error.
    let live = put_image(&loading(here, [new, new], [new, new])).await.unwrap().live.unwrap();
    assert_eq!(live.attributes["id"], new);
    // Built again, or removed, since the plan was made.
    for here in ["shop/web:local\tsha256:newer\n", ""] {
        let error = put_image(&loading(here, [old, old], [old, old])).await.unwrap_err();
        assert!(matches!(error, EnactError::Stale(_)), "{error}");
    }
    let failing = [loading(here, [old, old], [old, old]), vec![load(1, "ERROR: no space left on device")]].concat();
    let error = put_image(&failing).await.unwrap_err();
    assert!(error.to_string().contains("no space left"), "{error}");
}

#[tokio::test]
async fn the_images_of_a_host_without_the_cluster_are_seen() {
    let bed = Bed::new(&[info(), inspect(None), nodes(""), files(1, "", NO_CONTAINER), images_here("a:1\tsha256:a\n")]);
    let wanted = TargetRequest { images: true, ..TargetRequest::default() };
    let seen = bed.host.observe(&ObserveRequest::from([(target(), wanted)])).await.remove(&target()).unwrap();
    let images = seen.node.images.unwrap();
    assert_eq!(images.here, [("a:1".to_owned(), "sha256:a".to_owned())].into());
    assert!(images.on_nodes.is_empty());
    assert_eq!(bed.look().await.node.images, None, "nobody asked");
}

#[tokio::test]
async fn a_name_that_leads_out_of_the_directory_is_none() {
    let bed = Bed::new(&[info()]);
    for name in ["..", "../x", "-x", "X", ""] {
        let error = bed.host.load_image(name, "image").await.unwrap_err();
        assert_eq!(error, KindError::InvalidName { name: name.to_owned() });
    }
}
