//! The table as JSON Schema, in the draft that editors understand best.

use serde_json::{Map, Value, json};

use super::{File, Key, Kind};
use crate::code::{Code, Severity};

/// What reads `true` or `false`, whatever the case.
const TRUTH: &str = "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|[YyNn01])$";
/// A number and a unit.
const AMOUNT: &str = "^ *[0-9]*\\.?[0-9]+ *([kKmMgGtTpPeE]?[iI]?[bB]?) *$";

/// The JSON Schema (draft 7) of a file.
#[must_use]
pub fn json_schema(file: &File) -> Value {
    let mut schema = mapping(file.keys, None);
    if let Some(members) = schema.as_object_mut() {
        members.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
        members.insert("title".to_owned(), file.name.into());
        members.insert("description".to_owned(), file.description.into());
    }
    schema
}

fn mapping(keys: &[Key], others: Option<&Kind>) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let others = others.map_or(Value::Bool(false), |kind| value(kind, true));
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": others});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = value(&key.kind, !key.is_required);
    let mut description = key.description.to_owned();
    if !key.default.is_empty() {
        description.push_str(&format!(" Default: {}.", key.default));
    }
    if !key.rules.is_empty() {
        let codes: Vec<String> = key.rules.iter().map(ToString::to_string).collect();
        description.push_str(&format!(" Findings: {}.", codes.join(", ")));
    }
    schema["description"] = description.into();
    schema["examples"] = json!([plain(key.example)]);
    // A default in words is only described.
    if !key.default.is_empty() && !key.default.contains([' ', '`']) {
        schema["default"] = plain(key.default);
    }
    if let Some(newer) = key.replaced_by {
        schema["deprecated"] = true.into();
        schema["deprecationMessage"] = format!("write `{newer}`").into();
    }
    schema
}

/// What a text in the table stands for in YAML.
fn plain(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|_| text.into())
}

fn value(kind: &Kind, or_nothing: bool) -> Value {
    let typed = |types: &[&str]| {
        let nothing = or_nothing.then_some("null");
        let all: Vec<&str> = types.iter().copied().chain(nothing).collect();
        json!({"type": all})
    };
    match kind {
        Kind::Text => typed(&["string", "number"]),
        Kind::Scalar => typed(&["string", "number", "boolean"]),
        Kind::OptionalScalar => json!({"type": ["string", "number", "boolean", "null"]}),
        Kind::OptionalText => json!({"type": ["string", "number", "null"]}),
        Kind::Pattern(pattern, shape) => {
            let mut schema = typed(&["string"]);
            schema["pattern"] = (*pattern).into();
            // Editors show it instead of the expression; everybody else takes no notice of it.
            schema["patternErrorMessage"] = format!("write {shape}").into();
            schema
        }
        Kind::Word(words) => {
            let words = words.iter().map(|word| Value::from(*word));
            let nothing = or_nothing.then_some(Value::Null);
            json!({"enum": words.chain(nothing).collect::<Vec<_>>()})
        }
        Kind::Truth => any(vec![json!({"type": "boolean"}), json!({"enum": [0, 1]}), text_of(TRUTH)], or_nothing),
        Kind::Number(least, most) => {
            let number = json!({"type": "integer", "minimum": least, "maximum": most});
            any(vec![number, text_of("^[0-9]+$")], or_nothing)
        }
        Kind::Amount => any(vec![json!({"type": "number", "minimum": 0}), text_of(AMOUNT)], true),
        Kind::Anything => json!({}),
        Kind::List(item) => {
            let mut schema = typed(&["array"]);
            schema["items"] = value(item, false);
            schema
        }
        Kind::Names(each) => {
            let mut schema = typed(&["object"]);
            schema["additionalProperties"] = value(each, false);
            schema
        }
        Kind::Codes => {
            let can_be = |code: &&Code| !matches!(code.severity(), Severity::Consent | Severity::Refusal);
            let codes: Vec<String> = Code::ALL.iter().filter(can_be).map(ToString::to_string).collect();
            let mut schema = typed(&["object"]);
            schema["propertyNames"] = json!({"enum": codes});
            schema["additionalProperties"] = text_of("\\S");
            schema
        }
        Kind::Mapping(keys) => or_null(mapping(keys, None), or_nothing),
        Kind::MappingAndNames(keys, others) => or_null(mapping(keys, Some(others)), or_nothing),
        Kind::Either(kinds) => any(kinds.iter().map(|kind| value(kind, false)).collect(), or_nothing),
    }
}

fn text_of(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn any(mut schemas: Vec<Value>, or_nothing: bool) -> Value {
    schemas.extend(or_nothing.then(|| json!({"type": "null"})));
    json!({"anyOf": schemas})
}

fn or_null(mut schema: Value, or_nothing: bool) -> Value {
    if or_nothing {
        schema["type"] = json!(["object", "null"]);
    }
    schema
}
