//! Servers that the tests of one process share.

use std::sync::OnceLock;

use crate::{ApiServer, Options, TestbedError};

type Shared = OnceLock<Result<ApiServer, TestbedError>>;

impl ApiServer {
    /// The server that all tests of this process share, without a controller-manager. Each test works in a
    /// [namespace](ApiServer::namespace) of its own.
    #[track_caller]
    pub fn shared() -> &'static Self {
        static SERVER: Shared = OnceLock::new();
        share(&SERVER, false)
    }

    /// The same with a controller-manager: a second server, started when a first test asks for it.
    #[track_caller]
    pub fn shared_with_controller_manager() -> &'static Self {
        static SERVER: Shared = OnceLock::new();
        share(&SERVER, true)
    }
}

#[track_caller]
fn share(server: &'static Shared, controller_manager: bool) -> &'static ApiServer {
    let result = server.get_or_init(|| {
        let started = ApiServer::start(Options::new().with_controller_manager(controller_manager));
        if started.is_ok() {
            keep_logs_on_panic(server);
        }
        started
    });
    match result {
        Ok(server) => server,
        Err(error) => panic!("the shared server of the test bed: {error}"),
    }
}

/// A static is never dropped: the logs are kept when any test of the process panics.
fn keep_logs_on_panic(server: &'static Shared) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some(Ok(server)) = server.get() {
            server.keep_logs();
        }
    }));
}
