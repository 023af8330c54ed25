//! git, as far as files of a revision are read with it. Nothing is checked out, fetched or written but by [`Git::pull`], and by
//! [`Git::fetch`] in a place of its own.

mod fetch;

pub use fetch::is_object_name;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{Input, Invocation, Outcome, ProcessError, Processes};

/// How long one call may take. What is read lies on this host.
const LIMIT: Duration = Duration::from_secs(120);
/// How much one call is asked for at once, so that what it says stays within what is listened to.
const BATCH_BYTES: u64 = 16 * 1024 * 1024;
/// How many objects one call is asked for at once.
const BATCH_OBJECTS: usize = 4096;

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// git did not run to its end.
    #[error("{0}")]
    Process(#[from] ProcessError),
    /// git refused.
    #[error("`{command}` in {directory}: {detail}", directory = .directory.display())]
    Refused {
        /// The command.
        command: String,
        /// Where.
        directory: PathBuf,
        /// What git said.
        detail: String,
    },
    /// What was fetched is another commit than the one that was named.
    #[error("`{revision}` is not the name of a commit there, and leads to {commit}")]
    OtherCommit {
        /// What was named.
        revision: String,
        /// What it is there.
        commit: String,
    },
    /// git answered with something else than was asked for.
    #[error("`{command}` answered with something unexpected")]
    Unexpected {
        /// The command.
        command: String,
    },
}

/// One entry of a revision's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its path from the root of the repository.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// The id of its object.
    pub id: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A symbolic link: its object holds where it points.
    Link,
    /// A commit of another repository, checked out there.
    Submodule,
}

/// git's program.
#[derive(Debug)]
pub struct Git {
    processes: Processes,
}

impl Default for Git {
    fn default() -> Self {
        Self { processes: Processes::real() }
    }
}

impl Git {
    async fn run(&self, directory: &Path, arguments: &[&str], input: Input) -> Result<Outcome, GitError> {
        self.run_within(LIMIT, directory, arguments, input).await
    }

    async fn run_within(
        &self,
        limit: Duration,
        directory: &Path,
        arguments: &[&str],
        input: Input,
    ) -> Result<Outcome, GitError> {
        let mut invocation = Invocation::new("git", &[], limit);
        invocation.arguments = vec!["-C".to_owned(), directory.display().to_string()];
        invocation.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        // Nothing is asked, nothing is fetched, nothing is refreshed on the way.
        for (name, value) in
            [("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0"), ("GIT_NO_LAZY_FETCH", "1"), ("LC_ALL", "C")]
        {
            invocation.environment.push((name.to_owned(), value.to_owned()));
        }
        invocation.input = input;
        Ok(self.processes.run(invocation).await?)
    }

    async fn ask(&self, directory: &Path, arguments: &[&str], input: Input) -> Result<Vec<u8>, GitError> {
        let outcome = self.run(directory, arguments, input).await?;
        if outcome.is_success() { Ok(outcome.stdout) } else { Err(refused(directory, arguments, &outcome)) }
    }

    async fn line(&self, directory: &Path, arguments: &[&str]) -> Result<String, GitError> {
        let bytes = self.ask(directory, arguments, Input::Nothing).await?;
        String::from_utf8(bytes)
            .map(|text| text.trim_end_matches('\n').to_owned())
            .map_err(|_| GitError::Unexpected { command: command(arguments) })
    }

    /// The root of the repository that a directory lies in.
    ///
    /// # Errors
    /// There is none, or it may not be read.
    pub async fn root(&self, directory: &Path) -> Result<PathBuf, GitError> {
        self.line(directory, &["rev-parse", "--show-toplevel"]).await.map(PathBuf::from)
    }

    /// Brings what is checked out up to date with its upstream. Only forwards: what would have to be merged is somebody's
    /// to merge.
    ///
    /// # Errors
    /// No upstream, one that cannot be reached, or commits here that it does not have.
    pub async fn pull(&self, directory: &Path) -> Result<(), GitError> {
        self.ask(directory, &["pull", "--ff-only", "--quiet"], Input::Nothing).await.map(|_| ())
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// It names none here.
    pub async fn commit(&self, directory: &Path, revision: &str) -> Result<String, GitError> {
        let wanted = format!("{revision}^{{commit}}");
        self.line(directory, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).await
    }

    /// Where what is checked out parted from a commit; `None` when that is not known here.
    ///
    /// # Errors
    /// git does not run.
    pub async fn merge_base(&self, directory: &Path, commit: &str) -> Result<Option<String>, GitError> {
        let outcome = self.run(directory, &["merge-base", commit, "HEAD"], Input::Nothing).await?;
        let text = String::from_utf8_lossy(&outcome.stdout).trim().to_owned();
        Ok((outcome.is_success() && !text.is_empty()).then_some(text))
    }

    /// Everything in the tree of a commit, sorted by path as git sorts.
    ///
    /// # Errors
    /// A commit that is not here.
    pub async fn tree(&self, directory: &Path, commit: &str) -> Result<Vec<TreeEntry>, GitError> {
        let arguments = ["ls-tree", "-r", "-z", "--long", "--full-tree", commit];
        let listed = self.ask(directory, &arguments, Input::Nothing).await?;
        let entries = listed.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let mut tree = Vec::new();
        for line in entries {
            // A name that is no text names nothing that anybody could write into a file of ours.
            let Ok(line) = std::str::from_utf8(line) else { continue };
            tree.push(entry(line).ok_or_else(|| GitError::Unexpected { command: command(&arguments) })?);
        }
        Ok(tree)
    }

    /// The contents of objects of known sizes, in their order.
    ///
    /// # Errors
    /// An object that is not here.
    pub async fn contents(&self, directory: &Path, objects: &[(String, u64)]) -> Result<Vec<Vec<u8>>, GitError> {
        let mut contents = Vec::with_capacity(objects.len());
        let mut rest = objects;
        while !rest.is_empty() {
            let mut bytes = 0_u64;
            let mut count = 0;
            for (_, size) in rest.iter().take(BATCH_OBJECTS) {
                bytes = bytes.saturating_add(*size);
                if count > 0 && bytes > BATCH_BYTES {
                    break;
                }
                count += 1;
            }
            let (batch, later) = rest.split_at(count);
            contents.extend(self.batch(directory, batch).await?);
            rest = later;
        }
        Ok(contents)
    }

    async fn batch(&self, directory: &Path, objects: &[(String, u64)]) -> Result<Vec<Vec<u8>>, GitError> {
        let arguments = ["cat-file", "--batch"];
        let ids: String = objects.iter().map(|(id, _)| format!("{id}\n")).collect();
        let said = self.ask(directory, &arguments, Input::Bytes(ids.into_bytes())).await?;
        let unexpected = || GitError::Unexpected { command: command(&arguments) };
        let mut rest = said.as_slice();
        let mut contents = Vec::with_capacity(objects.len());
        for (id, _) in objects {
            // `ID blob SIZE`, the bytes, and a line feed.
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(unexpected)?;
            let (header, after) = rest.split_at(end);
            let header = std::str::from_utf8(header).map_err(|_| unexpected())?;
            let mut words = header.split(' ');
            if words.next() != Some(id) || words.next() != Some("blob") {
                let detail = format!("object {id} is not in this clone");
                return Err(GitError::Refused {
                    command: command(&arguments),
                    directory: directory.to_owned(),
                    detail,
                });
            }
            let size: usize = words.next().and_then(|size| size.parse().ok()).ok_or_else(unexpected)?;
            let after = after.get(1..).ok_or_else(unexpected)?;
            contents.push(after.get(..size).ok_or_else(unexpected)?.to_vec());
            rest = after.get(size + 1..).unwrap_or_default();
        }
        Ok(contents)
    }
}

fn refused(directory: &Path, arguments: &[&str], outcome: &Outcome) -> GitError {
    let complaint = outcome.complaint();
    let detail = complaint.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned();
    GitError::Refused { command: command(arguments), directory: directory.to_owned(), detail }
}

fn command(arguments: &[&str]) -> String {
    format!("git {}", arguments.join(" "))
}

/// `MODE TYPE ID SIZE<tab>PATH`.
fn entry(line: &str) -> Option<TreeEntry> {
    let (head, path) = line.split_once('\t')?;
    let mut words = head.split_ascii_whitespace();
    let kind = match words.next()? {
        "120000" => EntryKind::Link,
        "160000" => EntryKind::Submodule,
        _ => EntryKind::File,
    };
    let (_, id, size) = (words.next()?, words.next()?, words.next()?);
    Some(TreeEntry { path: path.to_owned(), kind, id: id.to_owned(), size: size.parse().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    pub(super) async fn git(directory: &Path, arguments: &[&str]) {
        let mut invocation = Invocation::new("git", &["-c", "user.name=t", "-c", "user.email=t@example.com"], LONG);
        invocation.arguments.extend(["-C".to_owned(), directory.display().to_string()]);
        invocation.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let outcome = Processes::real().run(invocation).await.unwrap();
        assert!(outcome.is_success(), "{arguments:?}: {}", outcome.complaint());
    }

    #[tokio::test]
    async fn a_revision_is_read_without_being_checked_out() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        git(root, &["init", "-q", "-b", "main"]).await;
        std::fs::create_dir(root.join("a")).unwrap();
        std::fs::write(root.join("a/spec.yml"), "one\n").unwrap();
        std::os::unix::fs::symlink("a/spec.yml", root.join("link")).unwrap();
        git(root, &["add", "-A"]).await;
        git(root, &["commit", "-q", "-m", "one"]).await;
        std::fs::write(root.join("a/spec.yml"), "two\n").unwrap();
        let reader = Git::default();
        let commit = reader.commit(root, "main").await.unwrap();
        assert_eq!(reader.merge_base(root, &commit).await.unwrap(), Some(commit.clone()));
        let tree = reader.tree(root, &commit).await.unwrap();
        let shown: Vec<(&str, EntryKind, u64)> =
            tree.iter().map(|entry| (entry.path.as_str(), entry.kind, entry.size)).collect();
        assert_eq!(shown, [("a/spec.yml", EntryKind::File, 4), ("link", EntryKind::Link, 10)]);
        let objects: Vec<(String, u64)> = tree.iter().map(|entry| (entry.id.clone(), entry.size)).collect();
        let contents = reader.contents(root, &objects).await.unwrap();
        assert_eq!(contents, [b"one\n".to_vec(), b"a/spec.yml".to_vec()]);
        assert_eq!(reader.root(&root.join("a")).await.unwrap(), root.canonicalize().unwrap());
    }

    #[tokio::test]
    async fn a_pull_only_goes_forwards() {
        let place = tempfile::tempdir().unwrap();
        let (there, here) = (place.path().join("there"), place.path().join("here"));
        std::fs::create_dir(&there).unwrap();
        git(&there, &["init", "-q", "-b", "main"]).await;
        let commit = async |at: &Path, text: &str| {
            std::fs::write(at.join("spec.yml"), text).unwrap();
            git(at, &["add", "-A"]).await;
            git(at, &["commit", "-q", "-m", text]).await;
        };
        commit(&there, "one").await;
        git(place.path(), &["clone", "-q", "there", "here"]).await;
        commit(&there, "two").await;
        Git::default().pull(&here).await.unwrap();
        assert_eq!(std::fs::read_to_string(here.join("spec.yml")).unwrap(), "two");
        commit(&there, "three").await;
        commit(&here, "mine").await;
        Git::default().pull(&here).await.unwrap_err();
        assert_eq!(std::fs::read_to_string(here.join("spec.yml")).unwrap(), "mine");
    }

    #[tokio::test]
    async fn what_is_not_there_is_said() {
        let place = tempfile::tempdir().unwrap();
        let reader = Git::default();
        let error = reader.root(place.path()).await.unwrap_err();
        assert!(error.to_string().contains("not a git repository"), "{error}");
        git(place.path(), &["init", "-q"]).await;
        for revision in ["none", "--help", ""] {
            reader.commit(place.path(), revision).await.unwrap_err();
        }
        let missing = ("0123456789012345678901234567890123456789".to_owned(), 1);
        let error = reader.contents(place.path(), &[missing]).await.unwrap_err();
        assert!(error.to_string().contains("is not in this clone"), "{error}");
    }
}
