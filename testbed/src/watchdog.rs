//! Nothing stays behind, however the test process ends.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::TestbedError;

/// Reads what runs from its standard input, whose other end only the test process holds: when that process is gone,
/// killed or not, what still runs is ended, and the directory removed (or all of it but the logs).
///
/// The kernel's own signal on a parent's death would not do: it comes when the *thread* ends that started the child,
/// and test harnesses run each test in a thread.
///
/// The form of `kill` is the one that all shells know.
const SCRIPT: &str = r#"
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
directory=$1 running= keep=no
while read -r word group; do
  case $word in
    started) running="$running $group" ;;
    ended)
      rest=
      for one in $running; do [ "$one" = "$group" ] || rest="$rest $one"; done
      running=$rest
      ;;
    keep) keep=yes ;;
  esac
done
for group in $running; do kill -KILL "-$group"; done
if [ "$keep" = yes ]; then set -- "$directory"/data; else set -- "$directory"; fi
for attempt in 1 2 3 4 5; do
  rm -rf -- "$1" && break
  sleep 1
done
"#;

/// A process beside the test process that outlives it, to clean up.
pub(crate) struct Watchdog {
    process: Child,
    input: Mutex<Option<ChildStdin>>,
}

impl Watchdog {
    pub(crate) fn start(directory: &Path) -> Result<Self, TestbedError> {
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "laconic-testbed-watchdog"])
            .arg(directory)
            .current_dir("/")
            // A Ctrl-C at the terminal is not for it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(TestbedError::io("starting the watchdog"))?;
        let input = Mutex::new(process.stdin.take());
        Ok(Self { process, input })
    }

    pub(crate) fn started(&self, group: u32) {
        self.say(&format!("started {group}\n"));
    }

    pub(crate) fn ended(&self, group: u32) {
        self.say(&format!("ended {group}\n"));
    }

    /// The logs are to stay.
    pub(crate) fn keep(&self) {
        self.say("keep\n");
    }

    fn say(&self, line: &str) {
        if let Some(input) = self.input.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // If the watchdog is gone, the servers still end with `ApiServer`.
            let _ = input.write_all(line.as_bytes());
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.input.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.process.wait();
    }
}
