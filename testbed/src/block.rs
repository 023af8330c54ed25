//! Asynchronous work from synchronous code, which may itself run inside of a runtime.

use std::future::Future;

use crate::TestbedError;

/// Runs a future to its end on a runtime of its own, in a thread of its own: a runtime cannot be entered from
/// within another one.
pub(crate) fn block_on<T: Send>(
    future: impl Future<Output = Result<T, TestbedError>> + Send,
) -> Result<T, TestbedError> {
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(TestbedError::io("starting a runtime"))?
                .block_on(future)
        });
        work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
