//! What can go wrong in the test bed.

use std::time::Duration;

/// Why a server of the test bed does not do what was asked for.
///
/// Its `Debug` is its text: tests `unwrap`, and logs have lines.
#[derive(thiserror::Error)]
pub enum TestbedError {
    /// The servers' binaries are not there.
    #[error("the test bed's servers are missing: {0}")]
    Assets(String),
    /// `LACONIC_TESTBED=off`, but a test asked for a server; it should ask [`crate::off`] first.
    #[error("the test bed is off (LACONIC_TESTBED=off), and this test does not ask for that before it starts a server")]
    Off,
    /// A file or a process could not be handled.
    #[error("{action}: {source}")]
    Io {
        /// What was being done.
        action: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("a certificate of the test bed: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A user known by a certificate is in more groups than a certificate can hold here.
    #[error("user `{user}` is in several groups, which needs a token: name the user in `Options::token_user`")]
    Groups {
        /// The user.
        user: String,
    },
    /// A server ended by itself.
    #[error("`{server}` ended ({status}); the last lines of its log:\n{tail}")]
    Ended {
        /// Which server.
        server: &'static str,
        /// How it ended.
        status: String,
        /// The end of its log.
        tail: String,
    },
    /// A server runs, but is not ready.
    #[error("`{server}` is not ready after {within:?} ({last}); the last lines of its log:\n{tail}")]
    NotReady {
        /// Which server.
        server: &'static str,
        /// How long it had.
        within: Duration,
        /// What the last attempt to reach it said.
        last: String,
        /// The end of its log.
        tail: String,
    },
    /// A request of the test bed itself failed.
    #[error("{action}: {source}")]
    Request {
        /// What was being done.
        action: String,
        /// What the client or the server said.
        source: Box<kube::Error>,
    },
    /// A kubeconfig that the test bed wrote cannot be used.
    #[error("kubeconfig: {0}")]
    Kubeconfig(String),
}

impl TestbedError {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    pub(crate) fn request(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Request { action, source: Box::new(source) }
    }
}

impl std::fmt::Debug for TestbedError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}
