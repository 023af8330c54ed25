//! Which fields differ.

use serde_json::Value;

use crate::diff::path::{Fields, flatten};
use crate::diff::quantity::{billionths, is_quantity_path};
use crate::secret::{HMAC_MEMBER, is_placeholder};

/// Whether two leaves at a path mean the same.
#[must_use]
pub fn same(path: &str, left: &Value, right: &Value) -> bool {
    if left == right {
        return true;
    }
    if is_placeholder(left) && is_placeholder(right) {
        // Without a fingerprint on both sides a secret is not comparable here, and never "changed".
        return match (left[HMAC_MEMBER].as_str(), right[HMAC_MEMBER].as_str()) {
            (Some(left), Some(right)) => left == right,
            _ => true,
        };
    }
    if is_quantity_path(path) {
        let amount = |value: &Value| match value {
            Value::String(text) => billionths(text),
            Value::Number(number) => billionths(&number.to_string()),
            _ => None,
        };
        return matches!((amount(left), amount(right)), (Some(left), Some(right)) if left == right);
    }
    if is_int_or_string_path(path) {
        return plain_text(left).is_some_and(|left| plain_text(right) == Some(left));
    }
    false
}

fn is_int_or_string_path(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    matches!(last, "targetPort" | "port" | "maxSurge" | "maxUnavailable" | "number")
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The paths at which `before` and `after` differ, sorted.
#[must_use]
pub fn difference_paths(before: &Fields, after: &Fields) -> Vec<String> {
    let mut paths: Vec<String> = after
        .iter()
        .filter(|(path, value)| !before.get(*path).is_some_and(|old| same(path, old, value)))
        .map(|(path, _)| path.clone())
        .collect();
    paths.extend(before.keys().filter(|path| !after.contains_key(*path)).cloned());
    paths.sort();
    paths
}

/// The fields of a live object that we own: those that `desired` sets. Recorded after each step and compared with what
/// is observed later; a difference is drift.
#[must_use]
pub fn project(live: &Value, desired: &Value) -> Value {
    let live = flatten(live);
    let owned = flatten(desired);
    Value::Object(
        owned
            .into_iter()
            .filter_map(|(path, wanted)| {
                let value = live.get(&path)?;
                // A secret is recorded as its fingerprint; without one the placeholder alone is kept.
                let value = if is_placeholder(&wanted) && !is_placeholder(value) { wanted } else { value.clone() };
                Some((path, value))
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_forms_are_no_difference() {
        let before =
            flatten(&json!({"spec": {"capacity": {"storage": "2G"}, "ports": [{"port": 80, "targetPort": "80"}]}}));
        let after =
            flatten(&json!({"spec": {"capacity": {"storage": "2000M"}, "ports": [{"port": 80, "targetPort": 80}]}}));
        assert_eq!(difference_paths(&before, &after), Vec::<String>::new());
    }

    #[test]
    fn added_changed_and_removed_fields_are_found() {
        let before = flatten(&json!({"a": 1, "b": 2}));
        let after = flatten(&json!({"b": 3, "c": 4}));
        assert_eq!(difference_paths(&before, &after), ["a", "b", "c"]);
    }

    #[test]
    fn secrets_without_fingerprints_never_differ() {
        let with = |hmac: Value| json!({"$secret": {"value": {"environment": "T"}}, "hmac": hmac});
        assert!(same("data.t", &with(json!("a")), &with(json!(null))));
        assert!(!same("data.t", &with(json!("a")), &with(json!("b"))));
    }

    #[test]
    fn projection_keeps_only_what_we_set() {
        let live = json!({"spec": {"replicas": 3, "clusterIP": "10.0.0.1"}, "status": {"x": 1}});
        assert_eq!(project(&live, &json!({"spec": {"replicas": 2, "paused": true}})), json!({"spec.replicas": 3}));
    }
}
