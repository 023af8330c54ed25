//! Writing a deployment directory: the files of a spec and a stack, copied so that the directory stands alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use laconic_engine::address::ResourceType;
use laconic_engine::compile::{
    CheckedDeployment, DeploymentSource, Layout, MEMLOCK_SPEC_FILE, configmap_path, environment_file_paths,
    memlock_spec, wants_memlock_spec,
};
use laconic_engine::compose::{FileDefinition, FileSource, VolumeSource};
use laconic_engine::plan::Plan;
use laconic_engine::source::{SourceEntry, SourceError, SourceReader, is_under, join_path, normalize_path};
use laconic_engine::spec::{DeploymentFile, Dialect, Scalar, ScalarKind};
use serde_json::{Map, Value};

use crate::error::{Problem, Result, file};
use crate::revision::RevisionSources;
use crate::view::yaml;

/// The entries of a deployment directory that come from spec and stack. Everything else in it is somebody's.
pub const OURS: [&str; 10] = [
    "spec.yml",
    "stack.yml",
    "deployment.yml",
    "config.env",
    "compose",
    "compose-jobs",
    "config",
    "configmaps",
    "hooks",
    "kubeconfig.yml",
];

/// Directories below this depth are not copied: nothing that may be used is nested so.
const DEEPEST: u32 = 16;

/// What a directory is built from.
pub struct Build<'a> {
    /// The files as read.
    pub checked: &'a CheckedDeployment,
    /// Where they are.
    pub source: &'a DeploymentSource,
    /// Reads them.
    pub reader: &'a dyn SourceReader,
    /// Who the deployment is.
    pub identity: &'a DeploymentFile,
}

/// Builds the whole directory, fetching out of its clone what of a pinned stack was not read yet.
///
/// # Errors
/// As [`build`].
pub fn build_fetching(what: &Build<'_>, pinned: Option<&RevisionSources>, at: &Path) -> Result<()> {
    loop {
        match (build(what, at), pinned) {
            (Err(error), Some(sources)) => {
                if !sources.tree.fetch()? {
                    return Err(error);
                }
            }
            (built, _) => return built,
        }
    }
}

/// Builds the whole directory at `at`, which is there and empty.
///
/// # Errors
/// A file that cannot be read or written.
pub fn build(build: &Build<'_>, at: &Path) -> Result<()> {
    let Layout::Repository { stack, .. } = &build.source.layout else { return Ok(()) };
    let checked = build.checked;
    let stack_root = join(stack, "../..");
    copy(build, &build.source.spec_file, at, "spec.yml")?;
    copy(build, &join(stack, "stack.yml"), at, "stack.yml")?;
    write(at, "deployment.yml", identity_file(build.identity).as_bytes(), 0o644)?;
    let (config_env, mode) = config_env(build)?;
    write(at, "config.env", config_env.as_bytes(), mode)?;
    let pods = checked.pods.iter().map(|(name, compose)| ("compose", name, compose));
    let jobs = checked.jobs.iter().map(|(name, compose)| ("compose-jobs", name, compose));
    for (folder, name, compose) in pods.chain(jobs) {
        let path = format!("{folder}/docker-compose-{name}.yml");
        let elsewhere = checked.stack.pod_files.get(name).filter(|_| folder == "compose");
        copy(build, elsewhere.unwrap_or(&join(&stack_root, &path)), at, &path)?;
        let from = &compose.folder;
        for service in &compose.services {
            let binds = service.volumes.iter().filter_map(|mount| match &mount.source {
                VolumeSource::HostPath(path) => Some(path.as_str()),
                VolumeSource::Named(_) | VolumeSource::Anonymous => None,
            });
            let environment = environment_file_paths(checked, service);
            for path in binds.chain(environment.iter().map(String::as_str)) {
                copy_static(build, &stack_root, &join(from, path), path, at)?;
            }
        }
        let configs = compose.configs.iter().filter_map(file_of);
        for path in configs {
            copy_static(build, &stack_root, &join(from, path), path, at)?;
        }
        // What a script of the image expects beside the compose file's own references.
        copy_tree(build, &join(&stack_root, &format!("config/{name}")), at, &format!("config/{name}"), 0)?;
    }
    copy_secrets(build, &stack_root, at)?;
    for (name, path) in &checked.spec.configmaps {
        let from = configmap_path(checked, build.source, name, path.as_ref(), build.reader);
        let mut to = format!("configmaps/{}", name.value);
        if let Ok(SourceEntry::File(_)) = build.reader.entry(&from) {
            // A single file: the directory has a folder of that one file.
            to = format!("{to}/{}", from.rsplit('/').next().unwrap_or(&from));
        }
        copy_tree(build, &from, at, &to, 0)?;
    }
    copy_if_there(build, &join(stack, "deploy/commands.py"), at, "hooks/commands.py")?;
    for hook in checked.hook_files.values().flatten() {
        let bytes = build.reader.read(&hook.from).map_err(|error| unusable(&hook.from, &error))?;
        write(at, &hook.to, &bytes, if hook.is_executable { 0o755 } else { 0o644 })?;
    }
    if let Some(kube_config) = &checked.spec.kube_config {
        copy_private(build, &kube_config.value, at, "kubeconfig.yml")?;
    }
    if wants_memlock_spec(checked) {
        write_memlock_spec(at)?;
    }
    for directory in relative_volumes(checked) {
        let path = at.join(&directory);
        fs::create_dir_all(&path).map_err(file(&path, "created"))?;
    }
    Ok(())
}

fn write_memlock_spec(at: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(&memlock_spec()).unwrap_or_default();
    text.push('\n');
    write(at, MEMLOCK_SPEC_FILE, text.as_bytes(), 0o644)
}

/// Writes the OCI specs that a plan mounts into clusters and that are not there: the container engine would make directories
/// in their places. Only deployment directories are written to.
///
/// # Errors
/// A directory that cannot be written.
pub fn provide_memlock_specs(plan: &Plan, directories: &BTreeMap<String, PathBuf>) -> Result<()> {
    let mounts = plan.changes.iter().filter(|change| change.address.resource_type == ResourceType::KindMount);
    let hosts = mounts.filter_map(|change| change.after.as_ref()?.get("hostPath")?.as_str().map(Path::new));
    for path in hosts.filter(|path| path.file_name().is_some_and(|name| name == MEMLOCK_SPEC_FILE) && !path.exists()) {
        if let Some(directory) = path.parent().filter(|parent| directories.values().any(|one| one == parent)) {
            write_memlock_spec(directory)?;
        }
    }
    Ok(())
}

/// The relative paths of volumes, below the deployment directory.
fn relative_volumes(checked: &CheckedDeployment) -> Vec<String> {
    let paths = checked.spec.volumes.iter().filter_map(|(_, path)| path.as_ref());
    paths
        .map(|path| normalize_path(&path.value))
        .filter(|path| !path.starts_with(['/', '~']) && !path.starts_with("..") && !path.is_empty())
        .collect()
}

fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { normalize_path(path) } else { join_path(folder, path) }
}

fn identity_file(identity: &DeploymentFile) -> String {
    let mut object = Map::new();
    object.insert("cluster-id".to_owned(), Value::from(identity.cluster_id.clone()));
    object.insert("deployment-id".to_owned(), Value::from(identity.deployment_id.clone()));
    if identity.dialect == Dialect::Compose {
        object.insert("dialect".to_owned(), Value::from(identity.dialect.word()));
    }
    for (key, source) in [("spec-source", &identity.spec_source), ("stack-source", &identity.stack_source)] {
        if let Some(source) = source {
            object.insert(key.to_owned(), Value::from(source.clone()));
        }
    }
    yaml::document(&Value::Object(object))
}

/// config.env, and its permissions: with credentials in it, it is for its owner alone.
fn config_env(build: &Build<'_>) -> Result<(String, u32)> {
    let mut text = String::from(
        "# Written by laconic from the config section of spec.yml.\n\
         # Changes made here are lost at the next update: change spec.yml.\n",
    );
    for (name, value) in &build.checked.spec.config {
        if build.checked.generated.iter().all(|(generated, _, _)| *generated != name.value) {
            text.push_str(&format!("{}={}\n", name.value, config_value(&value.value, build.identity.dialect)));
        }
    }
    let mut mode = 0o644;
    for path in &build.checked.spec.credentials_files {
        let bytes = build.reader.read(&path.value).map_err(|error| unusable(&path.value, &error))?;
        let content = String::from_utf8(bytes.to_vec())
            .map_err(|_| unusable(&path.value, &SourceError::Unreadable("it is no text".to_owned())))?;
        text.push_str(&format!("\n# From credentials file: {}\n{}\n", path.value, content.trim_end_matches('\n')));
        mode = 0o600;
    }
    Ok((text, mode))
}

/// laconic-so writes booleans as Python does.
fn config_value(value: &Scalar, dialect: Dialect) -> String {
    match (value.kind, dialect, value.text.to_ascii_lowercase().as_str()) {
        (ScalarKind::Boolean, Dialect::LaconicSo, "true") => "True".to_owned(),
        (ScalarKind::Boolean, Dialect::LaconicSo, "false") => "False".to_owned(),
        _ => value.text.clone(),
    }
}

fn unusable(path: &str, error: &SourceError) -> Problem {
    Problem::File { path: PathBuf::from(path), verb: "used", detail: format!("it {error}") }
}

fn write(at: &Path, to: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let path = at.join(to);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(file(parent, "created"))?;
    }
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&path)
        .map_err(file(&path, "written"))?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(file(&path, "written"))
}

fn copy(build: &Build<'_>, from: &str, at: &Path, to: &str) -> Result<()> {
    let bytes = build.reader.read(from).map_err(|error| unusable(from, &error))?;
    write(at, to, &bytes, 0o644)
}

fn copy_private(build: &Build<'_>, from: &str, at: &Path, to: &str) -> Result<()> {
    let bytes = build.reader.read(from).map_err(|error| unusable(from, &error))?;
    write(at, to, &bytes, 0o600)
}

fn copy_if_there(build: &Build<'_>, from: &str, at: &Path, to: &str) -> Result<()> {
    match build.reader.entry(from) {
        Ok(SourceEntry::File(_)) => copy(build, from, at, to),
        _ => Ok(()),
    }
}

/// The file of a definition of `secrets` or `configs`.
fn file_of(definition: &FileDefinition) -> Option<&str> {
    match &definition.source {
        FileSource::File(path) => Some(&path.value),
        _ => None,
    }
}

/// Copies the files of compose secrets that lie in the stack's root, for the owner's eyes alone.
fn copy_secrets(build: &Build<'_>, stack_root: &str, at: &Path) -> Result<()> {
    let pods = build.checked.pods.iter().map(|(_, compose)| ("compose", compose));
    let jobs = build.checked.jobs.iter().map(|(_, compose)| ("compose-jobs", compose));
    for (folder, compose) in pods.chain(jobs) {
        for path in compose.secrets.iter().filter_map(file_of).filter(|path| !path.starts_with(['/', '~'])) {
            let from = join(&join(stack_root, folder), path);
            if let (Some(below), Ok(SourceEntry::File(_))) = (below_root(stack_root, &from), build.reader.entry(&from))
            {
                copy_private(build, &from, at, below)?;
            }
        }
    }
    Ok(())
}

/// A path as it is below the stack's root; `None` for what lies elsewhere.
fn below_root<'p>(stack_root: &str, path: &'p str) -> Option<&'p str> {
    let below = if stack_root.is_empty() {
        (!path.starts_with("..") && !path.starts_with('/')).then_some(path)
    } else if is_under(path, stack_root) {
        path.get(stack_root.len()..).map(|rest| rest.trim_start_matches('/'))
    } else {
        None
    };
    below.filter(|below| !below.is_empty())
}

/// Copies what a compose file refers to, when it lies in the stack's root: a folder of `config/` as a whole, anything
/// else by itself. What lies elsewhere is named by an absolute path and stays where it is.
fn copy_static(build: &Build<'_>, stack_root: &str, from: &str, written: &str, at: &Path) -> Result<()> {
    if !written.starts_with('.') && written.starts_with(['/', '~']) {
        return Ok(());
    }
    let Some(below) = below_root(stack_root, from) else { return Ok(()) };
    let whole = match below.split('/').collect::<Vec<_>>().as_slice() {
        ["config", folder, ..] => format!("config/{folder}"),
        _ => below.to_owned(),
    };
    copy_tree(build, &join(stack_root, &whole), at, &whole, 0)
}

fn copy_tree(build: &Build<'_>, from: &str, at: &Path, to: &str, depth: u32) -> Result<()> {
    match build.reader.entry(from) {
        Ok(SourceEntry::File(_)) => copy(build, from, at, to),
        Ok(SourceEntry::Directory(entries)) if depth < DEEPEST => {
            let path = at.join(to);
            fs::create_dir_all(&path).map_err(file(&path, "created"))?;
            for entry in entries {
                let (from, to) = (join(from, &entry.name), format!("{to}/{}", entry.name));
                copy_tree(build, &from, at, &to, depth + 1)?;
            }
            Ok(())
        }
        // What is missing was a finding, or nobody needs it; sockets and devices are not copied.
        Ok(SourceEntry::Directory(_) | SourceEntry::Other) | Err(SourceError::Missing) => Ok(()),
        Err(error) => Err(unusable(from, &error)),
    }
}

/// Puts a new directory in its place.
///
/// # Errors
/// A place that was taken meanwhile, or cannot be written.
pub fn install(built: tempfile::TempDir, target: &Path) -> Result<()> {
    fs::set_permissions(built.path(), fs::Permissions::from_mode(0o755)).map_err(file(target, "created"))?;
    fs::rename(built.path(), target).map_err(file(target, "created"))?;
    // It is no longer where its guard would remove it.
    let _ = built.keep();
    sync(target.parent());
    Ok(())
}

/// Puts the new files of a directory in place of the old ones. State, secrets and data are not ours to touch.
///
/// # Errors
/// Files that cannot be written; the old ones are put back then.
pub fn update(built: &Path, target: &Path, checked: &CheckedDeployment) -> Result<()> {
    let old = built.join(".old");
    fs::create_dir(&old).map_err(file(&old, "created"))?;
    let volumes = relative_volumes(checked);
    let mut moved: Vec<&str> = Vec::new();
    for name in OURS.into_iter().filter(|name| replaces(built, name)) {
        // A volume inside one of our folders: its data stays, so the folder is written over and not replaced.
        if volumes.iter().any(|volume| volume == name || volume.starts_with(&format!("{name}/"))) {
            overlay(&built.join(name), &target.join(name))?;
            continue;
        }
        let step = swap(&built.join(name), &target.join(name), &old.join(name));
        if let Err(error) = step {
            for name in moved {
                let _ = swap(&old.join(name), &target.join(name), &old.join(format!("{name}.undone")));
            }
            return Err(file(&target.join(name), "replaced")(error));
        }
        moved.push(name);
    }
    // A cluster has it mounted, which may be one that other deployments live on: it is added, and never taken away or replaced.
    if built.join(MEMLOCK_SPEC_FILE).exists() && !target.join(MEMLOCK_SPEC_FILE).exists() {
        let place = target.join(MEMLOCK_SPEC_FILE);
        fs::rename(built.join(MEMLOCK_SPEC_FILE), &place).map_err(file(&place, "written"))?;
    }
    for volume in volumes {
        let path = target.join(volume);
        fs::create_dir_all(&path).map_err(file(&path, "created"))?;
    }
    sync(Some(target));
    Ok(())
}

/// Whether an entry of a directory is replaced by what was built. A kubeconfig that the spec does not name was put there by
/// hand, and stays.
#[must_use]
pub fn replaces(built: &Path, name: &str) -> bool {
    name != "kubeconfig.yml" || built.join(name).is_file()
}

fn swap(new: &Path, place: &Path, old: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(place).is_ok() {
        fs::rename(place, old)?;
    }
    if fs::symlink_metadata(new).is_ok() {
        let moved = fs::rename(new, place);
        if moved.is_err() && fs::symlink_metadata(old).is_ok() {
            fs::rename(old, place)?;
        }
        return moved;
    }
    Ok(())
}

fn overlay(new: &Path, place: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(new) else { return Ok(()) };
    fs::create_dir_all(place).map_err(file(place, "created"))?;
    for entry in entries.flatten() {
        let (from, to) = (entry.path(), place.join(entry.file_name()));
        if from.is_dir() {
            overlay(&from, &to)?;
        } else {
            fs::rename(&from, &to).map_err(file(&to, "replaced"))?;
        }
    }
    Ok(())
}

/// Makes renames durable, as far as the file system lets us.
fn sync(directory: Option<&Path>) {
    if let Some(directory) = directory.and_then(|directory| fs::File::open(directory).ok()) {
        let _ = directory.sync_all();
    }
}
