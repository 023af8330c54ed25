//! The program under test.

use std::io;
use std::path::PathBuf;

/// Where the program is: `LACONIC_BIN`, else the one built into the same target directory as whoever asks.
///
/// # Errors
/// When there is none, with what to do about it.
pub fn program() -> io::Result<PathBuf> {
    let path = match std::env::var_os("LACONIC_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let mut folder = std::env::current_exe()?;
            folder.pop();
            // Tests lie one deeper than programs.
            if folder.ends_with("deps") {
                folder.pop();
            }
            folder.join("laconic")
        }
    };
    if path.is_file() {
        return Ok(path);
    }
    let path = path.display();
    Err(io::Error::other(format!("no {path}: build it with `cargo build -p laconic`, or name it with LACONIC_BIN")))
}
