//! One stack: its files as a deployment directory.

use std::fs;
use std::path::{Path, PathBuf};

use laconic_engine::code::Severity;
use laconic_engine::compile::{Compilation, DeploymentSource, Layout, compile};
use laconic_engine::source::MemorySources;

/// A stack with its spec.
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Where its files are; nowhere for one that was made up.
    pub directory: PathBuf,
    /// Its files.
    pub sources: MemorySources,
}

impl Stack {
    /// A stack of files.
    pub fn of<'a>(name: &str, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut sources = MemorySources::default();
        let identity = format!("cluster-id: corpus\ndeployment-id: laconic-{name}\ndialect: compose\n");
        sources.insert("deployment.yml", identity.as_bytes());
        for (path, text) in files {
            sources.insert(path, text.as_bytes());
        }
        Self { name: name.to_owned(), directory: PathBuf::new(), sources }
    }

    /// The errors of a compilation, in a line each.
    pub fn errors(&self, compilation: &Compilation) -> String {
        let errors = compilation.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let lines = errors.map(|finding| match &finding.place {
            Some(place) => format!("{place} {}", finding.message),
            None => finding.message.clone(),
        });
        lines.collect::<Vec<_>>().join("\n  ")
    }

    /// What it compiles to.
    pub fn compile(&self) -> Compilation {
        let source = DeploymentSource {
            name: self.name.clone(),
            directory: format!("/srv/deployments/{}", self.name),
            spec_file: "spec.yml".to_owned(),
            shown_directory: String::new(),
            layout: Layout::Directory,
        };
        compile(&source, &self.sources)
    }
}

/// The stacks of the corpus, by name.
pub fn stacks() -> Vec<Stack> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut directories: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    directories.sort();
    directories
        .into_iter()
        .map(|directory| {
            let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
            let mut stack = Stack::of(&name, []);
            load(&directory, "", &mut stack.sources);
            stack.directory = directory;
            stack
        })
        .collect()
}

fn load(directory: &Path, prefix: &str, sources: &mut MemorySources) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            load(&path, &format!("{name}/"), sources);
        } else {
            sources.insert(&name, &fs::read(&path).unwrap());
        }
    }
}
