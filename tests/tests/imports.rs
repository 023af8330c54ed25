//! An import takes a whole deployment into state and changes nothing that runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use laconic_engine::address::{ObjectKey, ResourceType, Scope};
use laconic_engine::code::Code;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Action, Plan, Reason, VolumeVerdict};
use laconic_engine::resource::Target;
use laconic_engine::source::MemorySources;
use laconic_tests::universe::{Request, Universe, compiled};
use serde_json::{Value, json};

const OWNER: &str = "metadata.annotations[laconic.com/deployment-dir]";

fn target() -> Target {
    Target::Kind("laconic-main".to_owned())
}

fn shop(dialect: &str, token: &str) -> [CompiledDeployment; 1] {
    let mut files = MemorySources::default();
    let deployment = format!("cluster-id: laconic-main\ndeployment-id: laconic-shop\nstack-source: s\n{dialect}");
    files.insert("deployment.yml", deployment.as_bytes());
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\n\
         config:\n  {token}: $generate:hex:16$\nvolumes:\n  data: /srv/kind/shop/data\nconfigmaps:\n  files: ./configmaps/files\n"
    );
    files.insert("spec.yml", spec.as_bytes());
    files.insert("configmaps/files/a.txt", b"one\n");
    files.insert(
        "compose/docker-compose-web.yml",
        b"services:\n  web:\n    image: example/web:1.0\n    volumes:\n      - data:/data\n      - files:/etc/files\nvolumes:\n  data:\n  files:\n",
    );
    [compiled("shop", &files).0]
}

fn applied(deployments: &[CompiledDeployment]) -> Universe {
    let universe = Universe::default();
    let run = universe.apply(deployments, &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    universe
}

/// The same host, nothing recorded.
fn lose_state(universe: &Universe) -> Universe {
    Universe { store: laconic_state::MemoryStore::simulated(), ..universe.fork() }
}

fn import(universe: &Universe, deployments: &[CompiledDeployment]) -> Arc<Plan> {
    let run = universe.apply(deployments, &Request { import: true, ..Request::default() });
    assert!(run.is_complete(), "{}", run.problems());
    assert!(run.plan.changes.iter().all(|change| change.action == Action::Import), "{:#?}", run.plan.changes);
    run.plan
}

fn namespace() -> ObjectKey {
    ObjectKey::new(ResourceType::Namespace, "", "shop")
}

fn annotations(universe: &Universe) -> Value {
    let live = universe.host.edit_object(&target(), &namespace(), "nobody", "spec.nothing", None).unwrap();
    live.attributes["metadata"]["annotations"].clone()
}

fn templates(universe: &Universe) -> String {
    let key = ObjectKey::new(ResourceType::Deployment, "shop", "laconic-shop-deployment");
    let live = universe.host.edit_object(&target(), &key, "nobody", "spec.paused", None).unwrap();
    live.attributes["spec"]["template"].to_string()
}

#[test]
fn a_lost_state_is_recovered_and_rolls_nothing() {
    for dialect in ["", "dialect: compose\n"] {
        let first = shop(dialect, "TOKEN");
        let second = shop(dialect, "OTHER");
        let universe = applied(&first);
        // Contents change, so that pods carry a digest of them.
        let run = universe.apply(&second, &Request::default());
        assert!(run.is_complete(), "{}", run.problems());
        let lost = lose_state(&universe);
        let before = templates(&lost);
        let taken = import(&lost, &second);
        let verdicts: Vec<VolumeVerdict> = taken.forecast.iter().map(|volume| volume.verdict).collect();
        assert_eq!(verdicts, [VolumeVerdict::Kept], "what is taken over is not new");
        assert_eq!(templates(&lost), before);
        let next = lost.plan(&second, &Request::default());
        assert_eq!(next.changes, [], "{dialect}");
        assert_eq!(next.drift, [], "{dialect}");
        let gone = lost.apply_with_consents(&second, &Request { destroy: true, ..Request::default() });
        assert!(gone.is_complete(), "{}", gone.problems());
    }
}

#[test]
fn what_the_spec_no_longer_wants_is_recorded_and_destroyed_by_the_next_plan() {
    let deployments = shop("", "TOKEN");
    let lost = lose_state(&applied(&deployments));
    let labels = json!({"app": "laconic-shop"});
    let left = [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "laconic-shop-old", "namespace": "shop", "labels": labels},
               "spec": {"ports": [{"port": 80}]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
               "metadata": {"name": "laconic-shop-ingress", "namespace": "shop", "labels": labels}, "spec": {}}),
    ];
    for object in &left {
        lost.host.create_object(&target(), object, "laconic-so").unwrap();
    }
    // Comes close: the label of another, another namespace, kept by a controller.
    let others = [
        json!({"name": "other", "namespace": "shop", "labels": {"app": "laconic-other"}}),
        json!({"name": "away", "namespace": "default", "labels": labels}),
        json!({"name": "kept", "namespace": "shop", "labels": labels,
               "ownerReferences": [{"kind": "Deployment", "name": "x", "uid": "u"}]}),
    ];
    for metadata in others {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}});
        lost.host.create_object(&target(), &object, "somebody").unwrap();
    }
    import(&lost, &deployments);
    let next = lost.plan(&deployments, &Request::default());
    let found: BTreeSet<(String, Action)> =
        next.changes.iter().map(|change| (change.address.to_string(), change.action)).collect();
    let expected =
        [("service.shop.old".to_owned(), Action::Delete), ("ingress.shop.ingress".to_owned(), Action::Delete)];
    assert_eq!(found, expected.into());
    let run = lost.apply(&deployments, &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert_eq!(lost.plan(&deployments, &Request::default()).changes, []);
    assert_eq!(lost.host.violations(), applied(&deployments).host.violations());
}

#[test]
fn a_namespace_that_was_there_before_is_stamped_and_never_deleted() {
    let deployments = shop("", "TOKEN");
    let universe = applied(&deployments);
    universe.host.edit_object(&target(), &namespace(), "kubectl", OWNER, None).unwrap();
    let lost = lose_state(&universe);
    import(&lost, &deployments);
    let stamped = annotations(&lost);
    assert_eq!(stamped["laconic.com/deployment-dir"], "/deployments/shop");
    assert_eq!(lost.plan(&deployments, &Request::default()).changes, []);
    // Losing the state once more does not make it ours.
    let again = lose_state(&lost);
    import(&again, &deployments);
    assert_eq!(again.plan(&deployments, &Request::default()).changes, []);
    for universe in [&lost, &again] {
        let request = Request { destroy: true, ..Request::default() };
        let plan = universe.plan(&deployments, &request);
        let cluster_goes = plan
            .changes
            .iter()
            .any(|change| change.address.resource_type == ResourceType::KindCluster && change.action == Action::Delete);
        let change =
            plan.changes.iter().find(|change| change.address.resource_type == ResourceType::Namespace).unwrap();
        assert!(cluster_goes || (change.action, &change.reason) == (Action::Forget, &Reason::NotOurs), "{change:#?}");
    }
}

#[test]
fn a_kept_namespace_outlives_its_deployment_and_is_free_again() {
    let deployments = shop("", "TOKEN");
    let universe = applied(&deployments);
    // Somebody else lives on the cluster, so that it stays.
    let mut files = MemorySources::default();
    files.insert("deployment.yml", b"cluster-id: laconic-main\ndeployment-id: laconic-two\nstack-source: s\n");
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    files.insert("spec.yml", b"stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: two\n");
    files.insert("compose/docker-compose-web.yml", b"services:\n  web:\n    image: example/web:1.0\n");
    let two = [compiled("two", &files).0];
    assert!(universe.apply(&two, &Request::default()).is_complete());
    universe.host.edit_object(&target(), &namespace(), "kubectl", OWNER, None).unwrap();
    let lost = lose_state(&universe);
    import(&lost, &deployments);
    import(&lost, &two);
    let gone = lost.apply_with_consents(&deployments, &Request { destroy: true, ..Request::default() });
    assert!(gone.is_complete(), "{}", gone.problems());
    let left = annotations(&lost);
    assert!(left["laconic.com/deployment-dir"].is_null(), "{left}");
    assert!(left["laconic.com/keep-namespace"].is_null(), "{left}");
    // Ours go as they always did.
    let gone = lost.apply_with_consents(&two, &Request { destroy: true, ..Request::default() });
    assert!(gone.is_complete(), "{}", gone.problems());
}

#[test]
fn a_namespace_of_another_directory_is_not_imported() {
    let deployments = shop("", "TOKEN");
    let universe = applied(&deployments);
    universe.host.edit_object(&target(), &namespace(), "kubectl", OWNER, Some("/elsewhere".into())).unwrap();
    let lost = lose_state(&universe);
    let codes = |plan: &Plan| plan.findings.iter().map(|finding| finding.code).collect::<Vec<_>>();
    let request = Request { import: true, ..Request::default() };
    // The same deployment-id: its directory was moved, and is stamped anew.
    let moved = lost.plan(&deployments, &request);
    assert!(!codes(&moved).contains(&Code::NamespaceOwned));
    lost.host
        .edit_object(&target(), &namespace(), "kubectl", "metadata.labels.app", Some("laconic-other".into()))
        .unwrap();
    let refused = lost.plan(&deployments, &request);
    assert!(codes(&refused).contains(&Code::NamespaceOwned) && refused.is_refused(), "{:#?}", refused.findings);
    // A moved directory is its own again.
    lost.host
        .edit_object(&target(), &namespace(), "kubectl", "metadata.labels.app", Some("laconic-shop".into()))
        .unwrap();
    import(&lost, &deployments);
    assert_eq!(annotations(&lost)["laconic.com/deployment-dir"], "/deployments/shop");
    assert!(annotations(&lost)["laconic.com/keep-namespace"].is_null());
    assert!(!lost.state(&Scope::deployment("shop")).resources.is_empty());
}
