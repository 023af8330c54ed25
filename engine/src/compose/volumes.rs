//! Volumes of a service and of a file.

use super::interpolate::{interpolate, split_at_colons};
use super::read::ignored;
use super::{VolumeMount, VolumeSource};
use crate::spec::Located;
use crate::yaml::{Decoder, Node, NodeKind};

const KEYS: &[&str] = &["type", "source", "target", "read_only", "bind", "volume", "tmpfs", "image", "consistency"];

/// Reads `volumes:` of a service. Variables are replaced first: only then is it known what a source is.
pub(super) fn read_mounts(
    decoder: &mut Decoder,
    node: &Node<'_>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Vec<VolumeMount> {
    let mut mounts = Vec::new();
    for item in decoder.items("volumes", node) {
        if let NodeKind::Mapping(_) = item.kind {
            mounts.extend(long_form(decoder, item, lookup));
        } else if let Some(text) = decoder.required_string("volumes", item) {
            mounts.extend(short_form(decoder, &text, lookup));
        }
    }
    mounts
}

fn short_form(
    decoder: &mut Decoder,
    text: &Located<String>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<VolumeMount> {
    // Split first: the value of a variable must not be split.
    let mut parts: Vec<String> = Vec::new();
    for part in split_at_colons(&text.value) {
        let (part, findings) = interpolate(part, lookup);
        decoder.findings.extend(findings.into_iter().map(|finding| finding.at(&text.place)));
        parts.push(part);
    }
    let help = "write `NAME:/path/in/container`, `./path:/path/in/container`, each with `:ro` if it is only read";
    let (source, target, options) = match parts.as_slice() {
        [target] => (VolumeSource::Anonymous, target, ""),
        [source, target] => (source_of(source), target, ""),
        [source, target, options] => (source_of(source), target, options.as_str()),
        _ => {
            decoder.invalid(&text.place, "the volume has too many colons", Some(help));
            return None;
        }
    };
    if !target.starts_with('/') {
        decoder.invalid(&text.place, "the volume's path in the container must be absolute", Some(help));
        return None;
    }
    Some(VolumeMount {
        source,
        target: target.clone(),
        options: options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect(),
        place: text.place.clone(),
    })
}

fn source_of(text: &str) -> VolumeSource {
    if text.is_empty() {
        VolumeSource::Anonymous
    } else if text.starts_with(['/', '.', '~']) {
        VolumeSource::HostPath(text.to_owned())
    } else {
        VolumeSource::Named(text.to_owned())
    }
}

fn long_form(decoder: &mut Decoder, node: &Node<'_>, lookup: &dyn Fn(&str) -> Option<String>) -> Option<VolumeMount> {
    let (mut kind, mut source, mut target) = (None, None, None);
    let mut is_read_only = false;
    for (key, value) in decoder.entries("volumes", node) {
        let name = key.text().unwrap_or_default();
        match name {
            "type" => kind = decoder.string(name, value),
            "source" => source = decoder.string(name, value),
            "target" => target = decoder.string(name, value),
            "read_only" => is_read_only = decoder.truth(name, value).is_some_and(|flag| flag.value),
            "bind" | "volume" | "tmpfs" | "image" | "consistency" => {
                decoder.findings.push(ignored(&format!("volumes.{name}"), &key.place));
            }
            _ => decoder.unknown_key(key, KEYS),
        }
    }
    let Some(target) = target else {
        let help = "add `target: /path/in/container`";
        decoder.invalid(&node.place, "a volume has no `target`", Some(help));
        return None;
    };
    let mut replaced = |text: &Located<String>| {
        let (value, findings) = interpolate(&text.value, lookup);
        decoder.findings.extend(findings.into_iter().map(|finding| finding.at(&text.place)));
        value
    };
    let source = source.as_ref().map(&mut replaced).filter(|source| !source.is_empty());
    let target = Located::new(replaced(&target), target.place);
    let source = match (kind.as_ref().map(|kind| kind.value.as_str()), source) {
        (Some("bind"), Some(source)) => VolumeSource::HostPath(source),
        (Some("bind"), None) => {
            decoder.invalid(&node.place, "a bind has no `source`", Some("add `source: ./path`"));
            return None;
        }
        (Some("volume") | None, Some(source)) => source_of(&source),
        (Some("volume" | "tmpfs") | None, _) => VolumeSource::Anonymous,
        (Some(_), _) => {
            let place = kind.map_or_else(|| node.place.clone(), |kind| kind.place);
            decoder.invalid(&place, "the volume's `type` must be `volume`, `bind` or `tmpfs`", None);
            return None;
        }
    };
    if !target.value.starts_with('/') {
        decoder.invalid(&target.place, "the volume's path in the container must be absolute", None);
        return None;
    }
    let options = if is_read_only { vec!["ro".to_owned()] } else { Vec::new() };
    Some(VolumeMount { source, target: target.value, options, place: node.place.clone() })
}

/// Reads the top-level `volumes:`; only the names have a meaning.
pub(super) fn read_names(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Located<String>> {
    let mut names = Vec::new();
    for (key, value) in decoder.entries("volumes", node) {
        for (setting, _) in decoder.entries("volumes", value) {
            let name = setting.text().unwrap_or_default();
            if name.starts_with("x-") {
                continue;
            }
            match name {
                "driver" | "driver_opts" | "external" | "labels" | "name" => {
                    decoder.findings.push(ignored(&format!("volumes.{name}"), &setting.place));
                }
                _ => decoder.unknown_key(setting, &["driver", "driver_opts", "external", "labels", "name"]),
            }
        }
        names.push(Decoder::name(key));
    }
    names
}
