//! What `scripts/with-docker.sh` provides, for one journey at a time.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every cluster maps the same ports of the host.
static TURN: Mutex<()> = Mutex::new(());

/// A Docker with kind and a node image, ours until it is dropped.
pub struct Bed {
    /// A directory on a shared mount, for the host paths of clusters.
    pub shared: PathBuf,
    /// The name of the node image.
    pub image: String,
    _turn: MutexGuard<'static, ()>,
}

impl Bed {
    /// The test bed, when it is this journey's turn; `None` where there is none, which is said, and not allowed with
    /// `CI=true`.
    pub fn take() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (shared, image) = (variable("LACONIC_TESTBED_SHARED"), variable("KIND_NODE_IMAGE"));
        let (Some(shared), Some(image)) = (shared, image) else {
            left_out();
            return None;
        };
        // A journey that failed has cleaned up after itself all the same.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Self { shared: shared.into(), image, _turn: turn })
    }
}

fn left_out() {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a journey");
    let line = format!("SKIPPED {name}: there are no kind clusters here; run it under scripts/with-docker.sh\n");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
    // Not by `eprint!`, which the test harness swallows for tests that succeed.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(file) = std::env::var_os("LACONIC_TESTBED_SKIPPED") {
        let counted = OpenOptions::new().create(true).append(true).open(file);
        let _ = counted.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
