//! What a server would refuse or make otherwise is in the plan, and one try that fails hides nothing else.

use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::code::{Code, Severity};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::finding::Finding;
use laconic_engine::plan::Plan;
use laconic_engine::source::MemorySources;
use laconic_providers::simulated::{Policy, Rule};
use laconic_tests::universe::{Request, Universe, compiled};

fn files(replicas: u32, port: u16) -> MemorySources {
    let mut files = MemorySources::default();
    files.insert("deployment.yml", b"cluster-id: laconic-main\ndeployment-id: laconic-shop\nstack-source: s\n");
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\nreplicas: {replicas}\n\
         network:\n  http-proxy:\n    - host-name: shop.example.com\n      routes:\n        - path: /\n          proxy-to: web:{port}\n"
    );
    files.insert("spec.yml", spec.as_bytes());
    files.insert("config.env", b"# From credentials file: creds.env\nDB_PASSWORD=x\n");
    files.insert("compose/docker-compose-web.yml", b"services:\n  web:\n    image: example/web:1.0\n");
    files
}

fn shop(replicas: u32, port: u16) -> [CompiledDeployment; 1] {
    [compiled("shop", &files(replicas, port)).0]
}

/// A shop that runs, before a rule is set up.
fn running() -> Universe {
    let universe = Universe::default();
    let run = universe.apply(&shop(1, 8080), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    universe
}

fn policy(kind: &str, rule: Rule) -> Policy {
    Policy { kind: kind.to_owned(), rule }
}

fn of_code(plan: &Plan, code: Code) -> Vec<&Finding> {
    plan.findings.iter().filter(|finding| finding.code == code).collect()
}

fn deployment() -> Address {
    Address::new(ResourceType::Deployment, Scope::deployment("shop"), "web")
}

#[test]
fn a_refusal_is_in_the_plan_and_hides_nothing() {
    let universe = running();
    universe.host.add_policy(policy("Deployment", Rule::Denies { message: "too many".into() })).unwrap();
    let changed = shop(2, 9090);
    let plan = universe.plan(&changed, &Request::default());
    let found = of_code(&plan, Code::DryRunRefused);
    assert_eq!(found.len(), 1, "{:#?}", plan.findings);
    assert_eq!(found[0].subject, deployment().to_string());
    assert!(found[0].message.contains("denied the request: too many"), "{}", found[0].message);
    assert!(found[0].place.is_some());
    assert!(plan.is_refused());
    let without = universe.plan(&changed, &Request { untried: true, ..Request::default() });
    assert_eq!(plan.changes, without.changes);
    assert_eq!(plan.id, without.id, "what servers say is no part of what is done");
    assert!(of_code(&without, Code::DryRunRefused).is_empty());
    // Nothing was touched by trying.
    assert_eq!(universe.plan(&shop(1, 8080), &Request::default()).changes, []);
}

/// Comes close: the rule is for another kind, and nothing of that kind changes.
#[test]
fn a_rule_for_what_does_not_change_refuses_nothing() {
    let universe = running();
    universe.host.add_policy(policy("Namespace", Rule::Denies { message: "no".into() })).unwrap();
    let plan = universe.plan(&shop(2, 8080), &Request::default());
    assert_eq!(of_code(&plan, Code::DryRunRefused), Vec::<&Finding>::new());
    assert!(!plan.is_refused());
}

#[test]
fn each_change_is_tried_once() {
    let universe = running();
    let before = universe.host.calls();
    let plan = universe.plan(&shop(2, 9090), &Request::default());
    let tried = universe.host.calls().dry_run - before.dry_run;
    assert!(plan.changes.len() > 1, "{:#?}", plan.changes);
    assert_eq!(tried, plan.changes.len() as u64, "{:#?}", plan.changes);
    let idle = universe.host.calls();
    let _ = universe.plan(&shop(1, 8080), &Request::default());
    assert_eq!(universe.host.calls().dry_run, idle.dry_run, "without changes nobody is asked");
}

#[test]
fn nothing_is_tried_where_the_cluster_or_the_namespace_is_only_planned() {
    let universe = Universe::default();
    universe.host.add_policy(policy("Deployment", Rule::Denies { message: "no".into() })).unwrap();
    let plan = universe.plan(&shop(1, 8080), &Request::default());
    assert_eq!(universe.host.calls().dry_run, 0);
    assert!(!plan.is_refused());
}

#[test]
fn a_lack_of_permission_is_a_note() {
    let universe = running();
    universe.host.add_policy(policy("Deployment", Rule::Forbids)).unwrap();
    let plan = universe.plan(&shop(2, 9090), &Request::default());
    assert!(!plan.is_refused(), "{:#?}", plan.findings);
    let notes = of_code(&plan, Code::NotConsulted);
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert!(notes[0].message.contains("not tried on the API server: `deployment.shop.web`"), "{}", notes[0].message);
}

#[test]
fn no_secret_comes_back_with_a_refusal() {
    let universe = running();
    universe.host.add_policy(policy("Deployment", Rule::Denies { message: "I was sent {}".into() })).unwrap();
    let plan = universe.plan(&shop(2, 8080), &Request::default());
    let found = of_code(&plan, Code::DryRunRefused);
    assert!(found[0].message.contains("DB_PASSWORD"), "the fixture sends no secret: {}", found[0].message);
    assert!(!format!("{plan:?}").contains("hunter2"));
    // What apply says of it neither.
    let untried = universe.plan(&shop(2, 8080), &Request { untried: true, ..Request::default() });
    let run = universe.carry_out(untried, &shop(2, 8080));
    assert!(run.problems().contains("DB_PASSWORD"), "{}", run.problems());
    assert!(!format!("{run:?}").contains("hunter2"), "{run:#?}");
}

#[test]
fn what_admission_would_make_otherwise_is_a_note() {
    let universe = running();
    let rule = Rule::Sets { path: "spec.replicas".into(), value: 3.into() };
    universe.host.add_policy(policy("Deployment", rule)).unwrap();
    let plan = universe.plan(&shop(2, 8080), &Request::default());
    let found = of_code(&plan, Code::AdmissionDeviates);
    assert_eq!(found.len(), 1, "{:#?}", plan.findings);
    assert_eq!(found[0].severity, Severity::Note);
    assert_eq!(found[0].help[0], "spec.replicas: 2 becomes 3");
    // Comes close: admission sets what is asked for anyway.
    universe.host.clear_policies().unwrap();
    let rule = Rule::Sets { path: "spec.replicas".into(), value: 2.into() };
    universe.host.add_policy(policy("Deployment", rule)).unwrap();
    let plan = universe.plan(&shop(2, 8080), &Request::default());
    assert_eq!(of_code(&plan, Code::AdmissionDeviates), Vec::<&Finding>::new());
}

#[test]
fn a_field_that_became_immutable_is_refused_with_the_way_out() {
    let universe = running();
    let words = "spec.strategy: Invalid value: field is immutable";
    universe.host.add_policy(policy("Deployment", Rule::Denies { message: words.into() })).unwrap();
    let plan = universe.plan(&shop(2, 8080), &Request::default());
    let found = of_code(&plan, Code::DryRunRefused);
    assert!(found[0].help.iter().any(|line| line.contains("--replace='deployment.shop.web'")), "{:#?}", found[0].help);
}

#[test]
fn the_same_answers_give_the_same_bytes() {
    let universe = running();
    universe.host.add_policy(policy("Deployment", Rule::Forbids)).unwrap();
    universe.host.add_policy(policy("Service", Rule::Denies { message: "no".into() })).unwrap();
    let changed = shop(2, 9090);
    let once = serde_json::to_string(&universe.plan(&changed, &Request::default())).unwrap();
    assert_eq!(once, serde_json::to_string(&universe.plan(&changed, &Request::default())).unwrap());
}

#[test]
fn a_namespace_that_goes_away_is_not_tried_in() {
    let universe = running();
    let key = ObjectKey::new(ResourceType::Namespace, "", "shop");
    let target = laconic_engine::resource::Target::Kind("laconic-main".into());
    universe.host.delete_object(&target, &key).unwrap();
    let before = universe.host.calls().dry_run;
    let plan = universe.plan(&shop(1, 8080), &Request::default());
    assert!(plan.changes.len() > 1, "{:#?}", plan.changes);
    assert_eq!(universe.host.calls().dry_run - before, 1, "only the namespace itself can be judged");
}
