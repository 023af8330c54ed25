//! Scenarios: scripts of `laconic` commands run through the real binary against a simulated host, held against golden
//! output. One file in `tests/scenarios` is one scenario; adding one needs no Rust. `UPDATE_GOLDEN=1` rewrites the
//! outputs, `SCENARIO=name` runs one.
//!
//! A script has these lines:
//!
//! ```text
//! # a comment, shown in the output
//! $ laconic ARGUMENTS      run it; its output and exit code are shown
//! $ set NAME VALUE         an environment variable from here on
//! $ unset NAME             none of that name from here on
//! $ replace FILE FROM TO   edit a file, as an operator would; `\n` is a new line
//! $ remove PATH            remove one, or a directory
//! $ copy FROM TO           copy one, or a directory
//! $ list DIRECTORY         what is in it, but for what is hidden
//! $ git ARGUMENTS          run git, always at the same time and by the same person
//! $ in DIRECTORY COMMAND   do that there
//! $ remember NAME MARKER   what the last output had behind that marker; `$NAME` in later commands (`$WORK` is the directory)
//! ```
//!
//! Words are split at blanks; single quotes keep them together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use laconic_tests::program::program;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_with(String::new);
            }
            ' ' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_with(String::new).push(other),
        }
    }
    words.extend(word);
    words
}

fn listed(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// Takes out what differs from run to run: the directory, ids that depend on it, times.
fn steady(text: &str, work: &Path) -> String {
    let text = text.replace(&work.display().to_string(), "/place");
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        for marker in ["Plan id ", "--expect-plan=", "Change id ", "--expect-change="] {
            if let Some(start) = line.find(marker).map(|start| start + marker.len()) {
                let end =
                    line[start..].find(|one: char| !one.is_ascii_hexdigit()).map_or(line.len(), |end| start + end);
                line.replace_range(start..end, "(id)");
            }
        }
        // A commit's id depends on everything in it, and a deployment directory tells where it is.
        let starts = line.match_indices(" (").map(|(at, _)| at + 2);
        if let Some(at) = starts.into_iter().find(|at| is_commit(&line[*at..])) {
            line.replace_range(at..at + 7, "commit");
        }
        out.push_str(&times(&without_computed_ids(&line)));
        out.push('\n');
    }
    out
}

/// The text without ids that were computed from the path of a directory.
fn without_computed_ids(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("laconic-").map(|at| at + "laconic-".len()) {
        let (before, after) = rest.split_at(at);
        result.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        rest = if digits == 16 { &after[16..] } else { after };
        result.push_str(if digits == 16 { "(computed)" } else { "" });
    }
    result + rest
}

/// Whether a text begins with the short id of a commit and a closing bracket.
fn is_commit(text: &str) -> bool {
    text.get(..8).is_some_and(|id| id.ends_with(')') && id[..7].bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Replaces RFC 3339 times of the real clock; the simulated one begins with 2026-01-01 and is the same in every run.
fn times(line: &str) -> String {
    let shape = "0000-00-00T00:00:00Z";
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let candidate = rest.get(..shape.len()).unwrap_or_default();
        let fits = !candidate.is_empty()
            && candidate
                .bytes()
                .zip(shape.bytes())
                .all(|(byte, like)| if like == b'0' { byte.is_ascii_digit() } else { byte == like });
        if fits && !candidate.starts_with("2026-01-01") {
            out.push_str("(time)");
            rest = &rest[shape.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Runs git with nothing of this machine's configuration.
fn git(place: &Path, arguments: &[&str]) {
    let person = [("NAME", "Operator"), ("EMAIL", "operator@example.com"), ("DATE", "2026-01-01T00:00:00Z")];
    let mut command = Command::new("git");
    for (what, value) in person {
        command.env(format!("GIT_AUTHOR_{what}"), value).env(format!("GIT_COMMITTER_{what}"), value);
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.args(arguments).current_dir(place).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn run(script: &str) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let work = temporary.path().canonicalize().unwrap();
    copy(&root().join("fixtures/stacks"), &work.join("stacks"));
    copy(&root().join("fixtures/operator"), &work.join("operator"));
    copy(&root().join("fixtures/repository"), &work.join("repository"));
    let mut environment = BTreeMap::from([
        ("LACONIC_SIMULATE".to_owned(), work.join("host").display().to_string()),
        ("HOME".to_owned(), work.display().to_string()),
        ("NO_COLOR".to_owned(), "1".to_owned()),
    ]);
    let mut out = String::new();
    let mut last = String::new();
    let mut remembered = BTreeMap::from([("WORK".to_owned(), work.display().to_string())]);
    for line in script.lines() {
        out.push_str(line);
        out.push('\n');
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let mut words = words(command);
        for word in &mut words {
            for (name, value) in &remembered {
                *word = word.replace(&format!("${name}"), value);
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (place, words) = match words.as_slice() {
            ["in", place, words @ ..] => (work.join(place), words),
            words => (work.clone(), words),
        };
        match words {
            ["laconic", arguments @ ..] => {
                let output = Command::new(program().unwrap())
                    .arg("--plain-times")
                    .args(arguments)
                    .env_clear()
                    .envs(&environment)
                    .current_dir(&place)
                    .stdin(Stdio::null())
                    .output()
                    .unwrap();
                let stderr = String::from_utf8_lossy(&output.stderr);
                let stdout = String::from_utf8_lossy(&output.stdout);
                for (name, secret) in &environment {
                    let is_secret = name.ends_with("TOKEN");
                    assert!(
                        !is_secret || !format!("{stdout}{stderr}").contains(secret.as_str()),
                        "a secret was printed"
                    );
                }
                last = stdout.clone().into_owned();
                out.push_str(&steady(&stdout, &work));
                if !stderr.is_empty() {
                    out.push_str("--- stderr\n");
                    out.push_str(&steady(&stderr, &work));
                }
                out.push_str(&format!("(exit {})\n", output.status.code().unwrap_or(-1)));
            }
            ["unset", name] => {
                environment.remove(*name);
            }
            ["set", name, value] => {
                environment.insert((*name).to_owned(), (*value).to_owned());
            }
            ["replace", file, from, to] => {
                let path = work.join(file);
                let text = fs::read_to_string(&path).unwrap();
                let (from, to) = (from.replace("\\n", "\n"), to.replace("\\n", "\n"));
                assert!(text.contains(&from), "{file} does not contain {from}");
                fs::write(&path, text.replacen(&from, &to, 1)).unwrap();
            }
            ["write", file, text] => fs::write(work.join(file), text.replace("\\n", "\n")).unwrap(),
            ["move", from, to] => fs::rename(work.join(from), work.join(to)).unwrap(),
            ["remove", path] => match work.join(path) {
                path if path.is_dir() => fs::remove_dir_all(path).unwrap(),
                path => fs::remove_file(path).unwrap(),
            },
            ["list", directory] => {
                for name in listed(&work.join(directory)) {
                    out.push_str(&format!("{name}\n"));
                }
            }
            ["copy", from, to] => copy(&place.join(from), &place.join(to)),
            ["git", arguments @ ..] => git(&place, arguments),
            ["remember", name, marker] => {
                let rest = last.split(marker).nth(1).unwrap_or_else(|| panic!("no {marker:?} in the last output"));
                let value = rest.split_whitespace().next().unwrap_or_default();
                remembered.insert((*name).to_owned(), value.to_owned());
            }
            other => panic!("a script does not know {other:?}"),
        }
    }
    out
}

#[test]
fn scenarios_print_what_they_printed() {
    let only = std::env::var("SCENARIO").ok();
    let mut scripts: Vec<PathBuf> = fs::read_dir(root().join("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .filter(|path| only.as_deref().is_none_or(|only| path.file_stem().is_some_and(|stem| stem == only)))
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    let mut different = Vec::new();
    for script in scripts {
        let golden = script.with_extension("out");
        let found = run(&fs::read_to_string(&script).unwrap());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, found).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            let beside = std::env::temp_dir().join(golden.file_name().unwrap());
            fs::write(&beside, found).unwrap();
            different.push(format!("{} (now: {})", golden.display(), beside.display()));
        }
    }
    assert!(different.is_empty(), "UPDATE_GOLDEN=1 rewrites them:\n{}", different.join("\n"));
}
