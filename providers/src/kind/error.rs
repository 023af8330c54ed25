//! Why kind did not do what it was asked, read out of what it says.

use laconic_engine::apply::EnactError;

use crate::docker::{ContainerEngine, DockerError};
use crate::process::ProcessError;

/// Why kind did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// Its program is not there.
    #[error("`kind` is not installed, or not in PATH; install it from https://kind.sigs.k8s.io")]
    NotInstalled,
    /// The container engine is what fails.
    #[error("{0}")]
    Docker(DockerError),
    /// A cluster with that name has nodes already.
    #[error("a cluster of that name exists already")]
    Exists,
    /// A node image that cannot be had.
    #[error(
        "the node image `{image}` cannot be pulled: {said}; check the name and the network, or load it here with `docker pull` or `docker load`"
    )]
    ImageNotPulled {
        /// The image.
        image: String,
        /// What the registry or the network said.
        said: String,
        /// Whether that may pass.
        may_pass: bool,
    },
    /// A configuration that kind does not take.
    #[error("kind does not take the configuration of the cluster: {said}; `laconic render --kind-config` shows it")]
    BadConfiguration {
        /// What is wrong with it.
        said: String,
    },
    /// A name that kind does not take.
    #[error(
        "`{name}` cannot be the name of a cluster: lower case letters, digits, `.` and `-` only; set `kind-cluster-name`"
    )]
    InvalidName {
        /// The name.
        name: String,
    },
    /// A port of the host that somebody has.
    #[error("{}", port_taken(port, holder.as_deref()))]
    PortTaken {
        /// The port, `80`; empty when kind does not say.
        port: String,
        /// The container that has it, when it is one.
        holder: Option<String>,
    },
    /// A host path that cannot be mounted with its propagation.
    #[error(
        "{path} cannot be mounted into the cluster: it is on no shared mount; run `mount --bind {path} {path} && mount --make-shared {path}`"
    )]
    NotShared {
        /// The path.
        path: String,
    },
    /// No room.
    #[error("there is no space left where the container engine keeps its data; `docker system df` says what takes it")]
    NoSpace,
    /// It took too long and was ended.
    #[error("kind did not end within {seconds} s and was stopped; its output is in {log}")]
    TimedOut {
        /// How long it was waited for.
        seconds: u64,
        /// Where its output is.
        log: String,
    },
    /// An image to be loaded that is not here.
    #[error("the image `{image}` is not present on this host; build it, or get it with `docker pull`")]
    NotPresentLocally {
        /// The image.
        image: String,
    },
    /// A cluster without nodes.
    #[error("the cluster `{cluster}` has no nodes")]
    NoNodes {
        /// Its name.
        cluster: String,
    },
    /// Another kind works on the cluster.
    #[error(
        "another `kind` has been working on the cluster `{cluster}` for over {seconds} s; wait for it, or end it: `fuser {lock}` says which it is"
    )]
    Busy {
        /// The cluster.
        cluster: String,
        /// How long it was waited for.
        seconds: u64,
        /// What it holds.
        lock: String,
    },
    /// The files that go with a creation cannot be kept.
    #[error("`{path}` cannot be {verb}: {detail}")]
    File {
        /// Which.
        path: String,
        /// What was tried.
        verb: &'static str,
        /// What the system said.
        detail: String,
    },
    /// Its program could not be run or attended to.
    #[error("{0}")]
    Process(ProcessError),
    /// Anything else, in its own words.
    #[error("{said}")]
    Failed {
        /// What it said.
        said: String,
    },
}

fn port_taken(port: &str, holder: Option<&str>) -> String {
    let number = port.split('/').next().unwrap_or_default();
    let port = if port.is_empty() { "a port of this host".to_owned() } else { format!("port {port} of this host") };
    let help = "give it up there, or change it in the spec";
    match holder {
        Some(holder) => format!("{port} is taken by the container `{holder}`; {help}"),
        None if number.is_empty() => format!("{port} is taken; {help}"),
        None => format!("{port} is taken (`ss -lptn 'sport = :{number}'` says by whom); {help}"),
    }
}

impl KindError {
    /// What a failure to run the program means. `log` is where its output goes.
    pub(super) fn of_process(error: ProcessError, log: &str) -> Self {
        match error {
            ProcessError::NotFound { .. } => Self::NotInstalled,
            ProcessError::TimedOut { seconds, .. } => Self::TimedOut { seconds, log: log.to_owned() },
            other => Self::Process(other),
        }
    }

    /// What kind complains about.
    pub(super) fn of_text(engine: ContainerEngine, text: &str) -> Self {
        if let Some(error) = DockerError::unreachable(engine, text) {
            return Self::Docker(error);
        }
        let line = |phrase: &str| text.lines().find(|line| line.contains(phrase));
        if text.contains("node(s) already exist for a cluster") {
            return Self::Exists;
        }
        if let Some(line) = line("failed to pull image") {
            let said = detail(text);
            return Self::ImageNotPulled { image: quoted(line), may_pass: may_pass(&said), said };
        }
        if let Some((_, said)) = text.split_once("unable to decode config: ") {
            let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
            return Self::BadConfiguration { said: said.join(" ") };
        }
        if let Some(line) = line("is not a valid cluster name") {
            return Self::InvalidName { name: quoted(line) };
        }
        if let Some(port) = taken_port(text) {
            return Self::PortTaken { port, holder: None };
        }
        if let Some(line) = line("not a shared or slave mount") {
            let path = line.split("path ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
            return Self::NotShared { path: path.trim_matches(['"', '\'', ',', ':']).to_owned() };
        }
        if text.contains("no space left on device") {
            return Self::NoSpace;
        }
        if let Some(line) = line("not present locally") {
            return Self::NotPresentLocally { image: quoted(line) };
        }
        if let Some(line) = line("no nodes found for cluster") {
            return Self::NoNodes { cluster: quoted(line) };
        }
        Self::Failed { said: said(text) }
    }

    /// The same with what only somebody who looks further knows.
    #[must_use]
    pub fn with_holder(self, found: Option<String>) -> Self {
        match self {
            Self::PortTaken { port, .. } => Self::PortTaken { port, holder: found },
            other => other,
        }
    }
}

impl From<KindError> for EnactError {
    fn from(error: KindError) -> Self {
        let text = error.to_string();
        match error {
            KindError::Docker(error) => error.into(),
            KindError::ImageNotPulled { may_pass: true, .. } => Self::Transient(text),
            _ => Self::Refused(text),
        }
    }
}

/// The port that somebody has, as two generations of Docker and the kernel say it; empty when only that is said.
fn taken_port(text: &str) -> Option<String> {
    const PHRASES: [&str; 3] = ["port is already allocated", "address already in use", "ports are not available"];
    let line = text.lines().find(|line| PHRASES.iter().any(|phrase| line.contains(phrase)))?;
    Some(line.split_whitespace().find_map(host_port).unwrap_or_default())
}

/// The port of an address: `0.0.0.0:80`, `[::]:80`, `0.0.0.0:443:172.18.0.2:443/tcp`.
fn host_port(word: &str) -> Option<String> {
    let word = word.trim_matches(['"', '\'', ',', ')', '(']);
    let (address, protocol) = word.split_once('/').unwrap_or((word, ""));
    let after = match address.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some((_, after)) => after,
        None => address.split_once(':').filter(|(host, _)| host.parse::<std::net::Ipv4Addr>().is_ok())?.1,
    };
    let port: u16 = after.split(':').next()?.trim_end_matches('.').parse().ok()?;
    let protocol = protocol.trim_end_matches([':', '.', ',']);
    Some(if protocol.is_empty() { port.to_string() } else { format!("{port}/{protocol}") })
}

/// Whether what keeps an image from being pulled is something of the moment.
fn may_pass(said: &str) -> bool {
    const PHRASES: [&str; 8] = [
        "timeout",
        "connection reset",
        "connection refused",
        "unexpected eof",
        "toomanyrequests",
        "temporary failure",
        "500 internal server error",
        "503 service unavailable",
    ];
    let lower = said.to_lowercase();
    PHRASES.iter().any(|phrase| lower.contains(phrase))
}

/// What stands in quotes.
fn quoted(line: &str) -> String {
    let mut parts = line.split(['"', '\'']);
    parts.nth(1).unwrap_or_default().to_owned()
}

/// The lines that matter: kind repeats whole outputs of Docker, which repeats whole documents.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("Command Output:").trim_start());
    lines.filter(|line| {
        !line.is_empty()
            && !line.starts_with(['{', '"'])
            && !line.starts_with("Stack Trace")
            && !line.starts_with("Run 'docker")
    })
}

/// The last line: the cause.
fn detail(text: &str) -> String {
    let line = lines(text).last().unwrap_or("it does not say why");
    shortened(line.trim_start_matches("Error response from daemon: "))
}

/// The error with its cause.
fn said(text: &str) -> String {
    let error = lines(text).find(|line| line.starts_with("ERROR: ")).map(|line| line.trim_start_matches("ERROR: "));
    let cause = lines(text).last();
    match (error, cause) {
        (Some(error), Some(cause)) if !cause.ends_with(error) => format!("{}: {}", shortened(error), shortened(cause)),
        (Some(error), _) => shortened(error),
        (None, Some(cause)) => shortened(cause),
        (None, None) => "kind failed and does not say why".to_owned(),
    }
}

/// No more than people read.
fn shortened(line: &str) -> String {
    const LONGEST: usize = 300;
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    let head: String = line.chars().take(LONGEST).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        KindError::of_text(ContainerEngine::Docker, text).to_string()
    }

    #[test]
    fn what_kind_says_is_told_with_the_way_out() {
        let run = "ERROR: failed to create cluster: command \"docker run --name main-control-plane --privileged\" failed with error: exit status 125\n\nCommand Output: 5f0cdeadbeef\ndocker: Error response from daemon: ";
        let table = [
            (
                "ERROR: failed to create cluster: node(s) already exist for a cluster with the name \"main\"\n".to_owned(),
                "a cluster of that name exists already",
            ),
            (
                "ERROR: failed to create cluster: failed to pull image \"kindest/node:v9\": command \"docker pull kindest/node:v9\" failed with error: exit status 1\n\nCommand Output: Error response from daemon: manifest for kindest/node:v9 not found: manifest unknown".to_owned(),
                "the node image `kindest/node:v9` cannot be pulled: manifest for kindest/node:v9 not found: manifest unknown; check the name and the network, or load it here with `docker pull` or `docker load`",
            ),
            (
                "ERROR: failed to create cluster: unable to decode config: yaml: unmarshal errors:\n  line 3: field nodez not found in type v1alpha4.Cluster\n".to_owned(),
                "kind does not take the configuration of the cluster: yaml: unmarshal errors: line 3: field nodez not found in type v1alpha4.Cluster; `laconic render --kind-config` shows it",
            ),
            (
                "ERROR: failed to create cluster: 'X_Y' is not a valid cluster name, cluster names must match `^[a-z0-9.-]+$`".to_owned(),
                "`X_Y` cannot be the name of a cluster: lower case letters, digits, `.` and `-` only; set `kind-cluster-name`",
            ),
            (
                format!("{run}driver failed programming external connectivity on endpoint main-control-plane (0a): Bind for 0.0.0.0:80 failed: port is already allocated."),
                "port 80 of this host is taken (`ss -lptn 'sport = :80'` says by whom); give it up there, or change it in the spec",
            ),
            (
                format!("{run}failed to set up container networking: driver failed programming external connectivity on endpoint main-control-plane (0a): failed to bind host port for 0.0.0.0:443:172.18.0.2:443/tcp: address already in use"),
                "port 443/tcp of this host is taken (`ss -lptn 'sport = :443'` says by whom); give it up there, or change it in the spec",
            ),
            (
                format!("{run}path /srv/kind is mounted on / but it is not a shared or slave mount"),
                "/srv/kind cannot be mounted into the cluster: it is on no shared mount; run `mount --bind /srv/kind /srv/kind && mount --make-shared /srv/kind`",
            ),
            (
                "ERROR: image: \"shop:1\" not present locally".to_owned(),
                "the image `shop:1` is not present on this host; build it, or get it with `docker pull`",
            ),
            ("ERROR: no nodes found for cluster \"main\"".to_owned(), "the cluster `main` has no nodes"),
            (
                "ERROR: failed to list clusters: command \"docker ps\" failed with error: exec: \"docker\": executable file not found in $PATH".to_owned(),
                "`docker` is not installed, or not in PATH; install Docker, or name another engine in KIND_EXPERIMENTAL_PROVIDER",
            ),
            (
                "ERROR: failed to create cluster: failed to get docker info: command \"docker info --format '{{json .}}'\" failed with error: exit status 1\n\nCommand Output: {\"ID\":\"\"}\nCannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?".to_owned(),
                "Docker is not running at unix:///var/run/docker.sock; start it (`systemctl start docker`), or set DOCKER_HOST to where it runs",
            ),
            (
                "Creating cluster \"main\" ...\n ✗ Starting control-plane\nERROR: failed to create cluster: failed to init node with kubeadm\n\nCommand Output: I1122 init\nerror: timed out waiting for the condition".to_owned(),
                "failed to create cluster: failed to init node with kubeadm: error: timed out waiting for the condition",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(of(&text), expected);
        }
    }

    #[test]
    fn a_container_in_the_way_is_named() {
        let text = "docker: Error response from daemon: Bind for 0.0.0.0:80 failed: port is already allocated.";
        let error = KindError::of_text(ContainerEngine::Docker, text).with_holder(Some("web".to_owned()));
        assert_eq!(
            error.to_string(),
            "port 80 of this host is taken by the container `web`; give it up there, or change it in the spec"
        );
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let pull = |said: &str| {
            let text = format!(
                "ERROR: failed to create cluster: failed to pull image \"a\": command \"docker pull a\" failed\n\nCommand Output: {said}"
            );
            EnactError::from(KindError::of_text(ContainerEngine::Docker, &text))
        };
        let timeout = pull("Error response from daemon: Get \"https://registry/v2/\": net/http: TLS handshake timeout");
        assert!(matches!(timeout, EnactError::Transient(_)), "{timeout}");
        let unknown = pull("Error response from daemon: manifest unknown");
        assert!(matches!(unknown, EnactError::Refused(_)), "{unknown}");
    }
}
