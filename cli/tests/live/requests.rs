//! What a plan costs the server: counted in its audit log.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use laconic_testbed::{ApiServer, AuditFilter, AuditLog, User};

use crate::deployment::Deployment;

/// As many ConfigMaps as make a thousand objects with everything else.
const CONFIG_MAPS: usize = 994;
/// How many objects come in one page of a list.
const PAGE: usize = 500;

/// A deployment of a thousand objects.
fn thousand(server: &ApiServer, user: &User) -> Deployment {
    let (mut spec, mut web, mut volumes) = (String::new(), String::new(), String::new());
    let mut files = Vec::new();
    for number in 0..CONFIG_MAPS {
        let _ = writeln!(spec, "  part-{number}: ./config/part-{number}");
        let _ = writeln!(web, "      - part-{number}:/etc/part/{number}:ro");
        let _ = writeln!(volumes, "  part-{number}:");
        files.push((format!("config/part-{number}/part.conf"), format!("number = {number}\n")));
    }
    let spec = format!(
        "stack: stacks/shop\ndeploy-to: k8s\nnamespace: NAMESPACE\nconfig:\n  KEY: $generate:hex:32$\nconfigmaps:\n{spec}"
    );
    let web = format!(
        "services:\n  web:\n    image: example.com/shop/web:1.0\n    ports: ['8080']\n    volumes:\n{web}volumes:\n{volumes}"
    );
    let deployment = Deployment::of("thousand", &spec, &web, &files);
    deployment.reach(&server.kubeconfig(user));
    deployment
}

/// How often each verb was used on each resource.
fn counted(log: &AuditLog) -> BTreeMap<(String, String), usize> {
    let mut counted = BTreeMap::new();
    for event in log.iter() {
        let verb = if event.dry_run { format!("dry-run {}", event.verb) } else { event.verb.clone() };
        *counted.entry((verb, event.resource.clone())).or_default() += 1;
    }
    counted
}

#[test]
fn a_plan_of_a_thousand_objects_is_one_list_per_kind() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let user = User::new("counted").group("system:masters");
    let shop = thousand(server, &user);
    let applied = shop.apply().expect(0);
    let created = applied.stdout.rsplit_once("Resources: ").and_then(|(_, rest)| rest.split(' ').next());
    assert_eq!(created, Some("1000"), "{}", applied.stdout);

    let asked = |arguments: &[&str]| {
        let begin = server.audit_mark();
        let answer = shop.laconic(arguments);
        (answer, server.audit_since(begin).matching(AuditFilter::new().user("counted")))
    };
    let read_only: BTreeMap<(String, String), usize> = [
        // Who the cluster is; then one list of each kind, which comes in pages.
        (("get", "namespaces"), 1),
        (("list", "configmaps"), CONFIG_MAPS.div_ceil(PAGE)),
        (("list", "deployments"), 1),
        (("list", "jobs"), 1),
        (("list", "namespaces"), 1),
        (("list", "secrets"), 1),
        (("list", "services"), 1),
    ]
    .into_iter()
    .map(|((verb, resource), count)| ((verb.to_owned(), resource.to_owned()), count))
    .collect();
    let (plan, log) = asked(&["plan", "--detailed-exitcode"]);
    plan.expect(0);
    assert_eq!(counted(&log), read_only, "{log}");
    let (drift, log) = asked(&["drift"]);
    drift.expect(0);
    assert_eq!(counted(&log), read_only, "{log}");

    // Five changes are tried five times, and nothing else is asked.
    for number in 0..5 {
        shop.write(&format!("shop/configmaps/part-{number}/part.conf"), "changed\n");
    }
    let (plan, log) = asked(&["plan", "--json"]);
    let changes = plan.expect(0).json()["resource_changes"].as_array().map_or(0, Vec::len);
    let mut tried = counted(&log);
    let dry_runs: usize = tried.iter().filter(|((verb, _), _)| verb == "dry-run patch").map(|(_, count)| count).sum();
    tried.retain(|(verb, _), _| verb != "dry-run patch");
    // The Deployment that uses them rolls: that is the sixth.
    assert_eq!((changes, dry_runs), (6, 6), "{log}");
    assert_eq!(tried, read_only, "{log}");
}
