//! The container engine: whether it is there, answers, and is one that kind gets along with.

use serde_json::Value;

use super::Check;
use super::version::Version;
use crate::wire::{ContainerEngine, DockerError};

/// The oldest Docker that kind works with.
const OLDEST: Version = Version::new(20, 10);

/// Where the engine's containers run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// On this host: its paths and ports are ours.
    Here,
    /// Elsewhere, and where: paths and ports of this host say nothing.
    Elsewhere(String),
}

/// What the engine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Where it keeps its data; empty when it does not say.
    pub root: String,
    /// Whether it runs without root.
    pub is_rootless: bool,
    /// What it runs on: `Debian GNU/Linux 13`, `Docker Desktop`.
    pub system: String,
    /// The name of the host it runs on; empty when it does not say.
    pub host: String,
    /// The version of its control groups; empty when it does not say.
    pub cgroup: String,
}

impl EngineFacts {
    /// Reads what was asked for with `wire::Machine::information`; `None` when it is something else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text.trim()).ok()?;
        let word = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let options = value["security"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Some(Self {
            id: Some(word("id")).filter(|id| !id.is_empty())?,
            version: word("version"),
            root: word("root"),
            is_rootless: options.flat_map(|option| option.split(',')).any(|option| option == "name=rootless"),
            system: word("system"),
            host: word("host"),
            cgroup: word("cgroup"),
        })
    }

    /// Where it runs, by its address and its host's name as it says it.
    #[must_use]
    pub fn whereabouts(&self, address: &str, this_host: &str) -> Whereabouts {
        if self.system.contains("Docker Desktop") {
            return Whereabouts::Elsewhere("in the virtual machine of Docker Desktop".to_owned());
        }
        if let Some(elsewhere) = by_address(address) {
            return elsewhere;
        }
        if !self.host.is_empty() && self.host != this_host {
            return Whereabouts::Elsewhere(format!("on `{}`, which is not this host (`{this_host}`)", self.host));
        }
        Whereabouts::Here
    }
}

/// Where an engine at that address runs, when the address alone says so.
#[must_use]
pub fn by_address(address: &str) -> Option<Whereabouts> {
    let is_elsewhere = !address.is_empty() && !address.starts_with("unix://");
    is_elsewhere.then(|| Whereabouts::Elsewhere(format!("at {}", without_password(address))))
}

/// An address that may be shown.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => format!("{scheme}://{}@{host}", user.split(':').next().unwrap_or_default()),
        None => address.to_owned(),
    }
}

/// What was seen of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which one kind would use.
    pub engine: ContainerEngine,
    /// The word in `KIND_EXPERIMENTAL_PROVIDER`; empty when it is not set.
    pub word: String,
    /// What it answers. `None` inside: something, and not what was asked for.
    pub answer: Result<Option<EngineFacts>, DockerError>,
    /// Its address; empty when it does not say.
    pub address: String,
}

/// What is made of it.
#[must_use]
pub fn judge(seen: &Seen) -> Vec<Check> {
    let mut checks = vec![answers(seen)];
    checks.extend(choice(seen.engine, &seen.word));
    if let Ok(Some(facts)) = &seen.answer {
        checks.extend(age(seen.engine, facts));
        checks.extend(control_groups(facts));
    }
    checks
}

fn answers(seen: &Seen) -> Check {
    let engine = seen.engine;
    let name = engine.name();
    let at = if seen.address.is_empty() { String::new() } else { format!(" at {}", without_password(&seen.address)) };
    match &seen.answer {
        Ok(Some(facts)) => {
            let rootless = if facts.is_rootless { ", rootless" } else { "" };
            Check::ok("engine", format!("{name} {} answers{at} (id {}{rootless})", facts.version, facts.id))
        }
        Ok(None) => Check::problem(
            "engine",
            format!("`{} info` answers with something that cannot be read", engine.program()),
            format!("see what `{} info` prints; is it a wrapper?", engine.program()),
        ),
        Err(error) => failure(engine, error),
    }
}

fn failure(engine: ContainerEngine, error: &DockerError) -> Check {
    let (name, program) = (engine.name(), engine.program());
    let at = |address: &str| if address.is_empty() { String::new() } else { format!(" at {address}") };
    match error {
        DockerError::NotInstalled { .. } => Check::problem(
            "engine",
            format!("`{program}` is not installed, or not in PATH"),
            format!("install {name}; kind clusters are its containers. Remote clusters (`deploy-to: k8s`) need none"),
        ),
        DockerError::NotRunning { address, .. } => Check::problem(
            "engine",
            format!("{name} is not running{}", at(address)),
            "start it: `systemctl start docker`",
        )
        .or("or name the one that runs: DOCKER_HOST, `docker context use NAME`"),
        DockerError::NotPermitted { address, .. } => Check::problem(
            "engine",
            format!("no permission to speak to {name}{}", at(address)),
            "join its group and log in again: `sudo usermod -aG docker \"$USER\"` (members of it can become root)",
        )
        .or("or run laconic as root"),
        DockerError::TimedOut { command, seconds } => Check::problem(
            "engine",
            format!("`{command}` gave no answer within {seconds} s"),
            "see `systemctl status docker` and `journalctl -u docker`; `systemctl restart docker` stops every container",
        ),
        other => Check::problem("engine", other.to_string(), format!("see what `{program} info` prints")),
    }
}

fn choice(engine: ContainerEngine, word: &str) -> Option<Check> {
    let known = ["", "docker", "podman", "nerdctl", "finch", "nerdctl.lima"];
    if !known.contains(&word) {
        let found = format!("KIND_EXPERIMENTAL_PROVIDER names `{word}`, which kind does not know: it uses Docker");
        return Some(Check::warning("engine-choice", found, "`unset KIND_EXPERIMENTAL_PROVIDER`"));
    }
    (engine != ContainerEngine::Docker).then(|| {
        let found = format!("KIND_EXPERIMENTAL_PROVIDER names {}; laconic is tested with Docker only", engine.name());
        Check::warning("engine-choice", found, "`unset KIND_EXPERIMENTAL_PROVIDER` to use Docker")
    })
}

fn age(engine: ContainerEngine, facts: &EngineFacts) -> Option<Check> {
    let version = Version::read(&facts.version)?;
    (engine == ContainerEngine::Docker && version < OLDEST).then(|| {
        let found = format!("Docker {} is older than {OLDEST}, the oldest that kind works with", facts.version);
        Check::problem("engine-version", found, "install a newer Docker")
    })
}

fn control_groups(facts: &EngineFacts) -> Option<Check> {
    (facts.cgroup == "1").then(|| {
        Check::warning(
            "control-groups",
            "this host has control groups of version 1: from Kubernetes 1.35 on the kubelet refuses them, unless its image says otherwise",
            "boot it with `systemd.unified_cgroup_hierarchy=1`",
        )
        .or("or set `kind-node-image` to one of Kubernetes 1.34 or earlier")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    const ANSWER: &str = r#"{"id":"7f3c","version":"29.1.3","root":"/var/lib/docker","security":["name=seccomp,profile=builtin","name=cgroupns"],"system":"Debian GNU/Linux 13 (trixie)","host":"web1","cgroup":"2"}"#;

    fn seen(answer: Result<Option<EngineFacts>, DockerError>) -> Seen {
        Seen {
            engine: ContainerEngine::Docker,
            word: String::new(),
            answer,
            address: "unix:///var/run/docker.sock".to_owned(),
        }
    }

    fn verdicts(seen: &Seen) -> Vec<(&'static str, Verdict)> {
        judge(seen).into_iter().map(|check| (check.name, check.verdict)).collect()
    }

    #[test]
    fn a_good_engine_is_one_ok_line() {
        let facts = EngineFacts::read(ANSWER).unwrap();
        let checks = judge(&seen(Ok(Some(facts))));
        let expected = "Docker 29.1.3 answers at unix:///var/run/docker.sock (id 7f3c)";
        assert_eq!(checks, [Check::ok("engine", expected)]);
    }

    #[test]
    fn what_is_no_answer_is_a_problem() {
        for text in ["", "{}", "{\"id\":\"\"}", "Client: Docker"] {
            assert_eq!(EngineFacts::read(text), None, "{text}");
        }
        assert_eq!(verdicts(&seen(Ok(None))), [("engine", Verdict::Problem)]);
    }

    #[test]
    fn every_failure_has_a_way_out_of_its_own() {
        let engine = ContainerEngine::Docker;
        let errors = [
            (DockerError::NotInstalled { engine }, "install Docker"),
            (DockerError::NotRunning { engine, address: "unix:///x".to_owned() }, "systemctl start docker"),
            (DockerError::NotPermitted { engine, address: String::new() }, "usermod -aG docker"),
            (DockerError::TimedOut { command: "docker info".to_owned(), seconds: 15 }, "systemctl status docker"),
            (DockerError::Failed { command: "docker info".to_owned(), said: "x".to_owned() }, "docker info"),
        ];
        for (error, help) in errors {
            let checks = judge(&seen(Err(error)));
            assert_eq!(checks.len(), 1);
            assert_eq!(checks[0].verdict, Verdict::Problem);
            assert!(checks[0].help.join("\n").contains(help), "{:?}", checks[0]);
        }
    }

    #[test]
    fn old_ones_rootless_ones_and_other_engines_are_told_of() {
        let mut facts = EngineFacts::read(ANSWER).unwrap();
        facts.version = "19.03.4".to_owned();
        facts.cgroup = "1".to_owned();
        let expected =
            [("engine", Verdict::Ok), ("engine-version", Verdict::Problem), ("control-groups", Verdict::Warning)];
        assert_eq!(verdicts(&seen(Ok(Some(facts)))), expected);
        let rootless = ANSWER.replace("name=cgroupns", "name=rootless");
        assert!(EngineFacts::read(&rootless).unwrap().is_rootless);
        assert!(!EngineFacts::read(ANSWER).unwrap().is_rootless);
        let facts = EngineFacts::read(ANSWER).unwrap();
        let podman =
            Seen { engine: ContainerEngine::Podman, word: "podman".to_owned(), ..seen(Ok(Some(facts.clone()))) };
        assert_eq!(verdicts(&podman), [("engine", Verdict::Ok), ("engine-choice", Verdict::Warning)]);
        let unknown = Seen { word: "dokcer".to_owned(), ..seen(Ok(Some(facts))) };
        assert_eq!(verdicts(&unknown), [("engine", Verdict::Ok), ("engine-choice", Verdict::Warning)]);
    }

    #[test]
    fn an_engine_elsewhere_is_recognised_and_no_password_is_said() {
        let facts = EngineFacts::read(ANSWER).unwrap();
        assert_eq!(facts.whereabouts("unix:///var/run/docker.sock", "web1"), Whereabouts::Here);
        assert_eq!(facts.whereabouts("", "web1"), Whereabouts::Here);
        let elsewhere = |facts: &EngineFacts, address: &str, host: &str| match facts.whereabouts(address, host) {
            Whereabouts::Elsewhere(place) => place,
            Whereabouts::Here => panic!("{address} {host}"),
        };
        assert_eq!(elsewhere(&facts, "ssh://ops:hunter2@web2", "web1"), "at ssh://ops@web2");
        assert!(elsewhere(&facts, "unix:///home/me/.colima/docker.sock", "laptop").contains("`web1`"));
        let desktop = EngineFacts { system: "Docker Desktop".to_owned(), ..facts };
        assert!(elsewhere(&desktop, "", "web1").contains("Docker Desktop"));
    }
}
