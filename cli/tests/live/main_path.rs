//! The main path: apply, an empty second plan, foreign changes found and put right, destroy.

use std::collections::BTreeMap;

use laconic_testbed::{ApiServer, Options};
use serde_json::{Value, json};

use crate::deployment::{Deployment, kubectl};

/// The drift report as JSON, by address.
fn drift(deployment: &Deployment) -> BTreeMap<String, Value> {
    let report = deployment.laconic(&["drift", "--json"]).expect(2).json();
    assert_eq!((&report["complete"], &report["drifted"]), (&json!(true), &json!(true)));
    let drifts = report["resource_drift"].as_array().unwrap();
    drifts.iter().map(|drift| (drift["address"].as_str().unwrap().to_owned(), drift.clone())).collect()
}

/// The one field of a drift that has this path.
fn field<'a>(drift: &'a Value, path: &str) -> &'a Value {
    let fields = drift["laconic"]["fields"].as_array().unwrap();
    fields.iter().find(|field| field["path"] == path).unwrap_or_else(|| panic!("no {path} in {drift:#}"))
}

#[track_caller]
fn nothing_to_do(deployment: &Deployment) {
    let plan = deployment.laconic(&["plan", "--detailed-exitcode"]).expect(0);
    assert!(plan.stdout.contains("No changes. Your infrastructure matches the configuration."), "{}", plan.stdout);
    deployment.laconic(&["drift"]).expect(0).says("No drift.");
}

#[test]
fn from_apply_to_destroy() {
    if laconic_testbed::off() {
        return;
    }
    // Of its own: on the shared one nobody runs pods, which other tests count on.
    let server = &ApiServer::start(Options::new().with_controller_manager(true)).unwrap();
    server.kubelet();
    let shop = Deployment::on(server, "main-path");
    let namespaced = |arguments: &[&str]| kubectl(server, &[&["--namespace", &shop.namespace], arguments].concat());

    // Nobody provisions volumes here: a claim that leaves the choice of its volume to the cluster finds this one.
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "for-scratch"},
        "spec": {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/srv/scratch"}},
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, volume.to_string()).unwrap();
    kubectl(server, &["create", "--filename", &file.path().display().to_string()]);
    // Its Ingress is waited for until a controller runs that serves it.
    let ingress = server.namespace("ingress");
    let caddy = ["--namespace", &ingress, "create", "deployment", "caddy", "--image=example.com/caddy:1"];
    kubectl(server, &caddy);
    let label = "app.kubernetes.io/name=caddy-ingress-controller";
    kubectl(server, &["--namespace", &ingress, "label", "deployment", "caddy", label]);

    shop.laconic(&["plan", "--detailed-exitcode"]).expect(2).says("everything is a create");
    shop.laconic(&["apply", "--auto-approve"]).expect(0).says("Apply complete! Resources: 14 added");
    nothing_to_do(&shop);

    // Changes behind our back, each by somebody with a name.
    let (web, service) = (shop.object("deployment"), shop.object("service"));
    let ports = json!({"spec": {"ports": [{"port": 8080, "targetPort": 9090}]}}).to_string();
    namespaced(&["patch", "service", &service, "--field-manager=oncall", "--patch", &ports]);
    namespaced(&["scale", "deployment", &web, "--replicas=3"]);
    namespaced(&["label", "configmap", &shop.object("web-config"), "app-"]);
    namespaced(&["delete", "ingress", &shop.object("ingress")]);
    let drifts = drift(&shop);
    let found: Vec<(&str, &str)> =
        drifts.iter().map(|(address, drift)| (address.as_str(), drift["laconic"]["kind"].as_str().unwrap())).collect();
    assert_eq!(
        found,
        [
            ("config_map.shop.web-config", "changed"),
            ("deployment.shop.web", "changed"),
            ("ingress.shop.ingress", "removed"),
            ("service.shop.web", "changed"),
        ]
    );
    let port = field(&drifts["service.shop.web"], "spec.ports[8080/tcp].targetPort");
    assert_eq!(
        (&port["manager"], &port["recorded"], &port["observed"]),
        (&json!("oncall"), &json!(8080), &json!(9090))
    );
    // The time is the server's: of this year or a later one, in RFC 3339.
    let time = port["time"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z') && time.starts_with("20"), "{time}");
    let replicas = field(&drifts["deployment.shop.web"], "spec.replicas");
    assert_eq!((&replicas["manager"], &replicas["observed"]), (&json!("kubectl"), &json!(3)));
    let label = field(&drifts["config_map.shop.web-config"], "metadata.labels.app");
    assert_eq!((&label["recorded"], &label["observed"]), (&json!(shop.id), &Value::Null));
    let text = shop.laconic(&["drift"]).expect(2);
    let text = text.says(&format!("spec.ports[8080/tcp].targetPort: 8080 -> 9090   # by oncall, {time}"));
    text.says("# ingress.shop.ingress has been deleted").says("Drift: 4 objects changed outside of laconic.");

    // Put right: what is gone is made again, the rest is changed back.
    let plan = shop.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    let plan = plan.says("# ingress.shop.ingress will be created").says("Plan: 1 to add, 3 to change, 0 to destroy.");
    plan.says(&format!("is owned by oncall since {time} and will be taken back"));
    shop.laconic(&["apply", "--auto-approve"]).expect(0).says("Resources: 1 added, 3 changed, 0 destroyed.");
    nothing_to_do(&shop);
    assert_eq!(namespaced(&["get", "deployment", &web, "--output=jsonpath={.spec.replicas}"]), "1");

    destroyed(server, &shop);
}

/// The deployment is destroyed, with the consents that it takes, and leaves what it should.
fn destroyed(server: &ApiServer, shop: &Deployment) {
    let refused = shop.laconic(&["destroy", "--auto-approve"]).expect(3);
    // The bytes of a host path stay where they are, also those of the volume that somebody else made, which is retained.
    let refused = refused.says("--allow-data-loss=shop/secrets");
    assert!(!refused.stdout.contains("--allow-data-loss=shop/scratch"), "{}", refused.stdout);
    let consents = ["--allow-data-loss=shop/secrets"];
    let plan = shop.laconic(&[&["plan", "--destroy"], &consents[..]].concat()).expect(0);
    let (_, id) = plan.stdout.split_once("Plan id ").unwrap();
    let expected = format!("--expect-plan={}", id.lines().next().unwrap());
    shop.laconic(&[&["destroy", "--auto-approve", &expected], &consents[..]].concat()).expect(0);
    let ours = ["--selector", &format!("app={}", shop.id), "--output=name", "--all-namespaces"];
    let kinds = "namespaces,persistentvolumes,persistentvolumeclaims,secrets,configmaps,deployments,jobs,services,ingresses,pods";
    assert_eq!(kubectl(server, &[&["get", kinds], &ours[..]].concat()), "");
    // The state is archived, the directory stays, and what is planned next is everything.
    shop.laconic(&["plan"]).expect(0).says("no state yet, everything is a create");
    shop.laconic(&["destroy", "--auto-approve"]).expect(0);
}

/// A namespace that somebody else made is used when it is imported, and stays when the deployment goes.
#[test]
fn a_namespace_of_somebody_else_stays() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let shop = Deployment::on(server, "their-namespace");
    kubectl(server, &["create", "namespace", &shop.namespace]);
    shop.laconic(&["plan"]).expect(3).says("LAC402");
    shop.laconic(&["import", "--auto-approve"]).expect(0);
    shop.apply().expect(0);
    let destroy = shop.laconic(&["plan", "--destroy", "--json"]).json();
    let changes = destroy["resource_changes"].as_array().unwrap();
    let namespace = changes.iter().find(|change| change["type"] == "namespace").unwrap();
    assert_eq!(namespace["change"]["actions"], json!(["forget"]), "{namespace:#}");
}
