//! This host as `doctor` looks at it: what the container engine's and kind's own programs answer. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, join5};
use laconic_providers::docker::{Container, Docker};
use laconic_providers::kind::{CLUSTER_LABEL, Kind};
use laconic_providers::process::{Invocation, Processes};

pub use laconic_providers::docker::{ContainerEngine, ContainerState, DockerError};
pub use laconic_providers::process::ProcessError;

use crate::doctor::clusters::Node;
use crate::doctor::engine::{EngineFacts, Seen};

/// How long one program may take. A busy daemon takes seconds; one that hangs is a finding.
pub(super) const LIMIT: Duration = Duration::from_secs(15);

/// The label with which kind says what a node is.
const ROLE_LABEL: &str = "io.x-k8s.kind.role";

/// What a node has when kubeadm has run in it.
const ADMIN_KUBECONFIG: &str = "/etc/kubernetes/admin.conf";

/// What is asked of the engine: nothing but this, for its whole answer has proxies with passwords in it.
const INFORMATION: &str = r#"{"id":{{json .ID}},"version":{{json .ServerVersion}},"root":{{json .DockerRootDir}},"security":{{json .SecurityOptions}},"system":{{json .OperatingSystem}},"host":{{json .Name}},"cgroup":{{json .CgroupVersion}}}"#;

/// The same of Podman, which has no daemon.
const PODMAN_INFORMATION: &str = r#"{"id":"{{.Host.Hostname}}:{{.Store.GraphRoot}}","version":"{{.Version.Version}}","root":"{{.Store.GraphRoot}}","security":[{{if .Host.Security.Rootless}}"name=rootless"{{end}}],"host":"{{.Host.Hostname}}"}"#;

/// A port of the host, by number and protocol.
pub type Port = (u16, String);

/// This host's programs.
#[derive(Clone, Debug)]
pub struct Machine {
    docker: Docker,
    kind: Kind,
    word: String,
}

/// What they answered.
#[derive(Clone, Debug)]
pub struct MachineSeen {
    /// The container engine.
    pub engine: Seen,
    /// What `kind version` prints.
    pub kind: Result<String, ProcessError>,
    /// The nodes of all kind clusters.
    pub nodes: Result<Vec<Node>, DockerError>,
    /// The containers that publish the ports asked about.
    pub holders: BTreeMap<Port, String>,
}

impl Machine {
    /// The programs of this host; `word` is what says which container engine is used, and in `clusters` is kept what goes
    /// with the creation of clusters.
    #[must_use]
    pub fn new(word: String, clusters: PathBuf) -> Self {
        let engine = ContainerEngine::of_word(&word);
        let docker = Docker::new(Arc::new(Processes::real()), engine).with_look_limit(LIMIT);
        Self { kind: Kind::new(docker.clone(), clusters), docker, word }
    }

    /// Asks all of them, side by side.
    pub async fn look(&self, ports: &BTreeSet<Port>) -> MachineSeen {
        let holders = join_all(ports.iter().map(|port| async move {
            let (number, protocol) = port;
            let holder = self.docker.holder_of_port(&format!("{number}/{protocol}")).await.ok().flatten()?;
            Some((port.clone(), holder))
        }));
        let (answer, address, kind, nodes, holders) =
            join5(self.information(), self.address(), self.kind_version(), self.nodes(), holders).await;
        let mut nodes = nodes;
        if let (Ok(Some(facts)), Ok(nodes)) = (&answer, &mut nodes) {
            self.notice_unfinished(&facts.id, nodes);
        }
        let engine = Seen { engine: self.docker.engine(), word: self.word.clone(), answer, address };
        MachineSeen { engine, kind, nodes, holders: holders.into_iter().flatten().collect() }
    }

    /// kind may have got far, and not to its end: that is written down beside the cluster.
    fn notice_unfinished(&self, daemon: &str, nodes: &mut [Node]) {
        for node in nodes.iter_mut().filter(|node| node.state == ContainerState::Running) {
            let begun = self.kind.creation(&node.cluster).and_then(|creation| creation.unfinished(daemon));
            if matches!(begun, Ok(Some(_))) {
                node.is_finished = Some(false);
            }
        }
    }

    async fn information(&self) -> Result<Option<EngineFacts>, DockerError> {
        let template = if self.docker.engine() == ContainerEngine::Podman { PODMAN_INFORMATION } else { INFORMATION };
        let text = self.docker.information(template).await?;
        match EngineFacts::read(&text) {
            Some(facts) => Ok(Some(facts)),
            // Some versions answer with nothing in it where no daemon does.
            None if text.contains(r#""id":"""#) => {
                Err(DockerError::NotRunning { engine: self.docker.engine(), address: String::new() })
            }
            None => Ok(None),
        }
    }

    /// The address of the engine, as its program finds it.
    async fn address(&self) -> String {
        if self.docker.engine() != ContainerEngine::Docker {
            return String::new();
        }
        if let Some(address) = std::env::var("DOCKER_HOST").ok().filter(|address| !address.is_empty()) {
            return address;
        }
        let arguments = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
        self.said("docker", &arguments).await.map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    async fn kind_version(&self) -> Result<String, ProcessError> {
        self.said("kind", &["version"]).await
    }

    /// What a program prints; when it fails, what it complains about.
    async fn said(&self, program: &str, arguments: &[&str]) -> Result<String, ProcessError> {
        let outcome = self.docker.processes().run(Invocation::new(program, arguments, LIMIT)).await?;
        if outcome.is_success() {
            return Ok(String::from_utf8_lossy(&outcome.stdout).into_owned());
        }
        let detail = outcome.complaint().lines().last().unwrap_or("it does not say why").to_owned();
        Err(ProcessError::System {
            command: [program, arguments.first().copied().unwrap_or_default()].join(" "),
            detail,
        })
    }

    async fn nodes(&self) -> Result<Vec<Node>, DockerError> {
        let names = self.docker.labelled(CLUSTER_LABEL).await?;
        let nodes = join_all(names.iter().map(|name| self.node(name))).await;
        // One that went away in between is none.
        nodes.into_iter().filter_map(Result::transpose).collect()
    }

    async fn node(&self, name: &str) -> Result<Option<Node>, DockerError> {
        let Some(container) = self.docker.container(name).await? else { return Ok(None) };
        let Container { id, name, image, state, mut labels, .. } = container;
        let Some(cluster) = labels.remove(CLUSTER_LABEL) else { return Ok(None) };
        let is_control_plane = labels.get(ROLE_LABEL).is_some_and(|role| role == "control-plane");
        let is_finished = match state {
            ContainerState::Running if is_control_plane => self.is_finished(&name).await,
            _ => None,
        };
        Ok(Some(Node { name, id, cluster, is_control_plane, image, state, is_finished }))
    }

    async fn is_finished(&self, node: &str) -> Option<bool> {
        let arguments = ["exec", node, "test", "-f", ADMIN_KUBECONFIG];
        let invocation = Invocation::new(self.docker.engine().program(), &arguments, LIMIT);
        match self.docker.processes().run(invocation).await.ok()?.status {
            0 => Some(true),
            1 => Some(false),
            // The engine's own: the container went away, or it has no such program.
            _ => None,
        }
    }
}
