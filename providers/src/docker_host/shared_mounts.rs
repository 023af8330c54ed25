//! What the nodes of a kind cluster have in common: kind gives each node mounts of its own, and nobody knows beforehand on
//! which of them a pod comes to run.

use futures::future::join_all;

use super::DockerHost;
use crate::docker::{Container, DockerError};

/// The label by which kind tells what a node is for.
const ROLE: &str = "io.x-k8s.kind.role";

/// A cluster's first control plane with the mounts that a pod finds on whichever node it comes to run: of workers where there
/// are any, because kind keeps pods off control planes then.
///
/// # Errors
/// An engine that does not answer. What cannot be seen of one node is not taken for the same as on the others.
pub(super) async fn with_shared_mounts(
    host: &DockerHost,
    cluster: &str,
    node: &Container,
    count: Option<usize>,
) -> Result<Container, DockerError> {
    if count.is_none_or(|count| count < 2) {
        return Ok(node.clone());
    }
    let names = host.kind.nodes(cluster).await?;
    let others = names.iter().filter(|name| **name != node.name);
    let looks = join_all(others.map(|name| host.kind.docker().container(name))).await;
    let mut nodes = vec![node.clone()];
    for looked in looks {
        nodes.extend(looked?);
    }
    let with_role =
        |role: &str| nodes.iter().filter(|one| one.labels.get(ROLE).is_some_and(|own| own == role)).collect();
    let mut where_pods_run: Vec<&Container> = with_role("worker");
    if where_pods_run.is_empty() {
        where_pods_run = with_role("control-plane");
    }
    let Some((first, rest)) = where_pods_run.split_first() else { return Ok(node.clone()) };
    let is_everywhere = |mount: &&crate::docker::Mount| rest.iter().all(|other| other.mounts.contains(mount));
    Ok(Container { mounts: first.mounts.iter().filter(is_everywhere).cloned().collect(), ..node.clone() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::KubernetesProvider;
    use crate::docker::{ContainerEngine, Docker};
    use crate::process::Processes;

    /// Directories of the host and where they are in a node.
    type Mounts<'a> = &'a [(&'a str, &'a str)];

    fn call(arguments: &[&str], stdout: &str) -> Value {
        json!({"program": "docker", "arguments": arguments, "status": 0, "stdout": stdout, "stderr": ""})
    }

    /// A node as `docker inspect` shows it, with these directories of the host at these paths.
    fn inspected(name: &str, role: &str, mounts: Mounts<'_>) -> String {
        let mounts: Vec<Value> = mounts
            .iter()
            .map(|(source, destination)| json!({"Type": "bind", "Source": source, "Destination": destination, "RW": true}))
            .collect();
        json!([{"Id": name, "Name": format!("/{name}"), "State": {"Status": "running"}, "Mounts": mounts,
                "Config": {"Image": "node", "Labels": {(ROLE): role}}, "HostConfig": {}, "NetworkSettings": {}}])
        .to_string()
    }

    /// The paths that are there wherever a pod runs, on a cluster of a control plane and these nodes.
    fn shared(nodes: &[(&str, &str, Mounts<'_>)]) -> Result<Vec<String>, DockerError> {
        let names: Vec<&str> = nodes.iter().map(|(name, ..)| *name).collect();
        let label = "label=io.x-k8s.kind.cluster=main";
        let listed = call(&["ps", "--all", "--filter", label, "--format", "{{.Names}}"], &names.join("\n"));
        let looks = nodes
            .iter()
            .filter(|(_, role, _)| *role != "unseen")
            .map(|(name, role, mounts)| call(&["container", "inspect", name], &inspected(name, role, mounts)));
        let calls: Vec<String> = std::iter::once(listed).chain(looks).map(|call| call.to_string()).collect();
        let processes = Processes::replaying_text(&calls.join("\n")).unwrap();
        let docker = Docker::new(Arc::new(processes), ContainerEngine::Docker);
        let place = tempfile::tempdir().unwrap();
        let host = DockerHost::new(docker, KubernetesProvider::new(BTreeMap::new()), place.path().to_owned());
        let (name, role, mounts) = nodes[0];
        let first = Container::read(&inspected(name, role, mounts)).unwrap();
        let node = futures::executor::block_on(with_shared_mounts(&host, "main", &first, Some(nodes.len())))?;
        assert_eq!(node.id, first.id);
        Ok(node.mounts.into_iter().map(|mount| mount.destination).collect())
    }

    #[test]
    fn a_mount_is_there_if_every_node_has_it_that_pods_run_on() {
        let (kind, data) = (("/srv/kind", "/mnt"), ("/srv/data", "/data"));
        let control = ("main-control-plane", "control-plane");
        let worker = |number: &'static str| (number, "worker");
        let both = [kind, data];
        let of = |(name, role): (&'static str, &'static str), mounts| (name, role, mounts);
        let one = [of(control, &both[..])];
        assert_eq!(shared(&one).unwrap(), ["/data", "/mnt"], "one node is not asked twice");
        // The control plane takes no pods beside a worker.
        let table: [(Mounts<'_>, Mounts<'_>, &[&str]); 4] = [
            (&both, &both, &["/data", "/mnt"]),
            (&both, &both[..1], &["/mnt"]),
            (&both[1..], &both[..1], &[]),
            (&both, &[kind, ("/srv/other", "/data")], &["/mnt"]),
        ];
        for (first, second, expected) in table {
            let nodes = [of(control, &[][..]), of(worker("main-worker"), first), of(worker("main-worker2"), second)];
            let found = shared(&nodes).unwrap();
            assert_eq!(found, expected);
        }
        let control_planes = [of(control, &both[..]), of(("main-control-plane2", "control-plane"), &both[..1])];
        assert_eq!(shared(&control_planes).unwrap(), ["/mnt"]);
    }

    #[test]
    fn a_node_that_cannot_be_seen_is_not_taken_for_the_same() {
        let mounts: Mounts<'_> = &[("/srv/kind", "/mnt")];
        let nodes = [("main-control-plane", "control-plane", mounts), ("main-worker", "unseen", mounts)];
        assert!(shared(&nodes).is_err());
    }
}
