//! `laconic simulate`: look at a simulated host and change it behind laconic's back, as somebody else would.

use std::fmt::Write as _;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::resource::Target;
use laconic_providers::simulated::{Call, Failure, Fault, Policy, Rule};
use serde_json::Value;

use crate::args::{FaultKind, PolicyCommand, SimulateCommand};
use crate::error::{Exit, Problem, Result};
use crate::session::Session;
use crate::view::style::{clean, count};
use crate::view::yaml;
use crate::wire::SimulatedHost;

/// Runs it.
pub fn run(session: &Session, command: &SimulateCommand) -> Result<Exit> {
    let host = session.wire.simulated_host()?.ok_or(Problem::NeedsSimulation)?;
    match command {
        SimulateCommand::Show => show(session, &host)?,
        SimulateCommand::Edit { manager, object, path, value, cluster } => {
            let (target, key) = (target(&host, cluster.as_deref())?, key(object)?);
            let value = Some(json_or_text(value)).filter(|value| !value.is_null());
            host.edit_object(&target, &key, manager, path, value).map_err(wrong)?;
            session.output.remark(&format!("{object} edited by {manager}\n"));
        }
        SimulateCommand::Create { file, manager, cluster } => {
            let bytes = std::fs::read(file).map_err(crate::error::file(file, "read"))?;
            // What the parser says may quote a secret.
            let object: Value = serde_json::from_slice(&bytes)
                .map_err(|_| wrong(format!("{} holds no object in JSON", file.display())))?;
            host.create_object(&target(&host, cluster.as_deref())?, &object, manager).map_err(wrong)?;
            session.output.remark(&format!("made by {manager}\n"));
        }
        SimulateCommand::Delete { object, cluster } => {
            host.delete_object(&target(&host, cluster.as_deref())?, &key(object)?).map_err(wrong)?;
            session.output.remark(&format!("{object} deleted\n"));
        }
        SimulateCommand::Fault { kind, steps } => {
            if matches!(kind, FaultKind::DiesAfter | FaultKind::DiesDuring) && steps.is_none() {
                let name = if *kind == FaultKind::DiesAfter { "dies-after" } else { "dies-during" };
                return Err(wrong(format!("`{name}` needs the number of steps: `laconic simulate fault {name} N`")));
            }
            let steps = steps.unwrap_or(1);
            let dies = |reply_lost| Fault::DiesAfter { calls: steps, reply_lost };
            // Only what changes the world counts: how often laconic looks is its own affair.
            let set = match kind {
                FaultKind::DiesAfter => host.set_fault_on(dies(true), &[Call::Enact]),
                FaultKind::DiesDuring => host.set_fault_on(dies(false), &[Call::Enact]),
                FaultKind::FailsOnce => {
                    host.set_fault_on(Fault::FailsOnce { call: steps, kind: Failure::Refused }, &[Call::Enact])
                }
                FaultKind::None => host.revive(),
            };
            set.map_err(wrong)?;
        }
        SimulateCommand::Policy { policy } => set_policy(&host, policy)?,
        SimulateCommand::DeleteCluster { cluster } => {
            if !host.summary().clusters.contains_key(cluster) {
                return Err(Problem::Simulation { detail: format!("there is no kind cluster `{cluster}`") });
            }
            host.delete_cluster(cluster).map_err(wrong)?;
            session.output.remark(&format!("kind cluster {cluster} deleted\n"));
        }
        SimulateCommand::ReplaceCluster { cluster } => {
            host.replace_cluster(cluster).map_err(wrong)?;
            session.output.remark(&format!("kind cluster {cluster} deleted, and an empty one made\n"));
        }
        SimulateCommand::CreateCluster { cluster } => {
            host.create_cluster(&serde_json::json!({"name": cluster})).map_err(wrong)?;
            session.output.remark(&format!("kind cluster {} made\n", clean(cluster)));
        }
        SimulateCommand::WritePath { path, text } => {
            host.write_host_data(path, text).map_err(wrong)?;
            session.output.remark(&format!("{} written\n", clean(path)));
        }
        SimulateCommand::SaveCertificates { cluster } => {
            let text = match host.save_certificates(cluster).map_err(wrong)? {
                0 => "no certificates: the last copy stays\n".to_owned(),
                secrets => format!("{} of {cluster} saved\n", count(secrets, "Secret")),
            };
            session.output.remark(&text);
        }
        SimulateCommand::BuildImage { image } => {
            host.build_image(image).map_err(wrong)?;
            session.output.remark(&format!("image {} built\n", clean(image)));
        }
        SimulateCommand::RemoveImage { image } => {
            host.remove_image(image).map_err(wrong)?;
            session.output.remark(&format!("image {} removed\n", clean(image)));
        }
        SimulateCommand::RemovePath { path } => {
            if !host.host_path_exists(path) {
                return Err(wrong(format!("the host has no {path}")));
            }
            host.remove_host_path(path).map_err(wrong)?;
            session.output.remark(&format!("{} removed\n", clean(path)));
        }
        SimulateCommand::StopNode { cluster } => {
            host.run_node(cluster, false).map_err(wrong)?;
            session.output.remark(&format!("node container of {cluster} stopped\n"));
        }
        SimulateCommand::StartNode { cluster } => {
            host.run_node(cluster, true).map_err(wrong)?;
            session.output.remark(&format!("node container of {cluster} started\n"));
        }
    }
    Ok(Exit::Done)
}

fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn set_policy(host: &SimulatedHost, policy: &PolicyCommand) -> Result<()> {
    let (kind, rule) = match policy {
        PolicyCommand::None => return host.clear_policies().map_err(wrong),
        PolicyCommand::Sets { kind, path, value } => {
            (kind, Rule::Sets { path: path.clone(), value: json_or_text(value) })
        }
        PolicyCommand::Denies { kind, message } => (kind, Rule::Denies { message: message.clone() }),
        PolicyCommand::Hides { kind } => (kind, Rule::Hides),
        PolicyCommand::Forbids { kind } => (kind, Rule::Forbids),
    };
    let kind = resource_type(kind)?.kind().to_owned();
    host.add_policy(Policy { kind, rule }).map_err(wrong)
}

fn wrong(error: impl std::fmt::Display) -> Problem {
    Problem::Simulation { detail: error.to_string() }
}

/// The cluster that is meant: the named one, or the only one.
fn target(host: &SimulatedHost, named: Option<&str>) -> Result<Target> {
    let targets = host.targets();
    if let Some(named) = named {
        let found = targets.into_iter().find(|target| target.name() == named);
        return found.ok_or_else(|| wrong(format!("there is no cluster `{named}`")));
    }
    match targets.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(wrong("no cluster runs on it")),
        many => {
            let names: Vec<&str> = many.iter().map(Target::name).collect();
            Err(wrong(format!("several clusters run on it ({}): name one with `--cluster`", names.join(", "))))
        }
    }
}

/// `deployment/laconic-shop/web`, `Namespace/laconic-shop`.
fn key(object: &str) -> Result<ObjectKey> {
    let parts: Vec<&str> = object.split('/').collect();
    let (kind, namespace, name) = match parts.as_slice() {
        [kind, namespace, name] => (*kind, *namespace, *name),
        [kind, name] => (*kind, "", *name),
        _ => return Err(wrong(format!("`{object}` is not of the form kind/namespace/name"))),
    };
    let resource_type = resource_type(kind)?;
    if resource_type.is_namespaced() == namespace.is_empty() {
        let form = if resource_type.is_namespaced() { "kind/namespace/name" } else { "kind/name" };
        return Err(wrong(format!("a {} is named by {form}", resource_type.kind())));
    }
    Ok(ObjectKey::new(resource_type, namespace, name))
}

/// `config_map`, `ConfigMap`, `config-map`.
fn resource_type(kind: &str) -> Result<ResourceType> {
    let simple = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    let found = ResourceType::ALL
        .iter()
        .copied()
        .find(|one| simple(one.kind()) == simple(kind) || simple(one.word()) == simple(kind));
    found.ok_or_else(|| wrong(format!("`{kind}` is no kind of object")))
}

fn show(session: &Session, host: &SimulatedHost) -> Result<()> {
    let summary = host.summary();
    let value = serde_json::to_value(&summary).map_err(wrong)?;
    if session.output.json {
        return session.output.print_json(&value);
    }
    let mut text = String::new();
    if summary.clusters.is_empty() && summary.remotes.is_empty() {
        text.push_str("No cluster runs on this host.\n");
    }
    for (name, cluster) in summary.clusters.iter().chain(&summary.remotes) {
        let kind = if cluster.node.is_empty() { "Kubernetes" } else { "kind cluster" };
        let _ = writeln!(text, "{kind} {name}");
        for (container, path) in &cluster.mounts {
            let _ = writeln!(text, "  mount {path} -> {container}");
        }
        for (port, container) in &cluster.ports {
            let _ = writeln!(text, "  port {port} -> {container}");
        }
        for (image, id) in &cluster.images {
            let _ = writeln!(text, "  image {image} ({})", id.get(..19).unwrap_or(id));
        }
        for (namespace, objects) in &cluster.objects {
            let heading = if namespace.is_empty() { "cluster-wide" } else { namespace };
            let _ = writeln!(text, "  {heading}");
            for object in objects {
                let _ = writeln!(text, "    {object}");
            }
        }
        if !cluster.data.is_empty() {
            let _ = writeln!(text, "  data inside the node");
            for (path, data) in &cluster.data {
                let _ = writeln!(text, "    {path}: {data}");
            }
        }
    }
    if !summary.host_data.is_empty() {
        text.push_str("Data on the Docker host\n");
        for (path, data) in &summary.host_data {
            let _ = writeln!(text, "  {path}: {data}");
        }
    }
    if !summary.violations.is_empty() {
        text.push_str(&yaml::document(&serde_json::json!({"violations": summary.violations})));
    }
    session.output.print(&clean(&text))
}
