//! Compose files.

use std::collections::HashSet;
use std::sync::Arc;

use super::extends::Extension;
use super::file_grant::{FileKind, read_definitions};
use super::service::ServiceReader;
use super::service_keys::{TOP_LEVEL_KEYS, advice, names};
use super::substitution::{substituted, without_secrets};
use super::{ComposeFile, volumes};
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::spec::Dialect;
use crate::yaml::{Decoder, Node, NodeKind};

/// Reads a compose file. Values with variables use their defaults; see [`read_compose_with`].
#[must_use]
pub fn read_compose(file: &Arc<str>, text: &str, dialect: Dialect) -> (ComposeFile, Vec<Finding>) {
    read_compose_with(file, text, dialect, &|_| None)
}

/// Reads a compose file. Variables are replaced except where [`super::model`] says so; in the laconic-so dialect in ports
/// and volumes alone, because their shape depends on it.
#[must_use]
pub fn read_compose_with(
    file: &Arc<str>,
    text: &str,
    dialect: Dialect,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> (ComposeFile, Vec<Finding>) {
    let mut compose = ComposeFile { file: Arc::clone(file), ..ComposeFile::default() };
    let (node, findings) = crate::yaml::parse(file, text);
    let mut decoder = Decoder::new(findings);
    let Some(node) = node else {
        if decoder.findings.is_empty() {
            let help = "add `services:` with at least one service";
            decoder.invalid(&Place::new(file, 1, 1, 1), "the file is empty", Some(help));
        }
        return (compose, decoder.findings);
    };
    for (key, value) in decoder.entries("the compose file", &node) {
        let name = key.text().unwrap_or_default();
        match name {
            "services" => {
                let entries = decoder.entries("services", value);
                let mut extension = Extension::new(entries);
                for (name, value) in entries {
                    let service = match dialect {
                        Dialect::Compose => {
                            extension.merged(&mut decoder, file, name.text().unwrap_or_default(), value)
                        }
                        Dialect::LaconicSo => std::borrow::Cow::Borrowed(value),
                    };
                    let mut reader = ServiceReader { decoder: &mut decoder, dialect, lookup };
                    compose.services.push(reader.read(name, &service));
                }
            }
            "volumes" => compose.volumes = volumes::read_names(&mut decoder, value),
            "secrets" | "configs" if dialect == Dialect::Compose => {
                let value = substituted(value, lookup, &mut decoder.findings);
                let value = without_secrets(value, &mut decoder.findings);
                if name == "secrets" {
                    compose.secrets = read_definitions(&mut decoder, FileKind::Secret, &value);
                } else {
                    compose.configs = read_definitions(&mut decoder, FileKind::Config, &value);
                }
            }
            "version" | "name" => {}
            _ if name.starts_with("x-") => {}
            // Everybody has it, and it says nothing.
            "networks" if is_default_network(value) => {}
            "networks" | "configs" | "secrets" | "include" | "models" => {
                decoder.findings.push(ignored(name, &key.place));
            }
            _ => decoder.unknown_key(key, &names(TOP_LEVEL_KEYS)),
        }
    }
    // What is merged into several services is said once.
    let mut seen = HashSet::new();
    decoder.findings.retain(|finding| seen.insert((finding.code, finding.message.clone(), finding.place.clone())));
    (compose, decoder.findings)
}

/// A compose feature without effect.
pub(super) fn ignored(name: &str, place: &Place) -> Finding {
    let finding = Finding::new(Code::ComposeFeatureIgnored, format!("`{name}` has no effect on Kubernetes")).at(place);
    match advice(name) {
        Some(advice) => finding.help(advice),
        None => finding.help("remove it, or suppress LAC111 with a reason if the file also serves docker compose"),
    }
}

/// A compose feature without effect, for a reason of its own.
pub(super) fn ignored_because(name: &str, why: &str, place: &Place, help: &str) -> Finding {
    Finding::new(Code::ComposeFeatureIgnored, format!("`{name}` has no effect: {why}")).at(place).help(help)
}

/// Whether the networks are but the one that every file has.
fn is_default_network(node: &Node<'_>) -> bool {
    match &node.kind {
        NodeKind::Mapping(networks) => {
            networks.iter().all(|(name, network)| name.text() == Some("default") && network.is_null())
        }
        _ => false,
    }
}
