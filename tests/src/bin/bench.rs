//! The benchmark: how long the program takes, how much memory it needs and how both grow. `make bench` runs it.
//!
//! `bench [SIZE ...]` measures deployments of about so many resources; docs/src/benchmarks.md says how to read it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use laconic_engine::address::Scope;
use laconic_engine::apply::StateStore as _;
use laconic_engine::state::JournalRecord;
use laconic_state::LocalStore;
use laconic_tests::bench::deployments::{self, CLUSTER};
use laconic_tests::bench::measure::{Measurement, Program, median};
use laconic_tests::bench::table::{Row, table};
use laconic_tests::program::program;

/// The sizes that are measured when none are named. The last two tell what twice the size costs.
const SIZES: [usize; 4] = [100, 1_000, 5_000, 10_000];

/// How many deployments the operator's repositories have.
const REPOSITORIES: [usize; 2] = [50, 1_000];

/// A median of so many runs.
const RUNS: usize = 7;

/// Makes deployments of about so many resources.
type Layout = fn(&Path, usize) -> io::Result<Vec<PathBuf>>;

fn main() -> io::Result<()> {
    let mut sizes = Vec::new();
    for argument in std::env::args().skip(1) {
        sizes.push(argument.parse().map_err(|_| io::Error::other(format!("`{argument}` is no number of resources")))?);
    }
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }
    sizes.sort_unstable();
    let binary = program()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores; time: median of {RUNS} runs; growth: exponent since the row above, 1 is linear\n");
    let layouts: [(&str, Layout); 2] = [
        ("Deployments of 15 resources on one kind cluster", deployments::many),
        ("One deployment with all resources", deployments::one),
    ];
    for (title, layout) in layouts {
        let mut rows: Vec<Row> = Vec::new();
        for size in &sizes {
            for (operation, resources, measurement) in measure(&binary, layout, *size)? {
                match rows.iter_mut().find(|row| row.operation == operation) {
                    Some(row) => row.measured.push((resources, measurement)),
                    None => rows.push(Row { operation, measured: vec![(resources, measurement)] }),
                }
            }
        }
        println!("{title}\n\n{}", table(&rows));
    }
    let mut rows: Vec<Row> = Vec::new();
    for count in REPOSITORIES {
        for (operation, measurement) in repository(&binary, count)? {
            match rows.iter_mut().find(|row| row.operation == operation) {
                Some(row) => row.measured.push((count, measurement)),
                None => rows.push(Row { operation, measured: vec![(count, measurement)] }),
            }
        }
    }
    println!("An operator's repository, counted in deployments\n\n{}", table(&rows));
    Ok(())
}

/// What a pull request on a whole repository costs.
fn repository(binary: &Path, count: usize) -> io::Result<Vec<(&'static str, Measurement)>> {
    let work = tempfile::tempdir()?;
    let root = work.path().join("repository");
    let directories = deployments::repository(&root, count)?;
    let program = Program { binary: binary.to_owned(), directories, host: work.path().join("host") };
    let validate = program.measure(&["validate"], 0, RUNS)?;
    let plan = program.measure(&["plan", "--offline", "--detailed-exitcode"], 2, RUNS)?;
    for arguments in [
        &["init", "-q"][..],
        &["add", "-A"],
        &["-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-q", "-m", "bench"],
    ] {
        let status = std::process::Command::new("git").args(arguments).current_dir(&root).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("git {arguments:?} ended with {status}")));
        }
    }
    deployments::edit(&root)?;
    let base = program.measure(&["plan", "--base", "HEAD", "--detailed-exitcode"], 2, RUNS)?;
    Ok(vec![("validate", validate), ("plan --offline", plan), ("plan --base, one spec edited", base)])
}

/// Everything that is measured at one size, with the number of resources there really are.
fn measure(binary: &Path, layout: Layout, size: usize) -> io::Result<Vec<(&'static str, usize, Measurement)>> {
    let work = tempfile::tempdir()?;
    let directories = layout(&work.path().join("deployments"), size)?;
    let program = Program { binary: binary.to_owned(), directories, host: work.path().join("host") };
    let create = program.measure(&["plan", "--offline", "--detailed-exitcode"], 2, RUNS)?;
    let apply = program.run(&["apply", "--auto-approve", "--summary"], 0)?;
    let (resources, load, save) = state(&program)?;
    Ok(vec![
        ("plan --offline, all to be created", resources, create),
        (
            "plan --offline, nothing to do",
            resources,
            program.measure(&["plan", "--offline", "--detailed-exitcode"], 0, RUNS)?,
        ),
        ("plan, nothing to do", resources, program.measure(&["plan", "--detailed-exitcode"], 0, RUNS)?),
        ("apply, all created (one run)", resources, Measurement { time: apply, peak_bytes: None }),
        ("states loaded", resources, load),
        ("states saved", resources, save),
    ])
}

/// Loads every state, and writes every one anew; counts the resources.
fn state(program: &Program) -> io::Result<(usize, Measurement, Measurement)> {
    let mut names: Vec<(String, PathBuf)> = Vec::new();
    for directory in &program.directories {
        let name = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        names.push((name, directory.clone()));
    }
    let scopes: Vec<Scope> =
        names.iter().map(|(name, _)| Scope::deployment(name)).chain([Scope::cluster(CLUSTER)]).collect();
    let store = LocalStore::simulated(&program.host, names.into_iter().collect());
    let mut resources = 0;
    let mut load = || {
        resources = 0;
        for scope in &scopes {
            resources += store.load(scope).map_err(io::Error::other)?.resources.len();
        }
        Ok(())
    };
    let load = times(&mut load)?;
    let mut save = || {
        for scope in &scopes {
            let end = JournalRecord::End { time: "2026-01-01T00:00:00Z".to_owned() };
            store.append(scope, &[end]).map_err(io::Error::other)?;
            store.fold(scope).map_err(io::Error::other)?;
        }
        Ok(())
    };
    let save = times(&mut save)?;
    Ok((resources, load, save))
}

fn times(work: &mut dyn FnMut() -> io::Result<()>) -> io::Result<Measurement> {
    let mut times: Vec<Duration> = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed());
    }
    Ok(Measurement { time: median(times), peak_bytes: None })
}
