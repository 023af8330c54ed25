//! The everyday commands on a real API server: start, look, stop, start again.

use laconic_testbed::{ApiServer, Options};
use serde_json::json;

use crate::deployment::{Deployment, kubectl};

const SPEC: &str = "\
stack: stacks/shop
deploy-to: k8s
namespace: NAMESPACE
config:
  GREETING: hello
  SESSION_KEY: $generate:hex:32$
configmaps:
  web-config: ./config/web
volumes:
  data: /srv/shop/data
";

const WEB: &str = "\
services:
  web:
    image: example.com/shop/web:1.0
    ports: ['30080:8080']
    volumes:
      - web-config:/etc/web:ro
      - data:/var/lib/web
volumes:
  web-config:
  data:
";

#[test]
fn start_look_stop_and_start_again() {
    if laconic_testbed::off() {
        return;
    }
    let server = &ApiServer::start(Options::new().with_controller_manager(true)).unwrap();
    server.kubelet();
    let shop = Deployment::of("everyday", SPEC, WEB, &[]);
    shop.reach(&server.kubeconfig("admin"));
    let run = |words: &[&str]| shop.laconic(&[&["deployment"], words].concat());
    let namespaced = |arguments: &[&str]| kubectl(server, &[&["--namespace", &shop.namespace], arguments].concat());
    let uids = |kind: &str| namespaced(&["get", kind, "--output=jsonpath={.items[*].metadata.uid}"]);

    run(&["status"]).expect(0).says("shop  never started");
    run(&["start"]).expect(0).says("Apply complete!");
    let status = run(&["status", "--json"]).expect(0).json();
    assert_eq!(status["deployments"][0]["state"], "running", "{status:#}");
    run(&["status"]).expect(0).says("deployment.shop.web  ready").says("job.shop.migrate     completed");
    let pods = run(&["ps", "--json"]).expect(0).json();
    let web = pods["pods"].as_array().unwrap().iter().find(|pod| pod["status"] == "Running").unwrap();
    assert_eq!(web["containers"][0]["image"], "example.com/shop/web:1.0");
    run(&["port", "web", "8080"]).expect(0).says("every node:30080");
    run(&["logs", "nobody"]).expect(1).says("there are: migrate, web");
    run(&["exec", "web", "ls"]).expect(1).says("kubectl exec -it -n everyday");

    // The volume, its claim and the Secret stay as they are; nothing runs.
    let (claims, secrets) = (uids("persistentvolumeclaims"), uids("secrets"));
    run(&["stop", "--dry-run"]).expect(0).says("to destroy");
    assert_eq!(namespaced(&["get", "deployments", "--output=name"]).lines().count(), 1);
    run(&["stop"]).expect(0).says("Stop complete!");
    for kind in ["deployments", "jobs", "services", "configmaps", "pods"] {
        let left = namespaced(&["get", kind, "--selector=app=laconic-everyday", "--output=name"]);
        assert_eq!(left, "", "{kind}");
    }
    assert_eq!((uids("persistentvolumeclaims"), uids("secrets")), (claims.clone(), secrets));
    run(&["status"]).expect(0).says("shop  stopped");
    run(&["ps"]).expect(0).says("No pods.");
    shop.laconic(&["plan"]).expect(0).says("shop is stopped");
    run(&["stop"]).expect(0).says("No changes. Nothing of it runs.");

    run(&["start"]).expect(0);
    shop.laconic(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
    assert_eq!(uids("persistentvolumeclaims"), claims);
    assert_eq!(uids("jobs"), "", "a Job that completed is not made again");
    run(&["run-job", "migrate"]).expect(0);
    assert_ne!(uids("jobs"), "", "but when it is named");

    // The namespace goes; the volume becomes Released, and is made anew for the next claim.
    run(&["stop", "--delete-namespace"]).expect(0);
    let phase =
        || kubectl(server, &["get", "persistentvolume", &shop.object("data"), "--output=jsonpath={.status.phase}"]);
    assert_eq!(phase(), "Released");
    run(&["start"]).expect(0).says("LAC305");
    assert_eq!(phase(), "Bound");
    let restarted = |words: &[&str]| {
        let before = uids("replicasets");
        run(&[&["restart", "--stack-path", "repository/stacks/shop", "--spec-file", "repository/spec.yml"], words]
            .concat())
        .expect(0);
        before != uids("replicasets")
    };
    assert!(!restarted(&[]), "nothing changed");
    assert!(restarted(&["--rollout"]), "everything rolls");
    let plan = shop.laconic(&["plan", "--json"]).expect(0).json();
    assert_eq!(plan["resource_changes"], json!([]), "what rolled stays as it is");
}
