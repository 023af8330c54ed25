//! Python hooks of stacks. They are not run; what they would have done is said, with what to declare instead.

use std::sync::Arc;

use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;

/// A function that laconic-so looks for in a hook.
struct Function {
    name: &'static str,
    /// When it would have been called for a deployment that is to be made.
    when_new: &'static str,
    /// When it would be called for a deployment directory; nothing for what is done when one is made.
    when_made: &'static str,
    /// What to declare instead.
    instead: &'static str,
}

const FUNCTIONS: &[Function] = &[
    Function {
        name: "init",
        when_new: "at `deploy init`, to add to the spec",
        when_made: "",
        instead: "write into the spec what `init` adds to it: values under `config:`, paths under `volumes:`",
    },
    Function {
        name: "setup",
        when_new: "at `deploy setup`, to prepare data",
        when_made: "",
        instead: "let a job of the stack (`jobs:` of stack.yml) prepare what `setup` prepares",
    },
    Function {
        name: "create",
        when_new: "at `deploy create`, to write files into the deployment directory",
        when_made: "at every `--update` and `restart`, to write files into this directory",
        instead: "keep the files that `create` writes in the stack's `config/`, and mount them with `configmaps:`; generated \
                  values are `$generate:hex:32$` under `config:`",
    },
    Function {
        name: "start",
        when_new: "at every `start`",
        when_made: "at every `start`",
        instead: "let a job of the stack (`jobs:` of stack.yml) or an init container do what `start` does",
    },
];

/// What there is to say of a hook.
pub(super) fn finding(file: &Arc<str>, text: &str, is_directory: bool) -> Finding {
    let mut calls = Vec::new();
    let mut found: Vec<(Place, &Function)> = Vec::new();
    for function in FUNCTIONS {
        let Some(place) = definition(file, text, function.name) else { continue };
        let when = if is_directory { function.when_made } else { function.when_new };
        if !when.is_empty() {
            calls.push(format!("its `{}` {when}", function.name));
            found.push((place, function));
        }
    }
    let Some((first, others)) = found.split_first() else {
        return Finding::new(
            Code::StackHook,
            format!("`{file}` is not run; what laconic-so would have done with it is not to be seen in it"),
        )
        .at(&Place::new(file, 1, 1, 1))
        .help("declare what it does instead: values in `config:`, files in `configmaps:`, one-off work as a job");
    };
    let calls = match calls.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    };
    let message = format!("`{file}` is not run: laconic-so would have called {calls}");
    let mut finding = Finding::new(Code::StackHook, message).at(&first.0).help(first.1.instead);
    for (place, function) in others {
        finding = finding.label(place, format!("`{}`", function.name)).help(function.instead);
    }
    finding
}

/// Where a function is defined at the top level.
fn definition(file: &Arc<str>, text: &str, name: &str) -> Option<Place> {
    let (index, length) = text.lines().enumerate().find_map(|(index, line)| {
        let rest = line.strip_prefix("def ")?.trim_start().strip_prefix(name)?;
        rest.trim_start().starts_with('(').then(|| (index, line.trim_end().chars().count()))
    })?;
    Some(Place::new(file, u32::try_from(index + 1).ok()?, 1, u32::try_from(length).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOK: &str = "import os\n\ndef init(context):\n    return {}\n\n\ndef create(context, extra):\n    pass\n\n\
                        def helper():\n    def start(x):\n        pass\n";

    #[test]
    fn what_would_have_been_called_is_said_with_its_replacement() {
        let file: Arc<str> = "hooks/commands.py".into();
        let new = finding(&file, HOOK, false);
        assert!(new.message.contains("`init` at `deploy init`") && new.message.contains("`create` at `deploy create`"));
        assert!(!new.message.contains("`start`"), "an inner function is none");
        assert_eq!(new.place, Some(Place::new(&file, 3, 1, 18)));
        assert_eq!((new.labels.len(), new.help.len()), (1, 2));
        // In a directory that was made `init` has had its effect.
        let made = finding(&file, HOOK, true);
        assert!(!made.message.contains("`init`") && made.message.contains("`--update`"), "{}", made.message);
        assert_eq!(made.place.unwrap().line, 7);
    }

    #[test]
    fn a_hook_that_says_nothing_is_told_all_the_same() {
        let finding = finding(&"x.py".into(), "from other import *\n", true);
        assert_eq!((finding.code, finding.help.len()), (Code::StackHook, 1));
    }
}
