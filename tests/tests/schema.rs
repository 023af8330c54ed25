//! The JSON Schemas against every spec of the fixtures, the examples, the book and the README: what the reader takes they
//! take, and what it refuses for its shape they refuse.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonschema::Validator;
use laconic_engine::code::Code;
use laconic_engine::finding::Finding;
use laconic_engine::spec::read_spec;
use laconic_engine::spec::schema::{File, Kind, LACONIC, SPEC, json_schema};
use serde_json::{Map, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn validator(file: &File) -> Validator {
    jsonschema::draft7::new(&json_schema(file)).unwrap()
}

fn each_file(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The specs: their files, and the blocks of Markdown pages that are one.
fn specs() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["tests/fixtures", "docs/src"] {
        each_file(&root().join(folder), &mut files);
    }
    files.push(root().join("README.md"));
    files.sort();
    let mut specs = Vec::new();
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if name.ends_with(".md") {
            for (index, block) in text.split("```yaml\n").enumerate().skip(1) {
                let block = block.split("```").next().unwrap();
                if block.contains("stack:") && block.contains("deploy-to:") {
                    specs.push((format!("{name} block {index}"), block.to_owned()));
                }
            }
        } else if name.ends_with("spec.yml") || name.starts_with("tests/fixtures/operator/") {
            specs.push((name, text.replace("${HOST}", "/host")));
        }
    }
    specs
}

/// What a schema can see. The rest takes more than one key to judge, or the text of the file.
fn is_structural(finding: &Finding) -> bool {
    const BEYOND: &[&str] =
        &["says no source", "must be reached in one way", "is given twice", "is no version", "no valid YAML"];
    matches!(finding.code, Code::InvalidYaml | Code::UnknownKey | Code::NotKubernetes | Code::LiteralSecret)
        && !BEYOND.iter().any(|words| finding.message.contains(words))
}

#[test]
fn the_schema_of_a_spec_and_its_reader_agree() {
    let validator = validator(&SPEC);
    let (mut taken, mut refused) = (0, 0);
    for (name, text) in specs() {
        let (_, findings) = read_spec(&Arc::from(name.as_str()), &text);
        let wrong: Vec<_> = findings.iter().filter(|finding| is_structural(finding)).collect();
        let Ok(value) = serde_yaml::from_str::<Value>(&text) else {
            assert!(!findings.is_empty(), "{name}: only one of two readers can read it");
            continue;
        };
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        // How an amount is read depends on the dialect: the reader leaves it to the check.
        let is_wrong = !wrong.is_empty() || name.contains("LAC101/triggers-amounts");
        assert_eq!(!errors.is_empty(), is_wrong, "{name}\nschema: {errors:#?}\nreader: {wrong:#?}");
        if is_wrong { refused += 1 } else { taken += 1 }
    }
    // That the search finds them: fixtures, book and README among them.
    assert!(taken > 100 && refused >= 10, "{taken} taken, {refused} refused");
}

/// Each single mistake of a fixture is seen by itself, not only in company.
#[test]
fn every_mistake_of_shape_is_refused_alone() {
    let validator = validator(&SPEC);
    let base = "stack: stacks/web\ndeploy-to: k8s-kind\n";
    let with = |more: &str| serde_yaml::from_str::<Value>(&format!("{base}{more}\n")).unwrap();
    assert!(validator.is_valid(&with("")));
    for wrong in [
        "replicas: two",
        "replicas: -1",
        "replicas: 1.5",
        "deploy-to-x: 1",
        "security: {privileged: maybe}",
        "security: {privilegd: true}",
        "network: [http-proxy]",
        "network: {acme_mail: a@b.c}",
        "network: {http-proxy: [{routes: []}]}",
        "network: {http-proxy: [{host-name: a.b, routes: [{path: /}]}]}",
        "network: {http-proxy: [{host-name: a.b, routes: [{path: /, proxy-to: web}]}]}",
        "network: {http-proxy: [{host-name: a.b, routes: [{paths: /, proxy-to: 'web:80'}]}]}",
        "network: {ports: {web: '80'}}",
        "image-pull-policy: ifnotpresent",
        "kind-mount-root: srv/kind",
        "ca-certificates: ca.pem",
        "configmaps: [settings]",
        "config: {A: [1]}",
        "node-affinities: [{label: disk}]",
        "node-tolerations: [{key: a, value: b, operator: Exists}]",
        "resources: {containers: {limits: {memory: lots}}}",
        "resources: {containers: {web: {limit: {cpus: 1}}}}",
        "resources: {volumes: {data: {reservations: {size: 1G}}}}",
        "external-services: {e: {hots: a}}",
        "external-services: {e: {host: a, port: 0}}",
        "registry-credentials: {username: u}",
        "registry-credentials: {server: s, token: abc}",
        "suppress: {LAC53: why}",
        "suppress: {LAC302: why}",
        "suppress: {LAC503: ''}",
        "moved: [{from: a}]",
        "image-overrides: {web: }",
    ] {
        assert!(!validator.is_valid(&with(wrong)), "{wrong}");
    }
    assert!(!validator.is_valid(&serde_yaml::from_str::<Value>("stack: a\n").unwrap()));
    assert!(!validator.is_valid(&serde_yaml::from_str::<Value>("stack: a\ndeploy-to: compose\n").unwrap()));
}

/// The examples of the table are taken by the schema, all of them together.
#[test]
fn the_examples_of_a_table_make_a_file_that_its_schema_takes() {
    for file in [SPEC, LACONIC] {
        let example = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
        let all: Map<String, Value> = file.keys.iter().map(|key| (key.name.to_owned(), example(key.example))).collect();
        let errors: Vec<String> =
            validator(&file).iter_errors(&Value::Object(all)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.name);
        assert!(file.keys.iter().any(|key| matches!(key.kind, Kind::Names(_))));
    }
}

/// Editors understand draft 7 and show what a key means.
#[test]
fn every_key_of_the_schema_says_what_it_means() {
    fn each(schema: &Value, path: &str, seen: &mut usize) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, inner) in properties {
                assert!(inner["description"].is_string(), "{path}.{name}");
                assert!(inner["examples"].is_array(), "{path}.{name}");
                *seen += 1;
            }
        }
        if let Some(members) = schema.as_object() {
            members.iter().for_each(|(name, inner)| each(inner, &format!("{path}.{name}"), seen));
        }
        if let Some(items) = schema.as_array() {
            items.iter().for_each(|inner| each(inner, path, seen));
        }
    }
    let schema = json_schema(&SPEC);
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let mut seen = 0;
    each(&schema, "spec", &mut seen);
    assert!(seen > 60, "{seen}");
    assert!(jsonschema::meta::is_valid(&schema));
}
