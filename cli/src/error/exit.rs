//! Exit codes.

/// How a command ended, as the number the shell sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or no changes.
    Done,
    /// Failed.
    Failed,
    /// Changes are present (`plan --detailed-exitcode`, `drift`).
    Changes,
    /// An open refusal or a consent not given.
    Refused,
    /// Locked or stale.
    LockedOrStale,
    /// As a program ended that was run in a container.
    OfProgram(u8),
}

impl Exit {
    /// The process exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Refused => 3,
            Self::LockedOrStale => 4,
            Self::OfProgram(code) => code,
        }
    }

    /// Of two that fit, the one that counts: 1, 4, 3, 2, 0 in this order.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Changes => 1,
            Self::Refused => 2,
            Self::LockedOrStale => 3,
            Self::Failed | Self::OfProgram(_) => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_of_exit_codes() {
        let order = [Exit::Failed, Exit::LockedOrStale, Exit::Refused, Exit::Changes, Exit::Done];
        for (index, strong) in order.iter().enumerate() {
            for weak in &order[index..] {
                assert_eq!(strong.or(*weak), *strong);
                assert_eq!(weak.or(*strong), *strong);
            }
        }
        assert_eq!(order.map(Exit::code), [1, 4, 3, 2, 0]);
    }
}
