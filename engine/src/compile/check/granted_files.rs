//! `secrets`, `configs` and `env_file` of compose files: whether they are defined, and whether their files are there.

use std::collections::BTreeMap;

use super::super::granted_file::{definitions, grants, object_suffix};
use super::Context;
use super::binds::MAX_BIND_BYTES;
use super::names::is_subdomain;
use crate::code::Code;
use crate::compose::{FileDefinition, FileKind, FileSource, interpolate, undefined};
use crate::finding::Finding;
use crate::place::Place;
use crate::source::{SourceEntry, SourceError, join_path};

pub(super) fn check(context: &mut Context<'_>) {
    if context.is_laconic_so() {
        return;
    }
    for kind in [FileKind::Secret, FileKind::Config] {
        let mut by_name: BTreeMap<String, &FileDefinition> = BTreeMap::new();
        for (definition, compose, _) in definitions(context.deployment, kind) {
            let mut given = compose.services.iter().flat_map(|service| grants(service, kind));
            // What nobody is given is nowhere, as in compose.
            if given.any(|grant| grant.source.value == definition.name.value) {
                named(context, kind, definition, &mut by_name);
                source(context, kind, definition);
            }
        }
        given(context, kind);
    }
    environment_files(context);
}

/// Names become those of objects and of files in them.
fn named<'a>(
    context: &mut Context<'_>,
    kind: FileKind,
    definition: &'a FileDefinition,
    by_name: &mut BTreeMap<String, &'a FileDefinition>,
) {
    let name = &definition.name;
    let suffix = object_suffix(kind, &name.value);
    let is_key = name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !is_subdomain(&suffix) || !is_key {
        let message = format!("Kubernetes refuses the name `{}` of `{}`", name.value, kind.key());
        let finding = Finding::new(Code::InvalidName, message).at(&name.place);
        context.push(finding.help("use letters, digits, `-` and `_`, and begin and end with a letter or digit"));
        return;
    }
    match by_name.get(&suffix) {
        // Files of one stack may say the same of one name.
        Some(other) if other.name.value == name.value && is_same(&other.source, &definition.source) => {}
        Some(other) => {
            let message = format!("`{}` of `{}` would be the same object as another one", name.value, kind.key());
            let finding = Finding::new(Code::InvalidName, message).at(&name.place);
            context.push(finding.label(&other.name.place, "the other one").help("give one of them another name"));
        }
        None => {
            by_name.insert(suffix, definition);
        }
    }
}

fn is_same(left: &FileSource, right: &FileSource) -> bool {
    match (left, right) {
        (FileSource::File(left), FileSource::File(right))
        | (FileSource::Environment(left), FileSource::Environment(right))
        | (FileSource::Content(left), FileSource::Content(right))
        | (FileSource::External(left), FileSource::External(right)) => left.value == right.value,
        _ => false,
    }
}

fn source(context: &mut Context<'_>, kind: FileKind, definition: &FileDefinition) {
    match (&definition.source, kind) {
        // What is outside of the stack is only known where it is applied.
        (FileSource::File(path), FileKind::Secret) if path.value.starts_with(['/', '~']) => {}
        (FileSource::File(path), _) => file(context, kind.key(), &path.value, &path.place),
        (FileSource::Environment(name), FileKind::Config) => {
            let variable = context.deployment.config.iter().find(|variable| variable.name == name.value);
            let is_generated = context.deployment.generated.iter().any(|(known, _, _)| *known == name.value);
            let problem = match variable {
                Some(variable) if !variable.is_secret => return,
                None if !is_generated => "is not set",
                _ => "is secret",
            };
            let message = format!("the variable `{}` of `configs` {problem}: the file would be empty", name.value);
            let finding = Finding::new(Code::UnsetVariable, message).at(&name.place);
            context.push(finding.help("set it in `config:` of the spec; what is secret belongs under `secrets`"));
        }
        _ => {}
    }
}

/// A file that must be there.
fn file(context: &mut Context<'_>, what: &str, written: &str, place: &Place) {
    let path = join_path(&context.deployment.compose_directory, written);
    let (code, problem) = match context.reader.entry(&path) {
        Ok(SourceEntry::File(bytes)) if bytes > MAX_BIND_BYTES => {
            (Code::BindTooLarge, format!("has {bytes} bytes, more than {MAX_BIND_BYTES}"))
        }
        Ok(SourceEntry::File(_)) => return,
        Ok(_) | Err(SourceError::NotAFile | SourceError::NotADirectory) => (Code::BindMissing, "is no file".to_owned()),
        Err(SourceError::Missing) => (Code::BindMissing, "does not exist".to_owned()),
        // Not looked at, or not readable: nothing is known, so nothing is judged.
        Err(_) => return,
    };
    let finding = Finding::new(code, format!("the file `{written}` of `{what}` {problem}")).at(place);
    context
        .push(finding.help(format!("put it at `{path}`, or correct the path, which is meant from the compose file")));
}

fn given(context: &mut Context<'_>, kind: FileKind) {
    for compose in context.compose_files() {
        let list = match kind {
            FileKind::Secret => &compose.secrets,
            FileKind::Config => &compose.configs,
        };
        let known: Vec<&str> = list.iter().map(|definition| definition.name.value.as_str()).collect();
        for grant in compose.services.iter().flat_map(|service| grants(service, kind)) {
            if !known.contains(&grant.source.value.as_str()) {
                let (message, place, help) = undefined(kind, grant, &known);
                context.push(Finding::new(Code::InvalidYaml, message).at(&place).help(help));
            }
        }
    }
}

fn environment_files(context: &mut Context<'_>) {
    let lookup = context.lookup();
    for compose in context.compose_files() {
        for written in compose.services.iter().flat_map(|service| &service.env_files).filter(|file| file.is_required) {
            let path = interpolate(&written.path.value, &lookup).0;
            file(context, "env_file", &path, &written.path.place);
        }
    }
}
