//! The register of a cluster: the deployments that live on it, and whether their directories are still there.

use super::Check;

/// What was found where a tenant's directory should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// The tenant's deployment.
    Its,
    /// No directory is recorded.
    Unrecorded,
    /// Nothing.
    Missing,
    /// A directory that is no deployment.
    NoDeployment,
    /// Another deployment, with this id.
    Another(String),
    /// Something that cannot be read, and why.
    Unreadable(String),
}

/// What is made of one tenant.
#[must_use]
pub fn judge(cluster: &str, tenant: &str, path: &str, id: &str, found: &Directory) -> Check {
    let what = format!("deployment {tenant}, registered on cluster {cluster}");
    let restore = format!(
        "bring {path} back from a backup; until then a recreate of {cluster} is refused, and its data is not judged"
    );
    match found {
        Directory::Its => Check::ok("tenant", format!("{what}, is in {path}")),
        Directory::Unrecorded => Check::warning(
            "tenant",
            format!("{what}, has no directory on record"),
            "run `laconic import --dir DIR` with its directory",
        ),
        Directory::Missing => Check::warning("tenant", format!("{what}, is gone: there is no {path}"), restore)
            .or("or, when it was moved: `laconic import --dir NEW-PLACE`"),
        Directory::NoDeployment => {
            Check::warning("tenant", format!("{what}, is gone: {path} has no deployment.yml"), restore)
        }
        Directory::Another(other) => {
            Check::warning("tenant", format!("{what}, is not in {path}: there is {other}, registered is {id}"), restore)
        }
        Directory::Unreadable(why) => Check::warning(
            "tenant",
            format!("{what}, cannot be read in {path}: {why}"),
            "run this as who may read it; a recreate of the cluster needs to",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn only_the_tenants_own_directory_is_right() {
        let of = |found: &Directory| judge("main", "shop", "/srv/shop", "laconic-1", found);
        assert_eq!(of(&Directory::Its).verdict, Verdict::Ok);
        for found in [
            Directory::Unrecorded,
            Directory::Missing,
            Directory::NoDeployment,
            Directory::Another("laconic-2".to_owned()),
            Directory::Unreadable("permission denied".to_owned()),
        ] {
            let check = of(&found);
            assert!(check.verdict == Verdict::Warning && !check.help.is_empty(), "{check:?}");
        }
    }
}
