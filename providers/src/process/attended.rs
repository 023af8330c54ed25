//! Programs that somebody attends to: what they read, say and show is between them and the terminal.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use super::invocation::ProcessError;

/// Runs a program with our own streams, for as long as it likes and in our own process group, so that a Ctrl-C reaches it;
/// gives its exit status.
///
/// # Errors
/// It could not be started, or was ended by a signal.
pub fn attended(program: &str, arguments: &[String]) -> Result<i32, ProcessError> {
    let status = Command::new(program).args(arguments).status().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ProcessError::NotFound { program: program.to_owned() },
        _ => ProcessError::NotExecutable { program: program.to_owned(), detail: error.to_string() },
    })?;
    let signalled =
        || ProcessError::Signalled { command: program.to_owned(), signal: status.signal().unwrap_or_default() };
    status.code().ok_or_else(signalled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_as_the_program_ended() {
        let words = |text: &str| ["-c".to_owned(), text.to_owned()];
        assert_eq!(attended("sh", &words("exit 3")), Ok(3));
        assert_eq!(attended("sh", &words("kill -9 $$")).unwrap_err().to_string(), "`sh` was ended by signal 9");
        assert!(matches!(attended("no-such-program", &[]), Err(ProcessError::NotFound { .. })));
    }
}
