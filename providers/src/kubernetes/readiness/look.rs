//! Looking at what is around an object, for the reasons. What cannot be seen is no error: the judgement goes on without.

use serde_json::Value;

use super::document::{name, one_line, text};
use crate::kubernetes::server::Server;

/// How many objects are looked at to explain one. Nobody reads more reasons than that.
const MOST: &str = "500";

/// What was looked at, or why it cannot be seen.
pub(crate) type Seen<T> = Result<T, String>;

/// A suffix that says once why there are no reasons.
pub(super) fn not_visible(why: &str) -> String {
    format!("reasons not visible: {}", one_line(why))
}

/// The object at a path, if it is there.
pub(super) async fn one(server: &Server, path: &str) -> Seen<Option<Value>> {
    match server.get(path).await {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The objects of a collection that a query selects: pairs of `labelSelector` or `fieldSelector` and their value.
pub(super) async fn many(server: &Server, collection: &str, selectors: &[(&str, &str)]) -> Seen<Vec<Value>> {
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("limit", MOST).extend_pairs(selectors).finish();
    let mut list = server.get(&format!("{collection}?{query}")).await.map_err(|error| error.to_string())?;
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => Ok(Vec::new()),
    }
}

/// The pods in a namespace that a label selector selects.
pub(super) async fn pods(server: &Server, namespace: &str, selector: &str) -> Seen<Vec<Value>> {
    many(server, &format!("/api/v1/namespaces/{namespace}/pods"), &[("labelSelector", selector)]).await
}

/// The events about an object, oldest first.
pub(super) async fn events(server: &Server, object: &Value) -> Seen<Vec<Value>> {
    let collection = format!("/api/v1/namespaces/{}/events", text(object, "/metadata/namespace"));
    // The uid too: events about an earlier object of that name stay for an hour.
    let about = format!("involvedObject.name={},involvedObject.uid={}", name(object), text(object, "/metadata/uid"));
    let mut events = many(server, &collection, &[("fieldSelector", &about)]).await?;
    events.sort_by(|a, b| when(a).cmp(when(b)));
    Ok(events)
}

/// When an event was last seen. All come from the same cluster in the same form, so that their order is the texts'.
fn when(event: &Value) -> &str {
    ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"]
        .into_iter()
        .map(|pointer| text(event, pointer))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// The label selector of a workload as queries spell it; `None` when it has none, which would select everything.
pub(super) fn selector(workload: &Value) -> Option<String> {
    let selector = &workload["spec"]["selector"];
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut terms: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = text(expression, "/key");
        let values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let values = values.join(",");
        terms.push(match text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_are_spelt_as_in_queries() {
        let workload = json!({"spec": {"selector": {
            "matchLabels": {"app": "shop", "laconic/pod": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "tier", "operator": "NotIn", "values": ["c"]},
                {"key": "x", "operator": "Exists"},
                {"key": "y", "operator": "DoesNotExist"},
            ],
        }}});
        assert_eq!(selector(&workload).unwrap(), "app=shop,laconic/pod=web,tier in (a,b),tier notin (c),x,!y");
        assert_eq!(selector(&json!({"spec": {"selector": {}}})), None);
        assert_eq!(selector(&json!({})), None);
    }
}
