//! What could not be looked at is unknown: nothing is taken for absent, nothing recorded is dropped, nothing is done to it.

use std::collections::BTreeSet;

use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::apply::Outcome;
use laconic_engine::code::Code;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Action, Plan};
use laconic_engine::source::MemorySources;
use laconic_providers::simulated::{Fault, Policy, Rule};
use laconic_tests::universe::{Request, Universe, compiled};

fn shop(token: &str, more: &str) -> [CompiledDeployment; 1] {
    let mut files = MemorySources::default();
    files.insert(
        "deployment.yml",
        b"cluster-id: laconic-main\ndeployment-id: laconic-shop\ndialect: compose\nstack-source: s\n",
    );
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\n\
         config:\n  {token}: $generate:hex:16$\n{more}"
    );
    files.insert("spec.yml", spec.as_bytes());
    files.insert("compose/docker-compose-web.yml", b"services:\n  web:\n    image: example/web:1.0\n");
    [compiled("shop", &files).0]
}

fn running() -> Universe {
    let universe = Universe::default();
    let run = universe.apply(&shop("TOKEN", ""), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    universe
}

fn hide(universe: &Universe, kind: &str) {
    universe.host.add_policy(Policy { kind: kind.to_owned(), rule: Rule::Hides }).unwrap();
}

fn notes(plan: &Plan) -> Vec<&str> {
    plan.findings
        .iter()
        .filter(|finding| finding.code == Code::NotConsulted)
        .map(|finding| finding.message.as_str())
        .collect()
}

fn secrets(universe: &Universe) -> BTreeSet<Address> {
    let state = universe.state(&Scope::deployment("shop"));
    state.resources.into_keys().filter(|address| address.resource_type == ResourceType::Secret).collect()
}

#[test]
fn secrets_that_may_not_be_listed_are_planned_from_the_state() {
    let universe = running();
    let recorded = secrets(&universe);
    assert!(!recorded.is_empty(), "the fixture has no Secret");
    hide(&universe, "Secret");
    let plan = universe.plan(&shop("TOKEN", ""), &Request::default());
    assert_eq!(plan.changes, []);
    assert_eq!(plan.drift, []);
    assert_eq!(notes(&plan).len(), 1, "{:#?}", plan.findings);
    assert!(notes(&plan)[0].contains("kind Secret on the kind cluster `laconic-main` could not be listed"));
    assert_eq!(secrets(&universe), recorded);
}

/// The rest of the plan is done; what cannot be looked at fails, and stays recorded as it was.
#[test]
fn what_is_still_unknown_fails_that_resource_alone() {
    let universe = running();
    let recorded = secrets(&universe);
    hide(&universe, "Secret");
    let changed = shop("OTHER", "replicas: 2\n");
    let plan = universe.plan(&changed, &Request::default());
    let unknown: Vec<&Address> =
        plan.changes.iter().filter(|change| change.assumed).map(|change| &change.address).collect();
    assert!(!unknown.is_empty(), "{:#?}", plan.changes);
    assert!(unknown.iter().all(|address| address.resource_type == ResourceType::Secret));
    let before = format!("{:?}", universe.state(&Scope::deployment("shop")).resources.get(unknown[0]));
    let unknown: BTreeSet<Address> = unknown.into_iter().cloned().collect();
    let run = universe.carry_out(plan, &changed);
    let outcome: Outcome = run.result.unwrap();
    let failed: BTreeSet<Address> = outcome.failed.iter().map(|(address, _)| address.clone()).collect();
    assert_eq!(failed, unknown);
    assert!(outcome.failed[0].1.contains("could not be seen"), "{:?}", outcome.failed);
    assert!(!outcome.stale);
    assert_eq!(secrets(&universe), recorded);
    let first = unknown.first().unwrap();
    assert_eq!(before, format!("{:?}", universe.state(&Scope::deployment("shop")).resources.get(first)));
    // Seen again, it converges.
    universe.host.clear_policies().unwrap();
    assert!(universe.apply(&changed, &Request::default()).is_complete());
    assert_eq!(universe.plan(&changed, &Request::default()).changes, []);
}

/// A Secret of somebody else that we may not see is in the way of ours: it is never overwritten.
#[test]
fn a_create_of_what_cannot_be_seen_is_assumed_and_fails() {
    let universe = running();
    let files = shop("TOKEN", "");
    // The state forgets it, and the server does not show it.
    let lost = Universe { store: laconic_state::MemoryStore::simulated(), ..universe.fork() };
    hide(&lost, "Secret");
    let plan = lost.plan(&files, &Request { import: true, ..Request::default() });
    let import = lost.carry_out(plan, &files);
    assert!(import.is_complete(), "{}", import.problems());
    let next = lost.plan(&files, &Request::default());
    assert!(next.changes.iter().all(|change| change.action == Action::Create && change.assumed), "{:#?}", next.changes);
    let run = lost.carry_out(next, &files);
    assert!(!run.is_complete());
    lost.host.clear_policies().unwrap();
    assert!(lost.plan(&files, &Request::default()).is_refused(), "it is there, and not ours");
}

#[test]
fn everything_unknown_means_nothing_is_gone() {
    let universe = running();
    universe.host.set_fault(Fault::DiesAfter { calls: 1, reply_lost: false }).unwrap();
    let recorded = universe.recorded_text(&shop("TOKEN", ""));
    let plan = universe.plan(&shop("TOKEN", ""), &Request::default());
    assert_eq!(plan.changes, []);
    assert_eq!(plan.drift, []);
    assert_eq!(universe.recorded_text(&shop("TOKEN", "")), recorded);
    let gone = universe.plan(&shop("TOKEN", ""), &Request { destroy: true, ..Request::default() });
    assert!(gone.changes.iter().all(|change| change.action != Action::Forget), "{:#?}", gone.changes);
}

/// A cluster that is made anew takes along what nobody recorded; not being allowed to look is said, and needs the consent.
#[test]
fn what_may_be_on_a_cluster_and_cannot_be_seen_is_a_danger() {
    let universe = running();
    let request = Request { replace: [Address::kind_cluster("laconic-main")].into(), ..Request::default() };
    let unrecorded = |plan: &Plan| {
        let found = plan.findings.iter().filter(|finding| finding.code == Code::UnrecordedObjects);
        found.map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(unrecorded(&universe.plan(&shop("TOKEN", ""), &request)), Vec::<String>::new());
    hide(&universe, "Secret");
    let found = unrecorded(&universe.plan(&shop("TOKEN", ""), &request));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("kind Secret"), "{found:#?}");
}
