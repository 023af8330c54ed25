use laconic_engine::resource::{Observed, UnknownReason};

use super::super::Fault;
use super::*;

fn cluster_key() -> ObjectKey {
    key(ResourceType::KindCluster, "main")
}

#[test]
fn a_cluster_is_made_once_with_its_mounts_and_ports() {
    let host = SimulatedHost::in_memory();
    assert_eq!(observe(&host, &main_target(), &[]).cluster, Observed::Absent);
    let enacted = enact(&host, &step(Operation::Create, &cluster_key(), Some(cluster()))).unwrap();
    let identity = enacted.identity.unwrap();
    assert_eq!(identity.node, enacted.live.unwrap().uid);
    assert!(host.host_path_exists("/srv/kind") && host.host_path_exists("/srv"));

    let seen = observe(&host, &main_target(), &[ResourceType::Namespace]);
    assert_eq!(seen.identity, Some(identity));
    let Observed::Present(live) = seen.cluster else { panic!() };
    assert_eq!(live.attributes["extraMounts"], cluster()["extraMounts"]);
    let objects = seen.objects.unwrap();
    assert_eq!(
        objects[&key(ResourceType::KindMount, "/mnt")].attributes,
        json!({"containerPath": "/mnt", "hostPath": "/srv/kind", "propagation": "HostToContainer"})
    );
    assert_eq!(
        objects[&key(ResourceType::KindPort, "80/tcp")].attributes,
        json!({"containerPort": 80, "hostPort": 80, "protocol": "TCP"})
    );

    let again = enact(&host, &step(Operation::Create, &cluster_key(), Some(cluster()))).unwrap_err();
    assert!(matches!(again, EnactError::Exists { .. }), "{again}");
    let mut other = step(Operation::Create, &key(ResourceType::KindCluster, "other"), Some(cluster()));
    other.target = Target::Kind("other".into());
    assert!(enact(&host, &other).unwrap_err().to_string().contains("port is already allocated"));
    let mut wanted = cluster();
    wanted["extraMounts"] = json!([]);
    wanted["image"] = json!("kindest/node:v1.35.0");
    let changed = enact(&host, &step(Operation::Update, &cluster_key(), Some(wanted))).unwrap_err();
    assert!(matches!(changed, EnactError::Refused(_)));
}

#[test]
fn mounts_and_ports_are_verified_and_go_only_with_the_cluster() {
    let host = host();
    let mount = key(ResourceType::KindMount, "/mnt");
    let attributes = json!({"containerPath": "/mnt", "hostPath": "/srv/kind", "propagation": "HostToContainer"});
    create(&host, &mount, attributes.clone()).unwrap();
    let elsewhere = json!({"containerPath": "/mnt", "hostPath": "/srv/other"});
    assert!(create(&host, &mount, elsewhere).unwrap_err().to_string().contains("not mounted"));
    let missing = create(&host, &key(ResourceType::KindMount, "/data"), attributes).unwrap_err();
    assert!(missing.to_string().contains("not mounted"), "{missing}");
    assert!(matches!(delete(&host, &mount), Err(EnactError::Refused(_))));
    host.delete_cluster("main").unwrap();
    delete(&host, &mount).unwrap();
}

#[test]
fn a_cluster_made_again_has_another_identity_and_no_objects() {
    let host = host();
    let before = observe(&host, &main_target(), &[]).identity.unwrap();
    host.replace_cluster("main").unwrap();
    let seen = observe(&host, &main_target(), &[ResourceType::Namespace]);
    let after = seen.identity.unwrap();
    assert_eq!(before.daemon, after.daemon);
    assert_ne!(before.node, after.node);
    assert_ne!(before.kube_system, after.kube_system);
    assert!(!seen.objects.unwrap().contains_key(&key(ResourceType::Namespace, "shop")));
}

#[test]
fn nothing_is_made_on_a_cluster_that_is_not_there() {
    let host = SimulatedHost::in_memory();
    let refused = create(&host, &key(ResourceType::ConfigMap, "a"), config_map("a", "1")).unwrap_err();
    assert!(refused.to_string().contains("could not locate any control plane nodes"), "{refused}");
}

#[test]
fn a_remote_cluster_always_exists_and_its_identity_stays() {
    let host = SimulatedHost::in_memory();
    let remote = Target::Kubernetes("prod".into());
    let before = observe(&host, &remote, &[ResourceType::Namespace]);
    assert!(matches!(before.cluster, Observed::Present(_)));
    host.create_object(&remote, &object(ResourceType::Namespace, "shop", json!({})), "kubectl").unwrap();
    let after = observe(&host, &remote, &[ResourceType::Namespace]);
    assert_eq!(before.identity, after.identity);
    assert_eq!(after.objects.unwrap().len(), before.objects.unwrap().len() + 1);
}

#[test]
fn the_overview_names_what_is_there() {
    let summary = host().summary();
    let main = &summary.clusters["main"];
    assert_eq!(main.mounts["/mnt"], "/srv/kind");
    assert_eq!(main.ports["80/tcp"], 80);
    assert!(main.objects[""].contains(&"Namespace shop: Active".to_owned()));
    assert!(summary.violations.is_empty());
}

#[test]
fn a_cluster_that_was_never_finished_is_made_from_the_start() {
    let host = SimulatedHost::in_memory();
    host.set_fault(Fault::DiesAfter { calls: 1, reply_lost: false }).unwrap();
    let died = enact(&host, &step(Operation::Create, &cluster_key(), Some(cluster()))).unwrap_err();
    assert!(matches!(died, EnactError::Unreachable(_)), "{died}");
    host.revive().unwrap();
    let seen = observe(&host, &main_target(), &[ResourceType::Namespace]);
    let Observed::Present(unfinished) = seen.cluster else { panic!() };
    assert!(matches!(seen.objects, Err(UnknownReason::Unfinished(_))), "{:?}", seen.objects);
    assert_eq!(seen.identity.unwrap().kube_system, "");
    let refused = create(&host, &key(ResourceType::ConfigMap, "a"), config_map("a", "1")).unwrap_err();
    assert!(matches!(refused, EnactError::Transient(_)), "{refused}");

    // A create takes nothing away; an update only what it was told of.
    let create = step(Operation::Create, &cluster_key(), Some(cluster()));
    let found = EnactError::Exists { uid: unfinished.uid.clone(), managers: Vec::new() };
    assert_eq!(enact(&host, &create).unwrap_err(), found);
    let finish = |uid: &str| Step {
        expected_uid: Some(uid.to_owned()),
        ..step(Operation::Update, &cluster_key(), Some(cluster()))
    };
    assert!(matches!(enact(&host, &finish("another")), Err(EnactError::Stale(_))));
    let finished = enact(&host, &finish(&unfinished.uid)).unwrap();
    assert_ne!(finished.live.unwrap().uid, unfinished.uid);
    assert_eq!(observe(&host, &main_target(), &[]).identity, finished.identity);
}

#[test]
fn a_stopped_node_still_shows_its_mounts_and_says_nothing_else() {
    let host = host();
    host.run_node("main", false).unwrap();
    let seen = observe(&host, &main_target(), &[ResourceType::Namespace]);
    let Observed::Present(live) = seen.cluster else { panic!() };
    assert_eq!(live.attributes["extraMounts"], cluster()["extraMounts"]);
    assert!(matches!(seen.objects, Err(UnknownReason::Unreachable(_))), "{:?}", seen.objects);
    let refused = create(&host, &key(ResourceType::ConfigMap, "a"), config_map("a", "1")).unwrap_err();
    assert!(matches!(refused, EnactError::Transient(_)), "{refused}");
    host.run_node("main", true).unwrap();
    create(&host, &key(ResourceType::ConfigMap, "a"), config_map("a", "1")).unwrap();
}
