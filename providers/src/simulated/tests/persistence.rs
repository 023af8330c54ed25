use std::fs::OpenOptions;
use std::io::Write as _;

use super::*;

fn names(host: &SimulatedHost) -> Vec<String> {
    let seen = observe(host, &main_target(), &[ResourceType::ConfigMap]).objects.unwrap();
    let maps = seen.keys().filter(|key| key.resource_type == ResourceType::ConfigMap);
    maps.map(|key| key.name.to_string()).collect()
}

fn prepare(host: &SimulatedHost) {
    host.create_cluster(&cluster()).unwrap();
    let namespace = object(ResourceType::Namespace, "shop", json!({}));
    create(host, &key(ResourceType::Namespace, "shop"), namespace).unwrap();
}

fn put(host: &SimulatedHost, name: &str) {
    create(host, &key(ResourceType::ConfigMap, name), config_map(name, "1")).unwrap();
}

#[test]
fn what_was_done_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let host = SimulatedHost::open(directory.path()).unwrap();
    prepare(&host);
    put(&host, "a");
    let summary = host.summary();
    // No drop: as after a kill.
    std::mem::forget(host);
    let host = SimulatedHost::open(directory.path()).unwrap();
    assert_eq!(host.summary(), summary);
    assert_eq!(names(&host), ["a"]);
}

#[test]
fn a_torn_last_line_is_ignored_and_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let host = SimulatedHost::open(directory.path()).unwrap();
    prepare(&host);
    put(&host, "a");
    drop(host);
    let mut journal = OpenOptions::new().append(true).open(directory.path().join("host.journal")).unwrap();
    journal.write_all(b"[{\"counters\":{\"clo").unwrap();
    let host = SimulatedHost::open(directory.path()).unwrap();
    put(&host, "b");
    drop(host);
    assert_eq!(names(&SimulatedHost::open(directory.path()).unwrap()), ["a", "b"]);
}

#[test]
fn two_hosts_on_one_directory_see_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let one = SimulatedHost::open(directory.path()).unwrap();
    let two = SimulatedHost::open(directory.path()).unwrap();
    prepare(&one);
    std::thread::scope(|scope| {
        for (host, letter) in [(&one, "a"), (&two, "b")] {
            scope.spawn(move || (0..50).for_each(|number| put(host, &format!("{letter}{number}"))));
        }
    });
    assert_eq!(names(&one).len(), 100);
    assert_eq!(names(&one), names(&two));
    let uids: BTreeSet<String> = one.fork().summary().clusters["main"].objects["shop"].iter().cloned().collect();
    assert_eq!(uids.len(), 100);
}

#[test]
fn a_long_journal_is_folded_into_the_snapshot_and_others_notice() {
    let directory = tempfile::tempdir().unwrap();
    let host = SimulatedHost::open(directory.path()).unwrap();
    let other = SimulatedHost::open(directory.path()).unwrap();
    prepare(&host);
    let text = "x".repeat(100_000);
    for name in ["a", "b", "c", "d"] {
        create(&host, &key(ResourceType::ConfigMap, name), config_map(name, &text)).unwrap();
    }
    drop(host);
    let journal = std::fs::metadata(directory.path().join("host.journal")).unwrap().len();
    assert!(journal < 100, "{journal}");
    put(&other, "e");
    assert_eq!(names(&SimulatedHost::open(directory.path()).unwrap()), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_journal_older_than_the_snapshot_is_not_applied_again() {
    let directory = tempfile::tempdir().unwrap();
    let host = SimulatedHost::open(directory.path()).unwrap();
    prepare(&host);
    put(&host, "a");
    std::mem::forget(host);
    // As if the process was killed between the two renames of a fold.
    let snapshot = directory.path().join("host.json");
    let text = std::fs::read_to_string(&snapshot).unwrap();
    std::fs::write(&snapshot, text.replacen("\"generation\":0", "\"generation\":1", 1)).unwrap();
    let host = SimulatedHost::open(directory.path()).unwrap();
    assert!(host.targets().is_empty());
}

#[test]
fn other_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("host.json"), "{}").unwrap();
    let error = SimulatedHost::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("is not a simulated host"), "{error}");
}

#[test]
fn a_fork_goes_its_own_way() {
    let host = host();
    let fork = host.fork();
    put(&fork, "a");
    assert_eq!((names(&host).len(), names(&fork).len()), (0, 1));
}
