//! Directories of this host on their way to another place: by a rename, which happens at once or not at all, and which
//! never replaces anything but an empty directory.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use laconic_engine::apply::EnactError;
use rustix::fs::{Access, AtFlags, CWD, StatxFlags};

/// Moves a directory to a place where nothing is. One that is there no more, where its new place is, was moved before.
pub(super) fn relocate(from: &Path, to: &Path) -> Result<(), EnactError> {
    if is_missing(from) && to.is_dir() {
        return Ok(());
    }
    if let Some(why) = obstacle(Some(from), to) {
        return Err(refused(from, to, &why));
    }
    let failed = |error: io::Error| refused(from, to, &plain(&error));
    let parent = to.parent().unwrap_or_else(|| Path::new("/"));
    fs::create_dir_all(parent).map_err(failed)?;
    fs::rename(from, to).map_err(failed)?;
    for directory in [Some(parent), from.parent()].into_iter().flatten() {
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    }
    Ok(())
}

fn refused(from: &Path, to: &Path, why: &str) -> EnactError {
    EnactError::Refused(format!("{} is not moved to {}: {why}", from.display(), to.display()))
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => "something is in it already".to_owned(),
        ErrorKind::CrossesDevices => OTHER_FILE_SYSTEM.to_owned(),
        _ => error.to_string(),
    }
}

const OTHER_FILE_SYSTEM: &str = "they are on different file systems or mounts; choose an umbrella where the data is";

fn is_missing(path: &Path) -> bool {
    matches!(fs::symlink_metadata(path), Err(error) if error.kind() == ErrorKind::NotFound)
}

/// What would keep a directory from being moved now.
pub(super) fn obstacle(from: Option<&Path>, to: &Path) -> Option<String> {
    if let Some(found) = occupied(to) {
        return Some(found);
    }
    let ancestor = to.ancestors().skip(1).find(|path| !is_missing(path))?;
    if !ancestor.is_dir() {
        return Some(format!("{} is no directory", ancestor.display()));
    }
    let from = from?;
    match fs::symlink_metadata(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Some("there is no such directory here".to_owned()),
        Err(error) => return Some(error.to_string()),
        Ok(found) if found.is_symlink() => {
            return Some("it is a link: write the path that it leads to, or move the data by hand".to_owned());
        }
        Ok(found) if found.file_type().is_block_device() || !found.is_dir() => {
            return Some("it is no directory".to_owned());
        }
        Ok(_) => {}
    }
    if to.starts_with(from) {
        return Some("its new place is in it".to_owned());
    }
    let parent = from.parent()?;
    let mounts = [from, parent, ancestor].map(mount_of);
    if mounts.iter().any(|mount| mount.is_none() || *mount != mounts[0]) {
        return Some(OTHER_FILE_SYSTEM.to_owned());
    }
    let closed = [from, parent, ancestor].into_iter().find(|path| rustix::fs::access(*path, Access::WRITE_OK).is_err());
    closed.map(|path| format!("{} may not be written to by this user; run it as the one who may", path.display()))
}

/// Why a new place is none.
fn occupied(to: &Path) -> Option<String> {
    let found = fs::symlink_metadata(to).ok()?;
    if !found.is_dir() {
        return Some("something is there already".to_owned());
    }
    match fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
        Ok(true) => None,
        Ok(false) => Some("something is in it already".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// The mount that a path is on: a rename does not leave it, not even to the same file system mounted elsewhere.
fn mount_of(path: &Path) -> Option<(u32, u32, u64)> {
    let found = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
    Some((found.stx_dev_major, found.stx_dev_minor, found.stx_mnt_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_moved_once_and_over_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("shop/data"), place.path().join("srv/shop/data"));
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("file"), "bytes").unwrap();
        assert_eq!(obstacle(Some(&from), &to), None);
        relocate(&from, &to).unwrap();
        relocate(&from, &to).expect("done again it sees that it was done");
        assert_eq!(fs::read_to_string(to.join("file")).unwrap(), "bytes");
        assert!(!from.exists());
        // Somebody makes the old place again: there are two, and neither is given up for the other.
        fs::create_dir(&from).unwrap();
        fs::write(from.join("file"), "other").unwrap();
        assert!(relocate(&from, &to).unwrap_err().to_string().contains("something is in it already"));
        assert_eq!(fs::read_to_string(from.join("file")).unwrap(), "other");
        assert_eq!(fs::read_to_string(to.join("file")).unwrap(), "bytes");
    }

    #[test]
    fn an_empty_place_is_taken_and_everything_else_is_an_obstacle() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for name in ["from", "empty", "full/inner"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        std::os::unix::fs::symlink(path("from"), path("link")).unwrap();
        fs::write(path("file"), "").unwrap();
        let says = |from: &str, to: &str| obstacle(Some(&path(from)), &path(to)).unwrap_or_default();
        assert_eq!(says("from", "empty"), "");
        assert_eq!(says("from", "new/deep/place"), "");
        assert_eq!(says("from", "full"), "something is in it already");
        assert_eq!(says("from", "file"), "something is there already");
        assert_eq!(says("from", "link"), "something is there already");
        assert_eq!(says("link", "new").split(':').next(), Some("it is a link"));
        assert_eq!(says("file", "new"), "it is no directory");
        assert_eq!(says("missing", "new"), "there is no such directory here");
        assert_eq!(says("from", "from/inner"), "its new place is in it");
        assert!(says("from", "file/inner").contains("is no directory"));
        assert_eq!(
            obstacle(Some(Path::new("/proc/self")), &path("new")).unwrap().split(':').next(),
            Some("it is a link")
        );
        assert_eq!(obstacle(Some(Path::new("/proc/fs")), &path("new")).as_deref(), Some(OTHER_FILE_SYSTEM));
        assert_eq!(obstacle(None, &path("new")), None);
        assert!(obstacle(None, &path("full")).is_some());
        relocate(&path("from"), &path("empty")).unwrap();
    }
}
