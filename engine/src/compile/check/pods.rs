//! What compose files ask of whole pods, and of the order in which things start.

use super::super::dependency::dependencies;
use super::super::pod_settings::{deployment_restarts, job_restarts, pod_settings, replicas};
use super::super::security_context::{contradiction, ids};
use super::super::start_order::start_order;
use super::super::{amount, pod_label};
use super::Context;
use crate::code::Code;
use crate::compose::{ComposeFile, interpolate};
use crate::finding::Finding;

pub(super) fn check(context: &mut Context<'_>) {
    users(context);
    if context.is_laconic_so() {
        return;
    }
    let deployment = context.deployment;
    let mut dependencies = dependencies(deployment);
    context.findings.append(&mut dependencies.findings);
    for (_, file) in &deployment.pods {
        pod(context, file);
        context.findings.extend(deployment_restarts(&start_order(file)));
        context.findings.extend(replicas(file).1);
    }
    for (_, file) in &deployment.jobs {
        pod(context, file);
        context.findings.extend(job_restarts(file).3);
    }
}

fn pod(context: &mut Context<'_>, file: &ComposeFile) {
    context.findings.extend(pod_settings(file).findings);
    context.findings.extend(pod_label::judge(file));
    let security = &context.deployment.spec.security;
    let added: Vec<&str> = security.capabilities.iter().map(|capability| capability.value.as_str()).collect();
    for service in &file.services {
        context.findings.extend(contradiction(security.privileged, &added, service));
        for mount in &service.memory_mounts {
            let Some(size) = &mount.size else { continue };
            let dialect = context.deployment.identity.dialect;
            if amount::size(&size.value.text, amount::Notation::Compose, dialect).is_none() {
                let message = format!("`{}` is no size", size.value.text);
                let finding = Finding::new(Code::InvalidYaml, message).at(&size.place);
                context.push(finding.help("write a number with a unit, such as `64m` or `1g`"));
            }
        }
        mounted_twice(context, service);
        for (key, other) in service.joins.iter().filter(|(_, other)| file.service(&other.value).is_none()) {
            let message = format!("`{key}: service:{}` has no effect: only services of one file share it", other.value);
            let finding = Finding::new(Code::ComposeFeatureIgnored, message).at(&other.place);
            context.push(finding.help("put the two services into one compose file, which becomes one pod"));
        }
    }
}

/// A path of a container is mounted once.
fn mounted_twice(context: &mut Context<'_>, service: &crate::compose::Service) {
    let volumes = service.volumes.iter().map(|mount| (mount.target.as_str(), &mount.place));
    let memory = service.memory_mounts.iter().map(|mount| (mount.target.as_str(), &mount.place));
    let granted = service.secrets.iter().chain(&service.configs);
    let granted = granted.map(|grant| (grant.target.as_str(), &grant.source.place));
    let mut seen: std::collections::BTreeMap<&str, &crate::place::Place> = std::collections::BTreeMap::new();
    for (target, place) in volumes.chain(memory).chain(granted) {
        let target = target.trim_end_matches('/');
        if let Some(earlier) = seen.get(target) {
            let message = format!("`{}` mounts two things at `{target}`", service.name.value);
            context.findings.push(
                Finding::new(Code::InvalidYaml, message)
                    .at(place)
                    .label(earlier, "first mounted here")
                    .help("remove one of them, or give it another path"),
            );
        } else {
            seen.insert(target, place);
        }
    }
}

/// Users that only the image knows.
fn users(context: &mut Context<'_>) {
    let lookup = context.lookup();
    let mut found = Vec::new();
    for service in context.compose_files().flat_map(|compose| &compose.services) {
        let Some(user) = &service.user else { continue };
        let text = if context.is_laconic_so() { user.value.clone() } else { interpolate(&user.value, &lookup).0 };
        let (user_id, group_id) = ids(&text);
        let is_known = user_id.is_some() && (group_id.is_some() || !text.contains(':'));
        if !is_known && !text.is_empty() {
            let message = format!("`user: {text}` has no effect: only the image knows the number of that name");
            let finding = Finding::new(Code::ComposeFeatureIgnored, message).at(&user.place);
            found.push(finding.help("write the numbers, `user: \"1000:1000\"`, which `id NAME` in the image shows"));
        }
    }
    context.findings.extend(found);
}
