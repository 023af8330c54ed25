use std::sync::Arc;

use super::*;
use crate::spec::read_spec;

const BASE: &str = "stack: stacks/shop\ndeploy-to: k8s-kind\n";

/// A document with one key at its place, and everything that its surroundings require.
fn document(path: &[&Key], key: &Key) -> String {
    let mut text = format!("{{{}: {}}}", key.name, key.example);
    for outer in path.iter().rev() {
        text = format!("{{{}: {text}}}", outer.name);
    }
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap().to_owned();
    let base = if BASE.contains(&format!("{}:", path.first().unwrap_or(&key).name)) { "" } else { BASE };
    format!("{base}{text}\n")
}

/// Every key whose place is a chain of plain mappings: the reader knows it, and takes its example without a word.
fn each_is_read(path: &mut Vec<&'static Key>, keys: &'static [Key], seen: &mut usize) {
    for key in keys {
        let text = document(path, key);
        let (_, findings) = read_spec(&Arc::from("spec.yml"), &text);
        let said: Vec<_> = findings
            .iter()
            .filter(|finding| matches!(finding.code, Code::InvalidYaml | Code::UnknownKey))
            .filter(|finding| !finding.message.contains("is missing") && !finding.message.contains("says no source"))
            .filter(|finding| !finding.message.contains("has no `server`"))
            .collect();
        assert!(said.is_empty(), "{text}{said:#?}");
        *seen += 1;
        if let Kind::Mapping(below) | Kind::MappingAndNames(below, _) = key.kind {
            path.push(key);
            each_is_read(path, below, seen);
            path.pop();
        }
    }
}

#[test]
fn the_reader_takes_the_example_of_every_key() {
    let mut seen = 0;
    each_is_read(&mut Vec::new(), SPEC.keys, &mut seen);
    assert!(seen > 45, "{seen}");
}

#[test]
fn a_key_in_the_wrong_section_is_found() {
    assert_eq!(section_of("privileged", SPEC.keys).as_deref(), Some("security.privileged"));
    assert_eq!(section_of("http-proxy", SPEC.keys).as_deref(), Some("network.http-proxy"));
    assert_eq!(section_of("cpus", SPEC.keys).as_deref(), Some("resources.containers.reservations.cpus"));
    assert_eq!(section_of("nothing", SPEC.keys), None);
}

#[test]
fn the_table_is_well_formed() {
    fn each(keys: &[Key], path: &str) {
        let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(!names[..index].contains(&key.name), "{path}.{} twice", key.name);
            assert!(key.description.ends_with('.'), "{path}.{}", key.name);
            let example: serde_json::Value = serde_yaml::from_str(key.example).unwrap();
            assert!(!example.is_null(), "{path}.{}", key.name);
            assert!(key.replaced_by.is_none_or(|newer| names.contains(&newer)));
            inner(&key.kind, &format!("{path}.{}", key.name));
        }
    }
    fn inner(kind: &Kind, path: &str) {
        match kind {
            Kind::Mapping(keys) => each(keys, path),
            Kind::MappingAndNames(keys, others) => {
                each(keys, path);
                inner(others, path);
            }
            Kind::List(kind) | Kind::Names(kind) => inner(kind, path),
            Kind::Either(kinds) => kinds.iter().for_each(|kind| inner(kind, path)),
            _ => {}
        }
    }
    each(SPEC.keys, "spec");
    each(LACONIC.keys, "laconic");
}
