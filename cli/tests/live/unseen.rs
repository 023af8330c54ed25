//! A cluster that cannot be seen, or not in full, or is another one: what is said, and that nothing is taken for deleted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use laconic_testbed::{ApiServer, Options, User};
use serde_json::{Value, json};

use crate::deployment::{Deployment, golden, kubectl};
use crate::proxy::{Fault, Proxy};

/// The exit codes of plan, drift and apply.
type Codes = [i32; 3];
/// Nobody could be asked: planned from the state, nothing applied.
const UNKNOWN: Codes = [0, 1, 1];
/// Somebody else answered.
const REFUSED: Codes = [3, 1, 3];

/// A deployment that is applied, with a change that waits to be.
struct Waiting {
    shop: Deployment,
    recorded: BTreeMap<std::path::PathBuf, Vec<u8>>,
}

const CONTENT: &str = "shop/configmaps/web-config/web.conf";

impl Waiting {
    fn on(server: &ApiServer, name: &str) -> Self {
        let shop = Deployment::on(server, name);
        shop.apply().expect(0);
        shop.replace(CONTENT, "8080", "9090");
        let recorded = shop.recorded();
        assert!(recorded.keys().any(|path| path.ends_with("state.json")), "{:?}", recorded.keys());
        Self { shop, recorded }
    }

    /// Runs plan, drift and apply in some trouble, and holds what they say against a golden file.
    #[track_caller]
    fn in_trouble(&self, trouble: &str, flags: &[&str], codes: Codes) {
        let shop = &self.shop;
        let mut said = String::new();
        for (command, code) in ["plan", "drift", "apply --auto-approve --no-wait"].into_iter().zip(codes) {
            let words: Vec<&str> = command.split(' ').chain(flags.iter().copied()).collect();
            let answer = shop.laconic(&words);
            said.push_str(&format!("$ laconic {}\n{}{}", words.join(" "), answer.stdout, answer.stderr));
            said.push_str(&format!("(exit {})\n\n", answer.code));
            assert_eq!(answer.code, code, "{trouble}:\n{said}");
        }
        assert!(!said.contains("hunter2"), "{trouble}:\n{said}");
        self.nothing_lost(trouble, flags);
        golden(&format!("live/golden/unseen/{trouble}"), &shop.steady(&said));
    }

    /// No deletion is planned, nothing is made again, and what is recorded stays as it is to the byte.
    #[track_caller]
    fn nothing_lost(&self, trouble: &str, flags: &[&str]) {
        let plan = self.shop.laconic(&[&["plan", "--json"], flags].concat()).json();
        for change in plan["resource_changes"].as_array().unwrap() {
            let actions = &change["change"]["actions"];
            assert_eq!(*actions, json!(["update"]), "{trouble}: {} {actions}", change["address"]);
        }
        assert_eq!(self.shop.recorded(), self.recorded, "{trouble}: the state was touched");
    }

    /// Everything is as before: only the waiting change is planned, and without it nothing.
    #[track_caller]
    fn recovered(&self) {
        self.shop.laconic(&["plan"]).expect(0).says("Plan: 0 to add, 2 to change, 0 to destroy.");
        self.shop.replace(CONTENT, "9090", "8080");
        self.shop.laconic(&["plan", "--detailed-exitcode"]).expect(0);
        self.shop.laconic(&["drift"]).expect(0);
        self.shop.replace(CONTENT, "8080", "9090");
    }
}

#[test]
fn an_api_server_in_trouble() {
    if laconic_testbed::off() {
        return;
    }
    let mut server = ApiServer::start(Options::new()).unwrap();
    let waiting = Waiting::on(&server, "trouble");
    // The identity that is believed from now on.
    let state = String::from_utf8_lossy(&waiting.recorded[&waiting.shop.path("shop/.laconic/state.json")]).into_owned();
    let arguments = ["get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}"];
    let uid = server.kubectl("admin", &arguments).stdout;
    assert!(state.contains(std::str::from_utf8(&uid).unwrap()), "{state}");

    server.stop();
    waiting.in_trouble("connection-refused", &[], UNKNOWN);
    server.start_again();

    server.pause();
    waiting.in_trouble("hanging", &["--request-timeout=1s"], UNKNOWN);
    server.resume();
    waiting.recovered();

    server.expire_serving_certificate(true);
    waiting.in_trouble("expired-serving-certificate", &[], UNKNOWN);
    server.expire_serving_certificate(false);

    server.switch_cluster("second");
    waiting.in_trouble("another-cluster", &[], REFUSED);
    server.switch_cluster("first");
    waiting.recovered();

    server.renew_authority();
    waiting.in_trouble("another-authority", &[], UNKNOWN);
    waiting.shop.reach(&server.kubeconfig("admin"));
    waiting.recovered();
}

#[test]
fn half_an_answer() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let waiting = Waiting::on(server, "half");
    // So that of each kind that the waiting change is about there is more than one page.
    kubectl(server, &["--namespace", "half", "create", "configmap", "another"]);
    let proxy = Proxy::before(server);
    waiting.shop.reach(&proxy.kubeconfig(waiting.shop.path("proxy.kubeconfig")));
    waiting.recovered();
    for (trouble, fault, codes) in [
        ("second-page-fails", Fault::SecondPage(500), [0, 1, 1]),
        ("second-page-breaks-off", Fault::CutSecondPage, [0, 1, 1]),
        ("no-kubernetes", Fault::Html, UNKNOWN),
        ("unavailable", Fault::Status(503), UNKNOWN),
        ("ingresses-not-served", Fault::NotServed("/apis/networking.k8s.io"), [0, 1, 0]),
    ] {
        proxy.fail(fault);
        if codes == [0, 1, 0] {
            // What it has no part in can be done: looked at here, applied nowhere.
            waiting.shop.laconic(&["plan"]).expect(0).says("Ingress");
            waiting.shop.laconic(&["drift"]).expect(1).says("does not serve ingresses.networking.k8s.io");
            waiting.nothing_lost(trouble, &[]);
        } else {
            waiting.in_trouble(trouble, &[], codes);
        }
    }
    // A place in a list that expired is no trouble: the list is asked for in one piece. Nor is a server that is slow, or
    // busy for a moment.
    for fault in [Fault::SecondPage(410), Fault::Slow(Duration::from_millis(100)), Fault::Busy, Fault::None] {
        proxy.fail(fault);
        waiting.recovered();
    }
}

#[test]
fn no_way_in() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let waiting = Waiting::on(server, "no-way-in");
    let shop = &waiting.shop;
    let own = shop.path("shop/kubeconfig.yml");
    let good: Value = serde_json::from_slice(&fs::read(&own).unwrap()).unwrap();
    let write = |content: &Value| fs::write(&own, content.to_string()).unwrap();

    shop.reach(&server.kubeconfig("nobody"));
    waiting.in_trouble("no-permissions", &[], UNKNOWN);
    shop.reach(&server.kubeconfig(User::admin().expired()));
    waiting.in_trouble("expired-client-certificate", &[], UNKNOWN);
    let mut content = good.clone();
    content["users"][0]["user"] = json!({"token": "nobody-knows-this-one"});
    write(&content);
    waiting.in_trouble("unknown-token", &[], UNKNOWN);
    let plugin = |script: &str| {
        let exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", script],
            "interactiveMode": "Never",
        });
        let mut content = good.clone();
        content["users"][0]["user"] = json!({"exec": exec});
        content
    };
    // What a plugin prints is a token, and is never said.
    write(&plugin("echo hunter2; echo 'please log in first' >&2; exit 1"));
    waiting.in_trouble("credentials-plugin-fails", &[], UNKNOWN);
    write(&plugin("echo '{\"status\": [\"hunter2\"]}'"));
    waiting.in_trouble("credentials-plugin-garbles", &[], UNKNOWN);
    let mut content = good.clone();
    content["current-context"] = json!("");
    write(&content);
    waiting.in_trouble("no-current-context", &[], UNKNOWN);
    // The one context that it has can be named.
    shop.laconic(&["plan", "--context=testbed"]).expect(0).says("(live: consulted");
    waiting.in_trouble("no-such-context", &["--context=production"], UNKNOWN);
    fs::write(&own, "]: no kubeconfig").unwrap();
    waiting.in_trouble("no-kubeconfig-at-all", &[], UNKNOWN);
    waiting.in_trouble("no-such-file", &["--kubeconfig=not-there.yml"], UNKNOWN);
    fs::remove_file(&own).unwrap();
    waiting.in_trouble("no-kubeconfig", &[], UNKNOWN);
    write(&good);
    waiting.recovered();
}

/// A server that is too old for a kind, or has it switched off: that kind is unknown, and everything else is applied.
#[test]
fn a_kind_that_the_server_does_not_serve() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::start(Options::new().flag("--runtime-config=batch/v1=false")).unwrap();
    let shop = Deployment::on(&server, "skew");
    shop.laconic(&["plan"]).expect(0).says("the server does not serve jobs.batch (batch/v1)");
    let applied = shop.apply().expect(1);
    let applied = applied.says("job.shop.migrate").says("1 failure");
    assert!(!applied.all().contains("Skipped"), "{}", applied.all());
    let plan = shop.plan_json();
    let changed: Vec<&Value> = plan["resource_changes"].as_array().unwrap().iter().map(|one| &one["address"]).collect();
    assert_eq!(changed, ["job.shop.migrate"]);
}

/// Never whatever context happens to be around: neither kubectl's current one nor the cluster that a job runs in.
#[test]
fn no_context_by_accident() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let shop = Deployment::new("by-accident");
    let working = server.kubeconfig("admin");
    let home = shop.path("home/.kube/config");
    fs::create_dir_all(home.parent().unwrap()).unwrap();
    fs::copy(&working, &home).unwrap();
    let laconic = |variables: &[(&str, &Path)], arguments: &[&str]| {
        let mut command = shop.command();
        command.args(["--dir", "shop"]).args(arguments).envs(variables.iter().copied());
        crate::deployment::Answer::of(&mut command)
    };
    let kubeconfig: &[(&str, &Path)] = &[("KUBECONFIG", &working)];
    let in_cluster: &[(&str, &Path)] =
        &[("KUBERNETES_SERVICE_HOST", Path::new("127.0.0.1")), ("KUBERNETES_SERVICE_PORT", Path::new("1"))];
    for variables in [&[], kubeconfig, in_cluster] {
        laconic(variables, &["plan"]).expect(0).says("nothing says how it is reached");
        laconic(variables, &["apply", "--auto-approve"]).expect(1).says("nothing says how it is reached");
        laconic(variables, &["drift"]).expect(1);
    }
    // Only what is named.
    laconic(kubeconfig, &["plan", "--context=testbed"]).expect(0).says("(live: consulted");
    laconic(&[], &["plan", "--context=testbed"]).expect(0).says("(live: consulted");
    let missing = laconic(kubeconfig, &["plan", "--context=kind-shop"]).expect(0);
    missing.says("the context `kind-shop` cannot be used");
    let inside = laconic(in_cluster, &["plan", "--in-cluster"]).expect(0);
    inside.says("not in a cluster, or without a service account there");
    assert_eq!(laconic(&[], &["plan", "--in-cluster", "--context=testbed"]).code, 1);
    // The deployment's own comes before everybody's, and what the command line names before that.
    shop.reach(&server.kubeconfig("nobody"));
    laconic(kubeconfig, &["plan"]).expect(0).says("\"nobody\" cannot get");
    let named = format!("--kubeconfig={}", working.display());
    laconic(&[], &["plan", &named]).expect(0).says("(live: consulted");
}
