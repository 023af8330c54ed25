//! Trying a plan's changes on the servers they are for.

use std::collections::BTreeMap;

use futures::stream::{StreamExt as _, iter};

use crate::address::Address;
use crate::apply::ports::Provider;
use crate::plan::dry_run::{DryRunOutcome, dry_run_request};
use crate::plan::{Plan, PlanInput};

/// Tries what can be tried of a plan, so many at once. One that fails keeps no other from being tried.
pub async fn dry_run(
    provider: &dyn Provider,
    input: &PlanInput,
    plan: &Plan,
    parallelism: usize,
) -> BTreeMap<Address, DryRunOutcome> {
    let request = dry_run_request(input, plan);
    let mut outcomes = request.untried;
    let tried = request.steps.iter().filter_map(|step| Some((step, plan.change(&step.address)?)));
    let answers = iter(tried).map(async |(step, change)| {
        let answer = provider.dry_run(step).await;
        let fingerprinter = input.fingerprinters.get(change.address.scope.name());
        (step.address.clone(), DryRunOutcome::of(change, answer, &input.secrets, fingerprinter))
    });
    outcomes.extend(answers.buffer_unordered(parallelism.max(1)).collect::<Vec<_>>().await);
    outcomes
}
