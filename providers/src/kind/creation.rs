//! The creation of a cluster as it is written down beside it: whether one was begun, and whether it came to its end.
//!
//! kind takes half a minute to make a cluster, and may be killed in the middle, with us or without us. What it leaves
//! behind looks like a cluster. Two facts tell: the file written before kind is started and removed after it ended well,
//! and the lock on a file that is kind's standard input, which lasts for as long as kind does, whatever becomes of us.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::KindError;

/// How often a held lock is looked at again.
const POLL: Duration = Duration::from_millis(250);

/// The creation of one cluster.
#[derive(Clone, Debug)]
pub struct Creation {
    cluster: String,
    directory: PathBuf,
}

/// What is written down before kind is started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The id of the daemon the cluster is made on.
    pub daemon: String,
    /// What is to be made: the attributes of the kind configuration.
    pub attributes: Value,
}

impl Creation {
    /// The creation of a cluster, written down in a directory of its own.
    #[must_use]
    pub fn new(cluster: &str, directory: PathBuf) -> Self {
        Self { cluster: cluster.to_owned(), directory }
    }

    /// Where the configuration goes.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.directory.join("kind.yaml")
    }

    /// Where kind puts the kubeconfig: never into anybody's own.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// Where what kind says goes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.directory.join("kind.log")
    }

    /// The file whose lock kind holds.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.directory.join("lock")
    }

    fn progress_file(&self) -> PathBuf {
        self.directory.join("creation.json")
    }

    /// What was begun on that daemon and did not come to its end: kind's last step is to write the kubeconfig, whether
    /// somebody is there to hear of it or not.
    ///
    /// # Errors
    /// A file that cannot be read: nothing is concluded from that.
    pub fn unfinished(&self, daemon: &str) -> Result<Option<Progress>, KindError> {
        let begun = self.begun(daemon)?;
        Ok(begun.filter(|_| !std::fs::metadata(self.kubeconfig()).is_ok_and(|file| file.len() > 0)))
    }

    /// What was begun on that daemon, and whose end nobody has written down.
    ///
    /// # Errors
    /// A file that cannot be read: nothing is concluded from that.
    pub fn begun(&self, daemon: &str) -> Result<Option<Progress>, KindError> {
        let path = self.progress_file();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure(&path, "read", &error)),
        };
        // Half a file means that kind was not started: it is whole before that happens.
        let progress: Option<Progress> = serde_json::from_slice(&text).ok();
        Ok(progress.filter(|progress| progress.daemon == daemon))
    }

    /// Writes down that a creation begins, with its configuration.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn begin(&self, progress: &Progress) -> Result<(), KindError> {
        self.make_directory()?;
        self.remove(&self.kubeconfig())?;
        let configuration = laconic_engine::compile::kind_config(&progress.attributes);
        self.write(&self.configuration(), configuration.as_bytes())?;
        let text = serde_json::to_vec(progress).map_err(|error| KindError::Failed { said: error.to_string() })?;
        self.write(&self.progress_file(), &text)
    }

    /// Writes down that it ended, one way or the other: nothing of it is left to be found.
    ///
    /// # Errors
    /// Files that cannot be removed.
    pub fn end(&self) -> Result<(), KindError> {
        self.remove(&self.kubeconfig())?;
        self.remove(&self.progress_file())
    }

    /// Takes the lock, waiting for a kind that still works on the cluster.
    ///
    /// # Errors
    /// [`KindError::Busy`] when it does not end in time.
    pub async fn lock(&self, limit: Duration) -> Result<File, KindError> {
        self.make_directory()?;
        let path = self.lock_file();
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failure(&path, "opened", &error))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if begun.elapsed() < limit => tokio::time::sleep(POLL).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(KindError::Busy {
                        cluster: self.cluster.clone(),
                        seconds: limit.as_secs(),
                        lock: path.display().to_string(),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(failure(&path, "locked", &error)),
            }
        }
    }

    fn make_directory(&self) -> Result<(), KindError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(|error| failure(&self.directory, "created", &error))
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<(), KindError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        options
            .open(path)
            .and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            })
            .map_err(|error| failure(path, "written", &error))
    }

    fn remove(&self, path: &Path) -> Result<(), KindError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failure(path, "removed", &error)),
            _ => Ok(()),
        }
    }
}

fn failure(path: &Path, verb: &'static str, error: &io::Error) -> KindError {
    let text = error.to_string();
    let detail = text.split(" (os error ").next().unwrap_or_default().to_lowercase();
    KindError::File { path: path.display().to_string(), verb, detail }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    fn creation() -> (tempfile::TempDir, Creation) {
        let place = tempfile::tempdir().unwrap();
        let creation = Creation::new("main", place.path().join("main/kind"));
        (place, creation)
    }

    fn progress(daemon: &str) -> Progress {
        Progress { daemon: daemon.to_owned(), attributes: json!({"name": "main"}) }
    }

    #[test]
    fn what_was_begun_is_unfinished_until_it_ends_and_on_its_daemon_only() {
        let (_place, creation) = creation();
        assert_eq!(creation.unfinished("d1").unwrap(), None);
        creation.begin(&progress("d1")).unwrap();
        assert_eq!(creation.unfinished("d1").unwrap(), Some(progress("d1")));
        assert_eq!(creation.unfinished("d2").unwrap(), None);
        std::fs::write(creation.kubeconfig(), "x").unwrap();
        assert_eq!(creation.unfinished("d1").unwrap(), None);
        assert_eq!(creation.begun("d1").unwrap(), Some(progress("d1")));
        creation.begin(&progress("d1")).unwrap();
        let again = creation.unfinished("d1").unwrap();
        assert_eq!(again, Some(progress("d1")), "an old kubeconfig says nothing of a new creation");
        creation.end().unwrap();
        assert_eq!(creation.unfinished("d1").unwrap(), None);
    }

    #[test]
    fn nobody_else_reads_it() {
        let (_place, creation) = creation();
        creation.begin(&progress("d1")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&creation.directory), 0o700);
        assert_eq!(mode(&creation.configuration()), 0o600);
    }

    #[tokio::test]
    async fn a_lock_that_somebody_holds_is_waited_for() {
        let (_place, creation) = creation();
        let held = creation.lock(Duration::ZERO).await.unwrap();
        // What a child is given is the same open file: it keeps the lock when we are gone.
        let inherited = held.try_clone().unwrap();
        drop(held);
        assert!(matches!(creation.lock(Duration::ZERO).await, Err(KindError::Busy { .. })));
        drop(inherited);
        creation.lock(Duration::ZERO).await.unwrap();
    }
}
