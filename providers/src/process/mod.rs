//! Running other programs: the container engine's command line and kind.
//!
//! This is the one module of the product that starts processes. Each has a time limit and a bound on what it may say, and
//! is started in a process group of its own: a Ctrl-C at our terminal is ours to deal with, and what has to be ended is
//! ended with everything it started. Only what somebody attends to at the terminal ([`attended`]) has neither.

mod attended;
mod invocation;
mod recording;
mod run;

use std::path::{Path, PathBuf};

pub use attended::attended;
pub use invocation::{Destination, Input, Invocation, Outcome, ProcessError};
use recording::{Recorder, Replay};

/// Runs programs: really, writing down what came of it, or out of what was written down.
#[derive(Debug)]
pub struct Processes {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Real,
    Recording(Recorder),
    Replaying(Replay),
}

impl Processes {
    /// Really.
    #[must_use]
    pub const fn real() -> Self {
        Self { way: Way::Real }
    }

    /// Really, and every call with its outcome is appended to a file, one JSON document a line. What an invocation calls
    /// secret is left out.
    #[must_use]
    pub const fn recording(file: PathBuf) -> Self {
        Self { way: Way::Recording(Recorder::new(file)) }
    }

    /// Nothing is run: calls are answered by a recording. Calls that are alike are answered in its order, the last answer
    /// for as often as it takes.
    ///
    /// # Errors
    /// A file that cannot be read, or is no recording.
    pub fn replaying(file: &Path) -> Result<Self, ProcessError> {
        Ok(Self { way: Way::Replaying(Replay::read(file)?) })
    }

    /// The same from the text of a recording.
    ///
    /// # Errors
    /// A text that is no recording.
    pub fn replaying_text(text: &str) -> Result<Self, ProcessError> {
        Ok(Self { way: Way::Replaying(Replay::parse(text, "the recording")?) })
    }

    /// Runs a program to its end. That it failed is an outcome, no error.
    ///
    /// # Errors
    /// It could not be started, took too long, was ended by a signal, or said more than anybody wants to hear.
    pub async fn run(&self, invocation: Invocation) -> Result<Outcome, ProcessError> {
        match &self.way {
            Way::Real => run::run(invocation).await,
            Way::Recording(recorder) => {
                let line = recording::Call::of(&invocation);
                let outcome = run::run(invocation).await;
                recorder.write(line, &outcome)?;
                outcome
            }
            Way::Replaying(replay) => replay.answer(&invocation),
        }
    }
}
