//! Where a command says things: stdout for the answer, stderr for progress and diagnostics.

use std::io::{IsTerminal as _, Write as _};

use crate::args::{ColorChoice, Common};
use crate::error::{Problem, Result};
use crate::view::style::Palette;

/// The two streams, and what may be done with them.
#[derive(Clone, Debug)]
pub struct Output {
    /// The colours of stdout.
    pub palette: Palette,
    /// The colours of stderr.
    pub error_palette: Palette,
    /// Whether a person can be asked.
    pub interactive: bool,
    /// Whether stderr can show moving bars.
    pub moving: bool,
    /// Whether durations are left out, so that the same run prints the same bytes.
    pub plain_times: bool,
    /// Whether the answer is JSON.
    pub json: bool,
    /// How wide lines may be.
    pub width: usize,
}

impl Output {
    /// The streams of this process.
    #[must_use]
    pub fn new(common: &Common) -> Self {
        let stdin = std::io::stdin().is_terminal();
        let stdout = std::io::stdout().is_terminal();
        let stderr = std::io::stderr().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0" && !value.is_empty());
        let colored = |terminal: bool| match common.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => (terminal || forced) && !no_color,
        };
        let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(120);
        Self {
            palette: Palette::new(colored(stdout) && !common.json),
            error_palette: Palette::new(colored(stderr)),
            interactive: stdin && stdout && !common.no_input && !common.json,
            moving: stderr && !common.json && !common.plain_times,
            plain_times: common.plain_times,
            json: common.json,
            width,
        }
    }

    /// Prints a part of the answer.
    ///
    /// # Errors
    /// stdout that does not take it; a closed pipe among them.
    pub fn print(&self, text: &str) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Problem::from)
    }

    /// Prints a JSON document.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub fn print_json(&self, value: &serde_json::Value) -> Result<()> {
        let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
        text.push('\n');
        self.print(&text)
    }

    /// Says something beside the answer. Nobody is helped by an error about it.
    pub fn remark(&self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Asks for one line.
    ///
    /// # Errors
    /// A terminal that does not work.
    pub fn ask(&self, prompt: &str) -> Result<String> {
        self.print(prompt)?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Words a problem on stderr, with its hints.
    pub fn complain(&self, problem: &Problem) {
        if let Problem::Usage(error) = problem {
            let _ = error.print();
            return;
        }
        let message = problem.message();
        if message.is_empty() {
            return;
        }
        let label = match problem.code() {
            Some(code) => format!("error[{code}]"),
            None => "error".to_owned(),
        };
        let mut text = format!("{}: {message}\n", self.error_palette.bad(&label));
        for hint in problem.hints() {
            // An indented line goes on with the one before it: a command to copy.
            if hint.starts_with(' ') {
                text.push_str(&format!("{hint}\n"));
            } else {
                text.push_str(&format!("  {} {hint}\n", self.error_palette.accent("help:")));
            }
        }
        self.remark(&text);
    }
}
