//! Measured runs of the real program as child processes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often memory is looked at. The kernel keeps the peak itself, so only what grows in the last moment is missed.
const LOOK: Duration = Duration::from_micros(500);

/// One thing that was measured.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// The median time.
    pub time: Duration,
    /// The highest peak of resident memory, when it is known.
    pub peak_bytes: Option<u64>,
}

/// The program, and the host it works on.
#[derive(Clone, Debug)]
pub struct Program {
    /// The binary.
    pub binary: PathBuf,
    /// The deployment directories it is given.
    pub directories: Vec<PathBuf>,
    /// The directory of the simulated host.
    pub host: PathBuf,
}

impl Program {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--simulate").arg(&self.host);
        for directory in &self.directories {
            command.arg("--dir").arg(directory);
        }
        // Nothing of the caller's surroundings changes what is measured.
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Runs once and returns how long that took.
    ///
    /// # Errors
    /// A program that cannot be run, or that ends otherwise than with `exit`.
    pub fn run(&self, arguments: &[&str], exit: i32) -> io::Result<Duration> {
        let start = Instant::now();
        let output = self.command(arguments).output()?;
        let time = start.elapsed();
        if output.status.code() == Some(exit) {
            return Ok(time);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.lines().take(20).collect();
        Err(io::Error::other(format!("{arguments:?} ended with {}: {}", output.status, said.join("\n"))))
    }

    /// Runs several times for the median time, and once more for the peak of memory.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn measure(&self, arguments: &[&str], exit: i32, runs: usize) -> io::Result<Measurement> {
        let times = (0..runs).map(|_| self.run(arguments, exit)).collect::<io::Result<Vec<Duration>>>()?;
        Ok(Measurement { time: median(times), peak_bytes: self.peak(arguments)? })
    }

    fn peak(&self, arguments: &[&str]) -> io::Result<Option<u64>> {
        let mut child = self.command(arguments).stderr(Stdio::null()).spawn()?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut peak = None;
        while child.try_wait()?.is_none() {
            peak = peak_of(&status).max(peak);
            std::thread::sleep(LOOK);
        }
        Ok(peak)
    }
}

/// The middle one.
#[must_use]
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn peak_of(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
