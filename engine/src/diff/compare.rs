//! Which fields differ.

use serde_json::Value;

use crate::diff::path::{Fields, common_leaves, is_order_path};
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
    // A port as a text is no port: servers take only a name there, and refuse a number in quotes.
    is_order_path(path) && in_same_order(left, right)
}

/// Whether what two lists both have comes in the same order. What only one of them has is a difference of its own.
fn in_same_order(left: &Value, right: &Value) -> bool {
    let (Some(left), Some(right)) = (left.as_array(), right.as_array()) else { return false };
    let common = |of: &[Value], other: &[Value]| -> Vec<Value> {
        of.iter().filter(|item| other.contains(item)).cloned().collect()
    };
    common(left, right) == common(right, left)
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
    let mut owned = Vec::new();
    common_leaves(live, desired, &mut |path, value, wanted| {
        // A secret is recorded as its fingerprint; without one the placeholder alone is kept.
        let value = if is_placeholder(wanted) && !is_placeholder(value) { wanted } else { value };
        owned.push((path.to_owned(), value.clone()));
    });
    Value::Object(owned.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::flatten;
    use serde_json::json;

    #[test]
    fn canonical_forms_are_no_difference() {
        let before = flatten(&json!({"spec": {"capacity": {"storage": "2G"}, "ports": [{"port": 80}]}}));
        let after = flatten(&json!({"spec": {"capacity": {"storage": "2000M"}, "ports": [{"port": 80}], "tls": []}}));
        assert_eq!(difference_paths(&before, &after), Vec::<String>::new());
    }

    #[test]
    fn a_number_in_quotes_is_another_value() {
        assert!(!same("spec.ports[80/tcp].targetPort", &json!(80), &json!("80")));
        assert!(!same("data[resources.requests]", &json!("1"), &json!("1.0")));
    }

    #[test]
    fn init_containers_and_variables_that_refer_to_others_keep_their_order() {
        let pod = |init: [&str; 2], env: Value| {
            flatten(
                &json!({"initContainers": init.map(|name| json!({"name": name})), "containers": [{"name": "web", "env": env}]}),
            )
        };
        let variables = |second: &str| {
            let (host, url) = (json!({"name": "HOST", "value": "db"}), json!({"name": "URL", "value": second}));
            [json!([host, url]), json!([url, host])]
        };
        let [plain, turned] = variables("http://db");
        let before = pod(["a", "b"], plain.clone());
        assert_eq!(difference_paths(&before, &pod(["a", "b"], turned)), Vec::<String>::new());
        assert_eq!(difference_paths(&before, &pod(["b", "a"], plain)), ["initContainers[]"]);
        let [refers, turned] = variables("http://$(HOST)");
        let before = pod(["a", "b"], refers.clone());
        assert_eq!(difference_paths(&before, &pod(["a", "b"], turned)), ["containers[web].env[]"]);
        // What somebody else put in between is no other order of ours.
        let mut more = refers;
        more.as_array_mut().unwrap().insert(1, json!({"name": "MORE", "value": "x"}));
        let with_more = pod(["a", "b"], more);
        assert!(same("env[]", &before["containers[web].env[]"], &with_more["containers[web].env[]"]));
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

    /// What is recorded is compared with what is flattened.
    #[test]
    fn projection_and_flattening_find_the_same_fields() {
        let secret = json!({"$secret": {"value": {"environment": "T"}}});
        let marked = json!({"$secret": {"value": {"environment": "T"}}, "hmac": "x"});
        let desired = json!({
            "metadata": {"labels": {"app.kubernetes.io/stack": "shop", "gone": "x"}, "annotations": null},
            "data": {"clear": secret, "masked": secret, "was": "text", "deep": {"a": 1}},
            "spec": {"initContainers": [{"name": "a"}, {"name": "b", "args": ["1", "2"]}], "empty": [], "list": ["x"],
                     "ports": [{"port": 80}, {"port": 80}, {"port": 81, "protocol": "UDP"}], "more": {"of": {}}},
        });
        let live = json!({
            "metadata": {"labels": {"app.kubernetes.io/stack": "blog"}, "annotations": {"x": "y"}, "uid": "u"},
            "data": {"clear": "dGV4dA==", "masked": marked, "was": marked, "deep": "text"},
            "spec": {"initContainers": [{"name": "b", "args": ["1"]}, {"name": "a", "image": "i"}], "empty": ["x"],
                     "ports": [{"port": 81, "protocol": "UDP"}, {"port": 80}, {"port": 80, "protocol": "TCP"}],
                     "list": null, "more": {"of": {"it": 1}}},
            "status": {"x": 1},
        });
        let (fields, owned) = (flatten(&live), flatten(&desired));
        let mut expected: Fields = fields.into_iter().filter(|(path, _)| owned.contains_key(path)).collect();
        expected.insert("data.clear".to_owned(), secret);
        assert_eq!(project(&live, &desired), json!(expected));
        assert_eq!(expected.len(), 12, "{expected:#?}");
    }
}
