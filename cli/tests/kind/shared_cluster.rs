//! The main path: a cluster from nothing, others that join it, one that would take it down, and what a recreate costs.

use std::fs;

use serde_json::{Value, json};

use crate::figures::{apply_from_nothing, timed};
use crate::host::{Deployment, Host, clusters, content, tool};
use crate::ingress;
use crate::page;
use crate::printed::{edit, edited, forecast};

/// An image that Docker has on this host alone.
const BUILT_HERE: &str = "journey/blog:local";

#[test]
fn from_nothing_over_tenants_to_a_recreate() {
    let Some(host) = Host::new() else { return };
    let shop = from_nothing(&host);
    let blog = a_second_one_joins(&host, &shop);
    let ledger = a_foreign_mount_is_refused(&host, &shop, &blog);
    ingress::is_changed_for_everybody(&host, &[&shop, &blog, &ledger]);
    ingress::is_repaired(&host, &[&shop, &blog, &ledger]);
    everything_comes_back(&host, &[&shop, &blog, &ledger]);
    host.kubeconfig_is_untouched();
}

fn from_nothing(host: &Host) -> Deployment<'_> {
    let before = clusters();
    let shop = host.deployment("shop", &[]);
    let cluster = shop.cluster();
    let plan = shop.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&format!("# kind_cluster.{cluster} will be created")).says("everything is a create");
    assert_eq!(clusters(), before, "a plan makes no cluster");

    let applied = apply_from_nothing(&shop);
    assert!(applied.contains("Apply complete!"), "{applied}");
    shop.answers();
    timed("plan on a live cluster", || shop.laconic(&["plan"]).expect(0));
    shop.nothing_to_do();
    // What the pod wrote into its volume is on the host; by one pod, which started once.
    assert_eq!(content(&host.path("srv/shop/starts")), "this is shop\n");
    host.kubeconfig_is_untouched();
    // The cluster knows which state keeps it: with another one nothing is done, whatever it holds.
    let elsewhere = host.path("elsewhere-state").display().to_string();
    for command in [&["plan"][..], &["import", "--auto-approve"]] {
        let refused = shop.laconic(&[command, &["--state-dir", &elsewhere]].concat()).expect(3);
        refused.says("LAC801").says(&format!("{}/clusters/{cluster}", host.path("state").display())).says(&elsewhere);
    }

    // The directory, the configuration for kind and the node agree.
    assert!(clusters().contains(&cluster));
    let node = host.node(&cluster);
    assert_eq!(node["Config"]["Labels"]["io.x-k8s.kind.cluster"], cluster.as_str());
    let configuration = shop.laconic(&["render", "--kind-config", "--json"]).expect(0).json();
    let configured = &configuration[0];
    let mounts = node["Mounts"].as_array().unwrap();
    for wanted in configured["extraMounts"].as_array().unwrap() {
        let mount = mounts.iter().find(|mount| mount["Destination"] == wanted["containerPath"]).unwrap();
        assert_eq!((&mount["Source"], &mount["RW"]), (&wanted["hostPath"], &json!(true)), "{mount:#}");
        let propagation = if wanted["propagation"] == "HostToContainer" { "rslave" } else { "rprivate" };
        assert_eq!(mount["Propagation"], propagation, "{mount:#}");
    }
    assert_eq!(configured["extraMounts"][0]["hostPath"], host.path("srv").display().to_string());
    for wanted in configured["extraPortMappings"].as_array().unwrap() {
        let port = format!("{}/tcp", wanted["containerPort"]);
        let bound = &node["HostConfig"]["PortBindings"][&port][0]["HostPort"];
        assert_eq!(*bound, wanted["hostPort"].to_string(), "{port}: {node:#}");
    }
    shop
}

fn a_second_one_joins<'a>(host: &'a Host, shop: &Deployment<'_>) -> Deployment<'a> {
    let cluster = shop.cluster();
    let node = host.node_id(&cluster);
    let blog = host.deployment("blog", &[]);
    assert_eq!(blog.cluster(), cluster, "it joins the cluster that runs");
    // Its image was built on this host, and no registry has it.
    let compose = "blog/compose/docker-compose-web.yml";
    host.write(compose, &host.read(compose).replace("laconic-testbed/workload:1", BUILT_HERE));
    build("built here");
    let plan = blog.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    assert!(!plan.stdout.contains("LAC2"), "{}", plan.stdout);
    plan.says(&format!("# kind_image.blog.{BUILT_HERE} will be created")).says("LAC504");
    blog.apply();
    blog.answers();
    assert_eq!(page_image(&blog), "image built here");
    blog.nothing_to_do();
    built_again(&blog);
    shop.answers();
    assert_eq!(host.node_id(&cluster), node);
    blog.nothing_to_do();
    shop.nothing_to_do();
    blog
}

/// Builds the image: another one than any that a node has pulled, whose pulls kubelets remember by id.
fn build(says: &str) {
    tool("docker", &["create", "--name", "journey-build", "laconic-testbed/workload:1"]);
    tool("docker", &["commit", "--change", &format!("ENV WORKLOAD_IMAGE=\"{says}\""), "journey-build", BUILT_HERE]);
    tool("docker", &["rm", "journey-build"]);
}

/// The page tells which image serves it.
fn page_image(deployment: &Deployment<'_>) -> String {
    let page = page::get(&deployment.site(), "/").unwrap();
    page.lines().nth(1).unwrap_or_default().to_owned()
}

fn built_again(blog: &Deployment<'_>) {
    build("built again");
    let plan = blog.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    let plan = plan.says(&format!("# kind_image.blog.{BUILT_HERE} will be updated in-place")).says("LAC504");
    plan.says("# deployment.blog.web will be updated in-place").says("Plan: 0 to add, 2 to change, 0 to destroy.");
    blog.apply();
    blog.answers();
    assert_eq!(page_image(blog), "image built again");
}

fn a_foreign_mount_is_refused<'a>(host: &'a Host, shop: &Deployment<'_>, blog: &Deployment<'_>) -> Deployment<'a> {
    let cluster = shop.cluster();
    let node = host.node_id(&cluster);
    let foreign = host.path("elsewhere/ledger").display().to_string();
    let inside = host.path("srv/ledger").display().to_string();
    let ledger = host.deployment_of("ledger", &host.spec("ledger").replace(&inside, &foreign), &[]);
    let recorded = host.recorded();
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        let refused = ledger.laconic(command).expect(3);
        let refused = refused.says("LAC202").says("LAC208").says(&foreign);
        let refused = refused.says(&format!("--allow-recreate={cluster}"));
        for tenant in [shop, blog] {
            // Caddy's certificates are called after hosts.
            let names_host = |line: &&str| line.contains(&tenant.site()) && !line.contains("caddy-system/");
            let hosts: Vec<&str> = refused.stdout.lines().filter(names_host).collect();
            assert!(hosts.iter().all(|line| line.contains(&tenant.name)), "{hosts:?}");
            assert_eq!(hosts.len(), 2, "in the finding and in the blast radius: {hosts:?}");
        }
    }
    assert_eq!(host.recorded(), recorded, "the state was touched");
    assert_eq!(host.node_id(&cluster), node);
    assert!(!host.path("elsewhere").exists());
    shop.answers();
    blog.answers();

    // The cheaper way, as it is printed.
    let plan = ledger.laconic(&["plan"]).stdout;
    let lines = edit(&plan, "in the spec of `ledger` write");
    ledger.respecify(|spec| edited(spec, &lines));
    let plan = ledger.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    assert!(!plan.stdout.contains("LAC2"), "{}", plan.stdout);
    ledger.apply();
    ledger.answers();
    assert_eq!(host.node_id(&cluster), node);
    ledger.nothing_to_do();
    ledger
}

/// The cluster is made anew, because the last one wants a mount after all.
fn everything_comes_back(host: &Host, all: &[&Deployment<'_>; 3]) {
    let ledger = all[2];
    let cluster = ledger.cluster();
    let node = host.node_id(&cluster);
    for deployment in all {
        page::post(&deployment.site(), "/files/scratch/marker", "written before\n");
        page::post(&deployment.site(), "/files/data/marker", "written before\n");
    }
    let keys: Vec<String> = all.iter().map(|deployment| deployment.session_key()).collect();
    assert!(keys.iter().all(|key| key.len() == 64), "{keys:?}");
    let starts = || all.map(|deployment| content(&deployment.data().join("starts")).lines().count());
    let before = starts();

    // A volume more, outside of the umbrella.
    host.write("extra/hello", "from the host\n");
    let extra = host.path("extra").display().to_string();
    ledger.respecify(|spec| spec.replace("\nvolumes:\n", &format!("\nvolumes:\n  extra: {extra}\n")));
    let compose = "ledger/compose/docker-compose-web.yml";
    let text = host.read(compose).replace("- data:/data\n", "- data:/data\n      - extra:/extra\n");
    host.write(compose, &text.replace("\nvolumes:\n", "\nvolumes:\n  extra:\n"));

    let consent = format!("--allow-recreate={cluster}");
    let lost = all.map(|deployment| format!("{}/scratch", deployment.name));
    let losses: Vec<String> = lost.iter().map(|volume| format!("--allow-data-loss={volume}")).collect();
    let mut arguments = vec!["plan", "--out", "recreate.plan", "--forecast", &consent];
    arguments.extend(losses.iter().map(String::as_str));
    let plan = ledger.laconic(&arguments).expect(0);
    let fates = forecast(&plan.stdout);
    for deployment in all {
        let (scratch, data) =
            (&fates[&format!("{}/scratch", deployment.name)], &fates[&format!("{}/data", deployment.name)]);
        assert_eq!((scratch.fate.as_str(), data.fate.as_str()), ("LOST", "kept"), "{fates:#?}");
        assert_eq!(data.place, deployment.data().display().to_string());
    }
    arguments = vec!["apply", "recreate.plan", "--auto-approve", &consent];
    arguments.extend(losses.iter().map(String::as_str));
    timed("recreate with three deployments", || host.laconic(&arguments).expect(0));

    assert_ne!(host.node_id(&cluster), node);
    for (deployment, key) in all.iter().zip(&keys) {
        deployment.answers();
        assert_eq!(deployment.session_key(), *key, "a secret made once stays");
        page::wait(&deployment.site(), "/files/data/marker", "written before");
        let scratch = page::get(&deployment.site(), "/files/scratch/marker").unwrap_err();
        assert!(scratch.starts_with("404"), "the forecast says it is lost: {scratch}");
        deployment.nothing_to_do();
    }
    page::wait(&ledger.site(), "/files/extra/hello", "from the host");
    assert_eq!(page_image(all[1]), "image built again", "what was built here is on the new node");
    // Each started once more.
    assert_eq!(starts(), before.map(|lines| lines + 1));
    completed_jobs_did_not_run_again(host, all);
}

fn completed_jobs_did_not_run_again(host: &Host, all: &[&Deployment<'_>; 3]) {
    let cluster = all[0].cluster();
    let jobs: Value = serde_json::from_str(&host.kubectl(&cluster, &["get", "jobs", "-A", "-o", "json"])).unwrap();
    let names: Vec<&str> =
        jobs["items"].as_array().unwrap().iter().filter_map(|job| job["metadata"]["name"].as_str()).collect();
    for deployment in all {
        assert!(!names.iter().any(|name| name.starts_with(&deployment.id())), "{names:?}");
    }
    fs::metadata(host.path("recreate.plan")).unwrap();
}
