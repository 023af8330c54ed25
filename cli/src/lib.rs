//! The command line of `laconic`: the composition root, and the only crate that words things for people.
//!
//! Architecture invariants: `wire` is the only module that knows which provider and which store are used, `error` the
//! only one that words an error, and `view` the only one that shapes an answer. Only `commands` write files.

pub mod applying;
pub mod args;
pub mod branch;
pub mod clock;
pub mod cluster_report;
pub mod commands;
pub mod compiling;
pub mod deployment_directory;
pub mod doctor;
pub mod dry_running;
pub mod error;
pub mod everyday;
pub mod inputs;
pub mod maintenance;
pub mod migrating;
mod node_ports;
pub mod output;
pub mod plan_file;
pub mod planning;
pub mod revision;
pub mod secret_values;
pub mod session;
pub mod sources;
pub mod state_mark;
pub mod syncing;
pub mod view;
pub mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::error::{Exit, Problem};
use crate::session::Session;
use crate::wire::Disk;

/// Runs the program with this process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    run_on(std::env::args_os(), Disk::default())
}

/// Runs the program with these arguments, the first one being its name, and with its state on that disk. Tests have a disk
/// that ends the process at a chosen moment.
#[must_use]
pub fn run_on(arguments: impl IntoIterator<Item = OsString>, disk: Disk) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; clap sends them to stdout. Its own exit code 2 means something else here.
            let exit = if error.use_stderr() { Exit::Failed } else { Exit::Done };
            let _ = error.print();
            return exit.code().into();
        }
    };
    let session = Session::new(cli.common, disk);
    let exit = match commands::run(&session, &cli.command) {
        Ok(exit) => exit,
        Err(problem) => {
            session.output.complain(&problem);
            problem.exit()
        }
    };
    exit.code().into()
}

/// Whether a problem was the reader's going away.
#[must_use]
pub const fn is_broken_pipe(problem: &Problem) -> bool {
    matches!(problem, Problem::BrokenPipe)
}
