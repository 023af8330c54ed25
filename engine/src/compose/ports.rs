//! Ports of a service: short and long form, ranges.

use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::yaml::{Decoder, Node, NodeKind};

use super::interpolate::split_at_colons;

/// One published or exposed port, parsed from short or long form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The port in the container.
    pub container: u16,
    /// The port on the host, when one is given.
    pub host: Option<u16>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Where it is written.
    pub place: Place,
}

/// How many ports one range may stand for.
const MAX_RANGE: u16 = 1000;

const KEYS: &[&str] = &["target", "published", "protocol", "mode", "host_ip", "name", "app_protocol"];

/// Reads `ports:` of a service.
pub(super) fn read_ports(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Port> {
    let mut ports = Vec::new();
    for item in decoder.items("ports", node) {
        if let NodeKind::Mapping(_) = item.kind {
            ports.extend(long_form(decoder, item));
        } else if let Some(text) = decoder.required_string("ports", item) {
            match parse_port(&text.value, &item.place) {
                Ok((parsed, has_address)) => {
                    if has_address {
                        decoder.findings.push(host_address(&item.place));
                    }
                    ports.extend(parsed);
                }
                Err(problem) => {
                    let help = "write `PORT`, `HOST:PORT` or `HOST:PORT/udp`; ranges such as `3000-3005` are fine";
                    decoder.invalid(&item.place, format!("the port cannot be understood: {problem}"), Some(help));
                }
            }
        }
    }
    ports
}

/// Reads `expose:` of a service: ports of the container alone.
pub(super) fn read_exposed(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Port> {
    let mut ports = Vec::new();
    for item in decoder.strings("expose", node) {
        match parse_port(&item.value, &item.place) {
            Ok((parsed, _)) if parsed.iter().all(|port| port.host.is_none()) => ports.extend(parsed),
            _ => decoder.invalid(&item.place, "the port cannot be understood", Some("write `PORT` or `PORT/udp`")),
        }
    }
    ports
}

fn host_address(place: &Place) -> Finding {
    Finding::new(Code::ComposeFeatureIgnored, "the host address of a port has no effect on Kubernetes")
        .at(place)
        .help("remove the address; a NodePort listens on every address of the node")
}

/// Reads `[ADDRESS:][HOST:]CONTAINER[/PROTOCOL]`, ranges included, and says whether an address was given.
///
/// # Errors
/// What is wrong with it.
pub fn parse_port(text: &str, place: &Place) -> Result<(Vec<Port>, bool), &'static str> {
    let (numbers, protocol) = match text.rsplit_once('/') {
        Some((numbers, protocol)) => (numbers, protocol),
        None => (text, "tcp"),
    };
    let protocol = protocol.to_ascii_uppercase();
    if !matches!(protocol.as_str(), "TCP" | "UDP" | "SCTP") {
        return Err("the protocol must be tcp, udp or sctp");
    }
    let (address, host, container) = match *split_at_colons(numbers).as_slice() {
        [container] => (None, "", container),
        [host, container] => (None, host, container),
        [address, host, container] => (Some(address), host, container),
        [.., host, container] => {
            let address = numbers.get(..numbers.len() - host.len() - container.len() - 2).unwrap_or_default();
            if address.parse::<core::net::Ipv6Addr>().is_err() {
                return Err("there are too many colons");
            }
            (Some(address), host, container)
        }
        [] => return Err("there is no number"),
    };
    let (first, last) = range(container)?;
    let hosts = if host.is_empty() { None } else { Some(range(host)?) };
    if let Some((host_first, host_last)) = hosts {
        // A range of host ports for one container port means any of them; the first is as good.
        if first != last && host_last - host_first != last - first {
            return Err("the two ranges differ in length");
        }
    }
    let ports = (first..=last)
        .map(|container| Port {
            container,
            host: hosts.map(|(host_first, _)| host_first.saturating_add(container - first)),
            protocol: protocol.clone(),
            place: place.clone(),
        })
        .collect();
    Ok((ports, address.is_some_and(|address| !matches!(address, "" | "0.0.0.0" | "::" | "[::]"))))
}

fn range(text: &str) -> Result<(u16, u16), &'static str> {
    let number = |text: &str| match text.parse::<u16>() {
        Ok(number) if number > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        _ => Err("a port is a number from 1 to 65535"),
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if last < first {
        return Err("the range ends before it begins");
    }
    if last - first >= MAX_RANGE {
        return Err("the range has more than 1000 ports");
    }
    Ok((first, last))
}

fn long_form(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Port> {
    let (mut target, mut published, mut protocol) = (None, None, None);
    for (key, value) in decoder.entries("ports", node) {
        let name = key.text().unwrap_or_default();
        match name {
            "target" => target = decoder.string(name, value),
            "published" => published = decoder.string(name, value),
            "protocol" => protocol = decoder.string(name, value),
            "host_ip" if matches!(value.text(), Some("" | "0.0.0.0" | "::")) => {}
            "host_ip" => decoder.findings.push(host_address(&key.place)),
            "mode" | "name" | "app_protocol" => {}
            _ => decoder.unknown_key(key, KEYS),
        }
    }
    let Some(target) = target else {
        decoder.invalid(&node.place, "a port has no `target`", Some("add `target: PORT`, the port in the container"));
        return Vec::new();
    };
    let mut short = String::new();
    if let Some(published) = published.filter(|published| !published.value.is_empty()) {
        short.push_str(&published.value);
        short.push(':');
    }
    short.push_str(&target.value);
    if let Some(protocol) = protocol {
        short.push('/');
        short.push_str(&protocol.value);
    }
    match parse_port(&short, &target.place) {
        Ok((ports, _)) => ports,
        Err(problem) => {
            let help = "write `target: PORT`, with `published: PORT` and `protocol: udp` where they are wanted";
            decoder.invalid(&target.place, format!("the port cannot be understood: {problem}"), Some(help));
            Vec::new()
        }
    }
}
