//! Moving the volumes of a cluster below an umbrella mount, in the one moment in which nothing can write to them: while
//! the cluster is made anew.
//!
//! What is to be moved is an input, because the old places are read from the world and the new ones from edited specs.
//! Deployments of the plan are compiled from their edited specs; the others come back as recorded, but for the volumes
//! that are moved, which their files describe.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::{Address, ResourceType, Scope};
use crate::code::Code;
use crate::compile::{CompiledDeployment, UMBRELLA};
use crate::finding::Finding;
use crate::plan::PlanInput;
use crate::plan::document::{VolumeForecast, VolumeReason};
use crate::plan::pending_edits::edited;
use crate::plan::planner::{Judgement, live_cluster};
use crate::plan::recreate::RecreateCourse;
use crate::plan::transaction::course;
use crate::resource::{MountSource, Resource, Target};
use crate::source::is_under;
use crate::state::{State, Tenant, VolumeStorage};

/// What is moved on the host of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The directory of the host that becomes the umbrella.
    pub root: String,
    /// The volumes that get a place below it, by deployment and name.
    pub volumes: Vec<VolumeMove>,
}

/// The way of one volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMove {
    /// The deployment.
    pub deployment: String,
    /// The volume, as the spec calls it.
    pub volume: String,
    /// The directory of the host that its bytes are in; `None` when they are in the node, and come through the vault.
    pub from: Option<String>,
    /// Where they are from then on.
    pub to: String,
    /// What stands in the way of the move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
}

impl Migration {
    /// The way of a volume.
    #[must_use]
    pub fn find(&self, deployment: &str, volume: &str) -> Option<&VolumeMove> {
        self.volumes.iter().find(|one| one.deployment == deployment && one.volume == volume)
    }

    /// The moves on the host, what lies deeper first: a directory that is moved takes along what is in it.
    #[must_use]
    pub fn on_host(&self) -> Vec<(&str, &str, &VolumeMove)> {
        let mut moves: Vec<(&str, &str, &VolumeMove)> =
            self.volumes.iter().filter_map(|one| Some((one.from.as_deref()?, one.to.as_str(), one))).collect();
        moves.sort_by_key(|(from, _, _)| (std::cmp::Reverse(from.len()), *from));
        moves
    }
}

/// What is moved on a cluster: as asked for, or as an earlier recreate that did not end was to do it.
#[must_use]
pub fn migration<'a>(input: &'a PlanInput, cluster: &str) -> Option<&'a Migration> {
    let begun = || input.vaults.get(cluster).filter(|contents| !contents.discarded)?.migration.as_ref();
    input.migrations.get(cluster).or_else(begun)
}

/// The volumes of a deployment that move to where its files now have them.
fn moving<'a>(
    input: &'a PlanInput,
    cluster: &str,
    deployment: &str,
    files: &'a CompiledDeployment,
) -> impl Iterator<Item = (&'a str, &'a VolumeStorage)> {
    let volumes = migration(input, cluster).into_iter().flat_map(|migration| &migration.volumes);
    let own = volumes.filter(move |one| one.deployment == *deployment);
    own.filter_map(|one| {
        let storage = files.tenant.volumes.get(&one.volume)?;
        (*storage == VolumeStorage::Host(one.to.clone())).then_some((one.volume.as_str(), storage))
    })
}

/// The files of another deployment on a cluster whose volumes are moved.
fn files_of<'a>(input: &'a PlanInput, cluster: &str, deployment: &str) -> Option<&'a CompiledDeployment> {
    migration(input, cluster)?;
    input.tenant_files.get(deployment)
}

/// What the register says of another deployment once its volumes are moved; `None` where nothing of it moves.
#[must_use]
pub fn tenant(input: &PlanInput, cluster: &str, name: &str, registered: &Tenant) -> Option<Tenant> {
    let files = files_of(input, cluster, name)?;
    let mut tenant = registered.clone();
    for (volume, storage) in moving(input, cluster, name, files) {
        if tenant.volumes.contains_key(volume) {
            tenant.volumes.insert(volume.to_owned(), storage.clone());
        }
    }
    let wishes = &files.tenant.wishes;
    tenant.wishes.mount_root.clone_from(&wishes.mount_root);
    tenant.wishes.mounts.retain(|container, _| wishes.mounts.contains_key(container));
    (tenant != *registered).then_some(tenant)
}

/// The other deployments of a cluster whose entry in the register changes with the move.
#[must_use]
pub fn tenants(judgement: &Judgement<'_>, target: &Target) -> BTreeMap<String, Tenant> {
    let input = judgement.input;
    let Some(state) = input.states.get(&Scope::cluster(target.name())) else { return BTreeMap::new() };
    let is_planned = |name: &str| input.deployments.iter().any(|deployment| deployment.name == name);
    let others = state.tenants.iter().filter(|(name, _)| !is_planned(name));
    others.filter_map(|(name, entry)| Some((name.clone(), tenant(input, target.name(), name, entry)?))).collect()
}

/// The register of a cluster as it is once the volumes are moved; `None` where nothing changes.
#[must_use]
pub fn register(
    input: &PlanInput,
    cluster: &str,
    registered: &BTreeMap<String, Tenant>,
) -> Option<BTreeMap<String, Tenant>> {
    migration(input, cluster)?;
    let entry = |(name, entry): (&String, &Tenant)| {
        (name.clone(), tenant(input, cluster, name, entry).unwrap_or_else(|| entry.clone()))
    };
    Some(registered.iter().map(entry).collect())
}

/// What is recorded of a cluster without the mounts that nobody needs once the volumes are moved: the new one does not get
/// them.
#[must_use]
pub fn without_old_mounts(state: &State, wanted: &BTreeSet<String>) -> State {
    let mut state = state.clone();
    state.resources.retain(|address, _| {
        let container = address.short_name();
        address.resource_type != ResourceType::KindMount || container == UMBRELLA || wanted.contains(container)
    });
    state
}

/// The container paths of the mounts beside the umbrella that these tenants wish.
#[must_use]
pub fn wished_mounts<'a>(tenants: impl Iterator<Item = &'a Tenant>) -> BTreeSet<String> {
    tenants.flat_map(|tenant| tenant.wishes.mounts.keys().chain(&tenant.wishes.memlock_spec)).cloned().collect()
}

/// The volumes and claims of another deployment that come back elsewhere than recorded.
#[must_use]
pub fn moved_resources<'a>(input: &'a PlanInput, cluster: &str, state: &State) -> BTreeMap<&'a Address, &'a Resource> {
    let name = state.scope.name();
    let Some(files) = files_of(input, cluster, name) else { return BTreeMap::new() };
    let addresses: BTreeSet<&Address> = moving(input, cluster, name, files)
        .filter_map(|(volume, _)| files.volumes.get(volume))
        // A claim that a stop has deleted is made by the next start.
        .filter(|addresses| {
            let is_claim = |address: &&Address| address.resource_type == ResourceType::PersistentVolumeClaim;
            addresses.iter().find(is_claim).is_some_and(|claim| state.resources.contains_key(claim))
        })
        .flatten()
        .collect();
    let resources = files.resources.iter().filter(|resource| addresses.contains(&resource.address));
    resources.map(|resource| (&resource.address, resource)).collect()
}

/// The way of a volume that this plan takes: to where it is wanted now.
#[must_use]
pub fn way<'a>(
    input: &'a PlanInput,
    target: &Target,
    deployment: &str,
    volume: &str,
    will: Option<&VolumeStorage>,
) -> Option<&'a VolumeMove> {
    let one = migration(input, target.kind_cluster()?)?.find(deployment, volume)?;
    (will == Some(&VolumeStorage::Host(one.to.clone()))).then_some(one)
}

/// What a recreate has to move: everything of which the forecast says that it is moved or rescued into its new place.
#[must_use]
pub fn of_recreate(judgement: &Judgement<'_>, target: &Target, forecast: &[VolumeForecast]) -> Option<Migration> {
    let asked = migration(judgement.input, target.kind_cluster()?)?;
    let is_moved = |one: &&VolumeMove| {
        let volume = forecast.iter().find(|volume| volume.deployment == one.deployment && volume.volume == one.volume);
        volume.is_some_and(|volume| matches!(volume.because, VolumeReason::Moved(_) | VolumeReason::Rescued))
    };
    let volumes: Vec<VolumeMove> = asked.volumes.iter().filter(is_moved).cloned().collect();
    (!volumes.is_empty()).then(|| Migration { root: asked.root.clone(), volumes })
}

/// LAC217: what keeps a migration from being done safely.
pub fn obstacles(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    let input = judgement.input;
    let targets: BTreeSet<&Target> = input.deployments.iter().map(|deployment| &deployment.target).collect();
    for target in targets {
        let Some((cluster, migration)) =
            target.kind_cluster().and_then(|cluster| Some((cluster, migration(input, cluster)?)))
        else {
            continue;
        };
        for one in &migration.volumes {
            let Some(why) = one.obstacle.clone().or_else(|| unseen(judgement, target, one)) else { continue };
            let from = one.from.as_deref().unwrap_or("the node");
            let name = format!("{}/{}", one.deployment, one.volume);
            let message = format!("the data of `{name}` cannot be moved from {from} to {}: {why}", one.to);
            findings.push(Finding::new(Code::MigrationBlocked, message).about(name));
        }
        let is_planned = |name: &str| input.deployments.iter().any(|deployment| deployment.name == name);
        let movers: BTreeSet<&str> = migration.volumes.iter().map(|one| one.deployment.as_str()).collect();
        for name in movers.into_iter().filter(|name| !is_planned(name) && !input.tenant_files.contains_key(*name)) {
            let needs_it = judgement.fates.contains_key(target);
            if needs_it {
                let message =
                    format!("the files of `{name}` cannot be compiled, and they say where its volumes are to be");
                let finding = Finding::new(Code::MigrationBlocked, message).about(name);
                findings.push(finding.help(format!("see what is wrong: laconic validate --dir DIRECTORY-OF-{name}")));
            }
        }
        // Once the vault is there the cluster was in order when it began.
        if !input.vaults.contains_key(cluster) {
            unapplied(judgement, target, migration, findings);
        }
    }
}

/// Why it is not known that a directory of this host is the one that the node shows: Docker may run elsewhere.
fn unseen(judgement: &Judgement<'_>, target: &Target, one: &VolumeMove) -> Option<String> {
    let from = one.from.as_deref().filter(|_| course(judgement, target) == Some(RecreateCourse::Begins))?;
    let node = &judgement.input.world.get(target)?.node;
    let mounts = live_cluster(judgement.input, target)?.attributes["extraMounts"].as_array()?;
    let containers = mounts
        .iter()
        .filter(|mount| mount["hostPath"].as_str().is_some_and(|host| is_under(from, host)))
        .filter_map(|mount| mount["containerPath"].as_str());
    let is_same = containers.into_iter().any(|container| node.mounts.get(container) == Some(&MountSource::Same));
    (!is_same)
        .then(|| "whether the node shows this host's directory could not be seen; run it where Docker runs".to_owned())
}

/// Other edits in the files of a deployment of the plan: they would be applied unseen, among everything that is made anew.
fn unapplied(judgement: &Judgement<'_>, target: &Target, migration: &Migration, findings: &mut Vec<Finding>) {
    let input = judgement.input;
    for deployment in input.deployments.iter().filter(|deployment| deployment.target == *target) {
        let Some(state) = input.states.get(&Scope::deployment(&deployment.name)) else { continue };
        let others: Vec<Address> = edited(deployment, state)
            .into_iter()
            .filter(|address| !is_of_moved(migration, &deployment.name, address))
            .collect();
        if others.is_empty() {
            continue;
        }
        let shown: Vec<String> = others.iter().take(5).map(ToString::to_string).collect();
        let message = format!(
            "the files of `{}` have edits that are not applied, and that have nothing to do with the migration: {}",
            deployment.name,
            shown.join(", ")
        );
        let finding = Finding::new(Code::MigrationBlocked, message).about(&deployment.name);
        findings.push(finding.help(format!("apply them first: laconic apply --dir {}", deployment.tenant.directory)));
    }
}

/// Whether a resource is the volume or the claim of something that is moved.
#[must_use]
pub fn is_of_moved(migration: &Migration, deployment: &str, address: &Address) -> bool {
    let is_volume =
        matches!(address.resource_type, ResourceType::PersistentVolume | ResourceType::PersistentVolumeClaim);
    is_volume && migration.find(deployment, address.short_name()).is_some()
}
