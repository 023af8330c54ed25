//! Users with exactly the roles that the book gives can do exactly what the book says, and with less they cannot.

use laconic_testbed::ApiServer;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, kubectl};
use crate::roles::{Roles, until};

/// The kinds in a namespace, each with one object of the deployment and its address. In an order in which each can be
/// made: nobody needs one that comes later.
const KINDS: [(&str, &str, &str); 8] = [
    ("configmaps", "web-config", "config_map.shop.web-config"),
    ("secrets", "generated-secrets", "secret.shop.generated-secrets"),
    ("persistentvolumeclaims", "data", "persistent_volume_claim.shop.data"),
    ("services", "service", "service.shop.web"),
    ("endpoints", "queue", "endpoints.shop.queue"),
    ("deployments", "deployment", "deployment.shop.web"),
    ("jobs", "job-migrate", "job.shop.migrate"),
    ("ingresses", "ingress", "ingress.shop.ingress"),
];

#[test]
fn to_read_is_enough_for_plan_and_drift() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let shop = Deployment::on(server, "readable");
    shop.apply().expect(0);
    let roles = Roles::grant(server, &shop, "plan", "reader");
    shop.reach(&server.kubeconfig("reader"));
    let drift = || shop.laconic(&["drift"]);
    until("everything is granted", drift, |answer| answer.code == 0).says("No drift.");
    let plan = shop.laconic(&["plan", "--detailed-exitcode"]).expect(0);
    assert!(!plan.all().contains("LAC805"), "{}", plan.all());

    // What it cannot try it says, and plans it nevertheless.
    shop.write("shop/configmaps/web-config/web.conf", "listen = 9090\n");
    let plan = shop.laconic(&["plan"]).expect(0).says("Plan: 0 to add, 2 to change, 0 to destroy.");
    plan.says("LAC805").says("cannot patch resource \"configmaps\"");
    let applied = shop.apply().expect(1);
    applied.says("cannot patch resource \"configmaps\"");

    // Each permission is needed.
    for missing in roles.permissions() {
        roles.allow(|one| *one != missing);
        let answer = until(&format!("without {missing:?}"), drift, |answer| answer.code == 1);
        answer.says("is forbidden").says(&missing.resource);
        let plan = shop.laconic(&["plan", "--json"]).expect(0).json();
        for change in plan["resource_changes"].as_array().unwrap() {
            assert_eq!(change["change"]["actions"], json!(["update"]), "without {missing:?}: {change:#}");
        }
    }
    // Secrets above all: whoever must not read them sees everything else, and is told.
    roles.allow(|one| one.resource != "secrets");
    until("without secrets", || shop.laconic(&["plan"]), |plan| plan.stdout.contains("kind Secret"));
    let names = ["--namespace", &shop.namespace, "scale", "deployment", &shop.object("deployment"), "--replicas=3"];
    kubectl(server, &names);
    let report = shop.laconic(&["drift", "--json"]).expect(1).json();
    assert_eq!((&report["complete"], &report["drifted"]), (&json!(false), &json!(true)), "{report:#}");
    assert!(report["unreachable"][0].as_str().unwrap().contains("Secret"), "{report:#}");
}

/// What failed in a run, with the reasons.
fn failures(answer: &Answer) -> String {
    let failed = answer.stdout.split_once("Failed:\n").map_or("", |(_, rest)| rest);
    failed.lines().take_while(|line| line.starts_with("  ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn to_write_in_its_namespace_is_enough_for_apply_and_destroy() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared_with_controller_manager();
    let shop = Deployment::new("writable");
    kubectl(server, &["create", "namespace", &shop.namespace]);
    let roles = Roles::grant(server, &shop, "apply", "writer");
    shop.reach(&server.kubeconfig("writer"));
    let import = || shop.laconic(&["import", "--auto-approve"]);
    until("the namespace is taken", import, |answer| answer.code == 0);

    // Making: without `create` on a kind it fails there, and what comes before is made.
    let volume = ("persistentvolumes", "data", "persistent_volume.shop.data");
    let kinds: Vec<(&str, &str, &str)> = std::iter::once(volume).chain(KINDS).collect();
    for (index, (resource, _, address)) in kinds.iter().enumerate() {
        let made = |name: &str| kinds[..index].iter().any(|(resource, ..)| *resource == name);
        roles.allow(|one| one.verb != "create" || made(&one.resource));
        let refused = format!("cannot create resource \"{resource}\"");
        until(
            &format!("making without create on {resource}"),
            || shop.apply(),
            |answer| answer.code == 1 && failures(answer).contains(&refused) && failures(answer).contains(address),
        );
    }
    roles.allow(|_| true);
    until("making all", || shop.apply(), |answer| answer.code == 0);
    shop.laconic(&["plan", "--detailed-exitcode"]).expect(0);
    waited_for(&roles, &shop);

    // Changing: each kind in turn, without `patch` on it.
    let namespace = ("namespaces", "", "namespace.shop.writable");
    for (resource, name, address) in kinds.iter().copied().chain([namespace]) {
        roles.allow(|one| one.verb != "patch" || one.resource != resource);
        let object = match resource {
            "namespaces" => shop.namespace.clone(),
            "endpoints" => name.to_owned(),
            _ => shop.object(name),
        };
        kubectl(server, &["--namespace", &shop.namespace, "label", resource, &object, "app.kubernetes.io/stack-"]);
        let refused = format!("cannot patch resource \"{resource}\"");
        until(
            &format!("changing without patch on {resource}"),
            || shop.apply(),
            |answer| answer.code == 1 && failures(answer).contains(&refused) && failures(answer).contains(address),
        );
        roles.allow(|_| true);
        until(&format!("changing {resource}"), || shop.apply(), |answer| answer.code == 0);
    }

    // Looking.
    let listed = roles.permissions().into_iter().filter(|one| one.verb == "list" && !for_reasons(&one.resource));
    for missing in listed {
        roles.allow(|one| *one != missing);
        until(&format!("without {missing:?}"), || shop.laconic(&["drift"]), |answer| answer.code == 1);
    }
    removed(&roles, &shop, &kinds);
    let left = kubectl(server, &["get", "namespace", &shop.namespace, "--output=json"]);
    let left: Value = serde_json::from_str(&left).unwrap();
    assert_eq!(left["status"]["phase"], "Active", "{left:#}");
}

/// What is looked at only for the reasons when something does not become ready.
fn for_reasons(resource: &str) -> bool {
    ["events", "pods", "replicasets"].contains(&resource)
}

/// Waiting for what does not become ready: nobody runs the pods. Without seeing them the reasons are missing, no more.
fn waited_for(roles: &Roles<'_>, shop: &Deployment) {
    let mut port = 9000;
    let mut roll = || {
        port += 1;
        shop.write("shop/configmaps/web-config/web.conf", &format!("listen = {port}\n"));
        shop.laconic(&["apply", "--auto-approve", "--timeout=1s"])
    };
    roles.allow(|one| !for_reasons(&one.resource));
    let is_blind = |answer: &Answer| answer.all().contains("reasons not visible");
    until("rolling without seeing pods", &mut roll, |answer| answer.code == 1 && is_blind(answer));
    roles.allow(|_| true);
    until("rolling", &mut roll, |answer| answer.code == 1 && !is_blind(answer)).says("0 of 1 replicas ready");
}

/// Deleting: without `delete` on a kind, and without `get`, by which its end is seen.
fn removed(roles: &Roles<'_>, shop: &Deployment, kinds: &[(&str, &str, &str)]) {
    let consents = ["--allow-data-loss=shop/secrets", "--allow-data-loss=shop/scratch"];
    let destroy = || {
        let plan = shop.laconic(&["plan", "--destroy", "--json"]).json();
        let id = plan["laconic"]["plan_id"].as_str().unwrap_or_default().to_owned();
        let expected = format!("--expect-plan={id}");
        shop.laconic(&[&["destroy", "--auto-approve", &expected], &consents[..]].concat())
    };
    // The other way around than they were made.
    let order: Vec<&str> = kinds.iter().rev().map(|(resource, ..)| *resource).collect();
    for (index, resource) in order.iter().enumerate() {
        for (verb, deletable, gettable) in [("delete", index, index), ("get", index + 1, index)] {
            let is_in = |name: &str, end: usize| order[..end].contains(&name);
            roles.allow(|one| match one.verb.as_str() {
                "delete" => is_in(&one.resource, deletable),
                "get" => {
                    one.resource == "namespaces"
                        || one.resource == "persistentvolumes"
                        || is_in(&one.resource, gettable)
                }
                _ => true,
            });
            if (verb, *resource) == ("get", "persistentvolumes") {
                // Without it not even a plan knows of it: that is seen above.
                continue;
            }
            let refused = format!("cannot {verb} resource \"{resource}\"");
            until(&format!("deleting without {verb} on {resource}"), destroy, |answer| {
                answer.code == 1 && failures(answer).contains(&refused)
            });
        }
    }
    roles.allow(|_| true);
    until("deleting all", destroy, |answer| answer.code == 0);
}
