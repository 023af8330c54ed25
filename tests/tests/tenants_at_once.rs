//! Many deployments of one simulated cluster applying at the same time, as processes of their own, while somebody has the
//! cluster made anew: nothing of anybody's is lost, and everybody comes to an end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use laconic_engine::address::Scope;
use laconic_engine::apply::StateStore;
use laconic_state::LocalStore;
use laconic_tests::bench::deployments::{CLUSTER, many};

/// Deployments on the cluster.
const TENANTS: usize = 50;
/// How many of them are edited and applied at once.
const APPLYING: usize = 20;
/// How often each of those is.
const EDITS: usize = 2;
/// Somebody else holds a lock or was faster: that often it may happen before somebody counts as starved. Everybody else has
/// come to an end long before.
const ATTEMPTS: usize = 400;

/// Locked or stale.
const TRY_AGAIN: i32 = 4;

struct Host {
    directory: PathBuf,
}

impl Host {
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let binary = std::env::var_os("LACONIC_BIN").map_or_else(
            || {
                let test = std::env::current_exe().unwrap();
                test.parent().and_then(Path::parent).unwrap().join("laconic")
            },
            PathBuf::from,
        );
        let output = Command::new(binary)
            .args(arguments)
            .args(["--no-input", "--color", "never", "--simulate"])
            .arg(&self.directory)
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), said)
    }

    /// Runs until it is done, again whenever others are in the way. Returns how often that was.
    fn insist(&self, steps: impl Fn(&Self) -> (i32, String)) -> usize {
        for attempt in 0..ATTEMPTS {
            match steps(self) {
                (0, _) => return attempt,
                (TRY_AGAIN, _) => {}
                (code, said) => panic!("exit {code}:\n{said}"),
            }
        }
        panic!("still in the way of others after {ATTEMPTS} attempts");
    }
}

fn edit(directory: &Path, from: &str, to: &str) {
    let path = directory.join("spec.yml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{} has no {from}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn twenty_apply_at_once_while_one_has_the_cluster_made_anew() {
    let work = tempfile::tempdir().unwrap();
    let directories = many(&work.path().join("deployments"), TENANTS * 15).unwrap();
    assert_eq!(directories.len(), TENANTS);
    let host = Host { directory: work.path().join("host") };
    let all: Vec<&str> = directories.iter().flat_map(|directory| ["--dir", directory.to_str().unwrap()]).collect();
    let with_all = |arguments: &[&str]| host.run(&[arguments, &all].concat());
    let (code, said) = with_all(&["apply", "--auto-approve", "--summary"]);
    assert_eq!(code, 0, "{said}");
    let store = || {
        let named = directories
            .iter()
            .map(|directory| (directory.file_name().unwrap().to_string_lossy().into_owned(), directory.clone()));
        LocalStore::simulated(&host.directory, named.collect())
    };
    let node = |store: &LocalStore| store.load(&Scope::cluster(CLUSTER)).unwrap().identity.unwrap().node;
    let old_node = node(&store());

    let in_the_way: usize = thread::scope(|scope| {
        let recreate = scope.spawn(|| {
            let directory = directories[TENANTS - 1].to_str().unwrap();
            edit(&directories[TENANTS - 1], "deploy-to:", "kind-node-image: kindest/node:v1.34.0\ndeploy-to:");
            let file = work.path().join("recreate.plan");
            let (file, consent) = (file.to_str().unwrap(), format!("--allow-recreate={CLUSTER}"));
            host.insist(|host| {
                let (code, said) = host.run(&["plan", "--out", file, &consent, "--dir", directory]);
                // Planned; a plan of what others change meanwhile is stale when it is carried out.
                if code == 0 { host.run(&["apply", file, &consent]) } else { (code, said) }
            })
        });
        let applying: Vec<_> = directories[..APPLYING]
            .iter()
            .map(|directory| {
                let host = &host;
                scope.spawn(move || {
                    let mut in_the_way = 0;
                    let mut level = "LOG_LEVEL: info".to_owned();
                    for number in 0..EDITS {
                        let next = format!("LOG_LEVEL: level-{number}");
                        edit(directory, &level, &next);
                        level = next;
                        let directory = directory.to_str().unwrap();
                        in_the_way +=
                            host.insist(|host| host.run(&["apply", "--auto-approve", "--summary", "--dir", directory]));
                    }
                    in_the_way
                })
            })
            .collect();
        let applied: usize = applying.into_iter().map(|one| one.join().unwrap()).sum();
        applied + recreate.join().unwrap()
    });
    // Else nobody met anybody, and nothing was tried.
    assert!(in_the_way > 0);

    let store = store();
    assert_ne!(node(&store), old_node, "the cluster was not made anew");
    let state = store.load(&Scope::cluster(CLUSTER)).unwrap();
    assert_eq!(state.tenants.len(), TENANTS);
    assert_eq!(state.interrupted, None);
    // Every edit is on the host, and everything of everybody's is.
    let (code, said) = with_all(&["plan", "--detailed-exitcode", "--summary"]);
    assert_eq!(code, 0, "{said}");
}
