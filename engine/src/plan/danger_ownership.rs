//! The dangers of touching what is somebody else's: objects, namespaces, fields.

use std::collections::BTreeSet;

use crate::address::{Address, ResourceType, Scope};
use crate::code::Code;
use crate::finding::Finding;
use crate::plan::change::{Action, FieldDifference};
use crate::plan::planner::{Judged, Judgement};
use crate::plan::survey::{Belief, FIELD_MANAGER};
use crate::resource::UnknownReason;

/// LAC209 for a cluster made again, LAC401, 402, 403, 405, 505.
pub fn ownership(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (address, judged) in &judgement.resources {
        match judged.verdict.finding {
            Some(Code::ObjectExists) => findings.push(object_exists(judgement, address, judged)),
            Some(Code::ObjectRemade) if address.resource_type == ResourceType::KindCluster => {
                let told = judgement.beliefs.get(judged.item.target);
                if !matches!(told, Some(Belief::Doubted(UnknownReason::OtherIdentity(_)))) {
                    let name = address.short_name();
                    findings.push(
                        Finding::new(
                            Code::ForeignCluster,
                            format!("the cluster `{name}` is not the one that is recorded: its node is another one"),
                        )
                        .about(name)
                        .help("if it is the right one (restored, or made by hand), take it over: laconic import"),
                    );
                }
            }
            Some(Code::ObjectRemade) => findings.push(
                Finding::new(
                    Code::ObjectRemade,
                    format!("`{address}` was deleted and made again by somebody else ({})", managers(judged)),
                )
                .about(address.to_string())
                .at_maybe(judged.item.desired.and_then(|desired| desired.place.as_ref()))
                .help("take the new object over: laconic import")
                .help("or delete it, and the next apply makes ours again"),
            ),
            Some(Code::JobAlreadyRan) => findings.push(
                Finding::new(
                    Code::JobAlreadyRan,
                    format!("`{address}` has completed; its changed template does not run"),
                )
                .about(address.to_string())
                .at_maybe(judged.item.desired.and_then(|desired| desired.place.as_ref()))
                .help(format!("run it again with: --replace='{address}'")),
            ),
            _ => {}
        }
        if judged.verdict.action == Action::Import && address.resource_type == ResourceType::Namespace {
            findings.extend(
                foreign_namespace(judgement, address, judged).filter(|_| !is_moved(judgement, address, judged)),
            );
        }
        if judged.verdict.action.is_change() && judged.verdict.action != Action::Import {
            taken_fields(address, judged, findings);
        }
    }
}

fn managers(judged: &Judged<'_>) -> String {
    let names: BTreeSet<&str> = judged
        .item
        .live
        .map(|live| live.owners.iter().map(|owner| owner.manager.as_str()).collect())
        .unwrap_or_default();
    if names.is_empty() { "by an unknown manager".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
}

/// Whether a namespace is this deployment's, which only lies in another directory now.
fn is_moved(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> bool {
    let id = judged.item.live.and_then(|live| live.attributes.pointer("/metadata/labels/app")?.as_str());
    judgement.input.deployments.iter().any(|deployment| {
        Scope::deployment(&deployment.name) == address.scope && id == Some(deployment.identity.deployment_id.as_str())
    })
}

/// A namespace that carries the stamp of another deployment directory.
fn foreign_namespace(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> Option<Finding> {
    let place = judged.item.desired.and_then(|desired| desired.place.as_ref());
    let owner = judged.item.live.and_then(|live| {
        live.attributes.pointer("/metadata/annotations/laconic.com~1deployment-dir").and_then(|dir| dir.as_str())
    });
    let directory = judgement
        .input
        .deployments
        .iter()
        .find(|deployment| Scope::deployment(&deployment.name) == address.scope)
        .map(|deployment| deployment.tenant.directory.as_str());
    let (owner, directory) = (owner?, directory?);
    (address.resource_type == ResourceType::Namespace && owner != directory).then(|| {
        let namespace = address.short_name();
        Finding::new(
            Code::NamespaceOwned,
            format!("the namespace `{namespace}` belongs to the deployment directory {owner}, this one is {directory}"),
        )
        .about(address.to_string())
        .at_maybe(place)
        .help("give this deployment a namespace of its own in spec.yml: `namespace: NAME`")
    })
}

fn object_exists(judgement: &Judgement<'_>, address: &Address, judged: &Judged<'_>) -> Finding {
    let place = judged.item.desired.and_then(|desired| desired.place.as_ref());
    if let Some(finding) = foreign_namespace(judgement, address, judged) {
        return finding;
    }
    if address.resource_type == ResourceType::KindCluster {
        return Finding::new(
            Code::ObjectExists,
            format!("a kind cluster `{}` runs and no state records it", address.short_name()),
        )
        .about(address.to_string())
        .at_maybe(place)
        .help("take it over with everything of this deployment on it: laconic import");
    }
    Finding::new(Code::ObjectExists, format!("`{address}` exists and no state records it ({})", managers(judged)))
        .about(address.to_string())
        .at_maybe(place)
        .help("take it over: laconic import")
}

/// Who else owns a field that changes, so that the server would call it a conflict: found as drift, or as an owner of a value
/// that was ours too.
#[must_use]
pub fn taker<'a>(judged: &'a Judged<'_>, changed: &FieldDifference) -> Option<(&'a str, &'a str)> {
    let drifted = judged.comparison.drift.iter().find(|field| field.path == changed.path && !field.manager.is_empty());
    if let Some(field) = drifted.filter(|field| !field.added && !field.probably) {
        return Some((&field.manager, &field.time));
    }
    // What is made anew is nobody's; to drop a field takes it from nobody.
    if judged.verdict.action != Action::Update || changed.after.is_none() {
        return None;
    }
    let mut others = judged.item.live?.owners.iter().filter(|owner| owner.manager != FIELD_MANAGER);
    let owner = others.find(|owner| owner.paths.contains(&changed.path))?;
    Some((&owner.manager, &owner.time))
}

fn taken_fields(address: &Address, judged: &Judged<'_>, findings: &mut Vec<Finding>) {
    for changed in &judged.comparison.differences {
        let Some((manager, time)) = taker(judged, changed) else { continue };
        let since = if time.is_empty() { String::new() } else { format!(" since {time}") };
        findings.push(
            Finding::new(
                Code::FieldsTaken,
                format!("`{address}`: {} is owned by {manager}{since} and will be taken back", changed.path),
            )
            .about(address.to_string())
            .at_maybe(changed.place.as_ref())
            .help(format!("to leave it to them, say so in spec.yml: `ignore: [\"{address}:{}\"]`", changed.path)),
        );
    }
}
