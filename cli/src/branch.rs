//! `--base GIT-REF`: what this branch changes, compiled from both revisions. Needs neither state nor a cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use laconic_engine::compile::{DeploymentSource, Layout};
use laconic_engine::plan::{self, PlanInput};
use laconic_engine::source::{SourceEntry, SourceReader as _, join_path};

use crate::compiling::{Compiled, compile_all, compile_or_complain};
use crate::error::{Problem, Result, file};
use crate::inputs::repository::{self, OpenRepository};
use crate::inputs::selection;
use crate::inputs::{Input, Inputs, directories, locate_selected};
use crate::planning::{Planned, Wanted, addresses};
use crate::revision::{RevisionSources, RevisionTree};
use crate::session::Session;
use crate::view::finding;
use crate::wire::{Git, GitError, runtime};

/// The revision that is compared with.
struct Base {
    /// What people call it.
    shown: String,
    tree: Arc<RevisionTree>,
    /// The root of the git repository.
    root: PathBuf,
}

/// The plan of what changed since a revision.
///
/// # Errors
/// Everything that keeps one from being made; findings of severity error were printed by then.
pub fn make_since(session: &Session, wanted: &Wanted<'_>, revision: &str) -> Result<Planned> {
    let inputs = locate_selected(&session.common, &wanted.planning.selection)?;
    let base = open(&inputs, revision)?;
    let mut before = at_base(session, &inputs, &base)?;
    selection::narrow(&mut before, &wanted.planning.selection);
    let compiled = compile_or_complain(session, &inputs, true)?;
    let texts = compiled.all_texts();
    let compiled_before = compile_all(&before, true);
    complain_about_base(session, &compiled_before, &base)?;
    let directories = directories(&inputs);
    let labels = inputs.repository.as_ref().map(|open| open.labels(&compiled.deployments)).unwrap_or_default();
    let Compiled { deployments, findings, inputs_digest, .. } = compiled;
    let mut input = PlanInput::new(wanted.mode, deployments);
    input.consents = wanted.consents.clone();
    input.findings = findings.into_iter().map(|(finding, _)| finding).collect();
    input.inputs_digest = inputs_digest;
    input.simulated = session.wire.is_simulated();
    input.skip_cluster = wanted.planning.skip_cluster_management;
    input.rerun_jobs = wanted.planning.rerun_jobs;
    input.replace = addresses(&wanted.planning.replace, &input)?;
    input.base = Some(base.shown.clone());
    input.cluster_labels.clone_from(&labels);
    input.suppressed = inputs.repository.as_ref().map(|open| open.suppressed()).unwrap_or_default();
    let plan = plan::plan_against(&compiled_before.deployments, input);
    let complaints = plan::lint::lint(&plan);
    if !complaints.is_empty() {
        return Err(Problem::BrokenPlan { complaints });
    }
    let forbidden = inputs.repository.as_ref().map(|open| open.forbidden(&plan.findings)).unwrap_or_default();
    Ok(Planned {
        plan,
        texts,
        directories,
        states: std::collections::BTreeMap::new(),
        unseen: Vec::new(),
        live_secrets: laconic_engine::secret::SecretValues::new(),
        host: None,
        left_out: Vec::new(),
        labels,
        inputs,
        forbidden,
    })
}

/// A base that is wrong cannot be compared with: everything would look new.
fn complain_about_base(session: &Session, compiled: &Compiled, base: &Base) -> Result<()> {
    let errors = compiled.errors();
    if errors == 0 {
        return Ok(());
    }
    let wrong = compiled.with_texts().filter(|(one, _)| one.severity == laconic_engine::code::Severity::Error);
    session.output.remark(&finding::all_with_source(wrong, session.output.error_palette));
    Err(Problem::InvalidBase { base: base.shown.clone(), errors })
}

fn open(inputs: &Inputs, revision: &str) -> Result<Base> {
    let git = Git::default();
    let directory = match (&inputs.repository, inputs.first()) {
        (Some(open), _) => open.root.clone(),
        (None, Some(input)) => input.root.clone(),
        (None, None) => std::env::current_dir().map_err(file(Path::new("."), "read"))?,
    };
    let runtime = runtime()?;
    let failed = |error: GitError| Problem::Git { revision: revision.to_owned(), error };
    let root = runtime.block_on(git.root(&directory)).map_err(failed)?;
    let commit = runtime.block_on(git.commit(&root, revision)).map_err(|error| match error {
        GitError::Refused { .. } => Problem::NoRevision { revision: revision.to_owned(), repository: root.clone() },
        error => failed(error),
    })?;
    // What others put on that branch meanwhile is none of this branch's changes.
    let commit = runtime.block_on(git.merge_base(&root, &commit)).map_err(failed)?.unwrap_or(commit);
    let tree = RevisionTree::read(&root, &commit)?.map_err(failed)?;
    let shown = format!("{revision} ({})", commit.get(..7).unwrap_or(&commit));
    Ok(Base { shown, tree: Arc::new(tree), root })
}

impl Base {
    /// The files of a directory as they were.
    fn sources(&self, directory: &Path) -> Result<RevisionSources> {
        let root = std::fs::canonicalize(&self.root).map_err(file(&self.root, "read"))?;
        let real = std::fs::canonicalize(directory).map_err(file(directory, "read"))?;
        match real.strip_prefix(&root) {
            Ok(below) => Ok(RevisionSources::new(Arc::clone(&self.tree), &below.to_string_lossy())),
            Err(_) => Err(Problem::OutsideRepository { directory: directory.to_owned(), repository: root }),
        }
    }
}

/// The same deployments, read from the base; those that were not there are left out.
fn at_base(session: &Session, inputs: &Inputs, base: &Base) -> Result<Inputs> {
    if let Some(open) = &inputs.repository {
        let sources = base.sources(&open.root)?;
        let found = repository::open(&open.root, &shown_at(open), Some(&sources))?;
        return Ok(found.unwrap_or_default());
    }
    let mut list = Vec::new();
    for input in inputs.iter() {
        let sources = base.sources(&input.root)?;
        let there = Input { revision: Some(sources), ..input.clone() };
        if matches!(there.reader(true).entry(&input.source.spec_file), Ok(SourceEntry::File(_))) {
            list.push(with_stack_of_base(session, there)?);
        }
    }
    Ok(list.into())
}

/// What findings call the folder of a repository.
fn shown_at(open: &OpenRepository) -> String {
    let file = &open.repository.file;
    file.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned())
}

/// A spec may have named another stack then.
fn with_stack_of_base(session: &Session, mut input: Input) -> Result<Input> {
    let (None, Layout::Repository { identity, .. }) = (&session.common.stack, &input.source.layout) else {
        return Ok(input);
    };
    let identity = identity.clone();
    let spec_file = input.source.spec_file.clone();
    let reader = input.reader(true);
    let mut text = reader.read(&spec_file);
    while let Some(revision) = &input.revision
        && revision.tree.fetch()?
    {
        text = reader.read(&spec_file);
    }
    let Ok(bytes) = text else { return Ok(input) };
    let (spec, _) = laconic_engine::spec::read_spec(&spec_file.as_str().into(), &String::from_utf8_lossy(&bytes));
    let Some(stack) = spec.stack else { return Ok(input) };
    let folder = spec_file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = join_path(folder, &stack.value);
    let there = |path: &str| matches!(reader.entry(&join_path(path, "stack.yml")), Ok(SourceEntry::File(_)));
    let from_root = laconic_engine::source::normalize_path(&stack.value);
    let stack = if !there(&beside) && there(&from_root) { from_root } else { beside };
    let source = DeploymentSource { layout: Layout::Repository { stack, identity }, ..input.source.clone() };
    input.source = source;
    Ok(input)
}
