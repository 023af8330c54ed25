//! Directories of this host that a cluster mounts, and whether mounts below them reach into it.
//!
//! Every extraMount is made with `propagation: HostToContainer`. Docker refuses that for a path whose mount point is private:
//! "is mounted on … but it is not a shared or slave mount".

use std::path::{Path, PathBuf};

use super::Check;

/// How what is mounted elsewhere shows at a mount point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Both ways.
    Shared,
    /// From the host to it.
    Slave,
    /// Not at all.
    Private,
}

/// A line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// Where.
    pub path: PathBuf,
    /// How.
    pub propagation: Propagation,
}

/// Reads `/proc/self/mountinfo`. Lines that are none are left out.
#[must_use]
pub fn parse(text: &str) -> Vec<MountPoint> {
    text.lines().filter_map(mount_point).collect()
}

/// `36 35 98:0 /root /mnt/point rw,noatime master:1 shared:2 - ext4 /dev/sda1 rw`: what is between the options and the dash
/// says how mounts propagate.
fn mount_point(line: &str) -> Option<MountPoint> {
    let mut words = line.split(' ');
    let path = unescaped(words.nth(4)?);
    words.next()?;
    let mut propagation = Propagation::Private;
    for field in words.take_while(|word| *word != "-") {
        if field.starts_with("shared:") {
            propagation = Propagation::Shared;
        } else if field.starts_with("master:") && propagation == Propagation::Private {
            propagation = Propagation::Slave;
        }
    }
    Some(MountPoint { path, propagation })
}

/// Blanks, tabs, line feeds and backslashes are written as `\040` and the like.
fn unescaped(word: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

/// The mount point that a path without links lies on: the longest one; of several at one place the last, which covers the
/// others.
#[must_use]
pub fn mount_of<'a>(points: &'a [MountPoint], path: &Path) -> Option<&'a MountPoint> {
    points.iter().filter(|point| path.starts_with(&point.path)).max_by_key(|point| point.path.components().count())
}

/// A path of this host that a cluster wants mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The cluster.
    pub cluster: String,
    /// The path of the host.
    pub host: String,
    /// Where it goes in the node.
    pub container: String,
    /// Whether laconic makes it when it is missing.
    pub is_made_by_us: bool,
}

/// What was seen of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether it is there.
    pub exists: bool,
    /// It, or when it is missing the nearest directory above it that is there; without links.
    pub nearest: PathBuf,
}

/// Looks at a path.
#[must_use]
pub fn look(host: &str) -> Seen {
    let path = Path::new(host);
    let found = path.ancestors().enumerate().find_map(|(above, path)| Some((above, std::fs::canonicalize(path).ok()?)));
    match found {
        Some((above, nearest)) => Seen { exists: above == 0, nearest },
        None => Seen { exists: false, nearest: PathBuf::from("/") },
    }
}

/// What is made of it. `points` is `None` where there is no such file; `runs` says whether the cluster has the mount already.
#[must_use]
pub fn judge(wanted: &Wanted, seen: &Seen, points: Option<&[MountPoint]>, runs: bool) -> Check {
    let Wanted { cluster, host, container, .. } = wanted;
    let what = format!("cluster {cluster} mounts {host} at {container}");
    let unseen = |why: &str| {
        let help = format!("`findmnt -o TARGET,PROPAGATION --target {host}`");
        Check::not_checked("mount", format!("{what}; {why}"), help)
    };
    let Some(points) = points else { return unseen("how mounts propagate cannot be read (/proc/self/mountinfo)") };
    let Some(point) = mount_of(points, &seen.nearest) else { return unseen("its mount point is not seen here") };
    let is_missing = !seen.exists && !wanted.is_made_by_us;
    match point.propagation {
        Propagation::Shared | Propagation::Slave if is_missing => Check::warning(
            "mount",
            format!("{what}, and there is no {host}: Docker would make it, owned by root"),
            format!("`sudo mkdir -p {host}`, owned by whom the pods run as"),
        ),
        Propagation::Shared | Propagation::Slave => Check::ok("mount", what),
        Propagation::Private => private(&what, wanted, seen, &point.path, runs),
    }
}

fn private(what: &str, wanted: &Wanted, seen: &Seen, point: &Path, runs: bool) -> Check {
    let at = point.display();
    // A mount must be where Docker looks: at the path without links. A file of ours is not there yet: its directory is.
    let (directory, make) = match (seen.exists, wanted.is_made_by_us) {
        (false, false) => (wanted.host.clone(), format!("mkdir -p {} && sudo ", wanted.host)),
        _ => (seen.nearest.display().to_string(), String::new()),
    };
    let bind = format!(
        "`sudo {make}mount --bind {directory} {directory} && sudo mount --make-shared {directory}`, again after each boot"
    );
    let found =
        format!("{what}, which is on the private mount {at}: Docker refuses that (\"not a shared or slave mount\")");
    let check = if runs {
        Check::warning("mount", format!("{found}; the cluster has it, and does not start again with it"), bind)
    } else {
        Check::problem("mount", found, bind)
    };
    check.or(format!("or for everything below it: `sudo mount --make-rshared {at}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    /// An ordinary systemd host, with a private disk, one that is a slave, and one whose name has a blank.
    const MOUNTINFO: &str = "\
22 27 0:21 / /proc rw,relatime shared:14 - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 27 254:1 / /srv rw,relatime - ext4 /dev/vdb rw
31 30 254:1 /kind /srv/kind rw,relatime shared:40 - ext4 /dev/vdb rw
32 27 254:2 / /data rw master:1 - ext4 /dev/vdc rw
33 27 254:3 / /my\\040disk rw master:1 shared:7 - ext4 /dev/vdd rw
34 27 254:4 / /over rw shared:8 - ext4 /dev/vde rw
35 34 0:50 / /over rw - tmpfs tmpfs rw
not a line
";

    fn on(path: &str) -> Option<(String, Propagation)> {
        let points = parse(MOUNTINFO);
        let point = mount_of(&points, Path::new(path))?;
        Some((point.path.display().to_string(), point.propagation))
    }

    #[test]
    fn a_path_lies_on_the_longest_mount_point_and_the_last_one_there() {
        assert_eq!(on("/srv/kind/shop"), Some(("/srv/kind".to_owned(), Propagation::Shared)));
        assert_eq!(on("/srv/kinder"), Some(("/srv".to_owned(), Propagation::Private)));
        assert_eq!(on("/data/x"), Some(("/data".to_owned(), Propagation::Slave)));
        assert_eq!(on("/my disk/x"), Some(("/my disk".to_owned(), Propagation::Shared)));
        assert_eq!(on("/over/x"), Some(("/over".to_owned(), Propagation::Private)));
        assert_eq!(on("/home"), Some(("/".to_owned(), Propagation::Shared)));
        assert_eq!(mount_of(&[], Path::new("/")), None);
    }

    fn judged(path: &str, exists: bool, runs: bool) -> Check {
        let wanted = Wanted {
            cluster: "main".to_owned(),
            host: path.to_owned(),
            container: "/mnt".to_owned(),
            is_made_by_us: false,
        };
        let path = Path::new(path);
        let seen = Seen { exists, nearest: if exists { path } else { path.parent().unwrap() }.to_owned() };
        judge(&wanted, &seen, Some(&parse(MOUNTINFO)), runs)
    }

    #[test]
    fn a_private_mount_is_a_problem_for_a_cluster_that_is_to_be_made() {
        let check = judged("/srv/other", true, false);
        assert_eq!(check.verdict, Verdict::Problem);
        let expected =
            "`sudo mount --bind /srv/other /srv/other && sudo mount --make-shared /srv/other`, again after each boot";
        assert_eq!(check.help[0], expected);
        assert_eq!(check.help[1], "or for everything below it: `sudo mount --make-rshared /srv`");
        assert_eq!(judged("/srv/other", true, true).verdict, Verdict::Warning);
        assert_eq!(judged("/srv/kind", true, false).verdict, Verdict::Ok);
        assert_eq!(judged("/data", true, false).verdict, Verdict::Ok);
    }

    #[test]
    fn a_missing_directory_is_told_of_before_docker_makes_it() {
        let check = judged("/srv/kind/new", false, false);
        assert_eq!((check.verdict, check.help.len()), (Verdict::Warning, 1));
        // Docker makes it, and then refuses it all the same.
        let check = judged("/srv/new", false, false);
        assert_eq!(check.verdict, Verdict::Problem);
        assert!(
            check.help[0].starts_with("`sudo mkdir -p /srv/new && sudo mount --bind /srv/new /srv/new"),
            "{check:?}"
        );
        let wanted = Wanted { is_made_by_us: true, ..wanted_file() };
        let seen = Seen { exists: false, nearest: "/srv/kind".into() };
        assert_eq!(judge(&wanted, &seen, Some(&parse(MOUNTINFO)), false).verdict, Verdict::Ok);
        assert_eq!(judge(&wanted, &seen, None, false).verdict, Verdict::NotChecked);
    }

    fn wanted_file() -> Wanted {
        let file = "/srv/kind/shop/high-memlock-spec.json".to_owned();
        Wanted { cluster: "main".to_owned(), host: file.clone(), container: file, is_made_by_us: true }
    }

    #[test]
    fn links_are_followed_and_the_nearest_directory_is_found() {
        let place = tempfile::tempdir().unwrap();
        let real = place.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("there")).unwrap();
        std::os::unix::fs::symlink(real.join("there"), real.join("link")).unwrap();
        let of = |name: &str| look(&real.join(name).display().to_string());
        assert_eq!(of("link"), Seen { exists: true, nearest: real.join("there") });
        assert_eq!(of("link/a/b"), Seen { exists: false, nearest: real.join("there") });
    }
}
