//! Files as other programs name them: relative to the root of the repository.

use std::path::{Path, PathBuf};

use laconic_engine::source::{is_under, join_path, normalize_path};

/// Where names of files are meant from, and where they shall be meant from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    here: String,
    root: String,
}

impl Base {
    /// Names meant from the current directory, made relative to the git repository around it, or to itself.
    #[must_use]
    pub fn here() -> Self {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let root = here.ancestors().find(|path| path.join(".git").exists()).unwrap_or(&here);
        Self::new(&here, root)
    }

    /// Names meant from `here`, made relative to `root`.
    #[must_use]
    pub fn new(here: &Path, root: &Path) -> Self {
        Self { here: here.display().to_string(), root: root.display().to_string() }
    }

    /// The name of a file; one outside of the root keeps its full path.
    #[must_use]
    pub fn name(&self, file: &str) -> String {
        let path = join_path(&self.here, file);
        if !is_under(&path, &self.root) {
            return path;
        }
        let root = normalize_path(&self.root);
        path.strip_prefix(&root).unwrap_or(&path).trim_start_matches('/').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_repository() {
        let base = Base::new(Path::new("/repo/operator"), Path::new("/repo"));
        for (file, name) in [
            ("spec.yml", "operator/spec.yml"),
            ("../stacks/x.yml", "stacks/x.yml"),
            ("/repo/a/b.yml", "a/b.yml"),
            ("/elsewhere/b.yml", "/elsewhere/b.yml"),
            ("../../repo2/b.yml", "/repo2/b.yml"),
        ] {
            assert_eq!(base.name(file), name);
        }
    }
}
