//! A whole host that laconic-so made, taken over in one go: its cluster, Caddy and every deployment on it, one of them stopped.

use std::collections::BTreeMap;

use futures::executor::block_on;
use laconic_engine::address::{ObjectKey, ResourceType, Scope};
use laconic_engine::apply::{ObserveRequest, Provider as _, TargetRequest};
use laconic_engine::code::{Code, Severity};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Action, Plan};
use laconic_engine::resource::{Live, Target};
use laconic_engine::secret::{materialize, sources};
use laconic_engine::source::MemorySources;
use laconic_providers::simulated::{Call, Fault};
use laconic_tests::universe::{Request, Universe, compiled, values_of};
use serde_json::{Value, json};

/// The field manager that a server makes of the name of laconic-so's client.
const CLIENT: &str = "OpenAPI-Generator";

fn target() -> Target {
    Target::Kind("laconic-main".to_owned())
}

fn deployment(name: &str, spec: &str) -> CompiledDeployment {
    let mut files = MemorySources::default();
    let ids = format!("cluster-id: laconic-main\ndeployment-id: laconic-{name}\nstack-source: s\n");
    files.insert("deployment.yml", ids.as_bytes());
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\njobs:\n  - setup\n");
    let common = format!("stack: stacks/s\ndeploy-to: k8s-kind\nnamespace: {name}\n");
    files.insert("spec.yml", format!("{common}{spec}").as_bytes());
    files.insert(
        "compose/docker-compose-web.yml",
        b"services:\n  web:\n    image: example/web:1.0\n    ports: [\"80\"]\n    volumes:\n      - data:/data\nvolumes:\n  data:\n",
    );
    files.insert(
        "compose-jobs/docker-compose-setup.yml",
        b"services:\n  setup:\n    image: example/setup:1.0\n    command: [\"true\"]\n",
    );
    compiled(name, &files).0
}

fn shop(more: &str) -> CompiledDeployment {
    let served = "network:\n  acme-email: ops@example.com\n  http-proxy:\n    - host-name: shop.example.com\n      routes: [{path: /, proxy-to: \"web:80\"}]\n";
    deployment(
        "shop",
        &format!(
            "kind-mount-root: /srv/kind\n{served}config:\n  TOKEN: $generate:hex:16$\nvolumes:\n  data: /srv/kind/shop\n{more}"
        ),
    )
}

fn ledger() -> CompiledDeployment {
    deployment(
        "ledger",
        "kind-mount-root: /srv/kind\nsecurity: {unlimited-memlock: true}\nvolumes:\n  data: /srv/ledger\n",
    )
}

/// Stopped: of its objects, a stop of laconic-so leaves the namespace, the volume and its claim.
fn archive() -> CompiledDeployment {
    deployment("archive", "kind-mount-root: /srv/kind\nvolumes:\n  data: /srv/kind/archive\n")
}

fn tenants() -> [CompiledDeployment; 3] {
    [shop(""), ledger(), archive()]
}

/// The host as laconic-so leaves it: the same objects, made by its client, and no state.
fn host(deployments: &[CompiledDeployment]) -> Universe {
    let universe = Universe::default();
    create(&universe, deployments);
    // The Jobs come to their end.
    universe.host.settle().unwrap();
    universe
}

/// Makes the objects of deployments, and their cluster where there is none, as laconic-so's client does.
fn create(universe: &Universe, deployments: &[CompiledDeployment]) {
    let there = universe.host.summary().clusters.contains_key("laconic-main");
    let plan = Universe::default().plan(deployments, &Request::default());
    for change in plan.changes.iter().filter(|change| !there || !change.address.scope.is_cluster()) {
        let wanted = change.after.as_ref().unwrap();
        match change.address.resource_type {
            ResourceType::KindCluster => universe.host.create_cluster(wanted).unwrap(),
            ResourceType::KindMount | ResourceType::KindPort => {}
            resource_type => {
                let stays = matches!(
                    resource_type,
                    ResourceType::Namespace | ResourceType::PersistentVolume | ResourceType::PersistentVolumeClaim
                );
                if change.address.scope == Scope::deployment("archive") && !stays {
                    continue;
                }
                let object = materialize(wanted, &values_of(&sources(wanted))).unwrap();
                universe.host.create_object(&target(), &object, CLIENT).unwrap();
            }
        }
    }
}

/// What is on the cluster, by its uid and form; of namespaces without what an import stamps on them.
fn objects(universe: &Universe) -> BTreeMap<ObjectKey, (String, Value)> {
    let wanted = TargetRequest { types: ResourceType::ALL.iter().copied().collect(), ..TargetRequest::default() };
    let world = block_on(universe.host.observe(&ObserveRequest::from([(target(), wanted)])));
    let objects = world[&target()].objects.as_ref().unwrap().iter();
    let form = |live: &Live| {
        let mut form = live.attributes.clone();
        form["metadata"] = json!({"labels": form["metadata"]["labels"]});
        (live.uid.clone(), form)
    };
    objects.map(|(key, live)| (key.clone(), form(live))).collect()
}

/// Everything but the namespaces that every cluster has.
fn is_taken(key: &ObjectKey) -> bool {
    let others = ["default", "local-path-storage"];
    key.resource_type != ResourceType::Namespace || !(others.contains(&&*key.name) || key.name.starts_with("kube-"))
}

fn import() -> Request {
    Request { import: true, ..Request::default() }
}

fn is_at_rest(universe: &Universe, running: &[CompiledDeployment]) -> Result<(), String> {
    let next = universe.plan(running, &Request::default());
    if next.has_work() || !next.drift.is_empty() {
        return Err(format!(
            "{:#?}\n{:#?}\n{:#?}\n{:#?}",
            next.changes, next.register, next.completed_jobs, next.drift
        ));
    }
    Ok(())
}

#[test]
fn a_whole_host_is_taken_over_in_one_go() {
    let tenants = tenants();
    let universe = host(&tenants);
    let before = objects(&universe);
    let run = universe.apply(&tenants, &import());
    assert!(run.is_complete(), "{}", run.problems());
    assert!(run.plan.changes.iter().all(|change| change.action == Action::Import), "{:#?}", run.plan.changes);
    assert_eq!(objects(&universe), before, "what runs was changed");
    assert_eq!(run.plan.changes.len(), before.keys().filter(|key| is_taken(key)).count() + 1);
    is_at_rest(&universe, &tenants[..2]).unwrap();
    let state = universe.state(&Scope::cluster("laconic-main"));
    let stopped: Vec<(&str, bool)> =
        state.tenants.iter().map(|(name, tenant)| (name.as_str(), tenant.stopped)).collect();
    assert_eq!(stopped, [("archive", true), ("ledger", false), ("shop", false)]);
}

#[test]
fn killed_at_any_step_it_is_run_again() {
    let tenants = tenants();
    let before = host(&tenants);
    let (uids, running) = (objects(&before), &tenants[..2]);
    let again = |universe: &Universe, when: &str| {
        // A new process, which finds what was durable.
        let universe = universe.fork();
        let run = universe.apply(&tenants, &import());
        assert!(run.is_complete(), "{when}: {}", run.problems());
        is_at_rest(&universe, running).unwrap_or_else(|error| panic!("{when}: {error}"));
        assert_eq!(objects(&universe), uids, "{when}");
    };
    for calls in 1.. {
        let universe = before.fork();
        let fault = Fault::DiesAfter { calls, reply_lost: calls % 2 == 0 };
        universe.host.set_fault_on(fault, &[Call::Enact]).unwrap();
        let died = !universe.apply(&tenants, &import()).is_complete();
        universe.host.revive().unwrap();
        // Meanwhile nothing is done to what is half taken.
        let between = universe.fork().plan(running, &Request::default());
        assert_eq!(between.is_refused(), died, "after {calls} calls");
        assert!(said(&between).iter().all(|(code, ..)| *code == Code::ObjectExists), "{:#?}", between.findings);
        again(&universe, &format!("after {calls} calls"));
        if !died {
            assert!(calls > 30, "only {calls} calls");
            break;
        }
    }
    for records in 1.. {
        let universe = before.fork();
        universe.store.fail_append_after(records);
        let died = !universe.apply(&tenants, &import()).is_complete();
        again(&universe, &format!("after {records} records"));
        if !died {
            assert!(records > 10, "only {records} records");
            break;
        }
    }
}

fn said(plan: &Plan) -> Vec<(Code, Severity, &str)> {
    plan.findings.iter().map(|finding| (finding.code, finding.severity, finding.message.as_str())).collect()
}

#[test]
fn another_cluster_of_the_name_is_taken_over_only_with_the_deployments_on_it() {
    let tenants = tenants();
    let universe = host(&tenants);
    assert!(universe.apply(&tenants, &import()).is_complete());
    let emptied = universe.fork();
    emptied.host.replace_cluster("laconic-main").unwrap();
    let refused = emptied.plan(&tenants, &import());
    assert_eq!(said(&refused)[0].0, Code::ForeignCluster);
    assert!(refused.is_refused(), "{:#?}", refused.findings);

    // The same deployments on a cluster that somebody else made in the meantime.
    let restored = Universe { host: emptied.host, ..universe };
    restored.host.delete_cluster("laconic-main").unwrap();
    create(&restored, &tenants);
    let is_refused = restored.plan(&tenants[..2], &Request::default());
    assert_eq!(said(&is_refused)[0].0, Code::ForeignCluster);
    assert!(is_refused.is_refused());
    let run = restored.apply(&tenants, &import());
    assert!(run.is_complete(), "{}", run.problems());
    assert_eq!((said(&run.plan)[0].0, said(&run.plan)[0].1), (Code::ForeignCluster, Severity::Warning));
    is_at_rest(&restored, &tenants[..2]).unwrap();
}

#[test]
fn mounts_that_the_cluster_lacks_are_the_next_plans_business_and_only_of_who_wants_them() {
    let tenants = [shop(""), ledger()];
    let universe = host(&tenants[..1]);
    // It was started beside the shop by a program that did not look at mounts.
    create(&universe, &tenants[1..]);
    let run = universe.apply(&tenants, &import());
    assert!(run.is_complete(), "{}", run.problems());
    assert!(run.plan.recreates.is_empty());
    let next = universe.plan(&tenants, &Request::default());
    let missing: Vec<&str> =
        said(&next).into_iter().filter(|one| one.0 == Code::MountMissing).map(|(_, _, message)| message).collect();
    let running = "the running cluster `laconic-main` has no mount";
    let specification = "/deployments/ledger/high-memlock-spec.json";
    assert_eq!(
        missing,
        [format!("{running} {specification} -> {specification}"), format!("{running} /srv/ledger -> /mnt/data")]
    );
    let help = |plan: &Plan| plan.findings.iter().flat_map(|finding| finding.help.clone()).collect::<Vec<String>>();
    let no_path_helps = |one: &String| one.starts_with("no edit of paths avoids it") && one.contains(specification);
    assert!(help(&next).iter().any(no_path_helps), "{:#?}", help(&next));
    assert_eq!(next.recreates.len(), 1);
    // Without the limit there is an edit of paths. With the spec as that advice has it, nothing is made anew.
    let volume = |path: &str| {
        let ledger = deployment("ledger", &format!("kind-mount-root: /srv/kind\nvolumes:\n  data: {path}\n"));
        universe.plan(&[shop(""), ledger], &Request::default())
    };
    let limited = volume("/srv/ledger");
    assert!(help(&limited).iter().any(|one| one.trim() == "data: /srv/kind/ledger/data"), "{:#?}", help(&limited));
    let advised = volume("/srv/kind/ledger/data");
    assert!(advised.recreates.is_empty(), "{:#?}", advised.findings);
}
