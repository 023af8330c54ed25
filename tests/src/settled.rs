//! What is true after every good run, and how the property tests are run.

use std::path::Path;

use laconic_engine::address::ResourceType;
use laconic_engine::compile::CompiledDeployment;
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
    let again = universe.plan(deployments, &Request::default());
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
    is_as_compiled(universe, deployments)
}

/// The world is what the deployments compile to, and nothing careless was done.
///
/// # Errors
/// What is not so.
pub fn is_as_compiled(universe: &Universe, deployments: &[CompiledDeployment]) -> Result<(), TestCaseError> {
    prop_assert_eq!(universe.deviations(deployments), Vec::<String>::new());
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
