//! The table "What stays" of the contract, row by row, on the simulated host: what is there after a stop, what a start
//! brings back, and what asks first.

use std::collections::{BTreeMap, BTreeSet};

use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::code::{Code, Severity};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::finding::Consent;
use laconic_engine::plan::{Action, Plan, StopOptions, VolumeEvent, VolumeVerdict};
use laconic_engine::resource::Target;
use laconic_engine::source::MemorySources;
use laconic_tests::universe::{Request, Universe, compiled};
use serde_json::json;

const CLUSTER: &str = "laconic-main";

fn deployment(name: &str, volumes: &[(&str, &str)]) -> CompiledDeployment {
    let mut files = MemorySources::default();
    let ids = format!("cluster-id: {CLUSTER}\ndeployment-id: laconic-{name}\nstack-source: s\ndialect: compose\n");
    files.insert("deployment.yml", ids.as_bytes());
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\njobs:\n  - seed\n");
    let mut spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: {name}\n\
         network:\n  http-proxy:\n    - host-name: {name}.example.com\n      routes:\n        - path: /\n          proxy-to: web:80\n\
         config:\n  TOKEN: $generate:hex:16$\nconfigmaps:\n  files: ./configmaps/files\nvolumes:\n"
    );
    let (mut mounts, mut names) = (String::new(), String::new());
    for (volume, path) in volumes {
        spec += &format!("  {volume}: {path}\n");
        mounts += &format!("      - {volume}:/{volume}\n");
        names += &format!("  {volume}:\n");
    }
    files.insert("spec.yml", spec.as_bytes());
    files.insert("configmaps/files/a.txt", b"one\n");
    let web = format!(
        "services:\n  web:\n    image: example/web:1.0\n    ports: ['80']\n    volumes:\n{mounts}      - files:/etc/files\n\
         volumes:\n{names}  files:\n"
    );
    files.insert("compose/docker-compose-web.yml", web.as_bytes());
    let seed = "services:\n  seed:\n    image: example/seed:1.0\n";
    files.insert("compose-jobs/docker-compose-seed.yml", seed.as_bytes());
    compiled(name, &files).0
}

/// One volume on the host and one inside the cluster.
fn shop() -> CompiledDeployment {
    deployment("shop", &[("data", "/srv/kind/shop/data"), ("scratch", "")])
}

/// Only a volume on the host.
fn vault() -> CompiledDeployment {
    deployment("vault", &[("data", "/srv/kind/vault/data")])
}

fn running(deployments: &[CompiledDeployment]) -> Universe {
    let universe = Universe::default();
    for one in deployments {
        let run = universe.apply(std::slice::from_ref(one), &Request::default());
        assert!(run.is_complete(), "{}", run.problems());
    }
    universe
}

fn stop(volumes: bool, namespace: bool, cluster: bool) -> Request {
    let options = StopOptions { delete_volumes: volumes, delete_namespace: namespace, delete_cluster: cluster };
    Request { stop: Some(options), ..Request::default() }
}

fn plain() -> Request {
    stop(false, false, false)
}

fn stopped(universe: &Universe, one: &CompiledDeployment, request: &Request) -> Plan {
    let run = universe.apply(std::slice::from_ref(one), request);
    assert!(run.is_complete(), "{}", run.problems());
    (*run.plan).clone()
}

fn started(universe: &Universe, one: &CompiledDeployment) {
    let run = universe.apply(std::slice::from_ref(one), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    let next = universe.plan(std::slice::from_ref(one), &Request::default());
    assert_eq!((next.changes, next.register), (Vec::new(), Vec::new()));
}

/// How many objects of each kind are in a deployment's namespace, its PersistentVolumes and its Namespace included.
fn objects(universe: &Universe, name: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let summary = universe.host.summary();
    let Some(cluster) = summary.clusters.get(CLUSTER) else { return found };
    let prefix = format!("laconic-{name}-");
    let cluster_wide = cluster.objects.get("").into_iter().flatten().filter(|line| {
        let object = line.split([' ', ':']).nth(1).unwrap_or_default();
        object == name || object.starts_with(&prefix)
    });
    for line in cluster.objects.get(name).into_iter().flatten().chain(cluster_wide) {
        *found.entry(line.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    found
}

fn kinds(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(kind, number)| ((*kind).to_owned(), *number)).collect()
}

fn overlay(universe: &Universe) -> Vec<String> {
    let summary = universe.host.summary();
    let data = summary.clusters.get(CLUSTER).map(|cluster| cluster.data.keys().cloned().collect::<Vec<_>>());
    data.unwrap_or_default().into_iter().filter(|path| path.contains("scratch")).collect()
}

fn has_cluster(universe: &Universe) -> bool {
    universe.host.summary().clusters.contains_key(CLUSTER)
}

fn is_registered_as_stopped(universe: &Universe, name: &str) -> bool {
    let register = universe.state(&Scope::cluster(CLUSTER)).tenants;
    register.get(name).unwrap_or_else(|| panic!("{name} left the register")).stopped
}

fn code_asks(plan: &Plan, consent: &Consent) -> bool {
    plan.missing_consents().contains(consent)
}

#[test]
fn a_stop_takes_down_what_runs_and_leaves_the_rest() {
    let universe = running(&[shop()]);
    let before = universe.host.summary();
    assert_eq!(objects(&universe, "shop").get("Deployment"), Some(&1));
    assert!(objects(&universe, "shop").contains_key("Ingress") && objects(&universe, "shop").contains_key("Job"));
    let plan = stopped(&universe, &shop(), &plain());
    let left = kinds(&[("Namespace", 1), ("PersistentVolume", 1), ("PersistentVolumeClaim", 2), ("Secret", 1)]);
    assert_eq!(objects(&universe, "shop"), left);
    let after = universe.host.summary();
    assert_eq!(after.host_data, before.host_data);
    assert_eq!(after.clusters[CLUSTER].data, before.clusters[CLUSTER].data, "the data inside the cluster is kept");
    assert_eq!(after.clusters[CLUSTER].node, before.clusters[CLUSTER].node, "the volume inside keeps the cluster");
    assert!(plan.forecast.iter().all(|volume| volume.verdict == VolumeVerdict::Kept), "{:#?}", plan.forecast);
    assert!(is_registered_as_stopped(&universe, "shop"));
    assert_eq!(after.violations, before.violations);
}

#[test]
fn a_stop_stopped_again_does_nothing_and_a_plan_says_that_it_is_stopped() {
    let universe = running(&[shop()]);
    assert!(universe.plan(&[shop()], &Request::default()).stopped.is_empty());
    stopped(&universe, &shop(), &plain());
    let again = universe.plan(&[shop()], &plain());
    assert!(!again.has_work(), "{:#?} {:#?}", again.changes, again.register);
    let next = universe.plan(&[shop()], &Request::default());
    assert_eq!(next.stopped, ["shop"]);
    assert!(next.changes.iter().all(|change| change.action == Action::Create), "{:#?}", next.changes);
}

#[test]
fn a_start_brings_everything_back_and_runs_no_completed_job_again() {
    let universe = running(&[shop()]);
    let (objects_before, before) = (objects(&universe, "shop"), universe.host.summary());
    let secrets = |plan: &Plan| plan.findings.iter().any(|finding| finding.code == Code::SecretLost);
    assert!(!secrets(&stopped(&universe, &shop(), &plain())));
    let plan = universe.plan(&[shop()], &Request::default());
    assert!(!plan.is_refused() && !secrets(&plan), "{:#?}", plan.findings);
    started(&universe, &shop());
    let mut expected = objects_before;
    expected.remove("Job");
    let mut found = objects(&universe, "shop");
    // The Job's pod went with it.
    found.retain(|kind, _| kind != "Pod");
    expected.retain(|kind, _| kind != "Pod");
    assert_eq!(found, expected, "and the Job that completed is not there");
    let state = universe.state(&Scope::deployment("shop"));
    assert!(state.resources.iter().any(|(address, one)| address.to_string() == "job.shop.seed" && one.completed));
    let after = universe.host.summary();
    assert_eq!(after.host_data.keys().collect::<Vec<_>>(), before.host_data.keys().collect::<Vec<_>>());
    assert!(!is_registered_as_stopped(&universe, "shop"));
}

#[test]
fn with_delete_volumes_claims_and_volumes_go_and_files_on_the_host_stay() {
    let universe = running(&[shop(), vault()]);
    let host_data = universe.host.summary().host_data;
    assert!(!overlay(&universe).is_empty());
    let plan = stopped(&universe, &shop(), &stop(true, false, false));
    assert_eq!(objects(&universe, "shop"), kinds(&[("Namespace", 1), ("Secret", 1)]));
    assert_eq!(universe.host.summary().host_data, host_data);
    assert!(overlay(&universe).is_empty(), "{:?}", overlay(&universe));
    assert!(plan.forecast.iter().any(|one| one.volume == "scratch" && one.verdict == VolumeVerdict::Lost));
    assert!(plan.forecast.iter().any(|one| one.volume == "data" && one.verdict == VolumeVerdict::Kept));
    assert!(is_registered_as_stopped(&universe, "shop"));
    assert!(objects(&universe, "vault").contains_key("PersistentVolume"), "nobody else's");
    started(&universe, &shop());
    assert_eq!(universe.host.summary().host_data.keys().count(), host_data.len());
}

#[test]
fn with_delete_namespace_the_volume_on_the_host_stays_and_data_inside_asks() {
    let universe = running(&[shop(), vault()]);
    let loss = Consent::DataLoss("shop/scratch".to_owned());
    let asks = universe.plan(&[shop()], &stop(false, true, false));
    assert!(code_asks(&asks, &loss), "{:#?}", asks.findings);
    assert_eq!(asks.missing_consents().len(), 1, "the flag is its consent to the rest");
    let request = Request { consents: BTreeSet::from([loss]), ..stop(false, true, false) };
    stopped(&universe, &shop(), &request);
    assert_eq!(objects(&universe, "shop"), kinds(&[("PersistentVolume", 1)]));
    assert!(is_registered_as_stopped(&universe, "shop"));
    let state = universe.state(&Scope::deployment("shop"));
    assert!(state.resources.keys().any(|address| address.to_string() == "persistent_volume.shop.data"));
    // The volume is Released now; Kubernetes would never bind it again by itself.
    let plan = universe.plan(&[shop()], &Request::default());
    assert!(plan.findings.iter().any(|finding| finding.code == Code::VolumeReleased));
    let data = plan.forecast.iter().find(|one| one.volume == "data").unwrap();
    assert_eq!(data.verdict, VolumeVerdict::Kept, "{data:?}");
    started(&universe, &shop());
    let summary = universe.host.summary();
    let volumes = summary.clusters[CLUSTER].objects[""].iter().filter(|line| line.contains("laconic-shop-data"));
    assert_eq!(volumes.collect::<Vec<_>>(), ["PersistentVolume laconic-shop-data: Bound"]);
}

#[test]
fn what_somebody_else_put_into_the_namespace_is_asked_about() {
    let universe = running(&[vault(), shop()]);
    let target = Target::Kind(CLUSTER.to_owned());
    let metadata = |name: &str| json!({"name": name, "namespace": "vault"});
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata("theirs"),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1G"}}}});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("token"), "data": {}});
    for object in [&claim, &secret] {
        universe.host.create_object(&target, object, "kubectl").unwrap();
    }
    for request in [stop(false, true, false), stop(true, true, false), Request { destroy: true, ..Request::default() }]
    {
        let plan = universe.plan(&[vault()], &request);
        let refusals: Vec<Code> = plan.refusals().map(|finding| finding.code).collect();
        assert_eq!(refusals, [Code::VolumeInUse], "{request:?}: {:#?}", plan.findings);
        let told = plan.findings.iter().find(|finding| finding.code == Code::UnrecordedObjects).unwrap();
        assert_eq!((told.severity, told.help.as_slice()), (Severity::Warning, &["Secret token".to_owned()][..]));
    }
    assert!(!universe.plan(&[vault()], &Request { skip_cluster: true, ..plain() }).is_refused(), "the namespace stays");
    let key = ObjectKey::new(ResourceType::PersistentVolumeClaim, "vault", "theirs");
    universe.host.delete_object(&target, &key).unwrap();
    stopped(&universe, &vault(), &stop(false, true, false));
    assert_eq!(objects(&universe, "vault"), kinds(&[("PersistentVolume", 1)]));
}

#[test]
fn a_namespace_that_was_there_before_is_not_deleted_by_a_stop() {
    let universe = running(&[vault(), shop()]);
    let target = Target::Kind(CLUSTER.to_owned());
    let key = ObjectKey::new(ResourceType::Namespace, "", "vault");
    let keep = "metadata.annotations[laconic.com/keep-namespace]";
    universe.host.edit_object(&target, &key, "laconic", keep, Some(json!("true"))).unwrap();
    stopped(&universe, &vault(), &stop(false, true, false));
    assert_eq!(objects(&universe, "vault"), kinds(&[("Namespace", 1), ("PersistentVolume", 1)]));
}

#[test]
fn the_last_stop_with_volumes_on_the_host_only_deletes_the_cluster_and_its_flag_is_the_consent() {
    let universe = running(&[vault()]);
    let host_data = universe.host.summary().host_data;
    let asks = universe.plan(&[vault()], &plain());
    assert!(code_asks(&asks, &Consent::ClusterDelete(CLUSTER.to_owned())), "{:#?}", asks.findings);
    let plan = stopped(&universe, &vault(), &stop(false, false, true));
    assert!(!has_cluster(&universe));
    assert_eq!(universe.host.summary().host_data, host_data);
    assert!(plan.forecast.iter().all(|volume| volume.verdict == VolumeVerdict::Kept), "{:#?}", plan.forecast);
    assert!(is_registered_as_stopped(&universe, "vault"));
    let next = universe.plan(&[vault()], &Request::default());
    assert_eq!(next.stopped, ["vault"]);
    assert!(next.forecast.iter().all(|volume| volume.verdict == VolumeVerdict::Kept), "{:#?}", next.forecast);
    let again = universe.plan(&[vault()], &plain());
    assert!(!again.has_work() && !again.is_refused(), "{:#?} {:#?}", again.changes, again.findings);
    started(&universe, &vault());
    assert!(has_cluster(&universe));
    let (after, before) = (universe.host.summary().host_data, host_data);
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(objects(&universe, "vault").get("Job"), None, "the Job completed on the cluster before");
}

#[test]
fn a_cluster_is_never_touched_when_that_is_said() {
    let universe = running(&[vault()]);
    let node = universe.host.summary().clusters[CLUSTER].node.clone();
    let plan = stopped(&universe, &vault(), &Request { skip_cluster: true, ..stop(false, false, true) });
    assert!(plan.changes.iter().all(|change| !change.address.scope.is_cluster()), "{:#?}", plan.changes);
    assert_eq!(universe.host.summary().clusters[CLUSTER].node, node);
    assert_eq!(objects(&universe, "vault").get("Deployment"), None);
}

#[test]
fn a_running_neighbour_keeps_the_cluster_and_a_stopped_one_goes_with_it() {
    let universe = running(&[vault(), deployment("other", &[("data", "/srv/kind/other/data")])]);
    let other = deployment("other", &[("data", "/srv/kind/other/data")]);
    let host_data = universe.host.summary().host_data;
    let first = stopped(&universe, &vault(), &stop(false, false, true));
    assert!(has_cluster(&universe), "another one runs on it");
    assert!(first.changes.iter().all(|change| !change.address.scope.is_cluster()), "{:#?}", first.changes);
    assert!(objects(&universe, "other").contains_key("Deployment"));
    stopped(&universe, &other, &stop(false, false, true));
    assert!(!has_cluster(&universe), "nobody runs on it any more");
    assert_eq!(universe.host.summary().host_data, host_data);
    let left = universe.state(&Scope::deployment("vault"));
    let names: Vec<String> = left.resources.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["job.vault.seed"], "what was on the cluster is recorded as gone, the Job as completed");
    assert!(is_registered_as_stopped(&universe, "vault") && is_registered_as_stopped(&universe, "other"));
    // One comes back alone; the other stays stopped.
    started(&universe, &vault());
    assert!(is_registered_as_stopped(&universe, "other"));
    assert_eq!(objects(&universe, "other"), kinds(&[]));
    started(&universe, &other);
    assert_eq!(universe.host.summary().host_data.len(), host_data.len());
}

#[test]
fn a_stopped_neighbour_with_data_inside_keeps_the_cluster() {
    let universe = running(&[shop(), vault()]);
    stopped(&universe, &shop(), &plain());
    stopped(&universe, &vault(), &stop(false, false, true));
    assert!(has_cluster(&universe));
    assert!(!overlay(&universe).is_empty());
    stopped(&universe, &shop(), &stop(true, false, true));
    assert!(!has_cluster(&universe), "nothing is kept in it any more");
}

/// Bytes that a claim left behind, by its reclaim policy, are nowhere but in the node.
#[test]
fn what_a_claim_left_in_the_node_keeps_the_cluster() {
    let universe = running(&[shop(), vault()]);
    let target = Target::Kind(CLUSTER.to_owned());
    let summary = universe.host.summary();
    let line = summary.clusters[CLUSTER].objects[""].iter().find(|line| line.contains("pvc-")).unwrap().clone();
    let name = line.trim_start_matches("PersistentVolume ").split(':').next().unwrap().to_owned();
    let volume = ObjectKey::new(ResourceType::PersistentVolume, "", &name);
    let policy = "spec.persistentVolumeReclaimPolicy";
    universe.host.edit_object(&target, &volume, "kubectl", policy, Some(json!("Retain"))).unwrap();
    stopped(&universe, &shop(), &stop(true, false, false));
    assert_eq!(overlay(&universe).len(), 1);
    let forecast = |plan: &Plan, event: VolumeEvent| plan.forecast[0].events[&event].verdict;
    let plan = universe.plan(&[vault()], &stop(false, false, true));
    assert_eq!(plan.change(&Address::kind_cluster(CLUSTER)).map(|change| change.action), None);
    assert_eq!(forecast(&plan, VolumeEvent::StopDeleteVolumes), VolumeVerdict::Kept);
    stopped(&universe, &vault(), &stop(false, false, true));
    assert!(has_cluster(&universe));
    assert_eq!(overlay(&universe).len(), 1);
    // A destroy takes the cluster along: it names them, and asks.
    started(&universe, &vault());
    let destroy = Request { destroy: true, ..Request::default() };
    let run = universe.apply_with_consents(&[shop()], &destroy);
    assert!(run.is_complete(), "{}", run.problems());
    let plan = universe.plan(&[vault()], &destroy);
    let finding = plan.findings.iter().find(|finding| finding.code == Code::UnrecordedObjects).unwrap();
    assert_eq!(finding.consent, Some(Consent::ClusterDelete(CLUSTER.to_owned())));
    let expected = format!("PersistentVolume {name}, with the data of the deleted claim shop/laconic-shop-scratch");
    assert_eq!(finding.help, [expected]);
    // Without them the last stop deletes the cluster.
    universe.host.delete_object(&target, &volume).unwrap();
    stopped(&universe, &vault(), &stop(false, false, true));
    assert!(!has_cluster(&universe));
}

#[test]
fn two_that_are_stopped_at_once_take_the_cluster_along() {
    let both = [vault(), deployment("other", &[("data", "/srv/kind/other/data")])];
    let universe = running(&both);
    let run = universe.apply(&both, &stop(false, false, true));
    assert!(run.is_complete(), "{}", run.problems());
    assert!(!has_cluster(&universe));
    assert!(is_registered_as_stopped(&universe, "vault") && is_registered_as_stopped(&universe, "other"));
    let run = universe.apply(&both, &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert!(!universe.plan(&both, &Request::default()).has_work());
}

#[test]
fn a_stopped_tenant_comes_back_as_stopped_when_the_cluster_is_made_anew() {
    let universe = running(&[vault(), shop()]);
    stopped(&universe, &vault(), &plain());
    let kept = objects(&universe, "vault");
    let node = universe.host.summary().clusters[CLUSTER].node.clone();
    let replace = BTreeSet::from([Address::kind_cluster(CLUSTER)]);
    let run = universe.apply_with_consents(&[shop()], &Request { replace, ..Request::default() });
    assert!(run.is_complete(), "{}", run.problems());
    assert_ne!(universe.host.summary().clusters[CLUSTER].node, node);
    assert_eq!(objects(&universe, "vault"), kept, "as it was recorded: stopped");
    assert!(is_registered_as_stopped(&universe, "vault"));
    assert!(!universe.plan(&[shop()], &Request::default()).has_work());
    started(&universe, &vault());
}

#[test]
fn what_nobody_recorded_needs_the_full_consent() {
    let universe = running(&[vault()]);
    let target = Target::Kind(CLUSTER.to_owned());
    let stranger = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "by-hand"}});
    universe.host.create_object(&target, &stranger, "kubectl").unwrap();
    let plan = universe.plan(&[vault()], &stop(false, false, true));
    assert!(code_asks(&plan, &Consent::ClusterDelete(CLUSTER.to_owned())), "{:#?}", plan.findings);
    let run = universe.apply(&[vault()], &stop(false, false, true));
    assert!(!run.is_complete());
    assert!(objects(&universe, "vault").contains_key("Deployment"), "nothing at all was done");
    let consents = BTreeSet::from([Consent::ClusterDelete(CLUSTER.to_owned())]);
    stopped(&universe, &vault(), &Request { consents, ..stop(false, false, true) });
    assert!(!has_cluster(&universe));
}

#[test]
fn the_last_destroy_beside_a_stopped_tenant_asks_and_leaves_its_register_entry() {
    let universe = running(&[vault(), deployment("other", &[])]);
    let other = deployment("other", &[]);
    stopped(&universe, &vault(), &plain());
    let destroy = Request { destroy: true, ..Request::default() };
    let plan = universe.plan(std::slice::from_ref(&other), &destroy);
    assert!(code_asks(&plan, &Consent::ClusterDelete(CLUSTER.to_owned())), "{:#?}", plan.findings);
    let run = universe.apply_with_consents(std::slice::from_ref(&other), &destroy);
    assert!(run.is_complete(), "{}", run.problems());
    assert!(!has_cluster(&universe));
    assert!(is_registered_as_stopped(&universe, "vault"));
    started(&universe, &vault());
}

#[test]
fn a_stop_looks_at_what_is_recorded_and_not_at_an_edited_spec() {
    let universe = running(&[vault()]);
    let edited = deployment("vault", &[("data", "/elsewhere/data"), ("more", "/elsewhere/more")]);
    let plan = universe.plan(std::slice::from_ref(&edited), &Request { skip_cluster: true, ..plain() });
    assert!(!plan.is_refused(), "{:#?}", plan.findings);
    stopped(&universe, &edited, &Request { skip_cluster: true, ..plain() });
    assert_eq!(objects(&universe, "vault").get("PersistentVolume"), Some(&1));
}

#[test]
fn a_stop_on_a_cluster_that_is_gone_makes_none() {
    for request in [plain(), stop(true, false, false), stop(false, false, true)] {
        for alone in [true, false] {
            let universe = if alone { running(&[vault()]) } else { running(&[vault(), shop()]) };
            universe.host.delete_cluster(CLUSTER).unwrap();
            let run = universe.apply(&[vault()], &request);
            assert!(run.is_complete(), "{request:?}: {}", run.problems());
            assert!(!has_cluster(&universe));
            assert!(is_registered_as_stopped(&universe, "vault"));
            started(&universe, &vault());
        }
    }
}

/// Killed after any number of steps and run again: as if nothing had happened, and the neighbour never notices.
#[test]
fn a_stop_that_is_killed_anywhere_is_brought_to_its_end() {
    use laconic_providers::simulated::{Call, Fault};
    for request in [plain(), stop(true, false, true), stop(false, false, true)] {
        for steps in 1..24 {
            let universe = running(&[vault()]);
            universe.host.set_fault_on(Fault::DiesAfter { calls: steps, reply_lost: true }, &[Call::Enact]).unwrap();
            let first = universe.apply_with_consents(&[vault()], &request);
            universe.host.revive().unwrap();
            let second = universe.apply_with_consents(&[vault()], &request);
            assert!(second.is_complete(), "{request:?} after {steps}: {}\n{}", first.problems(), second.problems());
            let again = universe.plan(&[vault()], &request);
            assert!(!again.has_work(), "{request:?} after {steps}: {:#?}", again.changes);
            assert!(is_registered_as_stopped(&universe, "vault"));
            started(&universe, &vault());
        }
    }
}
