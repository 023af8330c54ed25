//! Host paths in compose files: they become ConfigMaps, and what a ConfigMap cannot hold is said here.

use std::collections::BTreeMap;

use super::super::input::Layout;
use super::Context;
use crate::code::{Code, Severity};
use crate::compose::{VolumeMount, VolumeSource};
use crate::finding::Finding;
use crate::place::Place;
use crate::source::{SourceEntry, SourceError, join_path};

/// The most bytes of a file, or of a folder's files together, that become one ConfigMap: 700 KiB.
pub const MAX_BIND_BYTES: u64 = 716_800;

/// The longest name of a volume or value of a label.
const MAX_NAME: usize = 63;

/// The name of the pod volume for a host path, which is also the end of its ConfigMap's name.
#[must_use]
pub fn host_path_volume_name(source: &str) -> String {
    let without_dots = source.trim_start_matches('.');
    // Dots are only stripped together with the slash after them: `.env` keeps its own.
    let rest = match without_dots.strip_prefix('/') {
        Some(rest) if without_dots.len() < source.len() => rest,
        _ => source,
    };
    let mut name = String::with_capacity(rest.len() + 10);
    for character in rest.chars() {
        match character {
            '/' | '.' | '-' if name.ends_with('-') || name.is_empty() => {}
            '/' | '.' | '-' => name.push('-'),
            other if other.is_ascii_alphanumeric() => name.push(other.to_ascii_lowercase()),
            _ => {}
        }
    }
    format!("host-path-{}", name.trim_end_matches('-'))
}

pub(super) fn check(context: &mut Context<'_>) {
    let mut by_name: BTreeMap<String, (String, Place)> = BTreeMap::new();
    let mut seen: Vec<String> = Vec::new();
    for compose in context.compose_files() {
        for mount in compose.services.iter().flat_map(|service| &service.volumes) {
            let VolumeSource::HostPath(source) = &mount.source else { continue };
            writable(context, source, mount);
            let path = join_path(&compose.folder, source);
            name(context, &mut by_name, source, &path, &mount.place);
            if !seen.contains(&path) {
                // A home directory is only known on the host.
                if !source.starts_with('~') {
                    content(context, source, &path, &mount.place);
                }
                seen.push(path);
            }
        }
    }
}

fn writable(context: &mut Context<'_>, source: &str, mount: &VolumeMount) {
    if !mount.options.iter().any(|option| option == "rw") {
        return;
    }
    context.push(
        Finding::new(
            Code::WritableBind,
            format!("host path `{source}` is mounted writable, but becomes a read-only ConfigMap"),
        )
        .at(&mount.place)
        .help(format!("for data, use a named volume: `NAME:{}`, with `volumes: NAME: PATH` in the spec", mount.target))
        .help("for files that are only read, write `:ro`"),
    );
}

fn name(
    context: &mut Context<'_>,
    by_name: &mut BTreeMap<String, (String, Place)>,
    source: &str,
    path: &str,
    place: &Place,
) {
    let name = host_path_volume_name(source);
    match by_name.get(&name) {
        Some((earlier, _)) if earlier == path => return,
        Some((_, earlier_place)) => {
            let finding = Finding::new(
                Code::BindNameCollision,
                format!("host path `{source}` gets the ConfigMap name `{name}`, which another host path has"),
            )
            .at(place)
            .label(earlier_place, "the other host path")
            .help("rename one of the two files; letters and digits count, `/`, `.` and `-` are alike");
            context.push_new_rule(finding);
            return;
        }
        None => {}
    }
    if name.len() > MAX_NAME {
        let finding = Finding::new(
            Code::BindNameCollision,
            format!("host path `{source}` gets the name `{name}` of {} characters; {MAX_NAME} are allowed", name.len()),
        )
        .at(place)
        .help("shorten the path, or move the file closer to the compose file");
        context.push_new_rule(finding);
    } else if name == "host-path-" {
        let finding =
            Finding::new(Code::BindNameCollision, format!("host path `{source}` has no letter or digit to name it by"))
                .at(place)
                .help("mount a file or folder with a name");
        context.push_new_rule(finding);
    }
    by_name.insert(name, (path.to_owned(), place.clone()));
}

fn content(context: &mut Context<'_>, source: &str, path: &str, place: &Place) {
    let too_large = |bytes: u64| {
        Finding::new(
            Code::BindTooLarge,
            format!("host path `{source}` has {bytes} bytes; a ConfigMap takes {MAX_BIND_BYTES}"),
        )
        .at(place)
        .help("put large data on a named volume, or into the image")
    };
    let finding = match context.reader.entry(path) {
        Ok(SourceEntry::File(bytes)) if bytes > MAX_BIND_BYTES => too_large(bytes),
        Ok(SourceEntry::File(_)) => return,
        Ok(SourceEntry::Directory(entries)) => {
            let bytes: u64 = entries.iter().map(|entry| entry.size).fold(0, u64::saturating_add);
            if let Some(folder) = entries.iter().find(|entry| entry.is_directory) {
                Finding::new(
                    Code::BindTooLarge,
                    format!("host path `{source}` has the subdirectory `{}`; a ConfigMap is flat", folder.name),
                )
                .at(place)
                .help("mount each folder on its own, or put the tree into the image")
            } else if bytes > MAX_BIND_BYTES {
                too_large(bytes)
            } else {
                return;
            }
        }
        Ok(SourceEntry::Other) => Finding::new(
            Code::BindMissing,
            format!("host path `{source}` is a socket or device, which no ConfigMap holds"),
        )
        .at(place)
        .help("remove the mount: the node's sockets and devices cannot be passed on this way"),
        Err(SourceError::Missing) => {
            // laconic-so stopped at it too, and an empty ConfigMap would replace the one that runs.
            context.push(
                Finding::new(Code::BindMissing, format!("host path `{source}` does not exist"))
                    .at(place)
                    .help(format!("add it at `{path}`, or remove the mount")),
            );
            return;
        }
        // Not looked at, or not readable: nothing is known, so nothing is judged.
        Err(_) => return,
    };
    if finding.code == Code::BindTooLarge && context.source.layout != Layout::Directory {
        // laconic-so refused it when it made or updated a directory, and never looked again.
        context.push(finding.as_severity(Severity::Error));
    } else {
        context.push_new_rule(finding);
    }
}
