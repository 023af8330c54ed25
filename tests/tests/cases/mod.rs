//! The fixtures: deployment directories as laconic-so left them, with the objects it made of them (`x-…`), and what it
//! stopped at (`n-…`): a directory too, or spec and stack where it made none.
//!
//! A file `NAME.size` holds a number and stands for a file `NAME` of that many bytes.

pub mod golden;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use laconic_engine::compile::{Compilation, CompiledDeployment, DeploymentSource, Layout, compile};
use laconic_engine::source::MemorySources;
use laconic_engine::spec::DeploymentFile;
use serde_json::Value;

/// Where the fixtures' deployment directories are said to be.
pub const DIRECTORY: &str = "/srv/deployments/fixture";

/// Every case.
pub fn all_names() -> Vec<String> {
    let entries = fs::read_dir(root()).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The cases that laconic-so made objects of.
pub fn names() -> Vec<String> {
    all_names().into_iter().filter(|name| name.starts_with("x-")).collect()
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases")
}

fn load(directory: &Path, prefix: &str, sources: &mut MemorySources) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            load(&path, &format!("{name}/"), sources);
        } else if let Some(name) = name.strip_suffix(".size") {
            let size = fs::read_to_string(&path).unwrap().trim().parse().unwrap();
            sources.insert(name, &vec![b'x'; size]);
        } else {
            sources.insert(&name, &fs::read(&path).unwrap());
        }
    }
}

/// A text of a case with the placeholders of directories filled in.
pub fn text(case: &str, file: &str) -> Option<String> {
    let text = fs::read_to_string(root().join(case).join(file)).ok()?;
    Some(text.replace("${CASE_DIR}/deployment", DIRECTORY).replace("${DEPLOYMENT_DIR}", DIRECTORY))
}

/// The files of a case, with a change of deployment.yml.
pub fn sources(case: &str, more_identity: &str) -> MemorySources {
    let mut sources = MemorySources::default();
    load(&root().join(case).join("deployment"), "", &mut sources);
    let identity = text(case, "deployment/deployment.yml").unwrap();
    sources.insert("deployment.yml", format!("{identity}{more_identity}").as_bytes());
    sources
}

/// The spec and the stack of a case of which laconic-so made no directory, in its dialect.
pub fn compile_repository(case: &str) -> Option<Compilation> {
    let directory = root().join(case).join("repository");
    if !directory.is_dir() {
        return None;
    }
    let mut sources = MemorySources::default();
    load(&directory, "", &mut sources);
    let identity = DeploymentFile {
        cluster_id: "laconic-paritycluster".to_owned(),
        deployment_id: "laconic-00000000".to_owned(),
        ..DeploymentFile::default()
    };
    let source = DeploymentSource {
        name: case.to_owned(),
        directory: DIRECTORY.to_owned(),
        spec_file: "spec.yml".to_owned(),
        shown_directory: String::new(),
        layout: Layout::Repository { stack: "stack/stacks/neg".to_owned(), identity: Some(identity) },
    };
    Some(compile(&source, &sources))
}

pub fn compile_sources(case: &str, sources: &MemorySources) -> Compilation {
    let source = DeploymentSource {
        name: case.to_owned(),
        directory: DIRECTORY.to_owned(),
        spec_file: "spec.yml".to_owned(),
        shown_directory: String::new(),
        layout: Layout::Directory,
    };
    compile(&source, sources)
}

pub fn compiled(case: &str, more_identity: &str) -> CompiledDeployment {
    let compilation = compile_sources(case, &sources(case, more_identity));
    compilation.deployment.unwrap_or_else(|| panic!("{case}: {:#?}", compilation.findings))
}

/// Objects by kind and name.
pub fn by_key(objects: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let key = |object: &Value| {
        let name = object["metadata"]["name"].as_str().unwrap();
        format!("{}/{name}", object["kind"].as_str().unwrap())
    };
    objects.into_iter().map(|object| (key(&object), object)).collect()
}
