//! `laconic apply`: plan, ask, do it; or do exactly what a plan file says.

use std::collections::BTreeSet;
use std::path::Path;

use laconic_engine::plan::Mode;
use laconic_engine::resource::Target;
use laconic_engine::secret::SecretValues;

use crate::applying::{Order, carry_out, counting};
use crate::args::ApplyArgs;
use crate::error::{Exit, Problem, Result};
use crate::plan_file;
use crate::planning::{Wanted, load_states, make, name_clusters};
use crate::session::{Session, consents};
use crate::syncing::sync;
use crate::wire::Host;

/// Runs it.
pub fn run(session: &Session, arguments: &ApplyArgs) -> Result<Exit> {
    if let Some(path) = &arguments.plan_file {
        return saved(session, arguments, path);
    }
    let mut given = consents(&arguments.planning.consents);
    let bound = arguments.carrying.is_bound() || arguments.rehearse;
    let wanted = Wanted {
        mode: Mode::Apply,
        offline: false,
        sizes: false,
        consents: counting(given.clone(), session, bound),
        planning: &arguments.planning,
        command: "apply",
    };
    let mut planned = make(session, &wanted)?;
    if !planned.forbidden.is_empty() {
        return Err(Problem::Forbidden { codes: planned.forbidden });
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
    if !arguments.rehearse {
        sync(session, &planned.inputs, &applied)?;
    }
    Ok(exit)
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
