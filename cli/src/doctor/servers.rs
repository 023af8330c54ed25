//! The API servers that deployments live on: whether they answer, and how far their version is from ours.

use laconic_engine::resource::UnknownReason;

use super::Check;
use super::version::Version;

/// The first one with server-side apply for good.
const OLDEST: Version = Version::new(1, 22);
/// Whose types laconic is built with.
const BUILT: Version = Version::new(1, 33);
/// The newest that laconic was tested with.
const TESTED: Version = Version::new(1, 36);

/// What is made of a server's answer: its version, or why there is none. `place` is what people know it as.
#[must_use]
pub fn judge(place: &str, answer: &Result<String, UnknownReason>) -> Check {
    let text = match answer {
        Ok(text) => text,
        Err(reason) => return failure(place, reason),
    };
    let Some(version) = Version::read(text) else {
        let found = format!("{place} answers, and its version `{text}` is none that is known");
        return Check::warning("api-server", found, "nothing, if plan and apply work with it");
    };
    if version < OLDEST {
        let found = format!("{place} runs Kubernetes {text}, which has no server-side apply");
        return Check::problem("api-server", found, format!("upgrade it to {BUILT} or later"));
    }
    if version < BUILT {
        let found = format!("{place} runs Kubernetes {text}, older than {BUILT}, with whose types laconic is built");
        return Check::warning("api-server", found, format!("upgrade it to {BUILT} to {TESTED}"))
            .or("until then it may refuse or drop fields that are new; a plan tells (LAC407, LAC408)");
    }
    if version > TESTED {
        let found =
            format!("{place} runs Kubernetes {text}, newer than {TESTED}, the newest that laconic was tested with");
        return Check::warning("api-server", found, "look for a newer laconic");
    }
    Check::ok("api-server", format!("{place} runs Kubernetes {text}"))
}

fn failure(place: &str, reason: &UnknownReason) -> Check {
    let problem =
        |detail: &str, help: &str| Check::problem("api-server", format!("{place}: {}", first_line(detail)), help);
    match reason {
        UnknownReason::NotConfigured(detail) => problem(
            detail,
            "put its kubeconfig into the deployment directory as kubeconfig.yml, or give `--kubeconfig`, `--context` or `--in-cluster`",
        ),
        UnknownReason::Unreachable(detail) => problem(
            detail,
            "see that it runs and that this host reaches it; `curl -k ADDRESS/version` asks it without credentials",
        ),
        UnknownReason::Forbidden(detail) => {
            problem(detail, "renew the credentials, or have the roles of the book (Permissions) given to them")
        }
        UnknownReason::Unfinished(detail) => problem(detail, "`laconic apply` goes on with a cluster that it began"),
        UnknownReason::Failed(detail) | UnknownReason::NotServed(detail) | UnknownReason::OtherIdentity(detail) => {
            problem(detail, "`laconic plan` says what it means for the deployments there")
        }
        UnknownReason::Offline => {
            Check::not_checked("api-server", format!("{place} was not asked"), "`laconic plan` asks it")
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn versions_are_held_against_those_we_are_built_and_tested_with() {
        let of = |text: &str| judge("cluster main", &Ok(text.to_owned())).verdict;
        assert_eq!(of("v1.33.0"), Verdict::Ok);
        assert_eq!(of("v1.36.2"), Verdict::Ok);
        assert_eq!(of("v1.32.9+k3s1"), Verdict::Warning);
        assert_eq!(of("v1.37.0-rc.1"), Verdict::Warning);
        assert_eq!(of("v1.21.14"), Verdict::Problem);
        assert_eq!(of("v0.0.0-master"), Verdict::Problem);
        assert_eq!(of("next"), Verdict::Warning);
    }

    #[test]
    fn a_server_that_does_not_answer_is_a_problem_in_one_line() {
        let reasons = [
            UnknownReason::NotConfigured("nothing says how it is reached".to_owned()),
            UnknownReason::Unreachable("https://a:6443: connection refused\nmore".to_owned()),
            UnknownReason::Forbidden("no".to_owned()),
            UnknownReason::Failed("x".to_owned()),
        ];
        for reason in reasons {
            let check = judge("shop", &Err(reason));
            assert_eq!(check.verdict, Verdict::Problem);
            assert!(check.found.starts_with("shop: ") && !check.found.contains('\n'), "{check:?}");
        }
        assert_eq!(judge("shop", &Err(UnknownReason::Offline)).verdict, Verdict::NotChecked);
    }
}
