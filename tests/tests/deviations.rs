//! What admission makes of our fields is accepted and told once; what is changed later is drift.

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::Event;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::DriftKind;
use laconic_engine::resource::Target;
use laconic_engine::source::MemorySources;
use laconic_providers::simulated::{Policy, Rule};
use laconic_tests::universe::{Request, Run, Universe, compiled};

fn target() -> Target {
    Target::Kind("laconic-main".to_owned())
}

fn web() -> ObjectKey {
    ObjectKey::new(ResourceType::Deployment, "shop", "laconic-shop-deployment")
}

fn shop(replicas: u32, more: &str) -> [CompiledDeployment; 1] {
    let mut files = MemorySources::default();
    files.insert("deployment.yml", b"cluster-id: laconic-main\ndeployment-id: laconic-shop\nstack-source: s\n");
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\nreplicas: {replicas}\n{more}"
    );
    files.insert("spec.yml", spec.as_bytes());
    files.insert("compose/docker-compose-web.yml", b"services:\n  web:\n    image: example/web:1.0\n");
    [compiled("shop", &files).0]
}

fn sets(path: &str, value: u32) -> Policy {
    Policy { kind: "Deployment".into(), rule: Rule::Sets { path: path.into(), value: value.into() } }
}

fn told(run: &Run) -> Vec<(String, Vec<String>)> {
    assert!(run.is_complete(), "{}", run.problems());
    run.events
        .iter()
        .filter_map(|event| match event {
            Event::Deviated { address, fields } => {
                Some((address.to_string(), fields.iter().map(|field| field.path.clone()).collect()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn what_admission_changes_is_told_once_and_is_no_drift() {
    let universe = Universe::default();
    universe.host.add_policy(sets("spec.replicas", 3)).unwrap();
    let first = universe.apply(&shop(1, ""), &Request::default());
    assert_eq!(told(&first), [("deployment.shop.web".to_owned(), vec!["spec.replicas".to_owned()])]);
    let next = universe.plan(&shop(1, ""), &Request::default());
    assert_eq!((next.changes.len(), next.drift.len()), (0, 0), "{next:#?}");
    assert!(next.findings.iter().all(|finding| finding.code != laconic_engine::code::Code::AdmissionDeviates));
    // Another field changes: the same deviation is no news, in the plan and in the apply.
    let labelled = shop(1, "labels:\n  tier: front\n");
    let plan = universe.plan(&labelled, &Request::default());
    assert!(!plan.changes.is_empty(), "the fixture changes nothing");
    assert!(plan.findings.iter().all(|finding| finding.code != laconic_engine::code::Code::AdmissionDeviates));
    assert_eq!(told(&universe.apply(&labelled, &Request::default())), []);
    assert_eq!(universe.plan(&labelled, &Request::default()).changes, []);
    // Another wish is another deviation.
    let plan = universe.plan(&shop(2, ""), &Request::default());
    assert!(plan.findings.iter().any(|finding| finding.code == laconic_engine::code::Code::AdmissionDeviates));
    assert_eq!(told(&universe.apply(&shop(2, ""), &Request::default())).len(), 1);
}

#[test]
fn a_later_change_of_an_accepted_field_is_drift() {
    let universe = Universe::default();
    universe.host.add_policy(sets("spec.replicas", 3)).unwrap();
    assert_eq!(told(&universe.apply(&shop(1, ""), &Request::default())).len(), 1);
    universe.host.edit_object(&target(), &web(), "kubectl-edit", "spec.replicas", Some(7.into())).unwrap();
    let plan = universe.plan(&shop(1, ""), &Request::default());
    assert_eq!(plan.drift.len(), 1, "{:#?}", plan.drift);
    assert_eq!((plan.drift[0].kind, plan.drift[0].fields[0].manager.as_str()), (DriftKind::Changed, "kubectl-edit"));
    assert_eq!(plan.drift[0].fields[0].recorded, Some(3.into()));
    assert_eq!(plan.changes.len(), 1);
}

/// The limit: what a controller does before the answer is there is in the answer, and cannot be told from admission. It is
/// told of like everything that is not as asked for.
#[test]
fn what_a_controller_changes_before_the_answer_counts_as_admission() {
    let universe = Universe::default();
    universe.host.add_policy(sets("spec.revisionHistoryLimit", 2)).unwrap();
    let run = universe.apply(&shop(1, ""), &Request::default());
    assert_eq!(told(&run), [], "a field that we do not set is not ours to speak of");
    universe.host.clear_policies().unwrap();
    // As a controller would, in the same moment as our update.
    universe.host.add_policy(sets("spec.replicas", 9)).unwrap();
    assert_eq!(told(&universe.apply(&shop(2, ""), &Request::default())).len(), 1);
    universe.host.clear_policies().unwrap();
    assert_eq!(universe.plan(&shop(2, ""), &Request::default()).drift, []);
}
