//! `laconic apply`: plan, ask, do it; or do exactly what a plan file says.

use std::collections::BTreeSet;
use std::path::Path;

use laconic_engine::address::ResourceType;
use laconic_engine::plan::{Action, Change, Mode};
use laconic_engine::resource::Target;
use laconic_engine::secret::SecretValues;

use crate::applying::{Order, carry_out, counting};
use crate::args::{ApplyArgs, Showing};
use crate::commands::plan;
use crate::error::{Exit, Problem, Result};
use crate::everyday::Everyday;
use crate::plan_file;
use crate::planning::{Wanted, load_states, make, name_clusters};
use crate::session::{Session, consents};
use crate::syncing::sync;
use crate::view::plan_text::plan_text_in_short;
use crate::wire::Host;

/// Runs it.
pub fn run(session: &Session, arguments: &ApplyArgs) -> Result<Exit> {
    run_with(session, arguments, Everyday::default())
}

/// Runs it for one of the everyday commands.
pub fn run_with(session: &Session, arguments: &ApplyArgs, everyday: Everyday) -> Result<Exit> {
    if let Some(path) = &arguments.plan_file {
        return if session.common.dry_run { saved_in_short(session, path) } else { saved(session, arguments, path) };
    }
    if session.common.dry_run {
        return plan::instead(session, false, &arguments.planning, &arguments.showing, everyday);
    }
    let mut given = consents(&arguments.planning.consents);
    let bound = arguments.carrying.is_bound() || arguments.rehearse;
    let wanted = Wanted {
        mode: Mode::Apply,
        offline: false,
        sizes: false,
        consents: counting(given.clone(), session, bound),
        planning: &arguments.planning,
        everyday: everyday.clone(),
        command: "apply",
    };
    let mut planned = make(session, &wanted)?;
    if !planned.forbidden.is_empty() {
        return Err(Problem::Forbidden { codes: planned.forbidden });
    }
    if everyday.keeps_cluster
        && let Some(cluster) = planned.plan.changes.iter().find(|change| makes_or_deletes_cluster(change))
    {
        plan::show(session, &planned, None, &arguments.showing)?;
        return Err(Problem::ClusterWouldChange { cluster: cluster.address.short_name().to_owned() });
    }
    let host = planned.take_host()?;
    name_clusters(&mut given, &planned.labels);
    let applied = planned.plan.deployments.clone();
    let order = Order {
        plan: planned.plan,
        directories: planned.directories,
        live_secrets: planned.live_secrets,
        host,
        carrying: &arguments.carrying,
        showing: &arguments.showing,
        approved: arguments.rehearse,
        saved: false,
        rehearsal: arguments.rehearse.then_some(planned.states),
    };
    let exit = carry_out(session, order, &given)?;
    // A part brings no files up to date that the rest was not applied from.
    let is_whole = everyday.part.is_none() && arguments.planning.target.is_empty();
    if !arguments.rehearse && is_whole {
        sync(session, &planned.inputs, &applied)?;
    }
    Ok(exit)
}

fn makes_or_deletes_cluster(change: &Change) -> bool {
    change.address.resource_type == ResourceType::KindCluster
        && matches!(change.action, Action::Create | Action::Replace | Action::Delete)
}

/// The dry run of a saved plan: it shows what it would do, and whether it still could.
fn saved_in_short(session: &Session, path: &Path) -> Result<Exit> {
    let file = plan_file::read(path)?;
    crate::applying::check_states(&file.plan, &session.wire.store(&file.directories))?;
    let view = session.plan_view(&Showing::default(), None);
    session.output.print(&plan_text_in_short(&file.plan, &view))?;
    Ok(if file.plan.is_refused() { Exit::Refused } else { Exit::Done })
}

/// A saved plan was looked at when it was made: it is not asked about again, and consents given with it count.
fn saved(session: &Session, arguments: &ApplyArgs, path: &Path) -> Result<Exit> {
    let file = plan_file::read(path)?;
    let mut plan = file.plan;
    if plan.simulated != session.wire.is_simulated() {
        return Err(Problem::OtherWorld { plan_is_simulated: plan.simulated });
    }
    if plan.deployments.iter().any(|name| !file.directories.contains_key(name)) {
        return Err(Problem::NoIdentity { command: "apply" });
    }
    let host = match session.wire.simulated_host()? {
        Some(simulated) => Host::Simulated(Box::new(simulated)),
        None => {
            let targets: BTreeSet<Target> = plan.changes.iter().map(|change| change.target.clone()).collect();
            session.wire.live(&targets, &file.directories)
        }
    };
    let given = consents(&arguments.planning.consents);
    plan.consents_given.extend(given.iter().cloned());
    let store = session.wire.store(&file.directories);
    let scopes: Vec<_> = plan.states.iter().map(|reference| reference.scope.clone()).collect();
    let rehearsal = if arguments.rehearse { Some(load_states(&store, &scopes)?) } else { None };
    // Said before the whole plan is printed: a stale plan is never looked at.
    crate::applying::check_states(&plan, &store)?;
    let order = Order {
        plan,
        directories: file.directories,
        live_secrets: SecretValues::new(),
        host,
        carrying: &arguments.carrying,
        showing: &arguments.showing,
        approved: true,
        saved: true,
        rehearsal,
    };
    carry_out(session, order, &given)
}
