//! Where the bytes of a volume really are: by the live claim, the volume it is bound to and the mounts of the running node;
//! by what is recorded where nobody was to look; unknown where somebody looked and could not see.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::plan::PlanInput;
use crate::plan::decide::ClusterFate;
use crate::plan::fate::{Basis, Bytes, Release, Whereabouts};
use crate::plan::planner::{Judgement, live_cluster};
use crate::plan::survey::{Belief, belief};
use crate::resource::{Live, MountSource, NodeFacts, ObservedTarget, Target, UnknownReason};
use crate::source::{is_under, normalize_path};
use crate::state::VolumeStorage;

/// Where kind's provisioner makes volumes in the node.
const PROVISIONER_DIRECTORY: &str = "/var/local-path-provisioner";

/// Where is looked: a cluster, and what may be believed of it.
#[derive(Clone, Debug)]
pub struct Look<'a> {
    input: &'a PlanInput,
    target: &'a Target,
    belief: Belief,
    /// Whether it is recorded and gone, and made again by this plan.
    is_lost: bool,
}

impl<'a> Look<'a> {
    /// A look at a cluster as it is.
    #[must_use]
    pub fn new(input: &'a PlanInput, target: &'a Target) -> Self {
        Self { input, target, belief: belief(input, target), is_lost: false }
    }

    /// A look at a cluster of which it was decided what becomes of it.
    #[must_use]
    pub fn of(judgement: &Judgement<'a>, target: &'a Target) -> Self {
        let is_lost = matches!(judgement.fates.get(target), Some(ClusterFate::Lost(_)));
        Self { is_lost, ..Self::new(judgement.input, target) }
    }

    /// What is on the cluster, when its volumes and claims were seen and are believed.
    #[must_use]
    pub fn objects(&self) -> Option<&'a BTreeMap<ObjectKey, Live>> {
        let observed = self.input.world.get(self.target)?;
        let is_seen = self.belief == Belief::Trusted && can_see(observed);
        observed.objects.as_ref().ok().filter(|_| is_seen)
    }

    /// Whether there is no such cluster any more, and that is believed.
    fn is_gone(&self) -> bool {
        self.is_lost || self.belief == Belief::Gone
    }
}

/// A volume whose bytes are looked for.
#[derive(Clone, Debug)]
pub struct Sought<'a> {
    /// Its claim.
    pub claim: ObjectKey,
    /// The PersistentVolume that is made by hand for it, when one is.
    pub volume: Option<ObjectKey>,
    /// The path of that volume in the node, when it is known.
    pub path: Option<String>,
    /// Where the register says that they are.
    pub registered: Option<&'a VolumeStorage>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Located {
    /// Where the bytes are.
    pub bytes: Bytes,
    /// How many, when that was asked for and could be read.
    pub size: Option<u64>,
    /// The same place as the spec would name it, symbolic links unresolved; `None` when it is not known.
    pub nominal: Option<VolumeStorage>,
}

/// A volume as its object describes it.
struct Described {
    /// The path it has in the node; `None` for what a driver keeps.
    path: Option<String>,
    dynamic: bool,
    release: Release,
}

/// What can be said of the volume behind a claim.
enum Behind {
    Volume(Described),
    Nothing,
    /// It was made for a claim that is gone with its cluster.
    Gone,
    /// The register alone tells.
    Registered(VolumeStorage),
}

/// The mounts of a kind node: container path and host path.
enum Mounts {
    Known(Vec<(String, String)>),
    Unknown,
}

/// Finds the bytes of a volume.
#[must_use]
pub fn locate(look: &Look<'_>, sought: &Sought<'_>) -> Located {
    let target = look.target;
    let observed = look.input.world.get(target);
    let seen = observed.filter(|observed| look.belief == Belief::Trusted && can_see(observed));
    let is_gone = look.is_gone();
    let was_asked = observed.is_some() && !look.input.offline;
    let behind = match seen {
        Some(observed) if !look.is_lost => behind_claim(observed, sought),
        _ => recorded(target, sought, is_gone, was_asked),
    };
    let basis = if seen.is_some() { Basis::Observed } else { Basis::Recorded };
    let facts = observed.map(|observed| &observed.node);
    let (dynamic, release) = match &behind {
        Behind::Volume(described) => (described.dynamic, described.release),
        Behind::Nothing | Behind::Gone => (true, Release::Deleted),
        Behind::Registered(VolumeStorage::Host(_)) => (false, Release::Kept),
        Behind::Registered(VolumeStorage::Overlay) => (true, Release::Deleted),
        Behind::Registered(VolumeStorage::Provisioned) => (true, Release::Unknown),
    };
    let mut size = None;
    let (whereabouts, nominal) = match behind {
        Behind::Nothing => (Whereabouts::Nowhere, None),
        Behind::Gone => (Whereabouts::Gone, Some(VolumeStorage::Overlay)),
        Behind::Registered(storage) => (registered(look, &storage, was_asked && seen.is_none()), Some(storage)),
        Behind::Volume(Described { path: None, .. }) => (Whereabouts::Provisioned, Some(VolumeStorage::Provisioned)),
        Behind::Volume(Described { path: Some(path), .. }) => match target {
            Target::Kubernetes(_) => (Whereabouts::Host(path.clone()), Some(VolumeStorage::Host(path))),
            Target::Kind(_) => {
                size = facts.and_then(|facts| facts.directories.get(&path)?.size);
                let place = place(&mounts(look), facts, &path);
                // A symbolic link on the path may lead anywhere.
                let is_seen = facts.is_some_and(|facts| facts.directories.contains_key(&normalize_path(&path)));
                match place {
                    (Whereabouts::Node(_), nominal) if is_gone => (Whereabouts::Gone, nominal),
                    (_, nominal) if !dynamic && !is_gone && was_asked && !is_seen => (Whereabouts::Unknown, nominal),
                    // Which of several nodes has the directory that a pod wrote to is not known.
                    (_, nominal) if !dynamic && facts.is_some_and(|facts| facts.count > Some(1)) => {
                        (Whereabouts::Unknown, nominal)
                    }
                    place => place,
                }
            }
        },
    };
    Located { bytes: Bytes { whereabouts, dynamic, release, basis }, size, nominal }
}

/// Whether a PersistentVolume outlives its claim, and does not outlive its kind node.
pub(super) fn kept_in_node(look: &Look<'_>, volume: &Value) -> bool {
    let stays = describe(volume).release != Release::Deleted;
    stays && matches!(place_of_volume(look, volume), Some(Whereabouts::Node(_) | Whereabouts::Unlinked(_)))
}

/// Where the bytes of a PersistentVolume are; `None` for what a driver keeps.
pub(super) fn place_of_volume(look: &Look<'_>, volume: &Value) -> Option<Whereabouts> {
    Some(place_of_path(look, &describe(volume).path?))
}

/// Where a path of the node is.
pub(super) fn place_of_path(look: &Look<'_>, path: &str) -> Whereabouts {
    let facts = look.input.world.get(look.target).map(|observed| &observed.node);
    place(&mounts(look), facts, path).0
}

/// Whether claims and volumes were listed.
fn can_see(observed: &ObservedTarget) -> bool {
    let unlisted = |resource_type| observed.unlisted.contains_key(&resource_type);
    observed.objects.is_ok()
        && !unlisted(ResourceType::PersistentVolume)
        && !unlisted(ResourceType::PersistentVolumeClaim)
}

/// What the live claim is bound to.
fn behind_claim(observed: &ObservedTarget, sought: &Sought<'_>) -> Behind {
    let Ok(objects) = &observed.objects else { return Behind::Nothing };
    let by_hand = || {
        let live = sought.volume.as_ref().and_then(|key| objects.get(key));
        match (live, &sought.path, sought.registered) {
            (Some(live), ..) => Behind::Volume(describe(&live.attributes)),
            (None, Some(path), _) => Behind::Volume(made_by_hand(path)),
            // Only directories of the host are there without any object that refers to them.
            (None, None, Some(host @ VolumeStorage::Host(_))) => Behind::Registered(host.clone()),
            _ => Behind::Nothing,
        }
    };
    let Some(claim) = objects.get(&sought.claim) else { return by_hand() };
    let name = claim.attributes["spec"]["volumeName"].as_str().unwrap_or_default();
    match objects.get(&ObjectKey::new(ResourceType::PersistentVolume, "", name)) {
        Some(live) => Behind::Volume(describe(&live.attributes)),
        // Bound to what we may not look at: others' volumes of a remote cluster.
        None if sought.volume.is_none() && claim.attributes["status"]["phase"] == "Bound" => {
            Behind::Volume(Described { path: None, dynamic: true, release: Release::Unknown })
        }
        None => by_hand(),
    }
}

/// What is recorded of the volume, for want of anything better.
fn recorded(target: &Target, sought: &Sought<'_>, is_gone: bool, was_asked: bool) -> Behind {
    if let Some(path) = &sought.path {
        return Behind::Volume(made_by_hand(path));
    }
    if let Some(host @ VolumeStorage::Host(_)) = sought.registered {
        return Behind::Registered(host.clone());
    }
    // Somebody may have changed the reclaim policy of what was made for the claim; offline the class's own counts.
    let release = if was_asked { Release::Unknown } else { Release::Deleted };
    match target {
        Target::Kind(_) if is_gone => Behind::Gone,
        Target::Kind(_) => {
            Behind::Volume(Described { path: Some(PROVISIONER_DIRECTORY.to_owned()), dynamic: true, release })
        }
        Target::Kubernetes(_) => Behind::Volume(Described { path: None, dynamic: true, release: Release::Unknown }),
    }
}

fn made_by_hand(path: &str) -> Described {
    Described { path: Some(path.to_owned()), dynamic: false, release: Release::Kept }
}

/// A PersistentVolume, by what decides over its bytes.
fn describe(volume: &Value) -> Described {
    let text = |pointer: &str| volume.pointer(pointer).and_then(Value::as_str);
    let path = text("/spec/hostPath/path").or_else(|| text("/spec/local/path")).map(str::to_owned);
    let dynamic = volume.pointer("/metadata/annotations/pv.kubernetes.io~1provisioned-by").is_some();
    let release = match (text("/spec/persistentVolumeReclaimPolicy").unwrap_or("Retain"), &path) {
        ("Delete", Some(path)) if !dynamic => {
            // Without a provisioner nobody deletes a directory, but for old ones in /tmp.
            if is_under(path, "/tmp") { Release::Unknown } else { Release::Kept }
        }
        ("Delete" | "Recycle", _) => Release::Deleted,
        ("Retain", _) => Release::Kept,
        _ => Release::Unknown,
    };
    Described { path, dynamic, release }
}

/// Where the register says that the bytes are, as far as the running cluster does not contradict it.
fn registered(look: &Look<'_>, storage: &VolumeStorage, is_blind: bool) -> Whereabouts {
    let in_node = || if look.is_gone() { Whereabouts::Gone } else { Whereabouts::Node(String::new()) };
    match storage {
        VolumeStorage::Provisioned => Whereabouts::Provisioned,
        VolumeStorage::Overlay => in_node(),
        VolumeStorage::Host(path) => match (look.target, mounts(look)) {
            (Target::Kind(_), Mounts::Unknown) => Whereabouts::Unknown,
            // A symbolic link on the path may lead anywhere.
            (Target::Kind(_), _) if is_blind && !look.is_gone() => Whereabouts::Unknown,
            // The register names the place that the spec asked for. Under no mount the bytes never got there.
            (Target::Kind(_), Mounts::Known(mounts)) if !mounts.iter().any(|(_, host)| is_under(path, host)) => {
                in_node()
            }
            _ => Whereabouts::Host(path.clone()),
        },
    }
}

/// The mounts of a kind node: those that run, else those recorded.
fn mounts(look: &Look<'_>) -> Mounts {
    let (input, target) = (look.input, look.target);
    let is_other = matches!(look.belief, Belief::Doubted(UnknownReason::OtherIdentity(_)));
    if let Some(live) = live_cluster(input, target).filter(|_| !is_other) {
        return Mounts::Known(mounts_of(&live.attributes));
    }
    let may_use_recorded = input.offline || !input.world.contains_key(target) || look.belief == Belief::Gone;
    let cluster = target.name();
    let recorded = input
        .states
        .get(&Scope::cluster(cluster))
        .and_then(|state| state.resources.get(&Address::kind_cluster(cluster)))
        .and_then(|recorded| recorded.desired.value.as_deref());
    match recorded {
        Some(attributes) if may_use_recorded => Mounts::Known(mounts_of(attributes)),
        _ => Mounts::Unknown,
    }
}

/// The mounts in the attributes of a kind cluster.
fn mounts_of(attributes: &Value) -> Vec<(String, String)> {
    let mounts = attributes["extraMounts"].as_array().into_iter().flatten();
    mounts
        .filter_map(|mount| {
            Some((normalize_path(mount["containerPath"].as_str()?), normalize_path(mount["hostPath"].as_str()?)))
        })
        .collect()
}

/// Where a path of the node is, and how the spec would name that place.
fn place(mounts: &Mounts, facts: Option<&NodeFacts>, path: &str) -> (Whereabouts, Option<VolumeStorage>) {
    let Mounts::Known(mounts) = mounts else { return (Whereabouts::Unknown, None) };
    let path = normalize_path(path);
    let nominal = on_host(mounts, &path).map_or(VolumeStorage::Overlay, |(_, host)| VolumeStorage::Host(host));
    let real = facts.and_then(|facts| facts.directories.get(&path)).map_or(&path, |directory| &directory.real_path);
    let whereabouts = match on_host(mounts, real) {
        None => Whereabouts::Node(real.clone()),
        Some((container, host)) => {
            let source = facts.and_then(|facts| facts.mounts.get(container));
            if source == Some(&MountSource::Replaced) { Whereabouts::Unlinked(host) } else { Whereabouts::Host(host) }
        }
    };
    (whereabouts, Some(nominal))
}

/// The mount that a path of the node is under and the host's path for it: of nested mounts the deepest counts.
fn on_host<'a>(mounts: &'a [(String, String)], path: &str) -> Option<(&'a str, String)> {
    let (container, host) = mounts
        .iter()
        .filter(|(container, _)| is_under(path, container))
        .max_by_key(|(container, _)| container.trim_end_matches('/').len())?;
    let rest = path.get(container.trim_end_matches('/').len()..).unwrap_or_default();
    Some((container, normalize_path(&format!("{host}{rest}"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::NodeDirectory;

    fn known(mounts: &[(&str, &str)]) -> Mounts {
        Mounts::Known(mounts.iter().map(|(container, host)| ((*container).into(), (*host).into())).collect())
    }

    fn facts(path: &str, real: &str) -> NodeFacts {
        let directory = NodeDirectory { real_path: real.into(), holds_data: true, size: None };
        NodeFacts { directories: BTreeMap::from([(path.into(), directory)]), ..NodeFacts::default() }
    }

    #[test]
    fn a_path_is_where_its_deepest_mount_is() {
        let mounts = known(&[("/mnt", "/srv/kind"), ("/mnt/a/b", "/data"), ("/mnt/ab", "/other")]);
        for (path, expected) in [
            ("/mnt/a", Whereabouts::Host("/srv/kind/a".into())),
            ("/mnt/a/b", Whereabouts::Host("/data".into())),
            ("/mnt/a/b/c", Whereabouts::Host("/data/c".into())),
            ("/mnt/a/bc", Whereabouts::Host("/srv/kind/a/bc".into())),
            ("/mnt/.", Whereabouts::Host("/srv/kind".into())),
            ("/mnt/x/../a/b/./c", Whereabouts::Host("/data/c".into())),
            ("/mnt/../etc", Whereabouts::Node("/etc".into())),
            ("/mnt2/a", Whereabouts::Node("/mnt2/a".into())),
            ("/var/local-path-provisioner/x", Whereabouts::Node("/var/local-path-provisioner/x".into())),
        ] {
            assert_eq!(place(&mounts, None, path).0, expected, "{path}");
        }
        assert_eq!(place(&known(&[("/", "/all")]), None, "/a").0, Whereabouts::Host("/all/a".into()));
        assert_eq!(place(&Mounts::Unknown, None, "/mnt/a"), (Whereabouts::Unknown, None));
    }

    #[test]
    fn a_symbolic_link_leads_where_the_node_sees_it() {
        let mounts = known(&[("/mnt", "/srv/kind")]);
        let within = facts("/mnt/a/x", "/mnt/b/x");
        let (whereabouts, nominal) = place(&mounts, Some(&within), "/mnt/a/x");
        assert_eq!(whereabouts, Whereabouts::Host("/srv/kind/b/x".into()));
        assert_eq!(nominal, Some(VolumeStorage::Host("/srv/kind/a/x".into())), "as the spec names it");
        let out = facts("/mnt/a/x", "/data/a/x");
        assert_eq!(place(&mounts, Some(&out), "/mnt/a/x").0, Whereabouts::Node("/data/a/x".into()));
    }

    #[test]
    fn a_mount_that_shows_a_deleted_directory_is_not_the_hosts_any_more() {
        let mut facts = NodeFacts::default();
        facts.mounts.insert("/mnt".into(), MountSource::Replaced);
        let mounts = known(&[("/mnt", "/srv/kind"), ("/mnt/a", "/data")]);
        assert_eq!(place(&mounts, Some(&facts), "/mnt/x").0, Whereabouts::Unlinked("/srv/kind/x".into()));
        assert_eq!(place(&mounts, Some(&facts), "/mnt/a").0, Whereabouts::Host("/data".into()), "another mount");
    }

    #[test]
    fn the_reclaim_policy_deletes_only_what_a_provisioner_made() {
        let volume = |policy: &str, path: &str, dynamic: bool| {
            let mut volume = json!({"metadata": {"annotations": {}},
                "spec": {"hostPath": {"path": path}, "persistentVolumeReclaimPolicy": policy}});
            if dynamic {
                volume["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] = json!("rancher.io/local-path");
            }
            describe(&volume).release
        };
        assert_eq!(volume("Delete", "/mnt/a", true), Release::Deleted);
        assert_eq!(volume("Retain", "/mnt/a", true), Release::Kept);
        assert_eq!(volume("Delete", "/mnt/a", false), Release::Kept);
        assert_eq!(volume("Delete", "/tmp/a", false), Release::Unknown);
        assert_eq!(volume("Recycle", "/mnt/a", false), Release::Deleted);
        assert_eq!(volume("Sometimes", "/mnt/a", false), Release::Unknown);
        let local = describe(&json!({"spec": {"local": {"path": "/a"}}}));
        assert_eq!((local.path.as_deref(), local.release), (Some("/a"), Release::Kept));
        assert_eq!(describe(&json!({"spec": {"csi": {}}})).path, None);
    }
}
