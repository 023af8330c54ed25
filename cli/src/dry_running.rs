//! Trying a plan on the servers it is for, and planning again with what they said.

use laconic_engine::apply::{Provider, dry_run};
use laconic_engine::plan::{self, Plan, PlanInput};

use crate::error::Result;
use crate::wire;

/// How many changes are tried at once.
const AT_ONCE: usize = 8;

/// The plan with the servers' word on it: what they would refuse, what they would make otherwise. Nobody is asked for
/// commands that change nothing.
///
/// # Errors
/// Threads that cannot be had.
pub fn tried(provider: Option<&dyn Provider>, command: &str, input: &mut PlanInput, plan: Plan) -> Result<Plan> {
    let Some(provider) = provider.filter(|_| !matches!(command, "drift" | "import")) else { return Ok(plan) };
    if plan.changes.is_empty() {
        return Ok(plan);
    }
    input.dry_runs = wire::runtime()?.block_on(dry_run(provider, input, &plan, AT_ONCE));
    Ok(if input.dry_runs.is_empty() { plan } else { plan::plan(input) })
}
