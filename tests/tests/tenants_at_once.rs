//! Many deployments of one simulated cluster applying at the same time, as processes of their own, while somebody has the
//! cluster made anew: nothing of anybody's is lost, and everybody comes to an end. And each lock for itself: who holds what
//! while an apply is at work, and who is refused while somebody else holds it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use laconic_engine::address::Scope;
use laconic_engine::apply::{LockMode, StateStore};
use laconic_state::LocalStore;
use laconic_tests::bench::deployments::{CLUSTER, many};
use laconic_tests::program::program;

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
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program().unwrap());
        command.args(arguments).args(["--no-input", "--color", "never", "--simulate"]).arg(&self.directory);
        command.env_clear().stdin(Stdio::null());
        command
    }

    /// The state of deployments in these directories.
    fn store(&self, directories: &[PathBuf]) -> LocalStore {
        let named = directories.iter().map(|directory| (name(directory), directory.clone()));
        LocalStore::simulated(&self.directory, named.collect())
    }

    /// Has an apply of that come as far as its first write to the cluster's register, and no further as long as it is held.
    fn hold(&self, arguments: &[&str]) -> Held {
        let register = self.directory.join("state/clusters").join(CLUSTER);
        let written = || fs::read(register.join("journal.jsonl")).ok();
        let path = register.join(".write-lock");
        let lock = File::options().create(true).append(true).open(&path).unwrap();
        lock.lock().unwrap();
        let before = written();
        let path = path.canonicalize().unwrap();
        let output = File::create(self.directory.join("held.log")).unwrap();
        let mut command = self.command(arguments);
        let mut child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        let files = PathBuf::from(format!("/proc/{}/fd", child.id()));
        let waits = || {
            let files = fs::read_dir(&files).into_iter().flatten().flatten();
            files.into_iter().any(|entry| fs::read_link(entry.path()).is_ok_and(|file| file == path))
        };
        while !waits() {
            let said = || fs::read_to_string(self.directory.join("held.log")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it wrote to the register without its lock:\n{}", said());
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(written(), before, "it wrote to the register without its lock");
        Held { child, lock }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
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

/// An apply that waits for the lock of its cluster's register.
struct Held {
    child: Child,
    lock: File,
}

impl Held {
    /// Lets it go on to its end, which is a good one.
    fn release(mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "it did not wait");
        drop(self.lock);
        assert!(self.child.wait().unwrap().success());
    }
}

/// The name of the deployment in a directory.
fn name(directory: &Path) -> String {
    directory.file_name().unwrap().to_string_lossy().into_owned()
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
    let store = || host.store(&directories);
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

/// Three deployments that are applied, the last of which wants its cluster made anew by this plan.
fn three(work: &Path) -> (Host, Vec<PathBuf>, String) {
    let directories = many(&work.join("deployments"), 3 * 15).unwrap();
    assert_eq!(directories.len(), 3);
    let host = Host { directory: work.join("host") };
    for directory in &directories {
        let (code, said) = host.run(&["apply", "--auto-approve", "--summary", "--dir", directory.to_str().unwrap()]);
        assert_eq!(code, 0, "{said}");
    }
    edit(&directories[2], "deploy-to:", "kind-node-image: kindest/node:v1.34.0\ndeploy-to:");
    let plan = work.join("recreate.plan").to_str().unwrap().to_owned();
    let directory = directories[2].to_str().unwrap();
    let (code, said) = host.run(&["plan", "--out", &plan, &format!("--allow-recreate={CLUSTER}"), "--dir", directory]);
    assert_eq!(code, 0, "{said}");
    (host, directories, plan)
}

#[test]
fn an_apply_holds_its_deployment_and_shares_its_cluster() {
    let work = tempfile::tempdir().unwrap();
    let (host, directories, _) = three(work.path());
    let store = host.store(&directories);
    edit(&directories[0], "LOG_LEVEL: info", "LOG_LEVEL: debug");
    // A new host is told to the register, and changes nothing of the cluster.
    edit(&directories[0], "-0.example.com", "-new.example.com");
    let held = host.hold(&["apply", "--auto-approve", "--dir", directories[0].to_str().unwrap()]);
    let mode = |scope: &Scope| store.lock_info(scope).unwrap().mode;
    let deployment = |number: usize| Scope::deployment(&name(&directories[number]));
    assert_eq!(mode(&deployment(0)), Some(LockMode::Exclusive));
    assert_eq!(mode(&Scope::cluster(CLUSTER)), Some(LockMode::Shared));
    assert_eq!([mode(&deployment(1)), mode(&deployment(2))], [None, None]);
    held.release();
    assert_eq!([mode(&deployment(0)), mode(&Scope::cluster(CLUSTER))], [None, None]);

    // A change of the cluster is everybody's affair, though nothing of theirs is planned.
    edit(&directories[0], "network:\n", "network:\n  acme-email: somebody@example.com\n");
    let apply = ["apply", "--auto-approve", "--dir"];
    let held = host.hold(&[&apply[..], &[directories[0].to_str().unwrap()]].concat());
    let all = || [deployment(0), deployment(1), deployment(2), Scope::cluster(CLUSTER)].map(|scope| mode(&scope));
    assert_eq!(all(), [Some(LockMode::Exclusive); 4]);
    held.release();

    // The same wish of another changes nothing but what the register says of it.
    edit(&directories[1], "network:\n", "network:\n  acme-email: somebody@example.com\n");
    let held = host.hold(&[&apply[..], &[directories[1].to_str().unwrap()]].concat());
    assert_eq!(all(), [None, Some(LockMode::Exclusive), None, Some(LockMode::Shared)]);
    held.release();
}

#[test]
fn a_recreate_holds_its_cluster_and_everybody_on_it() {
    let work = tempfile::tempdir().unwrap();
    let (host, directories, plan) = three(work.path());
    let store = host.store(&directories);
    let held = host.hold(&["apply", &plan, &format!("--allow-recreate={CLUSTER}")]);
    let everybody = directories.iter().map(|directory| Scope::deployment(&name(directory)));
    for scope in everybody.chain([Scope::cluster(CLUSTER)]) {
        assert_eq!(store.lock_info(&scope).unwrap().mode, Some(LockMode::Exclusive), "{scope}");
    }
    held.release();
}

#[test]
fn whoever_needs_what_somebody_holds_is_refused_and_changes_nothing() {
    let work = tempfile::tempdir().unwrap();
    let (host, directories, plan) = three(work.path());
    let store = host.store(&directories);
    for directory in &directories[..2] {
        edit(directory, "LOG_LEVEL: info", "LOG_LEVEL: debug");
    }
    let apply = |number: usize| host.run(&["apply", "--auto-approve", "--dir", directories[number].to_str().unwrap()]);
    let recreate = || host.run(&["apply", &plan, &format!("--allow-recreate={CLUSTER}")]);
    let deployment = |number: usize| Scope::deployment(&name(&directories[number]));
    let cluster = Scope::cluster(CLUSTER);
    let refused = |(code, said): (i32, String), scope: &Scope| {
        assert_eq!(code, TRY_AGAIN, "{said}");
        let holder = format!("process {}", std::process::id());
        assert!(said.contains("LAC802") && said.contains(&scope.to_string()) && said.contains(&holder), "{said}");
    };
    let recorded = || [&cluster, &deployment(0), &deployment(1)].map(|scope| store.load(scope).unwrap());
    let before = recorded();
    let hold = |scope: &Scope, mode: LockMode| store.lock(scope, mode, "test").unwrap();
    {
        let _cluster = hold(&cluster, LockMode::Exclusive);
        refused(apply(0), &cluster);
        refused(recreate(), &cluster);
    }
    {
        let _deployment = hold(&deployment(0), LockMode::Exclusive);
        refused(apply(0), &deployment(0));
        // A neighbour that is at work keeps the cluster, though nothing of its own is planned.
        refused(recreate(), &deployment(0));
    }
    {
        let _cluster = hold(&cluster, LockMode::Shared);
        refused(recreate(), &cluster);
        assert_eq!(recorded(), before);
        // Ordinary applies share it.
        let (code, said) = apply(1);
        assert_eq!(code, 0, "{said}");
    }
    let _deployment = hold(&deployment(1), LockMode::Exclusive);
    let (code, said) = apply(0);
    assert_eq!(code, 0, "{said}");
}
