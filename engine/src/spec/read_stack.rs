//! stack.yml.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Located, Stack};
use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::place::Place;
use crate::source::join_path;
use crate::yaml::{Decoder, Node, NodeKind};

const KEYS: &[&str] = &["version", "name", "description", "repos", "npms", "containers", "pods", "jobs", "config"];
const POD_KEYS: &[&str] = &["name", "repository", "path", "pre_start_command", "post_start_command"];

/// Reads stack.yml; `name` is the base name of the stack's folder, which is its identity.
#[must_use]
pub fn read_stack(file: &Arc<str>, name: &str, text: &str) -> (Stack, Vec<Finding>) {
    let mut stack = Stack { file: Arc::clone(file), name: name.to_owned(), ..Stack::default() };
    let (node, findings) = crate::yaml::parse(file, text);
    let mut decoder = Decoder::new(findings);
    let Some(node) = node else {
        if decoder.findings.is_empty() {
            let message = "the stack is empty: it has neither pods nor jobs, and nothing runs";
            let help = "list its compose files: `pods: [NAME]` for `docker-compose-NAME.yml`";
            let finding = Finding::new(Code::InvalidYaml, message).at(&Place::new(file, 1, 1, 1)).help(help);
            decoder.findings.push(finding.as_severity(Severity::Warning));
        }
        return (stack, decoder.findings);
    };
    for (key, value) in decoder.entries("stack.yml", &node) {
        match key.text().unwrap_or_default() {
            "pods" => {
                stack.pods = named_files(&mut decoder, "pods", value);
                stack.pod_files = pod_files(&mut decoder, value);
            }
            "jobs" => stack.jobs = named_files(&mut decoder, "jobs", value),
            "containers" => stack.containers = decoder.strings("containers", value),
            known if KEYS.contains(&known) => {}
            _ => decoder.unknown_key(key, KEYS),
        }
    }
    (stack, decoder.findings)
}

/// Where laconic-so looks for the repositories of pods unless `CERC_REPO_BASE_DIR` says otherwise, which the reader
/// knows about.
pub const REPOSITORIES: &str = "~/cerc";

/// The compose files of pods that name a repository. Their start commands are said not to be run.
fn pod_files(decoder: &mut Decoder, node: &Node<'_>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let NodeKind::Sequence(items) = &node.kind else { return files };
    for item in items.iter().filter(|item| matches!(item.kind, NodeKind::Mapping(_))) {
        for command in ["pre_start_command", "post_start_command"] {
            let Some((key, _)) = entry(item, command).filter(|(_, value)| !value.is_null()) else { continue };
            let message = format!("`{command}` is not run: laconic-so would have called it at `start`");
            let help =
                "declare what it does instead: values in `config:`, files in `configmaps:`, one-off work as a job";
            decoder.findings.push(Finding::new(Code::StackHook, message).at(&key.place).help(help));
        }
        let text = |key: &str| entry(item, key).and_then(|(_, value)| value.text()).filter(|text| !text.is_empty());
        let (Some(name), Some(repository)) = (text("name"), text("repository")) else { continue };
        let base = repository.trim_end_matches('/').rsplit('/').next().unwrap_or(repository);
        let path = text("path").unwrap_or(".");
        let file = join_path(&join_path(REPOSITORIES, base), &format!("{path}/docker-compose.yml"));
        files.insert(name.to_owned(), file);
    }
    files
}

fn entry<'n, 'a>(item: &'n Node<'a>, key: &str) -> Option<(&'n Node<'a>, &'n Node<'a>)> {
    let NodeKind::Mapping(entries) = &item.kind else { return None };
    entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(name, value)| (name, value))
}

/// Compose-file stems: plain names, or mappings with a `name`.
fn named_files(decoder: &mut Decoder, list: &str, node: &Node<'_>) -> Vec<Located<String>> {
    let mut names: Vec<Located<String>> = Vec::new();
    for item in decoder.items(list, node) {
        let name = match &item.kind {
            NodeKind::Mapping(entries) => {
                for (key, _) in entries {
                    if !POD_KEYS.contains(&key.text().unwrap_or_default()) {
                        decoder.unknown_key(key, POD_KEYS);
                    }
                }
                match item.get("name") {
                    Some(name) => decoder.required_string("name", name),
                    None => {
                        decoder.invalid(
                            &item.place,
                            format!("an entry of `{list}` has no `name`"),
                            Some("add `name:`"),
                        );
                        None
                    }
                }
            }
            _ => decoder.required_string(list, item),
        };
        let Some(name) = name else { continue };
        if name.value.is_empty() || name.value.contains('/') {
            let help = "a name here is the part of `docker-compose-NAME.yml` between the hyphen and the dot";
            decoder.invalid(&name.place, format!("`{list}` must name compose files, not paths"), Some(help));
        } else if let Some(earlier) = names.iter().find(|earlier| earlier.value == name.value) {
            let earlier = earlier.place.clone();
            decoder.invalid(
                &name.place,
                format!("`{}` is listed twice in `{list}`", name.value),
                Some("keep one of them"),
            );
            if let Some(finding) = decoder.findings.pop() {
                decoder.findings.push(finding.label(&earlier, "first listed here"));
            }
        } else {
            names.push(name);
        }
    }
    names
}
