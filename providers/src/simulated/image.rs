//! Images that are built on the host: no registry has them, and a node has what was put on it.

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Enacted, Operation, Step};
use laconic_engine::resource::Target;

use super::machine::Machine;
use super::node;
use super::transaction::{Mutation, Transaction};

/// Where an image is found among what a node has.
pub fn key(image: &str) -> ObjectKey {
    ObjectKey::new(ResourceType::KindImage, "", image)
}

/// Puts an image on the nodes of a cluster, as `kind load` does.
pub fn enact(tx: &mut Transaction<'_>, step: &Step) -> Result<Enacted, EnactError> {
    let cluster = step.target.name();
    if step.operation == Operation::Delete {
        return Ok(Enacted { live: None, identity: None });
    }
    if !tx.machine().clusters.contains_key(cluster) {
        return Err(super::server::no_cluster(&step.target));
    }
    node::answers(tx.machine(), &step.target)?;
    let image = step.key.name.to_string();
    let wanted = step.object.as_ref().and_then(|object| object["id"].as_str()).unwrap_or_default().to_owned();
    let images = tx.machine().images_of(cluster);
    if images.on_nodes.get(&image) != Some(&wanted) && step.operation != Operation::Adopt {
        match images.here.get(&image) {
            Some(id) if *id == wanted => {
                tx.apply(Mutation::LoadImage { cluster: cluster.to_owned(), image, id: wanted });
            }
            Some(_) => {
                return Err(EnactError::Stale(format!("the image `{image}` was built again since the plan was made")));
            }
            None => return Err(EnactError::Stale(format!("the image `{image}` is not on this host any more"))),
        }
    }
    let found = tx.machine().clusters.get(cluster).and_then(|cluster| node::facts(cluster).remove(&step.key));
    Ok(Enacted { live: found, identity: None })
}

/// Whether nobody can give a node that image: it was built on the host, and not put on it.
pub fn is_missing(machine: &Machine, target: &Target, image: &str) -> bool {
    let Some(reference) = laconic_engine::compile::image_reference(image) else { return false };
    let Some(cluster) = target.kind_cluster().and_then(|name| machine.clusters.get(name)) else { return false };
    machine.images.contains_key(&reference) && !cluster.images.contains_key(&reference)
}
