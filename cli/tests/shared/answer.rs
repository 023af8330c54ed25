//! What a run of the binary said, and golden files to hold it against.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// What a run of the binary said.
#[derive(Debug)]
pub struct Answer {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Answer {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// The answer, of which the exit code is known.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}{}", self.stdout, self.stderr);
        self
    }

    /// The answer, which says this somewhere.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.all().contains(text), "does not say `{text}`:\n{}", self.all());
        self
    }

    /// Output and errors.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The output, which is JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.all()))
    }
}

/// A text without the ids and ports in it, which differ from run to run.
pub fn steady(text: &str) -> String {
    let marks = [
        ("https://127.0.0.1:", "PORT", 5),
        ("http://127.0.0.1:", "PORT", 5),
        ("Plan id ", "ID", 16),
        ("--expect-plan=", "ID", 16),
        ("kube-system ", "UID", 36),
    ];
    marks.into_iter().fold(text.to_owned(), |text, (mark, word, length)| {
        let mut parts = text.split(mark);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(part.len()).min(length);
            out.push_str(mark);
            out.push_str(if end > 3 { word } else { &part[..end] });
            out.push_str(&part[end..]);
        }
        out
    })
}

/// Holds a text against the golden file of that name, `live/golden/drift`; `UPDATE_GOLDEN=1` writes it.
#[track_caller]
pub fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "not as in {}:\n{text}", path.display());
}
