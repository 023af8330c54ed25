//! What `scripts/with-docker.sh` provides, for one journey at a time.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use laconic_testbed::Kind;

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
        let Kind { image, shared } = laconic_testbed::kind()?;
        // A journey that failed has cleaned up after itself all the same.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Self { shared, image, _turn: turn })
    }
}
