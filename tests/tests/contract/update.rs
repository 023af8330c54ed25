//! Updating: what is ours changes, what is not stays, and only the object that is expected.

use laconic_engine::apply::Operation;
use serde_json::{Value, json};

use crate::bed::{Bed, key_of, stale};
use crate::objects::{config_map, deployment, service};

/// The only container of a Deployment.
fn container(object: &mut Value) -> &mut Value {
    &mut object["spec"]["template"]["spec"]["containers"][0]
}

pub async fn an_update_changes_what_is_sent(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    let made = bed.created(&wanted).await;
    container(&mut wanted)["image"] = "example/web:2.0".into();
    let mut changed = bed.updated(&wanted, &made.uid).await;
    assert_eq!(changed.uid, made.uid);
    assert_eq!(container(&mut changed.attributes)["image"], "example/web:2.0");
    assert_eq!(changed.attributes["metadata"]["generation"], 2);
    assert_ne!(changed.attributes["metadata"]["resourceVersion"], made.attributes["metadata"]["resourceVersion"]);
    assert_eq!(container(&mut bed.read(&key_of(&wanted)).await)["image"], "example/web:2.0");
}

pub async fn an_update_to_what_is_there_stores_nothing(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    let made = bed.created(&wanted).await;
    let again = bed.updated(&wanted, &made.uid).await;
    assert_eq!(again, made);
}

pub async fn an_update_of_another_object_is_stale(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    let made = bed.created(&wanted).await;
    let other = "00000000-0000-4000-8000-000000000000";
    let said = stale(bed.update(&config_map(bed, "a", json!({"a": "2"})), other).await);
    assert!(said.contains(other), "{said}");
    assert_eq!(bed.seen(&key_of(&wanted)).await, Some(made));
}

pub async fn an_update_of_what_is_absent_makes_nothing(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1"}));
    stale(bed.update(&wanted, "00000000-0000-4000-8000-000000000000").await);
    assert_eq!(bed.others.read(&key_of(&wanted)).await, None);
    // Nor where the plan did not say which object it means.
    stale(bed.enact(&bed.step(Operation::Update, &wanted)).await);
    assert_eq!(bed.others.read(&key_of(&wanted)).await, None);
}

pub async fn an_update_without_an_expected_uid_takes_what_is_there(bed: &Bed) {
    let made = bed.created(&config_map(bed, "a", json!({"a": "1"}))).await;
    let wanted = config_map(bed, "a", json!({"a": "2"}));
    let changed = bed.enact(&bed.step(Operation::Update, &wanted)).await.unwrap().live.unwrap();
    assert_eq!((changed.uid, &changed.attributes["data"]), (made.uid, &json!({"a": "2"})));
}

pub async fn map_keys_that_are_no_longer_sent_go(bed: &Bed) {
    let mut wanted = config_map(bed, "a", json!({"a": "1", "b": "2"}));
    wanted["metadata"]["annotations"] = json!({"example.com/x": "y"});
    let made = bed.created(&wanted).await;
    let changed = bed.updated(&config_map(bed, "a", json!({"a": "1"})), &made.uid).await;
    assert_eq!(changed.attributes["data"], json!({"a": "1"}));
    assert_eq!(changed.attributes["metadata"].get("annotations"), None);
    let mut wanted = config_map(bed, "a", json!({}));
    wanted.as_object_mut().unwrap().remove("data");
    let changed = bed.updated(&wanted, &made.uid).await;
    assert_eq!(changed.attributes.get("data"), None);
}

pub async fn list_items_that_are_no_longer_sent_go(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    let made = bed.created(&wanted).await;
    let web = container(&mut wanted);
    web["env"] = json!([{"name": "B", "value": "2"}, {"name": "C", "value": "3"}]);
    web["ports"] = json!([{"containerPort": 80, "protocol": "TCP"}]);
    web["args"] = json!(["-b"]);
    web["volumeMounts"] = json!([]);
    wanted["spec"]["template"]["spec"]["volumes"] = json!([]);
    let mut changed = bed.updated(&wanted, &made.uid).await.attributes;
    assert_eq!(changed["spec"]["template"]["spec"].get("volumes"), None);
    let web = container(&mut changed);
    assert_eq!(web["env"], json!([{"name": "B", "value": "2"}, {"name": "C", "value": "3"}]));
    assert_eq!(web["ports"], json!([{"containerPort": 80, "protocol": "TCP"}]));
    assert_eq!(web["args"], json!(["-b"]));
    assert_eq!(web.get("volumeMounts"), None);
}

pub async fn a_container_that_is_no_longer_sent_goes(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    let side = json!({"name": "side", "image": "example/side:1.0"});
    wanted["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().push(side);
    let made = bed.created(&wanted).await;
    let changed = bed.updated(&deployment(bed, "web"), &made.uid).await;
    let containers = changed.attributes["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1, "{containers:#?}");
}

pub async fn a_port_of_a_service_that_is_no_longer_sent_goes(bed: &Bed) {
    let mut wanted = service(bed, "web");
    let made = bed.created(&wanted).await;
    wanted["spec"]["ports"].as_array_mut().unwrap().remove(1);
    let changed = bed.updated(&wanted, &made.uid).await;
    let ports = &changed.attributes["spec"]["ports"];
    assert_eq!(*ports, json!([{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]));
    assert_eq!(changed.attributes["spec"]["clusterIP"], made.attributes["spec"]["clusterIP"]);
}

pub async fn what_is_no_longer_sent_falls_back_to_its_default(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    wanted["spec"]["strategy"] = json!({"type": "Recreate"});
    container(&mut wanted)["imagePullPolicy"] = "Always".into();
    let made = bed.created(&wanted).await;
    let mut wanted = deployment(bed, "web");
    wanted["spec"].as_object_mut().unwrap().remove("replicas");
    let mut changed = bed.updated(&wanted, &made.uid).await.attributes;
    assert_eq!(changed["spec"]["replicas"], 1);
    assert_eq!(changed["spec"]["strategy"]["type"], "RollingUpdate");
    assert_eq!(container(&mut changed)["imagePullPolicy"], "IfNotPresent");
}

pub async fn nested_fields_that_are_no_longer_sent_go(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    container(&mut wanted)["readinessProbe"] = json!({"httpGet": {"path": "/up", "port": 80}, "periodSeconds": 5});
    wanted["spec"]["template"]["spec"]["securityContext"] = json!({"runAsUser": 1000, "fsGroup": 1000});
    let made = bed.created(&wanted).await;
    let mut wanted = deployment(bed, "web");
    wanted["spec"]["template"]["spec"]["securityContext"] = json!({"fsGroup": 1000});
    container(&mut wanted)["resources"] = json!({"limits": {"memory": "64Mi"}});
    let mut changed = bed.updated(&wanted, &made.uid).await.attributes;
    assert_eq!(changed["spec"]["template"]["spec"]["securityContext"], json!({"fsGroup": 1000}));
    assert_eq!(container(&mut changed).get("readinessProbe"), None);
    assert_eq!(container(&mut changed)["resources"]["limits"], json!({"memory": "64Mi"}));
}

pub async fn what_others_set_stays(bed: &Bed) {
    let mut wanted = deployment(bed, "web");
    let made = bed.created(&wanted).await;
    let key = key_of(&wanted);
    bed.others.edit(&key, "kubectl-edit", "metadata.labels.theirs", Some("x".into())).await;
    bed.others.edit(&key, "kubectl-edit", "metadata.annotations[example.com/note]", Some("y".into())).await;
    bed.others.edit(&key, "kubectl-edit", "spec.paused", Some(true.into())).await;
    container(&mut wanted)["image"] = "example/web:2.0".into();
    let changed = bed.updated(&wanted, &made.uid).await.attributes;
    assert_eq!(changed["metadata"]["labels"], json!({"app": "shop", "theirs": "x"}));
    assert_eq!(changed["metadata"]["annotations"]["example.com/note"], "y");
    assert_eq!(changed["spec"]["paused"], true);
}

pub async fn what_others_want_too_stays_when_it_is_no_longer_sent(bed: &Bed) {
    let wanted = config_map(bed, "a", json!({"a": "1", "b": "2"}));
    bed.others.create(&config_map(bed, "a", json!({"a": "1"})), "kubectl-create").await;
    let there = bed.seen(&key_of(&wanted)).await.unwrap();
    bed.updated(&wanted, &there.uid).await;
    let changed = bed.updated(&config_map(bed, "a", json!({"b": "2"})), &there.uid).await;
    assert_eq!(changed.attributes["data"], json!({"a": "1", "b": "2"}));
}

/// What we set and they took away is as we want it again.
pub async fn what_others_took_away_comes_back(bed: &Bed) {
    let wanted = deployment(bed, "web");
    let made = bed.created(&wanted).await;
    bed.others.edit(&key_of(&wanted), "kubectl-edit", "metadata.labels.app", None).await;
    let path = "spec.template.spec.containers[web].env[B]";
    bed.others.edit(&key_of(&wanted), "kubectl-edit", path, None).await;
    assert_eq!(container(&mut bed.read(&key_of(&wanted)).await)["env"], json!([{"name": "A", "value": "1"}]));
    let mut changed = bed.updated(&wanted, &made.uid).await.attributes;
    assert_eq!(changed["metadata"]["labels"], json!({"app": "shop"}));
    assert_eq!(container(&mut changed)["env"], json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]));
}
