//! What the laconic-so dialect makes of a deployment directory is what laconic-so made of it, but for the differences
//! that are listed here and explained in docs/src/differences-from-laconic-so.md. `--nocapture` shows the table.

#[expect(dead_code, reason = "each test file uses its part of the fixtures")]
mod cases;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use cases::golden::difference;
use cases::{all_names, by_key, compile_repository, compile_sources, compiled, root, sources, text};
use laconic_engine::address::ResourceType;
use laconic_engine::code::{Code, Severity};
use laconic_engine::compile::{ClusterInput, compose_cluster, kind_config};
use laconic_engine::finding::Finding;
use laconic_engine::value::Digest;
use serde_json::{Value, json};

/// The deliberate differences: case, object, path, reason. An object that one side lacks differs at path `` (empty).
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "x-jobs",
        "Job/laconic-c968ab80-job-migrate",
        "spec.template.spec.containers[migrate].env[DSN].value",
        "credentials-by-reference",
    ),
    (
        "x-jobs",
        "Job/laconic-c968ab80-job-migrate",
        "spec.template.spec.containers[migrate].env[API_KEY].value",
        "credentials-by-reference",
    ),
    ("x-jobs", "Secret/laconic-c968ab80-generated-secrets", "", "generated-secrets"),
    ("x-mounts", "PersistentVolume/laconic-f0f288ea-sibling", "spec.hostPath.path", "umbrella-sibling"),
];

/// Where two values differ, as paths with list items by their position or name.
fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for key in keys {
                let (our, their) = (ours.get(key), theirs.get(key));
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (our, their) {
                    (Some(our), Some(their)) => differences(&path, our, their, found),
                    _ => found.push(path),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
                let name = match (&our["name"], &their["name"]) {
                    (Value::String(our), Value::String(their)) if our == their => our.clone(),
                    _ => index.to_string(),
                };
                differences(&format!("{path}[{name}]"), our, their, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(path.to_owned()),
    }
}

/// One line of the table: what became of a case.
#[derive(Default)]
struct Line {
    compared: usize,
    equal: usize,
    by_design: usize,
    by_mistake: Vec<String>,
    /// The indices of the listed differences that were met.
    met: BTreeSet<usize>,
    note: String,
}

/// A case of which laconic-so made objects: ours are compared with them.
fn compare(case: &str) -> Line {
    let compiled = compiled(case, "");
    let tenants = [].into();
    let planned = [(case.to_owned(), Some((compiled.tenant.clone(), compiled.wish_places.clone())))].into();
    let cluster = compose_cluster(&ClusterInput { name: "c", registered: &tenants, planned, recorded: None });
    let classes = cluster.resources.into_iter().filter(|it| it.address.resource_type == ResourceType::RuntimeClass);
    let ours = by_key(compiled.resources.into_iter().chain(classes).map(|resource| resource.attributes.into_value()));
    let theirs: Vec<Value> = serde_json::from_str(&text(case, "objects.json").unwrap()).unwrap();
    let theirs = by_key(theirs);
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let mut line = Line { compared: keys.len(), ..Line::default() };
    for key in keys {
        let mut found = Vec::new();
        match (ours.get(key), theirs.get(key)) {
            (Some(ours), Some(theirs)) => differences("", ours, theirs, &mut found),
            _ => found.push(String::new()),
        }
        let mut is_mistaken = false;
        let differs = !found.is_empty();
        for path in found {
            match DIFFERENCES.iter().position(|(a, b, c, _)| (*a, *b, *c) == (case, key, &path)) {
                Some(index) => {
                    line.met.insert(index);
                }
                None => {
                    is_mistaken = true;
                    line.by_mistake.push(format!("{case} {key} {path}"));
                }
            }
        }
        line.equal += usize::from(!differs);
        line.by_design += usize::from(differs && !is_mistaken);
    }
    line
}

/// A case at which laconic-so stopped: what we say of it, or the objects that we make where it could not.
fn stopped(case: &str) -> Line {
    let compilation = compile_repository(case).unwrap_or_else(|| compile_sources(case, &sources(case, "")));
    let directory = root().join(case);
    let mut line = Line::default();
    let said: Vec<String> = compilation.findings.iter().map(said).collect();
    let mut golden = vec![("findings.txt", said.concat())];
    match compilation.deployment {
        None => {
            let errors = compilation.findings.iter().filter(|finding| finding.severity == Severity::Error);
            let errors: Vec<String> = errors.map(place_and_code).collect();
            assert!(!errors.is_empty(), "{case}: neither objects nor an error");
            line.note = errors.join(", ");
        }
        Some(compiled) => {
            let objects = by_key(compiled.resources.into_iter().map(|it| it.attributes.into_value()));
            line.compared = objects.len();
            line.equal = objects.len();
            line.note = "made by laconic alone; held against its golden objects".to_owned();
            let objects: Vec<Value> = objects.into_values().map(shortened).collect();
            golden.push(("laconic.json", format!("{}\n", serde_json::to_string_pretty(&objects).unwrap())));
        }
    }
    for (file, text) in golden {
        if let Some(difference) = difference(&directory.join(file), &text) {
            line.equal = 0;
            line.by_mistake.push(difference);
        }
    }
    line
}

fn place_and_code(finding: &Finding) -> String {
    let place = finding.place.as_ref().unwrap_or_else(|| panic!("no place: {finding:?}"));
    format!("{} at {place}", finding.code)
}

/// A finding in full.
fn said(finding: &Finding) -> String {
    let mut text = format!("{} {}: {}\n", finding.severity, place_and_code(finding), finding.message);
    finding.labels.iter().for_each(|label| text.push_str(&format!("  {}: {}\n", label.place, label.text)));
    finding.help.iter().for_each(|help| text.push_str(&format!("  help: {help}\n")));
    text
}

/// The value with very long texts by their length and digest.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > 1000 => {
            format!("{} characters, {}", text.len(), Digest::of_bytes(text.as_bytes())).into()
        }
        Value::Array(items) => items.into_iter().map(shortened).collect(),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, shortened(value))).collect())
        }
        other => other,
    }
}

#[test]
fn every_case_gives_the_objects_of_laconic_so_or_says_why_not() {
    let mut table = String::from(
        "| case | objects compared | equal | different by design | different by mistake | |\n|---|--:|--:|--:|--:|---|\n",
    );
    let mut total = Line::default();
    for case in all_names() {
        let line = match case.split('-').next() {
            Some("x") => compare(&case),
            Some("n") => stopped(&case),
            _ => panic!("{case}: nothing says what is expected of it"),
        };
        row(&mut table, &case, &line);
        total.compared += line.compared;
        total.equal += line.equal;
        total.by_design += line.by_design;
        total.met.extend(line.met);
        total.by_mistake.extend(line.by_mistake);
    }
    row(&mut table, "all", &total);
    println!("{table}");
    assert!(total.by_mistake.is_empty(), "differences that nobody wanted:\n{}", total.by_mistake.join("\n"));
    let gone: Vec<_> = DIFFERENCES.iter().enumerate().filter(|(index, _)| !total.met.contains(index)).collect();
    assert!(gone.is_empty(), "listed differences that are none: {gone:#?}");
}

fn row(table: &mut String, case: &str, line: &Line) {
    let Line { compared, equal, by_design, by_mistake, note, .. } = line;
    let _ = writeln!(table, "| {case} | {compared} | {equal} | {by_design} | {} | {note} |", by_mistake.len());
}

/// What laconic-so stopped at is said at the line that causes it.
#[test]
fn what_laconic_so_stopped_at_has_its_code_and_line() {
    let expected = [
        ("n-bigfile", Code::BindTooLarge, "stack/compose/docker-compose-neg.yml", 5),
        ("n-configmap-missing", Code::BindMissing, "spec.yml", 10),
        ("n-relative-k8s", Code::RelativePathOnKubernetes, "spec.yml", 6),
        ("n-rw", Code::WritableBind, "stack/compose/docker-compose-neg.yml", 5),
        ("n-subdirs", Code::BindTooLarge, "stack/compose/docker-compose-neg.yml", 5),
    ];
    for (case, code, file, line) in expected {
        let compilation = compile_repository(case).unwrap_or_else(|| compile_sources(case, &sources(case, "")));
        assert!(compilation.deployment.is_none(), "{case}");
        let found: Vec<_> = compilation.findings.iter().filter(|it| it.severity == Severity::Error).collect();
        let [finding] = found.as_slice() else { panic!("{case}: {found:#?}") };
        let place = finding.place.as_ref().unwrap();
        assert_eq!((finding.code, &*place.file, place.line), (code, file, line), "{case}");
    }
}

/// What crashed laconic-so and has a meaning compiles, to what it means.
#[test]
fn what_crashed_laconic_so_and_has_a_meaning_compiles() {
    let object = |case: &str, kind: &str| {
        let resources = compiled(case, "").resources.into_iter().map(|it| it.attributes.into_value());
        let found: Vec<Value> = resources.filter(|object| object["kind"] == kind).collect();
        let [object] = found.as_slice() else { panic!("{case}: {} of kind {kind}", found.len()) };
        object.clone()
    };
    let container = |case: &str| object(case, "Deployment")["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(container("n-env-list")["env"], json!([{"name": "A", "value": "1"}]));
    let context = &container("n-user")["securityContext"];
    assert_eq!((&context["runAsUser"], &context["runAsGroup"]), (&json!(1000), &json!(1000)));
    let pod = &object("n-volumes-null", "Deployment")["spec"]["template"]["spec"];
    assert_eq!((&pod["containers"][0]["image"], &pod["volumes"]), (&json!("b:1"), &json!([])));
    let map = object("n-budget-ok", "ConfigMap");
    let data = map["binaryData"]["f"].as_str().unwrap();
    assert_eq!(data.len(), 716_800_usize.div_ceil(3) * 4);
    let mount = &container("n-budget-ok")["volumeMounts"][0];
    assert_eq!((&mount["mountPath"], &mount["subPath"]), (&json!("/f"), &json!("f")));
}

#[test]
fn every_difference_is_explained() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/differences-from-laconic-so.md");
    let document = std::fs::read_to_string(path).unwrap();
    let objects = DIFFERENCES.iter().map(|(.., reason)| reason);
    for reason in objects.chain(MOUNT_DIFFERENCES.iter().map(|(.., reason)| reason)) {
        assert!(document.contains(&format!("`{reason}`")), "{reason} is not explained");
    }
}

/// A kind configuration as it is meant: defaults written out, lists in order, doubled entries once.
fn meaning(text: &str) -> Value {
    let mut config: Value = serde_yaml::from_str(text).unwrap();
    let node = &mut config["nodes"][0];
    for list in ["extraMounts", "extraPortMappings"] {
        let mut entries = node[list].as_array().cloned().unwrap_or_default();
        for entry in &mut entries {
            if list == "extraPortMappings" && entry["protocol"].is_null() {
                entry["protocol"] = "TCP".into();
            }
        }
        entries.sort_by_key(Value::to_string);
        entries.dedup();
        node[list] = entries.into();
    }
    config
}

/// Mounts that laconic-so does not make: case, container path, reason.
const MOUNT_DIFFERENCES: &[(&str, &str, &str)] = &[("x-mounts", "/mnt/sibling", "umbrella-sibling")];

#[test]
fn kind_configurations_mean_the_same() {
    for case in all_names() {
        let Some(theirs) = text(&case, "kind-config.normalized.yml") else { continue };
        let compilation = compile_sources(&case, &sources(&case, ""));
        // What nobody may plan has no cluster either; laconic-so had made its file by then.
        let Some(compiled) = compilation.deployment else { continue };
        let tenants = [].into();
        let planned = [(case.clone(), Some((compiled.tenant, compiled.wish_places)))].into();
        let cluster = compose_cluster(&ClusterInput { name: "c", registered: &tenants, planned, recorded: None });
        let attributes = &cluster.resources.first().unwrap().attributes.value();
        let mut ours = meaning(&kind_config(attributes));
        let mut listed: Vec<&str> =
            MOUNT_DIFFERENCES.iter().filter(|(name, _, _)| *name == case).map(|(_, path, _)| *path).collect();
        if let Some(mounts) = ours["nodes"][0]["extraMounts"].as_array_mut() {
            mounts.retain(|mount| {
                let before = listed.len();
                listed.retain(|path| mount["containerPath"] != *path);
                listed.len() == before
            });
        }
        assert!(listed.is_empty(), "{case}: listed mounts that are not made: {listed:?}");
        assert_eq!(ours, meaning(&theirs), "{case}");
    }
}

/// The runtime spec that lets containers lock memory is the one that laconic-so writes.
#[test]
fn the_memlock_spec_is_the_same() {
    let written = cases::text("x-security", "deployment/high-memlock-spec.json").unwrap();
    let written: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(laconic_engine::compile::memlock_spec(), written);
}
