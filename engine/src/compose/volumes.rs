//! Volumes of a service and of a file.

use super::interpolate::split_at_colons;
use super::memory_mount::{MemoryMount, option_ignored};
use super::read::{ignored, ignored_because};
use crate::place::Place;
use crate::spec::{Dialect, Located, Scalar, ScalarKind};
use crate::yaml::{Decoder, Node, NodeKind};

const KEYS: &[&str] = &["type", "source", "target", "read_only", "bind", "volume", "tmpfs", "image", "consistency"];

/// One mount of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeMount {
    /// What is mounted.
    pub source: VolumeSource,
    /// The path in the container.
    pub target: String,
    /// The options after the second colon, as written (`ro`, `rw`, `ro,z`), in order.
    pub options: Vec<String>,
    /// The folder of a named volume that is mounted, when it is not the whole.
    pub sub_path: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// What a service mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// A named volume.
    Named(String),
    /// A path on the host: it starts with `/`, `.` or `~`.
    HostPath(String),
    /// An anonymous volume, or `tmpfs`.
    Anonymous,
}

/// Reads `volumes:` of a service: what is mounted, and what is kept in memory.
pub(super) fn read_mounts(
    decoder: &mut Decoder,
    node: &Node<'_>,
    dialect: Dialect,
) -> (Vec<VolumeMount>, Vec<MemoryMount>) {
    let (mut mounts, mut memory) = (Vec::new(), Vec::new());
    for item in decoder.items("volumes", node) {
        if let NodeKind::Mapping(_) = item.kind {
            match long_form(decoder, item, dialect) {
                Some(LongForm::Mount(mount)) => mounts.push(mount),
                Some(LongForm::Memory(mount)) => memory.push(mount),
                None => {}
            }
        } else if let Some(text) = decoder.required_string("volumes", item) {
            mounts.extend(short_form(decoder, &text));
        }
    }
    (mounts, memory)
}

fn short_form(decoder: &mut Decoder, text: &Located<String>) -> Option<VolumeMount> {
    let help = "write `NAME:/path/in/container`, `./path:/path/in/container`, each with `:ro` if it is only read";
    let (source, target, options) = match split_at_colons(&text.value).as_slice() {
        [target] => (VolumeSource::Anonymous, *target, ""),
        [source, target] => (source_of(source), *target, ""),
        [source, target, options] => (source_of(source), *target, *options),
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
        target: target.to_owned(),
        options: options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect(),
        sub_path: None,
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

/// What a long form is.
enum LongForm {
    Mount(VolumeMount),
    Memory(MemoryMount),
}

fn long_form(decoder: &mut Decoder, node: &Node<'_>, dialect: Dialect) -> Option<LongForm> {
    let (mut kind, mut source, mut target) = (None, None, None);
    let mut is_read_only = false;
    let (mut sub_path, mut size) = (None, None);
    for (key, value) in decoder.entries("volumes", node) {
        let name = key.text().unwrap_or_default();
        match name {
            "type" => kind = decoder.string(name, value),
            "source" => source = decoder.string(name, value).filter(|source| !source.value.is_empty()),
            "target" => target = decoder.string(name, value),
            "read_only" => is_read_only = decoder.truth(name, value).is_some_and(|flag| flag.value),
            "bind" | "volume" | "tmpfs" if dialect == Dialect::Compose => {
                options(decoder, name, value, &mut sub_path, &mut size);
            }
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
    if !target.value.starts_with('/') {
        let help = "write `target: /path/in/container`";
        decoder.invalid(&target.place, "the volume's path in the container must be absolute", Some(help));
        return None;
    }
    let source = match (kind.as_ref().map(|kind| kind.value.as_str()), source) {
        (Some("bind"), Some(source)) => VolumeSource::HostPath(source.value),
        (Some("bind"), None) => {
            decoder.invalid(&node.place, "a bind has no `source`", Some("add `source: ./path`"));
            return None;
        }
        (Some("volume") | None, Some(source)) => source_of(&source.value),
        (Some("tmpfs"), _) if dialect == Dialect::Compose => {
            return Some(LongForm::Memory(MemoryMount { target: target.value, size, place: node.place.clone() }));
        }
        (Some("volume" | "tmpfs") | None, _) => VolumeSource::Anonymous,
        (Some(_), _) => {
            let place = kind.map_or_else(|| node.place.clone(), |kind| kind.place);
            let help =
                "write `type: volume` for data, `type: bind` for files of the stack, `type: tmpfs` for scratch space";
            decoder.invalid(&place, "the volume's `type` must be `volume`, `bind` or `tmpfs`", Some(help));
            return None;
        }
    };
    if sub_path.is_some() && !matches!(source, VolumeSource::Named(_)) {
        decoder.invalid(&node.place, "only a named volume has a `subpath`", Some("add `source: NAME`"));
        return None;
    }
    let options = if is_read_only { vec!["ro".to_owned()] } else { Vec::new() };
    Some(LongForm::Mount(VolumeMount { source, target: target.value, options, sub_path, place: node.place.clone() }))
}

/// What a long form says of its own kind of volume.
fn options(
    decoder: &mut Decoder,
    kind: &str,
    node: &Node<'_>,
    sub_path: &mut Option<String>,
    size: &mut Option<Located<Scalar>>,
) {
    const KEYS: &[&str] =
        &["create_host_path", "propagation", "selinux", "recursive", "nocopy", "subpath", "labels", "size", "mode"];
    for (key, value) in decoder.entries("volumes", node) {
        let name = key.text().unwrap_or_default();
        match (kind, name) {
            // A ConfigMap is made in any case; a volume is never filled from the image.
            ("bind", "create_host_path") | ("volume", "nocopy") => {}
            ("volume", "subpath") => *sub_path = decoder.string(name, value).map(|path| path.value),
            ("tmpfs", "size") => {
                *size = decoder.scalar(name, value).filter(|size| size.value.kind != ScalarKind::Null);
            }
            ("tmpfs", "mode") => decoder.findings.push(option_ignored(name, &key.place)),
            ("bind", "propagation" | "selinux" | "recursive") | ("volume", "labels") => {
                let what = format!("volumes.{kind}.{name}");
                let why = "the volume that it becomes has no such setting";
                decoder.findings.push(ignored_because(&what, why, &key.place, "remove it"));
            }
            _ => decoder.unknown_key(key, KEYS),
        }
    }
}

/// Reads the top-level `volumes:`; only the names have a meaning.
pub(super) fn read_names(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Located<String>> {
    let mut names = Vec::new();
    for (key, value) in decoder.entries("volumes", node) {
        for (setting, value) in decoder.entries("volumes", value) {
            let name = setting.text().unwrap_or_default();
            if name.starts_with("x-") {
                continue;
            }
            match name {
                // What is so anyway.
                "driver" if value.text() == Some("local") => {}
                "external" if value.text() == Some("false") => {}
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
