//! Labels and annotations that compose files give to pods.
//!
//! A label of compose holds any text, one of Kubernetes a short word. What is no such word becomes an annotation, which
//! programs in the cluster can read as well.

use serde_json::{Map, Value};

use super::naming::{COMPONENT_LABEL, member_path};
use crate::code::Code;
use crate::compose::{ComposeFile, is_host_name};
use crate::finding::Finding;
use crate::place::Place;
use crate::spec::Located;

/// Labels by which pods are known.
const OWN: &[&str] = &["app", COMPONENT_LABEL, "app.kubernetes.io/stack"];
/// The longest name of a label without its prefix, and the longest value.
const LONGEST: usize = 63;

/// What becomes of one label or annotation.
enum Fate {
    Label,
    Annotation,
    Nothing(&'static str, &'static str),
}

/// Puts the labels and annotations of all services of a file on its pod.
pub(super) fn pod_labels(
    file: &ComposeFile,
    labels: &mut Map<String, Value>,
    annotations: &mut Map<String, Value>,
    places: &mut Vec<(String, Place)>,
) {
    let mut set = |target: &mut Map<String, Value>, member: &str, name: &Located<String>, value: &Located<String>| {
        // The first counts; that another one differs was said.
        if !target.contains_key(&name.value) {
            let path = member_path(&format!("spec.template.metadata.{member}"), &name.value);
            places.push((path, value.place.clone()));
            target.insert(name.value.clone(), value.value.as_str().into());
        }
    };
    for service in &file.services {
        for (name, value) in &service.labels {
            match fate_of_label(&name.value, &value.value) {
                Fate::Label => set(labels, "labels", name, value),
                Fate::Annotation => set(annotations, "annotations", name, value),
                Fate::Nothing(..) => {}
            }
        }
        for (name, value) in &service.annotations {
            if matches!(fate_of_annotation(&name.value), Fate::Annotation) {
                set(annotations, "annotations", name, value);
            }
        }
    }
}

/// What there is to say of labels and annotations.
pub(super) fn judge(file: &ComposeFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: Map<String, Value> = Map::new();
    for service in &file.services {
        let labels = service
            .labels
            .iter()
            .map(|(name, value)| ("labels", name, value, fate_of_label(&name.value, &value.value)));
        let annotations = service
            .annotations
            .iter()
            .map(|(name, value)| ("annotations", name, value, fate_of_annotation(&name.value)));
        for (key, name, value, fate) in labels.chain(annotations) {
            let (why, help) = match fate {
                Fate::Nothing(why, help) => (why, help),
                _ => match seen.get(&name.value) {
                    Some(earlier) if *earlier != value.value => (
                        "another service of the pod has it with another value",
                        "write the same value, or put the services into compose files of their own",
                    ),
                    Some(_) => continue,
                    None => {
                        seen.insert(name.value.clone(), value.value.as_str().into());
                        continue;
                    }
                },
            };
            let message = format!("`{key}: {}` has no effect: {why}", name.value);
            findings.push(Finding::new(Code::ComposeFeatureIgnored, message).at(&name.place).help(help));
        }
    }
    findings
}

fn fate_of_label(name: &str, value: &str) -> Fate {
    if name.starts_with("traefik.") {
        return Fate::Nothing(
            "there is no traefik in the cluster",
            "route to the container with `network.http-proxy` of the spec",
        );
    }
    match fate_of_annotation(name) {
        Fate::Annotation if is_label_value(value) => Fate::Label,
        fate => fate,
    }
}

fn fate_of_annotation(name: &str) -> Fate {
    if OWN.contains(&name) {
        return Fate::Nothing("laconic knows its pods by it", "give it another name");
    }
    let (prefix, word) = match name.split_once('/') {
        Some((prefix, word)) => (Some(prefix), word),
        None => (None, name),
    };
    if prefix.is_none_or(is_host_name) && is_word(word) {
        Fate::Annotation
    } else {
        Fate::Nothing(
            "it is no name that Kubernetes allows",
            "use letters, digits, `-`, `_` and dots, at most 63, perhaps after a domain and a slash",
        )
    }
}

fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_word(value)
}

fn is_word(text: &str) -> bool {
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= LONGEST
        && is_end(text.bytes().next())
        && is_end(text.bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
