//! No deployment takes what is another's, and no secret is ever shown: each a case that once went wrong.

use std::collections::BTreeSet;

use laconic_engine::address::{ObjectKey, ResourceType, Scope};
use laconic_engine::code::Code;
use laconic_engine::plan::{Action, Plan};
use laconic_engine::resource::Target;
use laconic_engine::source::MemorySources;
use laconic_tests::universe::{Request, Universe, compiled};

fn target() -> Target {
    Target::Kind("laconic-main".to_owned())
}

fn files(id: &str, namespace: &str, config: &str, environment: &str) -> MemorySources {
    let mut files = MemorySources::default();
    files.insert(
        "deployment.yml",
        format!("cluster-id: laconic-main\ndeployment-id: {id}\nstack-source: s\n").as_bytes(),
    );
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec =
        format!("stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: {namespace}\n{config}");
    files.insert("spec.yml", spec.as_bytes());
    files.insert("config.env", environment.as_bytes());
    files.insert("compose/docker-compose-web.yml", b"services:\n  web:\n    image: example/web:1.0\n");
    files
}

fn codes(plan: &Plan) -> BTreeSet<Code> {
    plan.findings.iter().map(|finding| finding.code).collect()
}

/// A plan made offline knows nothing of the neighbour's namespace; its apply must find out and leave it alone.
#[test]
fn an_offline_plan_takes_no_namespace_of_another_deployment() {
    let universe = Universe::default();
    let (shop, _) = compiled("shop", &files("laconic-shop", "shared", "", ""));
    let (thief, _) = compiled("thief", &files("laconic-thief", "shared", "", ""));
    assert!(universe.apply(&[shop], &Request::default()).is_complete());
    assert!(codes(&universe.plan(std::slice::from_ref(&thief), &Request::default())).contains(&Code::NamespaceOwned));
    let offline = universe.plan(std::slice::from_ref(&thief), &Request { offline: true, ..Request::default() });
    let run = universe.carry_out(offline, &[thief]);
    assert!(!run.is_complete());
    assert!(run.result.as_ref().is_ok_and(|outcome| outcome.stale), "{}", run.problems());
    assert!(run.problems().contains("namespace.thief.shared: it exists"), "{}", run.problems());
}

#[test]
fn two_deployments_of_one_name_are_not_one() {
    let universe = Universe::default();
    let (mut first, _) = compiled("shop", &files("laconic-one", "one", "", ""));
    let (mut second, _) = compiled("shop", &files("laconic-two", "two", "", ""));
    first.tenant.directory = "/a/shop".to_owned();
    second.tenant.directory = "/b/shop".to_owned();
    assert!(universe.apply(&[first], &Request::default()).is_complete());
    let plan = universe.plan(&[second], &Request::default());
    assert!(plan.is_refused());
    assert!(codes(&plan).contains(&Code::NamespaceOwned), "{:#?}", plan.findings);
}

/// The live value of a variable that was a secret and is gone from the spec stands in no plan.
#[test]
fn a_secret_that_leaves_the_spec_is_not_shown() {
    let universe = Universe::default();
    let environment = "# From credentials file: creds.env\nDB_PASSWORD=hunter2-file\n";
    let (with, _) = compiled("shop", &files("laconic-shop", "shop", "", environment));
    let (without, _) = compiled("shop", &files("laconic-shop", "shop", "", ""));
    assert!(universe.apply(&[with], &Request::default()).is_complete());
    let key = ObjectKey::new(ResourceType::Deployment, "shop", "laconic-shop-deployment");
    let live = universe.host.edit_object(&target(), &key, "kubectl", "spec.replicas", Some(3.into())).unwrap();
    assert!(live.attributes.to_string().contains("hunter2"), "the pod does not get its secret: {}", live.attributes);
    let plan = universe.plan(&[without], &Request::default());
    assert!(plan.changes.iter().any(|change| change.differences.iter().any(|one| one.path.contains("DB_PASSWORD"))));
    assert!(!format!("{plan:?}").contains("hunter2"));
    assert!(!serde_json::to_string(&plan).unwrap().contains("hunter2"));
    let state = universe.state(&Scope::deployment("shop"));
    assert!(!format!("{state:?}").contains("hunter2"));
}

#[test]
fn an_import_imports_and_does_nothing_else() {
    let universe = Universe::default();
    let (first, _) = compiled("shop", &files("laconic-shop", "shop", "", ""));
    let (second, _) = compiled("shop", &files("laconic-shop", "shop", "replicas: 2\n", ""));
    assert!(universe.apply(std::slice::from_ref(&first), &Request::default()).is_complete());
    let lost = Universe { store: laconic_state::MemoryStore::simulated(), ..universe.fork() };
    let refused = lost.plan(std::slice::from_ref(&first), &Request::default());
    assert!(codes(&refused).contains(&Code::ObjectExists));
    let calls = lost.host.calls();
    let run = lost.apply(std::slice::from_ref(&second), &Request { import: true, ..Request::default() });
    assert!(run.is_complete(), "{}", run.problems());
    assert!(run.plan.changes.iter().all(|change| change.action == Action::Import), "{:#?}", run.plan.changes);
    let after = lost.host.calls();
    assert_eq!((calls.create, calls.update, calls.delete), (after.create, after.update, after.delete));
    // What the spec wants otherwise is the next plan's business, and only that.
    let next = lost.plan(&[second], &Request::default());
    let changed: Vec<String> = next.changes.iter().map(|change| change.address.to_string()).collect();
    assert_eq!(changed, ["deployment.shop.web"]);
}

#[test]
fn a_plan_file_for_another_cluster_of_that_name_is_stale() {
    let universe = Universe::default();
    let (shop, _) = compiled("shop", &files("laconic-shop", "shop", "", ""));
    assert!(universe.apply(std::slice::from_ref(&shop), &Request::default()).is_complete());
    let (changed, _) = compiled("shop", &files("laconic-shop", "shop", "replicas: 2\n", ""));
    let offline = universe.plan(std::slice::from_ref(&changed), &Request { offline: true, ..Request::default() });
    universe.host.replace_cluster("laconic-main").unwrap();
    assert!(codes(&universe.plan(std::slice::from_ref(&changed), &Request::default())).contains(&Code::ForeignCluster));
    let run = universe.carry_out(offline, &[changed]);
    assert!(run.result.is_err(), "{run:#?}");
    assert!(run.problems().contains("another cluster answers"), "{}", run.problems());
}
