//! The simulated host's copy of the API's types is the server's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use laconic_testbed::ApiServer;
use serde_json::Value;

use crate::objects::kinds;

/// The types of the kinds that we make and everything they are made of, a line for each.
fn types(openapi: &Value) -> String {
    let definitions = openapi["definitions"].as_object().unwrap();
    let mut lines: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    let mut queue: Vec<&str> = Vec::new();
    for kind in kinds() {
        let (group, version) = kind.api_version().rsplit_once('/').unwrap_or(("", kind.api_version()));
        let is_it = |definition: &Value| {
            definition["x-kubernetes-group-version-kind"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|one| one["group"] == group && one["version"] == version && one["kind"] == kind.kind())
        };
        queue.push(definitions.iter().find(|(_, definition)| is_it(definition)).unwrap().0);
    }
    let tops: BTreeSet<&str> = queue.iter().copied().collect();
    while let Some(name) = queue.pop() {
        let short = name.rsplit('.').next().unwrap();
        if lines.contains_key(short) {
            continue;
        }
        let fields = definitions[name]["properties"].as_object().into_iter().flatten();
        // What a status holds is the server's to write.
        let fields = fields.filter(|(field, _)| !(tops.contains(name) && *field == "status"));
        let fields = fields.map(|(field, schema)| (field.as_str(), type_of(schema, &mut queue))).collect();
        lines.insert(short, fields);
    }
    lines.into_iter().fold(String::new(), |mut text, (name, fields)| {
        text.push_str(name);
        for (field, word) in fields {
            let _ = write!(text, " {field}={word}");
        }
        text.push('\n');
        text
    })
}

fn type_of<'a>(schema: &'a Value, queue: &mut Vec<&'a str>) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/definitions/")) {
        return match name.rsplit('.').next().unwrap() {
            "Quantity" => "quantity".to_owned(),
            "IntOrString" => "int-or-string".to_owned(),
            "Time" | "MicroTime" => "string".to_owned(),
            "FieldsV1" => "object".to_owned(),
            short => {
                queue.push(name);
                short.to_owned()
            }
        };
    }
    match schema["type"].as_str().unwrap() {
        "array" => format!("[]{}", type_of(&schema["items"], queue)),
        "object" if schema.get("additionalProperties").is_some() => {
            format!("{{}}{}", type_of(&schema["additionalProperties"], queue))
        }
        word => word.to_owned(),
    }
}

/// The name of a type is its last word: two of one name would be one.
#[test]
fn the_simulated_hosts_types_are_the_servers() {
    if laconic_testbed::off() {
        return;
    }
    let openapi = ApiServer::shared_with_controller_manager().kubectl("admin", &["get", "--raw", "/openapi/v2"]);
    assert!(openapi.status.success(), "{}", String::from_utf8_lossy(&openapi.stderr));
    let found = types(&serde_json::from_slice(&openapi.stdout).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../providers/src/simulated/types.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &found).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == found, "{} is not what the server says; UPDATE_GOLDEN=1 writes it anew", file.display());
}
