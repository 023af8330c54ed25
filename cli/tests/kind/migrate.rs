//! A cluster that was made without an umbrella gets one, and the bytes of its volumes are where they are to be.

use crate::host::{Deployment, Host, content};
use crate::page;

/// The shop with mounts of its own, moved below the umbrella that the journey's other deployments have.
pub fn below_the_umbrella(host: &Host) -> Deployment<'_> {
    let (umbrella, own) = (host.path("srv").display().to_string(), host.path("own/shop").display().to_string());
    let spec = host.spec("shop").replace(&format!("kind-mount-root: {umbrella}\n"), "");
    let spec = spec.replace(&format!("{umbrella}/shop"), &own);
    let shop = host.deployment_of("shop", &spec, &[]);
    shop.laconic(&["apply", "--auto-approve"]).expect(0).says("LAC201");
    shop.answers();
    for volume in ["data", "scratch"] {
        page::post(&shop.site(), &format!("/files/{volume}/moved"), "written before\n");
    }
    let (cluster, key) = (shop.cluster(), shop.session_key());
    let node = host.node_id(&cluster);
    let migrate = ["cluster", "migrate", "--to-umbrella", "--mount-root", &umbrella, "--rescue-volume", "shop/scratch"];

    // The new place is taken: nothing is touched.
    host.write("srv/shop/data/file", "somebody else's");
    let consent = format!("--allow-recreate={cluster}");
    let refused = host.laconic(&[&migrate[..], &["--dry-run", &consent]].concat()).expect(3);
    refused.says("LAC217").says("something is in it already");
    std::fs::remove_dir_all(host.path("srv/shop")).unwrap();

    let shown = host.laconic(&[&migrate[..], &["--dry-run", &consent]].concat()).expect(0).stdout;
    assert!(shown.contains(&format!("+kind-mount-root: {umbrella}")), "{shown}");
    let plan = shown.split("--expect-plan=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let expected = format!("--expect-plan={plan}");
    assert_eq!((host.node_id(&cluster), content(&shop.spec_file())), (node.clone(), spec), "it was only shown");
    host.laconic(&[&migrate[..], &[&expected, &consent, "--auto-approve"]].concat()).expect(0);

    assert_ne!(host.node_id(&cluster), node);
    shop.answers();
    for volume in ["data", "scratch"] {
        let found = page::get(&shop.site(), &format!("/files/{volume}/moved"));
        assert_eq!(found.as_deref().map(str::trim), Ok("written before"), "{volume}");
        let file = host.path(&format!("srv/shop/{volume}/moved"));
        assert_eq!(content(&file), "written before\n", "{volume} is below the umbrella");
    }
    assert!(!host.path("own/shop").exists(), "the data is in two places");
    assert_eq!(shop.session_key(), key, "a secret made once stays");
    let mounts = host.node(&cluster)["Mounts"].as_array().unwrap().clone();
    let below =
        mounts.iter().filter(|mount| mount["Destination"].as_str().is_some_and(|path| path.starts_with("/mnt")));
    assert_eq!(below.count(), 1, "one mount serves everybody");
    shop.nothing_to_do();
    host.laconic(&migrate).expect(0).says("Nothing to migrate");
    shop
}
