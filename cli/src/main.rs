//! The binary: the command line in, an exit code out.

fn main() -> std::process::ExitCode {
    laconic::run()
}
