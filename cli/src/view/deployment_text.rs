//! A deployment as it runs, for people and for programs.

use std::fmt::Write as _;

use laconic_engine::address::Address;
use laconic_engine::apply::Readiness;
use laconic_engine::plan::danger::target_text;
use laconic_engine::resource::Target;
use serde_json::{Value, json};

use crate::view::style::{Palette, clean};
use crate::view::table::table;
use crate::wire::Pod;

/// A Deployment or Job and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its address.
    pub address: Address,
    /// Whether it is a Job that completed.
    pub completed: bool,
    /// How it is; `None` when nobody could tell.
    pub readiness: Option<Readiness>,
}

/// What is known of a deployment.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its state in one word.
    pub word: &'a str,
    /// Where it is.
    pub target: Option<&'a Target>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The hosts it serves.
    pub hosts: Vec<String>,
    /// What it runs.
    pub workloads: &'a [Workload],
    /// Its pods; `None` when nobody could tell.
    pub pods: Option<&'a [Pod]>,
}

/// The report for people.
#[must_use]
pub fn text(report: &Report<'_>, palette: Palette) -> String {
    let word = match report.word {
        "running" => palette.good(report.word),
        "not ready" | "unknown" => palette.warn(report.word),
        other => other.to_owned(),
    };
    let mut text = format!("{}  {word}\n", palette.bold(&clean(report.name)));
    if let Some(target) = report.target {
        let _ = writeln!(text, "  on         {}", clean(&target_text(target)));
    }
    if let Some(namespace) = &report.namespace {
        let _ = writeln!(text, "  namespace  {}", clean(namespace));
    }
    if !report.hosts.is_empty() {
        let _ = writeln!(text, "  hosts      {}", clean(&report.hosts.join(", ")));
    }
    let rows: Vec<Vec<String>> =
        report.workloads.iter().map(|one| vec![clean(&one.address.to_string()), state(one)]).collect();
    for line in table(&["WORKLOAD", "STATE"], &rows) {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if let Some(pods_seen) = report.pods {
        text.push_str(&pods(pods_seen));
    }
    text.push('\n');
    text
}

/// A table of pods; nothing without any.
#[must_use]
pub fn pods(pods: &[Pod]) -> String {
    let rows: Vec<Vec<String>> = pods
        .iter()
        .map(|pod| {
            let (ready, of) = pod.ready();
            vec![
                clean(&pod.name),
                format!("{ready}/{of}"),
                clean(&pod.status),
                pod.restarts().to_string(),
                clean(&pod.started),
            ]
        })
        .collect();
    let lines = table(&["POD", "READY", "STATUS", "RESTARTS", "STARTED"], &rows);
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A pod for programs.
#[must_use]
pub fn pod_json(deployment: &str, pod: &Pod) -> Value {
    let containers: Vec<Value> = pod
        .containers
        .iter()
        .map(|one| {
            json!({
                "name": one.name, "image": one.image, "ready": one.ready, "init": one.is_init,
                "restarts": one.restarts, "reason": one.reason,
            })
        })
        .collect();
    json!({
        "deployment": deployment, "name": pod.name, "status": pod.status, "started": pod.started,
        "restarts": pod.restarts(), "containers": containers,
    })
}

/// The report for programs.
#[must_use]
pub fn json(report: &Report<'_>) -> Value {
    let workloads: Vec<Value> = report
        .workloads
        .iter()
        .map(|one| json!({"address": one.address.to_string(), "completed": one.completed, "readiness": one.readiness}))
        .collect();
    let pods = report.pods.map(|pods| pods.iter().map(|pod| pod_json(report.name, pod)).collect::<Vec<_>>());
    json!({
        "name": report.name, "state": report.word, "target": report.target, "namespace": report.namespace,
        "hosts": report.hosts, "workloads": workloads, "pods": pods,
    })
}

fn state(workload: &Workload) -> String {
    match &workload.readiness {
        _ if workload.completed => "completed".to_owned(),
        Some(Readiness::Ready) => "ready".to_owned(),
        Some(Readiness::Progressing(why)) => clean(&format!("not ready: {why}")),
        Some(Readiness::Failed(why)) => clean(&format!("failed: {why}")),
        None => "unknown".to_owned(),
    }
}
