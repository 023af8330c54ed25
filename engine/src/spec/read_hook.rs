//! `hooks:` of spec.yml.

use super::schema::{HOOK_KEYS, PHASES};
use super::{Hook, HookPhase, Located};
use crate::yaml::{Decoder, Node};

/// Reads `hooks:`.
pub(super) fn read_hooks(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Hook> {
    let mut hooks = Vec::new();
    for (name, value) in decoder.entries("hooks", node) {
        hooks.extend(hook(decoder, Decoder::name(name), value));
    }
    hooks
}

fn hook(decoder: &mut Decoder, name: Located<String>, node: &Node<'_>) -> Option<Hook> {
    let (mut executable, mut arguments, mut phase, mut inputs) = (None, Vec::new(), HookPhase::default(), Vec::new());
    for (key, value) in decoder.entries(&format!("hooks.{}", name.value), node) {
        let word = key.text().unwrap_or_default();
        match word {
            "executable" => executable = decoder.string(word, value).filter(|path| !path.value.is_empty()),
            "arguments" => {
                for item in decoder.items("arguments", value) {
                    arguments.extend(decoder.text("arguments", item));
                }
            }
            "phase" => match decoder.string(word, value) {
                Some(written) if written.value == HookPhase::BeforeWorkloads.word() => {
                    phase = HookPhase::BeforeWorkloads;
                }
                Some(written) if written.value == HookPhase::AfterWorkloads.word() => phase = HookPhase::AfterWorkloads,
                Some(written) => {
                    let near =
                        crate::yaml::nearest(&written.value, PHASES).map(|near| format!("did you mean `{near}`?"));
                    let message = "`phase` must be `before-workloads` or `after-workloads`";
                    decoder.invalid(&written.place, message, near.as_deref());
                }
                None => {}
            },
            "inputs" => inputs = decoder.strings(word, value),
            _ => decoder.unknown_key(key, HOOK_KEYS),
        }
    }
    if executable.is_none() {
        let message = format!("the hook `{}` has no `executable`", name.value);
        decoder.invalid(&name.place, message, Some("add `executable: ./hooks/NAME.sh`, or a program in PATH"));
    }
    Some(Hook { name, executable: executable?, arguments, phase, inputs })
}
