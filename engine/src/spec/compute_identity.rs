//! Who a deployment is whose directory laconic-so made before there was a deployment.yml.

use md5::{Digest as _, Md5};

use super::DeploymentFile;
use crate::source::{SourceEntry, SourceError, SourceReader};

/// Whether the reader's directory is a deployment from before deployment.yml existed: what laconic-so always copied is there,
/// and that file is not.
#[must_use]
pub fn is_older_directory(reader: &dyn SourceReader) -> bool {
    let is_file = |path: &str| matches!(reader.entry(path), Ok(SourceEntry::File(_)));
    // First what tells most directories apart: the others are then not looked for.
    matches!(reader.entry("deployment.yml"), Err(SourceError::Missing))
        && is_file("spec.yml")
        && is_file("stack.yml")
        && matches!(reader.entry("compose"), Ok(SourceEntry::Directory(_)))
}

/// The identity that laconic-so gives to such a directory: cluster and deployment have one id, made from its path. The path is
/// absolute and without symbolic links.
#[must_use]
pub fn compute_identity(directory: &str) -> DeploymentFile {
    let described = format!("{directory}/compose,{directory}/stack.yml,None,None");
    let digest = Md5::digest(described.as_bytes());
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let id = format!("laconic-{digits}");
    DeploymentFile { cluster_id: id.clone(), deployment_id: id, is_computed: true, ..DeploymentFile::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySources;

    #[test]
    fn the_id_is_made_from_the_path() {
        // printf '/srv/deployments/shop/compose,/srv/deployments/shop/stack.yml,None,None' | md5sum
        let identity = compute_identity("/srv/deployments/shop");
        assert_eq!(identity.deployment_id, "laconic-9e008f010f580345");
        assert_eq!(identity.cluster_id, identity.deployment_id);
        assert!(identity.is_computed);
    }

    #[test]
    fn an_older_directory_lacks_deployment_yml_alone() {
        let mut sources = MemorySources::default();
        for path in ["spec.yml", "stack.yml", "compose/docker-compose-web.yml"] {
            assert!(!is_older_directory(&sources), "before {path}");
            sources.insert(path, b"x: 1");
        }
        assert!(is_older_directory(&sources));
        sources.insert("deployment.yml", b"");
        assert!(!is_older_directory(&sources));
    }
}
