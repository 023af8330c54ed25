//! Bringing deployment directories up to date with the specs and stacks they were applied from, so that each stands
//! alone: it can be planned, looked at and taken down without the repository.

use std::fs;
use std::path::Path;

use laconic_engine::compile::{Layout, check_shared};
use laconic_engine::source::join_path;

use crate::deployment_directory::{Build, OURS, build, update};
use crate::error::{Result, file};
use crate::inputs::Input;
use crate::session::Session;
use crate::view::style::clean;

/// Copies the files of what was applied into the directories it belongs to. Data, state and secrets are not touched.
///
/// # Errors
/// A file that cannot be read or written; what was applied stays applied.
pub fn sync(session: &Session, inputs: &[Input], applied: &[String]) -> Result<()> {
    for input in inputs.iter().filter(|input| applied.contains(&input.source.name)) {
        let (Some(directory), Layout::Repository { stack, identity: Some(identity) }) =
            (&input.directory, &input.source.layout)
        else {
            continue;
        };
        let reader = input.reader(false);
        // It compiled a moment ago; one that no longer does was edited meanwhile, and stays as it is.
        let Some(checked) = check_shared(&input.source, &input.shared, &reader).deployment else { continue };
        let mut identity = identity.clone();
        let root = input.root.display().to_string();
        identity.spec_source = Some(join_path(&root, &input.source.spec_file));
        if input.pinned.is_none() {
            identity.stack_source = Some(join_path(&root, stack));
        }
        let parent = directory.parent().unwrap_or(directory);
        let prefix = format!(".{}.", input.source.name);
        let temporary = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(file(parent, "written"))?;
        let at = temporary.path();
        build(&Build { checked: &checked, source: &input.source, reader: &reader, identity: &identity }, at)?;
        complete(input, at)?;
        if OURS.iter().any(|name| differs(&at.join(name), &directory.join(name))) {
            update(at, directory, &checked)?;
            session.output.remark(&format!("Updated the files of {}.\n", clean(&directory.display().to_string())));
        }
    }
    Ok(())
}

/// The mount root that only laconic.yml says: without it the copy would look for its volumes elsewhere. The other settings
/// of a cluster are kept by the cluster itself.
fn complete(input: &Input, at: &Path) -> Result<()> {
    let wanted = input.shared.settings.as_ref().and_then(|settings| settings.kind_mount_root.as_ref());
    let Some(root) = wanted else { return Ok(()) };
    let path = at.join("spec.yml");
    let text = fs::read_to_string(&path).map_err(file(&path, "read"))?;
    let (spec, _) = laconic_engine::spec::read_spec(&"spec.yml".into(), &text);
    if spec.kind_mount_root.is_some() {
        return Ok(());
    }
    let quoted = serde_json::Value::from(root.value.as_str());
    let text = format!(
        "{}\n# From laconic.yml, for the cluster {}.\nkind-mount-root: {quoted}\n",
        text.trim_end(),
        wanted_name(input)
    );
    fs::write(&path, text).map_err(file(&path, "written"))
}

fn wanted_name(input: &Input) -> &str {
    input.shared.settings.as_ref().map_or("", |settings| settings.name.value.as_str())
}

/// Whether two files or folders are other than each other; volumes below a folder are none of ours.
fn differs(new: &Path, old: &Path) -> bool {
    if new.is_dir() {
        let names = fs::read_dir(new).into_iter().flatten().flatten().map(|entry| entry.file_name());
        return !old.is_dir() || names.into_iter().any(|name| differs(&new.join(&name), &old.join(&name)));
    }
    fs::read(new).ok() != fs::read(old).ok()
}
