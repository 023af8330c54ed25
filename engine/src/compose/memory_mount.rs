//! File systems in memory: `tmpfs`, `shm_size` and volumes of type `tmpfs`.

use super::extra_host::one_or_many;
use super::read::ignored_because;
use crate::place::Place;
use crate::spec::{Located, Scalar, ScalarKind};
use crate::yaml::{Decoder, Node};

/// Where the shared memory of a container is.
pub(super) const SHARED_MEMORY: &str = "/dev/shm";

/// One file system in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryMount {
    /// The path in the container.
    pub target: String,
    /// The most it may hold, as written.
    pub size: Option<Located<Scalar>>,
    /// Where it is written.
    pub place: Place,
}

/// Reads `tmpfs`: one or many of `PATH[:OPTION,…]`.
pub(super) fn read_tmpfs(decoder: &mut Decoder, node: &Node<'_>) -> Vec<MemoryMount> {
    let mut mounts = Vec::new();
    for text in one_or_many(decoder, "tmpfs", node) {
        let (target, options) = text.value.split_once(':').unwrap_or((&text.value, ""));
        if !target.starts_with('/') {
            decoder.invalid(&text.place, "the path of a `tmpfs` must be absolute", Some("write `/path:size=64m`"));
            continue;
        }
        let mut size = None;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("size", value)) => {
                    let scalar = Scalar { text: value.to_owned(), kind: ScalarKind::Text };
                    size = Some(Located::new(scalar, text.place.clone()));
                }
                Some((name @ ("mode" | "uid" | "gid" | "nr_inodes" | "nr_blocks"), _)) => {
                    decoder.findings.push(option_ignored(name, &text.place));
                }
                // How the kernel mounts it: what Kubernetes chooses serves as well.
                _ => {}
            }
        }
        mounts.push(MemoryMount { target: target.to_owned(), size, place: text.place });
    }
    mounts
}

/// An option of a `tmpfs` that no volume of Kubernetes has.
pub(super) fn option_ignored(name: &str, place: &Place) -> crate::finding::Finding {
    let help = "everybody in the container may write there; let the program make a folder of its own";
    ignored_because(&format!("tmpfs: {name}"), "a volume in memory has no such option", place, help)
}

/// Reads `shm_size`.
pub(super) fn read_shared_memory(decoder: &mut Decoder, node: &Node<'_>) -> Option<MemoryMount> {
    let size = decoder.scalar("shm_size", node).filter(|size| size.value.kind != ScalarKind::Null)?;
    let place = size.place.clone();
    Some(MemoryMount { target: SHARED_MEMORY.to_owned(), size: Some(size), place })
}
