//! Images: which ones this host's engine has, which ones the nodes of a kind cluster have, and putting the one into the other.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, join_all};
use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Enacted, Operation, Step};
use laconic_engine::compile::image_reference;
use laconic_engine::resource::{Images, Live};
use serde_json::{Value, json};

use super::{DockerHost, reach};
use crate::docker::{Container, DockerError};
use crate::kind::node_name;

/// What lists the images of a node.
const LIST: &str = "crictl images --output json";

/// The images of a node: by reference all ids that one goes by there.
type NodeImages = BTreeMap<String, BTreeSet<String>>;

/// Looks at the images of this host and of the running nodes of a cluster; `None` where one of them does not tell.
pub(super) async fn look(host: &DockerHost, nodes: &[String]) -> Option<Images> {
    look_or_error(host, nodes).await.ok()
}

async fn look_or_error(host: &DockerHost, nodes: &[String]) -> Result<Images, DockerError> {
    let docker = host.kind.docker();
    let lists = nodes.iter().map(|node| docker.script(node, LIST, &[]));
    let (here, lists) = join(docker.images(), join_all(lists)).await;
    let here = here?;
    let lists = lists.into_iter().collect::<Result<Vec<String>, DockerError>>()?;
    let nodes: Vec<NodeImages> = lists.iter().map(|list| read(list)).collect();
    let on_nodes = common(&nodes, &here);
    Ok(Images { here, on_nodes })
}

/// Reads a node's list. What an image is called by its engine here may be its id or one of its digests there.
fn read(list: &str) -> NodeImages {
    let list: Value = serde_json::from_str(list).unwrap_or_default();
    let mut found = NodeImages::new();
    for image in list["images"].as_array().into_iter().flatten() {
        let texts = |member: &str| {
            image[member].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<&str>>()
        };
        let digests =
            texts("repoDigests").into_iter().filter_map(|text| text.rsplit_once('@')).map(|(_, digest)| digest);
        // The id first: it is what is shown where the host has another one.
        let ids: BTreeSet<String> = image["id"].as_str().into_iter().chain(digests).map(str::to_owned).collect();
        for reference in texts("repoTags").into_iter().filter_map(image_reference) {
            found.entry(reference).or_default().extend(ids.iter().cloned());
        }
    }
    found
}

/// The images that all nodes have, each the same one, with the id that the host has for it if it is the host's.
fn common(nodes: &[NodeImages], here: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let Some((first, others)) = nodes.split_first() else { return BTreeMap::new() };
    let same = |(reference, ids): (&String, &BTreeSet<String>)| {
        let mut shared = ids.clone();
        for node in others {
            let there = node.get(reference)?;
            shared.retain(|id| there.contains(id));
        }
        let host = here.get(reference).filter(|id| shared.contains(*id));
        let id = host.or_else(|| shared.first())?;
        Some((reference.clone(), id.clone()))
    };
    first.iter().filter_map(same).collect()
}

/// The images of a cluster's nodes as objects of their own.
pub(super) fn facts(node: &Container, images: &Images) -> BTreeMap<ObjectKey, Live> {
    images.on_nodes.iter().map(|(reference, id)| (key(reference), live(node, reference, id))).collect()
}

fn key(reference: &str) -> ObjectKey {
    ObjectKey::new(ResourceType::KindImage, "", reference)
}

fn live(node: &Container, reference: &str, id: &str) -> Live {
    // It is on that node, and goes with it.
    let uid = format!("{}{reference}", node.id);
    Live { uid, attributes: json!({"image": reference, "id": id}), owners: Vec::new(), terminating: false }
}

/// Puts an image on the nodes, unless they have it.
pub(super) async fn enact(host: &DockerHost, cluster: &str, step: &Step) -> Result<Enacted, EnactError> {
    if step.operation == Operation::Delete {
        return Ok(Enacted { live: None, identity: None });
    }
    let Some(node) = host.kind.node(cluster).await? else {
        return Err(EnactError::Stale(format!("the cluster `{cluster}` is not there")));
    };
    reach::check_label(cluster, &node)?;
    reach::check_state(&node)?;
    let nodes = host.kind.nodes(cluster).await?;
    let reference = &*step.key.name;
    let wanted = step.object.as_ref().and_then(|object| object["id"].as_str()).unwrap_or_default();
    let before = look_or_error(host, &nodes).await?;
    let mut on_nodes = before.on_nodes.get(reference).cloned();
    if on_nodes.as_deref() != Some(wanted) && step.operation != Operation::Adopt {
        match before.here.get(reference) {
            Some(id) if id == wanted => {}
            Some(_) => {
                return Err(EnactError::Stale(format!(
                    "the image `{reference}` was built again since the plan was made"
                )));
            }
            None => return Err(EnactError::Stale(format!("the image `{reference}` is not on this host any more"))),
        }
        host.kind.load_image(cluster, reference).await?;
        on_nodes = look_or_error(host, &nodes).await?.on_nodes.remove(reference);
    }
    let Some(id) = on_nodes else {
        let text = format!("kind put the image `{reference}` on `{}`, and it is not there", node_name(cluster));
        return Err(EnactError::Refused(text));
    };
    Ok(Enacted { live: Some(live(&node, reference, &id)), identity: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(web: &str, digest: &str) -> NodeImages {
        let list = json!({"images": [
            {"id": web, "repoTags": ["docker.io/shop/web:local"], "repoDigests": [format!("docker.io/shop/import@{digest}")]},
            {"id": "sha256:b", "repoTags": ["registry.k8s.io/pause:3.10", "docker.io/library/nginx:1"], "repoDigests": []},
            {"id": "sha256:c", "repoTags": [], "repoDigests": []}]});
        read(&list.to_string())
    }

    #[test]
    fn an_image_is_known_by_its_id_and_by_its_digests() {
        let here = |id: &str| [("shop/web:local".to_owned(), id.to_owned())].into();
        let one = [node("sha256:a", "sha256:d")];
        for (id, seen) in [("sha256:a", "sha256:a"), ("sha256:d", "sha256:d"), ("sha256:x", "sha256:a")] {
            let found = common(&one, &here(id));
            assert_eq!(found["shop/web:local"], seen, "{id}");
            assert_eq!((found["nginx:1"].as_str(), found.len()), ("sha256:b", 3));
        }
    }

    #[test]
    fn what_one_node_lacks_or_has_otherwise_is_not_on_the_nodes() {
        let here = BTreeMap::new();
        let same = [node("sha256:a", "sha256:d"), node("sha256:a", "sha256:e")];
        assert_eq!(common(&same, &here)["shop/web:local"], "sha256:a");
        let other = [node("sha256:a", "sha256:d"), node("sha256:x", "sha256:y")];
        assert!(!common(&other, &here).contains_key("shop/web:local"));
        assert!(common(&[node("sha256:a", "sha256:d"), NodeImages::new()], &here).is_empty());
        assert!(read("no list").is_empty());
    }
}
