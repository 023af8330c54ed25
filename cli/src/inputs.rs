//! Which deployments a command is about, and where their files are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use laconic_engine::compile::{DeploymentSource, Layout};
use laconic_engine::finding::Finding;
use laconic_engine::source::{SourceReader as _, join_path, normalize_path};
use laconic_engine::spec::{read_deployment_file, read_spec};

use crate::args::Common;
use crate::compiling::in_parallel;
use crate::error::{Problem, Result, file};
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
}

impl Input {
    /// A reader for its files.
    #[must_use]
    pub fn reader(&self, offline: bool) -> DiskSources {
        let reader = DiskSources::new(&self.root);
        if offline { reader.only(&self.given) } else { reader }
    }
}

/// The deployments the command line names, or the one around the current directory.
///
/// # Errors
/// Directories and files that are not what they should be.
pub fn locate(common: &Common) -> Result<Vec<Input>> {
    if let Some(spec_file) = &common.spec_file {
        return Ok(vec![from_spec(spec_file, common.stack.as_deref(), common.dirs.first().map(PathBuf::as_path))?]);
    }
    let directories = if common.dirs.is_empty() { vec![search_upward()?] } else { common.dirs.clone() };
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
    Ok(inputs)
}

/// The deployment directories by deployment name.
#[must_use]
pub fn directories(inputs: &[Input]) -> BTreeMap<String, PathBuf> {
    inputs.iter().filter_map(|input| Some((input.source.name.clone(), input.directory.clone()?))).collect()
}

fn search_upward() -> Result<PathBuf> {
    let from = std::env::current_dir().map_err(file(Path::new("."), "read"))?;
    let found = from.ancestors().find(|path| path.join("spec.yml").is_file() && path.join("deployment.yml").is_file());
    found.map(Path::to_owned).ok_or(Problem::NoDeployment { from })
}

fn from_directory(directory: &Path) -> Result<Input> {
    let real = fs::canonicalize(directory).map_err(file(directory, "read"))?;
    if !real.is_dir() {
        let detail = "it is a file; a deployment directory belongs here".to_owned();
        return Err(Problem::File { path: directory.to_owned(), verb: "used", detail });
    }
    if fs::symlink_metadata(real.join("spec.yml")).is_err() {
        return Err(Problem::NotADeployment { directory: directory.to_owned(), lacks: "spec.yml" });
    }
    let name = base_name(&real);
    let source = DeploymentSource {
        name,
        directory: real.display().to_string(),
        spec_file: "spec.yml".to_owned(),
        shown_directory: shown(directory),
        layout: Layout::Directory,
    };
    Ok(Input { source, given: vec![real.clone()], directory: Some(real.clone()), root: real })
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
        None => (name_of_spec(spec_file), None, String::new(), None),
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
    Ok(Input { source, root, given, directory: real })
}

/// Who the deployment in a directory is; `None` when its deployment.yml cannot be read.
///
/// # Errors
/// A file that is there and cannot be had.
pub fn read_identity(directory: &Path) -> Result<Option<laconic_engine::spec::DeploymentFile>> {
    let reader = DiskSources::new(directory);
    let name: Arc<str> = "deployment.yml".into();
    match reader.read(&name) {
        Ok(bytes) => Ok(Some(read_deployment_file(&name, &String::from_utf8_lossy(&bytes)).0)),
        Err(laconic_engine::source::SourceError::Missing) => Ok(None),
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
        Some(folder) => base_name(&folder),
        None => stem,
    }
}

/// The folder of a stack that nobody names. Nothing is there, so that the spec's own findings are all there is to say.
const UNNAMED: &str = "(no stack)";

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
