//! `env_file` of a service.

use crate::spec::Located;
use crate::yaml::{Decoder, Node, NodeKind};

/// One file of variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// Its path, relative to the compose file, not interpolated.
    pub path: Located<String>,
    /// Whether it must be there.
    pub is_required: bool,
    /// Whether its lines are taken as they are, without quotes and variables.
    pub is_raw: bool,
}

/// Reads `env_file`: a path, or a list of paths and mappings.
pub(super) fn read_environment_files(decoder: &mut Decoder, node: &Node<'_>) -> Vec<EnvironmentFile> {
    let items = match &node.kind {
        NodeKind::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut files = Vec::new();
    for item in items {
        if !matches!(item.kind, NodeKind::Mapping(_)) {
            let path = decoder.string("env_file", item);
            files.extend(path.map(|path| EnvironmentFile { path, is_required: true, is_raw: false }));
            continue;
        }
        let (mut path, mut is_required, mut is_raw) = (None, true, false);
        for (key, value) in decoder.entries("env_file", item) {
            match key.text().unwrap_or_default() {
                "path" => path = decoder.required_string("path", value),
                "required" => is_required = decoder.truth("required", value).is_none_or(|flag| flag.value),
                "format" => is_raw = is_raw_format(decoder, value),
                _ => decoder.unknown_key(key, &["path", "required", "format"]),
            }
        }
        match path {
            Some(path) => files.push(EnvironmentFile { path, is_required, is_raw }),
            None => decoder.invalid(&item.place, "an entry of `env_file` has no `path`", Some("add `path: ./FILE`")),
        }
    }
    files
}

fn is_raw_format(decoder: &mut Decoder, node: &Node<'_>) -> bool {
    let format = decoder.string("format", node);
    match format.as_ref().map(|format| format.value.as_str()) {
        Some("raw") => true,
        Some("" | "dotenv") | None => false,
        Some(_) => {
            decoder.invalid(&node.place, "the `format` of an `env_file` must be `raw`, or absent", None);
            false
        }
    }
}
