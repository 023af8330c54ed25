//! One LIST: all pages, or nothing.

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::resource::Live;
use serde_json::Value;

use super::managed_fields::owners;
use super::path;
use super::request::RequestError;
use super::server::Server;

/// How many objects come in one answer.
const PAGE: usize = 500;

/// Which objects of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Of one namespace; of all when empty.
    pub(crate) namespace: String,
    /// With a label `app` of one of these values; with any when empty.
    pub(crate) deployment_ids: Vec<String>,
}

/// The objects of a kind. A page that does not come makes the whole list unknown: half a list would look like deletions.
pub(crate) async fn list(
    server: &Server,
    resource_type: ResourceType,
    selection: &Selection,
) -> Result<Vec<(ObjectKey, Live)>, RequestError> {
    match pages(server, resource_type, selection, PAGE).await {
        // The place in the list expired between two pages; in one piece there is none to lose.
        Err(error) if error.code() == Some(410) => pages(server, resource_type, selection, 0).await,
        // A kind that the server does not serve is not one without objects.
        Err(error) if error.is_not_found() => Err(RequestError::NotServed {
            resource: path::resource_name(resource_type),
            version: resource_type.api_version(),
        }),
        other => other,
    }
}

async fn pages(
    server: &Server,
    resource_type: ResourceType,
    selection: &Selection,
    limit: usize,
) -> Result<Vec<(ObjectKey, Live)>, RequestError> {
    let collection = path::collection(resource_type, &selection.namespace);
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let query = query(selection, limit, &next);
        let mut page = server.get(&format!("{collection}?{query}")).await?;
        next = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
        let Some(items) = page.get_mut("items").map(Value::take) else {
            return Err(RequestError::Garbled(server.url.clone()));
        };
        if let Value::Array(items) = items {
            found.extend(items.into_iter().map(|item| live(resource_type, item)));
        }
        if next.is_empty() {
            return Ok(found);
        }
    }
}

fn query(selection: &Selection, limit: usize, next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if limit > 0 {
        query.append_pair("limit", &limit.to_string());
    }
    if !selection.deployment_ids.is_empty() {
        query.append_pair("labelSelector", &format!("app in ({})", selection.deployment_ids.join(",")));
    }
    if !next.is_empty() {
        query.append_pair("continue", next);
    }
    query.finish()
}

/// An object as the server gives it, with its key.
pub(crate) fn live(resource_type: ResourceType, mut object: Value) -> (ObjectKey, Live) {
    // The items of a list leave out what they are.
    object["apiVersion"] = resource_type.api_version().into();
    object["kind"] = resource_type.kind().into();
    let owners = owners(&object);
    let metadata = &mut object["metadata"];
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("managedFields");
    }
    let text = |member: &str| metadata[member].as_str().unwrap_or_default();
    let key = ObjectKey::new(resource_type, text("namespace"), text("name"));
    let uid = text("uid").to_owned();
    let terminating = !text("deletionTimestamp").is_empty();
    (key, Live { uid, attributes: object, owners, terminating })
}
