//! Whether objects work, kind by kind, with the reasons when they do not.
//!
//! Each kind has a judgement on plain documents, and in front of it a look at what the judgement needs: nothing more
//! than the object when that is ready, else a few lists of fixed number. What may not be looked at costs the reasons,
//! never the judgement.

mod container;
mod deployment;
mod document;
pub(crate) mod ingress;
mod job;
mod look;
mod namespace;
pub(crate) mod persistent_volume;
pub(crate) mod persistent_volume_claim;
mod pod;
mod service;
#[cfg(test)]
mod tests;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Readiness};

use super::path;
use super::server::Server;

/// Whether an object works.
pub(crate) async fn readiness(server: &Server, key: &ObjectKey) -> Result<Readiness, EnactError> {
    let object = match server.get(&path::object(key)).await {
        Ok(object) => object,
        Err(error) if error.is_not_found() => return Ok(Readiness::Failed("it does not exist".to_owned())),
        Err(error) => return Err(error.into()),
    };
    Ok(match key.resource_type {
        ResourceType::Namespace => namespace::judge(&object),
        // What is on its way out does not work, whatever it still does.
        _ if document::is_terminating(&object) => Readiness::Progressing("it is being deleted".to_owned()),
        ResourceType::Deployment => deployment::readiness(server, key, &object).await,
        ResourceType::Job => job::readiness(server, key, &object).await,
        ResourceType::PersistentVolume => persistent_volume::judge(&object),
        ResourceType::PersistentVolumeClaim => persistent_volume_claim::readiness(server, &object).await,
        ResourceType::Service => service::readiness(server, &object).await,
        ResourceType::Ingress => ingress::readiness(server, key, &object).await,
        // There is nothing to these but that they exist. A CronJob's Jobs come and go in their own time.
        _ => Readiness::Ready,
    })
}
