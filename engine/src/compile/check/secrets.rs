//! Files that hold secrets and are read when a plan is applied: whether they are here.

use super::super::input::Layout;
use super::Context;
use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::source::{SourceError, join_path};
use crate::spec::Located;

pub(super) fn check(context: &mut Context<'_>) {
    let spec = &context.deployment.spec;
    if let Some(file) = spec.registry_credentials.iter().find_map(|credentials| credentials.token_file.as_ref()) {
        missing(context, "token file", file, "or name a variable with `token-env`");
    }
    for file in &spec.ca_certificates {
        missing(context, "certificate", file, "or take it out of `ca-certificates`");
    }
    // A deployment directory has their contents in its config.env, which is read where it is known.
    let are_kept = context.deployment.config.iter().any(|variable| variable.is_secret);
    if context.source.layout != Layout::Directory && !are_kept {
        for file in &spec.credentials_files {
            if !missing(context, "credentials file", file, "or take it out of `credentials-files`") {
                context.push(unread(file));
            }
        }
    }
}

/// Says that the variables of a credentials file are left out of what is read from a repository.
fn unread(file: &Located<String>) -> Finding {
    Finding::new(Code::SecretNotSet, "the credentials file is not read here: its variables are not in this plan")
        .as_severity(Severity::Note)
        .at(&file.place)
        .help("plan in the deployment directory to see them; values are never shown")
}

/// Says that a file is not on this host, and whether it did. One that was not looked for is not judged.
fn missing(context: &mut Context<'_>, what: &str, file: &Located<String>, otherwise: &str) -> bool {
    let path = if file.value.starts_with(['/', '~']) {
        file.value.clone()
    } else if context.source.directory.starts_with('/') {
        // A relative one is meant from the deployment directory.
        join_path(&context.source.directory, &file.value)
    } else {
        return false;
    };
    if context.reader.entry(&path) != Err(SourceError::Missing) {
        return false;
    }
    context.push(
        Finding::new(Code::SecretNotSet, format!("the {what} `{path}` is not on this host: it is read at apply"))
            .at(&file.place)
            .help(format!("put it there on the host that applies, {otherwise}")),
    );
    true
}
