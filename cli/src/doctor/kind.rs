//! kind's program.

use super::Check;
use super::version::Version;
use crate::wire::ProcessError;

/// The oldest that loads images into nodes of Kubernetes 1.33 and later: their containerd 2 prints its configuration in a
/// form that earlier ones do not read.
const OLDEST: Version = Version::new(0, 27);
/// The newest that laconic was tested with.
const TESTED: Version = Version::new(0, 33);

/// What is made of the answer to `kind version`: `kind v0.33.0 go1.26.1 linux/amd64`.
#[must_use]
pub fn judge(answer: &Result<String, ProcessError>) -> Check {
    let text = match answer {
        Ok(text) => text.trim(),
        Err(ProcessError::NotFound { .. }) => {
            let found = "`kind` is not installed, or not in PATH";
            let help = "install it: https://kind.sigs.k8s.io/docs/user/quick-start/#installation";
            return Check::problem("kind", found, help).or("remote clusters (`deploy-to: k8s`) need none");
        }
        Err(error @ ProcessError::NotExecutable { .. }) => {
            return Check::problem("kind", error.to_string(), "see who may run it: `ls -l \"$(which kind)\"`");
        }
        Err(error) => return Check::problem("kind", error.to_string(), "see what `kind version` prints"),
    };
    let word = text.split_whitespace().find(|word| word.starts_with('v') && Version::read(word).is_some());
    let Some((word, version)) = word.and_then(|word| Some((word, Version::read(word)?))) else {
        let line = text.lines().next().unwrap_or_default();
        return Check::problem(
            "kind",
            format!("`kind version` answers `{line}`, which names no version"),
            "install a released kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
        );
    };
    if version < OLDEST {
        return Check::warning(
            "kind",
            format!(
                "kind {word} is older than {OLDEST}: it cannot load images into nodes of Kubernetes 1.33 and later"
            ),
            format!("install kind {TESTED}: https://kind.sigs.k8s.io/docs/user/quick-start/#installation"),
        );
    }
    if version > TESTED {
        return Check::warning(
            "kind",
            format!("kind {word} is newer than {TESTED}, the newest that laconic was tested with"),
            format!("look for a newer laconic; if something fails, try kind {TESTED}"),
        );
    }
    Check::ok("kind", format!("kind {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn versions_are_held_against_what_is_known_to_work() {
        let of = |text: &str| judge(&Ok(text.to_owned())).verdict;
        assert_eq!(of("kind v0.33.0 go1.26.1 linux/amd64\n"), Verdict::Ok);
        assert_eq!(of("kind v0.27.0 go1.23.6 linux/amd64"), Verdict::Ok);
        assert_eq!(of("kind v0.26.0 go1.23.4 linux/amd64"), Verdict::Warning);
        assert_eq!(of("kind v0.34.0-alpha+3 go1.26.1 linux/amd64"), Verdict::Warning);
        assert_eq!(of("kind (devel)"), Verdict::Problem);
        assert_eq!(of(""), Verdict::Problem);
    }

    #[test]
    fn its_absence_is_told_with_where_to_get_it() {
        let check = judge(&Err(ProcessError::NotFound { program: "kind".to_owned() }));
        assert_eq!(check.verdict, Verdict::Problem);
        assert!(check.help[0].contains("https://kind.sigs.k8s.io"), "{check:?}");
    }
}
