//! Names that Kubernetes refuses.

use super::Context;
use crate::code::Code;
use crate::compose::VolumeSource;
use crate::finding::Finding;
use crate::place::Place;

/// Whether a text is an RFC 1123 label: what namespaces, containers and volumes are named by.
pub(super) fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether a text is an RFC 1123 subdomain: labels with dots between.
pub(super) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

const LABEL_RULE: &str = "use at most 63 lower-case letters, digits and `-`, and begin and end with a letter or digit";

pub(super) fn check(context: &mut Context<'_>) {
    let spec = &context.deployment.spec;
    match &spec.namespace {
        Some(namespace) => label(context, "namespace", &namespace.value, &namespace.place),
        None => default_namespace(context),
    }
    if let Some(cluster) = &spec.kind_cluster_name
        && !is_subdomain(&cluster.value)
    {
        refuse(context, "kind cluster name", &cluster.value, &cluster.place, LABEL_RULE);
    }
    for proxy in &spec.http_proxy {
        let host = &proxy.host_name;
        if !is_subdomain(host.value.strip_prefix("*.").unwrap_or(&host.value)) {
            let rule = "write a host name such as `shop.example.com`: lower case, no scheme, port or path";
            refuse(context, "host name", &host.value, &host.place, rule);
        }
    }
    for service in &spec.external_services {
        let name = &service.name;
        if !is_label(&name.value) || name.value.starts_with(|first: char| first.is_ascii_digit()) {
            let rule = "use lower-case letters, digits and `-`, and begin with a letter";
            refuse(context, "service name", &name.value, &name.place, rule);
        }
    }
    for secret in &spec.secrets {
        if !is_subdomain(&secret.value) {
            refuse(context, "Secret name", &secret.value, &secret.place, LABEL_RULE);
        }
    }
    unknown(context);
    let stack = &context.deployment.stack;
    for (what, names) in [("pod name", &stack.pods), ("job name", &stack.jobs)] {
        // A single pod's name is in no object's name.
        if what == "job name" || names.len() > 1 {
            for name in names {
                label(context, what, &name.value, &name.place);
            }
        }
    }
    for compose in context.compose_files() {
        for service in &compose.services {
            label(context, "container name", &service.name.value, &service.name.place);
        }
        for volume in &compose.volumes {
            label(context, "volume name", &volume.value, &volume.place);
        }
    }
}

/// Names of the spec that should be those of containers or volumes, and are not: what stands there has no effect.
fn unknown(context: &mut Context<'_>) {
    let deployment = context.deployment;
    if deployment.pods.len() < deployment.stack.pods.len() || deployment.jobs.len() < deployment.stack.jobs.len() {
        // A compose file could not be read: its names are not known.
        return;
    }
    let spec = &deployment.spec;
    let containers: Vec<&str> =
        context.compose_files().flat_map(|compose| &compose.services).map(|it| it.name.value.as_str()).collect();
    let mut used: Vec<&str> =
        context.compose_files().flat_map(|compose| &compose.volumes).map(|it| it.value.as_str()).collect();
    for mount in context.compose_files().flat_map(|compose| &compose.services).flat_map(|service| &service.volumes) {
        if let VolumeSource::Named(name) = &mount.source {
            used.push(name);
        }
    }
    let mut volumes = used.clone();
    volumes.extend(spec.volumes.iter().map(|(name, _)| name.value.as_str()));
    for name in &spec.resources.container_names {
        unknown_name(context, "resources.containers", "container", &name.value, &name.place, &containers);
    }
    for (name, image) in &spec.image_overrides {
        unknown_name(context, "image-overrides", "container", name, &image.place, &containers);
    }
    for name in &spec.resources.volume_names {
        unknown_name(context, "resources.volumes", "volume", &name.value, &name.place, &volumes);
    }
    let configmaps = spec.configmaps.iter().map(|(name, _)| name.value.as_str());
    let declared: Vec<&str> = spec.volumes.iter().map(|(name, _)| name.value.as_str()).chain(configmaps).collect();
    let undeclared: Vec<&str> = used.iter().copied().filter(|name| !declared.contains(name)).collect();
    for (name, _) in &spec.volumes {
        if used.contains(&name.value.as_str()) {
            continue;
        }
        let finding = Finding::new(Code::UnknownKey, format!("volume `{}` is used by no pod", name.value));
        context.push(finding.at(&name.place).help(match crate::yaml::nearest(&name.value, &undeclared) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "remove it, or list it under `volumes:` of the compose file that mounts it".to_owned(),
        }));
    }
}

fn unknown_name(context: &mut Context<'_>, section: &str, what: &str, name: &str, place: &Place, known: &[&str]) {
    if known.contains(&name) {
        return;
    }
    let finding =
        Finding::new(Code::UnknownKey, format!("`{section}` names the {what} `{name}`, which does not exist"));
    context.push(finding.at(place).help(match crate::yaml::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "remove it, or correct the name".to_owned(),
    }));
}

fn default_namespace(context: &mut Context<'_>) {
    let stack = &context.deployment.stack.name;
    let name = if context.is_laconic_so() { stack.clone() } else { stack.replace('_', "-") };
    let namespace = format!("laconic-{name}");
    if !is_label(&namespace) {
        let place = context.deployment.spec.stack.as_ref().map(|stack| stack.place.clone());
        let finding = Finding::new(
            Code::InvalidName,
            format!("the stack's name makes the namespace `{namespace}`, which Kubernetes refuses"),
        )
        .at_maybe(place.as_ref())
        .help("set `namespace:` in the spec, or rename the stack's folder");
        context.push_new_rule(finding);
    }
}

fn label(context: &mut Context<'_>, what: &str, name: &str, place: &Place) {
    if is_label(name) {
        return;
    }
    let better = name.to_ascii_lowercase().replace(['_', '.', ' '], "-");
    if is_label(&better) {
        refuse(context, what, name, place, &format!("rename it, for example to `{better}`"));
    } else {
        refuse(context, what, name, place, LABEL_RULE);
    }
}

fn refuse(context: &mut Context<'_>, what: &str, name: &str, place: &Place, help: &str) {
    let finding =
        Finding::new(Code::InvalidName, format!("Kubernetes refuses the {what} `{name}`")).at(place).help(help);
    context.push_new_rule(finding);
}
