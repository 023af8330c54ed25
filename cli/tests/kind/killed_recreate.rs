//! `kill -9` at three steps of a recreate of two deployments' cluster: before the deletion, while kind makes the new one,
//! while a rescued volume is being written. Each time somebody goes on with a plain apply, and at the end nothing is lost
//! but what the forecast said.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::host::{Deployment, Host, content, tool};
use crate::kill::{Apply, kill_group, nodes, nothing_is_doubled};
use crate::page;
use crate::printed::{Fate, forecast};

/// More than one piece of what goes into a vault and back.
const LARGE: &str = "20000000";

pub fn a_recreate_is_killed(host: &Host, shop: &Deployment<'_>) {
    let killed = Killed::prepare(host, shop);
    let before = killed.secrets();
    let keys = killed.both().map(|one| one.session_key());
    let digest = killed.digest_of_large();

    killed.before_the_deletion();
    let fates = killed.while_kind_creates();
    killed.while_a_volume_is_written();

    // The last word has the one that wanted the mount. It goes on with what its neighbour went on with.
    killed.blog.apply();
    assert!(!killed.vault().exists() && !killed.vault().with_extension("key").exists(), "nothing of the vault is left");
    assert_eq!(nodes(&killed.cluster()).len(), 1);
    for (deployment, key) in killed.both().into_iter().zip(keys) {
        deployment.answers();
        assert_eq!(deployment.session_key(), key, "a secret made once stays");
        for volume in ["data", "scratch"] {
            let fate = &fates[&format!("{}/{volume}", deployment.name)].fate;
            let found = page::get(&deployment.site(), &format!("/files/{volume}/marker"));
            let is_kept = found.as_ref().is_ok_and(|text| text.trim() == "written before");
            assert_eq!(fate == "kept", is_kept, "{}/{volume}: forecast {fate}, found {found:?}", deployment.name);
        }
        // Once at first, once when the recreate was given up, once on the new cluster.
        let starts = format!("this is {}\n", deployment.name).repeat(3);
        assert_eq!(content(&deployment.data().join("starts")), starts);
    }
    assert_eq!([&fates["shop/scratch"].fate, &fates["blog/scratch"].fate], ["kept", "LOST"], "{fates:#?}");
    assert_eq!(killed.digest_of_large(), digest, "byte by byte");
    page::wait(&killed.blog.site(), "/files/extra/hello", "from the host");
    assert_eq!(killed.secrets(), before);
    // Jobs that had completed do not come back.
    nothing_is_doubled(shop, [1, 0, 1, 2]);
    nothing_is_doubled(&killed.blog, [1, 0, 1, 3]);
    shop.nothing_to_do();
    killed.blog.nothing_to_do();
}

/// Two deployments of which one wants its cluster made anew.
struct Killed<'a> {
    host: &'a Host,
    shop: &'a Deployment<'a>,
    blog: Deployment<'a>,
}

impl<'a> Killed<'a> {
    fn prepare(host: &'a Host, shop: &'a Deployment<'a>) -> Self {
        let blog = host.deployment("blog", &["--deployment-id", "laconic-blog"]);
        blog.apply();
        blog.answers();
        let killed = Self { host, shop, blog };
        for deployment in killed.both() {
            for volume in ["data", "scratch"] {
                page::post(&deployment.site(), &format!("/files/{volume}/marker"), "written before\n");
            }
        }
        killed.in_volume(&format!("head --bytes={LARGE} /dev/urandom >large"));
        let by_hand = ["create", "secret", "generic", "by-hand", "--from-literal=value=not-a-real-token"];
        host.kubectl(&killed.cluster(), &[&by_hand[..], &["--namespace", "shop"]].concat());
        // A volume more, outside of the umbrella.
        host.write("extra/hello", "from the host\n");
        let extra = host.path("extra").display().to_string();
        killed.blog.respecify(|spec| spec.replace("\nvolumes:\n", &format!("\nvolumes:\n  extra: {extra}\n")));
        let compose = "blog/compose/docker-compose-web.yml";
        let text = host.read(compose).replace("- data:/data\n", "- data:/data\n      - extra:/extra\n");
        host.write(compose, &text.replace("\nvolumes:\n", "\nvolumes:\n  extra:\n"));
        killed
    }

    /// Half of what is rescued is in the vault, and everything that writes is stopped. Its neighbour knows nothing of the
    /// wish, and gives the recreate up.
    fn before_the_deletion(&self) {
        let node = nodes(&self.cluster());
        let (mut apply, _) = self.begin();
        apply.wait_for(|_| self.holds_a_piece().then_some(()));
        apply.kill();
        assert_eq!(nodes(&self.cluster()), node, "it is not deleted yet");
        for deployment in self.both() {
            assert_eq!(self.replicas(deployment), "0", "{}", deployment.name);
        }
        let place = self.vault().display().to_string();
        let plan = self.blog.laconic(&["plan"]).expect(3).says("LAC804").says("LAC202");
        plan.says("did not get to its deletion, and what it stopped (2 workloads) may not run").says(&place);
        let plan = self.shop.laconic(&["plan", "--detailed-exitcode"]).expect(2).says("LAC804").says(&place);
        plan.says("did not get to its deletion: what it stopped runs again, and its vault is deleted");
        self.shop.apply();
        assert!(!self.vault().exists());
        assert_eq!(nodes(&self.cluster()), node);
        for deployment in self.both() {
            deployment.answers();
            page::wait(&deployment.site(), "/files/scratch/marker", "written before");
        }
        self.shop.nothing_to_do();
    }

    /// The old cluster is gone, and the new one is half made. Returns what the plan forecast.
    fn while_kind_creates(&self) -> BTreeMap<String, Fate> {
        let node = nodes(&self.cluster());
        let (mut apply, fates) = self.begin();
        apply.wait_for(|_| nodes(&self.cluster()).first().filter(|one| **one != node[0]).map(|_| ()));
        let kind = apply.kind().unwrap();
        apply.kill();
        kill_group(kind);
        assert_eq!(nodes(&self.cluster()).len(), 1);
        self.comes_back_from_the_vault();
        fates
    }

    /// The new cluster is there, and an archive of the rescued volume is on its way into its node.
    fn while_a_volume_is_written(&self) {
        let mut apply = Apply::plain(self.shop);
        apply.wait_for_line(&format!("kind_cluster.{}: Restoring volumes...", self.cluster()));
        let arrived = "find /var/lib/laconic-rescue -size +1M 2>/dev/null || true";
        apply.wait_for(|_| (!self.in_node(arrived).is_empty()).then_some(()));
        apply.kill();
        self.comes_back_from_the_vault();
    }

    #[track_caller]
    fn comes_back_from_the_vault(&self) {
        assert!(self.vault().join("contents").is_file());
        for deployment in self.both() {
            let plan = deployment.laconic(&["plan", "--detailed-exitcode"]).expect(2).says("LAC804");
            let plan = plan.says("and 1 volume come back from its vault").says(&self.vault().display().to_string());
            // It is not there yet.
            plan.says("continued from its vault").says("the bytes of 1 volume, each compared:");
        }
    }

    /// The recreate that blog wants, planned and begun; and what the plan forecasts.
    fn begin(&self) -> (Apply, BTreeMap<String, Fate>) {
        let consents = [format!("--allow-recreate={}", self.cluster()), "--allow-data-loss=blog/scratch".to_owned()];
        let consents: Vec<&str> = consents.iter().map(String::as_str).collect();
        let plan = ["plan", "--out", "recreate.plan", "--forecast", "--rescue-volume", "shop/scratch"];
        let plan = self.blog.laconic(&[&plan[..], &consents].concat()).expect(0);
        let apply = Apply::start(&self.blog, &[&["apply", "recreate.plan", "--auto-approve"], &consents[..]].concat());
        (apply, forecast(&plan.stdout))
    }

    fn both(&self) -> [&Deployment<'a>; 2] {
        [self.shop, &self.blog]
    }

    fn cluster(&self) -> String {
        self.shop.cluster()
    }

    fn vault(&self) -> PathBuf {
        self.host.path("state/clusters").join(self.cluster()).join("vault")
    }

    /// Whether the vault has bytes of the large file.
    fn holds_a_piece(&self) -> bool {
        let files = fs::read_dir(self.vault()).into_iter().flatten().flatten();
        let sizes = files.filter_map(|entry| Some(entry.metadata().ok()?.len()));
        sizes.into_iter().any(|size| size > 1_000_000)
    }

    /// How many pods a deployment is to have.
    fn replicas(&self, deployment: &Deployment<'_>) -> String {
        let arguments = ["get", "deployments", "-n", &deployment.name, "-o", "jsonpath={.items[*].spec.replicas}"];
        self.host.kubectl(&self.cluster(), &arguments)
    }

    /// Every Secret that must survive, with its values.
    fn secrets(&self) -> String {
        let all = ["shop", "blog"].map(|namespace| {
            let columns = "jsonpath={range .items[*]}{.metadata.name} {.type} {.data}{\"\\n\"}{end}";
            self.host.kubectl(&self.cluster(), &["get", "secrets", "-n", namespace, "-o", columns])
        });
        assert!(all[0].contains("by-hand Opaque"), "{all:?}");
        all.concat()
    }

    fn digest_of_large(&self) -> String {
        self.in_volume("sha256sum large")
    }

    /// Runs a script in the directory of shop's volume in the node.
    fn in_volume(&self, script: &str) -> String {
        self.in_node(&format!("cd /var/local-path-provisioner/*_shop_*scratch && {script}"))
    }

    fn in_node(&self, script: &str) -> String {
        let node = format!("{}-control-plane", self.cluster());
        tool("docker", &["exec", &node, "sh", "-c", script])
    }
}
