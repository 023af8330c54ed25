//! What is true after every good run, and how the property tests are run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use laconic_engine::address::ResourceType;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::diff::{flatten, same};
use laconic_engine::plan::PlanInput;
use laconic_engine::plan::survey::compose;
use laconic_providers::simulated::{Violation, ViolationKind};
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError};

use crate::universe::{Request, Universe};

/// How a property is run: so many cases, or what `PROPERTY_CASES` says; failures are kept and tried first next time.
#[must_use]
pub fn config(name: &str, cases: u32) -> Config {
    let wanted = std::env::var("PROPERTY_CASES").ok().and_then(|text| text.parse().ok());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("proptest-regressions").join(format!("{name}.txt"));
    // The framework wants the name for as long as the process lives.
    let file: &'static str = Box::leak(file.display().to_string().into_boxed_str());
    Config {
        cases: wanted.unwrap_or(cases),
        max_shrink_iters: 300,
        // Not every pair is refused, has secrets, …: what does not fit a property is another draw.
        max_global_rejects: 1_000_000,
        // The same cases everywhere, so that a change is judged by what it changes; `PROPERTY_SEED` tries others.
        rng_seed: RngSeed::Fixed(std::env::var("PROPERTY_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..Config::default()
    }
}

/// Planned again there is nothing to do, the world is what the deployments compile to, and nothing careless was done.
///
/// # Errors
/// What is not so.
pub fn is_settled(universe: &Universe, deployments: &[CompiledDeployment]) -> Result<(), TestCaseError> {
    let (input, again) = universe.input_and_plan(deployments, &Request::default());
    prop_assert!(
        !again.has_work(),
        "not empty: {:#?}\n{:#?}",
        again
            .changes
            .iter()
            .map(|one| (one.address.to_string(), one.action, &one.reason, &one.differences))
            .collect::<Vec<_>>(),
        again.register
    );
    prop_assert!(again.missing_consents().is_empty(), "{:#?}", again.findings);
    let offline = universe.plan(deployments, &Request { offline: true, ..Request::default() });
    let changes: Vec<String> = offline.changes.iter().map(|one| format!("{} {:?}", one.address, one.reason)).collect();
    prop_assert!(changes.is_empty(), "not empty offline: {changes:#?}");
    is_as_compiled(universe, &input)
}

/// The world, as an input has just seen it, is what the input's deployments compile to, and nothing careless was done.
///
/// # Errors
/// What is not so.
pub fn is_as_compiled(universe: &Universe, input: &PlanInput) -> Result<(), TestCaseError> {
    prop_assert_eq!(deviations(input), Vec::<String>::new());
    prop_assert_eq!(violations(universe), vec![]);
    Ok(())
}

/// What no careful engine does and was done. One thing is allowed: a Service that gets another name because its stack got a second
/// pod goes a moment before the Ingress is led to the new one; its pods are down then anyway (LAC506).
#[must_use]
pub fn violations(universe: &Universe) -> Vec<Violation> {
    let renamed_service = |violation: &Violation| {
        violation.key.resource_type == ResourceType::Service
            && matches!(&violation.kind, ViolationKind::DeletedInUse { by } if by.resource_type == ResourceType::Ingress)
    };
    universe.host.violations().into_iter().filter(|violation| !renamed_service(violation)).collect()
}

/// Everything in which the world differs from what the deployments of an input compile to: fields that are not as desired,
/// objects that are missing, objects of ours that nobody desires.
fn deviations(input: &PlanInput) -> Vec<String> {
    let composition = compose(input);
    let mut deviations = Vec::new();
    let mut wanted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let own = input.deployments.iter().map(|one| (&one.target, &one.resources));
    let shared = composition.clusters.iter().filter_map(|(name, cluster)| {
        let target = input.deployments.iter().map(|one| &one.target).find(|one| one.kind_cluster() == Some(name))?;
        Some((target, &cluster.resources))
    });
    for (target, resources) in own.chain(shared) {
        let Some(seen) = input.world.get(target) else {
            deviations.push(format!("{target:?} was not seen"));
            continue;
        };
        let nothing = BTreeMap::new();
        let objects = seen.objects.as_ref().unwrap_or(&nothing);
        for resource in resources {
            let key = resource.key();
            wanted.entry(target.clone()).or_default().insert(key.clone());
            if !resource.address.resource_type.is_kubernetes() {
                continue;
            }
            let Some(live) = objects.get(&key) else {
                let completed = input.states.get(&resource.address.scope).is_some_and(|state| {
                    state.resources.get(&resource.address).is_some_and(|recorded| recorded.completed)
                });
                if !completed {
                    deviations.push(format!("{} is missing", resource.address));
                }
                continue;
            };
            let live = flatten(&live.attributes);
            let completed_job = resource.address.resource_type == ResourceType::Job;
            for (path, value) in flatten(&resource.attributes.value()) {
                // Servers leave out `readOnly: false` and the like.
                let as_wanted = live.get(&path).map_or(value == false, |found| same(&path, &value, found));
                if !completed_job && !as_wanted {
                    deviations.push(format!("{} {path}: {:?} instead of {value}", resource.address, live.get(&path)));
                }
            }
        }
    }
    // Other tenants, a stopped one among them, have what is theirs.
    let tenants = input.states.values().flat_map(|state| &state.tenants);
    let others: BTreeSet<&str> = tenants
        .filter(|(name, _)| !input.deployments.iter().any(|one| one.name == **name))
        .map(|(_, tenant)| tenant.deployment_id.as_str())
        .collect();
    for (target, seen) in &input.world {
        for (key, live) in seen.objects.iter().flatten() {
            let of_other = live.attributes["metadata"]["labels"]["app"].as_str().is_some_and(|id| others.contains(id));
            let ours = !of_other && live.owners.iter().any(|owner| owner.manager == "laconic");
            if ours && !wanted.get(target).is_some_and(|wanted| wanted.contains(key)) {
                deviations.push(format!("{key} is an orphan"));
            }
        }
    }
    deviations
}
