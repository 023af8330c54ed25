//! A cluster whose creation was interrupted, and whose completion was interrupted again: making it anew on the way is no
//! reason to take it for somebody else's.

use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Action, Reason};
use laconic_engine::source::MemorySources;
use laconic_engine::state::Status;
use laconic_providers::simulated::{Call, Fault};
use laconic_tests::universe::{Request, Universe, compiled};

fn shop() -> [CompiledDeployment; 1] {
    let mut files = MemorySources::default();
    files.insert(
        "deployment.yml",
        b"cluster-id: laconic-main\ndeployment-id: laconic-shop\ndialect: compose\nstack-source: s\n",
    );
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    files.insert("spec.yml", b"stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\n");
    files.insert("compose/docker-compose-web.yml", b"services:\n  web:\n    image: example/web:1.0\n");
    [compiled("shop", &files).0]
}

#[test]
fn it_is_ours_however_often_it_was_interrupted() {
    let universe = Universe::default();
    let address = Address::kind_cluster("laconic-main");
    for turn in 0..3 {
        // The cluster is made, and nobody learns of it.
        universe.host.set_fault_on(Fault::DiesAfter { calls: 1, reply_lost: true }, &[Call::Enact]).unwrap();
        let run = universe.apply(&shop(), &Request::default());
        assert!(!run.is_complete(), "{turn}");
        universe.host.revive().unwrap();
        let state = universe.state(&Scope::cluster("laconic-main"));
        assert_eq!(state.resources[&address].status, Status::Pending(Action::Create), "{turn}");
        let plan = universe.plan(&shop(), &Request::default());
        assert!(!plan.is_refused(), "{turn}: {:#?}", plan.findings);
        let change = plan.change(&address).unwrap();
        assert_eq!((change.action, &change.reason), (Action::Update, &Reason::Interrupted), "{turn}");
        // What is half made is deleted and made anew by the provider that brings it to its end: another node.
        universe.host.replace_cluster("laconic-main").unwrap();
    }
    let run = universe.apply(&shop(), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert!(run.plan.changes.iter().any(|change| change.address.resource_type == ResourceType::KindCluster));
    let next = universe.plan(&shop(), &Request::default());
    assert_eq!(next.changes, []);
}
