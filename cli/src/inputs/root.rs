//! The deployment directories of a host: those below a root that are on its kind clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use laconic_engine::code::Code;
use laconic_engine::spec::{DeployTo, DeploymentFile, read_spec};

use super::{is_deployment, read_identity};
use crate::error::{Problem, Result, file};

/// How far below a root a directory is looked for: `ROOT/OWNER/GROUP/NAME`.
const DEPTH: usize = 3;

/// What is below the roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The directories of deployments on kind clusters, by path.
    pub directories: Vec<PathBuf>,
    /// The deployments that are left out, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Looks for deployments below roots: of all kind clusters, or of those that are named. Neither links nor hidden directories
/// are followed, and nothing is looked for inside of a deployment.
///
/// # Errors
/// A directory that cannot be read, a cluster that no deployment names, roots without a deployment, and a copy of one.
pub fn find(roots: &[PathBuf], clusters: &[String]) -> Result<Found> {
    let mut directories = Vec::new();
    for root in roots {
        walk(root, DEPTH, &mut directories)?;
    }
    directories.sort();
    // Roots may lie within each other.
    let mut seen = BTreeSet::new();
    let mut real = Vec::with_capacity(directories.len());
    for directory in directories {
        if seen.insert(fs::canonicalize(&directory).map_err(file(&directory, "read"))?) {
            real.push(directory);
        }
    }
    let directories = real;
    let mut found = Found::default();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut ids: BTreeMap<String, PathBuf> = BTreeMap::new();
    for directory in directories {
        match identity(&directory)? {
            Ok(DeploymentFile { cluster_id, deployment_id, .. }) => {
                if clusters.is_empty() || clusters.contains(&cluster_id) {
                    found.directories.push(directory.clone());
                    if let Some(first) = ids.insert(deployment_id.clone(), directory.clone()) {
                        return Err(Problem::SameDeployment { id: deployment_id, first, second: directory });
                    }
                }
                known.insert(cluster_id);
            }
            Err(why) => found.left_out.push((directory, why.to_owned())),
        }
    }
    if let Some(name) = clusters.iter().find(|name| !known.contains(*name)) {
        let known = known.into_iter().collect();
        return Err(Problem::UnknownSelection { flag: "--cluster", name: name.clone(), known });
    }
    if found.directories.is_empty() {
        return Err(Problem::NoDeploymentBelow { roots: roots.to_vec() });
    }
    Ok(found)
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if is_deployment(directory) {
        found.push(directory.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(directory).map_err(file(directory, "read"))? {
        let entry = entry.map_err(file(directory, "read"))?;
        let is_directory = entry.file_type().map_err(file(&entry.path(), "read"))?.is_dir();
        if is_directory && !entry.file_name().to_string_lossy().starts_with('.') {
            walk(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}

/// Who a deployment is, its kind cluster included, or why it is on none. What is wrong with its files is said when it is compiled.
fn identity(directory: &Path) -> Result<std::result::Result<DeploymentFile, &'static str>> {
    let path = directory.join("spec.yml");
    let bytes = fs::read(&path).map_err(file(&path, "read"))?;
    let (spec, findings) = read_spec(&"spec.yml".into(), &String::from_utf8_lossy(&bytes));
    if findings.iter().any(|finding| finding.code == Code::NotKubernetes) {
        return Ok(Err("is run by docker compose"));
    }
    if spec.deploy_to.is_some_and(|deploy_to| deploy_to.value == DeployTo::Kubernetes) {
        return Ok(Err("is on a remote Kubernetes"));
    }
    let real = fs::canonicalize(directory).map_err(file(directory, "read"))?;
    let mut identity = read_identity(&real)?.unwrap_or_default();
    if let Some(name) = spec.kind_cluster_name {
        identity.cluster_id = name.value;
    }
    Ok(Ok(identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(root: &Path, path: &str, id: &str, spec: &str) {
        let directory = root.join(path);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("spec.yml"), format!("stack: s\n{spec}")).unwrap();
        fs::write(directory.join("deployment.yml"), format!("cluster-id: laconic-a\ndeployment-id: {id}\n")).unwrap();
    }

    fn host() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let kind = "deploy-to: k8s-kind\n";
        deployment(root.path(), "shop", "laconic-shop", kind);
        deployment(root.path(), "teams/one/ledger", "laconic-ledger", kind);
        deployment(root.path(), "other", "laconic-other", &format!("{kind}kind-cluster-name: laconic-b\n"));
        deployment(root.path(), "remote", "laconic-remote", "deploy-to: k8s\n");
        deployment(root.path(), "chat", "laconic-chat", "deploy-to: compose\n");
        // Not looked for: too deep, hidden, inside of a deployment, behind a link.
        deployment(root.path(), "teams/one/two/three/deep", "laconic-deep", kind);
        deployment(root.path(), ".trash/old", "laconic-old", kind);
        deployment(root.path(), "shop/data/inner", "laconic-inner", kind);
        std::os::unix::fs::symlink(root.path().join("shop"), root.path().join("link")).unwrap();
        root
    }

    fn names(root: &tempfile::TempDir, clusters: &[&str]) -> Result<Vec<String>> {
        let clusters: Vec<String> = clusters.iter().map(ToString::to_string).collect();
        let found = find(&[root.path().to_owned(), root.path().join("teams")], &clusters)?;
        let below = |path: &PathBuf| path.strip_prefix(root.path()).unwrap().display().to_string();
        Ok(found.directories.iter().map(below).collect())
    }

    #[test]
    fn the_deployments_of_kind_clusters_are_found() {
        let root = host();
        assert_eq!(names(&root, &[]).unwrap(), ["other", "shop", "teams/one/ledger"]);
        assert_eq!(names(&root, &["laconic-b"]).unwrap(), ["other"]);
        let left_out = find(&[root.path().to_owned()], &[]).unwrap().left_out;
        let why: Vec<&str> = left_out.iter().map(|(_, why)| why.as_str()).collect();
        assert_eq!(why, ["is run by docker compose", "is on a remote Kubernetes"]);
    }

    #[test]
    fn what_is_not_there_and_what_is_there_twice_is_said() {
        let root = host();
        let unknown = names(&root, &["laconic-c"]).unwrap_err();
        assert!(matches!(unknown, Problem::UnknownSelection { known, .. } if known == ["laconic-a", "laconic-b"]));
        let nothing = find(&[root.path().join("remote")], &[]).unwrap_err();
        assert!(matches!(nothing, Problem::NoDeploymentBelow { .. }));
        deployment(root.path(), "shop-copy", "laconic-shop", "deploy-to: k8s-kind\n");
        assert!(matches!(names(&root, &[]).unwrap_err(), Problem::SameDeployment { id, .. } if id == "laconic-shop"));
        assert_eq!(names(&root, &["laconic-b"]).unwrap(), ["other"]);
    }
}
