//! Which deployments a command is about, and where their files are.

pub mod pin;
pub mod repository;
pub mod root;
pub mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use laconic_engine::compile::{DeploymentSource, Layout, SharedCluster};
use laconic_engine::finding::Finding;
use laconic_engine::source::{SourceReader as _, join_path, normalize_path};
use laconic_engine::spec::{compute_identity, is_older_directory, read_deployment_file, read_spec};

use crate::args::{Common, Selection};
use crate::compiling::in_parallel;
use crate::error::{Problem, Result, file};
use crate::revision::{InputReader, RevisionSources};
use crate::sources::DiskSources;

/// One deployment a command is about.
#[derive(Clone, Debug)]
pub struct Input {
    /// What is compiled.
    pub source: DeploymentSource,
    /// The directory the reader's paths are meant from.
    pub root: PathBuf,
    /// The directories that belong to the input; offline nothing else is read.
    pub given: Vec<PathBuf>,
    /// The deployment directory, when there is one.
    pub directory: Option<PathBuf>,
    /// What its repository says of the cluster it shares.
    pub shared: SharedCluster,
    /// The revision its files are read from; `None` for those on the disk.
    pub revision: Option<RevisionSources>,
    /// The files of its pinned stack, and what their paths begin with.
    pub pinned: Option<(String, RevisionSources)>,
    /// The text of its spec, where it is looked at before it is written.
    pub edited: Option<Arc<str>>,
}

impl Input {
    /// A deployment whose files are on the disk.
    #[must_use]
    pub fn on_disk(source: DeploymentSource, root: PathBuf, given: Vec<PathBuf>, directory: Option<PathBuf>) -> Self {
        let shared = SharedCluster::default();
        Self { source, root, given, directory, shared, revision: None, pinned: None, edited: None }
    }

    /// A reader for its files.
    #[must_use]
    pub fn reader(&self, offline: bool) -> InputReader {
        let disk = DiskSources::new(&self.root);
        let disk = if offline { disk.only(&self.given) } else { disk };
        let edited = self.edited.clone().map(|text| (self.source.spec_file.clone(), text));
        InputReader { disk, revision: self.revision.clone(), pinned: self.pinned.clone(), edited }
    }

    /// The revisions that its files are read from.
    pub fn revisions(&self) -> impl Iterator<Item = &RevisionSources> {
        self.revision.iter().chain(self.pinned.iter().map(|(_, sources)| sources))
    }
}

/// The deployments a command is about, and the repository that names them.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// In the order in which they are named.
    pub list: Vec<Input>,
    /// The repository, when there is one.
    pub repository: Option<Arc<repository::OpenRepository>>,
    /// Those among them that nobody asked about: they are read because one that was asked about has to agree with them.
    pub neighbours: BTreeSet<String>,
}

impl Inputs {
    /// How many were asked about.
    #[must_use]
    pub fn selected(&self) -> usize {
        self.list.len() - self.neighbours.len()
    }
}

impl From<Vec<Input>> for Inputs {
    fn from(list: Vec<Input>) -> Self {
        Self { list, ..Self::default() }
    }
}

impl Deref for Inputs {
    type Target = [Input];

    fn deref(&self) -> &[Input] {
        &self.list
    }
}

/// What [`locate`] finds, narrowed to what is selected.
///
/// # Errors
/// As [`locate`], and a selection of what is not there.
pub fn locate_selected(common: &Common, selection: &Selection) -> Result<Inputs> {
    let mut inputs = locate(common)?;
    selection::select(&mut inputs, selection)?;
    Ok(inputs)
}

/// The deployments the command line names, those of the repository around the current directory, or the one around it.
///
/// # Errors
/// Directories and files that are not what they should be.
pub fn locate(common: &Common) -> Result<Inputs> {
    if let Some(spec_file) = &common.spec_file {
        let directory = common.dirs.first().map(PathBuf::as_path);
        return Ok(vec![from_spec(spec_file, common.stack.as_deref(), directory)?].into());
    }
    let directories = if common.dirs.is_empty() { vec![search_upward()?] } else { common.dirs.clone() };
    if let [directory] = directories.as_slice()
        && common.dirs.is_empty()
        && is_spec_alone(directory)
    {
        let spec_file = PathBuf::from(way_up(directory)).join("spec.yml");
        return Ok(vec![from_spec(&spec_file, common.stack.as_deref(), None)?].into());
    }
    if let [directory] = directories.as_slice()
        && is_repository(directory)
    {
        let root = fs::canonicalize(directory).map_err(file(directory, "read"))?;
        // Whoever stands below it sees the way up.
        let shown = if common.dirs.is_empty() { way_up(directory) } else { shown(directory) };
        return Ok(repository::open(&root, &shown, None)?.unwrap_or_default());
    }
    let mut inputs = Vec::with_capacity(directories.len());
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for input in in_parallel(&directories, |directory| from_directory(directory)) {
        let input = input?;
        let shown = input.source.directory.clone();
        if let Some(first) = names.insert(input.source.name.clone(), shown.clone()) {
            // One directory given twice is one deployment.
            if first == shown {
                continue;
            }
            return Err(Problem::SameName { name: input.source.name, first, second: shown });
        }
        inputs.push(input);
    }
    Ok(inputs.into())
}

/// Whether a directory is an operator's repository and no deployment.
fn is_repository(directory: &Path) -> bool {
    directory.join(repository::FILE).is_file() && !is_deployment(directory)
}

/// Whether a directory holds a spec that is no deployment's copy.
fn is_spec_alone(directory: &Path) -> bool {
    let has = |name: &str| directory.join(name).is_file();
    has("spec.yml") && !has(repository::FILE) && !is_deployment(directory)
}

fn is_deployment(directory: &Path) -> bool {
    let has = |name: &str| directory.join(name).is_file();
    has("spec.yml") && (has("deployment.yml") || is_older_directory(&DiskSources::new(directory)))
}

/// A directory above the current one as a path from there; nothing for the current one itself.
fn way_up(directory: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let steps = here.strip_prefix(directory).map_or(0, |below| below.components().count());
    vec![".."; steps].join("/")
}

/// The directory of a deployment that has none yet. It is absolute, as every directory of a deployment is, and is named
/// nowhere else, so that a real one can be told to stand in its place.
#[must_use]
pub fn unknown_directory(name: &str) -> String {
    format!("/known-after-create/{name}")
}

/// The deployment directories by deployment name.
#[must_use]
pub fn directories(inputs: &[Input]) -> BTreeMap<String, PathBuf> {
    inputs.iter().filter_map(|input| Some((input.source.name.clone(), input.directory.clone()?))).collect()
}

fn search_upward() -> Result<PathBuf> {
    let from = std::env::current_dir().map_err(file(Path::new("."), "read"))?;
    let found = from
        .ancestors()
        .find(|path| is_deployment(path) || path.join(repository::FILE).is_file() || is_spec_alone(path));
    found.map(Path::to_owned).ok_or(Problem::NoDeployment { from })
}

/// The deployment in a directory.
///
/// # Errors
/// A directory that is none, or holds no deployment.
pub fn from_directory(directory: &Path) -> Result<Input> {
    let real = fs::canonicalize(directory).map_err(file(directory, "read"))?;
    if !real.is_dir() {
        let detail = "it is a file; a deployment directory belongs here".to_owned();
        return Err(Problem::File { path: directory.to_owned(), verb: "used", detail });
    }
    if fs::symlink_metadata(real.join("spec.yml")).is_err() {
        return Err(Problem::NotADeployment { directory: directory.to_owned(), lacks: "spec.yml" });
    }
    let source = DeploymentSource {
        name: first_name(&real.join("spec.yml"), base_name(&real)),
        directory: real.display().to_string(),
        spec_file: "spec.yml".to_owned(),
        shown_directory: shown(directory),
        layout: Layout::Directory,
    };
    Ok(Input::on_disk(source, real.clone(), vec![real.clone()], Some(real)))
}

/// The name that a deployment had first, when `moved:` of its spec says that its directory was renamed: state, register
/// and addresses know it by that.
fn first_name(spec_file: &Path, name: String) -> String {
    // Whatever is wrong with the file is said when it is compiled.
    let Ok(text) = fs::read_to_string(spec_file) else { return name };
    if !text.contains("moved") {
        return name;
    }
    let (spec, _) = laconic_engine::spec::read_spec(&"spec.yml".into(), &text);
    let is_volume = |name: &str| spec.volumes.iter().any(|(volume, _)| volume.value == name);
    let entry = spec.moved.iter().find(|(_, to)| to.value == name && !is_volume(&name));
    entry.map_or(name.clone(), |(from, _)| from.value.clone())
}

/// The directory as findings name it: as it was given; nothing for the one we are in.
fn shown(directory: &Path) -> String {
    let given = directory.to_string_lossy();
    let here = std::env::current_dir().is_ok_and(|here| here == directory);
    if here || given == "." { String::new() } else { given.into_owned() }
}

fn base_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "root".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A spec and a stack straight from the operator's repository, with the identity of `directory` when there is one.
fn from_spec(spec_file: &Path, stack: Option<&Path>, directory: Option<&Path>) -> Result<Input> {
    let root = std::env::current_dir().map_err(file(Path::new("."), "read"))?;
    let spec_path = spec_file.to_string_lossy().into_owned();
    let stack = find_stack(&root, spec_file, stack)?;
    let (name, identity, shown, real) = match directory {
        Some(directory) => {
            let real = fs::canonicalize(directory).map_err(file(directory, "read"))?;
            let identity = read_identity(&real)?;
            if identity.is_none() {
                return Err(Problem::NotADeployment { directory: directory.to_owned(), lacks: "deployment.yml" });
            }
            (base_name(&real), identity, real.display().to_string(), Some(real))
        }
        None => {
            let name = name_of_spec(spec_file);
            let unknown = unknown_directory(&name);
            (name, None, unknown, None)
        }
    };
    let spec_directory = absolute(&root, spec_file.parent().unwrap_or(Path::new("")));
    let stack_root = absolute(&root, &Path::new(&stack).join("../.."));
    let source = DeploymentSource {
        name,
        directory: shown,
        spec_file: spec_path,
        shown_directory: String::new(),
        layout: Layout::Repository { stack, identity },
    };
    let mut given = vec![spec_directory, stack_root];
    given.extend(real.clone());
    Ok(Input::on_disk(source, root, given, real))
}

/// Who the deployment in a directory is, which is named by its real path; `None` when nothing there says so.
///
/// # Errors
/// A file that is there and cannot be had.
pub fn read_identity(directory: &Path) -> Result<Option<laconic_engine::spec::DeploymentFile>> {
    let reader = DiskSources::new(directory);
    let name: Arc<str> = "deployment.yml".into();
    match reader.read(&name) {
        Ok(bytes) => Ok(Some(read_deployment_file(&name, &String::from_utf8_lossy(&bytes)).0)),
        Err(laconic_engine::source::SourceError::Missing) => {
            let older = is_older_directory(&reader);
            Ok(older.then(|| compute_identity(&directory.display().to_string())))
        }
        Err(error) => {
            let path = directory.join(&*name);
            Err(Problem::File { path, verb: "used", detail: format!("it {error}") })
        }
    }
}

/// A name for a deployment that has no directory: the spec's, or its folder's when it is called spec.yml.
fn name_of_spec(spec_file: &Path) -> String {
    let stem = spec_file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if stem != "spec" {
        return stem;
    }
    let folder = spec_file.parent().filter(|parent| !parent.as_os_str().is_empty());
    match folder.map(Path::to_owned).or_else(|| std::env::current_dir().ok()) {
        Some(folder) => base_name(&fs::canonicalize(&folder).unwrap_or(folder)),
        None => stem,
    }
}

/// The folder of a stack that nobody names. Nothing is there, so that the spec's own findings are all there is to say.
pub(crate) const UNNAMED: &str = "(no stack)";

/// The findings without the one about the folder of a stack that nobody names.
#[must_use]
pub fn without_unnamed_stack(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| !finding.message.starts_with(&format!("`{UNNAMED}/")));
    findings
}

/// The folder of the stack, for a reader in `root`: as named on the command line, else by the spec, relative to the
/// spec file and then to `root`.
///
/// # Errors
/// A named stack that is not there. One that the spec should name is a finding when it is compiled.
pub fn find_stack(root: &Path, spec_file: &Path, named: Option<&Path>) -> Result<String> {
    let (wanted, bases) = match named {
        Some(named) => (named.to_string_lossy().into_owned(), vec![PathBuf::new()]),
        None => {
            let reader = DiskSources::new(root);
            let path = spec_file.to_string_lossy();
            let bytes = reader.read(&path).map_err(|error| Problem::File {
                path: spec_file.to_owned(),
                verb: "used",
                detail: format!("it {error}"),
            })?;
            let (spec, _) = read_spec(&path.as_ref().into(), &String::from_utf8_lossy(&bytes));
            let beside = spec_file.parent().map(Path::to_owned).unwrap_or_default();
            // What is wrong with the spec says more than that it names no stack.
            let Some(stack) = spec.stack else { return Ok(UNNAMED.to_owned()) };
            (stack.value, vec![beside, PathBuf::new()])
        }
    };
    let mut looked: Vec<PathBuf> = Vec::new();
    for base in bases {
        let candidate = join_path(&base.to_string_lossy(), &wanted);
        // A relative result must stay relative: an empty base is the reader's root.
        let candidate = if base.as_os_str().is_empty() { normalize_path(&wanted) } else { candidate };
        if root.join(&candidate).join("stack.yml").is_file() {
            return Ok(candidate);
        }
        let shown = PathBuf::from(if candidate.is_empty() { "." } else { &candidate });
        if !looked.contains(&shown) {
            looked.push(shown);
        }
    }
    match (named, looked.first()) {
        // The finding about it has the place of `stack:`, and the other mistakes of the spec beside it.
        (None, Some(first)) => Ok(first.to_string_lossy().into_owned()),
        _ => Err(Problem::NoStack { stack: wanted, looked }),
    }
}

fn absolute(root: &Path, path: &Path) -> PathBuf {
    join_path(&root.to_string_lossy(), &path.to_string_lossy()).into()
}
