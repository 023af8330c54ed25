use super::super::ViolationKind;
use super::*;

fn volume(path: &str) -> Value {
    object(
        ResourceType::PersistentVolume,
        "pg",
        json!({"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                        "storageClassName": "manual", "hostPath": {"path": path}}}),
    )
}

fn claim(named: bool) -> Value {
    let mut spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    if named {
        spec["storageClassName"] = json!("manual");
        spec["volumeName"] = json!("pg");
    }
    object(ResourceType::PersistentVolumeClaim, "pg", json!({"spec": spec}))
}

fn with_claim() -> Value {
    deployment("pg:1", json!([{"name": "d", "persistentVolumeClaim": {"claimName": "pg"}}]))
}

fn keys() -> (ObjectKey, ObjectKey, ObjectKey) {
    (
        key(ResourceType::PersistentVolume, "pg"),
        key(ResourceType::PersistentVolumeClaim, "pg"),
        key(ResourceType::Deployment, "web"),
    )
}

fn phase(host: &SimulatedHost, key: &ObjectKey) -> Option<String> {
    see(host, key)?.attributes["status"]["phase"].as_str().map(str::to_owned)
}

/// A host on which a pod wrote to its volume at that path in the node.
fn with_data(path: &str) -> SimulatedHost {
    let host = host();
    let (pv, pvc, web) = keys();
    create(&host, &pv, volume(path)).unwrap();
    assert_eq!(phase(&host, &pv).unwrap(), "Available");
    create(&host, &pvc, claim(true)).unwrap();
    assert_eq!((phase(&host, &pv).unwrap(), phase(&host, &pvc).unwrap()), ("Bound".into(), "Bound".into()));
    assert_eq!(ask(&host, &pvc), Readiness::Ready);
    create(&host, &web, with_claim()).unwrap();
    assert_eq!(host.claim_data(&main_target(), &pvc), None);
    become_ready(&host, &web);
    assert!(host.claim_data(&main_target(), &pvc).is_some());
    host
}

#[test]
fn data_under_a_mount_is_on_the_host_and_outlives_the_cluster() {
    let host = with_data("/mnt/pg");
    let data = host.volume_data("/srv/kind/pg").unwrap();
    host.delete_cluster("main").unwrap();
    assert_eq!(host.volume_data("/srv/kind/pg"), Some(data.clone()));
    host.create_cluster(&cluster()).unwrap();
    assert_eq!(host.volume_data("/srv/kind/pg"), Some(data));
}

#[test]
fn data_beside_every_mount_dies_with_the_cluster() {
    let host = with_data("/mnt2/pg");
    assert!(host.volume_data("overlay:/mnt2/pg").is_some());
    host.replace_cluster("main").unwrap();
    assert_eq!(host.volume_data("overlay:/mnt2/pg"), None);
}

#[test]
fn a_released_volume_keeps_its_claim_reference_until_it_is_taken_away() {
    let host = with_data("/mnt/pg");
    let (pv, pvc, web) = keys();
    delete(&host, &web).unwrap();
    delete(&host, &pvc).unwrap();
    assert_eq!(phase(&host, &pv).unwrap(), "Released");
    assert_eq!(see(&host, &pv).unwrap().attributes["spec"]["claimRef"]["name"], json!("pg"));
    create(&host, &pvc, claim(true)).unwrap();
    assert_eq!(
        ask(&host, &pvc),
        Readiness::Progressing("volume \"pg\" is still bound to an earlier claim shop/pg".into())
    );
    let mut rebound = volume("/mnt/pg");
    rebound["spec"]["claimRef"] = Value::Null;
    update(&host, &pv, rebound).unwrap();
    assert_eq!(ask(&host, &pvc), Readiness::Ready);
    let bound = update(&host, &pv, volume("/mnt/pg")).unwrap();
    assert_eq!(bound.attributes["spec"]["claimRef"]["name"], json!("pg"));
    delete(&host, &pvc).unwrap();
    delete(&host, &pv).unwrap();
    assert!(see(&host, &pv).is_none());
    assert!(host.volume_data("/srv/kind/pg").is_some());
    assert!(host.violations().is_empty(), "{:?}", host.violations());
}

#[test]
fn a_dynamic_claim_takes_its_bytes_with_it() {
    let host = host();
    let (_, pvc, web) = keys();
    create(&host, &pvc, claim(false)).unwrap();
    assert_eq!((phase(&host, &pvc).unwrap(), ask(&host, &pvc)), ("Pending".into(), Readiness::Ready));
    create(&host, &web, with_claim()).unwrap();
    become_ready(&host, &web);
    let live = see(&host, &pvc).unwrap();
    let path = format!("overlay:/var/local-path-provisioner/pvc-{}_shop_pg", live.uid);
    assert!(host.volume_data(&path).is_some());
    delete(&host, &web).unwrap();
    delete(&host, &pvc).unwrap();
    assert_eq!(host.volume_data(&path), None);
    assert!(
        observe(&host, &main_target(), &[ResourceType::PersistentVolume])
            .objects
            .unwrap()
            .keys()
            .all(|key| key.resource_type != ResourceType::PersistentVolume)
    );
}

#[test]
fn a_claim_in_use_terminates_when_its_pods_are_gone() {
    let host = with_data("/mnt/pg");
    let (pv, pvc, web) = keys();
    let left = |outcome: Result<Enacted, EnactError>| match outcome {
        Err(EnactError::Refused(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(left(delete(&host, &pv)).contains("pv-protection"));
    assert!(see(&host, &pv).unwrap().terminating);
    assert!(left(delete(&host, &pvc)).contains("pvc-protection"));
    assert!(see(&host, &pvc).unwrap().terminating);
    assert_eq!(host.violations()[0].kind, ViolationKind::DeletedInUse { by: pvc.clone() });
    assert_eq!(host.violations()[1].kind, ViolationKind::DeletedInUse { by: web.clone() });
    let mut stopped = with_claim();
    stopped["spec"]["replicas"] = json!(0);
    update(&host, &web, stopped).unwrap();
    assert!(see(&host, &pvc).is_none() && see(&host, &pv).is_none());
}

#[test]
fn deleting_a_namespace_takes_claims_and_leaves_volumes() {
    let host = with_data("/mnt/pg");
    let (pv, pvc, web) = keys();
    delete(&host, &key(ResourceType::Namespace, "shop")).unwrap();
    assert!(see(&host, &pvc).is_none() && see(&host, &web).is_none());
    assert_eq!(phase(&host, &pv).unwrap(), "Released");
    assert!(host.volume_data("/srv/kind/pg").is_some());
}

#[test]
fn claims_without_their_volume_and_growing_ones_are_refused_or_wait() {
    let host = host();
    let (pv, pvc, _) = keys();
    create(&host, &pvc, claim(true)).unwrap();
    assert_eq!(host.violations()[0].kind, ViolationKind::MissingReference { to: pv.clone() });
    assert_eq!(ask(&host, &pvc), Readiness::Progressing("volume \"pg\" does not exist".into()));
    create(&host, &pv, volume("/mnt/pg")).unwrap();
    assert_eq!(ask(&host, &pvc), Readiness::Ready);
    for size in ["500M", "2Gi"] {
        let mut resized = claim(true);
        resized["spec"]["resources"]["requests"]["storage"] = json!(size);
        let refused = update(&host, &pvc, resized).unwrap_err();
        assert!(refused.to_string().contains("spec.resources.requests.storage"), "{refused}");
    }
    let refused = update(&host, &pv, volume("/mnt/elsewhere")).unwrap_err();
    assert!(refused.to_string().contains("spec.persistentvolumesource"), "{refused}");
}

#[test]
fn volumes_of_a_remote_cluster_live_on_its_nodes() {
    let host = SimulatedHost::in_memory();
    let remote = Target::Kubernetes("prod".into());
    let (_, pvc, web) = keys();
    for object in [object(ResourceType::Namespace, "shop", json!({})), volume("/data/pg"), claim(true), with_claim()] {
        host.create_object(&remote, &object, "laconic").unwrap();
    }
    host.settle().unwrap();
    assert!(host.volume_data("node:/data/pg").is_some());
    assert!(host.claim_data(&remote, &pvc).is_some());
    host.delete_object(&remote, &web).unwrap();
    host.delete_object(&remote, &pvc).unwrap();
    assert!(host.volume_data("node:/data/pg").is_some());
}

#[test]
fn somebody_may_write_and_remove_files_of_the_host() {
    let host = with_data("/mnt/pg");
    host.write_host_data("/srv/kind/pg", "mine").unwrap();
    assert_eq!(host.volume_data("/srv/kind/pg").as_deref(), Some("mine"));
    host.remove_host_path("/srv/kind").unwrap();
    assert!(!host.host_path_exists("/srv/kind/pg") && host.host_path_exists("/srv"));
}
