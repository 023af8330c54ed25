//! kind's own program.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::CLUSTER_LABEL;
use super::creation::{Creation, Progress};
use super::error::KindError;
use crate::docker::{Container, Docker, DockerError};
use crate::process::{Destination, Input, Invocation, Outcome};

/// How long kind may take to make a cluster. A node image of half a gigabyte may have to come over a slow line first.
const CREATE_LIMIT: Duration = Duration::from_secs(30 * 60);
/// How long kind may take to delete one, or to load an image.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// kind.
#[derive(Clone, Debug)]
pub struct Kind {
    docker: Docker,
    /// Where each cluster has a directory.
    directory: PathBuf,
}

impl Kind {
    /// kind on that engine, keeping what goes with its clusters in subdirectories.
    #[must_use]
    pub const fn new(docker: Docker, directory: PathBuf) -> Self {
        Self { docker, directory }
    }

    /// The container engine.
    #[must_use]
    pub const fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The creation of a cluster.
    ///
    /// # Errors
    /// A name that kind does not take; it may be no name of a directory either.
    pub fn creation(&self, cluster: &str) -> Result<Creation, KindError> {
        let is_plain = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '.' | '-')
        };
        if cluster.is_empty() || cluster.starts_with(['.', '-']) || !cluster.chars().all(is_plain) {
            return Err(KindError::InvalidName { name: cluster.to_owned() });
        }
        Ok(Creation::new(cluster, self.directory.join(cluster).join("kind")))
    }

    /// Takes the lock of a cluster, waiting for a kind that still works on it.
    ///
    /// # Errors
    /// One that does not end.
    pub async fn lock(&self, cluster: &str) -> Result<File, KindError> {
        self.creation(cluster)?.lock(CREATE_LIMIT).await
    }

    /// Makes a cluster. The lock is held by kind too, for as long as it runs.
    ///
    /// # Errors
    /// Everything that keeps kind from it; then it has taken away again what it had made, unless it was ended.
    pub async fn create(&self, cluster: &str, attributes: &Value, daemon: &str, lock: &File) -> Result<(), KindError> {
        let creation = self.creation(cluster)?;
        creation.begin(&Progress { daemon: daemon.to_owned(), attributes: attributes.clone() })?;
        let text = |path: PathBuf| path.display().to_string();
        let (configuration, kubeconfig) = (text(creation.configuration()), text(creation.kubeconfig()));
        let arguments = [
            "create",
            "cluster",
            "--name",
            cluster,
            "--config",
            &configuration,
            "--kubeconfig",
            &kubeconfig,
            "--wait",
            "0s",
        ];
        let outcome = self.run(&creation, &arguments, CREATE_LIMIT, lock).await;
        let error = match outcome {
            Ok(()) => return creation.end(),
            Err(error) => error,
        };
        // What is left of a cluster is not forgotten: the next try has to deal with it.
        if self.nodes(cluster).await.is_ok_and(|nodes| nodes.is_empty()) {
            creation.end()?;
        }
        Err(match error {
            KindError::PortTaken { port, .. } => {
                let holder = self.docker.holder_of_port(&port).await.ok().flatten();
                KindError::PortTaken { port, holder }
            }
            other => other,
        })
    }

    /// Deletes all nodes of a cluster and waits until they are gone.
    ///
    /// # Errors
    /// Nodes that stay.
    pub async fn delete(&self, cluster: &str, lock: &File) -> Result<(), KindError> {
        let creation = self.creation(cluster)?;
        let kubeconfig = creation.kubeconfig().display().to_string();
        let arguments = ["delete", "cluster", "--name", cluster, "--kubeconfig", &kubeconfig];
        self.run(&creation, &arguments, LIMIT, lock).await?;
        let left = self.nodes(cluster).await.map_err(KindError::Docker)?;
        if !left.is_empty() {
            let said = format!("kind has deleted the cluster, and these containers are left: {}", left.join(", "));
            return Err(KindError::Failed { said });
        }
        creation.end()
    }

    /// Puts an image of this host into every node of a cluster.
    ///
    /// # Errors
    /// An image that is not here, a cluster that is not there.
    pub async fn load_image(&self, cluster: &str, image: &str) -> Result<(), KindError> {
        self.creation(cluster)?;
        let invocation = self.invocation(&["load", "docker-image", image, "--name", cluster], LIMIT);
        let outcome = self.docker.processes().run(invocation).await;
        self.judge(outcome.map_err(|error| KindError::of_process(error, ""))?)
    }

    /// The names of a cluster's containers.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub async fn nodes(&self, cluster: &str) -> Result<Vec<String>, DockerError> {
        self.docker.labelled(&format!("{CLUSTER_LABEL}={cluster}")).await
    }

    /// The container of a cluster's first control plane.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub async fn node(&self, cluster: &str) -> Result<Option<Container>, DockerError> {
        self.docker.container(&super::node_name(cluster)).await
    }

    async fn run(
        &self,
        creation: &Creation,
        arguments: &[&str],
        limit: Duration,
        lock: &File,
    ) -> Result<(), KindError> {
        let mut invocation = self.invocation(arguments, limit);
        let lock = lock.try_clone().map_err(|error| KindError::Failed { said: error.to_string() })?;
        invocation.input = Input::File(lock);
        // Should we be ended, kind goes on: half a cluster is worth less than a whole one.
        invocation.destination = Destination::File(creation.log());
        let log = creation.log().display().to_string();
        let outcome = self.docker.processes().run(invocation).await;
        self.judge(outcome.map_err(|error| KindError::of_process(error, &log))?)
    }

    fn judge(&self, outcome: Outcome) -> Result<(), KindError> {
        if outcome.is_success() {
            return Ok(());
        }
        Err(KindError::of_text(self.docker.engine(), &outcome.complaint()))
    }

    fn invocation(&self, arguments: &[&str], limit: Duration) -> Invocation {
        let mut invocation = Invocation::new("kind", arguments, limit);
        // kind looks for an engine by itself: it must find the one that we look at.
        let engine = self.docker.engine().program().to_owned();
        invocation.environment.push(("KIND_EXPERIMENTAL_PROVIDER".to_owned(), engine));
        invocation
    }
}
