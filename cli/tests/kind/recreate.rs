//! A cluster with three tenants made anew through the vault: what the forecast said of each volume is held against what
//! really happened to its bytes, and what nobody recorded is looked for.

use crate::certificates::Backup;
use crate::host::{Deployment, Host};
use crate::page;
use crate::printed::forecast;

#[test]
fn everything_that_was_promised_survives_a_recreate() {
    let Some(host) = Host::new() else { return };
    let all = ["shop", "blog", "ledger"].map(|name| {
        let deployment = host.deployment(name, &[]);
        deployment.apply();
        deployment.answers();
        deployment
    });
    let [shop, _, ledger] = &all;
    let cluster = shop.cluster();
    for deployment in &all {
        for volume in ["data", "scratch"] {
            page::post(&deployment.site(), &format!("/files/{volume}/marker"), "written before\n");
        }
    }
    let by_hand = ["create", "secret", "generic", "by-hand", "--from-literal=value=not-a-real-token"];
    host.kubectl(&cluster, &[&by_hand[..], &["--namespace", "shop"]].concat());
    host.kubectl(&cluster, &[&by_hand[..], &["--namespace", "caddy-system"]].concat());
    let secret = |namespace: &str| {
        host.kubectl(&cluster, &["get", "secret", "by-hand", "-n", namespace, "-o", "jsonpath={.data}{.type}"])
    };
    let secrets = ["shop", "caddy-system"].map(secret);
    let keys = all.each_ref().map(Deployment::session_key);
    let certificates = all.each_ref().map(|deployment| page::certificate(&deployment.site()));
    let backup = Backup::begin(&host, &cluster);

    // A volume more, outside of the umbrella.
    host.write("extra/hello", "from the host\n");
    let extra = host.path("extra").display().to_string();
    ledger.respecify(|spec| spec.replace("\nvolumes:\n", &format!("\nvolumes:\n  extra: {extra}\n")));
    let compose = "ledger/compose/docker-compose-web.yml";
    let text = host.read(compose).replace("- data:/data\n", "- data:/data\n      - extra:/extra\n");
    host.write(compose, &text.replace("\nvolumes:\n", "\nvolumes:\n  extra:\n"));

    let consents = [
        format!("--allow-recreate={cluster}"),
        "--allow-data-loss=blog/scratch".to_owned(),
        "--allow-data-loss=ledger/scratch".to_owned(),
    ];
    let consents: Vec<&str> = consents.iter().map(String::as_str).collect();
    let plan = ["plan", "--out", "recreate.plan", "--forecast", "--rescue-volume", "shop/scratch"];
    // Nothing has saved the certificates yet; then something has.
    let unsaved = ledger.laconic(&[&plan[..], &consents].concat()).expect(0);
    unsaved.says("LAC604").says("are in no backup: there is no ").says("they go through the vault of the recreate");
    backup.save();
    let plan = ledger.laconic(&[&plan[..], &consents].concat()).expect(0);
    assert!(!plan.stdout.contains("LAC604"), "{}", plan.stdout);
    assert!(!plan.stdout.contains("not-a-real-token"), "a secret is in the plan");
    let fates = forecast(&plan.stdout);
    let node = host.node_id(&cluster);
    let apply = ["apply", "recreate.plan", "--auto-approve"];
    let applied = host.laconic(&[&apply[..], &consents].concat()).expect(0);
    assert!(!applied.stdout.contains("not-a-real-token"), "a secret is in the report");
    assert_ne!(host.node_id(&cluster), node);

    for (deployment, key) in all.iter().zip(&keys) {
        deployment.answers();
        for volume in ["data", "scratch"] {
            let fate = &fates[&format!("{}/{volume}", deployment.name)].fate;
            let found = page::get(&deployment.site(), &format!("/files/{volume}/marker"));
            let is_kept = found.as_ref().is_ok_and(|text| text.trim() == "written before");
            assert_eq!(fate == "kept", is_kept, "{}/{volume}: forecast {fate}, found {found:?}", deployment.name);
        }
        assert_eq!(deployment.session_key(), *key, "a secret made once stays");
        assert!(
            certificates.contains(&page::certificate(&deployment.site())),
            "{}: another certificate",
            deployment.name
        );
        deployment.nothing_to_do();
    }
    assert_eq!(fates["shop/scratch"].fate, "kept", "{fates:#?}");
    assert_eq!(fates["blog/scratch"].fate, "LOST", "{fates:#?}");
    assert_eq!(["shop", "caddy-system"].map(secret), secrets, "Secrets made by hand");
    let state = host.path("state/clusters").join(&cluster);
    for left in ["vault", "vault.key", "vault.discarded"] {
        assert!(!state.join(left).exists(), "{left} is left");
    }
    host.kubeconfig_is_untouched();
}
