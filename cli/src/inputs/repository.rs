//! The deployments of an operator's repository, as its laconic.yml names them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use laconic_engine::code::{Code, Severity};
use laconic_engine::compile::{CompiledDeployment, DeploymentSource, Layout, SharedCluster};
use laconic_engine::finding::Finding;
use laconic_engine::source::{SourceEntry, SourceReader, join_path, normalize_path};
use laconic_engine::spec::{
    DeploymentFile, PinnedStack, Repository, RepositoryDeployment, StackReference, read_repository, read_spec,
};

use super::pin::{Pinned, Pins};
use super::{Input, Inputs, UNNAMED, read_identity};
use crate::compiling::in_parallel;
use crate::error::{Problem, Result};
use crate::revision::{InputReader, RevisionSources};
use crate::sources::DiskSources;

/// The file that makes a directory an operator's repository.
pub const FILE: &str = "laconic.yml";

/// An operator's repository.
#[derive(Clone, Debug)]
pub struct OpenRepository {
    /// Where it is.
    pub root: PathBuf,
    /// What its laconic.yml says.
    pub repository: Repository,
    /// What is wrong with it, pins that cannot be read included.
    pub findings: Vec<Finding>,
    /// Its text.
    pub text: Arc<str>,
}

impl OpenRepository {
    /// What the kind clusters of its deployments are called in it.
    #[must_use]
    pub fn labels(&self, deployments: &[CompiledDeployment]) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        for written in &self.repository.deployments {
            let Some(label) = &written.cluster else { continue };
            let compiled = deployments.iter().find(|deployment| deployment.name == written.name.value);
            if let Some(id) = compiled.and_then(|deployment| deployment.target.kind_cluster()) {
                labels.entry(id.to_owned()).or_insert_with(|| label.value.clone());
            }
        }
        labels
    }

    /// Applies `policy:` and then `suppress:` to what there is to say.
    pub fn judge(&self, findings: &mut Vec<(Finding, usize)>) {
        let policy = &self.repository.policy;
        for (finding, _) in findings.iter_mut() {
            if finding.severity == Severity::Warning && policy.forbids(finding.code) {
                finding.severity = Severity::Error;
            }
        }
        let suppressed: BTreeSet<&str> = self.repository.suppress.iter().map(|(code, _)| code.value.as_str()).collect();
        findings.retain(|(finding, _)| {
            finding.severity > Severity::Warning || !suppressed.contains(finding.code.to_string().as_str())
        });
    }

    /// The warnings that `policy:` forbids.
    #[must_use]
    pub fn forbidden(&self, findings: &[Finding]) -> Vec<String> {
        let policy = &self.repository.policy;
        let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning);
        let codes: BTreeSet<Code> = warnings.map(|one| one.code).filter(|code| policy.forbids(*code)).collect();
        codes.iter().map(ToString::to_string).collect()
    }

    /// The suppressed codes with their reasons.
    #[must_use]
    pub fn suppressed(&self) -> BTreeMap<String, String> {
        self.repository.suppress.iter().map(|(code, reason)| (code.value.clone(), reason.clone())).collect()
    }
}

/// The deployments of the repository at `root`, which findings call `shown`; of another revision of it when one is given.
///
/// # Errors
/// A laconic.yml that cannot be had; everything else about it is a finding.
pub fn open(root: &Path, shown: &str, revision: Option<&RevisionSources>) -> Result<Option<Inputs>> {
    let mut pins = Pins::default();
    loop {
        let opened = open_once(root, shown, revision, &mut pins)?;
        // What was not there when it was asked for is asked for again.
        match revision {
            Some(revision) if revision.tree.fetch()? => {}
            _ => return Ok(opened),
        }
    }
}

fn reader(root: &Path, revision: Option<&RevisionSources>) -> InputReader {
    InputReader { disk: DiskSources::new(root), revision: revision.cloned(), pinned: None, edited: None }
}

fn open_once(root: &Path, shown: &str, revision: Option<&RevisionSources>, pins: &mut Pins) -> Result<Option<Inputs>> {
    let path = root.join(FILE);
    let bytes = match (reader(root, revision).read(FILE), revision) {
        (Ok(bytes), _) => bytes,
        // Another revision need not have one.
        (Err(_), Some(_)) => return Ok(None),
        (Err(error), None) => return Err(Problem::File { path, verb: "used", detail: format!("it {error}") }),
    };
    let file: Arc<str> = join_path(shown, FILE).into();
    let mut findings = Vec::new();
    let text: Arc<str> = match laconic_engine::yaml::decode_text(&file, &bytes) {
        Ok(text) => text.into(),
        Err(finding) => {
            findings.push(*finding);
            "".into()
        }
    };
    let (repository, mut said) =
        if findings.is_empty() { read_repository(&file, &text) } else { (Repository::default(), Vec::new()) };
    findings.append(&mut said);
    let text = without_passwords(&text);
    let mut pinned: BTreeMap<&str, Option<Pinned>> = BTreeMap::new();
    for deployment in &repository.deployments {
        let Some(StackReference::Pinned(pin)) = &deployment.stack else { continue };
        let found = match pins.open(root, pin)? {
            Ok(found) => Some(found),
            Err(finding) => {
                findings.push(finding.about(&deployment.name.value));
                None
            }
        };
        pinned.insert(&deployment.name.value, found);
    }
    let prepared: Vec<Prepared> = in_parallel(&repository.deployments, |deployment| {
        prepare(root, revision, deployment, pinned.get(deployment.name.value.as_str()))
    })
    .into_iter()
    .collect::<Result<_>>()?;
    findings.extend(prepared.iter().filter_map(|one| one.name_differs.clone()));
    let clusters = cluster_ids(&prepared);
    let settings: BTreeMap<&str, Arc<_>> =
        repository.clusters.iter().map(|one| (one.name.value.as_str(), Arc::new(one.clone()))).collect();
    let mut list = Vec::with_capacity(prepared.len());
    for one in prepared {
        let cluster = one.deployment.cluster.as_ref().map(|cluster| cluster.value.as_str());
        let shared = SharedCluster {
            id: cluster.map(|name| clusters.get(name).cloned().unwrap_or_else(|| name.to_owned())),
            dialect: one.deployment.dialect.as_ref().map(|dialect| dialect.value),
            settings: cluster.and_then(|name| settings.get(name).cloned()),
        };
        list.push(one.input(root, shown, revision, shared));
    }
    let open = OpenRepository { root: root.to_owned(), repository, findings, text };
    Ok(Some(Inputs { list, repository: Some(Arc::new(open)), ..Inputs::default() }))
}

/// The text as it may be shown: passwords in addresses are an error, and their lines are printed with it.
fn without_passwords(text: &Arc<str>) -> Arc<str> {
    if !text.contains("://") {
        return Arc::clone(text);
    }
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some((begin, end)) = laconic_engine::spec::password(rest) {
            shown.push_str(rest.get(..begin).unwrap_or_default());
            shown.push_str("[not shown]");
            rest = rest.get(end..).unwrap_or_default();
        }
        shown.push_str(rest);
    }
    shown.into()
}

/// A deployment with what has to be read before it can be compiled.
struct Prepared {
    deployment: RepositoryDeployment,
    spec: String,
    stack: String,
    pinned: Option<Pinned>,
    /// The directory, as it will be named, and whether it is there.
    directory: String,
    found: Option<(PathBuf, DeploymentFile)>,
    /// That its directory has another name.
    name_differs: Option<Finding>,
}

impl Prepared {
    fn input(self, root: &Path, shown: &str, revision: Option<&RevisionSources>, shared: SharedCluster) -> Input {
        let root_text = root.display().to_string();
        let stack_root = join_path(&join_path(&root_text, &self.stack), "../..");
        let (directory, identity) = self.found.map(|(path, identity)| (Some(path), Some(identity))).unwrap_or_default();
        let source = DeploymentSource {
            name: self.deployment.name.value,
            directory: directory.as_ref().map_or(self.directory, |path| path.display().to_string()),
            spec_file: self.spec,
            shown_directory: shown.to_owned(),
            layout: Layout::Repository { stack: self.stack, identity },
        };
        let mut given = vec![root.to_owned(), PathBuf::from(stack_root)];
        given.extend(directory.clone());
        Input {
            source,
            root: root.to_owned(),
            given,
            directory,
            shared,
            revision: revision.cloned(),
            pinned: self.pinned,
            edited: None,
        }
    }
}

fn prepare(
    root: &Path,
    revision: Option<&RevisionSources>,
    deployment: &RepositoryDeployment,
    pinned: Option<&Option<Pinned>>,
) -> Result<Prepared> {
    let spec = normalize_path(&deployment.spec.value);
    let reader = reader(root, revision);
    let (stack, pinned) = match (&deployment.stack, pinned) {
        (Some(StackReference::Pinned(pin)), Some(Some((prefix, sources)))) => {
            let PinnedStack { path, .. } = pin;
            (join_path(prefix, &path.value), Some((prefix.clone(), sources.clone())))
        }
        // That it cannot be had is a finding of its own.
        (Some(StackReference::Pinned(_)), _) => (UNNAMED.to_owned(), None),
        (Some(StackReference::Folder(path)), _) => (normalize_path(&path.value), None),
        (None, _) => (stack_of_spec(&reader, &spec), None),
    };
    let root_text = root.display().to_string();
    let directory = match &deployment.directory {
        Some(directory) => join_path(&root_text, &directory.value),
        None => super::unknown_directory(&deployment.name.value),
    };
    let found = match deployment.directory.as_ref().and_then(|_| fs::canonicalize(&directory).ok()) {
        Some(real) => read_identity(&real)?.map(|identity| (real, identity)),
        None => None,
    };
    let name_differs = name_differs(deployment, &reader, &spec);
    Ok(Prepared { deployment: deployment.clone(), spec, stack, pinned, directory, found, name_differs })
}

/// State and register know a deployment of a repository by its key. `--dir` goes by the name of the directory, and would know
/// nothing of it.
fn name_differs(deployment: &RepositoryDeployment, reader: &dyn SourceReader, spec_file: &str) -> Option<Finding> {
    let directory = deployment.directory.as_ref()?;
    let path = normalize_path(&directory.value);
    let (key, base) = (deployment.name.value.as_str(), path.rsplit('/').next().unwrap_or_default());
    if base == key || matches!(base, "" | "..") {
        return None;
    }
    if let Ok(bytes) = reader.read(spec_file) {
        let (spec, _) = read_spec(&spec_file.into(), &String::from_utf8_lossy(&bytes));
        // Then `--dir` calls it by its first name too.
        if spec.moved.iter().any(|(from, to)| from.value == key && to.value == base) {
            return None;
        }
    }
    let message = format!(
        "the directory of `{key}` is called `{base}`: its state and its addresses go by `{key}` from here, and by `{base}` with `--dir`"
    );
    Some(
        Finding::new(Code::NameDiffers, message)
            .about(key)
            .at(&directory.place)
            .label(&deployment.name.place, "the name that counts here")
            .help(format!("call the directory `{key}`, or the deployment `{base}` as long as nothing is applied"))
            .help(format!(
                "a directory that was renamed later is said in its spec: `moved: [{{from: {key}, to: {base}}}]`"
            )),
    )
}

/// The folder that the spec's `stack:` means: from the spec's folder, then from the root of the repository.
fn stack_of_spec(reader: &dyn SourceReader, spec_file: &str) -> String {
    let Ok(bytes) = reader.read(spec_file) else { return UNNAMED.to_owned() };
    let (spec, _) = read_spec(&spec_file.into(), &String::from_utf8_lossy(&bytes));
    let Some(stack) = spec.stack else { return UNNAMED.to_owned() };
    let folder = spec_file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = join_path(folder, &stack.value);
    let has_stack = |path: &str| matches!(reader.entry(&join_path(path, "stack.yml")), Ok(SourceEntry::File(_)));
    let from_root = normalize_path(&stack.value);
    if !has_stack(&beside) && has_stack(&from_root) { from_root } else { beside }
}

/// The kind cluster behind each `cluster:`, as far as one directory knows it. That several know different ones is said
/// once they are compiled.
fn cluster_ids(prepared: &[Prepared]) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for one in prepared {
        if let (Some(cluster), Some((_, identity))) = (&one.deployment.cluster, &one.found) {
            ids.entry(cluster.value.clone()).or_insert_with(|| identity.cluster_id.clone());
        }
    }
    ids
}
