//! Recordings of processes: one JSON document a line, in the order in which they ended.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::invocation::{Invocation, Outcome, ProcessError};

/// A call as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    program: String,
    arguments: Vec<String>,
    #[serde(default)]
    status: i32,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
    /// Set where what was said is secret and was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    secret: bool,
    /// Set where there was no such program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    not_found: bool,
}

impl Call {
    /// A call of which nothing came yet.
    pub(super) fn of(invocation: &Invocation) -> Self {
        Self {
            program: invocation.program.clone(),
            arguments: invocation.arguments.clone(),
            status: 0,
            stdout: String::new(),
            stderr: String::new(),
            secret: invocation.is_secret,
            not_found: false,
        }
    }
}

/// Writes calls down.
#[derive(Debug)]
pub(super) struct Recorder {
    file: PathBuf,
    writing: Mutex<()>,
}

impl Recorder {
    pub(super) const fn new(file: PathBuf) -> Self {
        Self { file, writing: Mutex::new(()) }
    }

    /// Appends a call with what came of it. One of which nothing came is written only when there was no such program.
    pub(super) fn write(&self, mut call: Call, outcome: &Result<Outcome, ProcessError>) -> Result<(), ProcessError> {
        match outcome {
            Ok(outcome) => {
                call.status = outcome.status;
                if !call.secret {
                    call.stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
                    call.stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
                }
            }
            Err(ProcessError::NotFound { .. }) => call.not_found = true,
            Err(_) => return Ok(()),
        }
        let failure = |detail: String| ProcessError::System { command: call.program.clone(), detail };
        let mut line = serde_json::to_string(&call).map_err(|error| failure(error.to_string()))?;
        line.push('\n');
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)
            .map_err(|error| failure(format!("{}: {error}", self.file.display())))?;
        file.write_all(line.as_bytes()).map_err(|error| failure(format!("{}: {error}", self.file.display())))
    }
}

/// A program with its arguments.
type Command = (String, Vec<String>);

/// Answers calls.
#[derive(Debug)]
pub(super) struct Replay {
    answers: Mutex<BTreeMap<Command, Vec<Call>>>,
}

impl Replay {
    pub(super) fn read(file: &Path) -> Result<Self, ProcessError> {
        let place = format!("`{}`", file.display());
        let text = std::fs::read_to_string(file)
            .map_err(|error| ProcessError::NotARecording { place: place.clone(), detail: error.to_string() })?;
        Self::parse(&text, &place)
    }

    pub(super) fn parse(text: &str, place: &str) -> Result<Self, ProcessError> {
        let mut answers: BTreeMap<_, Vec<Call>> = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let call: Call = serde_json::from_str(line).map_err(|error| ProcessError::NotARecording {
                place: place.to_owned(),
                detail: format!("line {}: {error}", number + 1),
            })?;
            answers.entry((call.program.clone(), call.arguments.clone())).or_default().push(call);
        }
        Ok(Self { answers: Mutex::new(answers) })
    }

    pub(super) fn answer(&self, invocation: &Invocation) -> Result<Outcome, ProcessError> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (invocation.program.clone(), invocation.arguments.clone());
        let left = answers.get_mut(&key).filter(|left| !left.is_empty());
        let Some(left) = left else {
            return Err(ProcessError::NotRecorded { command: invocation.text() });
        };
        let call = if left.len() > 1 { left.remove(0) } else { left[0].clone() };
        if call.not_found {
            return Err(ProcessError::NotFound { program: call.program });
        }
        Ok(Outcome { status: call.status, stdout: call.stdout.into_bytes(), stderr: call.stderr.into_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Processes;
    use super::*;

    fn shell(script: &str) -> Invocation {
        Invocation::new("sh", &["-c", script], Duration::from_secs(60))
    }

    #[tokio::test]
    async fn what_was_recorded_is_replayed() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("recording.jsonl");
        let recording = Processes::recording(file.clone());
        let counting = format!("echo x >> {0}/count; wc -l < {0}/count", place.path().display());
        let first = recording.run(shell(&counting)).await.unwrap();
        let second = recording.run(shell(&counting)).await.unwrap();
        assert_ne!(first, second);
        let missing = Invocation::new("no-such-program-anywhere", &[], Duration::from_secs(1));
        recording.run(missing).await.unwrap_err();
        let replaying = Processes::replaying(&file).unwrap();
        assert_eq!(replaying.run(shell(&counting)).await.unwrap(), first);
        assert_eq!(replaying.run(shell(&counting)).await.unwrap(), second);
        assert_eq!(replaying.run(shell(&counting)).await.unwrap(), second);
        let missing = Invocation::new("no-such-program-anywhere", &[], Duration::from_secs(1));
        assert!(matches!(replaying.run(missing).await, Err(ProcessError::NotFound { .. })));
        assert!(matches!(replaying.run(shell("true")).await, Err(ProcessError::NotRecorded { .. })));
    }

    #[tokio::test]
    async fn secrets_are_not_written_down() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("recording.jsonl");
        let mut invocation = shell("cat; cat >&2 /dev/null");
        invocation.input = super::super::Input::Bytes(b"hunter2".to_vec());
        invocation.is_secret = true;
        let outcome = Processes::recording(file.clone()).run(invocation).await.unwrap();
        assert_eq!(outcome.stdout, b"hunter2");
        assert!(!std::fs::read_to_string(&file).unwrap().contains("hunter2"));
    }
}
