//! Images and variables of containers.

use super::Context;
use crate::code::Code;
use crate::compose::{Command, Service, interpolate, interpolate_whole, marked_names, secret_is_blank};
use crate::finding::Finding;
use crate::place::Place;

pub(super) fn check(context: &mut Context<'_>) {
    let lookup = context.lookup();
    for compose in context.compose_files() {
        for service in &compose.services {
            variables(context, service, &lookup);
            image(context, service, &lookup);
        }
    }
}

/// Variables that are not set. Ports and volumes were looked at when they were read.
fn variables(context: &mut Context<'_>, service: &Service, lookup: &dyn Fn(&str) -> Option<String>) {
    let marked = context.lookup_marked();
    let mut judge = |text: &str, place: &Place| {
        let (_, findings) =
            if context.is_laconic_so() { interpolate_whole(text, lookup) } else { interpolate(text, &marked) };
        context.findings.extend(findings.into_iter().map(|finding| finding.at(place)));
    };
    for (name, value) in &service.environment {
        // What `config:` sets wins over the compose file, whose value is then never used.
        if lookup(&name.value).is_none() {
            judge(&value.value.text, &value.place);
        }
    }
    if context.is_laconic_so() {
        // Nothing else is ever replaced there.
        return;
    }
    let files = service.env_files.iter().map(|file| &file.path);
    for text in service.image.iter().chain(&service.user).chain(&service.working_dir).chain(files) {
        let (value, findings) = interpolate(&text.value, &marked);
        context.findings.extend(findings.into_iter().map(|finding| finding.at(&text.place)));
        context.findings.extend(marked_names(&value).map(|name| secret_is_blank(name, &text.place)));
    }
    let mut judge = |text: &str, place: &Place| {
        context.findings.extend(interpolate(text, &marked).1.into_iter().map(|finding| finding.at(place)));
    };
    for command in service.command.iter().chain(&service.entrypoint) {
        match command {
            Command::Text(text) => judge(&text.value, &text.place),
            Command::Words(words) => words.iter().for_each(|word| judge(&word.value, &word.place)),
        }
    }
}

fn image(context: &mut Context<'_>, service: &Service, lookup: &dyn Fn(&str) -> Option<String>) {
    let overriding = context.deployment.spec.image_overrides.get(&service.name.value);
    let Some(image) = overriding.or(service.image.as_ref()) else { return };
    let reference = if context.is_laconic_so() { image.value.clone() } else { interpolate(&image.value, lookup).0 };
    if reference.is_empty() || reference.contains('$') || reference.contains('@') {
        return;
    }
    let last = reference.rsplit('/').next().unwrap_or_default();
    let problem = match last.split_once(':') {
        None => "has no tag, which means `latest`",
        Some((_, "latest")) => "has the moving tag `latest`",
        Some(_) => return,
    };
    context.push(
        Finding::new(
            Code::MovingTag,
            format!("image of `{}` {problem}: what runs may change without a change in git", service.name.value),
        )
        .at(&image.place)
        .help("name a version, or a digest: `image@sha256:…`"),
    );
}
