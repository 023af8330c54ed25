//! `hooks:` of the spec: names and files.

use super::Context;
use crate::code::Code;
use crate::compile::naming::is_dns_label;
use crate::finding::Finding;
use crate::source::{SourceEntry, SourceError};
use crate::spec::Hook;

/// The longest name of a hook; it ends the name of an object.
const MAX_NAME: usize = 30;

pub(super) fn check(context: &mut Context<'_>) {
    for hook in &context.deployment.spec.hooks {
        if !is_dns_label(&hook.name.value) || hook.name.value.len() > MAX_NAME {
            let message =
                format!("`{}` cannot be the name of a hook: it becomes part of an object's name", hook.name.value);
            let help = format!("use at most {MAX_NAME} lower-case letters, digits and hyphens, a letter first");
            context.push(Finding::new(Code::InvalidName, message).at(&hook.name.place).help(help));
        }
        files(context, hook);
    }
}

fn files(context: &mut Context<'_>, hook: &Hook) {
    let name = hook.name.value.as_str();
    let files = context.deployment.hook_files.get(name).map(Vec::as_slice).unwrap_or_default();
    let is_path = hook.executable.value.contains('/');
    let places = is_path.then_some(&hook.executable).into_iter().chain(&hook.inputs);
    for (index, (file, written)) in files.iter().zip(places).enumerate() {
        let is_known_twice = files.iter().take(index).any(|earlier| earlier.to == file.to);
        if is_known_twice {
            let message = format!("two inputs of the hook `{name}` have the same file name");
            let help = "they are copied into one folder: rename one of them";
            context.push(Finding::new(Code::InvalidYaml, message).at(&written.place).help(help));
            continue;
        }
        let trouble = match context.reader.entry(&file.from) {
            Ok(SourceEntry::File(_)) | Err(SourceError::NotConsulted) => continue,
            Ok(_) => "is no regular file".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("`{}` of the hook `{name}` {trouble}", file.from);
        let help = "write a path that is meant from the spec file; `laconic deploy create --update` copies it";
        context.push(Finding::new(Code::InvalidYaml, message).at(&written.place).help(help));
    }
}
