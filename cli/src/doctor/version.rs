//! Versions as far as they are compared: major and minor.

/// A version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second one.
    pub minor: u32,
}

impl Version {
    /// A version.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads `v1.36.2`, `0.33.0-alpha+1`, `1.36+`; `None` when it does not begin with two numbers.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().trim_start_matches('v').split('.');
        let mut number = || {
            let part = parts.next()?;
            let end = part.find(|character: char| !character.is_ascii_digit()).unwrap_or(part.len());
            part.get(..end)?.parse().ok()
        };
        Some(Self { major: number()?, minor: number()? })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        assert_eq!(Version::read("v1.36.2"), Some(Version::new(1, 36)));
        assert_eq!(Version::read("0.33.0-alpha+5"), Some(Version::new(0, 33)));
        assert_eq!(Version::read("1.36+"), Some(Version::new(1, 36)));
        assert!(Version::new(0, 9) < Version::new(0, 33) && Version::new(0, 33) < Version::new(1, 0));
        for wrong in ["", "v", "1", "devel", "1.x"] {
            assert_eq!(Version::read(wrong), None, "{wrong}");
        }
    }
}
