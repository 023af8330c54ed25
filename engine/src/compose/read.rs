//! Compose files.

use std::sync::Arc;

use super::{Command, ComposeFile, Service, ports, service_keys, volumes};
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::spec::{Dialect, Located, ResourceBlock, Scalar, ScalarKind, resources};
use crate::yaml::{Decoder, Node, NodeKind};

/// Reads a compose file. Ports and volumes with variables use their defaults; see [`read_compose_with`].
#[must_use]
pub fn read_compose(file: &Arc<str>, text: &str, dialect: Dialect) -> (ComposeFile, Vec<Finding>) {
    read_compose_with(file, text, dialect, &|_| None)
}

/// Reads a compose file. Variables in ports and volumes are replaced, because their shape depends on it; everything
/// else is kept as written.
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
                for (name, value) in decoder.entries("services", value) {
                    let mut reader = ServiceReader { decoder: &mut decoder, dialect, lookup };
                    compose.services.push(reader.read(name, value));
                }
            }
            "volumes" => compose.volumes = volumes::read_names(&mut decoder, value),
            "version" | "name" => {}
            _ if name.starts_with("x-") => {}
            "networks" | "configs" | "secrets" | "include" | "models" => {
                decoder.findings.push(ignored(name, &key.place));
            }
            _ => decoder.unknown_key(key, service_keys::TOP_LEVEL),
        }
    }
    (compose, decoder.findings)
}

/// A compose feature without effect.
pub(super) fn ignored(name: &str, place: &Place) -> Finding {
    let finding = Finding::new(Code::ComposeFeatureIgnored, format!("`{name}` has no effect on Kubernetes")).at(place);
    match service_keys::advice(name) {
        Some(advice) => finding.help(advice),
        None => finding.help("remove it, or suppress LAC111 with a reason if the file also serves docker compose"),
    }
}

struct ServiceReader<'d, 'l> {
    decoder: &'d mut Decoder,
    dialect: Dialect,
    lookup: &'l dyn Fn(&str) -> Option<String>,
}

impl ServiceReader<'_, '_> {
    fn read(&mut self, key: &Node<'_>, node: &Node<'_>) -> Service {
        let name = Decoder::name(key);
        let mut service = Service {
            name,
            image: None,
            environment: Vec::new(),
            env_files: Vec::new(),
            ports: Vec::new(),
            volumes: Vec::new(),
            command: None,
            entrypoint: None,
            user: None,
            working_dir: None,
            host_network: None,
            resources: ResourceBlock::default(),
            is_init: false,
        };
        let what = format!("services.{}", service.name.value);
        for (key, value) in self.decoder.entries(&what, node) {
            self.read_key(&mut service, key, value);
        }
        let is_readable = matches!(node.kind, NodeKind::Mapping(_)) || node.is_null();
        if service.image.is_none() && is_readable && node.get("image").is_none_or(Node::is_null) {
            let message = format!("service `{}` has no `image`", service.name.value);
            let help = "build the image, push it or load it on the cluster, and name it with `image:`";
            self.decoder.invalid(&service.name.place, message, Some(help));
        }
        service
    }

    fn read_key(&mut self, service: &mut Service, key: &Node<'_>, value: &Node<'_>) {
        let name = key.text().unwrap_or_default();
        match name {
            "image" => service.image = self.decoder.string(name, value),
            "environment" => service.environment = self.environment(value),
            "ports" => service.ports = ports::read_ports(self.decoder, value, self.lookup),
            "volumes" => service.volumes = volumes::read_mounts(self.decoder, value, self.lookup),
            "command" => service.command = self.command(name, value),
            "entrypoint" => service.entrypoint = self.command(name, value),
            "user" => service.user = self.decoder.string(name, value),
            "labels" => service.is_init = self.labels(key, value),
            "deploy" => self.deploy(service, value),
            "network_mode" => {
                let mode = self.decoder.string(name, value);
                match mode.as_ref().map(|mode| mode.value.as_str()) {
                    Some("host") => service.host_network = Some(value.place.clone()),
                    None => {}
                    Some(_) => self.decoder.findings.push(ignored(name, &key.place)),
                }
            }
            // laconic-so read neither, so a directory of that dialect keeps running without them.
            "env_file" | "working_dir" if self.dialect == Dialect::LaconicSo => {
                let message = format!("`{name}` has no effect in the `laconic-so` dialect");
                let help = "`laconic deploy create --update --dialect compose` gives it its compose meaning";
                self.decoder
                    .findings
                    .push(Finding::new(Code::ComposeFeatureIgnored, message).at(&key.place).help(help));
            }
            "env_file" => service.env_files = self.env_files(value),
            "working_dir" => service.working_dir = self.decoder.string(name, value),
            _ if name.starts_with("x-") => {}
            _ if service_keys::IGNORED.contains(&name) => self.decoder.findings.push(ignored(name, &key.place)),
            _ => self.decoder.unknown_key(key, service_keys::ALL),
        }
    }

    fn environment(&mut self, node: &Node<'_>) -> Vec<(Located<String>, Located<Scalar>)> {
        let mut variables: Vec<(Located<String>, Located<Scalar>)> = Vec::new();
        if !matches!(node.kind, NodeKind::Sequence(_)) {
            for (key, value) in self.decoder.entries("environment", node) {
                let name = Decoder::name(key);
                if let Some(value) = self.decoder.scalar(&format!("environment.{}", name.value), value) {
                    variables.push((name, value));
                }
            }
            return variables;
        }
        for item in self.decoder.items("environment", node) {
            let Some(text) = self.decoder.required_string("environment", item) else { continue };
            let (name, value) = match text.value.split_once('=') {
                Some((name, value)) => (name, Scalar { text: value.to_owned(), kind: ScalarKind::Text }),
                None => (text.value.as_str(), Scalar { text: String::new(), kind: ScalarKind::Null }),
            };
            if name.is_empty() {
                self.decoder.invalid(&item.place, "a variable has no name", Some("write `NAME=value`"));
                continue;
            }
            let pair = (Located::new(name.to_owned(), item.place.clone()), Located::new(value, item.place.clone()));
            // In a list a later entry of the same name counts.
            match variables.iter_mut().find(|(earlier, _)| earlier.value == name) {
                Some(earlier) => *earlier = pair,
                None => variables.push(pair),
            }
        }
        variables
    }

    fn env_files(&mut self, node: &Node<'_>) -> Vec<Located<String>> {
        let items = match &node.kind {
            NodeKind::Sequence(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut files = Vec::new();
        for item in items {
            if let NodeKind::Mapping(entries) = &item.kind {
                for (key, value) in entries {
                    match key.text().unwrap_or_default() {
                        "path" => files.extend(self.decoder.required_string("path", value)),
                        "required" | "format" => self.decoder.findings.push(ignored("env_file.required", &key.place)),
                        _ => self.decoder.unknown_key(key, &["path", "required", "format"]),
                    }
                }
            } else {
                files.extend(self.decoder.string("env_file", item));
            }
        }
        files
    }

    fn command(&mut self, name: &str, node: &Node<'_>) -> Option<Command> {
        match &node.kind {
            NodeKind::Sequence(items) => {
                let words = items.iter().filter_map(|item| self.decoder.text(name, item)).collect();
                Some(Command::Words(words))
            }
            _ => self.decoder.string(name, node).map(Command::Text),
        }
    }

    /// Whether the labels make this an init container. The others say nothing to Kubernetes.
    fn labels(&mut self, key: &Node<'_>, node: &Node<'_>) -> bool {
        let pairs: Vec<(String, String)> = match &node.kind {
            NodeKind::Sequence(_) => {
                let labels = self.decoder.strings("labels", node);
                labels.into_iter().map(|label| split_label(&label.value)).collect()
            }
            _ => {
                let entries = self.decoder.entries("labels", node);
                entries
                    .iter()
                    .map(|(name, value)| {
                        let text = value.text().unwrap_or_default();
                        (name.text().unwrap_or_default().to_owned(), text.to_owned())
                    })
                    .collect()
            }
        };
        if pairs.iter().any(|(name, _)| name != "laconic.init-container") {
            self.decoder.findings.push(ignored("labels", &key.place));
        }
        pairs.iter().any(|(name, value)| {
            name == "laconic.init-container" && matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes")
        })
    }

    fn deploy(&mut self, service: &mut Service, node: &Node<'_>) {
        for (key, value) in self.decoder.entries("deploy", node) {
            let name = key.text().unwrap_or_default();
            if name == "resources" {
                for (_, block) in self.decoder.entries("deploy.resources", value) {
                    for (key, _) in self.decoder.entries("deploy.resources", block) {
                        let name = key.text().unwrap_or_default();
                        if matches!(name, "pids" | "devices" | "generic_resources") {
                            self.decoder.findings.push(ignored(&format!("deploy.resources.{name}"), &key.place));
                        }
                    }
                }
                let known = &["cpus", "memory", "storage", "pids", "devices", "generic_resources"];
                service.resources = resources::read_block(self.decoder, "deploy.resources", value, known);
            } else if service_keys::DEPLOY.contains(&name) {
                self.decoder.findings.push(ignored(&format!("deploy.{name}"), &key.place));
            } else if !name.starts_with("x-") {
                self.decoder.unknown_key(key, service_keys::DEPLOY);
            }
        }
    }
}

fn split_label(label: &str) -> (String, String) {
    match label.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (label.to_owned(), String::new()),
    }
}
