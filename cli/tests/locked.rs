//! What somebody says who finds the state of a deployment locked (LAC802), and who is not kept out.

use std::path::Path;
use std::process::{Command, Stdio};

use laconic_engine::address::Scope;
use laconic_engine::apply::{LockMode, StateStore as _};
use laconic_state::LocalStore;

fn write(place: &Path, name: &str, text: &str) {
    let path = place.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A deployment directory beside a simulated host.
fn shop() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    write(path, "shop/deployment.yml", "cluster-id: laconic-main\ndeployment-id: laconic-shop\nstack-source: s\n");
    write(path, "shop/stack.yml", "version: \"1.0\"\nname: s\npods:\n  - web\n");
    write(path, "shop/compose/docker-compose-web.yml", "services:\n  web:\n    image: example/web:1.0\n");
    write(path, "shop/config.env", "");
    write(path, "shop/spec.yml", "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\n");
    place
}

/// What a run said, all of it.
struct Answer(String);

impl Answer {
    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.0.contains(text), "does not say `{text}`:\n{}", self.0);
        self
    }
}

#[track_caller]
fn laconic(place: &Path, arguments: &[&str], code: i32) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_laconic"));
    command.env_clear().env("HOME", place).env("LACONIC_SIMULATE", place.join("host")).current_dir(place);
    let command =
        command.args(["--dir", "shop", "--color=never", "--plain-times"]).args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    Answer(text)
}

/// Holds what was said against the golden file, without what differs from run to run.
#[track_caller]
fn golden(answer: &Answer) {
    let holder = regex::Regex::new(r"locked by .+? \(process \d+, `(\w+)`, since [^)]*\)").unwrap();
    let text = holder.replace_all(
        &answer.0[answer.0.find("error[").unwrap()..],
        "locked by USER@HOST (process N, `$1`, since TIME)",
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/locked.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text.as_bytes()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "UPDATE_GOLDEN=1 writes {}", path.display());
}

#[test]
fn a_locked_state_says_who_holds_it_and_a_plan_needs_no_lock() {
    let place = shop();
    let place = place.path();
    laconic(place, &["apply", "--auto-approve"], 0);
    let spec = std::fs::read_to_string(place.join("shop/spec.yml")).unwrap();
    write(place, "shop/spec.yml", &format!("{spec}labels: {{team: web}}\n"));
    let store = LocalStore::simulated(&place.join("host"), std::collections::BTreeMap::new());
    let shared = store.lock(&Scope::cluster("laconic-main"), LockMode::Shared, "apply").unwrap();
    let own = store.lock(&Scope::deployment("shop"), LockMode::Exclusive, "destroy").unwrap();
    let apply = laconic(place, &["apply", "--auto-approve"], 4).says("[LAC802]");
    golden(&apply);
    laconic(place, &["apply", "--auto-approve", "--json"], 4).says("LAC802");
    laconic(place, &["drift"], 4).says("[LAC802]");
    laconic(place, &["plan", "--detailed-exitcode"], 2);
    // Another deployment that applies on the same cluster is in nobody's way.
    drop(own);
    laconic(place, &["apply", "--auto-approve"], 0);
    // Whoever changes the cluster is in everybody's.
    drop(shared);
    let changing = store.lock(&Scope::cluster("laconic-main"), LockMode::Exclusive, "apply").unwrap();
    write(place, "shop/spec.yml", &spec);
    laconic(place, &["apply", "--auto-approve"], 4).says("[LAC802]").says("cluster laconic-main is locked");
    drop(changing);
    laconic(place, &["apply", "--auto-approve"], 0);
}
