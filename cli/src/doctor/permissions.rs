//! Who may read and write what laconic keeps: states, keys, secrets, kubeconfigs.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Check;

/// Everything but what the owner may.
const OTHERS: u32 = 0o077;

/// The names of files with secrets in them, beside a state.
const SECRETS: [&str; 2] = ["key", "secrets"];

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
}

/// Everything in a directory and below it, the directory first. Links are not followed.
///
/// # Errors
/// A directory that cannot be read, with its path.
pub fn look(directory: &Path) -> Result<Vec<Entry>, (PathBuf, std::io::Error)> {
    let mut entries = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = match std::fs::symlink_metadata(&path) {
            // Somebody works here: what is gone again is no fault.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.map_err(|error| (path.clone(), error))?,
        };
        if metadata.is_symlink() {
            continue;
        }
        entries.push(Entry { path: path.clone(), mode: mode(&metadata) });
        if metadata.is_dir() {
            let listed = std::fs::read_dir(&path).map_err(|error| (path.clone(), error))?;
            let mut below: Vec<PathBuf> = listed.filter_map(Result::ok).map(|entry| entry.path()).collect();
            below.sort();
            waiting.extend(below.into_iter().rev());
        }
    }
    Ok(entries)
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

/// What is made of a directory of state: directories are 0700 and files 0600.
#[must_use]
pub fn judge_private(directory: &Path, seen: &Result<Vec<Entry>, (PathBuf, std::io::Error)>) -> Option<Check> {
    let shown = directory.display();
    let entries = match seen {
        Ok(entries) => entries,
        Err((path, error)) => {
            let found = format!("`{}` cannot be read: {}", path.display(), plain(error));
            return Some(Check::problem(
                "private",
                found,
                format!("become its owner: `sudo chown -R \"$USER\" {shown}`"),
            ));
        }
    };
    let top = entries.first()?;
    // What lies in a directory that nobody else may enter is out of reach; what is laconic's own is private all the same.
    let is_reached = top.mode & OTHERS != 0;
    let open: Vec<&Entry> =
        entries.iter().filter(|entry| entry.mode & OTHERS != 0 && (is_reached || is_ours(&entry.path))).collect();
    let Some(first) = open.first() else {
        return Some(Check::ok("private", format!("{shown} is for its owner alone")));
    };
    let more = if open.len() > 1 { format!(" and {} more", open.len() - 1) } else { String::new() };
    let found = format!("others have permissions on `{}` ({:04o}){more}", first.path.display(), first.mode);
    let help = format!("`chmod -R go-rwx {shown}`");
    let is_secret =
        |entry: &&Entry| entry.path.file_name().is_some_and(|name| SECRETS.iter().any(|secret| name == *secret));
    let exposed = open.iter().copied().filter(is_secret).find(|_| is_reached);
    Some(match exposed {
        Some(secret) => {
            let found = format!("others may read `{}` ({:04o}), which is secret", secret.path.display(), secret.mode);
            Check::problem("private", found, help)
        }
        None => Check::warning("private", found, help),
    })
}

/// Whether a file is one that laconic makes for its owner alone.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    SECRETS.contains(&name.as_str()) || name.starts_with("state.json") || name == "journal.jsonl"
}

/// What is made of the kubeconfig of a deployment.
#[must_use]
pub fn judge_kubeconfig(entry: &Entry) -> Check {
    let shown = entry.path.display();
    if entry.mode & OTHERS == 0 {
        return Check::ok("kubeconfig", format!("{shown} is for its owner alone"));
    }
    let found = format!("others may read {shown} ({:04o}), which has credentials in it", entry.mode);
    Check::problem("kubeconfig", found, format!("`chmod 600 {shown}`"))
}

/// Looks at one file; `None` when it is not there.
#[must_use]
pub fn look_at(path: &Path) -> Option<Entry> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Entry { path: path.to_owned(), mode: mode(&metadata) })
}

/// Whether something can be written in a directory, or in the nearest one above it that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writable {
    /// The directory that was asked about.
    pub directory: PathBuf,
    /// It, or the nearest one above that is there.
    pub nearest: PathBuf,
    /// Whether we may write there.
    pub is_writable: bool,
}

/// Looks whether something can be written in a directory. Nothing is written.
#[must_use]
pub fn look_writable(directory: &Path) -> Writable {
    use rustix::fs::Access;
    let there = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let is_writable = there.is_dir() && rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    Writable { directory: directory.to_owned(), nearest: there.to_owned(), is_writable }
}

/// What is made of it: `what` is kept there, and `way_out` is what to do when it cannot be.
#[must_use]
pub fn judge_writable(what: &str, seen: &Writable, way_out: &str) -> Check {
    let (directory, nearest) = (seen.directory.display(), seen.nearest.display());
    if seen.is_writable {
        return Check::ok("writable", format!("{what} can be written: {directory}"));
    }
    let found = if seen.directory == seen.nearest {
        format!("{what} cannot be written: no permission in {directory}")
    } else {
        format!("{what} cannot be written: {directory} does not exist, and there is no permission in {nearest}")
    };
    Check::problem("writable", found, way_out)
}

fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::doctor::Verdict;

    fn entry(path: &str, mode: u32) -> Entry {
        Entry { path: path.into(), mode }
    }

    fn judged(entries: &[Entry]) -> Check {
        judge_private(Path::new("/d/.laconic"), &Ok(entries.to_vec())).unwrap()
    }

    #[test]
    fn what_others_may_read_is_a_problem_only_when_it_is_secret_and_within_reach() {
        let (top, open) = (entry("/d/.laconic", 0o700), entry("/d/.laconic", 0o755));
        let (state, secret) = (entry("/d/.laconic/state.json", 0o644), entry("/d/.laconic/secrets", 0o640));
        assert_eq!(judged(&[top.clone(), entry("/d/.laconic/key", 0o600)]).verdict, Verdict::Ok);
        assert_eq!(judged(&[top.clone(), entry("/d/.laconic/kind/kind.log", 0o644)]).verdict, Verdict::Ok);
        assert_eq!(judged(&[top.clone(), state.clone()]).verdict, Verdict::Warning);
        assert_eq!(judged(&[top, secret.clone()]).verdict, Verdict::Warning);
        assert_eq!(judged(&[open.clone(), state.clone()]).verdict, Verdict::Warning);
        let exposed = judged(&[open, state, secret]);
        assert_eq!(exposed.verdict, Verdict::Problem);
        assert!(exposed.found.contains("/d/.laconic/secrets` (0640)"), "{exposed:?}");
        assert_eq!(exposed.help, ["`chmod -R go-rwx /d/.laconic`"]);
    }

    #[test]
    fn what_is_not_there_is_not_judged_and_what_cannot_be_read_is_a_problem() {
        let place = tempfile::tempdir().unwrap();
        let seen = look(&place.path().join("none"));
        assert_eq!(judge_private(Path::new("/none"), &seen), None);
        let refused = Err((PathBuf::from("/d/.laconic"), std::io::ErrorKind::PermissionDenied.into()));
        assert_eq!(judge_private(Path::new("/d/.laconic"), &refused).unwrap().verdict, Verdict::Problem);
    }

    #[test]
    fn the_whole_directory_is_looked_at_and_nothing_beyond_a_link() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("state");
        fs::create_dir_all(root.join("contents")).unwrap();
        fs::write(root.join("contents/a"), "").unwrap();
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        let paths: Vec<PathBuf> = look(&root).unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, [root.clone(), root.join("contents"), root.join("contents/a")]);
    }

    #[test]
    fn a_kubeconfig_is_for_its_owner() {
        assert_eq!(judge_kubeconfig(&entry("/d/kubeconfig.yml", 0o600)).verdict, Verdict::Ok);
        let open = judge_kubeconfig(&entry("/d/kubeconfig.yml", 0o640));
        assert_eq!((open.verdict, open.help[0].as_str()), (Verdict::Problem, "`chmod 600 /d/kubeconfig.yml`"));
    }

    #[test]
    fn a_directory_that_is_not_there_is_writable_where_it_would_be_made() {
        let place = tempfile::tempdir().unwrap();
        let seen = look_writable(&place.path().join("a/b"));
        assert_eq!((seen.nearest.as_path(), seen.is_writable), (place.path(), true));
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(!look_writable(&file.join("below")).is_writable);
        let refused = Writable { is_writable: false, ..seen };
        assert_eq!(judge_writable("the state", &refused, "x").verdict, Verdict::Problem);
    }
}
