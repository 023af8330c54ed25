//! What the project's tests share: a universe of simulated host and memory state in which whole operations run, and a
//! generator of random deployments.

pub mod bench;
pub mod clock;
pub mod generate;
pub mod generate_volumes;
pub mod program;
pub mod settled;
pub mod universe;

/// The program's own allocator, for the program's own reason: plans are very many small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
