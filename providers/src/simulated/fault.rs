//! Faults: a host that dies, a call that fails once. Kept in `faults.json` so that a program run later meets them.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directory::{DirectoryError, replace_file};

/// A call of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// [`laconic_engine::apply::Provider::observe`].
    Observe,
    /// [`laconic_engine::apply::Provider::enact`].
    Enact,
    /// [`laconic_engine::apply::Provider::readiness`].
    Readiness,
    /// Any call of [`laconic_engine::apply::Rescue`].
    Rescue,
}

impl Call {
    /// Every call.
    #[must_use]
    pub fn all() -> BTreeSet<Self> {
        [Self::Observe, Self::Enact, Self::Readiness, Self::Rescue].into()
    }
}

/// What goes wrong. Calls are counted from one, from when the fault was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Fault {
    /// From this call on the host answers nothing, until it is revived.
    DiesAfter {
        /// The number of the call.
        calls: u64,
        /// Whether that call is still carried out and only its answer lost. Otherwise nothing of it is done, but for a kind
        /// cluster that was being made: its node is left unfinished.
        reply_lost: bool,
    },
    /// This call, and only this one, fails without doing anything.
    FailsOnce {
        /// The number of the call.
        call: u64,
        /// How.
        kind: Failure,
    },
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Worth another try.
    Transient,
    /// For good.
    Refused,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is carried out.
    Served,
    /// It is carried out and nobody learns of it.
    ReplyLost,
    /// The host dies over it: what is done in one go is not done, what takes many steps stops in the middle.
    Dies,
    /// Nobody answers.
    Dead,
    /// It fails.
    Fails(Failure),
}

/// The fault that is set, and how far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// Which calls count.
    pub counted: BTreeSet<Call>,
    /// How many of them there were.
    pub calls: u64,
    /// Whether the host is dead.
    pub dead: bool,
}

impl Faults {
    /// Counts a call and says what happens to it.
    pub fn meet(&mut self, call: Call) -> Fate {
        if self.dead {
            return Fate::Dead;
        }
        if self.fault.is_some() && !self.counted.contains(&call) {
            return Fate::Served;
        }
        self.calls += 1;
        match self.fault {
            Some(Fault::DiesAfter { calls, reply_lost }) if self.calls >= calls => {
                self.dead = true;
                if reply_lost { Fate::ReplyLost } else { Fate::Dies }
            }
            Some(Fault::FailsOnce { call, kind }) if self.calls == call => Fate::Fails(kind),
            _ => Fate::Served,
        }
    }

    /// Reads the faults of a directory; none when there is no file.
    pub fn read(directory: &Path) -> Result<Option<Self>, DirectoryError> {
        let path = directory.join("faults.json");
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| DirectoryError::Damaged { path, detail: error.to_string() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DirectoryError::Storage { path, verb: "read", source }),
        }
    }

    /// Writes the faults into a directory.
    pub fn write(&self, directory: &Path) -> Result<(), DirectoryError> {
        let path = directory.join("faults.json");
        let bytes = serde_json::to_vec(self)
            .map_err(|error| DirectoryError::Damaged { path: path.clone(), detail: error.to_string() })?;
        replace_file(&path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_from_one_and_only_those_selected() {
        let mut faults = Faults {
            fault: Some(Fault::FailsOnce { call: 2, kind: Failure::Transient }),
            counted: [Call::Enact].into(),
            ..Faults::default()
        };
        assert_eq!(faults.meet(Call::Enact), Fate::Served);
        assert_eq!(faults.meet(Call::Observe), Fate::Served);
        assert_eq!(faults.meet(Call::Enact), Fate::Fails(Failure::Transient));
        assert_eq!(faults.meet(Call::Enact), Fate::Served);
    }

    #[test]
    fn a_dead_host_stays_dead() {
        let fault = Some(Fault::DiesAfter { calls: 2, reply_lost: true });
        let mut faults = Faults { fault, counted: Call::all(), ..Faults::default() };
        let fates: Vec<Fate> = (0..4).map(|_| faults.meet(Call::Enact)).collect();
        assert_eq!(fates, [Fate::Served, Fate::ReplyLost, Fate::Dead, Fate::Dead]);
    }
}
