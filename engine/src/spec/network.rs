//! `network:` of spec.yml.

use super::schema::{HTTP_PROXY_KEYS, NETWORK_KEYS, ROUTE_KEYS};
use super::{HttpProxy, Located, Route, Spec, read_spec::is_given};
use crate::place::Place;
use crate::yaml::{Decoder, Node};

/// Reads `network:`.
pub(super) fn read_network(decoder: &mut Decoder, spec: &mut Spec, node: &Node<'_>) {
    for (key, value) in decoder.entries("network", node) {
        match key.text().unwrap_or_default() {
            "ports" => {
                let mut ports = Vec::new();
                for (service, list) in decoder.entries("network.ports", value) {
                    let mut entries = Vec::new();
                    for item in decoder.items("network.ports", list) {
                        entries.extend(decoder.scalar("network.ports", item).filter(is_given));
                    }
                    ports.push((Decoder::name(service), entries));
                }
                spec.ports = Some(ports);
            }
            "http-proxy" => {
                for item in decoder.items("network.http-proxy", value) {
                    spec.http_proxy.extend(http_proxy(decoder, item));
                }
            }
            "acme-email" => {
                spec.acme_email = decoder.string("acme-email", value).filter(|email| !email.value.is_empty());
            }
            _ => decoder.unknown_key(key, NETWORK_KEYS),
        }
    }
}

fn http_proxy(decoder: &mut Decoder, node: &Node<'_>) -> Option<HttpProxy> {
    let mut host_name = None;
    let mut routes = Vec::new();
    for (key, value) in decoder.entries("network.http-proxy", node) {
        match key.text().unwrap_or_default() {
            "host-name" => host_name = decoder.string("host-name", value),
            "routes" => {
                for item in decoder.items("routes", value) {
                    routes.extend(route(decoder, item));
                }
            }
            _ => decoder.unknown_key(key, HTTP_PROXY_KEYS),
        }
    }
    if host_name.is_none() && node.get("host-name").is_none_or(Node::is_null) {
        decoder.invalid(&node.place, "an `http-proxy` entry has no `host-name`", Some("add `host-name: NAME`"));
    }
    Some(HttpProxy { host_name: host_name?, routes })
}

fn route(decoder: &mut Decoder, node: &Node<'_>) -> Option<Route> {
    let (mut path, mut target) = (None, None);
    for (key, value) in decoder.entries("routes", node) {
        match key.text().unwrap_or_default() {
            "path" => path = decoder.string("path", value),
            "proxy-to" => target = decoder.string("proxy-to", value),
            _ => decoder.unknown_key(key, ROUTE_KEYS),
        }
    }
    let Some(target) = target else {
        if node.get("proxy-to").is_none_or(Node::is_null) {
            decoder.invalid(&node.place, "a route has no `proxy-to`", Some("add `proxy-to: CONTAINER:PORT`"));
        }
        return None;
    };
    let path = path.unwrap_or_else(|| Located::new("/".to_owned(), node.place.clone()));
    let (container, port) = container_and_port(decoder, "proxy-to", &target)?;
    Some(Route { path, container, port })
}

/// `container:port`, each with its own place.
pub(super) fn container_and_port(
    decoder: &mut Decoder,
    key: &str,
    target: &Located<String>,
) -> Option<(Located<String>, Located<u16>)> {
    let parsed = target.value.split_once(':').and_then(|(container, port)| {
        let number = port.parse::<u16>().ok().filter(|&number| number > 0)?;
        (!container.is_empty()).then_some((container, port, number))
    });
    let Some((container, port, number)) = parsed else {
        let help = format!("write `{key}: CONTAINER:PORT` with a port from 1 to 65535");
        decoder.invalid(&target.place, format!("`{key}` must be a container and its port"), Some(&help));
        return None;
    };
    let characters = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let (place, container_length) = (&target.place, characters(container));
    // A quoted text is one column further right and two characters longer than what it stands for.
    let is_quoted = place.length == characters(&target.value).saturating_add(2);
    let column = place.column.saturating_add(u32::from(is_quoted));
    let container_place = Place::new(&place.file, place.line, column, container_length);
    let port_column = column.saturating_add(container_length).saturating_add(1);
    let port_place = Place::new(&place.file, place.line, port_column, characters(port));
    Some((Located::new(container.to_owned(), container_place), Located::new(number, port_place)))
}
