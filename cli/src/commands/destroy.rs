//! `laconic destroy`: the same engine with nothing desired.

use laconic_engine::plan::Mode;

use crate::applying::{Order, carry_out, counting};
use crate::args::DestroyArgs;
use crate::commands::plan;
use crate::error::{Exit, Result};
use crate::everyday::Everyday;
use crate::planning::{Wanted, make};
use crate::session::{Session, consents};

/// Runs it.
pub fn run(session: &Session, arguments: &DestroyArgs) -> Result<Exit> {
    if session.common.dry_run {
        return plan::instead(session, true, &arguments.planning, &arguments.showing, Everyday::default());
    }
    let given = consents(&arguments.planning.consents);
    let wanted = Wanted {
        mode: Mode::Destroy,
        offline: false,
        sizes: false,
        consents: counting(given.clone(), session, arguments.carrying.is_bound()),
        planning: &arguments.planning,
        everyday: Everyday::default(),
        command: "destroy",
    };
    let planned = make(session, &wanted)?;
    let order = Order::of(planned, &arguments.carrying, &arguments.showing)?;
    carry_out(session, order, &given)
}
