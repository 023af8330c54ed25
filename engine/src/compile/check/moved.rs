//! Renamed volumes and deployments. A Kubernetes object cannot be renamed and the bytes of a claim cannot move to another one, so a
//! volume that `moved:` renames keeps the objects, and the address, of its first name.

use std::collections::BTreeMap;

use super::Context;
use crate::code::Code;
use crate::compile::CheckedDeployment;
use crate::compose::VolumeSource;
use crate::finding::Finding;
use crate::spec::Located;

type Names<'a> = (&'a Located<String>, &'a Located<String>);

/// What is wrong with `moved:`.
pub(super) fn check(context: &mut Context<'_>) {
    let spec = &context.deployment.spec;
    let is_volume = |name: &str| spec.volumes.iter().any(|(volume, _)| volume.value == name);
    // An entry that renames the deployment; whoever found its files took its first name from it.
    let is_deployment = |(from, to): &Names<'_>| from.value == context.source.name && !is_volume(&to.value);
    let all = spec.moved.iter().map(|(from, to)| (from, to));
    let entries: Vec<Names<'_>> = all.filter(|entry| !is_deployment(entry)).collect();
    for (index, (from, to)) in entries.iter().enumerate() {
        let earlier = entries.get(..index).unwrap_or_default();
        let (old, new) = (from.value.as_str(), to.value.as_str());
        let finding = |message: String| Finding::new(Code::InvalidYaml, message).about(new);
        let finding = if old == new {
            finding(format!("`moved` renames `{new}` to itself")).at(&from.place).help("remove the entry")
        } else if let Some((volume, _)) = spec.volumes.iter().find(|(volume, _)| volume.value == old) {
            finding(format!("`moved` says that `{old}` is called `{new}` now, but `{old}` is there too"))
                .at(&from.place)
                .label(&volume.place, "it is still declared here")
                .help(format!("remove the entry, or remove `{old}` from `volumes:`"))
        } else if let Some((other, _)) = earlier.iter().find(|(_, other)| other.value == new) {
            finding(format!("`moved` gives the volume `{new}` two old names"))
                .at(&from.place)
                .label(&other.place, "the other one")
                .help("keep the name that the volume had first")
        } else if let Some((_, other)) = earlier.iter().find(|(other, _)| other.value == old) {
            finding(format!("`moved` gives the volume `{old}` two new names"))
                .at(&to.place)
                .label(&other.place, "the other one")
                .help("one volume can become one volume only: remove one of the entries")
        } else if spec.volumes.iter().any(|(volume, _)| volume.value == new)
            || entries.iter().any(|(later, _)| later.value == new)
        {
            continue;
        } else {
            let known = spec.volumes.iter().map(|(volume, _)| volume.value.as_str()).collect::<Vec<_>>();
            let help = match crate::yaml::nearest(new, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "remove the entry, or add the volume to `volumes:`".to_owned(),
            };
            Finding::new(Code::UnknownKey, format!("`moved` names the volume `{new}`, which the spec does not have"))
                .at(&to.place)
                .help(help)
        };
        context.push(finding);
    }
}

/// What a volume was called before every entry that leads to `name`. The bound ends entries that lead in a circle, whose
/// names no volume has.
fn first_name<'a>(entries: &[Names<'a>], name: &'a str) -> &'a str {
    let mut first = name;
    for _ in entries {
        match entries.iter().find(|(_, to)| to.value == first) {
            Some((from, _)) => first = from.value.as_str(),
            None => break,
        }
    }
    first
}

/// What renamed volumes are called now, by their first names.
pub fn written_names(moved: &[(Located<String>, Located<String>)]) -> BTreeMap<String, String> {
    let entries: Vec<Names<'_>> = moved.iter().map(|(from, to)| (from, to)).collect();
    // A name that was renamed on is nobody's any more.
    let last = entries.iter().filter(|(_, to)| !entries.iter().any(|(from, _)| from.value == to.value));
    last.map(|(_, to)| (first_name(&entries, &to.value).to_owned(), to.value.clone())).collect()
}

/// Calls every renamed volume by its first name, wherever it is mentioned. The entries were checked.
pub(super) fn restore_names(deployment: &mut CheckedDeployment) {
    if deployment.spec.moved.is_empty() {
        return;
    }
    let entries: Vec<Names<'_>> = deployment.spec.moved.iter().map(|(from, to)| (from, to)).collect();
    let moved: BTreeMap<String, String> =
        entries.iter().map(|(_, to)| (to.value.clone(), first_name(&entries, &to.value).to_owned())).collect();
    let restore = |name: &mut String| {
        if let Some(first) = moved.get(name.as_str()) {
            name.clone_from(first);
        }
    };
    let spec = &mut deployment.spec;
    spec.volumes.iter_mut().for_each(|(name, _)| restore(&mut name.value));
    let sizes = std::mem::take(&mut spec.resources.volume);
    spec.resources.volume =
        sizes.into_iter().map(|(name, size)| (moved.get(&name).cloned().unwrap_or(name), size)).collect();
    for (_, file) in deployment.pods.iter_mut().chain(&mut deployment.jobs) {
        file.volumes.iter_mut().for_each(|volume| restore(&mut volume.value));
        for mount in file.services.iter_mut().flat_map(|service| &mut service.volumes) {
            if let VolumeSource::Named(name) = &mut mount.source {
                restore(name);
            }
        }
    }
}
