//! The configuration file that `kind create cluster` reads.

use std::fmt::Write as _;

use serde_json::Value;

/// The kind configuration of a cluster with those attributes (see [`super::cluster::compose_cluster`]), as YAML.
#[must_use]
pub fn kind_config(attributes: &Value) -> String {
    let mut text = String::from("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n");
    patches(&mut text, "", "containerdConfigPatches", &attributes["containerdConfigPatches"]);
    text.push_str("nodes:\n- role: control-plane\n");
    if let Some(image) = attributes["image"].as_str() {
        let _ = writeln!(text, "  image: {}", quoted(image));
    }
    patches(&mut text, "  ", "kubeadmConfigPatches", &attributes["kubeadmConfigPatches"]);
    entries(
        &mut text,
        "extraPortMappings",
        &attributes["extraPortMappings"],
        &["containerPort", "hostPort", "protocol"],
    );
    entries(&mut text, "extraMounts", &attributes["extraMounts"], &["hostPath", "containerPath", "propagation"]);
    text
}

/// A double-quoted JSON string is a YAML scalar that means the same.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn patches(text: &mut String, indent: &str, key: &str, patches: &Value) {
    let Some(patches) = patches.as_array().filter(|patches| !patches.is_empty()) else { return };
    let _ = writeln!(text, "{indent}{key}:");
    for patch in patches.iter().filter_map(Value::as_str) {
        let body = patch.strip_suffix('\n').unwrap_or(patch);
        let is_plain = !body.is_empty()
            && !body.starts_with([' ', '\n'])
            && !body.ends_with('\n')
            && body.chars().all(|character| character == '\n' || !character.is_control());
        if !is_plain {
            let _ = writeln!(text, "{indent}- {}", quoted(patch));
            continue;
        }
        let chomping = if patch.ends_with('\n') { "|" } else { "|-" };
        let _ = writeln!(text, "{indent}- {chomping}");
        for line in body.split('\n') {
            let line_indent = if line.is_empty() { "" } else { "  " };
            let _ = writeln!(text, "{}{line_indent}{line}", if line.is_empty() { "" } else { indent });
        }
    }
}

fn entries(text: &mut String, key: &str, list: &Value, members: &[&str]) {
    let Some(list) = list.as_array().filter(|list| !list.is_empty()) else { return };
    let _ = writeln!(text, "  {key}:");
    for entry in list {
        let mut marker = "  - ";
        for member in members {
            let value = match &entry[*member] {
                Value::Null => continue,
                Value::String(value) => quoted(value),
                other => other.to_string(),
            };
            let _ = writeln!(text, "{marker}{member}: {value}");
            marker = "    ";
        }
    }
}
