//! Names that a pod knows by itself: of its own services, and those of `extra_hosts`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::compose::{ComposeFile, Service, is_host_name};
use crate::place::Place;

/// The `hostAliases` of a pod, and where the first of `extra_hosts` is written.
pub(super) fn host_aliases<'f>(
    file: &'f ComposeFile,
    is_init: &dyn Fn(&Service) -> bool,
) -> (Vec<Value>, Option<&'f Place>) {
    let mut entries: Vec<(String, Vec<&str>)> = Vec::new();
    let mut add = |address: String, name: &'f str| match entries.iter_mut().find(|(known, _)| *known == address) {
        Some((_, names)) if names.contains(&name) => {}
        Some((_, names)) => names.push(name),
        None => entries.push((address, vec![name])),
    };
    // What the file says of a name counts before what is so anyway.
    let said: BTreeSet<&str> =
        file.services.iter().flat_map(|service| &service.extra_hosts).map(|host| host.name.as_str()).collect();
    for service in file.services.iter().filter(|service| !is_init(service)) {
        for name in names_of(file, service).filter(|name| !said.contains(name)) {
            add("127.0.0.1".to_owned(), name);
        }
    }
    let mut first = None;
    for host in file.services.iter().flat_map(|service| &service.extra_hosts) {
        first = first.or(Some(&host.place));
        add(host.address.to_string(), &host.name);
    }
    (entries.into_iter().map(|(address, names)| json!({"ip": address, "hostnames": names})).collect(), first)
}

/// The names under which the services of one file know one of them.
pub(super) fn names_of<'f>(file: &'f ComposeFile, service: &'f Service) -> impl Iterator<Item = &'f str> {
    let links = file.services.iter().flat_map(|other| &other.links);
    let links = links.filter(|link| link.service == service.name.value).map(|link| link.alias.value.as_str());
    let aliases = service.aliases.iter().map(|alias| alias.value.as_str());
    std::iter::once(service.name.value.as_str()).chain(aliases).chain(links).filter(|name| is_host_name(name))
}
