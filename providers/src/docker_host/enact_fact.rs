//! Mounts and ports of a kind cluster: made with it and gone with it, so that their steps are looks.

use std::collections::BTreeMap;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Enacted, Operation, Step};
use laconic_engine::resource::Live;
use serde_json::Value;

use super::DockerHost;
use crate::kind::read_back;

/// Does one step.
pub(super) async fn enact(host: &DockerHost, cluster: &str, step: &Step) -> Result<Enacted, EnactError> {
    let facts = facts(host, cluster).await?;
    if step.operation == Operation::Delete {
        return match facts {
            None => Ok(Enacted { live: None, identity: None }),
            Some(_) => Err(EnactError::Refused(format!(
                "`{}` goes only with the cluster: kind fixes it when it makes the cluster",
                step.key.name
            ))),
        };
    }
    let Some(facts) = facts else {
        return Err(EnactError::Stale(format!("the cluster `{cluster}` is not there")));
    };
    let wanted = step.object.as_ref().unwrap_or(&Value::Null);
    let live = verify(facts, &step.key, wanted)?;
    Ok(Enacted { live: Some(live), identity: None })
}

/// The mounts and ports of a cluster; `None` when it is not there.
pub(super) async fn facts(host: &DockerHost, cluster: &str) -> Result<Option<BTreeMap<ObjectKey, Live>>, EnactError> {
    Ok(host.kind.node(cluster).await?.map(|node| read_back::facts(&node)))
}

/// Whether the node has exactly that mount or port.
fn verify(mut facts: BTreeMap<ObjectKey, Live>, key: &ObjectKey, wanted: &Value) -> Result<Live, EnactError> {
    let what = if key.resource_type == ResourceType::KindMount { "mounted" } else { "mapped" };
    let Some(fact) = facts.remove(key) else {
        let text = format!("`{}` is not {what}: kind fixes this when it makes the cluster", key.name);
        return Err(EnactError::Refused(text));
    };
    let members = wanted.as_object().into_iter().flatten();
    let differs =
        members.into_iter().find(|(name, value)| !value.is_null() && fact.attributes.get(*name) != Some(*value));
    match differs {
        None => Ok(fact),
        Some((name, value)) => Err(EnactError::Refused(format!(
            "`{}` is not {what} as asked: {name} is {}, not {value}",
            key.name, fact.attributes[name]
        ))),
    }
}
