//! Fetching one revision of another repository.

use std::path::Path;
use std::time::Duration;

use super::{Git, GitError, Input, refused};

/// How long a fetch may take.
const LIMIT: Duration = Duration::from_secs(900);
/// The repository is the directory itself, whatever the environment says of another one: a hook of git has that.
const HERE: &str = "--git-dir=.";
/// What the fetched commit is called in its repository, whatever its name is elsewhere.
const PINNED: &str = "refs/laconic/pinned";

impl Git {
    /// Makes a bare repository of one revision at `place`, an empty directory, and says which commit that revision is. What the
    /// other side does not give by name is looked for in everything that it has.
    ///
    /// # Errors
    /// An address that does not answer, a revision that it does not have, or a commit that is another one than was asked for.
    pub async fn fetch(&self, address: &str, revision: &str, place: &Path) -> Result<String, GitError> {
        self.ask(place, &[HERE, "init", "--quiet", "--bare", "--template="], Input::Nothing).await?;
        let one = [HERE, "fetch", "--quiet", "--depth=1", "--no-tags", "--end-of-options", address, revision];
        let outcome = self.run_within(LIMIT, place, &one, Input::Nothing).await?;
        let commit = if outcome.is_success() {
            self.commit_here(place, "FETCH_HEAD").await?
        } else {
            let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
            let everything = [HERE, "fetch", "--quiet", "--no-tags", "--end-of-options", address, all[0], all[1]];
            let outcome = self.run_within(LIMIT, place, &everything, Input::Nothing).await?;
            if !outcome.is_success() {
                return Err(refused(place, &everything, &outcome));
            }
            self.commit_here(place, revision).await?
        };
        if is_object_name(revision) && !commit.starts_with(&revision.to_ascii_lowercase()) {
            return Err(GitError::OtherCommit { revision: revision.to_owned(), commit });
        }
        self.ask(place, &[HERE, "update-ref", PINNED, &commit], Input::Nothing).await?;
        Ok(commit)
    }

    async fn commit_here(&self, place: &Path, revision: &str) -> Result<String, GitError> {
        let wanted = format!("{revision}^{{commit}}");
        self.line(place, &[HERE, "rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).await
    }

    /// The commit that was fetched into a repository; `None` when it is not one that [`Git::fetch`] made, or lacks a part.
    ///
    /// # Errors
    /// git does not run.
    pub async fn fetched(&self, place: &Path) -> Result<Option<String>, GitError> {
        match self.commit_here(place, PINNED).await {
            Ok(commit) => Ok(Some(commit)),
            Err(GitError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether a revision is the whole name of a commit, which can be no other one.
#[must_use]
pub fn is_object_name(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::super::tests::git;
    use super::*;

    /// A repository with two commits, the first tagged.
    async fn origin() -> (tempfile::TempDir, String, [String; 2]) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        git(root, &["init", "-q", "-b", "main"]).await;
        let mut commits = Vec::new();
        for text in ["one", "two"] {
            std::fs::write(root.join("stack.yml"), text).unwrap();
            git(root, &["add", "-A"]).await;
            git(root, &["commit", "-q", "-m", text]).await;
            commits.push(Git::default().commit(root, "HEAD").await.unwrap());
            if text == "one" {
                git(root, &["tag", "-a", "v1", "-m", "the first"]).await;
            }
        }
        let address = format!("file://{}", root.display());
        (place, address, commits.try_into().unwrap())
    }

    #[tokio::test]
    async fn a_revision_is_fetched_by_every_name_it_has() {
        let (_origin, address, [first, second]) = origin().await;
        let names = [
            ("v1", &first),
            ("main", &second),
            (first.as_str(), &first),
            (&first[..10], &first),
            (&second[..10], &second),
        ];
        for (name, commit) in names {
            let place = tempfile::tempdir().unwrap();
            let git = Git::default();
            assert_eq!(git.fetched(place.path()).await.unwrap(), None, "{name}");
            assert_eq!(git.fetch(&address, name, place.path()).await.unwrap(), *commit, "{name}");
            assert_eq!(git.fetched(place.path()).await.unwrap().as_ref(), Some(commit), "{name}");
            let tree = git.tree(place.path(), commit).await.unwrap();
            let objects: Vec<(String, u64)> = tree.iter().map(|entry| (entry.id.clone(), entry.size)).collect();
            let text = if *commit == first { "one" } else { "two" };
            assert_eq!(git.contents(place.path(), &objects).await.unwrap(), [text.as_bytes().to_vec()], "{name}");
        }
    }

    #[tokio::test]
    async fn what_the_other_side_does_not_have_is_said() {
        let (origin, address, _) = origin().await;
        let missing = "0123456789012345678901234567890123456789";
        for (address, revision) in
            [(address.as_str(), "v2"), (&address, missing), ("file:///nowhere/at/all", "main"), (&address, "--help")]
        {
            let place = tempfile::tempdir().unwrap();
            Git::default().fetch(address, revision, place.path()).await.unwrap_err();
        }
        // The whole name of something that is no commit, and leads to one.
        let tag = Git::default().line(origin.path(), &["rev-parse", "v1"]).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let error = Git::default().fetch(&address, &tag, place.path()).await.unwrap_err();
        assert!(matches!(error, GitError::OtherCommit { .. }), "{error}");
    }
}
