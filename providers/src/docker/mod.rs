//! The container engine, through its command line.
//!
//! It is the program that people have and that kind itself goes through: contexts, `DOCKER_HOST`, ssh and permissions
//! mean the same to all three.

mod container;
mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use container::{Container, ContainerState, Mount, PublishedPort};
pub use error::DockerError;
use laconic_engine::compile::image_reference;

use crate::process::{Input, Invocation, Outcome, Processes};

/// How long a look may take. A daemon on a busy host takes seconds.
const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// Which program manages containers. kind takes the same word in `KIND_EXPERIMENTAL_PROVIDER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerEngine {
    /// Docker.
    #[default]
    Docker,
    /// containerd's nerdctl.
    Nerdctl,
    /// Podman.
    Podman,
}

impl ContainerEngine {
    /// The engine that a word means; any other word means Docker, as it does for kind.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "podman" => Self::Podman,
            "nerdctl" | "finch" | "nerdctl.lima" => Self::Nerdctl,
            _ => Self::Docker,
        }
    }

    /// The program, and the word for it.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Nerdctl => "nerdctl",
            Self::Podman => "podman",
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Nerdctl => "nerdctl",
            Self::Podman => "Podman",
        }
    }

    /// What tells one set of containers from another. Podman has no daemon: its containers are those of a storage.
    const fn identity_template(self) -> &'static str {
        match self {
            Self::Docker | Self::Nerdctl => "{{.ID}}\t{{.ServerVersion}}",
            Self::Podman => "{{.Host.Hostname}}:{{.Store.GraphRoot}}\t{{.Version.Version}}",
        }
    }
}

/// Who manages the containers that are seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Its id, never empty.
    pub id: String,
    /// Its version.
    pub version: String,
}

/// A file of a node: its path and its content.
pub type NodeFile = (String, Vec<u8>);

/// The container engine of this host.
#[derive(Clone, Debug)]
pub struct Docker {
    processes: Arc<Processes>,
    engine: ContainerEngine,
    limit: Duration,
}

impl Docker {
    /// The engine, reached through these processes.
    #[must_use]
    pub const fn new(processes: Arc<Processes>, engine: ContainerEngine) -> Self {
        Self { processes, engine, limit: LOOK_LIMIT }
    }

    /// The same engine with another limit for how long a look may take.
    #[must_use]
    pub const fn with_look_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Which engine it is.
    #[must_use]
    pub const fn engine(&self) -> ContainerEngine {
        self.engine
    }

    /// What runs its program.
    #[must_use]
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Who manages the containers.
    ///
    /// # Errors
    /// Nobody who can be reached.
    pub async fn daemon(&self) -> Result<Daemon, DockerError> {
        let text = self.text(&["info", "--format", self.engine.identity_template()]).await?;
        let (id, version) = text.trim_end().split_once('\t').unwrap_or((text.trim_end(), ""));
        if id.is_empty() {
            // Some versions answer with nothing in it where no daemon does.
            return Err(DockerError::NotRunning { engine: self.engine, address: String::new() });
        }
        Ok(Daemon { id: id.to_owned(), version: version.to_owned() })
    }

    /// What the engine says of itself, in the form that a template asks for.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub async fn information(&self, template: &str) -> Result<String, DockerError> {
        self.text(&["info", "--format", template]).await
    }

    /// A container by its name or id; `None` when there is none.
    ///
    /// # Errors
    /// An engine that does not answer, or not with what was asked for.
    pub async fn container(&self, name: &str) -> Result<Option<Container>, DockerError> {
        match self.text(&["container", "inspect", name]).await {
            Ok(text) => Container::read(&text).map(Some).ok_or_else(|| self.garbled("container inspect")),
            Err(DockerError::NoSuchContainer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of the containers with a label, whether they run or not.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub async fn labelled(&self, label: &str) -> Result<Vec<String>, DockerError> {
        let filter = format!("label={label}");
        let text = self.text(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]).await?;
        Ok(text.lines().map(str::to_owned).filter(|name| !name.is_empty()).collect())
    }

    /// The values that a label has, each once, on whatever containers, whether they run or not.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub async fn label_values(&self, label: &str) -> Result<BTreeSet<String>, DockerError> {
        let (filter, format) = (format!("label={label}"), format!("{{{{.Label \"{label}\"}}}}"));
        let text = self.text(&["ps", "--all", "--filter", &filter, "--format", &format]).await?;
        Ok(text.lines().map(str::to_owned).filter(|value| !value.is_empty()).collect())
    }

    /// The container that has a port of the host, when one has: `80/tcp`.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub async fn holder_of_port(&self, port: &str) -> Result<Option<String>, DockerError> {
        let filter = format!("publish={port}");
        let text = self.text(&["ps", "--filter", &filter, "--format", "{{.Names}}"]).await?;
        Ok(text.lines().next().map(str::to_owned).filter(|name| !name.is_empty()))
    }

    /// The images that have a name, with their ids.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub async fn images(&self) -> Result<BTreeMap<String, String>, DockerError> {
        let format = "{{.Repository}}:{{.Tag}}\t{{.ID}}";
        let text = self.text(&["image", "ls", "--no-trunc", "--format", format]).await?;
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.filter_map(|(name, id)| Some((image_reference(name)?, id.to_owned()))).collect())
    }

    /// Files of a running container. Those that do not exist are left out. What is in them is secret.
    ///
    /// # Errors
    /// A container that does not run, an engine that does not answer.
    pub async fn files(&self, container: &str, paths: &[&str]) -> Result<Vec<NodeFile>, DockerError> {
        let mut arguments = vec!["exec", container, "sh", "-c", PRINT_FILES, "sh"];
        arguments.extend(paths);
        let mut invocation = Invocation::new(self.engine.program(), &arguments, self.limit);
        invocation.is_secret = true;
        let outcome = self.run(invocation, "exec").await?;
        split_files(&outcome.stdout).ok_or_else(|| self.garbled("exec"))
    }

    /// The same of a container that need not run: a process for each file.
    ///
    /// # Errors
    /// An engine that does not answer, or has no such container.
    pub async fn copies(&self, container: &str, paths: &[&str]) -> Result<Vec<NodeFile>, DockerError> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let source = format!("{container}:{path}");
            let mut invocation = Invocation::new(self.engine.program(), &["cp", &source, "-"], LOOK_LIMIT);
            invocation.is_secret = true;
            match self.run(invocation, "cp").await {
                Ok(outcome) => {
                    let content = only_file(&outcome.stdout).ok_or_else(|| self.garbled("cp"))?;
                    files.push(((*path).to_owned(), content.to_vec()));
                }
                Err(DockerError::Failed { said, .. }) if said.contains("not find the file") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// Runs a script in a running container, with something to read when that is given, and returns what it prints. Both are
    /// secret.
    ///
    /// # Errors
    /// A script that fails, a container that does not run, an engine that does not answer.
    pub async fn secret_script(
        &self,
        container: &str,
        script: &str,
        arguments: &[&str],
        input: Option<Vec<u8>>,
        limit: Duration,
    ) -> Result<Vec<u8>, DockerError> {
        let all = [&["exec", "--interactive", container, "sh", "-c", script, "sh"], arguments].concat();
        let mut invocation = Invocation::new(self.engine.program(), &all, limit);
        invocation.is_secret = true;
        if let Some(input) = input {
            invocation.input = Input::Bytes(input);
        }
        Ok(self.run(invocation, "exec").await?.stdout)
    }

    /// What a shell script prints in a running container.
    ///
    /// # Errors
    /// A container that does not run or has no shell, an engine that does not answer.
    pub async fn script(&self, container: &str, script: &str, arguments: &[&str]) -> Result<String, DockerError> {
        let mut all = vec!["exec", container, "sh", "-c", script, "sh"];
        all.extend(arguments);
        self.text(&all).await
    }

    async fn text(&self, arguments: &[&str]) -> Result<String, DockerError> {
        let verb = arguments.first().copied().unwrap_or_default();
        let outcome = self.run(Invocation::new(self.engine.program(), arguments, self.limit), verb).await?;
        String::from_utf8(outcome.stdout).map_err(|_| self.garbled(verb))
    }

    async fn run(&self, invocation: Invocation, verb: &str) -> Result<Outcome, DockerError> {
        let outcome =
            self.processes.run(invocation).await.map_err(|error| DockerError::of_process(self.engine, error))?;
        if outcome.is_success() {
            return Ok(outcome);
        }
        Err(DockerError::of_text(self.engine, verb, &outcome.complaint()))
    }

    fn garbled(&self, verb: &str) -> DockerError {
        DockerError::Failed {
            command: format!("{} {verb}", self.engine.program()),
            said: "an answer that cannot be read".to_owned(),
        }
    }
}

/// Prints each file that exists behind a line with its length and its path.
const PRINT_FILES: &str =
    r#"for file; do if [ -f "$file" ]; then echo "$(wc -c <"$file") $file"; cat "$file"; fi; done"#;

fn split_files(mut bytes: &[u8]) -> Option<Vec<NodeFile>> {
    let mut files = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (length, path) = std::str::from_utf8(&bytes[..end]).ok()?.trim_start().split_once(' ')?;
        let content = bytes.get(end + 1..end + 1 + length.parse::<usize>().ok()?)?;
        files.push((path.to_owned(), content.to_vec()));
        bytes = &bytes[end + 1 + content.len()..];
    }
    Some(files)
}

/// The content of the only file in a tar archive.
fn only_file(mut archive: &[u8]) -> Option<&[u8]> {
    const BLOCK: usize = 512;
    loop {
        let (header, rest) = archive.split_at_checked(BLOCK)?;
        let size = std::str::from_utf8(header.get(124..136)?).ok()?;
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).ok()?;
        let content = rest.get(..size)?;
        // Others than regular files say more about the next one.
        if matches!(header[156], b'0' | 0) {
            return Some(content);
        }
        archive = rest.get(size.next_multiple_of(BLOCK)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_split_by_their_length() {
        let expected = vec![("/a".to_owned(), b"2 x\n".to_vec()), ("/b c".to_owned(), Vec::new())];
        assert_eq!(split_files(b"4 /a\n2 x\n0 /b c\n"), Some(expected));
        assert_eq!(split_files(b""), Some(Vec::new()));
        assert_eq!(split_files(b"9 /a\nshort"), None);
    }

    #[test]
    fn the_file_in_an_archive_is_found() {
        let entry = |kind: u8, content: &[u8]| {
            let mut entry = vec![0; 512];
            entry[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
            entry[156] = kind;
            entry.extend(content);
            entry.resize(entry.len().next_multiple_of(512), 0);
            entry
        };
        let archive = [entry(b'x', b"27 mtime=1\n"), entry(b'0', b"a file\n"), vec![0; 1024]].concat();
        assert_eq!(only_file(&archive), Some(&b"a file\n"[..]));
        assert_eq!(only_file(&archive[..1024]), None, "cut off");
        assert_eq!(only_file(&[]), None);
    }

    #[tokio::test]
    async fn the_script_prints_what_is_split() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("one two");
        std::fs::write(&path, "x\ny").unwrap();
        let path = path.to_str().unwrap();
        let invocation = Invocation::new("sh", &["-c", PRINT_FILES, "sh", "/no/such", path], LOOK_LIMIT);
        let outcome = Processes::real().run(invocation).await.unwrap();
        assert_eq!(split_files(&outcome.stdout), Some(vec![(path.to_owned(), b"x\ny".to_vec())]));
    }
}
