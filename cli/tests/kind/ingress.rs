//! Caddy on a cluster that several deployments share: changed for all of them by one, and repaired.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::host::{Deployment, Host, registry, tool};

const IMAGE: &str = "laconicnetwork/caddy-ingress";

/// One spec names another image: everybody's hosts are named before, everybody is served after, and nothing else starts
/// again. Another address for the authority is taken up by the Caddy that runs.
pub fn is_changed_for_everybody(host: &Host, all: &[&Deployment<'_>; 3]) {
    let [shop, ..] = all;
    let cluster = shop.cluster();
    let (from, to) = (format!("{}/{IMAGE}:latest", registry()), format!("{}/{IMAGE}:2", registry()));
    tool("docker", &["pull", "--quiet", &from]);
    tool("docker", &["tag", &from, &to]);
    tool("docker", &["push", "--quiet", &to]);
    let (pods, caddy) = pods(host, &cluster);

    shop.respecify(|spec| spec.replace("\nnetwork:\n", "\nnetwork:\n  acme-email: ops@example.com\n"));
    let plan = shop.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    assert!(!plan.stdout.contains("LAC602"), "{}", plan.stdout);
    shop.apply();
    let email = [
        "get",
        "configmap",
        "caddy-ingress-controller-configmap",
        "-n",
        "caddy-system",
        "-o",
        "jsonpath={.data.email}",
    ];
    assert_eq!(host.kubectl(&cluster, &email), "ops@example.com");
    assert_eq!(self::pods(host, &cluster), (pods.clone(), caddy.clone()), "nothing starts again for it");

    shop.respecify(|spec| format!("{spec}caddy-ingress-image: ghcr.io/{IMAGE}:2\n"));
    let plan = shop.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    let mut plan = plan.says("LAC602").says("10-30 s without ingress for every deployment on the cluster");
    for deployment in all {
        plan = plan.says(&format!("{}: {}", deployment.name, deployment.site()));
    }
    plan.says("0 to add, 1 to change, 0 to destroy.");
    shop.apply();
    for deployment in all {
        deployment.answers();
        deployment.nothing_to_do();
    }
    let (now, changed) = self::pods(host, &cluster);
    assert_eq!(now, pods, "the pods of others");
    assert_ne!(changed, caddy);
    let controller = controller(host, &cluster);
    assert_eq!(controller["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(controller["spec"]["template"]["spec"]["containers"][0]["image"], format!("ghcr.io/{IMAGE}:2"));
}

/// Somebody breaks Caddy, in two ways.
pub fn is_repaired(host: &Host, all: &[&Deployment<'_>; 3]) {
    let [shop, blog, _] = all;
    let cluster = shop.cluster();
    let name = "caddy-ingress-controller";
    let image = format!("{name}=ghcr.io/{IMAGE}:no-such-thing");
    host.kubectl(&cluster, &["set", "image", "-n", "caddy-system", &format!("deployment/{name}"), &image]);
    // Whoever applies next repairs it, for everybody.
    let plan = blog.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says("no-such-thing").says("LAC602").says("0 to add, 1 to change, 0 to destroy.");
    blog.apply();
    for deployment in all {
        deployment.answers();
    }
    host.kubectl(&cluster, &["delete", "deployment", name, "-n", "caddy-system", "--wait", "--cascade=foreground"]);
    let plan = shop.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says("1 to add, 0 to change, 0 to destroy.");
    shop.apply();
    for deployment in all {
        deployment.answers();
        deployment.nothing_to_do();
    }
    assert_eq!(
        controller(host, &cluster)["spec"]["template"]["spec"]["containers"][0]["image"],
        format!("ghcr.io/{IMAGE}:2")
    );
}

fn controller(host: &Host, cluster: &str) -> Value {
    let words = ["get", "deployment", "caddy-ingress-controller", "-n", "caddy-system", "-o", "json"];
    serde_json::from_str(&host.kubectl(cluster, &words)).unwrap()
}

/// The pods of deployments with how often each started again, and Caddy's own.
fn pods(host: &Host, cluster: &str) -> (BTreeMap<String, u64>, Vec<String>) {
    let listed: Value = serde_json::from_str(&host.kubectl(cluster, &["get", "pods", "-A", "-o", "json"])).unwrap();
    let (mut others, mut caddy) = (BTreeMap::new(), Vec::new());
    for pod in listed["items"].as_array().unwrap() {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        match (text("/metadata/namespace").as_str(), pod.pointer("/metadata/labels/app.kubernetes.io~1name")) {
            ("caddy-system", Some(name)) if name == "caddy-ingress-controller" => caddy.push(text("/metadata/uid")),
            ("caddy-system" | "kube-system" | "local-path-storage", _) => {}
            _ => {
                let started = pod.pointer("/status/containerStatuses/0/restartCount").and_then(Value::as_u64);
                others.insert(text("/metadata/uid"), started.unwrap_or_default());
            }
        }
    }
    (others, caddy)
}
