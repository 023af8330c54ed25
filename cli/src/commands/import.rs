//! `laconic import`: take deployments that exist into state. Changes nothing that runs.

use laconic_engine::plan::Mode;

use crate::applying::{Order, carry_out, counting};
use crate::args::{Common, ImportArgs, Planning};
use crate::commands::plan;
use crate::error::{Exit, Result};
use crate::everyday::Everyday;
use crate::inputs::root::find;
use crate::inputs::{directories, locate_selected};
use crate::planning::{Wanted, make, secret_places};
use crate::secret_values::{Missing, fingerprinters};
use crate::session::{Session, consents};
use crate::view::style::clean;

/// Runs it.
pub fn run(session: &Session, arguments: &ImportArgs) -> Result<Exit> {
    if arguments.deployments_root.is_empty() {
        return import(session, arguments, &arguments.planning);
    }
    let found = find(&arguments.deployments_root, &arguments.planning.selection.clusters)?;
    for (directory, why) in &found.left_out {
        session.output.remark(&format!("{} {why}; it is left out.\n", clean(&directory.display().to_string())));
    }
    let mut planning = arguments.planning.clone();
    planning.selection.clusters.clear();
    let common = Common { dirs: found.directories, ..session.common.clone() };
    import(&Session { common, output: session.output.clone(), wire: session.wire.clone() }, arguments, &planning)
}

fn import(session: &Session, arguments: &ImportArgs, planning: &Planning) -> Result<Exit> {
    let given = consents(&planning.consents);
    let wanted = Wanted {
        mode: Mode::Import,
        offline: false,
        sizes: false,
        consents: counting(given.clone(), session, arguments.carrying.is_bound()),
        planning,
        everyday: Everyday::default(),
        command: "import",
    };
    let dry_run = session.common.dry_run;
    if !dry_run {
        make_keys(session, planning)?;
    }
    let planned = make(session, &wanted)?;
    if dry_run {
        plan::show(session, &planned, None, &arguments.showing)?;
        return Ok(if planned.plan.is_refused() { Exit::Refused } else { Exit::Done });
    }
    let order = Order::of(planned, &arguments.carrying, &arguments.showing)?;
    carry_out(session, order, &given)
}

/// The keys that secrets are fingerprinted under, before anything is compared: what is recorded without one could not be
/// compared later.
fn make_keys(session: &Session, planning: &Planning) -> Result<()> {
    let directories = directories(&locate_selected(&session.common, &planning.selection)?);
    let store = session.wire.store(&directories);
    let places = secret_places(&directories, &store, directories.keys().map(String::as_str))?;
    fingerprinters(&places, Missing::Make).map(|_| ())
}
