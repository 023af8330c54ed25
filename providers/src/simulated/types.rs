//! The types of the API: which fields an object may have, and what they hold.
//!
//! They are kept in `types.txt`, a line for each type, taken from what a server publishes; a test holds the two together.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use laconic_engine::address::ResourceType;
use serde_json::Value;

type Type = BTreeMap<&'static str, &'static str>;

fn types() -> &'static BTreeMap<&'static str, Type> {
    static TYPES: OnceLock<BTreeMap<&'static str, Type>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let lines = include_str!("types.txt").lines();
        let named = lines.filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.filter_map(|word| word.split_once('=')).collect()))
        });
        named.collect()
    })
}

/// Refuses what server-side apply cannot read: fields that do not exist, values of another type.
pub fn check(resource_type: ResourceType, object: &Value) -> Result<(), String> {
    match types().contains_key(resource_type.kind()) {
        true => check_value(resource_type.kind(), object, &mut String::new()),
        false => Ok(()),
    }
}

fn check_value(word: &str, value: &Value, path: &mut String) -> Result<(), String> {
    let expected = |what: &str| Err(format!("{path}: expected {what}, got {}", described(value)));
    match (word, value) {
        // A `null` asks for nothing.
        (_, Value::Null)
        | ("object", Value::Object(_))
        | ("string", Value::String(_))
        | ("boolean", Value::Bool(_))
        | ("integer" | "number", Value::Number(_))
        | ("quantity" | "int-or-string", Value::String(_) | Value::Number(_)) => return Ok(()),
        ("string", _) => return expected("string"),
        ("boolean", _) => return expected("boolean"),
        ("integer" | "number", _) => return expected("numeric (int or float)"),
        ("quantity" | "int-or-string", _) => return expected("string or number"),
        _ => {}
    }
    let length = path.len();
    if let Some(item) = word.strip_prefix("[]") {
        let Value::Array(items) = value else { return expected("list") };
        for (index, one) in items.iter().enumerate() {
            *path += &format!("[{index}]");
            check_value(item, one, path)?;
            path.truncate(length);
        }
        return Ok(());
    }
    let Value::Object(members) = value else { return expected("map") };
    let fields = types().get(word);
    for (name, member) in members {
        path.push('.');
        path.push_str(name);
        let inner = word.strip_prefix("{}").or_else(|| fields.and_then(|fields| fields.get(name.as_str()).copied()));
        match inner {
            Some(inner) => check_value(inner, member, path)?,
            None if fields.is_none() || (length == 0 && name == "status") => {}
            None => return Err(format!("{path}: field not declared in schema")),
        }
        path.truncate(length);
    }
    Ok(())
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_and_other_types_are_named() {
        let problem = |object: Value| check(ResourceType::Deployment, &object).unwrap_err();
        assert_eq!(problem(json!({"spec": {"replicsa": 1}})), ".spec.replicsa: field not declared in schema");
        assert_eq!(
            problem(json!({"spec": {"replicas": "two"}})),
            ".spec.replicas: expected numeric (int or float), got string"
        );
        assert_eq!(
            problem(json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"nmae": "b"}]}}}})),
            ".spec.template.spec.containers[1].nmae: field not declared in schema"
        );
        assert_eq!(problem(json!({"spec": []})), ".spec: expected map, got list");
    }

    #[test]
    fn every_kind_of_an_api_server_is_known() {
        for resource_type in ResourceType::ALL.iter().filter(|one| one.is_kubernetes()) {
            assert!(types().contains_key(resource_type.kind()), "{resource_type}");
            assert_eq!(check(*resource_type, &json!({"metadata": {"labels": {"a": "b"}}, "status": {"x": 1}})), Ok(()));
        }
    }
}
