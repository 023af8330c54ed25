//! Volumes, mounts and sizes.

use std::collections::BTreeMap;

use super::super::amount::{Notation, processors, size};
use super::{Context, umbrella};
use crate::code::{Code, Severity};
use crate::compose::{ComposeFile, VolumeSource};
use crate::finding::Finding;
use crate::source::{SourceEntry, SourceError, is_under, join_path};
use crate::spec::{Located, ResourceBlock, Scalar};

/// The label that every node has with its own name.
const HOST_LABEL: &str = "kubernetes.io/hostname";

pub(super) fn check(context: &mut Context<'_>) {
    declared(context);
    for (name, path) in &context.deployment.spec.volumes {
        match path {
            Some(path) if context.is_kind() => umbrella::check(context, name, path),
            Some(path) if !path.value.starts_with('/') => context.push(
                Finding::new(
                    Code::RelativePathOnKubernetes,
                    format!("volume `{}` has a relative path, which no node of a remote cluster knows", name.value),
                )
                .at(&path.place)
                .help("write the absolute path on the nodes, or leave it empty for a volume of the default class"),
            ),
            Some(path) if is_used(context, &name.value) => node_local(context, name, path),
            None if context.is_kind() && is_used(context, &name.value) => context.push(
                Finding::new(
                    Code::EphemeralVolume,
                    format!("volume `{}` has no path: its data dies with the cluster", name.value),
                )
                .at(&name.place)
                .help(format!(
                    "give it a path on the host: `{}: {}`",
                    name.value,
                    better_path(context, &name.value)
                )),
            ),
            _ => {}
        }
    }
    shared_paths(context);
    replicas(context);
    configmaps(context);
    amounts(context);
    sizes(context);
}

/// A path of the nodes is a place of its own on each of them.
fn node_local(context: &mut Context<'_>, name: &Located<String>, path: &Located<String>) {
    let affinities = &context.deployment.spec.node_affinities;
    if affinities.len() == 1 && affinities.iter().any(|entry| entry.key.value == HOST_LABEL) {
        return;
    }
    context.push(
        Finding::new(
            Code::NodeLocalVolume,
            format!(
                "volume `{}` is `{}` of whatever node its pod is on: with several nodes each must provide it",
                name.value, path.value
            ),
        )
        .at(&path.place)
        .about(name.value.clone())
        .help(format!("keep its pods on one node: `node-affinities: [{{label: {HOST_LABEL}, value: NODE}}]`"))
        .help("or leave the path empty for a volume of the cluster's default class"),
    );
}

/// A path of its own for a volume, under the umbrella.
fn better_path(context: &Context<'_>, volume: &str) -> String {
    let root = context.deployment.spec.kind_mount_root.as_ref().map_or("/srv/kind", |root| root.value.as_str());
    join_path(root, &format!("{}/{volume}", context.source.name))
}

fn is_used(context: &Context<'_>, name: &str) -> bool {
    context.compose_files().any(|compose| compose.volumes.iter().any(|volume| volume.value == name))
}

/// Every named volume must be in the compose file's own list and in a section of the spec.
fn declared(context: &mut Context<'_>) {
    let spec = &context.deployment.spec;
    let known = |name: &str| {
        spec.volumes.iter().any(|(volume, _)| volume.value == name)
            || spec.configmaps.iter().any(|(configmap, _)| configmap.value == name)
    };
    for compose in context.compose_files() {
        for volume in &compose.volumes {
            if !known(&volume.value) {
                let finding = Finding::new(
                    Code::UndeclaredVolume,
                    format!("volume `{}` is in no section of the spec: its pod would stay Pending", volume.value),
                )
                .at(&volume.place)
                .about(volume.value.clone())
                .help(format!("add it to `volumes:` of `{}`: `{}: /path/on/the/host`", spec.file, volume.value))
                .help("or to `configmaps:`, when it holds configuration files");
                context.push_new_rule(finding);
            }
        }
        unlisted(context, compose);
    }
}

fn unlisted(context: &mut Context<'_>, compose: &ComposeFile) {
    for mount in compose.services.iter().flat_map(|service| &service.volumes) {
        let VolumeSource::Named(name) = &mount.source else { continue };
        if !compose.volumes.iter().any(|volume| volume.value == *name) {
            let finding = Finding::new(
                Code::UndeclaredVolume,
                format!("volume `{name}` is not in the top-level `volumes:` of its compose file"),
            )
            .at(&mount.place)
            .about(name.clone())
            .help(format!("add `{name}:` there; a path on the host begins with `./` or `/`"));
            context.push_new_rule(finding);
        }
    }
}

/// Two volumes of this spec with one directory: what one writes the other has.
fn shared_paths(context: &mut Context<'_>) {
    let spec = &context.deployment.spec;
    let root = spec.kind_mount_root.as_ref().map(|root| root.value.as_str()).filter(|_| context.is_kind());
    let mut seen: BTreeMap<String, &Located<String>> = BTreeMap::new();
    for (name, path) in &spec.volumes {
        let Some(path) = path else { continue };
        let real = join_path(&context.source.directory, &path.value);
        // laconic-so keeps such a volume in the umbrella's folder of the volume's name (LAC212).
        let is_elsewhere =
            context.is_laconic_so() && root.is_some_and(|root| is_under(&real, root) && !path.value.starts_with(root));
        if is_elsewhere {
            continue;
        }
        if let Some(earlier) = seen.get(&real) {
            context.findings.push(
                Finding::new(
                    Code::MountConflict,
                    format!("volumes `{}` and `{}` have the same path `{real}`", earlier.value, name.value),
                )
                .as_severity(Severity::Warning)
                .at(&path.place)
                .label(&earlier.place, format!("`{}` has it first", earlier.value))
                .help("give each volume a path of its own, or use one volume for both"),
            );
        } else {
            seen.insert(real, name);
        }
    }
}

fn replicas(context: &mut Context<'_>) {
    let spec = &context.deployment.spec;
    let Some(replicas) = spec.replicas.as_ref().filter(|replicas| replicas.value > 1) else { return };
    for (pod, compose) in &context.deployment.pods {
        let volume =
            compose.volumes.iter().find(|volume| spec.volumes.iter().any(|(name, _)| name.value == volume.value));
        if let Some(volume) = volume {
            context.push(
                Finding::new(
                    Code::SharedReadWriteOnce,
                    format!(
                        "{} replicas of pod `{pod}` share the ReadWriteOnce volume `{}`",
                        replicas.value, volume.value
                    ),
                )
                .at(&replicas.place)
                .label(&volume.place, "the volume")
                .about(volume.value.clone())
                .help("use `replicas: 1`, or keep the data in a service made for several writers"),
            );
        }
    }
}

/// A ConfigMap's folder must be there.
fn configmaps(context: &mut Context<'_>) {
    for (name, path) in &context.deployment.spec.configmaps {
        if !is_used(context, &name.value) {
            continue;
        }
        let folder =
            super::super::configmap_path(context.deployment, context.source, name, path.as_ref(), context.reader);
        let is_missing = context.reader.entry(&folder) == Err(SourceError::Missing);
        let problem = match context.reader.entry(&folder) {
            Ok(SourceEntry::Directory(_)) => continue,
            Ok(SourceEntry::File(_)) if path.is_some() && !context.is_laconic_so() => continue,
            Ok(_) | Err(SourceError::NotADirectory) => "is no folder",
            Err(SourceError::Missing) => "does not exist",
            Err(_) => continue,
        };
        let finding = Finding::new(Code::BindMissing, format!("the source of ConfigMap `{}` {problem}", name.value))
            .at(path.as_ref().map_or(&name.place, |path| &path.place))
            .help(format!("put its files into the folder `{folder}`"));
        if is_missing {
            // laconic-so stopped at it too, and an empty ConfigMap would replace the one that runs.
            context.push(finding);
        } else {
            context.push_new_rule(finding);
        }
    }
}

/// Amounts that no rule can read. laconic-so stops at them too, so that no directory has them and runs.
fn amounts(context: &mut Context<'_>) {
    let resources = &context.deployment.spec.resources;
    let mut found = Vec::new();
    let dialect = context.deployment.identity.dialect;
    let mut judge = |key: &str, amount: &Located<Scalar>, notation: Notation| {
        let text = &amount.value.text;
        let (is_amount, what, help) = if key == "cpus" {
            (processors(text, dialect).is_some(), "number of processors", "write a number such as `0.5` or `2`")
        } else {
            let help = "write a number with a unit, such as `512MiB` or `10GB`; variables are not replaced here";
            (size(text, notation, dialect).is_some(), "size", help)
        };
        if !is_amount {
            let message = format!("`{key}: {text}` is no {what}");
            found.push(Finding::new(Code::InvalidYaml, message).at(&amount.place).help(help));
        }
    };
    let mut block = |block: &ResourceBlock, notation: Notation| {
        for amounts in [&block.reservations, &block.limits].into_iter().flatten() {
            for (key, amount) in [("cpus", &amounts.cpus), ("memory", &amounts.memory), ("storage", &amounts.storage)] {
                amount.iter().for_each(|amount| judge(key, amount, notation));
            }
        }
    };
    block(&resources.containers, Notation::Spec);
    resources.container.values().for_each(|own| block(own, Notation::Spec));
    for service in context.compose_files().flat_map(|compose| &compose.services) {
        block(&service.resources, Notation::Compose);
    }
    for amount in resources.volumes.iter().chain(resources.volume.values()) {
        judge("storage", amount, Notation::Spec);
    }
    context.findings.extend(found);
}

/// Sizes that the two dialects read differently.
fn sizes(context: &mut Context<'_>) {
    let resources = &context.deployment.spec.resources;
    let mut sizes: Vec<&Located<Scalar>> = Vec::new();
    collect(&mut sizes, &resources.containers);
    resources.container.values().for_each(|block| collect(&mut sizes, block));
    sizes.extend(resources.volumes.iter().chain(resources.volume.values()));
    sizes.iter().for_each(|size| thousandths(context, size));
    for compose in context.compose_files() {
        compose.services.iter().for_each(|service| collect(&mut sizes, &service.resources));
    }
    for size in sizes {
        let text = &size.value.text;
        let Some((number, exponent)) = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
            .iter()
            .zip(1_u32..)
            .find_map(|(unit, exponent)| text.strip_suffix(unit).map(|number| (number.trim(), exponent)))
            .filter(|(number, _)| number.parse::<f64>().is_ok())
        else {
            continue;
        };
        let (here, there) = if context.is_laconic_so() {
            (format!("{number}·10^{}", exponent * 3), format!("{number}·2^{}", exponent * 10))
        } else {
            (format!("{number}·2^{}", exponent * 10), format!("{number}·10^{}", exponent * 3))
        };
        let other = if context.is_laconic_so() { "compose" } else { "laconic-so" };
        context.push(
            Finding::new(
                Code::AmbiguousSize,
                format!("`{text}` is {here} bytes here, and {there} in the `{other}` dialect"),
            )
            .at(&size.place)
            .help(format!("write `{text}B` to mean powers of two in both")),
        );
    }
}

/// `512m` in a spec: millions of bytes to laconic-so, thousandths of one to Kubernetes.
fn thousandths(context: &mut Context<'_>, size: &Located<Scalar>) {
    let text = &size.value.text;
    let Some(number) = text.strip_suffix('m').map(str::trim).filter(|number| number.parse::<f64>().is_ok()) else {
        return;
    };
    let (old, exact) = (format!("{number}·10^6 bytes"), format!("{number} thousandths of a byte"));
    let (here, there, other) =
        if context.is_laconic_so() { (old, exact, "compose") } else { (exact, old, "laconic-so") };
    context.push(
        Finding::new(Code::AmbiguousSize, format!("`{text}` is {here} here, and {there} in the `{other}` dialect"))
            .at(&size.place)
            .help(format!("write `{number}MB` to mean millions of bytes in both")),
    );
}

fn collect<'a>(sizes: &mut Vec<&'a Located<Scalar>>, block: &'a ResourceBlock) {
    for amounts in [&block.reservations, &block.limits].into_iter().flatten() {
        sizes.extend(amounts.memory.iter().chain(&amounts.storage));
    }
}
