//! `external-services:` of spec.yml.

use std::collections::BTreeMap;

use super::schema::EXTERNAL_SERVICE_KEYS;
use super::{ExternalService, ExternalServiceKind};
use crate::yaml::{Decoder, Node};

/// Reads `external-services:`.
pub(super) fn read_external_services(decoder: &mut Decoder, node: &Node<'_>) -> Vec<ExternalService> {
    let mut services = Vec::new();
    for (name, value) in decoder.entries("external-services", node) {
        let (mut host, mut address, mut selector, mut namespace, mut port) = (None, None, None, None, None);
        for (key, value) in decoder.entries("external-services", value) {
            let word = key.text().unwrap_or_default();
            match word {
                "host" => host = decoder.string(word, value),
                "ip" => address = decoder.string(word, value),
                "namespace" => namespace = decoder.string(word, value),
                "port" => port = decoder.whole_number(word, value, 1, 65535),
                "selector" => {
                    let mut labels = BTreeMap::new();
                    for (label, value) in decoder.entries("selector", value) {
                        let value = decoder.text("selector", value).map(|value| value.value).unwrap_or_default();
                        labels.insert(label.text().unwrap_or_default().to_owned(), value);
                    }
                    selector = Some(labels);
                }
                _ => decoder.unknown_key(key, EXTERNAL_SERVICE_KEYS),
            }
        }
        let kind = match (host, address, selector, namespace) {
            (Some(host), None, None, _) => ExternalServiceKind::Host(host.value),
            (None, Some(address), None, _) => ExternalServiceKind::Ip(address.value),
            (None, None, Some(selector), Some(namespace)) => {
                ExternalServiceKind::Selector { selector, namespace: namespace.value }
            }
            _ => {
                decoder.invalid(
                    &name.place,
                    format!("external service `{}` must be reached in one way", name.text().unwrap_or_default()),
                    Some("give `host`, or `ip`, or `selector` with `namespace`"),
                );
                continue;
            }
        };
        let port = port.and_then(|port| u16::try_from(port.value).ok()).unwrap_or(443);
        services.push(ExternalService { name: Decoder::name(name), kind, port });
    }
    services
}
