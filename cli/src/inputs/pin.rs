//! Stacks pinned to a revision of another repository. Nothing is fetched here: `laconic deploy fetch` does that, or a clone has
//! to be here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use laconic_engine::code::Code;
use laconic_engine::finding::Finding;
use laconic_engine::source::join_path;
use laconic_engine::spec::PinnedStack;
use laconic_engine::value::Digest;

use crate::error::Result;
use crate::revision::{RevisionSources, RevisionTree};
use crate::wire::{Git, is_object_name, runtime};

/// Where clones are looked for, beside laconic.yml.
pub const CLONES: &str = ".laconic/stacks";

/// Pinned stacks, each repository and revision read once.
#[derive(Debug, Default)]
pub struct Pins {
    known: BTreeMap<(String, String), Found>,
}

/// What came of looking for one: what its paths begin with and its files, or why there are none.
type Found = std::result::Result<(String, Arc<RevisionTree>), Box<Unavailable>>;

/// Why a pinned repository cannot be read, and what makes it available.
#[derive(Clone, Debug)]
struct Unavailable {
    message: String,
    help: String,
}

/// A pinned stack that can be read: where its files begin for a reader, and they.
pub type Pinned = (String, RevisionSources);

impl Pins {
    /// The files of a pinned stack's repository, or what is wrong with the pin.
    ///
    /// # Errors
    /// Threads that cannot be had.
    pub fn open(&mut self, root: &Path, pin: &PinnedStack) -> Result<Result<Pinned, Box<Finding>>> {
        let key = (pin.repo.value.clone(), pin.rev.value.clone());
        if !self.known.contains_key(&key) {
            let found = find(root, pin)?;
            self.known.insert(key.clone(), found);
        }
        let finding = |unavailable: &Unavailable| {
            Box::new(
                Finding::new(Code::InvalidYaml, unavailable.message.clone())
                    .at(&pin.repo.place)
                    .help(unavailable.help.clone()),
            )
        };
        Ok(match self.known.get(&key) {
            Some(Ok((name, tree))) => Ok((name.clone(), RevisionSources::new(Arc::clone(tree), ""))),
            Some(Err(unavailable)) => Err(finding(unavailable)),
            // It was just put there.
            None => Err(finding(&Unavailable { message: "the pin was not looked at".to_owned(), help: String::new() })),
        })
    }
}

/// The last part of a repository's address.
fn base_name(repo: &str) -> &str {
    let name = repo.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(repo);
    name.strip_suffix(".git").filter(|name| !name.is_empty()).unwrap_or(name)
}

/// Where `laconic deploy fetch` puts a revision of a repository, beside laconic.yml. Two repositories of one name have two
/// places.
pub fn fetched_place(pin: &PinnedStack) -> PathBuf {
    let (repo, rev) = (pin.repo.value.as_str(), pin.rev.value.as_str());
    let digest = Digest::of_bytes(format!("{repo}\0{rev}").as_bytes()).short();
    let plain = |text: &str| -> String {
        text.chars().map(|one| if one.is_ascii_alphanumeric() || "._-".contains(one) { one } else { '-' }).collect()
    };
    PathBuf::from(CLONES).join("fetched").join(format!("{}@{}-{digest}", plain(base_name(repo)), plain(rev)))
}

/// A pin as people call it: the repository's name and the revision.
pub fn shown(pin: &PinnedStack) -> String {
    format!("{}@{}", base_name(&pin.repo.value), pin.rev.value)
}

/// Whether a repository is named by a path of this host.
pub fn is_path(repo: &str) -> bool {
    repo.starts_with('/') || repo.starts_with('.') || !(repo.contains(':') || repo.contains("//"))
}

fn find(root: &Path, pin: &PinnedStack) -> Result<Found> {
    let (repo, rev) = (pin.repo.value.as_str(), pin.rev.value.as_str());
    let name = base_name(repo);
    let fetched = root.join(fetched_place(pin));
    let clone = if is_path(repo) {
        PathBuf::from(join_path(&root.display().to_string(), repo))
    } else {
        let [own, all] = [format!("{CLONES}/{name}@{rev}"), format!("{CLONES}/{name}")].map(|path| root.join(path));
        let submodule = || submodule(root, repo).filter(|path| path.join(".git").exists());
        let cloned = [own, fetched.clone(), all].into_iter().find(|path| path.is_dir());
        cloned.or_else(submodule).unwrap_or_else(|| root.join(CLONES).join(name))
    };
    let shown = clone.strip_prefix(root).unwrap_or(&clone).display().to_string();
    if clone == fetched {
        return read_fetched(&clone, &shown, pin);
    }
    if !clone.is_dir() {
        let (message, help) = if is_path(repo) {
            (format!("the repository `{repo}` is not there"), "correct the path, or clone it there".to_owned())
        } else {
            (
                format!("`{repo}` is not here, and plans fetch nothing"),
                format!("fetch it: laconic deploy fetch; or clone it: git clone --no-checkout {repo} {shown}"),
            )
        };
        return Ok(Err(Box::new(Unavailable { message, help })));
    }
    let runtime = runtime()?;
    let git = Git::default();
    let commit = match runtime.block_on(git.commit(&clone, rev)) {
        Ok(commit) => commit,
        Err(error) => {
            let is_refused = matches!(error, crate::wire::GitError::Refused { .. });
            let message = if is_refused { format!("`{rev}` is no revision of {shown}") } else { error.to_string() };
            let help = if is_path(repo) {
                format!("correct `rev`, or make it available: git -C {shown} fetch origin {rev}")
            } else {
                format!("correct `rev`, or fetch it: laconic deploy fetch, or git -C {shown} fetch origin {rev}")
            };
            return Ok(Err(Box::new(Unavailable { message, help })));
        }
    };
    Ok(match RevisionTree::read(&clone, &commit)? {
        Ok(tree) => Ok((format!("{name}@{rev}"), Arc::new(tree))),
        Err(error) => {
            let help = format!("look at the clone: git -C {shown} fsck");
            Err(Box::new(Unavailable { message: error.to_string(), help }))
        }
    })
}

/// What `laconic deploy fetch` has put there.
fn read_fetched(place: &Path, shown: &str, pin: &PinnedStack) -> Result<Found> {
    let rev = pin.rev.value.as_str();
    let commit = runtime()?.block_on(Git::default().fetched(place));
    let damaged = |message: String| {
        let help = "fetch it again: laconic deploy fetch --update".to_owned();
        Ok(Err(Box::new(Unavailable { message, help })))
    };
    let commit = match commit {
        Ok(Some(commit)) => commit,
        Ok(None) => return damaged(format!("what was fetched to {shown} is not whole")),
        Err(error) => return damaged(error.to_string()),
    };
    if is_object_name(rev) && !commit.eq_ignore_ascii_case(rev) {
        return damaged(format!("{shown} holds {commit}, not {rev}"));
    }
    match RevisionTree::read(place, &commit)? {
        Ok(tree) => Ok(Ok((self::shown(pin), Arc::new(tree)))),
        Err(error) => damaged(error.to_string()),
    }
}

/// The path of the submodule with that address, as .gitmodules says it.
fn submodule(root: &Path, repo: &str) -> Option<PathBuf> {
    let text = std::fs::read_to_string(root.join(".gitmodules")).ok()?;
    let mut path = None;
    let mut is_it = false;
    let mut found = None;
    for line in text.lines().map(str::trim).chain(["["]) {
        if line.starts_with('[') {
            if is_it {
                found = found.or(path.take());
            }
            (path, is_it) = (None, false);
        } else if let Some((key, value)) = line.split_once('=') {
            match key.trim() {
                "path" => path = Some(value.trim().to_owned()),
                "url" => is_it = value.trim() == repo,
                _ => {}
            }
        }
    }
    found.map(|path| root.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_called_as_git_would_clone_it() {
        let names =
            ["https://git.example.com/a/stacks.git", "git@git.example.com:a/stacks.git", "../stacks/", "stacks"];
        for name in names {
            assert_eq!(base_name(name), "stacks", "{name}");
        }
        assert!(is_path("../stacks") && is_path("/srv/stacks") && is_path("vendor/stacks"));
        assert!(!is_path("https://git.example.com/stacks") && !is_path("git@git.example.com:stacks.git"));
    }

    #[test]
    fn a_submodule_is_found_by_its_address() {
        let place = tempfile::tempdir().unwrap();
        let text = "[submodule \"a\"]\n\turl = https://x/a.git\n\tpath = one\n[submodule \"b\"]\n\tpath = two\n\turl = https://x/b.git\n";
        std::fs::write(place.path().join(".gitmodules"), text).unwrap();
        assert_eq!(submodule(place.path(), "https://x/a.git"), Some(place.path().join("one")));
        assert_eq!(submodule(place.path(), "https://x/b.git"), Some(place.path().join("two")));
        assert_eq!(submodule(place.path(), "https://x/c.git"), None);
    }
}
