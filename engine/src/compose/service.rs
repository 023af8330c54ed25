//! One service of a compose file.

use std::borrow::Cow;

use super::depends_on::{read_depends_on, read_links};
use super::environment_file::read_environment_files;
use super::extra_host::{one_or_many, read_extra_hosts, read_options, read_servers};
use super::file_grant::{FileKind, read_grants};
use super::healthcheck::read_healthcheck;
use super::memory_mount::{read_shared_memory, read_tmpfs};
use super::process_security::{read_capabilities, read_groups, read_security_options};
use super::read::ignored;
use super::restart_policy::{read_platform, read_pull_policy, read_restart};
use super::service_keys::{Effect, SERVICE_KEYS, find, names};
use super::substitution::{substituted, without_secrets};
use super::{Command, Service, deploy, duration, labels, ports, volumes};
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::spec::{Dialect, Located, ResourceAmounts, Scalar, ScalarKind};
use crate::yaml::{Decoder, Node, NodeKind};

/// Keys whose values are kept as written; see [`super::model`].
const AS_WRITTEN: &[&str] = &["image", "environment", "command", "entrypoint", "user", "working_dir", "env_file"];

/// Reads services.
pub(super) struct ServiceReader<'d, 'l> {
    pub(super) decoder: &'d mut Decoder,
    pub(super) dialect: Dialect,
    pub(super) lookup: &'l dyn Fn(&str) -> Option<String>,
}

impl ServiceReader<'_, '_> {
    pub(super) fn read(&mut self, key: &Node<'_>, node: &Node<'_>) -> Service {
        let mut service = Service::named(Decoder::name(key));
        let what = format!("services.{}", service.name.value);
        let mut simple = ResourceAmounts::default();
        let mut reserved = ResourceAmounts::default();
        for (key, value) in self.decoder.entries(&what, node) {
            let name = key.text().unwrap_or_default();
            if !self.is_honoured(name, key, value) {
                continue;
            }
            match name {
                "mem_limit" => simple.memory = self.amount(name, value),
                "cpus" => simple.cpus = self.amount(name, value),
                "mem_reservation" => reserved.memory = self.amount(name, value),
                _ => self.read_key(&mut service, key, value),
            }
        }
        fill(&mut service.resources.limits, simple);
        fill(&mut service.resources.reservations, reserved);
        let is_readable = matches!(node.kind, NodeKind::Mapping(_)) || node.is_null();
        if service.image.is_none() && is_readable && node.get("image").is_none_or(Node::is_null) {
            let message = format!("service `{}` has no `image`", service.name.value);
            let help = "build the image, push it or load it on the cluster, and name it with `image:`";
            self.decoder.invalid(&service.name.place, message, Some(help));
        }
        service
    }

    /// Whether the dialect honours a key; what it does not is said.
    fn is_honoured(&mut self, name: &str, key: &Node<'_>, value: &Node<'_>) -> bool {
        match find(SERVICE_KEYS, name).map(|key| key.effect) {
            Some(Effect::Both) => true,
            Some(Effect::Compose) if self.dialect == Dialect::Compose => true,
            Some(Effect::Compose) => {
                // laconic-so read none of these, so a directory of that dialect keeps running without them.
                let message = format!("`{name}` has no effect in the `laconic-so` dialect");
                let help = "`laconic deploy create --update --dialect compose` gives it its compose meaning";
                let finding = Finding::new(Code::ComposeFeatureIgnored, message).at(&key.place).help(help);
                self.decoder.findings.push(finding);
                false
            }
            // What is switched off, or says nothing, has no effect anyway.
            Some(Effect::None) if is_nothing(value) => false,
            Some(Effect::None) => {
                self.decoder.findings.push(ignored(name, &key.place));
                false
            }
            Some(Effect::Silent) => false,
            // It was merged in before.
            None if name.starts_with("x-") => false,
            None => {
                self.decoder.unknown_key(key, &names(SERVICE_KEYS));
                false
            }
        }
    }

    /// A value with its variables replaced. In the laconic-so dialect that is so of ports and volumes alone.
    fn replaced<'n, 't>(&mut self, name: &str, node: &'n Node<'t>) -> Cow<'n, Node<'t>> {
        let is_replaced = match self.dialect {
            Dialect::Compose => !AS_WRITTEN.contains(&name),
            Dialect::LaconicSo => matches!(name, "ports" | "volumes"),
        };
        if !is_replaced {
            return Cow::Borrowed(node);
        }
        let node = substituted(node, self.lookup, &mut self.decoder.findings);
        if name == "healthcheck" { node } else { without_secrets(node, &mut self.decoder.findings) }
    }

    fn amount(&mut self, name: &str, node: &Node<'_>) -> Option<Located<Scalar>> {
        let node = self.replaced(name, node);
        self.decoder.scalar(name, &node).filter(|amount| amount.value.kind != ScalarKind::Null)
    }

    /// Whether a container shares a namespace with its node. With other services of the same file it does anyway; whether
    /// a named one is there is seen when all are read.
    fn namespace(
        &mut self,
        service: &mut Service,
        name: &'static str,
        key: &Node<'_>,
        node: &Node<'_>,
    ) -> Option<Place> {
        let mode = self.decoder.string(name, node)?;
        match (mode.value.as_str(), mode.value.strip_prefix("service:")) {
            ("host", _) => return Some(node.place.clone()),
            ("", _) => {}
            ("shareable" | "private", _) if name == "ipc" => {}
            (_, Some(other)) if name != "pid" && self.dialect == Dialect::Compose => {
                service.joins.push((name, Located::new(other.to_owned(), mode.place.clone())));
            }
            _ => self.decoder.findings.push(ignored(name, &key.place)),
        }
        None
    }

    fn read_key(&mut self, service: &mut Service, key: &Node<'_>, value: &Node<'_>) {
        let name = key.text().unwrap_or_default();
        let value = self.replaced(name, value);
        let value = value.as_ref();
        let decoder = &mut *self.decoder;
        match name {
            "image" => service.image = decoder.string(name, value),
            "environment" => service.environment = environment(decoder, value),
            "env_file" => service.env_files = read_environment_files(decoder, value),
            "ports" => service.ports = ports::read_ports(decoder, value),
            "expose" => service.exposed = ports::read_exposed(decoder, value),
            "volumes" => {
                let (mounts, memory) = volumes::read_mounts(decoder, value, self.dialect);
                service.volumes = mounts;
                service.memory_mounts.extend(memory);
            }
            "tmpfs" => service.memory_mounts.extend(read_tmpfs(decoder, value)),
            "shm_size" => service.memory_mounts.extend(read_shared_memory(decoder, value)),
            "command" => service.command = command(decoder, name, value),
            "entrypoint" => service.entrypoint = command(decoder, name, value),
            "user" => service.user = decoder.string(name, value),
            "working_dir" => service.working_dir = decoder.string(name, value),
            "labels" => labels::read_labels(decoder, self.dialect, service, key, value),
            "annotations" => service.annotations = labels::read_annotations(decoder, value),
            "deploy" => deploy::read_deploy(decoder, self.dialect, service, value),
            "healthcheck" => service.healthcheck = read_healthcheck(decoder, key, value),
            "depends_on" => {
                let dependencies = read_depends_on(decoder, value);
                service.depends_on.retain(|link| dependencies.iter().all(|it| it.service.value != link.service.value));
                service.depends_on.extend(dependencies);
            }
            "links" => {
                let (dependencies, links) = read_links(decoder, value);
                let known: Vec<String> = service.depends_on.iter().map(|it| it.service.value.clone()).collect();
                service.depends_on.extend(dependencies.into_iter().filter(|it| !known.contains(&it.service.value)));
                service.links = links;
            }
            "hostname" => service.hostname = decoder.string(name, value),
            "extra_hosts" => service.extra_hosts = read_extra_hosts(decoder, value),
            "dns" => service.dns.servers = read_servers(decoder, value),
            "dns_search" => service.dns.searches = one_or_many(decoder, name, value),
            "dns_opt" => service.dns.options = read_options(decoder, value),
            "sysctls" => service.sysctls = labels::read_pairs(decoder, name, value),
            "cap_add" => service.security.added = read_capabilities(decoder, name, value),
            "cap_drop" => service.security.dropped = read_capabilities(decoder, name, value),
            "privileged" => service.security.privileged = decoder.truth(name, value),
            "read_only" => service.security.read_only = decoder.truth(name, value),
            "group_add" => service.security.groups = read_groups(decoder, value),
            "security_opt" => read_security_options(decoder, value, &mut service.security),
            "stop_grace_period" => service.stop_grace_period = duration::read_seconds(decoder, name, value),
            "restart" => service.restart = read_restart(decoder, value),
            "scale" => service.replicas = decoder.whole_number(name, value, 0, 1_000_000),
            "pull_policy" => service.pull_policy = read_pull_policy(decoder, value),
            "platform" => service.platform = read_platform(decoder, value),
            "stdin_open" => service.has_stdin = decoder.truth(name, value).is_some_and(|flag| flag.value),
            "tty" => service.has_terminal = decoder.truth(name, value).is_some_and(|flag| flag.value),
            "profiles" => service.profiles = decoder.strings(name, value),
            "secrets" => service.secrets = read_grants(decoder, FileKind::Secret, value),
            "configs" => service.configs = read_grants(decoder, FileKind::Config, value),
            "networks" => service.aliases = aliases(decoder, key, value),
            "network_mode" => service.host_network = self.namespace(service, "network_mode", key, value),
            "pid" => service.host_processes = self.namespace(service, "pid", key, value),
            "ipc" => service.host_ipc = self.namespace(service, "ipc", key, value),
            // Merged in before anything was read.
            "extends" => {}
            _ => decoder.unknown_key(key, &names(SERVICE_KEYS)),
        }
    }
}

fn is_nothing(node: &Node<'_>) -> bool {
    match &node.kind {
        NodeKind::Scalar { text, .. } => node.is_null() || text == "false",
        NodeKind::Sequence(items) => items.is_empty(),
        NodeKind::Mapping(entries) => entries.is_empty(),
    }
}

/// `deploy.resources` counts before the older keys.
fn fill(amounts: &mut Option<ResourceAmounts>, older: ResourceAmounts) {
    if older == ResourceAmounts::default() {
        return;
    }
    let amounts = amounts.get_or_insert_default();
    amounts.cpus = amounts.cpus.take().or(older.cpus);
    amounts.memory = amounts.memory.take().or(older.memory);
}

fn environment(decoder: &mut Decoder, node: &Node<'_>) -> Vec<(Located<String>, Located<Scalar>)> {
    let mut variables: Vec<(Located<String>, Located<Scalar>)> = Vec::new();
    if !matches!(node.kind, NodeKind::Sequence(_)) {
        for (key, value) in decoder.entries("environment", node) {
            let name = Decoder::name(key);
            if let Some(value) = decoder.scalar(&format!("environment.{}", name.value), value) {
                variables.push((name, value));
            }
        }
        return variables;
    }
    for item in decoder.items("environment", node) {
        let Some(text) = decoder.required_string("environment", item) else { continue };
        let (name, value) = match text.value.split_once('=') {
            Some((name, value)) => (name, Scalar { text: value.to_owned(), kind: ScalarKind::Text }),
            None => (text.value.as_str(), Scalar { text: String::new(), kind: ScalarKind::Null }),
        };
        if name.is_empty() {
            decoder.invalid(&item.place, "a variable has no name", Some("write `NAME=value`"));
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

fn command(decoder: &mut Decoder, name: &str, node: &Node<'_>) -> Option<Command> {
    match &node.kind {
        NodeKind::Sequence(items) => {
            let words = items.iter().filter_map(|item| decoder.text(name, item)).collect();
            Some(Command::Words(words))
        }
        _ => decoder.string(name, node).map(Command::Text),
    }
}

/// The further names that a service has on its networks. The networks themselves say nothing.
fn aliases(decoder: &mut Decoder, key: &Node<'_>, node: &Node<'_>) -> Vec<Located<String>> {
    let mut aliases: Vec<Located<String>> = Vec::new();
    let mut says_more = !matches!(&node.kind, NodeKind::Mapping(_));
    if let NodeKind::Mapping(networks) = &node.kind {
        for (name, network) in networks {
            says_more |= name.text() != Some("default");
            for (key, value) in decoder.entries("networks", network) {
                if key.text() == Some("aliases") {
                    for alias in decoder.strings("aliases", value) {
                        if aliases.iter().all(|known| known.value != alias.value) {
                            aliases.push(alias);
                        }
                    }
                } else {
                    says_more = true;
                }
            }
        }
    }
    if says_more && !node.is_null() {
        let advice = "remove it: all containers of a deployment reach each other; `aliases` are honoured";
        let finding = Finding::new(Code::ComposeFeatureIgnored, "`networks` has no effect on Kubernetes");
        decoder.findings.push(finding.at(&key.place).help(advice));
    }
    aliases
}
