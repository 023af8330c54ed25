//! What lies in the node of a kind cluster: where the paths of volumes lead, whether anything is there and how much, and
//! whether the mounts still show what the host has under their paths.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;

use laconic_engine::address::ResourceType;
use laconic_engine::apply::TargetRequest;
use laconic_engine::certificate::backup_path;
use laconic_engine::compile::UMBRELLA;
use laconic_engine::resource::{CertificateBackup, MountSource, NodeDirectory, NodeFacts, ObservedTarget};
use laconic_engine::source::normalize_path;

use super::DockerHost;
use crate::docker::Container;
use crate::kind::read_back;

/// Prints a line for the kernel's boot, one for each mount that the kernel says was deleted, one for the backup of the
/// certificates, one for each directory. The first argument says whether sizes are wanted, the second is the backup; before
/// `--` come the mounts, after it the directories.
const SCRIPT: &str = r#"size=$1; backup=$2; shift 2
printf 'boot\t%s\n' "$(cat /proc/sys/kernel/random/boot_id)"
while [ "$1" != -- ]; do
  gone=0; awk -v at="$1" '$5 == at { root = $4 } END { exit root !~ /\/\/deleted$/ }' /proc/self/mountinfo && gone=1
  printf 'mount\t%s\t%s\t%s\n' "$1" "$(stat -c '%d:%i:%F' -- "$1")" "$gone"; shift
done
shift
if [ -s "$backup" ]; then printf 'backup\t%s\n' "$(date -u -r "$backup" +%Y-%m-%dT%H:%M:%SZ)"; else printf 'backup\n'; fi
for path; do
  real=$(readlink -m -- "$path") || continue
  holds=0; [ -n "$(ls -A -- "$real" 2>/dev/null | head -c 1)" ] && holds=1
  bytes=-; [ "$size" = 1 ] && [ -e "$real" ] && bytes=$(du -sb -- "$real" 2>/dev/null | cut -f 1)
  printf 'directory\t%s\t%s\t%s\t%s\n' "$path" "$real" "$holds" "${bytes:--}"
done"#;

/// Looks into a running node. What cannot be seen is left out.
pub(super) async fn look(
    host: &DockerHost,
    node: &Container,
    observed: &ObservedTarget,
    wanted: &TargetRequest,
) -> NodeFacts {
    let paths = paths(observed);
    let mounts: Vec<(&str, &str)> = read_back::mounts(node)
        .map(|mount| (mount.destination.as_str(), mount.source.as_str()))
        .filter(|(destination, _)| is_plain(destination))
        .collect();
    let backup = backup_path(UMBRELLA);
    let mut arguments = vec![if wanted.sizes { "1" } else { "0" }, &backup];
    arguments.extend(mounts.iter().map(|(destination, _)| *destination));
    arguments.push("--");
    arguments.extend(paths.iter().map(String::as_str));
    let Ok(text) = host.kind.docker().script(&node.name, SCRIPT, &arguments).await else {
        return observed.node.clone();
    };
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let sources: BTreeMap<&str, &str> = mounts.into_iter().collect();
    let facts = read(&text, boot.trim(), |container| {
        let metadata = std::fs::metadata(sources.get(container)?).ok()?;
        Some((metadata.dev(), metadata.ino()))
    });
    NodeFacts { count: observed.node.count, allocatable: observed.node.allocatable.clone(), ..facts }
}

/// The backup of certificates on this host, for a cluster that is not there.
pub(super) fn backup_on_host(path: &str) -> Option<CertificateBackup> {
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() && file.len() > 0 => Some(CertificateBackup::Saved { at: None }),
        Ok(_) => Some(CertificateBackup::Missing),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(CertificateBackup::Missing),
        Err(_) => None,
    }
}

/// The paths of the volumes on the cluster.
fn paths(observed: &ObservedTarget) -> BTreeSet<String> {
    let objects = observed.objects.iter().flatten();
    let volumes =
        objects.filter(|(key, _)| key.resource_type == ResourceType::PersistentVolume).filter_map(|(_, live)| {
            let path =
                live.attributes.pointer("/spec/hostPath/path").or_else(|| live.attributes.pointer("/spec/local/path"));
            path?.as_str().map(normalize_path)
        });
    volumes.filter(|path| is_plain(path)).collect()
}

/// Whether a path can stand in a line of its own.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.contains(['\n', '\t'])
}

/// Reads what the script printed. `on_host` says which device and inode the host has under a mount's path.
fn read(text: &str, boot: &str, on_host: impl Fn(&str) -> Option<(u64, u64)>) -> NodeFacts {
    let mut facts = NodeFacts::default();
    // Inodes can be compared only where the node's kernel is this host's own.
    let mut is_here = false;
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        match words.as_slice() {
            ["boot", id] => is_here = !boot.is_empty() && *id == boot,
            ["mount", path, inode, gone] => {
                if let Some(source) = source(inode, *gone == "1", on_host(path).filter(|_| is_here)) {
                    facts.mounts.insert((*path).to_owned(), source);
                }
            }
            ["backup"] => facts.certificate_backup = Some(CertificateBackup::Missing),
            ["backup", at] => {
                facts.certificate_backup = Some(CertificateBackup::Saved { at: Some((*at).to_owned()) });
            }
            ["directory", path, real_path, holds, size] => {
                let (real_path, holds_data, size) = ((*real_path).to_owned(), *holds == "1", size.parse().ok());
                facts.directories.insert((*path).to_owned(), NodeDirectory { real_path, holds_data, size });
            }
            _ => {}
        }
    }
    facts
}

/// What a mount of a directory shows, by `device:inode:type` as the node sees it.
fn source(inode: &str, is_gone: bool, on_host: Option<(u64, u64)>) -> Option<MountSource> {
    let mut words = inode.splitn(3, ':');
    let device: u64 = words.next()?.parse().ok()?;
    let inode: u64 = words.next()?.parse().ok()?;
    // A file is replaced whenever an editor saves it.
    if words.next() != Some("directory") {
        return None;
    }
    match on_host {
        _ if is_gone => Some(MountSource::Replaced),
        Some((there, other)) if there == device => {
            Some(if other == inode { MountSource::Same } else { MountSource::Replaced })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_compared_by_device_and_inode_on_the_same_machine_only() {
        let text = "boot\tb1\nmount\t/same\t8:1:directory\t0\nmount\t/other\t8:2:directory\t0\nmount\t/gone\t8:3:directory\t1\n\
                    mount\t/file\t8:4:regular file\t0\nmount\t/moved\t9:5:directory\t0\nmount\t/bad\t\t0\n";
        let on_host = |_: &str| Some((8, 1));
        let here = read(text, "b1", on_host).mounts;
        let expected =
            [("/gone", MountSource::Replaced), ("/other", MountSource::Replaced), ("/same", MountSource::Same)];
        assert_eq!(here, expected.map(|(path, source)| (path.to_owned(), source)).into());
        let elsewhere = read(text, "b2", on_host).mounts;
        assert_eq!(elsewhere, [("/gone".to_owned(), MountSource::Replaced)].into(), "the kernel itself says so");
    }

    #[test]
    fn the_backup_of_the_certificates_is_there_or_not() {
        let saved = CertificateBackup::Saved { at: Some("2026-01-01T00:00:00Z".to_owned()) };
        let backup = |text: &str| read(text, "", |_| None).certificate_backup;
        assert_eq!(backup("backup\t2026-01-01T00:00:00Z\n"), Some(saved));
        assert_eq!(backup("backup\n"), Some(CertificateBackup::Missing));
        assert_eq!(backup("noise\n"), None);
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("empty"), "").unwrap();
        std::fs::write(path("full"), "x").unwrap();
        assert_eq!(backup_on_host(&path("none")), Some(CertificateBackup::Missing));
        assert_eq!(backup_on_host(&path("empty")), Some(CertificateBackup::Missing));
        assert_eq!(backup_on_host(&path("full")), Some(CertificateBackup::Saved { at: None }));
        assert_eq!(backup_on_host(&path("full/below")), None, "what cannot be seen is not called missing");
    }

    #[test]
    fn directories_are_read() {
        let facts = read("directory\t/a\t/b c\t1\t4096\ndirectory\t/x\t/x\t0\t-\nnoise\n", "", |_| None);
        let directory = |real: &str, holds_data, size| NodeDirectory { real_path: real.into(), holds_data, size };
        assert_eq!(facts.directories["/a"], directory("/b c", true, Some(4096)));
        assert_eq!(facts.directories["/x"], directory("/x", false, None));
    }

    /// The script itself, on this machine instead of a node.
    #[test]
    fn the_script_prints_what_is_read() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("full/inner")).unwrap();
        std::fs::create_dir(root.join("empty")).unwrap();
        std::fs::write(root.join("full/inner/file"), "12345").unwrap();
        std::os::unix::fs::symlink("full", root.join("link")).unwrap();
        let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
        let (link, empty, missing) = (path("link/inner"), path("empty"), path("missing/x"));
        let backup = path("full/inner/file");
        let file = std::fs::File::options().write(true).open(&backup).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(951_782_400)).unwrap();
        let arguments = ["-c", SCRIPT, "sh", "1", &backup, &empty, "--", &link, &empty, &missing];
        let output = std::process::Command::new("sh").args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let metadata = std::fs::metadata(&empty).unwrap();
        let facts = read(&text, boot.trim(), |_| Some((metadata.dev(), metadata.ino())));
        assert_eq!(facts.mounts, [(empty.clone(), MountSource::Same)].into(), "{text}");
        let saved = CertificateBackup::Saved { at: Some("2000-02-29T00:00:00Z".to_owned()) };
        assert_eq!(facts.certificate_backup, Some(saved), "{text}");
        let inner = &facts.directories[&link];
        assert_eq!((inner.real_path.as_str(), inner.holds_data), (path("full/inner").as_str(), true));
        assert!(inner.size.is_some_and(|size| size >= 5), "{text}");
        assert!(!facts.directories[&empty].holds_data);
        let nothing = NodeDirectory { real_path: missing.clone(), holds_data: false, size: None };
        assert_eq!(facts.directories[&missing], nothing);
    }
}
