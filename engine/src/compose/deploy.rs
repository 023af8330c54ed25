//! `deploy` of a service.

use super::Service;
use super::read::ignored;
use super::restart_policy::read_restart_policy;
use super::service_keys::{DEPLOY_KEYS, Effect, find, names};
use crate::spec::{Dialect, resources};
use crate::yaml::{Decoder, Node};

/// Reads `deploy`.
pub(super) fn read_deploy(decoder: &mut Decoder, dialect: Dialect, service: &mut Service, node: &Node<'_>) {
    for (key, value) in decoder.entries("deploy", node) {
        let name = key.text().unwrap_or_default();
        let is_compose = dialect == Dialect::Compose;
        match (find(DEPLOY_KEYS, name).map(|key| key.effect), name) {
            (_, "resources") => read_resources(decoder, service, value),
            (_, "replicas") if is_compose => {
                service.replicas = decoder.whole_number("deploy.replicas", value, 0, 1_000_000);
            }
            (_, "restart_policy") if is_compose => service.restart = read_restart_policy(decoder, value),
            (_, "mode") if value.text() == Some("replicated") => {}
            (Some(Effect::Silent), _) => {}
            (Some(_), _) => decoder.findings.push(ignored(&format!("deploy.{name}"), &key.place)),
            (None, _) if name.starts_with("x-") => {}
            (None, _) => decoder.unknown_key(key, &names(DEPLOY_KEYS)),
        }
    }
}

fn read_resources(decoder: &mut Decoder, service: &mut Service, node: &Node<'_>) {
    for (_, block) in decoder.entries("deploy.resources", node) {
        for (key, _) in decoder.entries("deploy.resources", block) {
            let name = key.text().unwrap_or_default();
            if matches!(name, "pids" | "devices" | "generic_resources") {
                decoder.findings.push(ignored(&format!("deploy.resources.{name}"), &key.place));
            }
        }
    }
    let known = &["cpus", "memory", "storage", "pids", "devices", "generic_resources"];
    service.resources = resources::read_block(decoder, "deploy.resources", node, known);
}
