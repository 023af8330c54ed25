use super::super::ViolationKind;
use super::*;

#[test]
fn a_create_finds_what_is_there() {
    let host = host();
    let key = key(ResourceType::ConfigMap, "a");
    let live = create(&host, &key, config_map("a", "1")).unwrap();
    assert_eq!(live.attributes["metadata"]["uid"], json!(live.uid));
    let exists = create(&host, &key, config_map("a", "1")).unwrap_err();
    assert_eq!(exists, EnactError::Exists { uid: live.uid, managers: vec!["laconic".into()] });
}

#[test]
fn namespaced_objects_need_their_namespace() {
    let host = host();
    delete(&host, &key(ResourceType::Namespace, "shop")).unwrap();
    let refused = create(&host, &key(ResourceType::ConfigMap, "a"), config_map("a", "1")).unwrap_err();
    assert_eq!(refused, EnactError::Refused("namespaces \"shop\" not found".into()));
}

#[test]
fn quantities_are_stored_canonically_and_an_equal_update_changes_nothing() {
    let host = host();
    let mut wanted = deployment("web:1", json!([]));
    wanted["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "4.0", "memory": "2000M"}});
    let web = key(ResourceType::Deployment, "web");
    let live = create(&host, &web, wanted.clone()).unwrap();
    let requests = &live.attributes["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"];
    assert_eq!(*requests, json!({"cpu": "4", "memory": "2G"}));
    let again = update(&host, &web, wanted).unwrap();
    assert_eq!(again, live);
}

#[test]
fn fields_no_longer_sent_go_and_those_of_others_stay() {
    let host = host();
    let web = key(ResourceType::Deployment, "web");
    let mut wanted = deployment("web:1", json!([]));
    wanted["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "1"}]);
    wanted["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "side", "image": "s"}));
    wanted["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    create(&host, &web, wanted).unwrap();
    let path = "spec.template.spec.containers[web].env[B].value";
    host.edit_object(&main_target(), &web, "kubectl-edit", path, Some(json!("2"))).unwrap();
    let live = update(&host, &web, deployment("web:2", json!([]))).unwrap();
    let pod = &live.attributes["spec"]["template"]["spec"];
    assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    assert_eq!(pod["containers"][0]["image"], json!("web:2"));
    assert_eq!(pod["containers"][0]["env"], json!([{"name": "B", "value": "2"}]));
    assert!(pod.get("nodeSelector").is_none());
    assert_eq!(pod["dnsPolicy"], json!("ClusterFirst"));
    assert_eq!(live.attributes["metadata"]["generation"], json!(3));
}

#[test]
fn another_managers_field_is_a_conflict_unless_forced() {
    let host = host();
    let a = key(ResourceType::ConfigMap, "a");
    create(&host, &a, config_map("a", "1")).unwrap();
    let live = host.edit_object(&main_target(), &a, "kubectl-edit", "data.a", Some(json!("2"))).unwrap();
    let owner = live.owners.iter().find(|owner| owner.manager == "kubectl-edit").unwrap();
    assert_eq!(owner.paths, ["data.a".to_owned()].into());
    assert!(owner.time.starts_with("2026-01-01T00:00:"), "{}", owner.time);
    let conflict = update(&host, &a, config_map("a", "3")).unwrap_err();
    assert!(matches!(&conflict, EnactError::Stale(text) if text.contains("conflict with \"kubectl-edit\": .data.a")));
    let mut forced = step(Operation::Update, &a, Some(config_map("a", "3")));
    forced.force_conflicts = true;
    let live = enact(&host, &forced).unwrap().live.unwrap();
    assert_eq!(live.attributes["data"]["a"], json!("3"));
    assert_eq!(live.owners.len(), 1);
    // The same value is no conflict: both own it.
    host.edit_object(&main_target(), &a, "kubectl-edit", "data.a", Some(json!("4"))).unwrap();
    assert_eq!(update(&host, &a, config_map("a", "4")).unwrap().owners.len(), 2);
}

#[test]
fn immutable_fields_are_refused_by_name() {
    let host = host();
    let web = key(ResourceType::Deployment, "web");
    create(&host, &web, deployment("web:1", json!([]))).unwrap();
    let mut wanted = deployment("web:1", json!([]));
    wanted["spec"]["selector"]["matchLabels"]["app"] = json!("other");
    let refused = update(&host, &web, wanted).unwrap_err();
    assert!(
        matches!(&refused, EnactError::Refused(text)
        if text.starts_with("Deployment.apps \"web\" is invalid: spec.selector: ")),
        "{refused}"
    );
}

#[test]
fn another_uid_is_stale_and_remembered() {
    let host = host();
    let a = key(ResourceType::ConfigMap, "a");
    let live = create(&host, &a, config_map("a", "1")).unwrap();
    let again = host.recreate_object(&main_target(), &a).unwrap();
    assert_ne!(live.uid, again.uid);
    for operation in [Operation::Update, Operation::Delete] {
        let object = (operation == Operation::Update).then(|| config_map("a", "2"));
        let mut step = step(operation, &a, object);
        step.expected_uid = Some(live.uid.clone());
        assert!(matches!(enact(&host, &step), Err(EnactError::Stale(_))));
    }
    assert_eq!(see(&host, &a).unwrap().uid, again.uid);
    let violations = host.violations();
    assert_eq!(violations.len(), 1);
    assert!(matches!(violations[0].kind, ViolationKind::DeletedOtherUid { .. }));
}

#[test]
fn deleting_what_is_not_there_succeeds_and_what_is_not_ours_is_remembered() {
    let host = host();
    let a = key(ResourceType::ConfigMap, "a");
    delete(&host, &a).unwrap();
    let mut foreign = config_map("a", "1");
    foreign["metadata"]["labels"] = json!({});
    host.create_object(&main_target(), &foreign, "kubectl").unwrap();
    assert!(host.violations().is_empty());
    delete(&host, &a).unwrap();
    assert_eq!(host.violations()[0].kind, ViolationKind::DeletedUnowned);
}

#[test]
fn references_are_watched() {
    let host = host();
    let volumes = json!([{"name": "c", "configMap": {"name": "a"}}, {"name": "s", "secret": {"secretName": "s", "optional": true}}]);
    let web = key(ResourceType::Deployment, "web");
    create(&host, &web, deployment("web:1", volumes)).unwrap();
    let a = key(ResourceType::ConfigMap, "a");
    assert_eq!(host.violations()[0].kind, ViolationKind::MissingReference { to: a.clone() });
    let why = "0 of 1 replicas ready: configmap \"a\" not found";
    assert_eq!(ask(&host, &web), Readiness::Progressing(why.into()));
    create(&host, &a, config_map("a", "1")).unwrap();
    become_ready(&host, &web);
    delete(&host, &a).unwrap();
    assert_eq!(host.violations()[1].kind, ViolationKind::DeletedInUse { by: web });
    let ingress = object(
        ResourceType::Ingress,
        "i",
        json!({"spec": {"rules": [{"host": "h", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "svc", "port": {"number": 80}}}}]}}]}}),
    );
    create(&host, &key(ResourceType::Ingress, "i"), ingress).unwrap();
    let to = key(ResourceType::Service, "svc");
    assert_eq!(host.violations()[2].kind, ViolationKind::MissingReference { to });
}

#[test]
fn workloads_become_ready_when_asked_again() {
    let host = host();
    let web = key(ResourceType::Deployment, "web");
    create(&host, &web, deployment("web:1", json!([]))).unwrap();
    let progressing = Readiness::Progressing("0 of 1 replicas ready: container web: pulling image \"web:1\"".into());
    assert_eq!(ask(&host, &web), progressing);
    assert_eq!(ask(&host, &web), Readiness::Ready);
    assert_eq!(see(&host, &web).unwrap().attributes["status"]["readyReplicas"], json!(1));
    update(&host, &web, deployment("does-not-exist:1", json!([]))).unwrap();
    let why = "0 of 1 replicas ready: container web: image \"does-not-exist:1\" cannot be pulled: does-not-exist:1: not found";
    assert_eq!(ask(&host, &web), Readiness::Failed(why.into()));

    for (image, outcome) in [("migrate:1", true), ("fails:1", false)] {
        let job_key = key(ResourceType::Job, &image.replace(':', "-"));
        let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "j", "image": image}]}});
        let job = object(ResourceType::Job, &job_key.name, json!({"spec": {"template": template}}));
        create(&host, &job_key, job).unwrap();
        assert!(matches!(ask(&host, &job_key), Readiness::Progressing(_)));
        assert_eq!(ask(&host, &job_key) == Readiness::Ready, outcome, "{image}");
        assert_eq!(ask(&host, &job_key) == Readiness::Ready, outcome, "{image}");
    }
}

#[test]
fn an_ingress_waits_for_its_controller_and_its_service() {
    let host = host();
    let ingress = key(ResourceType::Ingress, "i");
    let spec =
        json!({"ingressClassName": "caddy", "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}});
    create(&host, &ingress, object(ResourceType::Ingress, "i", json!({ "spec": spec }))).unwrap();
    let waits = |why: &str| assert_eq!(ask(&host, &ingress), Readiness::Progressing(why.into()));
    waits("service \"web\", to which it leads, does not exist");
    let service = object(ResourceType::Service, "web", json!({"spec": {"ports": [{"port": 80}]}}));
    create(&host, &key(ResourceType::Service, "web"), service).unwrap();
    waits("no ingress controller serves class \"caddy\"");
    let namespace = json!({"kind": "Namespace", "metadata": {"name": "caddy-system"}});
    host.create_object(&main_target(), &namespace, "x").unwrap();
    let mut caddy = deployment("caddy", json!([]));
    caddy["metadata"]["namespace"] = json!("caddy-system");
    caddy["metadata"]["labels"] = json!({"app.kubernetes.io/name": "caddy-ingress-controller"});
    host.create_object(&main_target(), &caddy, "x").unwrap();
    waits("no ingress controller runs: deployment web in namespace caddy-system is not ready");
    become_ready(&host, &ObjectKey::new(ResourceType::Deployment, "caddy-system", "web"));
    assert_eq!(ask(&host, &ingress), Readiness::Ready);
}

#[test]
fn lists_are_counted_and_single_keys_are_found() {
    let host = host();
    create(&host, &key(ResourceType::ConfigMap, "a"), config_map("a", "1")).unwrap();
    let wanted = TargetRequest {
        types: [ResourceType::Namespace, ResourceType::Secret].into(),
        keys: [key(ResourceType::ConfigMap, "a"), key(ResourceType::ConfigMap, "none")].into(),
        ..TargetRequest::default()
    };
    let world = block_on(host.observe(&[(main_target(), wanted)].into()));
    let objects = world[&main_target()].objects.as_ref().unwrap();
    assert!(objects.contains_key(&key(ResourceType::ConfigMap, "a")));
    assert!(objects[&key(ResourceType::ConfigMap, "a")].attributes["metadata"].get("managedFields").is_none());
    assert_eq!((host.calls().list, host.calls().get, host.calls().create), (2, 2, 2));
}

#[test]
fn what_is_no_object_is_refused() {
    let host = host();
    let a = key(ResourceType::ConfigMap, "a");
    for object in [json!([]), json!({"metadata": "a"}), json!({"metadata": {"labels": []}}), json!({"spec": 1})] {
        assert!(matches!(create(&host, &a, object), Err(EnactError::Refused(_))));
    }
    create(&host, &a, config_map("a", "1")).unwrap();
    assert!(host.edit_object(&main_target(), &a, "x", "metadata", Some(json!("x"))).is_err());
}

#[test]
fn ownership_is_as_old_as_the_last_change() {
    let host = host();
    let a = key(ResourceType::ConfigMap, "a");
    let before = create(&host, &a, config_map("a", "1")).unwrap();
    assert_eq!(update(&host, &a, config_map("a", "1")).unwrap(), before);
    let after = update(&host, &a, config_map("a", "2")).unwrap();
    assert!(before.owners[0].time < after.owners[0].time);
    let mut without = config_map("a", "2");
    without["data"] = json!({});
    assert!(update(&host, &a, without).unwrap().attributes.get("data").is_none());
}
