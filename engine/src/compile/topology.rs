//! Mounts, ports and host paths of a kind cluster: what its deployments claim, and where they contradict each other.

use std::collections::BTreeMap;

use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::source::normalize_path;
use crate::state::VolumeStorage;

use super::cluster::Claimant;

/// The ports that every cluster maps, for its ingress.
const INGRESS_PORTS: [(&str, u16); 2] = [("80/tcp", 80), ("443/tcp", 443)];

/// A value and the claimant that gave it; none for what every cluster has or what is only recorded.
pub(super) type Claimed<'a, T> = (T, Option<&'a Claimant<'a>>);

/// The umbrella's host path. A disagreement leaves what is recorded.
pub(super) fn mount_root<'a>(
    cluster: &str,
    claimants: &'a [Claimant<'a>],
    recorded: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<Claimed<'a, String>> {
    let mut roots: BTreeMap<String, &'a Claimant<'a>> = BTreeMap::new();
    for claimant in claimants {
        let Some(root) = &claimant.tenant.wishes.mount_root else { continue };
        let entry = roots.entry(normalize_path(root)).or_insert(claimant);
        // One line for each root is enough to see the contradiction; a line of this plan can be shown.
        if !entry.is_planned && claimant.is_planned {
            *entry = claimant;
        }
    }
    if roots.len() > 1 {
        let said: Vec<String> = roots.iter().map(|(root, claimant)| format!("{} says {root}", claimant.name)).collect();
        let message = format!("`kind-mount-root` differs on cluster {cluster}: {}", said.join(", "));
        let mut finding = Finding::new(Code::MountRootDisagreement, message)
            .about(cluster)
            .help("give all deployments of the cluster one `kind-mount-root`, and put their volumes under it");
        for (root, claimant) in &roots {
            let Some(place) = claimant.place("mount_root") else { continue };
            if finding.place.is_none() {
                finding.place = Some(place.clone());
            } else {
                finding = finding.label(place, format!("{} says {root}", claimant.name));
            }
        }
        findings.push(finding);
    }
    let kept = recorded.map(normalize_path).and_then(|recorded| roots.remove_entry(&recorded));
    kept.or_else(|| roots.pop_first()).map(|(root, claimant)| (root, Some(claimant)))
}

/// The mounts beside the umbrella: container path → host path.
pub(super) fn mounts<'a>(
    claimants: &'a [Claimant<'a>],
    recorded: &BTreeMap<String, String>,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Claimed<'a, String>> {
    let mut mounts: BTreeMap<String, Claimed<'a, String>> = BTreeMap::new();
    for claimant in claimants {
        for (container, host) in &claimant.tenant.wishes.mounts {
            let host = normalize_path(host);
            let Some((claimed, Some(other))) = mounts.get(container) else {
                mounts.insert(container.clone(), (host, Some(claimant)));
                continue;
            };
            if *claimed == host {
                continue;
            }
            let field = format!("mounts.{container}");
            let message = format!(
                "{container} of the kind node is claimed twice: {} mounts {claimed} there, {} mounts {host}",
                other.name, claimant.name
            );
            let is_new = claimant.is_new(|tenant| tenant.wishes.mounts.get(container))
                || other.is_new(|tenant| tenant.wishes.mounts.get(container));
            findings.push(
                conflict(message, (&field, other), (&field, claimant), is_new)
                    .help("rename one of the two volumes, or put both under one `kind-mount-root`"),
            );
            if recorded.get(container).is_some_and(|recorded| normalize_path(recorded) == host) {
                mounts.insert(container.clone(), (host, Some(claimant)));
            }
        }
    }
    mounts
}

/// The port mappings: `hostPort/protocol` → container port.
pub(super) fn ports<'a>(
    claimants: &'a [Claimant<'a>],
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Claimed<'a, u16>> {
    let mut ports: BTreeMap<String, Claimed<'a, u16>> = BTreeMap::new();
    for (name, port) in INGRESS_PORTS {
        ports.insert(name.to_owned(), (port, None));
    }
    let has_ingress = claimants.iter().find(|claimant| claimant.tenant.wishes.ingress);
    for claimant in claimants {
        for (name, container) in &claimant.tenant.wishes.ports {
            let other = match ports.get(name) {
                None => None,
                Some((_, Some(other))) => Some(*other),
                Some((_, None)) => has_ingress,
            };
            let Some(other) = other else {
                ports.insert(name.clone(), (*container, Some(claimant)));
                continue;
            };
            let message = format!("host port {name} is claimed twice: by {} and by {}", other.name, claimant.name);
            let is_new = claimant.is_new(|tenant| tenant.wishes.ports.get(name))
                || other.is_new(|tenant| tenant.wishes.ports.get(name));
            let field = format!("ports.{name}");
            let finding = conflict(message, (&field, other), (&field, claimant), is_new);
            findings.push(finding.help("only one deployment of a cluster can have a port of the host's network"));
        }
    }
    ports
}

/// Host paths of different deployments that are the same or lie one in the other.
pub(super) fn overlaps(claimants: &[Claimant<'_>], findings: &mut Vec<Finding>) {
    let mut paths: Vec<(String, &Claimant<'_>, &str)> = Vec::new();
    for claimant in claimants {
        for (volume, storage) in &claimant.tenant.volumes {
            if let VolumeStorage::Host(path) = storage {
                // With the lowest character for a slash, what lies below a path follows it at once.
                paths.push((normalize_path(path).replace('/', "\0"), claimant, volume));
            }
        }
    }
    paths.sort_by(|left, right| (&left.0, left.1.name, left.2).cmp(&(&right.0, right.1.name, right.2)));
    let mut open: Vec<&(String, &Claimant<'_>, &str)> = Vec::new();
    for entry in &paths {
        let (path, claimant, volume) = entry;
        let lies_in =
            |outer: &str| path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('\0'));
        while open.last().is_some_and(|(outer, _, _)| !lies_in(outer)) {
            open.pop();
        }
        let other = open.iter().rev().find(|(_, other, _)| other.name != claimant.name);
        if let Some((outer, other, other_volume)) = other {
            let (path, outer) = (path.replace('\0', "/"), outer.replace('\0', "/"));
            let message = if path == outer {
                format!(
                    "{path} holds volume `{other_volume}` of {} and volume `{volume}` of {}",
                    other.name, claimant.name
                )
            } else {
                format!(
                    "{path}, volume `{volume}` of {}, lies in {outer}, volume `{other_volume}` of {}",
                    claimant.name, other.name
                )
            };
            let is_new = claimant.is_new(|tenant| tenant.volumes.get(*volume))
                || other.is_new(|tenant| tenant.volumes.get(*other_volume));
            let (field, other_field) = (format!("volumes.{volume}"), format!("volumes.{other_volume}"));
            let finding = conflict(message, (&other_field, other), (&field, claimant), is_new);
            findings.push(finding.help("give each deployment a directory of its own"));
        }
        open.push(entry);
    }
}

/// A contradiction; one that was there before this plan is only told.
fn conflict(
    message: String,
    (first_field, first): (&str, &Claimant<'_>),
    (second_field, second): (&str, &Claimant<'_>),
    is_new: bool,
) -> Finding {
    let mut finding = Finding::new(Code::MountConflict, message).about(second.name);
    if !is_new {
        finding = finding.as_severity(Severity::Warning);
    }
    let (place, other) = match (second.place(second_field), first.place(first_field)) {
        (Some(place), other) => (Some(place), other),
        (None, place) => (place, None),
    };
    finding = finding.at_maybe(place);
    match other {
        Some(other) => finding.label(other, format!("{} claims it here", first.name)),
        None => finding,
    }
}
