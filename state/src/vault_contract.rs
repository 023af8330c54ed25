//! What every vault must do. Run by the tests of each, and by nothing else: so it unwraps, as tests do.

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::value::Digest;
use laconic_engine::vault::{KeptSecret, Vault, VaultContents};

/// A check by its name.
pub type Check = (&'static str, fn(&dyn Vault));

/// Every check; each wants a vault of its own.
pub const CHECKS: &[Check] = &[
    ("nothing_is_in_a_vault_that_nobody_filled", nothing_is_in_a_vault_that_nobody_filled),
    ("what_is_committed_comes_back", what_is_committed_comes_back),
    ("items_count_only_when_they_are_named", items_count_only_when_they_are_named),
    ("contents_are_replaced_as_a_whole", contents_are_replaced_as_a_whole),
    ("a_vault_that_is_given_up_is_gone", a_vault_that_is_given_up_is_gone),
    ("vaults_do_not_know_each_other", vaults_do_not_know_each_other),
];

fn contents(cluster: &str, items: &[(&str, String)]) -> VaultContents {
    let secrets = items.iter().map(|(name, item)| KeptSecret {
        key: ObjectKey::new(ResourceType::Secret, "shop", name),
        digest: Digest::of_bytes(name.as_bytes()),
        item: item.clone(),
        carried: false,
    });
    VaultContents {
        cluster: cluster.to_owned(),
        node: "node-1".to_owned(),
        secrets: secrets.collect(),
        quiesced: [(ObjectKey::new(ResourceType::Deployment, "shop", "web"), 2)].into(),
        ..VaultContents::default()
    }
}

fn nothing_is_in_a_vault_that_nobody_filled(vault: &dyn Vault) {
    assert_eq!(vault.contents("main").unwrap(), None);
    vault.discard("main").unwrap();
    vault.get("main", "00").unwrap_err();
}

fn what_is_committed_comes_back(vault: &dyn Vault) {
    let item = vault.put("main", b"hunter2-value").unwrap();
    let wanted = contents("main", &[("token", item.clone())]);
    vault.commit(&wanted).unwrap();
    assert_eq!(vault.contents("main").unwrap(), Some(wanted));
    assert_eq!(vault.get("main", &item).unwrap().as_slice(), b"hunter2-value");
    let empty = vault.put("main", b"").unwrap();
    assert_eq!(vault.get("main", &empty).unwrap().as_slice(), b"");
}

fn items_count_only_when_they_are_named(vault: &dyn Vault) {
    let one = vault.put("main", b"one").unwrap();
    assert_eq!(vault.contents("main").unwrap(), None, "nothing is committed yet");
    let two = vault.put("main", b"two").unwrap();
    vault.commit(&contents("main", &[("one", one.clone())])).unwrap();
    assert_eq!(vault.get("main", &one).unwrap().as_slice(), b"one");
    vault.get("main", &two).unwrap_err();
}

fn contents_are_replaced_as_a_whole(vault: &dyn Vault) {
    let one = vault.put("main", b"one").unwrap();
    vault.commit(&contents("main", &[("one", one.clone())])).unwrap();
    let two = vault.put("main", b"two").unwrap();
    // Until the next ones are committed the first ones hold.
    assert_eq!(vault.contents("main").unwrap(), Some(contents("main", &[("one", one.clone())])));
    let both = contents("main", &[("one", one.clone()), ("two", two.clone())]);
    vault.commit(&both).unwrap();
    assert_eq!(vault.contents("main").unwrap(), Some(both));
    assert_eq!(vault.get("main", &one).unwrap().as_slice(), b"one");
    assert_eq!(vault.get("main", &two).unwrap().as_slice(), b"two");
}

fn a_vault_that_is_given_up_is_gone(vault: &dyn Vault) {
    let item = vault.put("main", b"one").unwrap();
    vault.commit(&contents("main", &[("one", item.clone())])).unwrap();
    vault.discard("main").unwrap();
    assert_eq!(vault.contents("main").unwrap(), None);
    vault.get("main", &item).unwrap_err();
    // And the next one begins with nothing.
    let other = vault.put("main", b"two").unwrap();
    vault.commit(&contents("main", &[("two", other)])).unwrap();
    vault.get("main", &item).unwrap_err();
}

fn vaults_do_not_know_each_other(vault: &dyn Vault) {
    let item = vault.put("main", b"one").unwrap();
    vault.commit(&contents("main", &[("one", item.clone())])).unwrap();
    vault.get("other", &item).unwrap_err();
    vault.discard("other").unwrap();
    assert_eq!(vault.get("main", &item).unwrap().as_slice(), b"one");
}
