//! A Deployment that is to be updated by recreation from now on.
//!
//! A server that was told no strategy fills in a rolling update with its limits, and refuses these limits beside the
//! strategy `Recreate`. They are nobody's or somebody else's, so that applying without them does not take them away, and
//! neither does applying a `null`. What works is to write the strategy itself first. That starts no pod.

use laconic_engine::apply::{EnactError, Step};
use serde_json::{Value, json};

use super::MANAGER;
use super::adopt::adopt;
use super::enact::{failure, wanted};
use super::path;
use super::request::RequestError;
use super::server::{PatchForm, Server};

const FIELD: &str = "spec.strategy.rollingUpdate";

/// Whether an update failed for the limits of a rolling update that are left over.
pub(crate) fn is_in_the_way(error: &RequestError) -> bool {
    matches!(error, RequestError::Status(refusal) if refusal.code == 422 && refusal.fields.iter().any(|one| one == FIELD))
}

/// Writes the strategy that is wanted, and nothing else, as ours.
pub(crate) async fn write(server: &Server, step: &Step, uid: &Value) -> Result<(), EnactError> {
    let wanted = wanted(step)?;
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "replace", "path": "/spec/strategy", "value": wanted["spec"]["strategy"]},
    ]);
    let path = format!("{}?fieldManager={MANAGER}", path::object(&step.key));
    server.patch(&path, PatchForm::Json, &patch).await.map_err(|error| failure(step, error))?;
    // What was written that way is owned apart from what is applied, and would be a conflict with ourselves.
    adopt(server, step, &json!({"spec": {"strategy": wanted["spec"]["strategy"]}})).await.map(|_| ())
}

/// The object to try where nothing may be written first: without a strategy, which the answer then gets.
pub(crate) fn without(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("strategy");
    }
    object
}
