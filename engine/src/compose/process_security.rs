//! What the processes of a service may do: capabilities, groups, `security_opt`.

use super::read::ignored_because;
use crate::spec::Located;
use crate::yaml::{Decoder, Node};

/// Limits on and rights of a service's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessSecurity {
    /// `privileged`.
    pub privileged: Option<Located<bool>>,
    /// `read_only`.
    pub read_only: Option<Located<bool>>,
    /// `cap_add`, without the prefix `CAP_`.
    pub added: Vec<Located<String>>,
    /// `cap_drop`, without the prefix `CAP_`.
    pub dropped: Vec<Located<String>>,
    /// `group_add`: the numbers of groups.
    pub groups: Vec<Located<i64>>,
    /// `no-new-privileges` of `security_opt`.
    pub no_new_privileges: Option<Located<bool>>,
    /// `seccomp:unconfined` of `security_opt`.
    pub seccomp_unconfined: Option<Located<bool>>,
    /// `apparmor` of `security_opt`: a profile of the node, or `unconfined`.
    pub apparmor: Option<Located<String>>,
}

/// Reads `cap_add` or `cap_drop`.
pub(super) fn read_capabilities(decoder: &mut Decoder, key: &str, node: &Node<'_>) -> Vec<Located<String>> {
    let names = decoder.strings(key, node).into_iter();
    names
        .map(|name| {
            let upper = name.value.to_ascii_uppercase();
            Located::new(upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned(), name.place)
        })
        .collect()
}

/// Reads `group_add`. Names of groups are known to the image alone.
pub(super) fn read_groups(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Located<i64>> {
    let mut groups = Vec::new();
    for group in decoder.strings("group_add", node) {
        match group.value.parse::<u32>() {
            Ok(id) => groups.push(Located::new(i64::from(id), group.place)),
            Err(_) => {
                let why = format!("the number of the group `{}` is known to the image alone", group.value);
                let help = "write the group's number, which `getent group NAME` in the image shows";
                decoder.findings.push(ignored_because("group_add", &why, &group.place, help));
            }
        }
    }
    groups
}

/// Reads `security_opt`.
pub(super) fn read_security_options(decoder: &mut Decoder, node: &Node<'_>, security: &mut ProcessSecurity) {
    for option in decoder.strings("security_opt", node) {
        let (name, value) = option.value.split_once([':', '=']).unwrap_or((&option.value, ""));
        let place = &option.place;
        let help = match (name, value) {
            ("no-new-privileges", "" | "true") => {
                security.no_new_privileges = Some(Located::new(true, place.clone()));
                continue;
            }
            ("no-new-privileges", "false") => continue,
            ("seccomp", "unconfined") => {
                security.seccomp_unconfined = Some(Located::new(true, place.clone()));
                continue;
            }
            ("apparmor", profile) if !profile.is_empty() => {
                security.apparmor = Some(Located::new(profile.to_owned(), place.clone()));
                continue;
            }
            ("seccomp", _) => "a profile must lie on the node; only `seccomp:unconfined` has a meaning here",
            ("label", _) => "labels of SELinux are the node's affair; remove it",
            _ => "only `no-new-privileges`, `seccomp:unconfined` and `apparmor` have a meaning here",
        };
        let what = format!("security_opt: {name}");
        decoder.findings.push(ignored_because(&what, "no field of a container says it", place, help));
    }
}
