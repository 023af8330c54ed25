//! What the processes of a container may do.

use serde_json::{Map, Value, json};

use super::lower::Context;
use crate::code::Code;
use crate::compose::Service;
use crate::finding::Finding;
use crate::place::Place;

/// Compiles the `securityContext` of a container, with the places of its members.
pub(super) fn security_context(context: &Context<'_>, service: &Service) -> (Value, Vec<(String, Place)>) {
    let spec = &context.checked.spec.security;
    let own = &service.security;
    let mut object = Map::new();
    let mut places = Vec::new();
    let mut set = |object: &mut Map<String, Value>, member: &str, value: Value, place: &Place| {
        object.insert(member.to_owned(), value);
        places.push((member.to_owned(), place.clone()));
    };
    object.insert("privileged".to_owned(), spec.privileged.into());
    if let Some(privileged) = own.privileged.as_ref().filter(|privileged| privileged.value) {
        set(&mut object, "privileged", true.into(), &privileged.place);
    }
    let mut added: Vec<&str> = spec.capabilities.iter().map(|capability| capability.value.as_str()).collect();
    for capability in &own.added {
        if !added.contains(&capability.value.as_str()) {
            added.push(&capability.value);
        }
    }
    let mut capabilities = Map::new();
    if !added.is_empty() {
        capabilities.insert("add".to_owned(), json!(added));
    }
    if !own.dropped.is_empty() {
        let dropped: Vec<&str> = own.dropped.iter().map(|capability| capability.value.as_str()).collect();
        capabilities.insert("drop".to_owned(), json!(dropped));
    }
    if !capabilities.is_empty() {
        match own.added.first().or(own.dropped.first()) {
            Some(first) => set(&mut object, "capabilities", capabilities.into(), &first.place),
            None => {
                object.insert("capabilities".to_owned(), capabilities.into());
            }
        }
    }
    if let Some(read_only) = own.read_only.as_ref().filter(|read_only| read_only.value) {
        set(&mut object, "readOnlyRootFilesystem", true.into(), &read_only.place);
    }
    if let Some(limit) =
        own.no_new_privileges.as_ref().filter(|_| !may_gain_privileges(spec.privileged, &added, service))
    {
        set(&mut object, "allowPrivilegeEscalation", false.into(), &limit.place);
    }
    if let Some(seccomp) = &own.seccomp_unconfined {
        set(&mut object, "seccompProfile", json!({"type": "Unconfined"}), &seccomp.place);
    }
    if let Some(apparmor) = &own.apparmor {
        let profile = match apparmor.value.as_str() {
            "unconfined" => json!({"type": "Unconfined"}),
            "docker-default" => json!({"type": "RuntimeDefault"}),
            name => json!({"type": "Localhost", "localhostProfile": name}),
        };
        set(&mut object, "appArmorProfile", profile, &apparmor.place);
    }
    if let Some(user) = &service.user {
        let (user, group) = ids(&context.variables.text(&user.value));
        object.extend(user.map(|user| ("runAsUser".to_owned(), user.into())));
        object.extend(group.map(|group| ("runAsGroup".to_owned(), group.into())));
    }
    (Value::Object(object), places)
}

/// Whether what a container may do makes `no-new-privileges` a contradiction, which API servers refuse.
fn may_gain_privileges(is_privileged: bool, added: &[&str], service: &Service) -> bool {
    is_privileged
        || service.security.privileged.as_ref().is_some_and(|privileged| privileged.value)
        || added.iter().any(|capability| matches!(*capability, "SYS_ADMIN" | "CAP_SYS_ADMIN"))
}

/// What there is to say of `no-new-privileges`.
pub(super) fn contradiction(is_privileged: bool, added: &[&str], service: &Service) -> Option<Finding> {
    let limit = service.security.no_new_privileges.as_ref()?;
    let mut all = added.to_vec();
    all.extend(service.security.added.iter().map(|capability| capability.value.as_str()));
    may_gain_privileges(is_privileged, &all, service).then(|| {
        Finding::new(
            Code::ComposeFeatureIgnored,
            "`no-new-privileges` has no effect: the container is privileged, or has SYS_ADMIN",
        )
        .at(&limit.place)
        .help("take the privileges away, or remove it")
    })
}

/// User and group, as far as they are numbers.
pub(super) fn ids(text: &str) -> (Option<i64>, Option<i64>) {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    (numeric_id(user), group.and_then(numeric_id))
}

/// Names other than `root` are known to the image alone.
fn numeric_id(text: &str) -> Option<i64> {
    if text == "root" { Some(0) } else { text.trim().parse().ok() }
}
