//! `laconic deploy create`: a deployment directory from a spec and a stack, whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use laconic_engine::code::Severity;
use laconic_engine::compile::{Compilation, DeploymentSource, Layout, check_shared, compile_shared};
use laconic_engine::finding::Finding;
use laconic_engine::source::join_path;
use laconic_engine::spec::{DeploymentFile, Dialect, RepositoryDeployment};
use laconic_providers::docker::DockerError;

use crate::args::DialectChoice;
use crate::deployment_directory::{Build, build_fetching, install, update};
use crate::error::{Exit, Problem, Result, file};
use crate::inputs::repository::OpenRepository;
use crate::inputs::{Input, Inputs, UNNAMED, find_stack, read_identity, repository, without_unnamed_stack};
use crate::revision::InputReader;
use crate::session::Session;
use crate::syncing::complete;
use crate::view::finding::{Texts, all_with_source};
use crate::view::style::clean;

/// What is to be made.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The directory.
    pub directory: &'a Path,
    /// Whether it is there and is brought up to date.
    pub update: bool,
    /// How it is read, instead of as before or as compose means it.
    pub dialect: Option<DialectChoice>,
    /// The deployment-id, instead of a new one.
    pub deployment_id: Option<&'a str>,
    /// The cluster-id, instead of the running cluster's or a new one.
    pub cluster_id: Option<&'a str>,
}

/// Runs it.
pub fn run(session: &Session, wanted: &Wanted<'_>) -> Result<Exit> {
    let exists = std::fs::symlink_metadata(wanted.directory).is_ok();
    if exists && !wanted.update {
        return Err(Problem::Exists { path: wanted.directory.to_owned(), hint: "`--update` brings it up to date" });
    }
    if !exists && wanted.update {
        return Err(Problem::NothingToUpdate { directory: wanted.directory.to_owned() });
    }
    let root = std::env::current_dir().map_err(file(Path::new("."), "read"))?;
    let parent = parent_of(wanted.directory);
    std::fs::create_dir_all(&parent).map_err(file(&parent, "created"))?;
    let real_parent = std::fs::canonicalize(&parent).map_err(file(&parent, "read"))?;
    let Some(name) = wanted.directory.file_name() else {
        let detail = "it has no name of its own".to_owned();
        return Err(Problem::File { path: wanted.directory.to_owned(), verb: "created", detail });
    };
    let target = real_parent.join(name);

    let entry = entry(session, &root, &target)?;
    let running = if wanted.update || wanted.cluster_id.is_some() { Vec::new() } else { running_clusters(session)? };
    let mut identity = identity(wanted, &target, &running, entry.as_ref())?;
    if let Some(dialect) = wanted.dialect {
        identity.dialect = match dialect {
            DialectChoice::Compose => Dialect::Compose,
            DialectChoice::LaconicSo => Dialect::LaconicSo,
        };
    }
    let (spec_file, stack) = sources(session, wanted, &identity, &root, entry.as_ref())?;
    let pinned = entry.as_ref().and_then(|entry| entry.input.pinned.clone()).filter(|_| session.common.stack.is_none());
    let absolute = |path: &str| laconic_engine::source::join_path(&root.to_string_lossy(), path);
    let (before, stack_before) = (identity.spec_source.take(), identity.stack_source.take());
    identity.spec_source = Some(absolute(&spec_file.to_string_lossy()));
    // A pinned stack is laconic.yml's to name.
    identity.stack_source = pinned.is_none().then(|| absolute(&stack));
    let source = DeploymentSource {
        name: entry
            .as_ref()
            .map_or_else(|| name.to_string_lossy().into_owned(), |entry| entry.input.source.name.clone()),
        directory: target.display().to_string(),
        spec_file: spec_file.to_string_lossy().into_owned(),
        shown_directory: String::new(),
        layout: Layout::Repository { stack, identity: Some(identity.clone()) },
    };
    let mut input = Input::on_disk(source, root.clone(), vec![root], Some(target.clone()));
    input.pinned = pinned;
    input.shared = entry.as_ref().map(|entry| entry.input.shared.clone()).unwrap_or_default();
    let reader = input.reader(false);
    // Every file rule first: with an error nothing is made.
    let compilation = compile_with_pin(&input, &reader)?;
    let mut texts = compilation.texts;
    texts.extend(entry.as_ref().map(|entry| (Arc::clone(&entry.open.repository.file), Arc::clone(&entry.open.text))));
    let mut all = without_unnamed_stack(compilation.findings);
    if let Some(entry) = &entry {
        let mut judged: Vec<(Finding, usize)> = all.into_iter().map(|finding| (finding, 0)).collect();
        entry.open.judge(&mut judged);
        all = judged.into_iter().map(|(finding, _)| finding).collect();
    }
    let findings = all.iter().map(|finding| (finding, &texts));
    session.output.remark(&all_with_source(findings, session.output.error_palette));
    let errors = all.iter().filter(|finding| finding.severity == Severity::Error).count();
    let checked = check_shared(&input.source, &input.shared, &reader).deployment;
    let (0, Some(checked), Some(compiled)) = (errors, checked, compilation.deployment) else {
        return Err(Problem::InvalidInput { errors: errors.max(1) });
    };
    if !wanted.update
        && wanted.cluster_id.is_none()
        && entry.as_ref().is_none_or(|entry| entry.cluster_id.is_none())
        && checked.spec.kind_cluster_name.is_none()
        && compiled.target.kind_cluster().is_some()
        && running.len() > 1
    {
        return Err(Problem::ManyClusters { clusters: running });
    }
    let temporary = tempfile::Builder::new()
        .prefix(&format!(".{}.", name.to_string_lossy()))
        .tempdir_in(&real_parent)
        .map_err(file(&real_parent, "written"))?;
    let what = Build { checked: &checked, source: &input.source, reader: &reader, identity: &identity };
    build_fetching(&what, input.pinned.as_ref().map(|(_, sources)| sources), temporary.path())?;
    complete(&input, temporary.path())?;
    if wanted.update {
        update(temporary.path(), &target, &checked)?;
        session.output.print(&format!("Updated {}.\n", wanted.directory.display()))?;
        // What it was made from before, said once it is made from something else.
        let sources = [("spec", before, &identity.spec_source), ("stack", stack_before, &identity.stack_source)];
        for (what, before, now) in sources {
            if let (Some(before), Some(now)) = (before, now)
                && before != *now
            {
                let text = format!("The {what} was {} before and is {} now.\n", clean(&before), clean(now));
                session.output.print(&text)?;
            }
        }
    } else {
        install(temporary, &target)?;
        session.output.print(&format!(
            "Created {} (deployment-id {}, cluster-id {}).\n",
            wanted.directory.display(),
            identity.deployment_id,
            identity.cluster_id
        ))?;
    }
    Ok(Exit::Done)
}

/// A deployment of the repository around us.
struct Entry {
    input: Input,
    open: Arc<OpenRepository>,
    /// The kind cluster that deployments with the same `cluster:` are made for.
    cluster_id: Option<String>,
}

/// The deployment of the repository around us that has this directory.
fn entry(session: &Session, root: &Path, target: &Path) -> Result<Option<Entry>> {
    let spec_folder = session.common.spec_file.as_ref().and_then(|file| file.parent()).map(|folder| root.join(folder));
    let from = spec_folder.and_then(|folder| std::fs::canonicalize(folder).ok()).unwrap_or_else(|| root.to_owned());
    let Some(found) = from.ancestors().find(|path| path.join(repository::FILE).is_file()) else { return Ok(None) };
    let Some(inputs) = repository::open(found, &way_there(root, found), None)? else { return Ok(None) };
    let Some(open) = inputs.repository.clone() else { return Ok(None) };
    let has_directory = |written: &&RepositoryDeployment| {
        let directory = written.directory.as_ref().map(|path| join_path(&found.to_string_lossy(), &path.value));
        directory.is_some_and(|path| {
            let path = Path::new(&path);
            let real = path.parent().and_then(|parent| std::fs::canonicalize(parent).ok()).zip(path.file_name());
            real.is_some_and(|(parent, name)| parent.join(name) == target)
        })
    };
    let Some(written) = open.repository.deployments.iter().find(has_directory) else { return Ok(None) };
    let name = written.name.value.as_str();
    complain(session, &open, name)?;
    let Some(input) = inputs.iter().find(|input| input.source.name == name).cloned() else { return Ok(None) };
    let Some(cluster) = &written.cluster else { return Ok(Some(Entry { input, open, cluster_id: None })) };
    let is_on_it = |one: &&RepositoryDeployment| one.cluster.as_ref().is_some_and(|it| it.value == cluster.value);
    let on_it = open.repository.deployments.iter().filter(is_on_it);
    let mut identities = on_it.filter_map(|one| match &of_name(&inputs, &one.name.value)?.source.layout {
        Layout::Repository { identity, .. } => identity.as_ref().map(|identity| identity.cluster_id.clone()),
        Layout::Directory => None,
    });
    let cluster_id = identities.next();
    drop(identities);
    Ok(Some(Entry { input, open, cluster_id }))
}

/// What is wrong with laconic.yml as a whole, or with what it says of a deployment.
fn complain(session: &Session, open: &OpenRepository, name: &str) -> Result<()> {
    let is_it = |one: &&Finding| one.severity == Severity::Error && (one.subject.is_empty() || one.subject == name);
    let wrong: Vec<&Finding> = open.findings.iter().filter(is_it).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let texts: Texts = [(Arc::clone(&open.repository.file), Arc::clone(&open.text))].into_iter().collect();
    let told = wrong.iter().map(|finding| (*finding, &texts));
    session.output.remark(&all_with_source(told, session.output.error_palette));
    Err(Problem::InvalidInput { errors: wrong.len() })
}

fn of_name<'i>(inputs: &'i Inputs, name: &str) -> Option<&'i Input> {
    inputs.iter().find(|input| input.source.name == name)
}

/// A directory at or above another one, as a path from there.
fn way_there(from: &Path, to: &Path) -> String {
    let steps = from.strip_prefix(to).map(|below| below.components().count());
    steps.map_or_else(|_| to.display().to_string(), |steps| vec![".."; steps].join("/"))
}

/// Compiles; what is read from a pinned revision is fetched out of its clone as often as more is asked for.
fn compile_with_pin(input: &Input, reader: &InputReader) -> Result<Compilation> {
    loop {
        let compilation = compile_shared(&input.source, &input.shared, reader);
        match &input.pinned {
            Some((_, sources)) if sources.tree.fetch()? => {}
            _ => return Ok(compilation),
        }
    }
}

/// The spec and the stack: as named; on update else those the directory was made from, never what lies around here.
fn sources(
    session: &Session,
    wanted: &Wanted<'_>,
    identity: &DeploymentFile,
    root: &Path,
    entry: Option<&Entry>,
) -> Result<(PathBuf, String)> {
    let common = &session.common;
    if let Some(Entry { input, .. }) = entry
        && let Layout::Repository { stack, .. } = &input.source.layout
        && common.stack.is_none()
        && stack != UNNAMED
    {
        let below = |path: &str| {
            let path = input.root.join(path);
            path.strip_prefix(root).map_or_else(|_| path.clone(), Path::to_owned)
        };
        let spec_file = common.spec_file.clone().unwrap_or_else(|| below(&input.source.spec_file));
        let stack = if input.pinned.is_some() { stack.clone() } else { below(stack).to_string_lossy().into_owned() };
        return Ok((spec_file, stack));
    }
    if let Some(spec_file) = &common.spec_file {
        return Ok((spec_file.clone(), find_stack(root, spec_file, common.stack.as_deref())?));
    }
    if !wanted.update {
        let spec_file = PathBuf::from("spec.yml");
        let stack = find_stack(root, &spec_file, common.stack.as_deref())?;
        return Ok((spec_file, stack));
    }
    let gone = |what: &'static str, source: Option<&String>| Problem::SourceGone {
        directory: wanted.directory.to_owned(),
        what,
        source: source.cloned(),
    };
    // Below the current directory a path is shown as a person would write it.
    let short = |path: &str| Path::new(path).strip_prefix(root).unwrap_or(Path::new(path)).to_owned();
    let recorded = identity.spec_source.as_ref().filter(|path| root.join(path).is_file());
    let Some(recorded) = recorded else { return Err(gone("spec", identity.spec_source.as_ref())) };
    let spec_file = short(recorded);
    let stack = match (&common.stack, &identity.stack_source) {
        (None, Some(stack)) if root.join(stack).join("stack.yml").is_file() => {
            short(stack).to_string_lossy().into_owned()
        }
        (None, Some(stack)) => return Err(gone("stack", Some(stack))),
        (named, _) => find_stack(root, &spec_file, named.as_deref())?,
    };
    Ok((spec_file, stack))
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Who the deployment is: as it was on update, else new, on the cluster that runs when exactly one does.
fn identity(wanted: &Wanted<'_>, target: &Path, running: &[String], entry: Option<&Entry>) -> Result<DeploymentFile> {
    if wanted.update
        && let Some(identity) = read_identity(target)?
    {
        return Ok(identity);
    }
    let named = wanted.cluster_id.or_else(|| entry?.cluster_id.as_deref());
    let cluster_id = match (named, running) {
        (Some(id), _) => id.to_owned(),
        (None, [only]) => only.clone(),
        (None, _) => new_id()?,
    };
    let deployment_id = match wanted.deployment_id {
        Some(id) => id.to_owned(),
        None => new_id()?,
    };
    let dialect = entry.and_then(|entry| entry.input.shared.dialect).unwrap_or(Dialect::Compose);
    Ok(DeploymentFile { cluster_id, deployment_id, dialect, ..DeploymentFile::default() })
}

/// The kind clusters of this host, the simulated one or the real one. Where the real one's container engine does not
/// answer there is none to be joined, and the cluster-id is new; that it would not answer us is said.
fn running_clusters(session: &Session) -> Result<Vec<String>> {
    if let Some(host) = session.wire.simulated_host()? {
        return Ok(host.summary().clusters.into_keys().collect());
    }
    let host = session.wire.live(&BTreeSet::new(), &BTreeMap::new());
    match crate::wire::runtime()?.block_on(host.clusters()) {
        Ok(clusters) => Ok(clusters),
        Err(DockerError::NotInstalled { .. } | DockerError::NotRunning { .. }) => Ok(Vec::new()),
        Err(error) => {
            let text = format!("warning: which kind cluster runs is not known: {error}\n");
            session.output.remark(&format!("{text}  help: name the one to join with `--cluster-id`\n"));
            Ok(Vec::new())
        }
    }
}

/// `laconic-`, the time and some chance, both in base 36.
fn new_id() -> Result<String> {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| Problem::System { detail: format!("no random numbers: {error}") })?;
    Ok(format!("laconic-{}{}", base36(seconds, 6), base36(u64::from(u32::from_le_bytes(bytes)), 4)))
}

/// The last `digits` digits of a number in base 36.
fn base36(mut number: u64, digits: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut text = Vec::with_capacity(digits);
    for _ in 0..digits {
        text.push(char::from(DIGITS[usize::try_from(number % 36).unwrap_or_default()]));
        number /= 36;
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_names_kubernetes_takes() {
        let id = new_id().unwrap();
        assert_eq!(id.len(), "laconic-".len() + 10);
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{id}");
        assert_eq!(base36(36 * 36 + 1, 3), "101");
    }
}
