//! `laconic deployment status` and `ps`: what runs of a deployment, and how it is.

use laconic_engine::address::ResourceType;
use laconic_engine::apply::Readiness;
use laconic_engine::plan::danger::unknown_text;
use serde_json::{Value, json};

use super::subject::{Subject, subjects};
use crate::error::{Exit, Problem, Result};
use crate::session::Session;
use crate::view::deployment_text::{self, Workload};
use crate::wire::{self, Host, Pod};

/// The pods of the deployments.
pub fn ps(session: &Session) -> Result<Exit> {
    let (subjects, host) = subjects(session)?;
    let (mut all, mut text, mut unseen) = (Vec::new(), String::new(), Vec::new());
    for subject in &subjects {
        match pods(&host, subject)? {
            Ok(pods) => {
                text.push_str(&deployment_text::pods(&pods));
                all.extend(pods.iter().map(|pod| deployment_text::pod_json(&subject.name, pod)));
            }
            Err(why) => unseen.push(format!("{}: {why}", subject.name)),
        }
    }
    if session.output.json {
        session.output.print_json(&json!({"pods": all, "unseen": unseen}))?;
    } else {
        session.output.print(if text.is_empty() && unseen.is_empty() { "No pods.\n" } else { &text })?;
    }
    if unseen.is_empty() { Ok(Exit::Done) } else { Err(Problem::Unreachable { details: unseen }) }
}

/// Everything about the deployments: workloads, pods, hosts.
pub fn status(session: &Session) -> Result<Exit> {
    let (subjects, host) = subjects(session)?;
    let (mut all, mut unseen): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for subject in &subjects {
        let pods = match pods(&host, subject)? {
            Ok(pods) => Some(pods),
            Err(_) if subject.is_stopped() => None,
            Err(why) => {
                unseen.push(format!("{}: {why}", subject.name));
                None
            }
        };
        let workloads = workloads(&host, subject)?;
        let report = deployment_text::Report {
            name: &subject.name,
            word: word(subject, &workloads, pods.as_deref()),
            target: subject.target.as_ref(),
            namespace: subject.namespace(),
            hosts: subject.tenant.as_ref().map(|tenant| tenant.hosts.clone()).unwrap_or_default(),
            workloads: &workloads,
            pods: pods.as_deref(),
        };
        if session.output.json {
            all.push(deployment_text::json(&report));
        } else {
            session.output.print(&deployment_text::text(&report, session.output.palette))?;
        }
    }
    if session.output.json {
        session.output.print_json(&json!({"deployments": all, "unseen": unseen}))?;
    }
    if unseen.is_empty() { Ok(Exit::Done) } else { Err(Problem::Unreachable { details: unseen }) }
}

/// The state of a deployment in one word.
fn word(subject: &Subject, workloads: &[Workload], pods: Option<&[Pod]>) -> &'static str {
    let is_ready = |workload: &Workload| matches!(workload.readiness, Some(Readiness::Ready));
    match pods {
        _ if subject.state.is_new() => "never started",
        _ if subject.is_stopped() => "stopped",
        None => "unknown",
        Some(_) if workloads.iter().all(is_ready) => "running",
        Some(_) => "not ready",
    }
}

/// The pods, or why they are not known.
pub fn pods(host: &Host, subject: &Subject) -> Result<std::result::Result<Vec<Pod>, String>> {
    let (Some(target), Some(of)) = (&subject.target, subject.pods_of()) else { return Ok(Ok(Vec::new())) };
    // A stopped deployment whose cluster went with it has none.
    if subject.is_stopped() && subject.state.resources.values().all(|recorded| recorded.uid.is_empty()) {
        return Ok(Ok(Vec::new()));
    }
    Ok(wire::runtime()?.block_on(host.pods(target, &of)).map_err(|reason| unknown_text(&reason)))
}

fn workloads(host: &Host, subject: &Subject) -> Result<Vec<Workload>> {
    let Some(target) = &subject.target else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (address, recorded) in &subject.state.resources {
        if !matches!(address.resource_type, ResourceType::Deployment | ResourceType::Job) {
            continue;
        }
        let readiness = if recorded.completed {
            Some(Readiness::Ready)
        } else {
            wire::runtime()?.block_on(host.provider().readiness(target, &recorded.key)).ok()
        };
        found.push(Workload { address: address.clone(), completed: recorded.completed, readiness });
    }
    Ok(found)
}
