//! The dangers of touching a cluster that others live on.

use std::collections::BTreeSet;

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::code::{Code, Severity};
use crate::finding::{Consent, Finding};
use crate::plan::change::{FieldDifference, Reason};
use crate::plan::decide::ClusterFate;
use crate::plan::document::BlastRadius;
use crate::plan::migration::migration;
use crate::plan::planner::{Judgement, live_cluster};
use crate::plan::recreate::Recreate;
use crate::resource::{Observed, Target};

/// Namespaces that every cluster has, and the Caddy system's own.
const OWN_NAMESPACES: [&str; 6] =
    ["default", "kube-system", "kube-public", "kube-node-lease", "local-path-storage", "caddy-system"];

/// LAC202, 203, 208, 213, 214, 215.
pub fn cluster(judgement: &Judgement<'_>, radius: &[BlastRadius], recreates: &[Recreate], findings: &mut Vec<Finding>) {
    for (target, fate) in &judgement.fates {
        let Some(name) = target.kind_cluster() else { continue };
        let radius = radius.iter().find(|radius| radius.cluster == name);
        match fate {
            ClusterFate::Replaced(address) => {
                causes(judgement, target, name, address, findings);
                tenants(judgement, name, radius, findings);
                unreadable(judgement, name, findings);
                let recreate = recreates.iter().find(|recreate| recreate.target == *target);
                unrecorded(judgement, target, recreate, Consent::Recreate(name.to_owned()), findings);
            }
            ClusterFate::Deleted(address) => {
                let gone =
                    judgement.resources.get(address).is_some_and(|judged| judged.verdict.reason == Reason::AlreadyGone);
                if gone {
                    continue;
                }
                let is_stop = judgement.input.mode == crate::plan::Mode::Stop;
                let because = if is_stop {
                    "no other deployment runs on it, and no volume is kept in it"
                } else {
                    "no other deployment is registered on it"
                };
                let mut finding =
                    Finding::new(Code::ClusterDelete, format!("the cluster `{name}` is deleted: {because}"))
                        .about(name)
                        .help("to keep the cluster, add --skip-cluster-management");
                if is_stop {
                    finding = finding.help("to have it deleted, add --perform-cluster-management");
                }
                findings.push(finding.lifted_by(Consent::ClusterDelete(name.to_owned())));
                unrecorded(judgement, target, None, Consent::ClusterDelete(name.to_owned()), findings);
            }
            ClusterFate::Lost(_) => unreadable(judgement, name, findings),
            ClusterFate::Stays => {}
        }
    }
}

fn causes(judgement: &Judgement<'_>, target: &Target, name: &str, address: &Address, findings: &mut Vec<Finding>) {
    let Some(judged) = judgement.resources.get(address) else { return };
    let consent = || Consent::Recreate(name.to_owned());
    let mut said: BTreeSet<String> = BTreeSet::new();
    let forcing = judged.comparison.differences.iter().filter(|difference| difference.forces_replacement);
    for difference in forcing {
        match mount_of(&difference.path) {
            Some(container_path) => {
                // A migration leaves the old mounts behind.
                let goes = difference.after.is_none() && migration(judgement.input, name).is_some();
                if !goes && said.insert(container_path.clone()) {
                    findings.push(mount_missing(judgement, target, name, &container_path, difference));
                }
            }
            None => findings.push(
                Finding::new(
                    Code::ClusterRecreate,
                    format!(
                        "the cluster `{name}` must be made anew: kind fixes {} when it creates a cluster",
                        difference.path
                    ),
                )
                .about(name)
                .at_maybe(difference.place.as_ref())
                .lifted_by(consent()),
            ),
        }
    }
    if judged.verdict.reason == Reason::ReplaceRequested {
        findings.push(
            Finding::new(Code::ClusterRecreate, format!("the cluster `{name}` is made anew, as requested"))
                .about(name)
                .lifted_by(consent()),
        );
    }
}

/// The container path of the mount that a path of the kind configuration speaks of.
fn mount_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("extraMounts[")?;
    Some(rest.split(']').next().unwrap_or(rest).to_owned())
}

fn mount_missing(
    judgement: &Judgement<'_>,
    target: &Target,
    name: &str,
    container_path: &str,
    difference: &FieldDifference,
) -> Finding {
    let desired = judgement
        .resources
        .get(&Address::kind_cluster(name))
        .and_then(|judged| judged.item.desired)
        .and_then(|cluster| host_path(&cluster.attributes.value(), container_path));
    let running = live_cluster(judgement.input, target).map(|live| &live.attributes).or_else(|| {
        let recorded = judgement.resources.get(&Address::kind_cluster(name))?.item.recorded?;
        recorded.desired.value.as_deref()
    });
    let has = running.and_then(|attributes| host_path(attributes, container_path));
    let wanted = desired.clone().unwrap_or_default();
    let message = match &has {
        Some(other) => format!(
            "the running cluster `{name}` mounts {container_path} from {other}, the spec wants it from {wanted}"
        ),
        None => format!("the running cluster `{name}` has no mount {wanted} -> {container_path}"),
    };
    let place = difference.place.clone().or_else(|| wish_place(judgement, container_path));
    let mut finding = Finding::new(Code::MountMissing, message).about(name);
    finding.place = place;
    if let Some(umbrella) = running.and_then(|attributes| host_path(attributes, "/mnt")) {
        if let Some((deployment, volume)) = volume_behind(judgement, &wanted) {
            let under = crate::source::is_under(&wanted, &umbrella);
            let path = if under { wanted.clone() } else { format!("{umbrella}/{deployment}/{volume}") };
            finding = finding
                .help(format!("avoid it: the cluster has an umbrella mount, {umbrella} -> /mnt; in the spec of `{deployment}` write"))
                .help(format!("  kind-mount-root: {umbrella}"))
                .help("  volumes:")
                .help(format!("    {volume}: {path}"));
        }
    } else if migration(judgement.input, name).is_some() {
        finding = finding.help("with it this recreate is the last one that a mount needs");
    } else {
        finding =
            finding.help("avoid the next one: set `kind-mount-root` in every spec before the cluster is made anew");
    }
    finding
        .help("kind cannot add a mount to a running cluster: otherwise the cluster is made anew")
        .lifted_by(Consent::Recreate(name.to_owned()))
}

fn wish_place(judgement: &Judgement<'_>, container_path: &str) -> Option<crate::place::Place> {
    let key = format!("mounts.{container_path}");
    let root = (container_path == "/mnt").then_some("mount_root");
    judgement
        .input
        .deployments
        .iter()
        .find_map(|deployment| deployment.wish_places.get(&key).or_else(|| deployment.wish_places.get(root?)).cloned())
}

fn host_path(attributes: &serde_json::Value, container_path: &str) -> Option<String> {
    attributes["extraMounts"].as_array()?.iter().find(|mount| mount["containerPath"] == container_path)?["hostPath"]
        .as_str()
        .map(str::to_owned)
}

fn volume_behind(judgement: &Judgement<'_>, path: &str) -> Option<(String, String)> {
    judgement.input.deployments.iter().find_map(|deployment| {
        let (volume, _) = deployment
            .tenant
            .volumes
            .iter()
            .find(|(_, storage)| matches!(storage, crate::state::VolumeStorage::Host(host) if host == path))?;
        Some((deployment.name.clone(), volume.clone()))
    })
}

fn tenants(judgement: &Judgement<'_>, name: &str, radius: Option<&BlastRadius>, findings: &mut Vec<Finding>) {
    let Some(radius) = radius else { return };
    let others: Vec<String> = radius
        .tenants
        .iter()
        .filter(|tenant| !judgement.input.deployments.iter().any(|deployment| deployment.name == tenant.name))
        .map(|tenant| {
            let hosts = if tenant.hosts.is_empty() { String::new() } else { format!(": {}", tenant.hosts.join(", ")) };
            let found = if tenant.recorded { "" } else { ", found live only" };
            format!("{} ({} pods{found}){hosts}", tenant.name, tenant.pods)
        })
        .collect();
    if others.is_empty() {
        return;
    }
    let count = others.len();
    let noun = if count == 1 { "other deployment goes" } else { "other deployments go" };
    let mut finding = Finding::new(
        Code::RecreateWithTenants,
        format!(
            "{count} {noun} down with the cluster `{name}` for about {}-{} s",
            radius.downtime_at_least, radius.downtime_at_most
        ),
    )
    .about(name)
    .lifted_by(Consent::Recreate(name.to_owned()));
    for other in others {
        finding = finding.help(other);
    }
    findings.push(finding);
}

fn unreadable(judgement: &Judgement<'_>, name: &str, findings: &mut Vec<Finding>) {
    let Some(state) = judgement.input.states.get(&Scope::cluster(name)) else { return };
    for (tenant, entry) in &state.tenants {
        let Some(why) = judgement.input.unreadable.get(&Scope::deployment(tenant)) else { continue };
        findings.push(
            Finding::new(
                Code::TenantUnreadable,
                format!("`{tenant}` lives on the cluster `{name}` and cannot be brought back: {why}"),
            )
            .about(tenant)
            .help(format!("its directory is {}; restore it, or run with the permissions to read it", entry.directory)),
        );
    }
}

/// The kinds of objects that somebody may miss after their cluster was made anew.
#[must_use]
pub const fn is_survivor_kind(resource_type: ResourceType) -> bool {
    matches!(
        resource_type,
        ResourceType::Namespace | ResourceType::PersistentVolumeClaim | ResourceType::Secret | ResourceType::Deployment
    )
}

/// Whether an object that nobody recorded comes back from the vault.
fn comes_back(recreate: &Recreate, key: &ObjectKey) -> bool {
    match key.resource_type {
        ResourceType::Secret => recreate.keeps(key),
        ResourceType::Namespace => recreate.exported.contains(&*key.name),
        // The objects come back, and a claim's bytes do not: that has to be told.
        ResourceType::PersistentVolumeClaim => false,
        _ => recreate.exported.contains(&*key.namespace),
    }
}

fn unrecorded(
    judgement: &Judgement<'_>,
    target: &Target,
    recreate: Option<&Recreate>,
    consent: Consent,
    findings: &mut Vec<Finding>,
) {
    let name = target.name();
    let Some(observed) = judgement.input.world.get(target) else { return };
    // A cluster that is not there holds nothing.
    if matches!(observed.cluster, Observed::Absent) {
        return;
    }
    findings.extend(crate::plan::danger_unseen::unseen_on_cluster(target, name, observed, consent.clone()));
    let Ok(objects) = &observed.objects else { return };
    let recorded: BTreeSet<&ObjectKey> = judgement
        .input
        .states
        .values()
        .flat_map(|state| state.resources.values().map(|recorded| &recorded.key))
        .collect();
    let unrecorded: Vec<&ObjectKey> = objects
        .keys()
        .filter(|key| is_survivor_kind(key.resource_type))
        .filter(|key| !OWN_NAMESPACES.contains(&&*key.namespace) && !OWN_NAMESPACES.contains(&&*key.name))
        .filter(|key| !recorded.contains(key))
        .filter(|key| !recreate.is_some_and(|recreate| comes_back(recreate, key)))
        .collect();
    if unrecorded.is_empty() {
        return;
    }
    let mut finding = Finding::new(
        Code::UnrecordedObjects,
        format!("{} objects on the cluster `{name}` are recorded nowhere and do not come back", unrecorded.len()),
    )
    .about(name)
    .as_severity(Severity::Consent)
    .lifted_by(consent);
    for key in unrecorded.iter().take(10) {
        let namespace = if key.namespace.is_empty() { String::new() } else { format!("{}/", key.namespace) };
        finding = finding.help(format!("{} {namespace}{}", key.resource_type.kind(), key.name));
    }
    if unrecorded.len() > 10 {
        finding = finding.help(format!("and {} more", unrecorded.len() - 10));
    }
    findings.push(finding);
}
