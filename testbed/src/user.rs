//! Users of the API server.

/// Somebody who talks to the API server, known by a client certificate or by a token.
///
/// A `&str` is a user too: `"admin"` is [`User::admin`], any other name is a user in no group, with no rights until
/// a role is bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    pub(crate) expired: bool,
}

impl User {
    /// A user in no group.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), groups: Vec::new(), expired: false }
    }

    /// The user `admin`, who may do everything.
    pub fn admin() -> Self {
        Self::new("admin").group("system:masters")
    }

    /// The same user in one more group.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// The same user with a client certificate whose time is over.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.expired = true;
        self
    }
}

impl From<&str> for User {
    fn from(name: &str) -> Self {
        if name == "admin" { Self::admin() } else { Self::new(name) }
    }
}

impl From<&User> for User {
    fn from(user: &User) -> Self {
        user.clone()
    }
}
