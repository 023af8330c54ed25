//! What is run, and what came of it.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

/// What a program reads from its standard input.
#[derive(Debug, Default)]
pub enum Input {
    /// Nothing.
    #[default]
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// An open file. The program holds it open for as long as it runs, whatever becomes of us.
    File(File),
}

/// Where what a program says goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// To us. Should we end early, so does the program.
    #[default]
    Us,
    /// Into a file, both streams; we read it when the program has ended. A program that writes there does not notice when
    /// we are gone, and goes on.
    File(PathBuf),
}

/// A program with everything it is given. Arguments can be seen by every user of the host: there is never a secret in
/// them.
#[derive(Debug)]
pub struct Invocation {
    /// Its name, looked up in `PATH`, or its path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What is put into its environment beside what we have.
    pub environment: Vec<(String, String)>,
    /// Where it runs; where we are unless said.
    pub directory: Option<PathBuf>,
    /// What it reads.
    pub input: Input,
    /// Where what it says goes.
    pub destination: Destination,
    /// How long it may take.
    pub limit: Duration,
    /// Whether what it says is secret; then it is never written down.
    pub is_secret: bool,
}

impl Invocation {
    /// A program with its arguments, told nothing and listened to, for that long.
    #[must_use]
    pub fn new(program: &str, arguments: &[&str], limit: Duration) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: Vec::new(),
            directory: None,
            input: Input::Nothing,
            destination: Destination::Us,
            limit,
            is_secret: false,
        }
    }

    /// The command as people would write it.
    #[must_use]
    pub fn text(&self) -> String {
        std::iter::once(self.program.as_str())
            .chain(self.arguments.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What people call it: the program with its first argument.
    #[must_use]
    pub fn short(&self) -> String {
        match self.arguments.first() {
            Some(first) => format!("{} {first}", self.program),
            None => self.program.clone(),
        }
    }
}

/// What came of a program that ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit status.
    pub status: i32,
    /// What it wrote to its standard output. With [`Destination::File`] everything it said is in `stderr`.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// Whether it says that it did what it was to do.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status == 0
    }

    /// What it complains about, as far as it is text.
    #[must_use]
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(if self.stderr.is_empty() { &self.stdout } else { &self.stderr });
        text.trim().to_owned()
    }
}

/// Why nothing came of a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("`{program}` is not installed, or not in PATH")]
    NotFound {
        /// Its name.
        program: String,
    },
    /// There is one, and it may not be run.
    #[error("`{program}` cannot be run: {detail}")]
    NotExecutable {
        /// Its name.
        program: String,
        /// What the system said.
        detail: String,
    },
    /// It took too long and was ended, with everything it started.
    #[error("`{command}` did not end within {seconds} s")]
    TimedOut {
        /// The command.
        command: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Somebody ended it.
    #[error("`{command}` was ended by signal {signal}")]
    Signalled {
        /// The command.
        command: String,
        /// The signal's number.
        signal: i32,
    },
    /// It said more than is listened to.
    #[error("`{command}` said more than {limit} bytes")]
    TooMuch {
        /// The command.
        command: String,
        /// How much would have been listened to.
        limit: usize,
    },
    /// What it says is no text.
    #[error("what `{command}` says is no UTF-8 text")]
    NotText {
        /// The command.
        command: String,
    },
    /// The system failed us on the way.
    #[error("`{command}` could not be attended to: {detail}")]
    System {
        /// The command.
        command: String,
        /// What the system said.
        detail: String,
    },
    /// Nothing is written down of such a call.
    #[error("nothing is recorded of `{command}`")]
    NotRecorded {
        /// The command.
        command: String,
    },
    /// A recording that is none.
    #[error("{place} is no recording of processes: {detail}")]
    NotARecording {
        /// Which.
        place: String,
        /// What is wrong.
        detail: String,
    },
}
