//! Taking fields over from whoever applied them, without changing a value.
//!
//! An object that another client made has its fields owned by that client. Applying the same values over it would make us
//! a second owner, and a field that we drop later would stay for the first one's sake. So the ownership itself is
//! rewritten, as kubectl does when it moves from client-side to server-side apply.

use laconic_engine::apply::{EnactError, Step};
use laconic_engine::plan::foreign::is_system_manager;
use laconic_engine::resource::Live;
use serde_json::{Map, Value, json};

use super::MANAGER;
use super::enact::failure;
use super::list::live;
use super::managed_fields::position;
use super::path;
use super::request::RequestError;
use super::server::{PatchForm, Server};

/// How often it is tried: controllers write their status all the time.
const ATTEMPTS: usize = 5;

/// Makes us the owner of those fields of what is there that `wanted` has.
pub(crate) async fn adopt(server: &Server, step: &Step, wanted: &Value) -> Result<Live, EnactError> {
    let path = path::object(&step.key);
    let mut attempt = 1;
    loop {
        let object = server.get(&path).await.map_err(|error| failure(step, error))?;
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        if let Some(expected) = step.expected_uid.as_deref().filter(|expected| *expected != uid) {
            return Err(EnactError::Stale(format!("{}: expected uid {expected}, found {uid}", step.key)));
        }
        let Some(entries) = migrated(&object, wanted) else { return Ok(live(step.key.resource_type, object).1) };
        let patch = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            // Whatever was written since would be lost: then the server says conflict.
            {"op": "replace", "path": "/metadata/resourceVersion", "value": object["metadata"]["resourceVersion"]},
        ]);
        match server.patch(&format!("{path}?fieldManager={MANAGER}"), PatchForm::Json, &patch).await {
            Ok(object) => return Ok(live(step.key.resource_type, object).1),
            Err(RequestError::Status(refusal)) if refusal.code == 409 && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(failure(step, error)),
        }
    }
}

/// The ownership after the migration; `None` when it is so already.
fn migrated(object: &Value, wanted: &Value) -> Option<Vec<Value>> {
    let entries = object["metadata"]["managedFields"].as_array()?;
    let version = &object["apiVersion"];
    let mut ours = Map::new();
    let mut left = Vec::new();
    let mut moved = false;
    for entry in entries {
        let fields = entry["fieldsV1"].as_object();
        // A trie of another version may name other fields; a subresource's owner (an autoscaler, a status) keeps them.
        let ordinary = entry["subresource"].as_str().is_none_or(str::is_empty) && entry["apiVersion"] == *version;
        let manager = entry["manager"].as_str().unwrap_or_default();
        match fields {
            Some(fields) if ordinary && manager == MANAGER && entry["operation"] == "Apply" => merge(&mut ours, fields),
            Some(fields) if ordinary && !is_system_manager(manager) => {
                let (taken, kept) = split(fields, Some(object), Some(wanted), false);
                moved |= !taken.is_empty();
                merge(&mut ours, &taken);
                if !kept.is_empty() {
                    let mut entry = entry.clone();
                    entry["fieldsV1"] = Value::Object(kept);
                    left.push(entry);
                }
            }
            _ => left.push(entry.clone()),
        }
    }
    if !moved {
        return None;
    }
    // The server sets the time when it stores this.
    left.push(json!({
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": version,
        "fieldsType": "FieldsV1",
        "time": object["metadata"]["creationTimestamp"],
        "fieldsV1": ours,
    }));
    Some(left)
}

/// Parts a trie of fields in those that `wanted` has and the others. `object` is what the trie was made of, `in_item` whether
/// it lies within an item of a keyed list.
fn split(
    fields: &Map<String, Value>,
    object: Option<&Value>,
    wanted: Option<&Value>,
    in_item: bool,
) -> (Map<String, Value>, Map<String, Value>) {
    let (mut taken, mut kept) = (Map::new(), Map::new());
    for (edge, node) in fields {
        let (object, wanted) = (child(edge, object), child(edge, wanted));
        let deeper = node.as_object().filter(|node| !node.is_empty());
        match (wanted, deeper) {
            // The item or map itself goes along with what is in it.
            _ if edge == "." => {}
            (None, None) if in_item && is_filled_in(edge) => {
                taken.insert(edge.clone(), node.clone());
            }
            (None, _) => {
                kept.insert(edge.clone(), node.clone());
            }
            (Some(_), None) => {
                taken.insert(edge.clone(), node.clone());
            }
            (Some(_), Some(deeper)) => {
                let in_item = in_item || edge.starts_with("k:");
                let (inner_taken, inner_kept) = split(deeper, object, wanted, in_item);
                if !inner_taken.is_empty() {
                    taken.insert(edge.clone(), Value::Object(inner_taken));
                }
                if !inner_kept.is_empty() {
                    kept.insert(edge.clone(), Value::Object(inner_kept));
                }
            }
        }
    }
    if let Some(itself) = fields.get(".") {
        let side = if wanted.is_some() { &mut taken } else { &mut kept };
        side.insert(".".to_owned(), itself.clone());
    }
    (taken, kept)
}

/// Fields inside list items that the server fills in, and counts as written by whoever made the object. They go along:
/// left behind, they would keep a container, port or volume that we drop alive as an item without its own fields.
fn is_filled_in(edge: &str) -> bool {
    const FILLED_IN: [&str; 17] = [
        "apiVersion",
        "defaultMode",
        "failureThreshold",
        "imagePullPolicy",
        "nodePort",
        "periodSeconds",
        "protocol",
        "resources",
        "scheme",
        "sizeLimit",
        "successThreshold",
        "targetPort",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "timeoutSeconds",
        "tolerationSeconds",
        "type",
    ];
    edge.strip_prefix("f:").is_some_and(|field| FILLED_IN.contains(&field))
}

fn child<'a>(edge: &str, value: Option<&'a Value>) -> Option<&'a Value> {
    if let Some(key) = edge.strip_prefix("f:") {
        return value?.get(key);
    }
    let items = value?.as_array()?;
    items.get(position(edge, items)?)
}

fn merge(into: &mut Map<String, Value>, fields: &Map<String, Value>) {
    for (edge, node) in fields {
        match (into.get_mut(edge), node) {
            (Some(Value::Object(there)), Value::Object(node)) => merge(there, node),
            (Some(_), _) => {}
            (None, _) => {
                into.insert(edge.clone(), node.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
               "time": "2026-01-01T00:00:00Z", "fieldsV1": fields})
    }

    #[test]
    fn what_is_wanted_becomes_ours_and_the_rest_stays() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "labels": {"app": "x", "theirs": "y"}, "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [
                entry("OpenAPI-Generator", &json!({
                    "f:data": {".": {}, "f:kept": {}, "f:ours": {}},
                    "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:theirs": {}}}})),
                entry("kube-controller-manager", &json!({"f:metadata": {"f:annotations": {"f:r": {}}}})),
            ]},
            "data": {"ours": "1", "kept": "2"},
        });
        let wanted = json!({"metadata": {"name": "a", "labels": {"app": "x"}}, "data": {"ours": "1"}});
        let entries = migrated(&object, &wanted).unwrap();
        let fields = |manager: &str| {
            let entry = entries.iter().find(|entry| entry["manager"] == manager).unwrap();
            entry["fieldsV1"].clone()
        };
        assert_eq!(
            fields("laconic"),
            json!({"f:data": {".": {}, "f:ours": {}}, "f:metadata": {"f:labels": {".": {}, "f:app": {}}}})
        );
        assert_eq!(
            fields("OpenAPI-Generator"),
            json!({"f:data": {"f:kept": {}}, "f:metadata": {"f:labels": {"f:theirs": {}}}})
        );
        assert_eq!(fields("kube-controller-manager"), json!({"f:metadata": {"f:annotations": {"f:r": {}}}}));
        let mut after = object.clone();
        after["metadata"]["managedFields"] = Value::Array(entries);
        assert_eq!(migrated(&after, &wanted), None);
    }
}
