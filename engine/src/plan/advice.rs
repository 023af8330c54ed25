//! Advice: the edits of specs with which a cluster needs no new mount, tried on a copy of what is desired by the same
//! planner, and offered only if that plan makes no cluster anew and loses no data.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::{Address, ResourceType, Scope};
use crate::code::Severity;
use crate::compile::{CompiledDeployment, UMBRELLA};
use crate::plan::PlanInput;
use crate::plan::decide::ClusterFate;
use crate::plan::document::VolumeVerdict;
use crate::plan::forecast::registered_tenant;
use crate::plan::input::Requirements;
use crate::plan::planner::{Judgement, live_cluster, with_judgement};
use crate::plan::survey::compose;
use crate::resource::{Resource, Target};
use crate::source::{is_under, join_path, normalize_path};
use crate::state::{Tenant, VolumeStorage};

/// What one spec would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The deployment whose spec it is.
    pub deployment: String,
    /// `kind-mount-root`, where it has to be said.
    pub root: Option<String>,
    /// The paths of volumes, as the spec calls them.
    pub paths: BTreeMap<String, String>,
}

/// What is known of a way around a recreate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The edits.
    pub edits: Vec<Advice>,
    /// The volumes whose data would have to be moved to the new path first.
    pub moves: Vec<String>,
    /// What would happen although they were made, and is not wanted.
    pub remains: Vec<String>,
}

impl Verdict {
    /// Whether there is a way, and it is enough.
    #[must_use]
    pub const fn is_offered(&self) -> bool {
        !self.edits.is_empty() && self.moves.is_empty() && self.remains.is_empty()
    }

    /// The edit of one deployment.
    #[must_use]
    pub fn of(&self, deployment: &str) -> Option<&Advice> {
        self.edits.iter().find(|one| one.deployment == deployment)
    }
}

/// The edits with which a cluster that is to be made anew would not have to be, as far as its mounts are concerned, and
/// whether they are enough.
#[must_use]
pub fn advice(judgement: &Judgement<'_>, target: &Target) -> Verdict {
    try_out_advice(judgement, target).0
}

/// What has to be fetched before advice can be tried.
#[must_use]
pub fn requirements(judgement: &Judgement<'_>) -> Requirements {
    let mut all = Requirements::default();
    for (target, fate) in &judgement.fates {
        if matches!(fate, ClusterFate::Replaced(_)) {
            let (_, missing) = try_out_advice(judgement, target);
            missing
                .bodies
                .into_iter()
                .for_each(|(scope, digests)| all.bodies.entry(scope).or_default().extend(digests));
            all.tenants.extend(missing.tenants);
        }
    }
    all
}

fn try_out_advice(judgement: &Judgement<'_>, target: &Target) -> (Verdict, Requirements) {
    let input = judgement.input;
    let Some(running) = running(judgement, target) else { return Default::default() };
    let mounts = mounts_of(running);
    let mut tried = input.clone();
    let mut edits = Vec::new();
    for deployment in tried.deployments.iter_mut().filter(|deployment| deployment.target == *target) {
        let registered = registered_tenant(judgement, target, &deployment.name);
        let found = match mounts.get(UMBRELLA) {
            Some(umbrella) => below_umbrella(deployment, registered, umbrella, &mounts),
            None => at_its_mounts(deployment, &mounts),
        };
        if let Some(mut found) = found {
            write(deployment, &found, mounts.get(UMBRELLA));
            let written =
                |(name, path): (String, String)| (deployment.written_names.get(&name).cloned().unwrap_or(name), path);
            found.paths = found.paths.into_iter().map(written).collect();
            edits.push(found);
        }
    }
    if edits.is_empty() {
        return Default::default();
    }
    try_out(&tried, target, edits)
}

/// The cluster as it runs, or as it is recorded where nobody looked.
fn running<'a>(judgement: &'a Judgement<'_>, target: &Target) -> Option<&'a Value> {
    let recorded = || {
        let judged = judgement.resources.get(&Address::kind_cluster(target.name()))?;
        judged.item.recorded?.desired.value.as_deref()
    };
    live_cluster(judgement.input, target).map(|live| &live.attributes).or_else(recorded)
}

/// Container path → host path.
fn mounts_of(cluster: &Value) -> BTreeMap<String, String> {
    let mounts = cluster["extraMounts"].as_array().into_iter().flatten();
    let pair =
        |mount: &Value| Some((mount["containerPath"].as_str()?.to_owned(), mount["hostPath"].as_str()?.to_owned()));
    mounts.filter_map(pair).collect()
}

/// Whether a deployment wishes a mount that a cluster does not have.
fn is_unmet(deployment: &CompiledDeployment, mounts: &BTreeMap<String, String>) -> bool {
    let wishes = &deployment.tenant.wishes;
    let has = |container: &str, host: &str| mounts.get(container).is_some_and(|there| *there == normalize_path(host));
    wishes.mount_root.as_ref().is_some_and(|root| !has(UMBRELLA, root))
        || wishes.mounts.iter().any(|(container, host)| !has(container, host))
}

/// Everything of a deployment below the umbrella that the cluster has.
fn below_umbrella(
    deployment: &CompiledDeployment,
    registered: Option<&Tenant>,
    umbrella: &str,
    mounts: &BTreeMap<String, String>,
) -> Option<Advice> {
    if !is_unmet(deployment, mounts) {
        return None;
    }
    let wishes = &deployment.tenant.wishes;
    let has_root = wishes.mount_root.as_deref().map(normalize_path).as_deref() == Some(umbrella);
    let path = |(volume, storage): (&String, &VolumeStorage)| {
        let own = || join_path(umbrella, &format!("{}/{volume}", deployment.name));
        // Where its data is already, nothing has to be moved to.
        let there = match registered.and_then(|tenant| tenant.volumes.get(volume)) {
            Some(VolumeStorage::Host(path)) if is_under(path, umbrella) => Some(normalize_path(path)),
            _ => None,
        };
        let own = || there.clone().unwrap_or_else(own);
        let path = match storage {
            VolumeStorage::Host(path) if is_under(path, umbrella) => normalize_path(path),
            VolumeStorage::Host(_) => own(),
            // It has a path all the same, which would mean something else.
            VolumeStorage::Overlay if persistent_volume(deployment, volume).is_some() => own(),
            VolumeStorage::Overlay | VolumeStorage::Provisioned => return None,
        };
        // What is there already, and seen through the umbrella, stays as it is written.
        let is_settled = has_root && *storage == VolumeStorage::Host(path.clone());
        (!is_settled).then(|| (volume.clone(), path))
    };
    let paths = deployment.tenant.volumes.iter().filter_map(path).collect();
    Some(Advice { deployment: deployment.name.clone(), root: Some(umbrella.to_owned()), paths })
}

/// Volumes from where the cluster has their mounts.
fn at_its_mounts(deployment: &CompiledDeployment, mounts: &BTreeMap<String, String>) -> Option<Advice> {
    let wishes = &deployment.tenant.wishes;
    if wishes.mount_root.is_some() {
        return None;
    }
    let mut paths = BTreeMap::new();
    for (container, host) in &wishes.mounts {
        let there = mounts.get(container)?;
        if *there == normalize_path(host) {
            continue;
        }
        let is_it = |(_, storage): &(&String, &VolumeStorage)| **storage == VolumeStorage::Host(normalize_path(host));
        let (volume, _) = deployment.tenant.volumes.iter().find(is_it)?;
        paths.insert(volume.clone(), there.clone());
    }
    (!paths.is_empty()).then(|| Advice { deployment: deployment.name.clone(), root: None, paths })
}

/// The PersistentVolume of a volume.
fn persistent_volume<'a>(deployment: &'a CompiledDeployment, volume: &str) -> Option<&'a Resource> {
    let address = Address::new(ResourceType::PersistentVolume, Scope::deployment(&deployment.name), volume);
    deployment.resources.iter().find(|resource| resource.address == address)
}

/// Has a compiled deployment be what it would be with the edit in its spec.
fn write(deployment: &mut CompiledDeployment, advice: &Advice, umbrella: Option<&String>) {
    let cluster = deployment.target.name().to_owned();
    let scope = Scope::deployment(&deployment.name);
    for (volume, path) in &advice.paths {
        let old = deployment.tenant.volumes.insert(volume.clone(), VolumeStorage::Host(path.clone()));
        let wishes = &mut deployment.tenant.wishes;
        if advice.root.is_none() {
            if let Some(VolumeStorage::Host(old)) = old {
                wishes.mounts.values_mut().filter(|host| normalize_path(host) == old).for_each(|host| {
                    host.clone_from(path);
                });
            }
            continue;
        }
        let address = Address::new(ResourceType::PersistentVolume, scope.clone(), volume);
        let Some(resource) = deployment.resources.iter_mut().find(|one| one.address == address) else { continue };
        let below = umbrella.and_then(|umbrella| path.strip_prefix(umbrella.trim_end_matches('/'))).unwrap_or_default();
        let attributes = resource.attributes.value_mut();
        if let Some(node_path) = attributes.pointer("/spec/hostPath/path").and_then(Value::as_str) {
            wishes.mounts.remove(node_path);
        }
        attributes["spec"]["hostPath"]["path"] = Value::from(format!("{UMBRELLA}{below}"));
        resource.attributes.pack();
        resource.needs.retain(|need| need.resource_type != ResourceType::KindMount);
        resource.needs.push(Address::new(ResourceType::KindMount, Scope::cluster(&cluster), UMBRELLA));
    }
    if let Some(root) = &advice.root {
        deployment.tenant.wishes.mount_root = Some(root.clone());
    }
}

/// What a plan of the edited specs would do that is not wanted.
fn try_out(tried: &PlanInput, target: &Target, edits: Vec<Advice>) -> (Verdict, Requirements) {
    let mut verdict = Verdict { edits, ..Verdict::default() };
    let mut requirements = Requirements::default();
    let composition = compose(tried);
    let findings = composition.clusters.get(target.name()).into_iter().flat_map(|cluster| &cluster.findings);
    let errors = findings.filter(|finding| finding.severity == Severity::Error);
    verdict.remains.extend(errors.map(|finding| finding.message.clone()));
    with_judgement(tried, &composition, &mut requirements, |judgement, _| {
        if let Some(ClusterFate::Replaced(cause)) = judgement.fates.get(target)
            && let Some(judged) = judgement.resources.get(cause)
        {
            let forcing = judged.comparison.differences.iter().filter(|one| one.forces_replacement);
            let mut paths: Vec<&str> = forcing.map(|one| whole(&one.path)).collect();
            paths.dedup();
            let why = if paths.is_empty() { "that is asked for".to_owned() } else { paths.join(", ") };
            verdict.remains.push(format!("the cluster is made anew all the same: {why}"));
        }
        for volume in crate::plan::forecast::forecast(&judgement) {
            let is_edited = verdict.of(&volume.deployment).is_some();
            let name = format!("{}/{}", volume.deployment, volume.volume);
            match volume.verdict {
                VolumeVerdict::Kept | VolumeVerdict::New => {}
                VolumeVerdict::LeftBehind if is_edited => verdict.moves.push(name),
                VolumeVerdict::Lost | VolumeVerdict::LeftBehind => {
                    verdict.remains.push(format!("the data of `{name}` would be lost"));
                }
                VolumeVerdict::Unknown => {
                    verdict.remains.push(format!("what would become of the data of `{name}` is not known"));
                }
            }
        }
    });
    if verdict.remains.is_empty() && !requirements.is_empty() {
        verdict.remains.push("whether it is enough cannot be judged here".to_owned());
    }
    (verdict, requirements)
}

/// `extraMounts[/mnt/x]` of `extraMounts[/mnt/x].hostPath`.
fn whole(path: &str) -> &str {
    path.find(']').and_then(|end| path.get(..=end)).unwrap_or(path)
}
