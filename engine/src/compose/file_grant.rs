//! `secrets` and `configs`: files that services are given.

use super::read::ignored_because;
use crate::place::Place;
use crate::spec::{Located, ScalarKind};
use crate::yaml::{Decoder, Node, NodeKind};

/// Which of the two a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Of `secrets`: its content is never in a plan.
    Secret,
    /// Of `configs`.
    Config,
}

/// Where a file's content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// A file, relative to the compose file.
    File(Located<String>),
    /// A variable.
    Environment(Located<String>),
    /// The text itself.
    Content(Located<String>),
    /// An object of that name that is there already.
    External(Located<String>),
}

/// An entry of the top-level `secrets` or `configs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDefinition {
    /// Its name.
    pub name: Located<String>,
    /// Where its content comes from.
    pub source: FileSource,
}

/// A file that a service is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileGrant {
    /// The name of its definition.
    pub source: Located<String>,
    /// Where it is in the container, absolute.
    pub target: String,
    /// Its permissions.
    pub mode: Option<u32>,
}

impl FileKind {
    /// The key in compose files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Config => "configs",
        }
    }

    /// Where a file is in the container when it is named `name`.
    fn target(self, name: &str) -> String {
        match (self, name.starts_with('/')) {
            (_, true) => name.to_owned(),
            (Self::Secret, false) => format!("/run/secrets/{name}"),
            (Self::Config, false) => format!("/{name}"),
        }
    }
}

/// Reads the top-level `secrets` or `configs`.
pub(super) fn read_definitions(decoder: &mut Decoder, kind: FileKind, node: &Node<'_>) -> Vec<FileDefinition> {
    let mut definitions = Vec::new();
    for (name, value) in decoder.entries(kind.key(), node) {
        let name = Decoder::name(name);
        if let Some(source) = source(decoder, kind, &name, value) {
            definitions.push(FileDefinition { name, source });
        }
    }
    definitions
}

fn source(decoder: &mut Decoder, kind: FileKind, name: &Located<String>, node: &Node<'_>) -> Option<FileSource> {
    const KEYS: &[&str] =
        &["file", "environment", "content", "external", "name", "labels", "driver", "driver_opts", "template_driver"];
    let (mut source, mut external, mut object) = (None, None, None);
    for (key, value) in decoder.entries(kind.key(), node) {
        let word = key.text().unwrap_or_default();
        match word {
            "file" => source = decoder.required_string(word, value).map(FileSource::File),
            "environment" => source = decoder.required_string(word, value).map(FileSource::Environment),
            "content" if kind == FileKind::Config => {
                source = decoder.text(word, value).map(FileSource::Content);
            }
            "external" => external = external_of(decoder, value, &mut object),
            "name" => object = decoder.string(word, value),
            "labels" | "driver" | "driver_opts" | "template_driver" => {
                let help = "remove it; the object has the labels of its deployment";
                let what = format!("{}.{word}", kind.key());
                decoder.findings.push(ignored_because(&what, "Kubernetes has no such drivers", &key.place, help));
            }
            _ if word.starts_with("x-") => {}
            _ => decoder.unknown_key(key, KEYS),
        }
    }
    if external == Some(true) {
        return Some(FileSource::External(object.unwrap_or_else(|| name.clone())));
    }
    if source.is_none() {
        let help = match kind {
            FileKind::Secret => "write `file: PATH`, `environment: VARIABLE` or `external: true`",
            FileKind::Config => "write `file: PATH`, `content: TEXT`, `environment: VARIABLE` or `external: true`",
        };
        decoder.invalid(&name.place, format!("`{}` of `{}` has no content", name.value, kind.key()), Some(help));
    }
    source
}

/// `external: true`, or its older form with a name.
fn external_of(decoder: &mut Decoder, node: &Node<'_>, object: &mut Option<Located<String>>) -> Option<bool> {
    if let Some(name) = node.get("name") {
        *object = decoder.string("external.name", name);
        return Some(true);
    }
    decoder.truth("external", node).map(|flag| flag.value)
}

/// Reads `secrets` or `configs` of a service.
pub(super) fn read_grants(decoder: &mut Decoder, kind: FileKind, node: &Node<'_>) -> Vec<FileGrant> {
    let mut grants = Vec::new();
    for item in decoder.items(kind.key(), node) {
        if !matches!(item.kind, NodeKind::Mapping(_)) {
            if let Some(name) = decoder.required_string(kind.key(), item) {
                grants.push(FileGrant { target: kind.target(&name.value), source: name, mode: None });
            }
            continue;
        }
        let (mut source, mut target, mut mode) = (None, None, None);
        for (key, value) in decoder.entries(kind.key(), item) {
            let word = key.text().unwrap_or_default();
            match word {
                "source" => source = decoder.required_string(word, value),
                "target" => target = decoder.string(word, value),
                "mode" => mode = permissions(decoder, value),
                "uid" | "gid" => {
                    let help = "let the file be read by its group or by everybody: `mode: 0444`";
                    let what = format!("{}.{word}", kind.key());
                    let why = "files of a volume belong to root";
                    decoder.findings.push(ignored_because(&what, why, &key.place, help));
                }
                _ => decoder.unknown_key(key, &["source", "target", "mode", "uid", "gid"]),
            }
        }
        let Some(source) = source else {
            let help = format!("add `source: NAME`, a name of the top-level `{}`", kind.key());
            decoder.invalid(&item.place, format!("an entry of `{}` has no `source`", kind.key()), Some(&help));
            continue;
        };
        let target = kind.target(target.as_ref().map_or(&source.value, |target| &target.value));
        grants.push(FileGrant { source, target, mode });
    }
    grants
}

/// Permissions are octal when written with a zero first, or as text.
fn permissions(decoder: &mut Decoder, node: &Node<'_>) -> Option<u32> {
    let is_integer = node.scalar_kind() == Some(ScalarKind::Integer);
    let text = decoder.string("mode", node)?;
    let digits = text.value.strip_prefix("0o").unwrap_or(&text.value);
    let is_decimal = is_integer && !text.value.starts_with('0');
    let mode = if is_decimal { digits.parse().ok() } else { u32::from_str_radix(digits, 8).ok() };
    let mode = mode.filter(|mode| *mode <= 0o777);
    if mode.is_none() {
        decoder.invalid(&text.place, "`mode` is no set of permissions", Some("write it in octal, such as `0440`"));
    }
    mode
}

/// Says that a definition or grant could not be used because of its place alone.
pub(crate) fn undefined(kind: FileKind, grant: &FileGrant, known: &[&str]) -> (String, Place, String) {
    let message = format!("`{}` is not in the top-level `{}` of its compose file", grant.source.value, kind.key());
    let help = match crate::yaml::nearest(&grant.source.value, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add it there: `{}: {{file: ./PATH}}`", grant.source.value),
    };
    (message, grant.source.place.clone(), help)
}
