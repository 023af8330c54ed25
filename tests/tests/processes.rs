//! One module of the product starts processes: everything that goes for them (limits, groups, recordings, what is secret)
//! is said there, once.

use std::path::{Path, PathBuf};

/// The sources of a directory, subdirectories included.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// What tests beside the code do does not count.
fn starts_processes(text: &str) -> bool {
    let text = text.split("#[cfg(test)]").next().unwrap();
    ["process::Command", "process::{Command", "process::{Child, Command", "tokio::process", "process::Stdio"]
        .iter()
        .any(|phrase| text.contains(phrase))
}

#[test]
fn one_module_starts_processes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let own = root.join("providers/src/process");
    let (inside, outside): (Vec<PathBuf>, Vec<PathBuf>) = ["engine", "providers", "state", "cli"]
        .iter()
        .flat_map(|package| sources(&root.join(package).join("src")))
        .partition(|path| path.starts_with(&own));
    let starting = |paths: &[PathBuf]| -> Vec<PathBuf> {
        paths.iter().filter(|path| starts_processes(&std::fs::read_to_string(path).unwrap())).cloned().collect()
    };
    assert!(!starting(&inside).is_empty(), "the test looks at the wrong module");
    assert_eq!(starting(&outside), Vec::<PathBuf>::new());
}
