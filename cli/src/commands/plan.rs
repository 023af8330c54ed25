//! `laconic plan`: show what would happen.

use std::collections::{BTreeMap, BTreeSet};

use laconic_engine::finding::Consent;
use laconic_engine::plan::{Mode, change_set};

use crate::args::{PlanArgs, PlanFormat, Planning, Showing};
use crate::branch::make_since;
use crate::error::{Exit, Problem, Result};
use crate::everyday::Everyday;
use crate::plan_file;
use crate::planning::{Planned, Wanted, make};
use crate::session::{Session, consents};
use crate::view::plan_json::plan_json;
use crate::view::plan_text::{plan_text, short_id};

/// Runs it.
pub fn run(session: &Session, arguments: &PlanArgs) -> Result<Exit> {
    run_with(session, arguments, Everyday::default())
}

fn run_with(session: &Session, arguments: &PlanArgs, everyday: Everyday) -> Result<Exit> {
    let wanted = Wanted {
        mode: if arguments.destroy { Mode::Destroy } else { Mode::Apply },
        offline: arguments.offline,
        sizes: arguments.showing.forecast,
        // Nothing happens here, so that a consent may be tried out.
        consents: consents(&arguments.planning.consents),
        planning: &arguments.planning,
        everyday,
        command: "plan",
    };
    let planned = match &arguments.base {
        Some(revision) => make_since(session, &wanted, revision)?,
        None => make(session, &wanted)?,
    };
    if let Some(path) = &arguments.out {
        plan_file::write(path, &planned.plan, &planned.directories)?;
    }
    // What comes after a dry run is the same command without it.
    let next = if session.common.dry_run { None } else { next(session, arguments, &planned) };
    if session.output.json || arguments.format == Some(PlanFormat::Json) {
        let mut answer = plan_json(&planned.plan, &planned.texts);
        if arguments.base.is_some() {
            let ids = cluster_changes(&planned).into_iter().map(|change| (change.cluster, change.id.into()));
            answer["laconic"]["change_ids"] = serde_json::Value::Object(ids.collect());
        }
        session.output.print_json(&answer)?;
    } else {
        show(session, &planned, next, &arguments.showing)?;
    }
    if !planned.forbidden.is_empty() {
        return Err(Problem::Forbidden { codes: planned.forbidden });
    }
    let refused = if planned.plan.is_refused() { Exit::Refused } else { Exit::Done };
    let changes = arguments.detailed_exitcode && planned.plan.has_work();
    // See planning: the process ends here.
    let Planned { plan, texts, states, host, .. } = planned;
    drop(host);
    std::mem::forget((plan, texts, states));
    Ok(refused.or(if changes { Exit::Changes } else { Exit::Done }))
}

/// Prints a plan, as JSON where that is asked for everywhere.
pub fn show(session: &Session, planned: &Planned, next: Option<String>, showing: &Showing) -> Result<()> {
    if session.output.json {
        return session.output.print_json(&plan_json(&planned.plan, &planned.texts));
    }
    session.output.print(&plan_text(&planned.plan, &session.plan_view(showing, next)))
}

/// Shows what an apply or a destroy would do, for their dry run.
pub fn instead(
    session: &Session,
    destroy: bool,
    planning: &Planning,
    showing: &Showing,
    everyday: Everyday,
) -> Result<Exit> {
    let arguments = PlanArgs {
        offline: false,
        out: None,
        base: None,
        destroy,
        detailed_exitcode: false,
        format: None,
        planning: planning.clone(),
        showing: showing.clone(),
    };
    run_with(session, &arguments, everyday)
}

/// The command that carries the plan out.
fn next(session: &Session, arguments: &PlanArgs, planned: &Planned) -> Option<String> {
    let plan = &planned.plan;
    let missing: Vec<String> = plan.missing_consents().iter().map(|consent| format!(" {consent}")).collect();
    let consents = missing.concat();
    if let Some(path) = &arguments.out {
        let saved = format!("Saved the plan to: {}", path.display());
        if !plan.has_work() || plan.refusals().next().is_some() {
            return Some(saved);
        }
        if let Some(first) = create_first(session, planned) {
            return Some(format!("{saved}\n\n{first}"));
        }
        return Some(format!(
            "{saved}\n\nTo perform exactly these actions:\n    laconic apply {}{consents}",
            path.display()
        ));
    }
    if arguments.base.is_some() {
        let mut clusters = String::new();
        for ClusterChange { cluster, id, consents } in cluster_changes(planned) {
            clusters.push_str(&format!("\n    laconic apply --cluster {cluster} --expect-change={id}{consents}"));
        }
        if !clusters.is_empty() {
            clusters.insert_str(0, "\n\nThe same where only one of the clusters is:");
        }
        return (!plan.change_set.is_empty()).then(|| {
            let (id, selection) = (&plan.change_id, arguments.planning.selection.flags());
            format!(
                "To have nothing but this applied once it is merged:\n    laconic apply{selection} --expect-change={id}{consents}{clusters}"
            )
        });
    }
    if !plan.has_work() || arguments.offline || plan.refusals().next().is_some() {
        return None;
    }
    if let Some(first) = create_first(session, planned) {
        return Some(first);
    }
    let verb = if arguments.destroy { "destroy" } else { "apply" };
    let bound =
        if consents.is_empty() { String::new() } else { format!(" --expect-plan={}{consents}", short_id(&plan.id)) };
    Some(format!("To perform these actions:\n    laconic {verb}{}{bound}", again(session, arguments)))
}

/// What a branch changes on one of several clusters.
struct ClusterChange {
    cluster: String,
    id: String,
    consents: String,
}

/// The change ids of the clusters that are planned, when there are several: each server knows its own.
fn cluster_changes(planned: &Planned) -> Vec<ClusterChange> {
    let Some(open) = &planned.inputs.repository else { return Vec::new() };
    let plan = &planned.plan;
    let mut clusters: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for written in &open.repository.deployments {
        let name = written.name.value.as_str();
        if let Some(cluster) = written.cluster.as_ref().filter(|_| plan.deployments.iter().any(|one| one == name)) {
            clusters.entry(&cluster.value).or_default().insert(name);
        }
    }
    if clusters.len() < 2 {
        return Vec::new();
    }
    let changes = clusters.into_iter().filter_map(|(cluster, deployments)| {
        let set = change_set::part(&plan.change_set, &deployments, cluster);
        let is_its = |consent: &&Consent| match consent {
            Consent::Recreate(name) | Consent::ClusterDelete(name) => name == cluster,
            Consent::DataLoss(name) => name.split('/').next().is_some_and(|name| deployments.contains(name)),
        };
        let missing = plan.missing_consents();
        let consents = missing.iter().filter(is_its).map(|consent| format!(" {consent}")).collect();
        let id = change_set::change_id(plan.mode, &set);
        (!set.is_empty()).then(|| ClusterChange { cluster: cluster.to_owned(), id, consents })
    });
    changes.collect()
}

/// A plan of a spec that is no deployment yet is not carried out.
fn create_first(session: &Session, planned: &Planned) -> Option<String> {
    let common = &session.common;
    if common.spec_file.is_none() && !planned.left_out.is_empty() {
        if planned.left_out.len() < planned.plan.deployments.len() {
            return None;
        }
        let text = "To make one a deployment, which can be applied:\n    laconic --stack STACK deploy create --spec-file FILE --deployment-dir DIR";
        return Some(text.to_owned());
    }
    let homeless = planned.plan.deployments.iter().any(|name| !planned.directories.contains_key(name));
    homeless.then(|| {
        let sources = sources(session);
        format!(
            "To make it a deployment, which can be applied:\n    laconic deploy create{sources} --deployment-dir DIR"
        )
    })
}

/// The spec and the stack of the command line, for another one.
fn sources(session: &Session) -> String {
    let common = &session.common;
    let spec = common.spec_file.iter().map(|path| format!(" --spec-file {}", path.display()));
    let stack = common.stack.iter().map(|path| format!(" --stack {}", path.display()));
    spec.chain(stack).collect()
}

/// What this plan was made with, for the command that makes it again.
fn again(session: &Session, arguments: &PlanArgs) -> String {
    let planning = &arguments.planning;
    let directories = session.common.dirs.iter().map(|directory| format!(" --dir {}", directory.display()));
    let replace = planning.replace.iter().map(|address| format!(" --replace {address}"));
    let target = planning.target.iter().map(|address| format!(" --target {address}"));
    let skip = planning.skip_cluster_management.then(|| " --skip-cluster-management".to_owned());
    let rescue = planning.rescue_volume.iter().map(|name| format!(" --rescue-volume {name}"));
    let rerun = planning.rerun_jobs.then(|| " --rerun-jobs".to_owned());
    let selection = std::iter::once(planning.selection.flags());
    let flags = selection.chain(replace).chain(target).chain(skip).chain(rerun).chain(rescue);
    std::iter::once(sources(session)).chain(directories).chain(flags).collect()
}
