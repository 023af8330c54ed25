//! A clock that never waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use laconic_engine::apply::Clock;

/// Sleeping moves it on; nothing else does.
#[derive(Debug, Default)]
pub struct SteppingClock {
    milliseconds: AtomicU64,
}

impl Clock for SteppingClock {
    fn now(&self) -> String {
        "2026-01-01T00:00:00Z".to_owned()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
        futures::future::ready(()).boxed()
    }
}
