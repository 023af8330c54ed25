//! Locks of scopes: `flock` on a file that holds nothing, and beside it one file per holder that says who it is.
//!
//! The kernel lets go of a lock when its process ends, however it ends. The holders' files are for people only: one that
//! was left behind by a dead process never keeps anybody out.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use laconic_engine::apply::ports::{LockGuard, LockHolder, LockMode};
use laconic_engine::value::hexadecimal;

use crate::disk::Disk;
use crate::timestamp;

/// The file that is locked.
pub const LOCK: &str = ".lock";
/// The directory of the holders' files.
pub const HOLDERS: &str = ".lock-holders";

/// Asking who holds a lock takes it for a moment; an operation that meets such a moment tries again.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(15);

/// Who holds a scope, as far as can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockReport {
    /// How it is held; `None` when it is free.
    pub mode: Option<LockMode>,
    /// Those that hold it.
    pub holders: Vec<LockHolder>,
    /// Those that died without saying so: their operation was interrupted.
    pub dead: Vec<LockHolder>,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Somebody holds it.
    Held(Option<Box<LockHolder>>),
    /// The system would not give it.
    System(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A lock that is held.
#[derive(Debug)]
pub struct HeldLock {
    /// Closing it lets go.
    _file: File,
    holder: PathBuf,
}

impl LockGuard for HeldLock {}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // The lock goes with the file; a holder's file that cannot be removed is known to be dead.
        let _ = fs::remove_file(&self.holder);
    }
}

fn try_lock(file: &File, mode: LockMode) -> io::Result<bool> {
    let result = match mode {
        LockMode::Exclusive => file.try_lock(),
        LockMode::Shared => file.try_lock_shared(),
    };
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the file that has the name is the one that was opened: an unlock by force may have put another in its place.
fn has_name(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the lock of a directory, which is made when it is not there.
///
/// # Errors
/// When somebody holds it, or what the system says.
pub fn acquire(disk: &Disk, directory: &Path, mode: LockMode, operation: &str) -> Result<HeldLock, LockError> {
    disk.create_directory(directory)?;
    let path = directory.join(LOCK);
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        let file = disk.open(&path)?;
        if try_lock(&file, mode)? && has_name(&file, &path)? {
            let holder = write_holder(disk, directory, mode, operation)?;
            return Ok(HeldLock { _file: file, holder });
        }
    }
    Err(LockError::Held(report(directory)?.holders.into_iter().next().map(Box::new)))
}

fn write_holder(disk: &Disk, directory: &Path, mode: LockMode, operation: &str) -> io::Result<PathBuf> {
    let holders = directory.join(HOLDERS);
    disk.create_directory(&holders)?;
    for (path, holder) in read_holders(directory)? {
        // Whoever has it exclusively is alone: every file of another is a dead one's.
        if mode == LockMode::Exclusive || !may_be_alive(&holder) {
            disk.remove(&path)?;
        }
    }
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let path = holders.join(format!("{}-{}.json", std::process::id(), hexadecimal(&random)));
    let holder = this_process(operation);
    disk.replace(&path, &serde_json::to_vec(&holder)?, &|| Ok(()))?;
    Ok(path)
}

/// This process as a holder.
#[must_use]
pub fn this_process(operation: &str) -> LockHolder {
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    LockHolder {
        user: user
            .filter(|user| !user.is_empty())
            .unwrap_or_else(|| format!("user id {}", rustix::process::getuid().as_raw())),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        process: std::process::id(),
        boot: boot_id(),
        since: timestamp::now(),
        operation: operation.to_owned(),
    }
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Whether a holder may still run: it is of this boot and its process is there, or it is of another host, of whose
/// processes nothing is known here.
#[must_use]
pub fn may_be_alive(holder: &LockHolder) -> bool {
    let here = this_process("");
    if holder.host != here.host {
        return true;
    }
    let process = i32::try_from(holder.process).ok().and_then(rustix::process::Pid::from_raw);
    holder.boot == here.boot
        && process
            .is_some_and(|process| !matches!(rustix::process::test_kill_process(process), Err(rustix::io::Errno::SRCH)))
}

/// Every holder's file that can be read, oldest first.
fn read_holders(directory: &Path) -> io::Result<Vec<(PathBuf, LockHolder)>> {
    let entries = match fs::read_dir(directory.join(HOLDERS)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut holders = Vec::new();
    for entry in entries {
        let path = entry?.path();
        // A file that vanished or is being written says nothing; that is no reason to fail.
        if let Some(holder) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<LockHolder>(&bytes).ok()) {
            holders.push((path, holder));
        }
    }
    holders.sort_by(|(_, left), (_, right)| left.since.cmp(&right.since));
    Ok(holders)
}

/// Who holds the lock of a directory.
///
/// # Errors
/// The system's.
pub fn report(directory: &Path) -> io::Result<LockReport> {
    let file = match File::open(directory.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LockReport::default()),
        Err(error) => return Err(error),
    };
    let mode = if try_lock(&file, LockMode::Exclusive)? {
        None
    } else if try_lock(&file, LockMode::Shared)? {
        Some(LockMode::Shared)
    } else {
        Some(LockMode::Exclusive)
    };
    drop(file);
    let all = read_holders(directory)?.into_iter().map(|(_, holder)| holder);
    let (holders, dead): (Vec<_>, Vec<_>) = all.partition(|holder| mode.is_some() && may_be_alive(holder));
    // Processes of another container are not seen here although they hold the lock.
    if mode.is_some() && holders.is_empty() {
        return Ok(LockReport { mode, holders: dead, dead: Vec::new() });
    }
    Ok(LockReport { mode, holders, dead })
}

/// Lets the next one in although somebody seems to hold the lock. A holder that is alive does not notice.
///
/// # Errors
/// The system's.
pub fn force(disk: &Disk, directory: &Path) -> io::Result<()> {
    for (path, _) in read_holders(directory)? {
        disk.remove(&path)?;
    }
    disk.remove(&directory.join(LOCK))
}
