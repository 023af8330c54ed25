//! What `laconic doctor` looks at, and what it makes of it.
//!
//! Each module has one subject. What is looked at is one thing (`look`, or what [`crate::wire`] asks programs and servers),
//! what is made of it another (`judge`), which is a function of what was seen and nothing else.
//!
//! Architecture invariant: nothing here changes anything.

pub mod clusters;
pub mod disk;
pub mod engine;
pub mod examination;
pub mod kind;
pub mod limits;
pub mod locks;
pub mod mounts;
pub mod permissions;
pub mod ports;
pub mod register;
pub mod servers;
pub mod state;
pub mod subject;
pub mod version;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and may not for long, or not for everything.
    Warning,
    /// Something does not work.
    Problem,
    /// Nobody looked, and the check says why.
    NotChecked,
}

impl Verdict {
    /// The word for it, in text and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::NotChecked => "not checked",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What kind of thing, a stable word for programs: `engine`, `mount`, …
    pub name: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// What was found, in one line.
    pub found: String,
    /// What to do about it, a line each; nothing for what is as it should be.
    pub help: Vec<String>,
}

impl Check {
    /// As it should be.
    #[must_use]
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), help: Vec::new() }
    }

    /// It works, but.
    #[must_use]
    pub fn warning(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, found: found.into(), help: vec![help.into()] }
    }

    /// It does not work.
    #[must_use]
    pub fn problem(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Problem, found: found.into(), help: vec![help.into()] }
    }

    /// Nobody looked.
    #[must_use]
    pub fn not_checked(name: &'static str, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::NotChecked, found: why.into(), help: vec![help.into()] }
    }

    /// The same with one more thing to do.
    #[must_use]
    pub fn or(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// Checks that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// The checks.
    pub checks: Vec<Check>,
}

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The deployments that it is about; none for the machine alone.
    pub deployments: Vec<String>,
    /// The groups that have checks.
    pub groups: Vec<Group>,
}

impl Report {
    /// Adds a group, unless it is empty.
    pub fn add(&mut self, title: &'static str, checks: Vec<Check>) {
        if !checks.is_empty() {
            self.groups.push(Group { title, checks });
        }
    }

    /// How many checks came to that.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.groups.iter().flat_map(|group| &group.checks).filter(|check| check.verdict == verdict).count()
    }
}
