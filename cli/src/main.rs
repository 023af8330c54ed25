//! The binary: the command line in, an exit code out.

/// A plan is very many small values that are made at once and let go of at once, on several threads; the system's
/// allocator takes a good part of the time of making one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    laconic::run()
}
