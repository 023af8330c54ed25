//! Room where the container engine keeps its data.

use super::Check;

/// What a node image and a fresh cluster take.
const NEEDED: u64 = 2 * 1024 * 1024 * 1024;

/// How much is free at a path, for whoever is not root; `None` when it cannot be had.
#[must_use]
pub fn look(path: &str) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// What is made of it. With a cluster here, the room is for images and for what pods write; without one, none can be made.
#[must_use]
pub fn judge(path: &str, free: Option<u64>, has_cluster: bool) -> Check {
    let Some(free) = free else {
        let help = format!("look at it as root: `sudo df -h {path}`");
        return Check::not_checked("disk", format!("how much is free at {path} cannot be read"), help);
    };
    let size = size(free);
    if free >= NEEDED {
        return Check::ok("disk", format!("{size} are free at {path}"));
    }
    let found = format!("only {size} are free at {path}; a new kind cluster needs about {}", self::size(NEEDED));
    let help = "`docker system df` says what takes the room; `docker system prune` removes what nothing uses";
    if has_cluster { Check::warning("disk", found, help) } else { Check::problem("disk", found, help) }
}

/// `1.9 GiB`, `300 MiB`.
fn size(bytes: u64) -> String {
    const MEBIBYTE: u64 = 1024 * 1024;
    let tenths = bytes / MEBIBYTE * 10 / 1024;
    if tenths >= 10 { format!("{}.{} GiB", tenths / 10, tenths % 10) } else { format!("{} MiB", bytes / MEBIBYTE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn room_for_a_cluster_is_wanted_most_where_there_is_none() {
        let verdict = |free, has_cluster| judge("/var/lib/docker", free, has_cluster).verdict;
        assert_eq!(verdict(Some(NEEDED), false), Verdict::Ok);
        assert_eq!(verdict(Some(NEEDED - 1), false), Verdict::Problem);
        assert_eq!(verdict(Some(NEEDED - 1), true), Verdict::Warning);
        assert_eq!(verdict(None, true), Verdict::NotChecked);
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(NEEDED), "2.0 GiB");
        assert_eq!(size(NEEDED - 1), "1.9 GiB");
        assert_eq!(size(300 * 1024 * 1024), "300 MiB");
        assert!(look("/").is_some() && look("/no/such/path").is_none());
    }
}
