//! What is known of kind clusters, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use laconic_engine::certificate::Certificates;
use laconic_engine::resource::CertificateBackup;
use serde_json::{Value, json};

use crate::cluster_report::{ClusterReport, Fact, Presence, Resident, Volume};
use crate::view::style::{Palette, clean};
use crate::view::table::table;

/// Everything about one, for programs.
#[must_use]
pub fn json(report: &ClusterReport) -> Value {
    let fact = |fact: &Fact| json!({"recorded": fact.recorded, "declared": fact.declared, "live": fact.live});
    let facts = |facts: &BTreeMap<String, Fact>| -> serde_json::Map<String, Value> {
        facts.iter().map(|(name, one)| (name.clone(), fact(one))).collect()
    };
    let (presence, why) = match &report.presence {
        Presence::Running => ("running", None),
        Presence::Another => ("another", None),
        Presence::Absent => ("absent", None),
        Presence::Unknown(why) => ("unknown", Some(why)),
    };
    let volume = |volume: &Volume| {
        json!({
            "name": volume.name, "host_path": volume.host_path, "outlives_cluster": volume.outlives_cluster,
            "remark": volume.remark,
        })
    };
    let deployments: Vec<Value> = report
        .deployments
        .iter()
        .map(|one| {
            json!({
                "name": one.name, "stopped": one.stopped, "restoring": one.restoring,
                "deployment_id": one.deployment_id, "directory": one.directory, "namespace": one.namespace,
                "hosts": one.hosts, "pods": one.pods, "volumes": one.volumes.iter().map(volume).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "name": report.name, "recorded": report.recorded, "presence": presence, "why_unknown": why,
        "identity": report.identity, "node_image": fact(&report.node_image), "mounts": facts(&report.mounts),
        "ports": facts(&report.ports), "deployments": deployments, "interrupted": report.interrupted,
        "certificates": report.certificates.as_ref().map(|(found, backup)| {
            json!({"count": found.count, "unsaved": found.unsaved, "backup": backup})
        }),
    })
}

/// One line for each cluster.
#[must_use]
pub fn list(reports: &[ClusterReport]) -> String {
    if reports.is_empty() {
        return "No kind cluster is recorded or runs here.\n".to_owned();
    }
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|report| {
            let names = |stopped: bool| {
                let some = report.deployments.iter().filter(|one| one.stopped == stopped);
                let names: Vec<String> = some.map(|one| clean(&one.name)).collect();
                if names.is_empty() { "-".to_owned() } else { names.join(",") }
            };
            let umbrella = report.mounts.get("/mnt").map(one_of).unwrap_or_else(|| "-".to_owned());
            vec![clean(&report.name), word(report).to_owned(), umbrella, names(false), names(true)]
        })
        .collect();
    lines(&table(&["CLUSTER", "STATUS", "UMBRELLA", "RUNNING", "STOPPED"], &rows))
}

/// Everything about one.
#[must_use]
pub fn show(report: &ClusterReport, palette: Palette) -> String {
    let mut text = format!("{}  {}\n", palette.bold(&clean(&report.name)), word(report));
    if let Presence::Unknown(why) = &report.presence {
        let _ = writeln!(text, "  {}", clean(why));
    }
    if let Some(identity) = &report.identity {
        let (node, kube_system) = (short(&identity.node), short(&identity.kube_system));
        let _ = writeln!(text, "  recorded as node {node}, kube-system {kube_system}");
    }
    if let Some(interrupted) = &report.interrupted {
        let _ = writeln!(text, "  {}", palette.warn(&format!("an operation did not end: {}", clean(interrupted))));
    }
    text.push('\n');
    let image = BTreeMap::from([("node image".to_owned(), report.node_image.clone())]);
    // Without a wish any image is right.
    for (title, facts) in [("", &image), ("MOUNT", &report.mounts), ("PORT", &report.ports)] {
        let mut rows: Vec<Vec<String>> = facts.iter().map(|(name, fact)| row(name, fact)).collect();
        // What a cluster lacks that is not there says nothing.
        let is_there = report.presence == Presence::Running;
        let is_wished = |fact: &Fact| is_there && (!title.is_empty() || fact.declared.is_some());
        for (row, _) in rows.iter_mut().zip(facts.values()).filter(|(_, fact)| !is_wished(fact)) {
            row.pop();
        }
        let table = table(&[title, "RECORDED", "DECLARED", "LIVE", ""], &rows);
        if !table.is_empty() {
            text.push_str(&lines(&table));
            text.push('\n');
        }
    }
    if let Some(line) = certificates(report) {
        let _ = writeln!(text, "certificates  {line}\n");
    }
    if report.deployments.is_empty() {
        text.push_str("No deployment is registered on it.\n");
    }
    for resident in &report.deployments {
        text.push_str(&deployment(resident, palette));
    }
    text
}

/// What is there of certificates and of their backup; nothing where there is neither.
fn certificates(report: &ClusterReport) -> Option<String> {
    let (Certificates { count, unsaved }, backup) = report.certificates.as_ref()?;
    let of = |at: &Option<String>| at.as_ref().map(|at| format!(" of {}", clean(at))).unwrap_or_default();
    Some(match (count, backup) {
        (0, CertificateBackup::Missing) => return None,
        (0, CertificateBackup::Saved { at }) => format!("none; there is a backup{}", of(at)),
        (_, CertificateBackup::Missing) => format!("{count}, in no backup"),
        (_, CertificateBackup::Saved { at }) if *unsaved > 0 => {
            format!("{count}, {unsaved} of them newer than the backup{}", of(at))
        }
        (_, CertificateBackup::Saved { at }) => format!("{count}, in the backup{}", of(at)),
    })
}

fn deployment(resident: &Resident, palette: Palette) -> String {
    let status = match (resident.restoring, resident.stopped) {
        (true, _) => palette.warn("not back yet"),
        (false, true) => "stopped".to_owned(),
        (false, false) => format!("{} pods", resident.pods),
    };
    let mut text = format!("{}  {status}\n", palette.bold(&clean(&resident.name)));
    let _ = writeln!(text, "  directory  {}", clean(&resident.directory));
    let _ = writeln!(text, "  namespace  {}", clean(&resident.namespace));
    if !resident.hosts.is_empty() {
        let _ = writeln!(text, "  hosts      {}", clean(&resident.hosts.join(", ")));
    }
    let rows: Vec<Vec<String>> = resident
        .volumes
        .iter()
        .map(|volume| {
            let place = volume.host_path.as_deref().map_or_else(|| "inside the cluster".to_owned(), clean);
            let fate = if volume.outlives_cluster { "outlives the cluster" } else { "dies with the cluster" };
            let remark = volume.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
            vec![clean(&volume.name), place, format!("{fate}{remark}")]
        })
        .collect();
    text.push_str(&lines(&table(&["VOLUME", "BYTES", "FATE"], &rows)));
    text.push('\n');
    text
}

fn row(name: &str, fact: &Fact) -> Vec<String> {
    let cell = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), clean);
    let seen = [&fact.recorded, &fact.declared, &fact.live];
    let differs = fact.live.is_some() && seen.iter().any(|one| one.is_some() && **one != fact.live);
    let remark = match (&fact.declared, &fact.live, differs) {
        (_, _, true) => "differs",
        (Some(_), None, false) if fact.recorded.is_some() => "not live",
        (Some(_), None, false) => "not on the cluster",
        (None, Some(_), false) if fact.recorded.is_none() => "nobody's",
        (None, Some(_), false) => "wished by nobody",
        _ => "",
    };
    vec![clean(name), cell(&fact.recorded), cell(&fact.declared), cell(&fact.live), remark.to_owned()]
}

fn one_of(fact: &Fact) -> String {
    let first = fact.live.as_ref().or(fact.recorded.as_ref()).or(fact.declared.as_ref());
    first.map_or_else(|| "-".to_owned(), |path| clean(path))
}

const fn word(report: &ClusterReport) -> &'static str {
    match (&report.presence, report.recorded) {
        (Presence::Running, true) => "running",
        (Presence::Running, false) => "running, recorded nowhere",
        (Presence::Another, _) => "another one runs under its name",
        (Presence::Absent, _) => "not there",
        (Presence::Unknown(_), _) => "unknown",
    }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}
