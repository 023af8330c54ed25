//! Making, finishing and deleting kind clusters.

use std::fs::File;
use std::time::Duration;

use futures::future::join;
use laconic_engine::apply::{EnactError, Enacted, Operation, Step};
use laconic_engine::diff::flatten;
use laconic_engine::resource::Target;
use serde_json::Value;

use super::readiness::{is_complete, kube_system};
use super::{DockerHost, observe, reach};
use crate::docker::{Container, Daemon};
use crate::kind::read_back::{Patches, live};
use crate::kind::{KindError, node_name};

/// How long the API server of a cluster that kind has just made may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const POLL: Duration = Duration::from_millis(250);

/// Does one step.
pub(super) async fn enact(host: &DockerHost, cluster: &str, step: &Step) -> Result<Enacted, EnactError> {
    match step.operation {
        Operation::Create => create(host, cluster, step).await,
        Operation::Update => finish(host, cluster, step).await,
        // Clusters have no field managers.
        Operation::Adopt => {
            let node = host.kind.node(cluster).await?;
            let found = node.map(|node| live(cluster, &node, &Patches::default()));
            Ok(Enacted { live: found, identity: None })
        }
        Operation::Delete => delete(host, cluster, step).await,
    }
}

async fn create(host: &DockerHost, cluster: &str, step: &Step) -> Result<Enacted, EnactError> {
    let wanted = wanted(step)?;
    let (daemon, lock) = join(host.kind.docker().daemon(), host.kind.lock(cluster)).await;
    let (daemon, lock) = (daemon?, lock?);
    if let Some(node) = host.kind.node(cluster).await? {
        return Err(exists(&node));
    }
    make(host, cluster, wanted, &daemon, &lock).await
}

/// Brings a creation that was interrupted to its end: it may have come there by itself, or is begun anew.
async fn finish(host: &DockerHost, cluster: &str, step: &Step) -> Result<Enacted, EnactError> {
    let wanted = wanted(step)?;
    let (daemon, lock) = join(host.kind.docker().daemon(), host.kind.lock(cluster)).await;
    let (daemon, lock) = (daemon?, lock?);
    let creation = host.kind.creation(cluster)?;
    let Some(node) = host.kind.node(cluster).await? else {
        if creation.begun(&daemon.id)?.is_some() {
            return make(host, cluster, wanted, &daemon, &lock).await;
        }
        return Err(EnactError::Stale(format!("the cluster `{cluster}` is gone")));
    };
    check_uid(step, &node)?;
    reach::check_label(cluster, &node)?;
    let target = Target::Kind(cluster.to_owned());
    let reached = match reach::check_state(&node) {
        Ok(()) => reach(host, cluster, &node).await,
        Err(error) => Err(error),
    };
    let is_half_made = creation.unfinished(&daemon.id)?.is_some();
    if is_half_made && !(reached.is_ok() && is_complete(host, &target).await) {
        host.kind.delete(cluster, &lock).await?;
        host.reached.lock().await.remove(&target);
        return make(host, cluster, wanted, &daemon, &lock).await;
    }
    let files = reached?;
    let enacted = observe::enacted(cluster, &daemon, &node, &files, kube_system(host, &target).await?);
    let is_as_wanted = enacted.live.as_ref().is_some_and(|live| has_shape(wanted, &live.attributes));
    if !is_as_wanted {
        return Err(EnactError::Refused(
            "kind cannot change a running cluster: it has to be deleted and created again".to_owned(),
        ));
    }
    creation.end()?;
    Ok(enacted)
}

async fn delete(host: &DockerHost, cluster: &str, step: &Step) -> Result<Enacted, EnactError> {
    let gone = Enacted { live: None, identity: None };
    let lock = host.kind.lock(cluster).await?;
    match host.kind.node(cluster).await? {
        Some(node) => check_uid(step, &node)?,
        None => {
            let left = host.kind.nodes(cluster).await?;
            if left.is_empty() {
                host.kind.creation(cluster)?.end()?;
                return Ok(gone);
            }
            let left = left.join(", ");
            return Err(EnactError::Stale(format!(
                "the control plane of `{cluster}` is gone and other nodes are left ({left})"
            )));
        }
    }
    host.kind.delete(cluster, &lock).await?;
    host.reached.lock().await.remove(&Target::Kind(cluster.to_owned()));
    Ok(gone)
}

/// Has kind make a cluster, and looks what came of it.
async fn make(
    host: &DockerHost,
    cluster: &str,
    wanted: &Value,
    daemon: &Daemon,
    lock: &File,
) -> Result<Enacted, EnactError> {
    match host.kind.create(cluster, wanted, &daemon.id, lock).await {
        Ok(()) => {}
        // Somebody was faster.
        Err(KindError::Exists) => {
            let node = host.kind.node(cluster).await?;
            return Err(node.map_or_else(|| EnactError::Refused(KindError::Exists.to_string()), |node| exists(&node)));
        }
        Err(error) => return Err(error.into()),
    }
    let Some(node) = host.kind.node(cluster).await? else {
        return Err(EnactError::Refused(format!("kind made the cluster `{cluster}`, and it is gone")));
    };
    let files = reach(host, cluster, &node).await?;
    let target = Target::Kind(cluster.to_owned());
    let answered = tokio::time::timeout(ANSWER_LIMIT, async {
        loop {
            match kube_system(host, &target).await {
                Err(EnactError::Transient(_)) => tokio::time::sleep(POLL).await,
                other => return other,
            }
        }
    });
    let kube_system = match answered.await {
        Ok(answer) => answer?,
        Err(_) => {
            let seconds = ANSWER_LIMIT.as_secs();
            let text =
                format!("kind made the cluster `{cluster}`, and its API server has not answered for {seconds} s");
            return Err(EnactError::Transient(text));
        }
    };
    Ok(observe::enacted(cluster, daemon, &node, &files, kube_system))
}

/// Reaches the API server of a cluster; the files of its node come along.
async fn reach(
    host: &DockerHost,
    cluster: &str,
    node: &Container,
) -> Result<Vec<crate::docker::NodeFile>, reach::ReachError> {
    let files = host.kind.docker().files(&node_name(cluster), &observe::FILES).await?;
    reach::connect(host, cluster, node, &files).await?;
    Ok(files)
}

fn wanted(step: &Step) -> Result<&Value, EnactError> {
    step.object.as_ref().ok_or_else(|| EnactError::Refused(format!("no object was given for {}", step.key)))
}

fn exists(node: &Container) -> EnactError {
    EnactError::Exists { uid: node.id.clone(), managers: Vec::new() }
}

fn check_uid(step: &Step, node: &Container) -> Result<(), EnactError> {
    match step.expected_uid.as_deref() {
        Some(expected) if expected != node.id => {
            Err(EnactError::Stale(format!("{}: expected the node {expected}, found {}", step.key, node.id)))
        }
        _ => Ok(()),
    }
}

/// Whether a running cluster has everything a wanted one sets; an image that is not set is whatever kind takes.
fn has_shape(wanted: &Value, running: &Value) -> bool {
    let running = flatten(running);
    flatten(wanted).iter().all(|(path, value)| running.get(path) == Some(value))
}
