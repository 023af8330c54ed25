//! What a recreate takes out of a kind cluster and puts back. Objects go through its API server; the bytes of volumes go
//! through its node, as an archive in pieces: no volume is ever in memory as a whole.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, ready};
use laconic_engine::address::ObjectKey;
use laconic_engine::apply::EnactError;
use laconic_engine::apply::rescue::{Rescue, Sink, Source};
use laconic_engine::resource::Target;
use laconic_engine::vault::SecretBytes;
use serde_json::Value;

use super::{DockerHost, reach, relocate};
use crate::kind::node_name;
use crate::kubernetes::rescue;
use crate::kubernetes::server::Server;

/// How many bytes of an archive come in one piece.
const PIECE: usize = 8 * 1024 * 1024;
/// How long packing or unpacking a volume may take.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);
/// How long a claim may take to get its volume.
const BIND_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(500);

/// Packs the directory `$1` into the file `$2`: the same content gives the same bytes, whoever packs it and when.
const PACK: &str = r#"set -eu
umask 077
mkdir -p "${2%/*}"
tar --create --sort=name --numeric-owner --xattrs --format=pax \
  --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime --directory "$1" --file "$2" ."#;
/// Prints the piece number `$3` of `$2` bytes of the file `$1`.
const PRINT_PIECE: &str = r#"dd if="$1" bs="$2" skip="$3" count=1 status=none"#;
/// Begins the file `$1` anew.
const BEGIN_FILE: &str = r#"set -eu
umask 077
mkdir -p "${1%/*}"
: >"$1""#;
/// Puts what comes in at the end of the file `$1`.
const APPEND: &str = r#"cat >>"$1""#;
/// Has the directory `$1` hold what is in the archive `$2`, and nothing else.
const UNPACK: &str = r#"set -eu
mkdir -p "$1"
find "$1" -mindepth 1 -delete
tar --extract --preserve-permissions --same-owner --numeric-owner --xattrs --directory "$1" --file "$2"
rm -f "$2""#;
/// Prints the first `$2` bytes of the file `$1` behind a letter, or nothing where there is none.
const PRINT_FILE: &str = r#"[ -f "$1" ] || exit 0
printf f
head -c "$2" -- "$1""#;
/// Removes the file `$1`.
const REMOVE: &str = r#"rm -f "$1""#;

/// Where archives lie in a node for as long as they are on their way.
fn archive(claim: &ObjectKey) -> String {
    format!("/var/lib/laconic-rescue/{}_{}.tar", claim.namespace, claim.name)
}

impl DockerHost {
    async fn server_of(&self, target: &Target) -> Result<Arc<Server>, EnactError> {
        if let Some(cluster) = target.kind_cluster() {
            reach::ensure(self, cluster).await?;
        }
        Ok(self.kubernetes.server(target).await?)
    }

    async fn in_node(
        &self,
        target: &Target,
        script: &str,
        arguments: &[&str],
        input: Option<Vec<u8>>,
    ) -> Result<SecretBytes, EnactError> {
        let node = node_name(target.name());
        let said = self.kind.docker().secret_script(&node, script, arguments, input, ARCHIVE_LIMIT).await?;
        Ok(SecretBytes::new(said))
    }

    /// Where a claim's volume is in the node; one that waits for its first pod gets it now.
    async fn volume_of(&self, target: &Target, claim: &ObjectKey) -> Result<String, EnactError> {
        let server = self.server_of(target).await?;
        if let Some(path) = rescue::path_of(&server, claim).await? {
            return Ok(path);
        }
        rescue::select_node(&server, claim, &node_name(target.name())).await?;
        let bound = tokio::time::timeout(BIND_LIMIT, async {
            loop {
                match rescue::path_of(&server, claim).await {
                    Ok(None) => tokio::time::sleep(POLL).await,
                    Ok(Some(path)) => return Ok(path),
                    Err(error) => return Err(error),
                }
            }
        });
        bound.await.unwrap_or_else(|_| {
            let seconds = BIND_LIMIT.as_secs();
            Err(EnactError::Refused(format!("the claim {} got no volume within {seconds} s", claim.name)))
        })
    }

    async fn file(&self, target: &Target, path: &str) -> Result<Option<SecretBytes>, EnactError> {
        if target.kind_cluster().is_none() {
            return Ok(None);
        }
        let most = laconic_engine::certificate::MOST_BYTES.to_string();
        let said = self.in_node(target, PRINT_FILE, &[path, &most], None).await?;
        Ok(said.strip_prefix(b"f").map(|content| SecretBytes::new(content.to_vec())))
    }

    async fn read(&self, target: &Target, claim: &ObjectKey, sink: Sink<'_>) -> Result<(), EnactError> {
        let server = self.server_of(target).await?;
        let Some(path) = rescue::path_of(&server, claim).await? else { return Ok(()) };
        let file = archive(claim);
        self.in_node(target, PACK, &[&path, &file], None).await?;
        let size = PIECE.to_string();
        for number in 0_u64.. {
            let piece = self.in_node(target, PRINT_PIECE, &[&file, &size, &number.to_string()], None).await?;
            if piece.is_empty() {
                break;
            }
            sink(&piece).map_err(EnactError::Refused)?;
        }
        self.in_node(target, REMOVE, &[&file], None).await?;
        Ok(())
    }

    async fn write(&self, target: &Target, claim: &ObjectKey, source: Source<'_>) -> Result<(), EnactError> {
        let path = self.volume_of(target, claim).await?;
        let file = archive(claim);
        self.in_node(target, BEGIN_FILE, &[&file], None).await?;
        let mut is_empty = true;
        while let Some(piece) = source().map_err(EnactError::Refused)? {
            is_empty = false;
            self.in_node(target, APPEND, &[&file], Some(piece.to_vec())).await?;
        }
        // A claim that had no volume yet had no bytes either.
        let script = if is_empty { REMOVE } else { UNPACK };
        let arguments = if is_empty { vec![file.as_str()] } else { vec![path.as_str(), &file] };
        self.in_node(target, script, &arguments, None).await?;
        Ok(())
    }
}

impl Rescue for DockerHost {
    fn secrets<'a>(
        &'a self,
        target: &'a Target,
        namespaces: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(ObjectKey, Value)>, EnactError>> {
        async move {
            self.server_of(target).await?;
            self.kubernetes.secrets(target, namespaces).await
        }
        .boxed()
    }

    fn export<'a>(
        &'a self,
        target: &'a Target,
        namespaces: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(ObjectKey, Value)>, EnactError>> {
        async move {
            self.server_of(target).await?;
            self.kubernetes.export(target, namespaces).await
        }
        .boxed()
    }

    fn read_file<'a>(
        &'a self,
        target: &'a Target,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<SecretBytes>, EnactError>> {
        self.file(target, path).boxed()
    }

    fn restore<'a>(
        &'a self,
        target: &'a Target,
        key: &'a ObjectKey,
        object: &'a Value,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        async move {
            self.server_of(target).await?;
            self.kubernetes.restore(target, key, object).await
        }
        .boxed()
    }

    fn scale<'a>(
        &'a self,
        target: &'a Target,
        workload: &'a ObjectKey,
        replicas: u32,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        async move {
            self.server_of(target).await?;
            self.kubernetes.scale(target, workload, replicas).await
        }
        .boxed()
    }

    fn running<'a>(&'a self, target: &'a Target, workload: &'a ObjectKey) -> BoxFuture<'a, Result<u32, EnactError>> {
        async move {
            self.server_of(target).await?;
            self.kubernetes.running(target, workload).await
        }
        .boxed()
    }

    fn relocate<'a>(
        &'a self,
        _target: &'a Target,
        from: &'a str,
        to: &'a str,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        // Two renames' worth of work: nothing else waits for it.
        ready(relocate::relocate(Path::new(from), Path::new(to))).boxed()
    }

    fn obstacle<'a>(
        &'a self,
        _target: &'a Target,
        from: Option<&'a str>,
        to: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, EnactError>> {
        ready(Ok(relocate::obstacle(from.map(Path::new), Path::new(to)))).boxed()
    }

    fn read_volume<'a>(
        &'a self,
        target: &'a Target,
        claim: &'a ObjectKey,
        sink: Sink<'a>,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        self.read(target, claim, sink).boxed()
    }

    fn write_volume<'a>(
        &'a self,
        target: &'a Target,
        claim: &'a ObjectKey,
        source: Source<'a>,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        self.write(target, claim, source).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::process::{Input, Invocation, Processes};

    async fn run(script: &str, arguments: &[&str], input: Option<Vec<u8>>) -> Vec<u8> {
        let all = [&["-c", script, "sh"], arguments].concat();
        let mut invocation = Invocation::new("sh", &all, Duration::from_secs(60));
        if let Some(input) = input {
            invocation.input = Input::Bytes(input);
        }
        let outcome = Processes::real().run(invocation).await.unwrap();
        assert!(outcome.is_success(), "{}", outcome.complaint());
        outcome.stdout
    }

    async fn packed(directory: &Path, file: &Path) -> Vec<u8> {
        run(PACK, &[directory.to_str().unwrap(), file.to_str().unwrap()], None).await;
        let mut bytes = Vec::new();
        for number in 0.. {
            let piece = run(PRINT_PIECE, &[file.to_str().unwrap(), "4096", &i32::to_string(&number)], None).await;
            if piece.is_empty() {
                break;
            }
            bytes.extend(piece);
        }
        run(REMOVE, &[file.to_str().unwrap()], None).await;
        assert!(!file.exists());
        bytes
    }

    #[tokio::test]
    async fn what_is_packed_is_unpacked_and_packs_to_the_same_bytes() {
        let place = tempfile::tempdir().unwrap();
        let (from, into) = (place.path().join("from"), place.path().join("in to"));
        let file = place.path().join("archives/a.tar");
        std::fs::create_dir_all(from.join("b/c")).unwrap();
        std::fs::write(from.join("b/one two"), vec![7; 20_000]).unwrap();
        std::fs::write(from.join(".hidden"), "").unwrap();
        std::os::unix::fs::symlink("one two", from.join("b/link")).unwrap();
        std::fs::set_permissions(from.join("b/c"), std::fs::Permissions::from_mode(0o750)).unwrap();
        let bytes = packed(&from, &file).await;
        std::fs::create_dir(&into).unwrap();
        std::fs::write(into.join("left over"), "x").unwrap();
        let file_text = file.to_str().unwrap();
        run(BEGIN_FILE, &[file_text], None).await;
        for piece in bytes.chunks(5000) {
            run(APPEND, &[file_text], Some(piece.to_vec())).await;
        }
        run(UNPACK, &[into.to_str().unwrap(), file_text], None).await;
        assert!(!into.join("left over").exists() && !file.exists());
        assert_eq!(std::fs::read(into.join("b/one two")).unwrap(), vec![7; 20_000]);
        assert_eq!(packed(&into, &file).await, bytes, "the same content gives the same bytes");
        std::fs::write(into.join("b/one two"), vec![8; 20_000]).unwrap();
        assert_ne!(packed(&into, &file).await, bytes);
    }
}
