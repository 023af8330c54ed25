//! Stops on a real cluster: neighbours go on serving, data is where it was, and the last one takes the cluster away.

use crate::host::{Deployment, Host, clusters, content};
use crate::page;

fn run(deployment: &Deployment<'_>, words: &[&str]) -> crate::answer::Answer {
    deployment.laconic(&[&["deployment"], words].concat())
}

/// Nothing is recorded any more, as on a host that laconic-so made: the cluster, the one that runs and the one that is stopped
/// are taken over in one go, and no pod is touched.
fn everything_is_taken_over(host: &Host, cluster: &str, both: &[&Deployment<'_>; 2]) {
    let [shop, blog] = both;
    let selector = format!("--selector=app={}", blog.id());
    let running = || {
        let pods =
            "--output=jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount};{end}";
        let workloads = "--output=jsonpath={range .items[*]}{.metadata.uid} {.metadata.generation};{end}";
        let pods = host.kubectl(cluster, &["get", "pods", "--all-namespaces", &selector, pods]);
        (pods, host.kubectl(cluster, &["get", "deployments", "--all-namespaces", workloads]))
    };
    let before = running();
    assert!(before.0.ends_with(" 0;"), "{before:?}");
    for lost in ["state", "shop/.laconic", "blog/.laconic"] {
        std::fs::remove_dir_all(host.path(lost)).unwrap();
    }
    blog.laconic(&["plan"]).expect(3).says("LAC402");
    host.laconic(&["import", "--deployments-root", ".", "--auto-approve"]).expect(0).says("Import complete!");
    blog.nothing_to_do();
    blog.laconic(&["drift"]).expect(0).says("No drift.");
    host.laconic(&["cluster", "show", cluster]).expect(0).says("shop  stopped").says("blog  2 pods");
    shop.laconic(&["plan"]).expect(0).says("shop is stopped");
    assert_eq!(running(), before, "something was made anew");
}

#[test]
fn stop_and_start_of_two_deployments_on_one_cluster() {
    let Some(host) = Host::new() else { return };
    let (shop, blog) = (host.deployment("shop", &[]), host.deployment("blog", &["--cluster-id", "laconic-stops"]));
    let shop_cluster = shop.cluster();
    // Both on one cluster, which the first start makes.
    host.write("shop/deployment.yml", &host.read("shop/deployment.yml").replace(&shop_cluster, "laconic-stops"));
    run(&shop, &["start"]).expect(0).says("Apply complete!");
    run(&blog, &["up"]).expect(0).says("Apply complete!");
    let cluster = blog.cluster();
    let node = host.node_id(&cluster);
    shop.answers();
    blog.answers();
    for deployment in [&shop, &blog] {
        page::post(&deployment.site(), "/files/scratch/marker", "written before\n");
    }
    let key = shop.session_key();

    // Looking at it.
    run(&shop, &["status"]).expect(0).says("shop  running");
    run(&shop, &["ps"]).expect(0).says("1/1    Running");
    run(&shop, &["logs", "-n", "5", "web"]).expect(0).says("web: serving \"this is shop\" on port 8080");
    let inside =
        ["exec", "web", "/workload", "workload", "-mode", "job", "-text", "from inside", "-write", "", "-status", "3"];
    run(&shop, &inside).expect(1).says("from inside").says("terminated with exit code 3");
    host.laconic(&["cluster", "list"]).expect(0).says("blog,shop");

    // One is stopped: the other goes on, and everything that both keep is there.
    run(&shop, &["stop", "--perform-cluster-management"]).expect(0).says("Stop complete!");
    blog.answers();
    page::wait(&blog.site(), "/files/scratch/marker", "written before");
    assert_eq!(host.node_id(&cluster), node);
    let volumes = host.kubectl(&cluster, &["get", "persistentvolumes", "--output=name"]);
    assert!(volumes.contains(&shop.id()) && volumes.contains(&blog.id()), "{volumes}");
    shop.laconic(&["plan"]).expect(0).says("shop is stopped");
    let starts = content(&shop.data().join("starts"));
    everything_is_taken_over(&host, &cluster, &[&shop, &blog]);

    // It comes back with what it had.
    run(&shop, &["start"]).expect(0);
    shop.answers();
    page::wait(&shop.site(), "/files/scratch/marker", "written before");
    assert_eq!(shop.session_key(), key);
    assert_eq!(content(&shop.data().join("starts")), format!("{starts}this is shop\n"));
    shop.nothing_to_do();

    // The last ones: data inside the cluster keeps it, until it is given up by its flag.
    run(&shop, &["stop", "--delete-volumes"]).expect(0).says("LAC302");
    run(&blog, &["stop", "--perform-cluster-management"]).expect(0);
    assert_eq!(host.node_id(&cluster), node, "a volume of blog is kept in it");
    run(&blog, &["stop", "--delete-volumes"]).expect(3).says("--perform-cluster-management");
    run(&blog, &["stop", "--delete-volumes", "--perform-cluster-management"]).expect(0);
    assert!(!clusters().contains(&cluster));
    assert!(shop.data().join("starts").is_file() && blog.data().join("starts").is_file());

    run(&blog, &["start"]).expect(0);
    blog.answers();
    blog.nothing_to_do();
    host.laconic(&["cluster", "list"]).expect(0).says("running");
    host.kubeconfig_is_untouched();
}
