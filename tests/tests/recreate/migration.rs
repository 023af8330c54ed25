//! A cluster without an umbrella gets one: directories of the host move below it, a volume of the node comes through the
//! vault, and whoever dies at any moment has lost nothing.

use std::sync::Arc;

use laconic_engine::address::{ResourceType, Scope};
use laconic_engine::code::Code;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{
    Migration, Plan, RecreatePhase, VolumeEvent, VolumeMove, VolumeReason, VolumeVerdict, Whereabouts,
};
use laconic_engine::source::MemorySources;
use laconic_engine::state::VolumeStorage;
use laconic_engine::vault::Vault as _;
use laconic_providers::simulated::{Failure, Fault};
use laconic_tests::settled::violations;
use laconic_tests::universe::{Request, Universe, compiled};

use crate::tenants::{CLUSTER, claim, secret, target};

const NAMES: [&str; 3] = ["blog", "ledger", "shop"];
const ROOT: &str = "/srv/kind";

/// A deployment with a volume on the host and one in the node: before the migration, or after it.
fn deployment(name: &str, is_edited: bool) -> CompiledDeployment {
    let (root, data, scratch) = if is_edited {
        let scratch = if name == "shop" { format!(" {ROOT}/shop/shop-scratch") } else { String::new() };
        (format!("kind-mount-root: {ROOT}\n"), format!("{ROOT}/{name}/{name}-data"), scratch)
    } else {
        (String::new(), format!("/data/{name}"), String::new())
    };
    files(name, &root, &data, &scratch, "A")
}

fn files(name: &str, root: &str, data: &str, scratch: &str, value: &str) -> CompiledDeployment {
    let mut files = MemorySources::default();
    let identity = format!("cluster-id: {CLUSTER}\ndeployment-id: laconic-{name}\ndialect: compose\nstack-source: s\n");
    files.insert("deployment.yml", identity.as_bytes());
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\n{root}namespace: {name}\n\
         network:\n  http-proxy:\n    - host-name: {name}.example.com\n      routes:\n        - path: /\n          proxy-to: web:8080\n\
         config:\n  SESSION_KEY: $generate:hex:32$\n  VALUE: {value}\n\
         volumes:\n  {name}-data: {data}\n  {name}-scratch:{scratch}\n"
    );
    files.insert("spec.yml", spec.as_bytes());
    let compose = format!(
        "services:\n  web:\n    image: example/web:1.0\n    ports: ['8080']\n    volumes:\n      - {name}-data:/data\n      - {name}-scratch:/scratch\nvolumes:\n  {name}-data:\n  {name}-scratch:\n"
    );
    files.insert("compose/docker-compose-web.yml", compose.as_bytes());
    compiled(name, &files).0
}

fn way(deployment: &str, volume: &str, from: Option<String>) -> VolumeMove {
    let (deployment, volume) = (deployment.to_owned(), format!("{deployment}-{volume}"));
    let to = format!("{ROOT}/{deployment}/{volume}");
    VolumeMove { deployment, volume, from, to, obstacle: None }
}

fn migration() -> Migration {
    let mut volumes: Vec<VolumeMove> =
        NAMES.iter().map(|name| way(name, "data", Some(format!("/data/{name}")))).collect();
    volumes.push(way("shop", "scratch", None));
    Migration { root: ROOT.to_owned(), volumes }
}

/// What `cluster migrate` asks for: one deployment planned from its edited spec, the others' files at hand.
fn migrating() -> Request {
    Request {
        rescue: ["shop/shop-scratch".to_owned()].into(),
        migrations: [(CLUSTER.to_owned(), migration())].into(),
        files: ["blog", "shop"].map(|name| deployment(name, true)).to_vec(),
        ..Request::default()
    }
}

fn before() -> Universe {
    let universe = Universe::default();
    for name in NAMES {
        let run = universe.apply_with_consents(&[deployment(name, false)], &Request::default());
        assert!(run.is_complete(), "{}", run.problems());
    }
    universe.host.create_object(&target(), &secret("shop", "by-hand", "aHVudGVyMg=="), "kubectl").unwrap();
    universe.host.settle().unwrap();
    universe
}

fn planned() -> [CompiledDeployment; 1] {
    [deployment("ledger", true)]
}

/// The bytes that must be there afterwards, and where they are now.
#[derive(Debug, PartialEq)]
struct Data {
    on_host: Vec<Option<String>>,
    rescued: Option<String>,
}

impl Data {
    fn look(universe: &Universe, is_moved: bool) -> Self {
        let path = |name: &str| if is_moved { format!("{ROOT}/{name}/{name}-data") } else { format!("/data/{name}") };
        Self {
            on_host: NAMES.iter().map(|name| universe.host.volume_data(&path(name))).collect(),
            rescued: universe.host.claim_data(&target(), &claim(universe, "shop", "shop-scratch")),
        }
    }
}

#[track_caller]
fn is_whole(universe: &Universe, data: &Data, what: &str) {
    assert!(universe.vault.is_empty(), "{what}: the vault is still there");
    for name in NAMES {
        let again = universe.plan(&[deployment(name, true)], &Request::default());
        assert!(!again.has_work(), "{what}: {name}: {:#?} {:#?} {:#?}", again.changes, again.recreates, again.register);
        assert!(universe.host.volume_data(&format!("/data/{name}")).is_none(), "{what}: {name} is in two places");
    }
    assert_eq!(Data::look(universe, true), *data, "{what}");
    assert_eq!(violations(universe), vec![], "{what}");
    let mounts = &universe.host.summary().clusters[CLUSTER].mounts;
    assert_eq!(*mounts, [("/mnt".to_owned(), ROOT.to_owned())].into(), "{what}: the old mounts are gone");
}

/// Runs again until there is nothing left to do: by whoever applies next where a vault says what is to be moved.
#[track_caller]
fn converge(universe: &Universe, request: &Request, what: &str) {
    for round in 0..6 {
        let mut request = request.clone();
        let is_begun = universe.vault.contents(CLUSTER).unwrap().is_some_and(|one| one.migration.is_some());
        if is_begun && round == 0 {
            request.migrations.clear();
            request.rescue.clear();
        }
        let plan = universe.plan(&planned(), &request);
        // What began before its deletion wants its consents again, for the rescue above all.
        if plan.is_refused() && is_begun && round == 0 {
            continue;
        }
        assert!(!plan.is_refused(), "{what}: {:#?}", plan.findings);
        if !plan.has_work() {
            return;
        }
        let run = universe.carry_out(plan, &planned());
        assert!(run.result.is_ok(), "{what}: {}", run.problems());
    }
    let plan = universe.plan(&planned(), request);
    panic!("{what}: it never ends: {:#?} {:#?}", plan.changes, plan.recreates);
}

fn fate(plan: &Plan, deployment: &str, volume: &str) -> (VolumeVerdict, VolumeReason) {
    let found = plan.forecast.iter().find(|one| one.deployment == deployment && one.volume == volume).unwrap();
    (found.verdict, found.because.clone())
}

#[test]
fn everything_is_below_the_umbrella_afterwards() {
    let universe = before();
    let data = Data::look(&universe, false);
    assert!(data.on_host.iter().all(Option::is_some) && data.rescued.is_some(), "{data:?}");
    let request = universe.request_with_consents(&planned(), &migrating());
    let plan = universe.plan(&planned(), &request);
    for name in NAMES {
        let to = format!("{ROOT}/{name}/{name}-data");
        let volume = format!("{name}-data");
        assert_eq!(fate(&plan, name, &volume), (VolumeVerdict::Kept, VolumeReason::Moved(to)));
        let forecast = plan.forecast.iter().find(|one| one.deployment == name && one.volume == volume).unwrap();
        assert_eq!(forecast.events[&VolumeEvent::ClusterRecreate].verdict, VolumeVerdict::Kept);
    }
    assert_eq!(fate(&plan, "shop", "shop-scratch"), (VolumeVerdict::Kept, VolumeReason::Rescued));
    assert_eq!(fate(&plan, "blog", "blog-scratch").0, VolumeVerdict::Lost);
    let mut consents: Vec<String> = request.consents.iter().map(ToString::to_string).collect();
    consents.sort();
    let expected = [
        "--allow-data-loss=blog/blog-scratch",
        "--allow-data-loss=ledger/ledger-scratch",
        &format!("--allow-recreate={CLUSTER}"),
    ];
    assert_eq!(consents, expected, "what is moved needs no consent");
    let [recreate] = plan.recreates.as_slice() else { panic!("{:#?}", plan.recreates) };
    let moves = recreate.migration.as_ref().unwrap();
    assert_eq!((moves.on_host().len(), moves.volumes.len()), (3, 4));
    assert!(recreate.phases.contains(&RecreatePhase::Move));
    assert_eq!(recreate.pending_edits, [].into(), "the edits of a migration are what is done");
    let run = universe.carry_out(plan, &planned());
    assert!(run.is_complete(), "{}", run.problems());
    is_whole(&universe, &data, "undisturbed");
    let tenants = universe.state(&Scope::cluster(CLUSTER)).tenants;
    assert!(tenants.values().all(|tenant| tenant.wishes.mount_root.as_deref() == Some(ROOT)));
    assert_eq!(tenants["shop"].volumes["shop-scratch"], VolumeStorage::Host(format!("{ROOT}/shop/shop-scratch")));
    let after = universe.plan(&[deployment("shop", true)], &Request::default());
    let bytes = after.forecast.iter().find(|one| one.volume == "shop-scratch").unwrap();
    assert_eq!(bytes.bytes.whereabouts, Whereabouts::Host(format!("{ROOT}/shop/shop-scratch")));
}

#[test]
fn a_stopped_deployment_moves_along_and_stays_stopped() {
    let universe = before();
    let stop = Request { stop: Some(laconic_engine::plan::StopOptions::default()), ..Request::default() };
    let run = universe.apply_with_consents(&[deployment("blog", false)], &stop);
    assert!(run.is_complete(), "{}", run.problems());
    let data = universe.host.volume_data("/data/blog");
    let run = universe.apply_with_consents(&planned(), &migrating());
    assert!(run.is_complete(), "{}", run.problems());
    let tenant = &universe.state(&Scope::cluster(CLUSTER)).tenants["blog"];
    assert!(tenant.stopped && !tenant.restoring);
    assert_eq!(universe.host.volume_data(&format!("{ROOT}/blog/blog-data")), data);
    assert!(data.is_some());
    let state = universe.state(&Scope::deployment("blog"));
    assert!(state.resources.keys().all(|address| address.resource_type != ResourceType::Deployment), "it runs");
    let run = universe.apply_with_consents(&[deployment("blog", true)], &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert_eq!(universe.host.volume_data(&format!("{ROOT}/blog/blog-data")), data);
}

#[test]
fn what_is_in_the_way_is_a_refusal() {
    let universe = before();
    let blocked = |request: &Request, planned: &[CompiledDeployment]| -> Vec<String> {
        let plan = universe.plan(planned, request);
        assert!(plan.refusals().all(|finding| finding.code == Code::MigrationBlocked), "{:#?}", plan.findings);
        plan.refusals().map(|finding| finding.message.clone()).collect()
    };
    assert_eq!(blocked(&migrating(), &planned()), [""; 0], "comes near");
    let mut request = migrating();
    request.migrations.get_mut(CLUSTER).unwrap().volumes[0].obstacle = Some("something is in it already".into());
    let expected = format!(
        "the data of `blog/blog-data` cannot be moved from /data/blog to {ROOT}/blog/blog-data: something is in it already"
    );
    assert_eq!(blocked(&request, &planned()), [expected]);
    let unreadable = Request { files: vec![deployment("shop", true)], ..migrating() };
    assert_eq!(blocked(&unreadable, &planned()).len(), 1, "nobody knows where the blog's volumes are to be");
    // An edit that nobody looked at would be applied among everything that is made anew.
    let root = format!("kind-mount-root: {ROOT}\n");
    let edited = files("ledger", &root, &format!("{ROOT}/ledger/ledger-data"), "", "B");
    let said = blocked(&migrating(), &[edited]);
    assert!(said.len() == 1 && said[0].contains("edits that are not applied"), "{said:?}");
}

/// The place fills between the plan and the move: it is seen in time, and neither data is given up for the other.
#[test]
fn a_place_that_fills_meanwhile_is_not_overwritten() {
    let universe = before();
    let data = Data::look(&universe, false);
    let request = universe.request_with_consents(&planned(), &migrating());
    let plan = universe.plan(&planned(), &request);
    universe.host.write_host_data(&format!("{ROOT}/shop/shop-data"), "somebody else's").unwrap();
    let run = universe.carry_out(plan, &planned());
    assert!(!run.is_complete());
    assert!(run.problems().contains("something is in it already"), "{}", run.problems());
    assert_eq!(universe.host.volume_data("/data/shop"), data.on_host[2]);
    let found = universe.host.volume_data(&format!("{ROOT}/shop/shop-data"));
    assert_eq!(found.as_deref(), Some("somebody else's"));
    universe.host.remove_host_path(&format!("{ROOT}/shop/shop-data")).unwrap();
    converge(&universe, &request, "the place is empty again");
    is_whole(&universe, &data, "the place is empty again");
}

#[test]
fn a_host_that_dies_at_any_call_loses_no_data() {
    let before = before();
    let data = Data::look(&before, false);
    let request = before.request_with_consents(&planned(), &migrating());
    let plan = Arc::new(before.plan(&planned(), &request));
    let rehearsal = before.fork();
    rehearsal.host.set_fault(Fault::FailsOnce { call: u64::MAX, kind: Failure::Transient }).unwrap();
    assert!(rehearsal.carry_out(Arc::clone(&plan), &planned()).is_complete());
    let calls = rehearsal.host.call_count();
    assert!(calls > 80, "{calls}");
    for call in 1..=calls {
        let kind = if call % 2 == 0 { Failure::Transient } else { Failure::Refused };
        let reply_lost = call % 3 == 0;
        for fault in [Fault::DiesAfter { calls: call, reply_lost }, Fault::FailsOnce { call, kind }] {
            let universe = before.fork();
            universe.host.set_fault(fault).unwrap();
            let run = universe.carry_out(Arc::clone(&plan), &planned());
            universe.host.revive().unwrap();
            let what = format!("{fault:?} ({})", run.problems());
            converge(&universe, &request, &what);
            is_whole(&universe, &data, &what);
        }
    }
}

#[test]
fn a_process_that_dies_at_any_record_or_write_of_the_vault_loses_no_data() {
    let before = before();
    let data = Data::look(&before, false);
    let request = before.request_with_consents(&planned(), &migrating());
    let plan = Arc::new(before.plan(&planned(), &request));
    for is_vault in [false, true] {
        for number in 0.. {
            let universe = before.fork();
            if is_vault {
                universe.vault.fail_after(number);
            } else {
                universe.store.fail_append_after(usize::try_from(number).unwrap());
            }
            let run = universe.carry_out(Arc::clone(&plan), &planned());
            let died = !run.is_complete();
            // A new process: faults are gone, what was durable is not.
            let universe = universe.fork();
            let what = format!("died after number {number} ({})", run.problems());
            converge(&universe, &request, &what);
            is_whole(&universe, &data, &what);
            if !died {
                assert!(number > 8, "{number}");
                break;
            }
        }
    }
}
