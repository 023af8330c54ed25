//! Faults at every call: the host dies, or one call fails, and running again converges.

use std::collections::BTreeSet;
use std::sync::Arc;

use laconic_engine::compile::CompiledDeployment;
use laconic_engine::finding::Consent;
use laconic_providers::simulated::{Failure, Fault};
use laconic_tests::generate::{Shape, directory, shape, successor};
use laconic_tests::settled::{config, is_as_compiled, violations};
use laconic_tests::universe::{Request, Universe, compiled};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

const CLUSTER: &str = "laconic-main";

fn deployment(name: &str, shape: &Shape) -> CompiledDeployment {
    compiled(name, &directory(name, CLUSTER, shape)).0
}

/// Every fault is tried at every call, so the deployments are small ones: two pods, one host now and then.
fn small(shape: Shape) -> Shape {
    Shape { pods: shape.pods.min(2), hosts: u8::from(shape.hosts == 2 && shape.tag == 0), ..shape }
}

/// Runs `deployments` again, with the consents of the first run and no others, until nothing is left to do.
fn converges(
    universe: &Universe,
    deployments: &[CompiledDeployment],
    request: &Request,
    everybody: &[CompiledDeployment],
    what: &str,
) -> Result<(), TestCaseError> {
    let mut runs = 0;
    let mut request = request.clone();
    let last = loop {
        let (input, plan) = universe.input_and_plan(deployments, &request);
        let more: BTreeSet<Consent> = plan.missing_consents();
        prop_assert!(more.is_empty(), "{what}: running again wants {more:?}");
        if !plan.has_work() {
            break input;
        }
        runs += 1;
        prop_assert!(runs < 5, "{what}: running again and again never ends");
        let run = universe.carry_out(plan, deployments);
        prop_assert!(run.result.is_ok(), "{what}: running again: {}", run.problems());
        // What was named to be made anew was made anew; it is not named a second time.
        request.replace.clear();
    };
    let seen = if everybody.len() == deployments.len() { last } else { universe.fetched(everybody, &request).0 };
    is_as_compiled(universe, &seen).map_err(|error| TestCaseError::fail(format!("{what}: {error}")))
}

proptest! {
    #![proptest_config(config("faults", 2000))]

    #[test]
    fn a_fault_at_any_call_is_recovered_from(
        (first, other, picks, joined) in (shape(), shape(), any::<u16>(), proptest::bool::weighted(0.1))
    ) {
        let (first, other) = (small(first), small(other));
        let second = successor(first.clone(), &other, picks);
        let second = if joined { Shape { umbrella: first.umbrella, ..second } } else { second };
        let neighbour = Shape { umbrella: first.umbrella, pods: 1, ..other };
        let (first, second) = (deployment("shop", &first), deployment("shop", &second));
        let neighbour = joined.then(|| deployment("blog", &neighbour));
        let before = Universe::default();
        for one in neighbour.iter().chain([&first]) {
            let run = before.apply_with_consents(std::slice::from_ref(one), &Request::default());
            prop_assert!(run.is_complete(), "{}", run.problems());
        }
        let everybody: Vec<CompiledDeployment> = [second.clone()].into_iter().chain(neighbour).collect();
        let second = [second];
        let request = before.request_with_consents(&second, &Request::default());
        let rehearsal = before.fork();
        let plan = Arc::new(rehearsal.plan(&second, &request));
        rehearsal.host.set_fault(Fault::FailsOnce { call: u64::MAX, kind: Failure::Transient }).unwrap();
        let run = rehearsal.carry_out(Arc::clone(&plan), &second);
        prop_assert!(run.is_complete(), "{}", run.problems());
        let calls = rehearsal.host.call_count();
        for call in 1..=calls {
            // Either mode at every call; the two forms of each take turns, from a random start.
            let first_form = (call + u64::from(picks)) % 2 == 0;
            let kind = if first_form { Failure::Transient } else { Failure::Refused };
            for fault in [Fault::DiesAfter { calls: call, reply_lost: first_form }, Fault::FailsOnce { call, kind }] {
                let universe = before.fork();
                universe.host.set_fault(fault).unwrap();
                let run = universe.carry_out(Arc::clone(&plan), &second);
                universe.host.revive().unwrap();
                let what = format!("{fault:?} ({})", run.problems());
                converges(&universe, &second, &request, &everybody, &what)?;
            }
        }
    }

    #[test]
    fn a_crash_at_any_record_is_recovered_from((first, other, picks) in (shape(), shape(), any::<u16>())) {
        let (first, other) = (small(first), small(other));
        let second = successor(first.clone(), &other, picks);
        let (first, second) = (deployment("shop", &first), [deployment("shop", &second)]);
        let before = Universe::default();
        let run = before.apply_with_consents(std::slice::from_ref(&first), &Request::default());
        prop_assert!(run.is_complete(), "{}", run.problems());
        let request = before.request_with_consents(&second, &Request::default());
        let plan = Arc::new(before.plan(&second, &request));
        for records in 0.. {
            let universe = before.fork();
            universe.store.fail_append_after(records);
            let run = universe.carry_out(Arc::clone(&plan), &second);
            let died = run.result.is_err();
            // A new process: locks and faults are gone, what was durable is not.
            let universe = universe.fork();
            let what = format!("died after record {records}");
            converges(&universe, &second, &request, &second, &what)?;
            if !died {
                break;
            }
        }
        prop_assert_eq!(violations(&before), vec![]);
    }
}
