//! `laconic deployment stop`: the same engine with what stays desired.

use std::collections::{BTreeMap, BTreeSet};

use laconic_engine::code::{Code, Severity};
use laconic_engine::finding::Finding;
use laconic_engine::plan::{Mode, Plan, StopOptions};

use crate::applying::{Order, carry_out, counting};
use crate::args::{Carrying, StopArgs};
use crate::commands::plan;
use crate::error::{Exit, Problem, Result};
use crate::everyday::Everyday;
use crate::inputs::locate;
use crate::planning::{Wanted, make, name_clusters};
use crate::session::{Session, consents};

/// Runs it.
pub fn run(session: &Session, arguments: &StopArgs) -> Result<Exit> {
    // A whole repository is never stopped by forgetting to say which deployment is meant.
    if session.common.dirs.is_empty() && locate(&session.common)?.len() > 1 {
        return Err(Problem::OneDeployment { command: "deployment stop" });
    }
    let mut given = consents(&arguments.planning.consents);
    let dry_run = session.common.dry_run;
    let wanted = Wanted {
        mode: Mode::Stop,
        offline: false,
        sizes: arguments.showing.forecast,
        // Nothing happens in a dry run, so that a consent may be tried out.
        consents: counting(given.clone(), session, arguments.carrying.is_bound() || dry_run),
        planning: &arguments.planning,
        everyday: Everyday {
            stop: StopOptions {
                delete_volumes: arguments.delete_volumes,
                delete_namespace: arguments.delete_namespace,
                delete_cluster: arguments.cluster.perform_cluster_management,
            },
            ..Everyday::default()
        },
        command: "stop",
    };
    let mut planned = make(session, &wanted)?;
    if dry_run {
        plan::show(session, &planned, None, &arguments.showing)?;
        return Ok(if planned.plan.is_refused() { Exit::Refused } else { Exit::Done });
    }
    let host = planned.take_host()?;
    name_clusters(&mut given, &planned.labels);
    let carrying = Carrying { auto_approve: true, ..arguments.carrying.clone() };
    let order = Order {
        plan: planned.plan,
        directories: planned.directories,
        live_secrets: planned.live_secrets,
        host,
        carrying: &carrying,
        showing: &arguments.showing,
        approved: false,
        saved: false,
        rehearsal: None,
    };
    let flags = flags(&order.plan);
    carry_out(session, order, &given).map_err(|problem| match problem {
        Problem::Refused { missing, refusals } => {
            let missing = missing.into_iter().map(|consent| flags.get(&consent).cloned().unwrap_or(consent));
            Problem::Refused { missing: missing.collect::<BTreeSet<_>>().into_iter().collect(), refusals }
        }
        other => other,
    })
}

/// The flags of a stop that are consents where they are not given yet, by what each stands for.
fn flags(plan: &Plan) -> BTreeMap<String, String> {
    let unrecorded: BTreeSet<&str> = plan
        .findings
        .iter()
        .filter(|finding| finding.code == Code::UnrecordedObjects)
        .map(|finding| finding.subject.as_str())
        .collect();
    let findings = plan.findings.iter().filter(|finding| finding.severity == Severity::Consent);
    let flag = |finding: &Finding| match finding.code {
        Code::ClusterDelete if !unrecorded.contains(finding.subject.as_str()) => Some("--perform-cluster-management"),
        Code::DataLoss => Some("--delete-volumes"),
        _ => None,
    };
    findings.filter_map(|one| Some((one.consent.as_ref()?.to_string(), flag(one)?.to_owned()))).collect()
}
