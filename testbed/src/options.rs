//! How a server is started.

use std::time::Duration;

use crate::User;

/// How an [`crate::ApiServer`] is started.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) controller_manager: bool,
    pub(crate) flags: Vec<String>,
    pub(crate) controller_manager_flags: Vec<String>,
    pub(crate) token_users: Vec<User>,
    pub(crate) expired_serving_certificate: bool,
    pub(crate) ready_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controller_manager: false,
            flags: Vec::new(),
            controller_manager_flags: Vec::new(),
            token_users: Vec::new(),
            expired_serving_certificate: false,
            // Ready in 3 to 5 s; a machine that builds at the same time takes its time.
            ready_within: Duration::from_mins(2),
        }
    }
}

impl Options {
    /// etcd and kube-apiserver, nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// With kube-controller-manager, or without. Without it deleted namespaces and persistent volumes in use stay
    /// Terminating, volumes are not bound, and no pods are made.
    #[must_use]
    pub fn with_controller_manager(mut self, with: bool) -> Self {
        self.controller_manager = with;
        self
    }

    /// One more flag of kube-apiserver, as `--watch-cache=false`. It comes after those of the test bed, and wins
    /// over them where a flag is not a list.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// One more flag of kube-controller-manager.
    #[must_use]
    pub fn controller_manager_flag(mut self, flag: impl Into<String>) -> Self {
        self.controller_manager_flags.push(flag.into());
        self
    }

    /// A user who is known by a token, instead of by a client certificate as all others.
    #[must_use]
    pub fn token_user(mut self, user: impl Into<User>) -> Self {
        self.token_users.push(user.into());
        self
    }

    /// The certificate that the server shows has expired.
    #[must_use]
    pub fn expired_serving_certificate(mut self) -> Self {
        self.expired_serving_certificate = true;
        self
    }

    /// How long each server has to become ready.
    #[must_use]
    pub fn ready_within(mut self, within: Duration) -> Self {
        self.ready_within = within;
        self
    }
}
