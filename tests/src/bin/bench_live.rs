//! The benchmark against kubectl: the same ConfigMaps on the same API server, made and compared by both, in turns.
//! `make bench-live` runs it; docs/src/benchmarks.md says how to read it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use laconic_testbed::ApiServer;
use laconic_tests::bench::measure::median;
use laconic_tests::program::program;
use serde_json::{Value, json};

/// How many ConfigMaps.
const OBJECTS: usize = 1_000;
/// How many bytes each of them holds.
const BYTES: usize = 200;
/// A median of so many rounds.
const ROUNDS: usize = 5;

fn main() -> io::Result<()> {
    let server = ApiServer::shared();
    let binary = program()?;
    let work = tempfile::tempdir()?;
    let (mut apply, mut kubectl_apply, mut plan, mut diff) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let directory = work.path().join(format!("round{round}"));
        deployment(&directory, round)?;
        let kubeconfig = server.kubeconfig("admin");
        let laconic = |arguments: &[&str]| {
            let mut command = Command::new(&binary);
            command.args(arguments).arg("--dir").arg(&directory).arg("--kubeconfig").arg(&kubeconfig);
            command
        };
        apply.push(time(&mut laconic(&["apply", "--auto-approve", "--no-wait", "--summary"]), 0)?);
        let theirs = server.namespace("theirs");
        let objects = theirs_of(&directory, &theirs)?;
        let kubectl = |arguments: &[&str]| {
            let mut command = Command::new(server.assets().kubectl());
            command.args(arguments).arg("-f").arg(&objects).env("KUBECONFIG", &kubeconfig);
            command.env("KUBECACHEDIR", work.path().join("kubectl-cache"));
            command
        };
        kubectl_apply.push(time(&mut kubectl(&["apply", "--server-side"]), 0)?);
        plan.push(time(&mut laconic(&["plan", "--detailed-exitcode"]), 0)?);
        diff.push(time(&mut kubectl(&["diff", "--server-side"]), 0)?);
    }
    println!("{OBJECTS} ConfigMaps of {BYTES} bytes in one namespace, median of {ROUNDS} rounds\n");
    print("create all", "laconic apply", median(apply), "kubectl apply --server-side", median(kubectl_apply));
    print("nothing to do", "laconic plan", median(plan), "kubectl diff --server-side", median(diff));
    Ok(())
}

fn print(what: &str, ours: &str, our_time: Duration, theirs: &str, their_time: Duration) {
    let (our_time, their_time) = (our_time.as_secs_f64(), their_time.as_secs_f64());
    let ratio = their_time / our_time;
    println!("  {what:<14} {ours} {our_time:.3} s, {theirs} {their_time:.3} s: {ratio:.1} times as fast");
}

fn time(command: &mut Command, exit: i32) -> io::Result<Duration> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let took = begun.elapsed();
    if output.status.code() == Some(exit) {
        return Ok(took);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{command:?} ended with {}: {said}", output.status)))
}

/// A deployment of one pod that mounts every ConfigMap.
fn deployment(directory: &Path, round: usize) -> io::Result<()> {
    let names = || (0..OBJECTS).map(|number| format!("c{number}"));
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
        std::fs::write(path, text)
    };
    write("stack.yml", "name: many\npods:\n  - web\n".to_owned())?;
    write("config.env", String::new())?;
    write("deployment.yml", format!("cluster-id: c\ndeployment-id: many{round}\ndialect: compose\n"))?;
    let mounts: String = names().map(|name| format!("      - {name}:/{name}\n")).collect();
    let volumes: String = names().map(|name| format!("  {name}:\n")).collect();
    let compose =
        format!("services:\n  web:\n    image: registry.example/web:1\n    volumes:\n{mounts}volumes:\n{volumes}");
    write("compose/docker-compose-web.yml", compose)?;
    let maps: String = names().map(|name| format!("  {name}: ./configmaps/{name}\n")).collect();
    write("spec.yml", format!("stack: many\ndeploy-to: k8s\nnamespace: ours-{round}\nconfigmaps:\n{maps}"))?;
    for name in names() {
        write(&format!("configmaps/{name}/value.txt"), "x".repeat(BYTES - 1) + "\n")?;
    }
    Ok(())
}

/// The same ConfigMaps for kubectl, in a namespace of its own.
fn theirs_of(directory: &Path, namespace: &str) -> io::Result<PathBuf> {
    let items: Vec<Value> = (0..OBJECTS)
        .map(|number| {
            let text = std::fs::read_to_string(directory.join(format!("configmaps/c{number}/value.txt")))?;
            Ok(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{number}"), "namespace": namespace},
                      "data": {"value.txt": text}}))
        })
        .collect::<io::Result<_>>()?;
    let path = directory.join("theirs.json");
    std::fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())?;
    Ok(path)
}
