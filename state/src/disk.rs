//! The few things done to the disk, each in one place, so that tests can let any of them fail.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The prefix of files that are being written and were not yet given their name.
pub const UNFINISHED: &str = ".new-";

/// One thing done to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskOperation {
    /// A directory is made.
    CreateDirectory,
    /// A file is made.
    CreateFile,
    /// Bytes are written. When the hook refuses, half of them still are, as on a full disk.
    Write,
    /// A file is made durable.
    Sync,
    /// A directory is made durable.
    SyncDirectory,
    /// A file is cut to a length.
    Truncate,
    /// A file gets a second name.
    Link,
    /// A file or directory gets another name.
    Rename,
    /// A file is removed.
    Remove,
}

/// Asked before each operation; an error keeps it from happening and is reported as the system's.
pub type FaultHook = Arc<dyn Fn(DiskOperation, &Path) -> io::Result<()> + Send + Sync>;

/// A hook for tests: the first `count` operations work, every later one finds the disk full.
#[must_use]
pub fn fail_after(count: usize) -> FaultHook {
    let done = AtomicUsize::new(0);
    Arc::new(
        move |_, _| {
            if done.fetch_add(1, Ordering::SeqCst) < count { Ok(()) } else { Err(rustix::io::Errno::NOSPC.into()) }
        },
    )
}

/// The disk, with a hook for tests.
#[derive(Clone, Default)]
pub struct Disk {
    hook: Option<FaultHook>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.hook.is_some() { "Disk(with a fault hook)" } else { "Disk" })
    }
}

impl Disk {
    /// A disk that asks `hook` before each operation.
    #[must_use]
    pub fn with_hook(hook: FaultHook) -> Self {
        Self { hook: Some(hook) }
    }

    fn ask(&self, operation: DiskOperation, path: &Path) -> io::Result<()> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook(operation, path))
    }

    /// Makes a directory and its parents, readable by us only.
    ///
    /// # Errors
    /// The system's.
    pub fn create_directory(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.ask(DiskOperation::CreateDirectory, path)?;
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Opens a file for reading and writing and makes it when it is not there, readable by us only.
    ///
    /// # Errors
    /// The system's.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        self.ask(DiskOperation::CreateFile, path)?;
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
    }

    /// Writes bytes at the file's position.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Err(refusal) = self.ask(DiskOperation::Write, path) {
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(refusal);
        }
        file.write_all(bytes)
    }

    /// Makes a file's bytes durable.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.ask(DiskOperation::Sync, path)?;
        file.sync_data()
    }

    /// Cuts a file to a length.
    ///
    /// # Errors
    /// The system's.
    pub fn truncate(&self, file: &File, path: &Path, length: u64) -> io::Result<()> {
        self.ask(DiskOperation::Truncate, path)?;
        file.set_len(length)
    }

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// The system's.
    pub fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.ask(DiskOperation::SyncDirectory, path)?;
        File::open(path)?.sync_all()
    }

    /// Renames a file or directory.
    ///
    /// # Errors
    /// The system's.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(DiskOperation::Rename, to)?;
        fs::rename(from, to)
    }

    /// Gives a file a second name in place of whatever had it; a copy where the file system knows no hard links.
    ///
    /// # Errors
    /// The system's.
    pub fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(DiskOperation::Link, to)?;
        self.remove(to)?;
        match fs::hard_link(from, to) {
            Ok(()) => Ok(()),
            Err(_) => fs::copy(from, to).map(|_| ()),
        }
    }

    /// Removes a file; finding none is success.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(DiskOperation::Remove, path)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Puts a file in place whole or not at all: written beside it, made durable, then renamed. `before` runs when
    /// the new bytes are safe and the old file still has its name. The directory is made durable by the caller.
    ///
    /// # Errors
    /// The system's; the old file is untouched then.
    pub fn replace(&self, path: &Path, bytes: &[u8], before: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        let directory = path.parent().unwrap_or_else(|| Path::new("."));
        self.ask(DiskOperation::CreateFile, path)?;
        // The crate makes these files readable by us only.
        let mut unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
        self.write(unfinished.as_file_mut(), path, bytes)?;
        self.sync(unfinished.as_file(), path)?;
        before()?;
        let unfinished = unfinished.into_temp_path();
        self.rename(&unfinished, path)?;
        // It has its name now, there is nothing left to clean up.
        let _ = unfinished.keep();
        Ok(())
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// The stamp of a file's metadata.
    #[must_use]
    pub fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// The stamp of the file with that name; `None` when there is none.
    ///
    /// # Errors
    /// The system's.
    pub fn of_path(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file's length.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }
}
