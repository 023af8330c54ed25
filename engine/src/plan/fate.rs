//! The fate of a volume's bytes: where they are and what happens, to what becomes of them and why. The plan's forecast and
//! the table of `plan --forecast` both ask here and nowhere else.

use serde::{Deserialize, Serialize};

use crate::plan::document::{VolumeReason, VolumeVerdict};

/// Where the bytes of a volume really are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "in", content = "path")]
pub enum Whereabouts {
    /// A directory of the Docker host, or of a machine of a remote cluster: it outlives every cluster.
    Host(String),
    /// The file system of a kind node, at that path of it: it dies with the node. Empty when only the node is known.
    Node(String),
    /// A directory of the host that was deleted while the node had it mounted: the node alone still holds it.
    Unlinked(String),
    /// Storage that a remote cluster or a driver provides.
    Provisioned,
    /// Nowhere: nothing is bound or written yet.
    Nowhere,
    /// They lay in a node that is gone.
    Gone,
    /// Nobody could look.
    Unknown,
}

/// What becomes of the bytes when the claim on them goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// They stay: the volume is made by hand, or its reclaim policy is Retain.
    Kept,
    /// They are deleted: a provisioner made the volume and its reclaim policy is Delete, or it is recycled.
    Deleted,
    /// The reclaim policy could not be read.
    Unknown,
}

/// How it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Live volumes and mounts were looked at.
    Observed,
    /// By what is recorded: nobody was to look, or there is nothing to look at.
    Recorded,
}

/// Everything about a volume's bytes that decides over them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Where they are.
    pub whereabouts: Whereabouts,
    /// Whether the volume was made for its claim: the next claim gets another one.
    pub dynamic: bool,
    /// What becomes of them when the claim goes.
    pub release: Release,
    /// How this is known.
    pub basis: Basis,
}

impl Default for Bytes {
    /// Nothing is known of them.
    fn default() -> Self {
        Self { whereabouts: Whereabouts::Unknown, dynamic: false, release: Release::Unknown, basis: Basis::Recorded }
    }
}

impl Bytes {
    /// Whether they are, or may be, in a node.
    #[must_use]
    pub const fn may_be_in_node(&self) -> bool {
        matches!(self.whereabouts, Whereabouts::Node(_) | Whereabouts::Unlinked(_) | Whereabouts::Unknown)
    }
}

/// What happens to the things that hold bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happening {
    /// The claim is deleted.
    pub claim_goes: bool,
    /// The PersistentVolume that was made by hand is deleted.
    pub volume_goes: bool,
    /// The kind node is deleted.
    pub node_goes: bool,
    /// What goes is made again afterwards.
    pub comes_back: bool,
}

/// Something that may happen to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeEvent {
    /// A pod is restarted, or made again.
    PodRestart,
    /// The kind cluster is deleted and made again.
    ClusterRecreate,
    /// `stop`
    Stop,
    /// `stop --delete-volumes`
    StopDeleteVolumes,
    /// `stop --delete-namespace`
    StopDeleteNamespace,
    /// `destroy`
    Destroy,
    /// The volume is taken out of the spec, and that is applied.
    RemovedFromSpec,
    /// Somebody deletes the claim, or the namespace it is in.
    ClaimDeleted,
}

impl VolumeEvent {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::PodRestart,
        Self::ClusterRecreate,
        Self::Stop,
        Self::StopDeleteVolumes,
        Self::StopDeleteNamespace,
        Self::Destroy,
        Self::RemovedFromSpec,
        Self::ClaimDeleted,
    ];

    /// Whether it deletes the claim.
    #[must_use]
    pub const fn deletes_claim(self) -> bool {
        !matches!(self, Self::PodRestart | Self::ClusterRecreate | Self::Stop)
    }

    /// Whether it is a stop, with whatever flags: it leaves a cluster that keeps somebody's data.
    #[must_use]
    pub const fn is_stop(self) -> bool {
        matches!(self, Self::Stop | Self::StopDeleteVolumes | Self::StopDeleteNamespace)
    }

    /// Whether it deletes the PersistentVolume too.
    const fn deletes_volume(self) -> bool {
        matches!(self, Self::StopDeleteVolumes | Self::Destroy | Self::RemovedFromSpec)
    }

    /// What it does to a volume. `siblings` are all volumes of the deployment; `is_held` says whether somebody else keeps
    /// the cluster alive.
    #[must_use]
    pub fn happening(self, siblings: &[Bytes], is_held: bool) -> Happening {
        let happening = Happening {
            claim_goes: self.deletes_claim(),
            volume_goes: self.deletes_volume(),
            node_goes: false,
            comes_back: self == Self::ClusterRecreate,
        };
        let node_goes = match self {
            Self::PodRestart | Self::RemovedFromSpec | Self::ClaimDeleted => false,
            Self::ClusterRecreate => true,
            Self::StopDeleteVolumes | Self::Destroy => !is_held,
            // A volume that is kept in the node, or may be, keeps the cluster.
            Self::Stop | Self::StopDeleteNamespace => {
                !is_held && !siblings.iter().any(|bytes| bytes.may_be_in_node() && is_left(bytes, happening))
            }
        };
        Happening { node_goes, ..happening }
    }
}

/// Whether bytes are, or may be, there after something happened.
#[must_use]
pub fn is_left(bytes: &Bytes, happening: Happening) -> bool {
    !matches!(fate(bytes, happening).0, VolumeVerdict::Lost | VolumeVerdict::New)
}

/// What becomes of bytes, and why.
#[must_use]
pub fn fate(bytes: &Bytes, happening: Happening) -> (VolumeVerdict, VolumeReason) {
    let Happening { claim_goes, volume_goes, node_goes, comes_back } = happening;
    match bytes.whereabouts {
        Whereabouts::Nowhere => return (VolumeVerdict::New, VolumeReason::NothingThere),
        Whereabouts::Gone => return (VolumeVerdict::Lost, VolumeReason::WentWithCluster),
        _ => {}
    }
    if !claim_goes && !volume_goes && !node_goes {
        return (VolumeVerdict::Kept, VolumeReason::Untouched);
    }
    // A cluster that goes takes everything along; nothing is deleted one by one, and no claim is released.
    if node_goes {
        match &bytes.whereabouts {
            Whereabouts::Node(_) => return (VolumeVerdict::Lost, VolumeReason::OverlayDiesWithCluster),
            Whereabouts::Unlinked(_) => return (VolumeVerdict::Lost, VolumeReason::UnlinkedDiesWithNode),
            Whereabouts::Unknown => return (VolumeVerdict::Unknown, VolumeReason::MountsUnknown),
            // A driver that runs on a kind cluster: only its makers know where it writes.
            Whereabouts::Provisioned => return (VolumeVerdict::Unknown, VolumeReason::DriverUnknown),
            Whereabouts::Host(_) | Whereabouts::Nowhere | Whereabouts::Gone => {}
        }
    }
    match bytes.release {
        Release::Deleted if claim_goes && !node_goes => return (VolumeVerdict::Lost, VolumeReason::ClaimDeleted),
        Release::Unknown if claim_goes && !node_goes => return (VolumeVerdict::Unknown, VolumeReason::ReclaimUnknown),
        Release::Kept | Release::Deleted | Release::Unknown => {}
    }
    match &bytes.whereabouts {
        // The next claim gets a volume of its own.
        _ if bytes.dynamic && comes_back => (VolumeVerdict::LeftBehind, VolumeReason::NewVolume),
        Whereabouts::Node(_) | Whereabouts::Unlinked(_) if volume_goes && !comes_back && !bytes.dynamic => {
            (VolumeVerdict::LeftBehind, VolumeReason::StaysInNode)
        }
        Whereabouts::Host(_) if !bytes.dynamic => (VolumeVerdict::Kept, VolumeReason::OnHost),
        _ => (VolumeVerdict::Kept, VolumeReason::Retained),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(whereabouts: Whereabouts, dynamic: bool, release: Release) -> Bytes {
        Bytes { whereabouts, dynamic, release, basis: Basis::Observed }
    }

    fn on_host() -> Bytes {
        bytes(Whereabouts::Host("/srv/kind/a".into()), false, Release::Kept)
    }

    fn in_node() -> Bytes {
        bytes(Whereabouts::Node("/mnt/a".into()), false, Release::Kept)
    }

    fn local_path(release: Release) -> Bytes {
        bytes(Whereabouts::Node("/var/local-path-provisioner/a".into()), true, release)
    }

    /// The verdicts of all events, each by its first letter.
    fn row(bytes: &Bytes, is_held: bool) -> String {
        let siblings = [bytes.clone()];
        let letters = VolumeEvent::ALL.map(|event| match fate(bytes, event.happening(&siblings, is_held)).0 {
            VolumeVerdict::Kept => 'k',
            VolumeVerdict::Lost => 'L',
            VolumeVerdict::LeftBehind => 'b',
            VolumeVerdict::Unknown => '?',
            VolumeVerdict::New => '-',
        });
        letters.into_iter().collect()
    }

    /// Pod restart, recreate, stop, with volumes, with namespace, destroy, removed, claim deleted.
    #[test]
    fn each_place_has_its_row() {
        for (bytes, alone, held) in [
            (on_host(), "kkkkkkkk", "kkkkkkkk"),
            (in_node(), "kLkLkLbk", "kLkbkbbk"),
            (local_path(Release::Deleted), "kLkLLLLL", "kLkLLLLL"),
            (local_path(Release::Kept), "kLkLkLkk", "kLkkkkkk"),
            (local_path(Release::Unknown), "kLkL?L??", "kLk?????"),
            (bytes(Whereabouts::Unlinked("/srv/kind/a".into()), false, Release::Kept), "kLkLkLbk", "kLkbkbbk"),
            (bytes(Whereabouts::Unknown, false, Release::Kept), "k?k?k?kk", "k?kkkkkk"),
            (bytes(Whereabouts::Unknown, true, Release::Unknown), "k?k?????", "k?k?????"),
            (bytes(Whereabouts::Nowhere, true, Release::Deleted), "--------", "--------"),
            (bytes(Whereabouts::Gone, false, Release::Kept), "LLLLLLLL", "LLLLLLLL"),
        ] {
            assert_eq!(row(&bytes, false), alone, "alone {bytes:?}");
            assert_eq!(row(&bytes, true), held, "held {bytes:?}");
        }
    }
}
