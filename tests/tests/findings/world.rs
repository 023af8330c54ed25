//! The fixtures of findings as files on a disk, and the binary run on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use laconic_tests::program::program;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/findings")
}

pub fn subfolders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every fixture: code, kind, folder.
pub fn fixtures() -> Vec<(String, String, PathBuf)> {
    let mut fixtures = Vec::new();
    for code in subfolders(&root()).into_iter().filter(|name| name != "base") {
        for kind in subfolders(&root().join(&code)) {
            let folder = root().join(&code).join(&kind);
            fixtures.push((code.clone(), kind, folder));
        }
    }
    fixtures
}

/// Lays the files of one folder over those of another.
fn lay(from: &Path, to: &Path, host: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            lay(&path, &to.join(name), host);
        } else if let Some(name) = name.strip_suffix(".size") {
            let size = fs::read_to_string(&path).unwrap().trim().parse().unwrap();
            fs::write(to.join(name), vec![b'x'; size]).unwrap();
        } else if name == "links.txt" {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let (link, target) = line.split_once(' ').unwrap();
                let link = Path::new(host).join(link);
                fs::create_dir_all(link.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(target, link).unwrap();
            }
        } else if name == "absent.txt" {
            for name in fs::read_to_string(&path).unwrap().lines() {
                fs::remove_file(to.join(name)).unwrap();
            }
        } else if name != "expected.txt" {
            fs::write(to.join(name), fs::read_to_string(&path).unwrap().replace("${HOST}", host)).unwrap();
        }
    }
}

/// What a run of the binary gave, the temporary folder taken out.
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// What `laconic validate` says of a fixture, with its exit code.
pub fn laconic(fixture: &Path, more: &[&str]) -> String {
    let Ran { mut stdout, stderr, code } = run(fixture, more);
    if !stderr.is_empty() {
        stdout.push_str(&format!("--- stderr\n{stderr}"));
    }
    format!("{stdout}(exit {code})\n")
}

/// Runs `laconic validate` on a fixture.
pub fn run(fixture: &Path, more: &[&str]) -> Ran {
    let temporary = tempfile::tempdir().unwrap();
    let host = temporary.path().canonicalize().unwrap();
    let host_text = host.display().to_string();
    let deployments: Vec<String> =
        subfolders(fixture).into_iter().filter(|name| fixture.join(name).join("spec.yml").is_file()).collect();
    let mut arguments: Vec<String> = vec!["validate".to_owned(), "--color".to_owned(), "never".to_owned()];
    let here = if fixture.join("laconic.yml").is_file() {
        lay(fixture, &host.join("repository"), &host_text);
        host.join("repository")
    } else if fixture.join("stack").is_dir() {
        arguments.extend(["--spec-file".to_owned(), "spec.yml".to_owned()]);
        lay(fixture, &host.join("web"), &host_text);
        host.join("web")
    } else if deployments.is_empty() {
        lay(&root().join("base"), &host.join("web"), &host_text);
        lay(fixture, &host.join("web"), &host_text);
        host.join("web")
    } else {
        for name in &deployments {
            lay(&root().join("base"), &host.join(name), &host_text);
            let identity = host.join(name).join("deployment.yml");
            let text = fs::read_to_string(&identity).unwrap().replace("laconic-web", &format!("laconic-{name}"));
            fs::write(identity, text).unwrap();
            arguments.extend(["--dir".to_owned(), name.clone()]);
        }
        lay(fixture, &host, &host_text);
        host
    };
    arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
    let output = Command::new(program().unwrap())
        .args(&arguments)
        .current_dir(&here)
        .env_clear()
        .env("HOME", Path::new(&host_text).join("home"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| without_computed_ids(&without_host(&String::from_utf8(bytes).unwrap(), &host_text));
    Ran { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code().unwrap_or(-1) }
}

/// The text without ids that were computed from the path of the temporary folder.
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

/// The text without the temporary folder; the marks below a line that names it are as long as if it were `/place`.
fn without_host(text: &str, host: &str) -> String {
    const PLACE: &str = "/place";
    let mut result = String::new();
    let mut named_before = false;
    for line in text.split_inclusive('\n') {
        let names = line.contains(host);
        let mark = ["^", "-"].into_iter().find(|mark| named_before && line.contains(&mark.repeat(host.len())));
        match mark {
            Some(mark) => {
                let line = line.replacen(&mark.repeat(host.len()), &mark.repeat(PLACE.len()), 1);
                result.push_str(&line.replace(host, PLACE));
            }
            None => result.push_str(&line.replace(host, PLACE)),
        }
        named_before = names;
    }
    result
}
