//! Why the container engine gave no good answer, read out of what its program says.

use laconic_engine::apply::EnactError;
use laconic_engine::resource::UnknownReason;

use super::ContainerEngine;
use crate::process::ProcessError;

/// Why the container engine gave no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerError {
    /// Its program is not there.
    #[error("`{}` is not installed, or not in PATH; install {}, or name another engine in KIND_EXPERIMENTAL_PROVIDER", engine.program(), engine.name())]
    NotInstalled {
        /// Which engine.
        engine: ContainerEngine,
    },
    /// Its program is there and no daemon answers.
    #[error("{} is not running{}; start it (`systemctl start docker`), or set DOCKER_HOST to where it runs", engine.name(), at(address))]
    NotRunning {
        /// Which engine.
        engine: ContainerEngine,
        /// Where it was looked for; empty when it does not say.
        address: String,
    },
    /// The daemon is there, and not for us.
    #[error("no permission to speak to {}{}; run this as root, or join the group `docker` and log in again", engine.name(), at(address))]
    NotPermitted {
        /// Which engine.
        engine: ContainerEngine,
        /// Where it is; empty when it does not say.
        address: String,
    },
    /// No answer in time.
    #[error("`{command}` gave no answer within {seconds} s; see `systemctl status docker`")]
    TimedOut {
        /// The command.
        command: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// There is no such container.
    #[error("there is no such container: {said}")]
    NoSuchContainer {
        /// What the engine said.
        said: String,
    },
    /// The container is there and does not run.
    #[error("the container does not run: {said}")]
    NotThere {
        /// What the engine said.
        said: String,
    },
    /// Its program could not be run or attended to.
    #[error("{0}")]
    Process(ProcessError),
    /// Anything else.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
}

fn at(address: &str) -> String {
    if address.is_empty() { String::new() } else { format!(" at {address}") }
}

impl DockerError {
    /// What a failure to run the program means.
    pub(crate) fn of_process(engine: ContainerEngine, error: ProcessError) -> Self {
        match error {
            ProcessError::NotFound { .. } => Self::NotInstalled { engine },
            ProcessError::TimedOut { command, seconds } => Self::TimedOut { command, seconds },
            other => Self::Process(other),
        }
    }

    /// What the program complains about.
    pub(crate) fn of_text(engine: ContainerEngine, verb: &str, text: &str) -> Self {
        if let Some(error) = Self::unreachable(engine, text) {
            return error;
        }
        let lower = text.to_lowercase();
        let said = last_line(text);
        if lower.contains("no such container") || lower.contains("no such object") {
            return Self::NoSuchContainer { said };
        }
        if lower.contains("is not running") || lower.contains("is paused") || lower.contains("is restarting") {
            return Self::NotThere { said };
        }
        Self::Failed { command: format!("{} {verb}", engine.program()), said }
    }

    /// Whether a text, kind's too, says that the engine cannot be reached.
    pub(crate) fn unreachable(engine: ContainerEngine, text: &str) -> Option<Self> {
        let line = |phrase: &str| text.lines().find(|line| line.to_lowercase().contains(phrase));
        if let Some(line) = line("permission denied while trying to connect") {
            return Some(Self::NotPermitted { engine, address: address(line) });
        }
        for phrase in
            ["cannot connect to the docker daemon", "failed to connect to the docker api", "cannot connect to podman"]
        {
            if let Some(line) = line(phrase) {
                return Some(Self::NotRunning { engine, address: address(line) });
            }
        }
        if let Some(line) = line("error during connect: ") {
            // An address that needs more than a socket: ssh, TLS. The cause comes last.
            let cause = line.rsplit("stderr=").next().unwrap_or(line);
            let said = format!("it cannot be reached: {}", cause.trim());
            return Some(Self::Failed { command: engine.program().to_owned(), said });
        }
        line(&format!("exec: \"{}\": executable file not found", engine.program()))
            .map(|_| Self::NotInstalled { engine })
    }

    /// What is known of something that was asked about in vain.
    #[must_use]
    pub fn unknown(&self) -> UnknownReason {
        match self {
            Self::NotPermitted { .. } | Self::NotInstalled { .. } | Self::NotRunning { .. } | Self::TimedOut { .. } => {
                UnknownReason::Unreachable(self.to_string())
            }
            _ => UnknownReason::Failed(self.to_string()),
        }
    }
}

impl From<DockerError> for EnactError {
    fn from(error: DockerError) -> Self {
        let text = error.to_string();
        match error {
            DockerError::NotInstalled { .. }
            | DockerError::NotRunning { .. }
            | DockerError::NotPermitted { .. }
            | DockerError::NotThere { .. } => Self::Unreachable(text),
            DockerError::TimedOut { .. } => Self::Transient(text),
            DockerError::NoSuchContainer { .. } => Self::Stale(text),
            DockerError::Process(_) | DockerError::Failed { .. } => Self::Refused(text),
        }
    }
}

/// The address in a complaint: `unix:///var/run/docker.sock`.
fn address(line: &str) -> String {
    let word = line.split_whitespace().find(|word| word.contains("://")).unwrap_or_default();
    word.trim_end_matches(['.', ':', ';', ',', '"']).trim_start_matches('"').to_owned()
}

/// The last line of a complaint, which is what it is about.
fn last_line(text: &str) -> String {
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it does not say why");
    line.trim_start_matches("Error response from daemon: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        DockerError::of_text(ContainerEngine::Docker, "info", text).to_string()
    }

    #[test]
    fn what_docker_says_is_told_with_the_way_out() {
        let table = [
            (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                "Docker is not running at unix:///var/run/docker.sock; start it (`systemctl start docker`), or set DOCKER_HOST to where it runs",
            ),
            (
                "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory",
                "Docker is not running at unix:///var/run/docker.sock; start it (`systemctl start docker`), or set DOCKER_HOST to where it runs",
            ),
            (
                "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \"http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info\": dial unix /var/run/docker.sock: connect: permission denied",
                "no permission to speak to Docker at unix:///var/run/docker.sock; run this as root, or join the group `docker` and log in again",
            ),
            (
                "error during connect: Get \"http://docker.example.com/v1.50/info\": command [ssh -- 127.0.0.1 docker system dial-stdio] has exited with exit status 255, make sure the URL is valid: stderr=ssh: connect to host 127.0.0.1 port 22: Connection refused",
                "`docker` failed: it cannot be reached: ssh: connect to host 127.0.0.1 port 22: Connection refused",
            ),
            ("Error response from daemon: no space left on device", "`docker info` failed: no space left on device"),
        ];
        for (text, expected) in table {
            assert_eq!(of(text), expected);
        }
    }

    #[test]
    fn containers_that_are_not_there_or_do_not_run_are_told_apart() {
        let kind_of = |text: &str| DockerError::of_text(ContainerEngine::Docker, "exec", text);
        let gone = kind_of("Error response from daemon: No such container: main-control-plane");
        assert!(matches!(gone, DockerError::NoSuchContainer { .. }), "{gone}");
        for text in [
            "Error response from daemon: container 5f0c is not running",
            "Error response from daemon: Container main-control-plane is paused, unpause the container before exec",
        ] {
            assert!(matches!(kind_of(text), DockerError::NotThere { .. }), "{text}");
        }
    }
}
