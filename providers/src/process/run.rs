//! Running a program for real.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::invocation::{Destination, Input, Invocation, Outcome, ProcessError};

/// How much of each stream of a program is listened to.
const OUTPUT_LIMIT: usize = 32 * 1024 * 1024;

/// Runs a program to its end.
pub(super) async fn run(invocation: Invocation) -> Result<Outcome, ProcessError> {
    let (short, limit) = (invocation.short(), invocation.limit);
    let system = |error: io::Error| ProcessError::System { command: short.clone(), detail: plain(&error) };
    let mut command = Command::new(&invocation.program);
    command.args(&invocation.arguments).envs(invocation.environment.iter().map(|(name, value)| (name, value)));
    if let Some(directory) = &invocation.directory {
        command.current_dir(directory);
    }
    command.process_group(0);
    let mut bytes = Vec::new();
    match invocation.input {
        Input::Nothing => command.stdin(Stdio::null()),
        Input::Bytes(given) => {
            bytes = given;
            command.stdin(Stdio::piped())
        }
        Input::File(file) => command.stdin(file),
    };
    match &invocation.destination {
        Destination::Us => {
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        }
        Destination::File(path) => {
            let mut options = OpenOptions::new();
            options.create(true).truncate(true).write(true).mode(0o600);
            let file = options.open(path).map_err(system)?;
            command.stdout(file.try_clone().map_err(system)?).stderr(file);
        }
    }
    let mut child = command.spawn().map_err(|error| start_failure(&invocation.program, &error))?;
    // Our end of what the program was given is no longer needed; a lock in it is the program's alone.
    drop(command);
    let group = child.id();
    let attended = tokio::time::timeout(limit, attend(&mut child, bytes, &short)).await;
    let (status, stdout, mut stderr) = match attended {
        Ok(Ok(attended)) => attended,
        Ok(Err(error)) => {
            end(&mut child, group).await;
            return Err(error);
        }
        Err(_) => {
            end(&mut child, group).await;
            return Err(ProcessError::TimedOut { command: short, seconds: limit.as_secs() });
        }
    };
    if let Destination::File(path) = &invocation.destination {
        stderr = read_file(path).map_err(system)?;
    }
    match (status.code(), status.signal()) {
        (Some(status), _) => Ok(Outcome { status, stdout, stderr }),
        (None, signal) => Err(ProcessError::Signalled { command: short, signal: signal.unwrap_or_default() }),
    }
}

async fn attend(
    child: &mut Child,
    bytes: Vec<u8>,
    short: &str,
) -> Result<(std::process::ExitStatus, Vec<u8>, Vec<u8>), ProcessError> {
    let system = |error: io::Error| ProcessError::System { command: short.to_owned(), detail: plain(&error) };
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program need not read what it is given.
            let _ = stdin.write_all(&bytes).await;
        }
    };
    let ((), stdout, stderr) = futures::future::join3(write, listen(stdout, short), listen(stderr, short)).await;
    let status = child.wait().await.map_err(system)?;
    Ok((status, stdout?, stderr?))
}

async fn listen(stream: Option<impl AsyncRead + Unpin>, short: &str) -> Result<Vec<u8>, ProcessError> {
    let mut heard = Vec::new();
    let Some(stream) = stream else { return Ok(heard) };
    let mut bounded = stream.take(OUTPUT_LIMIT as u64 + 1);
    bounded
        .read_to_end(&mut heard)
        .await
        .map_err(|error| ProcessError::System { command: short.to_owned(), detail: plain(&error) })?;
    if heard.len() > OUTPUT_LIMIT {
        return Err(ProcessError::TooMuch { command: short.to_owned(), limit: OUTPUT_LIMIT });
    }
    Ok(heard)
}

/// The end of what a program said into a file: what it complains about comes last.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = std::fs::read(path)?;
    let excess = bytes.len().saturating_sub(OUTPUT_LIMIT);
    bytes.drain(..excess);
    Ok(bytes)
}

/// Ends a program and everything it started.
async fn end(child: &mut Child, group: Option<u32>) {
    let group = group.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended in the meantime; there is nobody to tell.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill().await;
}

fn start_failure(program: &str, error: &io::Error) -> ProcessError {
    let program = program.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => ProcessError::NotFound { program },
        _ => ProcessError::NotExecutable { program, detail: plain(error) },
    }
}

/// What the system said, without Rust's numbers behind it.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    fn shell(script: &str, limit: Duration) -> Invocation {
        Invocation::new("sh", &["-c", script], limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn both_streams_and_the_status_come_back() {
        let outcome = run(shell("echo out; echo err >&2; exit 3", LONG)).await.unwrap();
        let expected = Outcome { status: 3, stdout: b"out\n".to_vec(), stderr: b"err\n".to_vec() };
        assert_eq!(outcome, expected);
    }

    #[tokio::test]
    async fn input_is_given_and_closed() {
        let mut invocation = shell("cat", LONG);
        invocation.input = Input::Bytes(vec![b'x'; 300_000]);
        assert_eq!(run(invocation).await.unwrap().stdout.len(), 300_000);
        let mut deaf = shell("exit 0", LONG);
        deaf.input = Input::Bytes(vec![b'x'; 300_000]);
        assert!(run(deaf).await.unwrap().is_success());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_said_so() {
        let error = run(Invocation::new("no-such-program-anywhere", &[], LONG)).await.unwrap_err();
        assert_eq!(error, ProcessError::NotFound { program: "no-such-program-anywhere".to_owned() });
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let error = run(Invocation::new(path, &[], LONG)).await.unwrap_err();
        assert!(matches!(error, ProcessError::NotExecutable { .. }), "{error}");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended_with_what_it_started() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("lock");
        let lock = File::create(&file).unwrap();
        lock.lock().unwrap();
        // The grandchild holds the lock for as long as it lives.
        let mut invocation = shell("sleep 600 <&0 & wait", Duration::from_millis(300));
        invocation.input = Input::File(lock);
        let error = run(invocation).await.unwrap_err();
        assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
        File::open(&file).unwrap().lock().unwrap();
    }

    #[tokio::test]
    async fn a_signal_is_no_exit_status() {
        let error = run(shell("kill -9 $$", LONG)).await.unwrap_err();
        assert_eq!(error, ProcessError::Signalled { command: "sh -c".to_owned(), signal: 9 });
    }

    #[tokio::test]
    async fn a_program_that_says_too_much_is_ended() {
        let error = run(shell("yes", LONG)).await.unwrap_err();
        assert!(matches!(error, ProcessError::TooMuch { .. }), "{error}");
    }

    #[tokio::test]
    async fn what_goes_to_a_file_is_read_from_there() {
        let place = tempfile::tempdir().unwrap();
        let mut invocation = shell("echo one; echo two >&2; exit 1", LONG);
        invocation.destination = Destination::File(place.path().join("log"));
        let outcome = run(invocation).await.unwrap();
        assert_eq!(outcome, Outcome { status: 1, stdout: Vec::new(), stderr: b"one\ntwo\n".to_vec() });
    }
}
