//! The engine is pure: it depends on nothing that reaches a disk, a network, a clock, a process or an async runtime, and
//! its own text names none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Everything a package needs to build, by name.
fn dependencies_of(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["name"].as_str().unwrap()))
        .collect();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let start = names.iter().find(|(_, name)| **name == package).map(|(id, _)| *id).unwrap();
    let mut found = BTreeSet::new();
    let mut queue = vec![start];
    while let Some(id) = queue.pop() {
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            let is_normal = kinds.iter().any(|kind| kind["kind"].is_null());
            let id = dependency["pkg"].as_str().unwrap();
            if is_normal && found.insert(names[id].to_owned()) {
                queue.push(id);
            }
        }
    }
    found
}

#[test]
fn the_engine_depends_on_nothing_impure() {
    let dependencies = dependencies_of("laconic-engine");
    assert!(dependencies.contains("petgraph"), "the test looks at the wrong package: {dependencies:?}");
    let impure =
        ["tokio", "kube", "kube-client", "hyper", "rustls", "mio", "async-std", "tempfile", "rand", "getrandom"];
    let found: Vec<_> = impure.iter().filter(|name| dependencies.contains(**name)).collect();
    assert!(found.is_empty(), "the engine depends on {found:?}");
    let ours: Vec<_> = dependencies.iter().filter(|name| name.starts_with("laconic")).collect();
    assert!(ours.is_empty(), "the engine depends on {ours:?}");
}

#[test]
fn providers_and_state_do_not_know_each_other() {
    assert!(!dependencies_of("laconic-providers").contains("laconic-state"));
    assert!(!dependencies_of("laconic-state").contains("laconic-providers"));
}

#[test]
fn the_engines_text_names_nothing_impure() {
    let words = [
        "std::fs",
        "std::env",
        "std::process",
        "std::net",
        "std::thread",
        "SystemTime",
        "Instant",
        "tokio::",
        "kube::",
        "println!",
        "eprintln!",
    ];
    let mut found = Vec::new();
    let mut folders = vec![root().join("engine/src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            for (number, line) in text.lines().enumerate() {
                let is_comment = line.trim_start().starts_with("//");
                if !is_comment && words.iter().any(|word| line.contains(word)) {
                    found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(files > 50, "only {files} files were looked at");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn object_keys_stay_sorted_in_json() {
    // A dependency that turns on `preserve_order` for everybody would change digests without a word.
    let value: Value = serde_json::from_str(r#"{"b": 1, "a": 2}"#).unwrap();
    assert_eq!(value.to_string(), r#"{"a":2,"b":1}"#);
}
