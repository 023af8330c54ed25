//! `extra_hosts`, `dns` and what belongs to it.

use core::net::IpAddr;

use super::read::ignored_because;
use crate::place::Place;
use crate::spec::Located;
use crate::yaml::{Decoder, Node, NodeKind};

/// One line of `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// Where it is written.
    pub place: Place,
}

/// `dns`, `dns_search` and `dns_opt`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsSettings {
    /// Name servers.
    pub servers: Vec<Located<IpAddr>>,
    /// Search domains.
    pub searches: Vec<Located<String>>,
    /// Options: a name, perhaps with a value.
    pub options: Vec<Located<(String, Option<String>)>>,
}

/// Reads `extra_hosts`: a list of `NAME=ADDRESS` or `NAME:ADDRESS`, or a mapping from names to addresses.
pub(super) fn read_extra_hosts(decoder: &mut Decoder, node: &Node<'_>) -> Vec<ExtraHost> {
    let mut hosts = Vec::new();
    if matches!(node.kind, NodeKind::Sequence(_)) {
        for item in decoder.strings("extra_hosts", node) {
            match item.value.split_once(['=', ':']) {
                Some((name, address)) => hosts.extend(extra_host(decoder, name, address, &item.place)),
                None => {
                    let help = "write `NAME=ADDRESS`";
                    decoder.invalid(&item.place, "an entry of `extra_hosts` has no address", Some(help));
                }
            }
        }
        return hosts;
    }
    for (name, value) in decoder.entries("extra_hosts", node) {
        let name = name.text().unwrap_or_default();
        if let NodeKind::Sequence(_) = value.kind {
            for address in decoder.strings("extra_hosts", value) {
                hosts.extend(extra_host(decoder, name, &address.value, &address.place));
            }
        } else if let Some(address) = decoder.required_string("extra_hosts", value) {
            hosts.extend(extra_host(decoder, name, &address.value, &address.place));
        }
    }
    hosts
}

fn extra_host(decoder: &mut Decoder, name: &str, address: &str, place: &Place) -> Option<ExtraHost> {
    let (name, address) = (name.trim(), address.trim());
    if address == "host-gateway" {
        let why = "the node is no fixed address of a pod";
        let help = "use `external-services:` of the spec with the `ip:` or `host:` that is meant";
        decoder.findings.push(ignored_because("extra_hosts: host-gateway", why, place, help));
        return None;
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let Ok(address) = bare.parse() else {
        decoder.invalid(place, format!("`extra_hosts` gives `{name}` no IP address"), Some("write `NAME=ADDRESS`"));
        return None;
    };
    if !is_host_name(name) {
        let why = format!("`{name}` is no name that Kubernetes lets a pod know");
        let help = "use lower-case letters, digits, `-` and dots";
        decoder.findings.push(ignored_because("extra_hosts", &why, place, help));
        return None;
    }
    Some(ExtraHost { name: name.to_owned(), address, place: place.clone() })
}

/// Whether a text is an RFC 1123 subdomain: what a line of `/etc/hosts` may name.
pub(crate) fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// One text or a list of texts.
pub(super) fn one_or_many(decoder: &mut Decoder, key: &str, node: &Node<'_>) -> Vec<Located<String>> {
    match &node.kind {
        NodeKind::Sequence(_) => decoder.strings(key, node),
        _ => decoder.string(key, node).into_iter().collect(),
    }
}

/// Reads `dns`.
pub(super) fn read_servers(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Located<IpAddr>> {
    let mut servers = Vec::new();
    for text in one_or_many(decoder, "dns", node) {
        match text.value.parse() {
            Ok(address) => servers.push(Located::new(address, text.place)),
            Err(_) => decoder.invalid(&text.place, "`dns` names no IP address", Some("write the server's address")),
        }
    }
    servers
}

/// Reads `dns_opt`.
pub(super) fn read_options(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Located<(String, Option<String>)>> {
    let options = one_or_many(decoder, "dns_opt", node).into_iter();
    options
        .map(|option| {
            let (name, value) = match option.value.split_once(':') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (option.value.clone(), None),
            };
            Located::new((name, value), option.place)
        })
        .collect()
}
