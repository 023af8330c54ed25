//! Hooks of a spec on a real API server: shown by the plan, run by apply, in their place and once.

use laconic_testbed::{ApiServer, Options};

use crate::deployment::Deployment;

const SPEC: &str = "\
stack: stacks/shop
deploy-to: k8s
namespace: NAMESPACE
hooks:
  announce: {executable: ./tools/announce.sh, arguments: [all, ready], inputs: [./tools/words.txt]}
  prepare: {executable: ./tools/prepare.sh, phase: before-workloads}
";
const WEB: &str = "services: {web: {image: 'example.com/shop/web:1.0'}}\n";

/// Writes down who ran and what it was told.
const ANNOUNCE: &str = "#!/bin/sh
echo \"$LACONIC_HOOK in $LACONIC_NAMESPACE: $* $(cat hooks/announce/inputs/words.txt)\" >>\"$LACONIC_DEPLOYMENT_DIR/../ran\"
";
const PREPARE: &str = "#!/bin/sh
echo \"$LACONIC_HOOK\" >>\"$LACONIC_DEPLOYMENT_DIR/../ran\"
if [ -e ../broken ]; then echo 'no database'; exit 3; fi
";

#[test]
fn hooks_run_when_they_are_new_and_when_their_inputs_change() {
    if laconic_testbed::off() {
        return;
    }
    let server = &ApiServer::start(Options::new().with_controller_manager(true)).unwrap();
    server.kubelet();
    let files = [("announce.sh", ANNOUNCE), ("prepare.sh", PREPARE), ("words.txt", "hello")];
    let files = files.map(|(name, content)| (format!("tools/{name}"), content.to_owned()));
    let shop = Deployment::of("hooks", SPEC, WEB, &files);
    shop.reach(&server.kubeconfig("admin"));
    let ran = || std::fs::read_to_string(shop.path("ran")).unwrap_or_default();

    // One that fails keeps the workloads from being made, and says why; nothing else of it is left.
    shop.write("broken", "");
    shop.laconic(&["plan"])
        .expect(0)
        .says("# (the hook `prepare` will run, before-workloads: hooks/prepare/prepare.sh)")
        .says("# (the hook `announce` will run, after-workloads: hooks/announce/announce.sh all ready)");
    let failed = shop.laconic(&["apply", "--auto-approve"]).expect(1);
    failed.says("the hook `prepare` ended with status 3; it said: no database");
    assert_eq!(ran(), "prepare\n");
    assert!(shop.path("shop/.laconic/hooks/prepare.log").is_file());
    std::fs::remove_file(shop.path("broken")).unwrap();

    // The next apply runs it again, and the other one when the pods are ready.
    shop.laconic(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(ran(), "prepare\nprepare\nannounce in hooks: all ready hello\n");
    shop.laconic(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
    shop.laconic(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(ran().lines().count(), 3);

    // Another input: that hook alone, and no pod rolls.
    shop.write("shop/hooks/announce/inputs/words.txt", "good evening");
    let plan = shop.laconic(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says("# config_map.shop.hook-announce will be updated in-place")
        .says("Plan: 0 to add, 1 to change, 0 to destroy.");
    shop.laconic(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(ran().lines().last(), Some("announce in hooks: all ready good evening"));

    // A program that is not the planned one is not run.
    shop.write("shop/hooks/announce/inputs/words.txt", "good night");
    shop.laconic(&["plan", "--out", "plan"]).expect(0);
    shop.write("shop/hooks/announce/announce.sh", "#!/bin/sh\nrm -rf everything\n");
    let stale = shop.laconic(&["apply", "plan"]);
    assert_ne!(stale.code, 0, "{}", stale.all());
    assert_eq!(ran().lines().count(), 4);
}
