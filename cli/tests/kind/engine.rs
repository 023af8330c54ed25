//! The test bed's own Docker engine, which a journey may stop. Nobody else's is ever touched.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::host::tool;

/// The running engine: its process and how it was started.
pub struct Engine {
    process: String,
    words: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Engine {
    /// The test bed's own engine; `None` where the tests use a Docker that was there before.
    pub fn own() -> Option<Self> {
        let file = std::env::var_os("LACONIC_TESTBED_ENGINE_PID").filter(|path| !path.is_empty())?;
        let process = fs::read_to_string(file).unwrap().trim().to_owned();
        let parts = |name: &str| -> Vec<String> {
            let bytes = fs::read(format!("/proc/{process}/{name}")).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let environment = parts("environ");
        let pairs = environment.iter().filter_map(|pair| pair.split_once('='));
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Self { words: parts("cmdline"), environment, process })
    }

    /// Stops it, as an administrator would, and with it every container.
    pub fn stop(&self) {
        tool("kill", &["-TERM", &self.process]);
        let gone = || !Command::new("docker").arg("version").output().unwrap().status.success();
        // The engine answers no more before it has ended, and its process file goes last.
        wait("the engine ends", || gone() && !fs::exists(self.process_file()).unwrap());
    }

    /// Starts it again in the same way.
    pub fn start(&self) {
        let (program, arguments) = self.words.split_first().unwrap();
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It ends with the test bed, which ends everything in its namespaces.
        drop(command.spawn().unwrap());
        wait("the engine answers", || Command::new("docker").arg("version").output().unwrap().status.success());
    }

    fn process_file(&self) -> String {
        std::env::var("LACONIC_TESTBED_ENGINE_PID").unwrap()
    }
}

#[track_caller]
fn wait(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(120), "waited two minutes until {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
