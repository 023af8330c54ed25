//! Properties of planning and applying, on random deployments.

use std::collections::BTreeMap;

use laconic_engine::apply::{Event, Schedule, ScheduledStep, StepKind};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Plan, plan};
use laconic_tests::generate::{Shape, directory, shape, successor};
use laconic_tests::settled::{config, is_settled, violations};
use laconic_tests::universe::{Request, Run, Universe, compiled};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

const CLUSTER: &str = "laconic-main";

fn deployment(name: &str, shape: &Shape) -> CompiledDeployment {
    compiled(name, &directory(name, CLUSTER, shape)).0
}

/// Two versions of a deployment, and a neighbour on the same cluster.
fn pair() -> impl Strategy<Value = (Shape, Shape, Option<Shape>)> {
    (shape(), shape(), any::<u16>(), proptest::option::of(shape())).prop_map(|(first, other, picks, neighbour)| {
        let second = successor(first.clone(), &other, picks);
        // Neighbours agree on the umbrella: that they do not is an error of its own, found before planning.
        let neighbour = neighbour.map(|shape| Shape { umbrella: first.umbrella, ..shape });
        let second = if neighbour.is_some() { Shape { umbrella: first.umbrella, ..second } } else { second };
        (first, second, neighbour)
    })
}

/// A universe in which the neighbour and the first version are applied.
fn prepared(first: &CompiledDeployment, neighbour: Option<&CompiledDeployment>) -> Result<Universe, TestCaseError> {
    let universe = Universe::default();
    for one in neighbour.into_iter().chain([first]) {
        let run = universe.apply_with_consents(std::slice::from_ref(one), &Request::default());
        prop_assert!(run.is_complete(), "{}", run.problems());
    }
    Ok(universe)
}

/// What must end before it begins has ended before it began.
fn respects_edges(run: &Run) -> Result<(), TestCaseError> {
    let schedule = Schedule::of(&run.plan).map_err(TestCaseError::fail)?;
    let mut begun: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut ended: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (moment, event) in run.events.iter().enumerate() {
        match event {
            Event::Started { address, .. } => begun.entry(address.to_string()).or_default().push(moment),
            Event::Done { address, .. } => ended.entry(address.to_string()).or_default().push(moment),
            Event::PhaseStarted { address, phase } => {
                begun.entry(format!("{address} {phase:?}")).or_default().push(moment);
            }
            Event::PhaseDone { address, phase, .. } => {
                ended.entry(format!("{address} {phase:?}")).or_default().push(moment);
            }
            _ => {}
        }
    }
    let name = |step: ScheduledStep| match step.kind {
        StepKind::Phase(phase) => format!("{} {phase:?}", run.plan.recreates[step.change].address()),
        _ => run.plan.changes[step.change].address.to_string(),
    };
    for (before, after) in schedule.order() {
        let (before, after) = (name(before), name(after));
        if before == after {
            continue;
        }
        // A replace has two steps; the first end before the last beginning is what every edge implies.
        let (Some(ends), Some(begins)) = (ended.get(&before), begun.get(&after)) else { continue };
        prop_assert!(ends[0] < begins[begins.len() - 1], "{after} began before {before} ended");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config("planner", 2000))]

    #[test]
    fn applied_twice_means_an_empty_second_plan((first, second, neighbour) in pair()) {
        let (first, second) = (deployment("shop", &first), deployment("shop", &second));
        let neighbour = neighbour.map(|shape| deployment("blog", &shape));
        let universe = prepared(&first, neighbour.as_ref())?;
        let before: Vec<CompiledDeployment> = [first].into_iter().chain(neighbour.clone()).collect();
        is_settled(&universe, &before)?;
        let (input, planned) = universe.fetched(std::slice::from_ref(&second), &Request::default());
        prop_assert_eq!(plan(&input), planned, "the same input gave two plans");
        let run = universe.apply_with_consents(std::slice::from_ref(&second), &Request::default());
        prop_assert!(run.is_complete(), "{}", run.problems());
        respects_edges(&run)?;
        let all: Vec<CompiledDeployment> = [second].into_iter().chain(neighbour).collect();
        is_settled(&universe, &all)?;
        let shown = format!("{:?} {:?}", run.plan, run.events);
        let kept = universe.recorded_text(&all);
        for text in [&shown, &kept] {
            // In clear, or in base64 as a Secret holds it.
            prop_assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMi"), "a secret is shown or kept");
        }
    }

    #[test]
    fn destroy_leaves_nothing_of_ours((first, second, neighbour) in pair()) {
        let (first, second) = (deployment("shop", &first), deployment("shop", &second));
        let neighbour = neighbour.map(|shape| deployment("blog", &shape));
        let universe = prepared(&first, neighbour.as_ref())?;
        let run = universe.apply_with_consents(std::slice::from_ref(&second), &Request { destroy: true, ..Request::default() });
        prop_assert!(run.is_complete(), "{}", run.problems());
        prop_assert_eq!(violations(&universe), vec![]);
        let rest: Vec<CompiledDeployment> = neighbour.into_iter().collect();
        if rest.is_empty() {
            let again = universe.plan(&[second], &Request { destroy: true, ..Request::default() });
            prop_assert!(again.is_empty(), "{:#?}", again.changes);
        } else {
            is_settled(&universe, &rest)?;
        }
    }

    #[test]
    fn without_consent_nothing_is_touched((first, second, neighbour) in pair()) {
        let (first, second) = (deployment("shop", &first), deployment("shop", &second));
        let neighbour = neighbour.map(|shape| deployment("blog", &shape));
        let universe = prepared(&first, neighbour.as_ref())?;
        let refused: Plan = universe.plan(std::slice::from_ref(&second), &Request::default());
        prop_assume!(refused.is_refused());
        let calls = universe.host.calls();
        let run = universe.carry_out(refused, &[second]);
        prop_assert!(run.result.is_err());
        prop_assert_eq!(universe.host.calls(), calls);
        let before: Vec<CompiledDeployment> = [first].into_iter().chain(neighbour).collect();
        is_settled(&universe, &before)?;
    }
}
