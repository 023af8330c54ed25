//! Findings about bytes that need a live world: what triggers each, and what nearly does.

use std::collections::BTreeSet;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::code::{Code, Severity};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::finding::Finding;
use laconic_engine::plan::{Plan, VolumeEvent, VolumeVerdict};
use laconic_engine::resource::Target;
use laconic_engine::source::MemorySources;
use laconic_tests::universe::{Request, Universe, compiled};
use serde_json::{Value, json};

const CLUSTER: &str = "laconic-main";

/// A deployment with one volume, `data`.
fn deployment(name: &str, target: &str, volumes: &str) -> CompiledDeployment {
    let mut files = MemorySources::default();
    let identity = format!("cluster-id: {CLUSTER}\ndeployment-id: id-{name}\ndialect: compose\nstack-source: s\n");
    files.insert("deployment.yml", identity.as_bytes());
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec = format!("stack: stacks/s\n{target}\nnamespace: {name}\n{volumes}");
    files.insert("spec.yml", spec.as_bytes());
    let mounts = if volumes.is_empty() { "" } else { "    volumes: [\"data:/data\"]\nvolumes:\n  data:\n" };
    let web = format!("services:\n  web:\n    image: example/web:1.0\n{mounts}");
    files.insert("compose/docker-compose-web.yml", web.as_bytes());
    compiled(name, &files).0
}

fn on_kind(name: &str, path: &str) -> CompiledDeployment {
    deployment(name, "deploy-to: k8s-kind\nkind-mount-root: /srv/kind", &format!("volumes:\n  data:{path}\n"))
}

fn without_volume(name: &str) -> CompiledDeployment {
    deployment(name, "deploy-to: k8s-kind\nkind-mount-root: /srv/kind", "")
}

fn kind() -> Target {
    Target::Kind(CLUSTER.to_owned())
}

fn applied(deployments: &[CompiledDeployment]) -> Universe {
    let universe = Universe::default();
    for one in deployments {
        let run = universe.apply_with_consents(std::slice::from_ref(one), &Request::default());
        assert!(run.is_complete(), "{}", run.problems());
    }
    universe
}

fn planned(universe: &Universe, deployment: &CompiledDeployment) -> Plan {
    universe.plan(std::slice::from_ref(deployment), &Request::default())
}

#[track_caller]
fn only(plan: &Plan, code: Code) -> &Finding {
    let found: Vec<&Finding> = plan.findings.iter().filter(|finding| finding.code == code).collect();
    let [one] = found.as_slice() else { panic!("{found:#?}\n{:#?}", plan.findings) };
    assert!(one.place.is_some(), "no place: {one:#?}");
    assert!(!one.help.is_empty(), "no way out: {one:#?}");
    one
}

#[track_caller]
fn none(plan: &Plan, code: Code) {
    assert!(plan.findings.iter().all(|finding| finding.code != code), "{:#?}", plan.findings);
}

fn workload(namespace: &str, name: &str, claim: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "somebody"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "somebody"}}, "template": {
            "metadata": {"labels": {"app": "somebody"}},
            "spec": {"containers": [{"name": "c", "image": "example/c:1"}],
                     "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]}}},
    })
}

#[test]
fn a_volume_that_another_workload_mounts_is_not_deleted() {
    let universe = applied(&[on_kind("shop", "")]);
    none(&planned(&universe, &without_volume("shop")), Code::VolumeInUse);
    // One that mounts another claim comes close.
    universe.host.create_object(&kind(), &workload("shop", "near", "other"), "kubectl").unwrap();
    none(&planned(&universe, &without_volume("shop")), Code::VolumeInUse);
    universe.host.create_object(&kind(), &workload("shop", "reader", "id-shop-data"), "kubectl").unwrap();
    let plan = planned(&universe, &without_volume("shop"));
    let finding = only(&plan, Code::VolumeInUse);
    assert_eq!(finding.severity, Severity::Refusal);
    assert!(finding.message.contains("the Deployment shop/reader of `somebody` mounts it"), "{}", finding.message);
    assert!(plan.is_refused());
    none(&planned(&universe, &on_kind("shop", "")), Code::VolumeInUse);
}

#[test]
fn a_namespace_with_somebodys_claim_is_not_deleted() {
    let universe = applied(&[on_kind("shop", " /srv/kind/shop")]);
    let destroy = Request { destroy: true, ..Request::default() };
    let shop = [on_kind("shop", " /srv/kind/shop")];
    // A second deployment keeps the cluster: with it everything would go, which is another danger.
    let blog = universe.apply_with_consents(&[without_volume("blog")], &Request::default());
    assert!(blog.is_complete(), "{}", blog.problems());
    none(&universe.plan(&shop, &destroy), Code::VolumeInUse);
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "mine", "namespace": "shop"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    universe.host.create_object(&kind(), &claim, "kubectl").unwrap();
    let plan = universe.plan(&shop, &destroy);
    let finding = only(&plan, Code::VolumeInUse);
    assert!(finding.message.contains("`shop/mine`"), "{}", finding.message);
}

#[test]
fn bytes_under_a_missing_mount_are_told() {
    let wanted = on_kind("shop", " /data/shop");
    let universe = Universe::default();
    universe.host.create_cluster(&json!({"name": CLUSTER, "extraMounts": []})).unwrap();
    let skip = Request { skip_cluster: true, untried: true, ..Request::default() };
    let deployments = std::slice::from_ref(&wanted);
    let plan = universe.plan(deployments, &skip);
    none(&plan, Code::OverlayBytes);
    let run = universe.carry_out(plan, deployments);
    assert!(run.is_complete(), "{}", run.problems());
    let plan = universe.plan(deployments, &skip);
    let finding = only(&plan, Code::OverlayBytes);
    assert!(finding.message.contains("at /mnt/data"), "{}", finding.message);
    assert!(finding.help[0].contains("docker cp laconic-main-control-plane:/mnt/data/."), "{:?}", finding.help);
    let fates = &plan.forecast[0].events;
    assert_eq!(fates[&VolumeEvent::PodRestart].verdict, VolumeVerdict::Kept);
    assert_eq!(fates[&VolumeEvent::ClusterRecreate].verdict, VolumeVerdict::Lost);
    // With the mount the same files are the host's.
    let universe = applied(&[on_kind("shop", " /data/shop")]);
    none(&planned(&universe, &wanted), Code::OverlayBytes);
}

#[test]
fn a_directory_that_was_made_again_under_a_mount_is_told() {
    let shop = on_kind("shop", " /srv/kind/shop");
    let universe = applied(std::slice::from_ref(&shop));
    // Within the mount the node sees what is done.
    universe.host.remove_host_path("/srv/kind/shop").unwrap();
    none(&planned(&universe, &shop), Code::MountSourceReplaced);
    universe.host.remove_host_path("/srv/kind").unwrap();
    universe.host.write_host_data("/srv/kind/shop", "restored").unwrap();
    let plan = planned(&universe, &shop);
    let finding = only(&plan, Code::MountSourceReplaced);
    assert!(finding.message.starts_with("/srv/kind was deleted"), "{}", finding.message);
    assert_eq!(plan.forecast[0].events[&VolumeEvent::ClusterRecreate].verdict, VolumeVerdict::Lost);
    // A node that starts again sees what the host has.
    universe.host.run_node(CLUSTER, false).unwrap();
    universe.host.run_node(CLUSTER, true).unwrap();
    let plan = planned(&universe, &shop);
    none(&plan, Code::MountSourceReplaced);
    assert_eq!(plan.forecast[0].events[&VolumeEvent::ClusterRecreate].verdict, VolumeVerdict::Kept);
}

#[test]
fn nodes_are_counted_before_anything_is_said_of_several() {
    let target = "deploy-to: k8s\nkube-config: kubeconfig.yml";
    let shop = deployment("shop", target, "volumes:\n  data: /data/shop\n");
    let universe = applied(std::slice::from_ref(&shop));
    none(&planned(&universe, &shop), Code::NodeLocalVolume);
    // On a kind cluster of several nodes the mounts of one say nothing of the others.
    let blog = on_kind("blog", " /srv/kind/blog");
    let universe = applied(std::slice::from_ref(&blog));
    none(&planned(&universe, &blog), Code::NodeLocalVolume);
    universe.host.set_node_count(&kind(), 3).unwrap();
    let plan = planned(&universe, &blog);
    assert!(only(&plan, Code::NodeLocalVolume).message.contains("has 3"));
    assert_eq!(plan.forecast[0].events[&VolumeEvent::ClusterRecreate].verdict, VolumeVerdict::Unknown);
}

#[test]
fn data_that_stays_behind_is_told() {
    let universe = applied(&[on_kind("shop", " /srv/kind/shop")]);
    // The same place in other words.
    none(&planned(&universe, &on_kind("shop", " /srv/kind/x/../shop/")), Code::DataLeftBehind);
    let plan = planned(&universe, &on_kind("shop", " /srv/kind/moved"));
    let finding = only(&plan, Code::DataLeftBehind);
    assert!(finding.message.contains("stays behind in /srv/kind/shop"), "{}", finding.message);
    assert!(finding.help[0].contains("cp -a /srv/kind/shop/. /srv/kind/moved/"), "{:?}", finding.help);
    assert_eq!(plan.forecast[0].verdict, VolumeVerdict::LeftBehind);
    assert!(plan.is_refused(), "it asks");
}

/// The reclaim policy that the volume has now decides, not the one that its class gives.
#[test]
fn a_volume_that_was_retained_is_not_lost() {
    let shop = on_kind("shop", "");
    let universe = applied(&[shop.clone(), without_volume("blog")]);
    let verdict = |universe: &Universe| {
        let plan = planned(universe, &without_volume("shop"));
        let asked: BTreeSet<Code> = plan.findings.iter().map(|finding| finding.code).collect();
        (plan.forecast.iter().find(|one| one.volume == "data").unwrap().verdict, asked.contains(&Code::DataLoss))
    };
    assert_eq!(verdict(&universe), (VolumeVerdict::Lost, true));
    let summary = universe.host.summary();
    let line = summary.clusters[CLUSTER].objects[""].iter().find(|line| line.contains("pvc-")).unwrap().clone();
    let name = line.trim_start_matches("PersistentVolume ").split(':').next().unwrap();
    let key = ObjectKey::new(ResourceType::PersistentVolume, "", name);
    let policy = "spec.persistentVolumeReclaimPolicy";
    universe.host.edit_object(&kind(), &key, "kubectl", policy, Some(json!("Retain"))).unwrap();
    assert_eq!(verdict(&universe), (VolumeVerdict::Kept, false));
    // And what nobody can read is not known, and asked for.
    universe.host.run_node(CLUSTER, false).unwrap();
    assert_eq!(verdict(&universe), (VolumeVerdict::Unknown, true));
}
