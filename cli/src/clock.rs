//! The clock an apply waits by.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use laconic_engine::apply::Clock;

/// The system's clock, waiting on tokio.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> String {
        laconic_state::timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that never waits: for a host whose time is simulated.
#[derive(Debug, Default)]
pub struct SimulatedClock {
    slept: std::sync::atomic::AtomicU64,
}

impl Clock for SimulatedClock {
    fn now(&self) -> String {
        laconic_state::timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.slept.load(std::sync::atomic::Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.slept.fetch_add(millis, std::sync::atomic::Ordering::SeqCst);
        Box::pin(tokio::task::yield_now())
    }
}
