//! Names that a pod knows by itself: of its own services, and those of `extra_hosts`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::compose::{ComposeFile, Service, is_host_name};
use crate::place::Place;

/// The `hostAliases` of a pod, and where those of `extra_hosts` are written, below the pod.
pub(super) fn host_aliases(
    file: &ComposeFile,
    is_init: &dyn Fn(&Service) -> bool,
) -> (Vec<Value>, Vec<(String, Place)>) {
    let mut entries: Vec<(String, Vec<&str>)> = Vec::new();
    // What the file says of a name counts before what is so anyway.
    let said: BTreeSet<&str> =
        file.services.iter().flat_map(|service| &service.extra_hosts).map(|host| host.name.as_str()).collect();
    for service in file.services.iter().filter(|service| !is_init(service)) {
        for name in names_of(file, service).filter(|name| !said.contains(name)) {
            add(&mut entries, "127.0.0.1".to_owned(), name);
        }
    }
    let mut places: Vec<(String, Place)> = Vec::new();
    for host in file.services.iter().flat_map(|service| &service.extra_hosts) {
        let address = host.address.to_string();
        let alias = format!("hostAliases[{address}]");
        if let Some((position, is_new)) = add(&mut entries, address, &host.name) {
            if is_new {
                places.push((format!("{alias}.ip"), host.place.clone()));
            }
            places.push((format!("{alias}.hostnames[{position}]"), host.place.clone()));
        }
    }
    (entries.into_iter().map(|(address, names)| json!({"ip": address, "hostnames": names})).collect(), places)
}

/// Adds a name to an address. Says where it stands among the names, and whether the address is new; nothing when both were
/// there.
fn add<'f>(entries: &mut Vec<(String, Vec<&'f str>)>, address: String, name: &'f str) -> Option<(usize, bool)> {
    match entries.iter_mut().find(|(known, _)| *known == address) {
        Some((_, names)) if names.contains(&name) => None,
        Some((_, names)) => {
            names.push(name);
            Some((names.len() - 1, false))
        }
        None => {
            entries.push((address, vec![name]));
            Some((0, true))
        }
    }
}

/// The names under which the services of one file know one of them.
pub(super) fn names_of<'f>(file: &'f ComposeFile, service: &'f Service) -> impl Iterator<Item = &'f str> {
    let links = file.services.iter().flat_map(|other| &other.links);
    let links = links.filter(|link| link.service == service.name.value).map(|link| link.alias.value.as_str());
    let aliases = service.aliases.iter().map(|alias| alias.value.as_str());
    std::iter::once(service.name.value.as_str()).chain(aliases).chain(links).filter(|name| is_host_name(name))
}
