//! A create whose answer was lost: the next run meets its object, and knows it for its own by what it recorded before. An object
//! that somebody else made since the plan is not taken for one.

use laconic_engine::code::Code;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Action, Reason};
use laconic_engine::source::MemorySources;
use laconic_providers::simulated::{Call, Fault};
use laconic_tests::universe::{Request, Universe, compiled};

const SPEC: &str = "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\n";

fn shop(more: &str) -> [CompiledDeployment; 1] {
    let mut files = MemorySources::default();
    files.insert("deployment.yml", b"cluster-id: laconic-main\ndeployment-id: laconic-shop\ndialect: compose\n");
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    files.insert("spec.yml", format!("{SPEC}{more}").as_bytes());
    let compose = "services:\n  web:\n    image: example/web:1.0\n    ports: [\"80\"]\n";
    files.insert("compose/docker-compose-web.yml", compose.as_bytes());
    [compiled("shop", &files).0]
}

#[test]
fn what_a_lost_create_made_is_found_by_a_plan_that_nobody_looked_for() {
    let shop = shop("volumes: {data: /srv/kind/shop}\n");
    let offline = Request { offline: true, ..Request::default() };
    let mut met = 0;
    for calls in 1.. {
        let universe = Universe::default();
        let fault = Fault::DiesAfter { calls, reply_lost: true };
        universe.host.set_fault_on(fault, &[Call::Enact]).unwrap();
        let died = !universe.apply(&shop, &Request::default()).is_complete();
        universe.host.revive().unwrap();
        // Nobody looks: what was begun is planned as a create, and meets what it made.
        let run = universe.apply(&shop, &offline);
        assert!(run.is_complete(), "died after {calls} calls: {}", run.problems());
        let again = |change: &&laconic_engine::plan::Change| {
            (change.action, &change.reason) == (Action::Create, &Reason::Interrupted)
        };
        met += run.plan.changes.iter().filter(again).count();
        let next = universe.plan(&shop, &Request::default());
        assert_eq!(next.changes, [], "died after {calls} calls");
        if !died {
            break;
        }
    }
    assert!(met > 5, "only {met} objects were met");
}

#[test]
fn what_somebody_made_since_the_plan_is_not_taken() {
    let before = Universe::default();
    assert!(before.apply(&shop(""), &Request::default()).is_complete());
    let served =
        "network:\n  http-proxy:\n    - host-name: shop.example.com\n      routes: [{path: /, proxy-to: \"web:80\"}]\n";
    let more = shop(served);
    let plan = before.plan(&more, &Request::default());
    let new = plan.changes.iter().filter(|change| {
        change.action == Action::Create && change.reason == Reason::New && change.address.scope.name() == "shop"
    });
    let mut tried = 0;
    for change in new {
        let universe = before.fork();
        // Another deployment applies under the same name of a field manager.
        let object = change.after.as_ref().unwrap();
        universe.host.create_object(&change.target, object, "laconic").unwrap();
        let run = universe.carry_out(plan.clone(), &more);
        let problems = run.problems();
        assert!(problems.contains(&format!("{}: it exists since the plan was made", change.address)), "{problems}");
        tried += 1;
    }
    assert!(tried > 0, "nothing was to be made");
}

/// What died in the middle is told of by the next plan, and by none after the next apply; what only failed is not.
#[test]
fn an_apply_that_died_is_told_until_the_next_one() {
    let shop = shop("");
    let is_told = |universe: &Universe| {
        let plan = universe.plan(&shop, &Request::default());
        plan.findings.iter().any(|finding| finding.code == Code::Interrupted)
    };
    let universe = Universe::default();
    universe.store.fail_append_after(3);
    assert!(universe.apply(&shop, &Request::default()).result.is_err());
    // A new process, which finds what was durable.
    let universe = universe.fork();
    assert!(is_told(&universe));
    assert!(universe.apply(&shop, &Request::default()).is_complete());
    assert!(!is_told(&universe));
    let universe = Universe::default();
    universe.host.set_fault_on(Fault::DiesAfter { calls: 2, reply_lost: false }, &[Call::Enact]).unwrap();
    assert!(!universe.apply(&shop, &Request::default()).is_complete());
    universe.host.revive().unwrap();
    assert!(!is_told(&universe));
}
