//! One server's process.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::TestbedError;
use crate::watchdog::Watchdog;

/// How long a server has to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How many lines of a log an error shows.
const TAIL: usize = 25;

/// Becomes the server, without the files that the test process was handed by those who started it: a lock of theirs
/// would stay locked as long as a server runs.
const START: &str = r#"exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec "$0" "$@""#;

/// A server, in a process group of its own, writing a log.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    watchdog: Arc<Watchdog>,
}

impl Process {
    /// Starts a program with flags; its log is `<folder>/<name>.log`, continued if it is there.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        flags: &[String],
        logs: &Path,
        watchdog: &Arc<Watchdog>,
    ) -> Result<Self, TestbedError> {
        let starting = || format!("starting {}", program.display());
        let log = logs.join(format!("{name}.log"));
        let output = OpenOptions::new().create(true).append(true).open(&log).map_err(TestbedError::io(starting()))?;
        let errors = output.try_clone().map_err(TestbedError::io(starting()))?;
        let child = Command::new("sh")
            .args(["-c", START])
            .arg(program)
            .args(flags)
            .current_dir(logs)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(TestbedError::io(starting()))?;
        watchdog.started(child.id());
        Ok(Self { name, child, log, watchdog: Arc::clone(watchdog) })
    }

    /// An error if the process has ended.
    pub(crate) fn check(&mut self) -> Result<(), TestbedError> {
        match self.exited() {
            None => Ok(()),
            Some(status) => {
                Err(TestbedError::Ended { server: self.name, status: status.to_string(), tail: self.tail() })
            }
        }
    }

    pub(crate) fn not_ready(&self, within: Duration, last: String) -> TestbedError {
        TestbedError::NotReady { server: self.name, within, last, tail: self.tail() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Fails only for a group that is gone, where nothing is left to do.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Stops the process where it is, and waits until none of its threads runs any more: a busy one hears the signal late.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let deadline = Instant::now() + GRACE;
        while !self.is_still() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_still(&self) -> bool {
        let is_stopped = |thread: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // The state stands behind the name, which is in parentheses.
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        };
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        threads.is_ok_and(|mut threads| threads.all(|thread| thread.is_ok_and(is_stopped)))
    }

    /// Asks the process to end, without waiting.
    pub(crate) fn ask_to_end(&mut self) {
        if self.exited().is_none() {
            self.signal(Signal::TERM);
            // A stopped process would not hear it.
            self.signal(Signal::CONT);
        }
    }

    /// Ends the process: asks it to, and kills it when it takes too long.
    pub(crate) fn end(mut self) {
        self.ask_to_end();
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    fn tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ask_to_end();
        let deadline = Instant::now() + GRACE;
        while self.exited().is_none() {
            if Instant::now() > deadline {
                self.signal(Signal::KILL);
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.watchdog.ended(self.child.id());
    }
}
