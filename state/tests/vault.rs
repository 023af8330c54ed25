//! Vaults: what each must do, and what one on disk must not show.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::value::Digest;
use laconic_engine::vault::{KeptSecret, Vault, VaultContents};
use laconic_state::disk::{Disk, fail_after};
use laconic_state::{LocalVault, MemoryVault, vault_contract};

#[test]
fn vaults_in_memory_keep_the_contract() {
    for (name, check) in vault_contract::CHECKS {
        println!("{name}");
        check(&MemoryVault::default());
    }
}

#[test]
fn vaults_on_disk_keep_the_contract() {
    for (name, check) in vault_contract::CHECKS {
        println!("{name}");
        let place = tempfile::tempdir().unwrap();
        check(&LocalVault::new(place.path()));
    }
}

fn filled(place: &Path) -> (LocalVault, String) {
    let vault = LocalVault::new(place);
    let item = vault.put("main", b"hunter2-value").unwrap();
    vault.commit(&contents(&item)).unwrap();
    (vault, item)
}

fn contents(item: &str) -> VaultContents {
    let key = ObjectKey::new(ResourceType::Secret, "shop", "hunter2-name");
    let secret = KeptSecret { key, digest: Digest::of_bytes(b"x"), item: item.to_owned(), carried: false };
    VaultContents { cluster: "main".to_owned(), secrets: vec![secret], ..VaultContents::default() }
}

fn all_files(place: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![place.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

#[test]
fn nothing_on_disk_can_be_read_by_others_or_without_the_key() {
    let place = tempfile::tempdir().unwrap();
    let (vault, _) = filled(place.path());
    let files = all_files(place.path());
    assert_eq!(files.len(), 3, "{files:?}");
    for path in files {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"), "{} tells a secret", path.display());
    }
    fs::remove_file(place.path().join("clusters/main/vault.key")).unwrap();
    let error = vault.contents("main").unwrap_err().to_string();
    assert!(error.contains("its key") && error.contains("is gone"), "{error}");
}

#[test]
fn what_was_changed_or_swapped_on_disk_is_damaged() {
    let place = tempfile::tempdir().unwrap();
    let (vault, item) = filled(place.path());
    let folder = place.path().join("clusters/main/vault");
    let other = vault.put("main", b"another").unwrap();
    let good = fs::read(folder.join(&item)).unwrap();
    fs::copy(folder.join(&other), folder.join(&item)).unwrap();
    let error = vault.get("main", &item).unwrap_err().to_string();
    assert!(error.contains("damaged") && !error.contains("another"), "{error}");
    for position in [0, 20, good.len() - 1] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        fs::write(folder.join(&item), bad).unwrap();
        vault.get("main", &item).unwrap_err();
    }
    fs::write(folder.join(&item), &good[..10]).unwrap();
    vault.get("main", &item).unwrap_err();
    fs::write(folder.join(&item), good).unwrap();
    assert_eq!(vault.get("main", &item).unwrap().as_slice(), b"hunter2-value");
    fs::write(folder.join("contents"), b"{}").unwrap();
    vault.contents("main").unwrap_err();
}

/// Killed at any operation of the disk, a vault holds what it held or what it was to hold, and can be given up afterwards.
#[test]
fn a_vault_survives_its_disk() {
    for count in 0..200 {
        let place = tempfile::tempdir().unwrap();
        let (sound, item) = filled(place.path());
        let vault = LocalVault::new(place.path()).on(Disk::with_hook(fail_after(count)));
        let next = vault.put("main", b"next").and_then(|next| vault.commit(&contents(&next)).map(|()| next));
        let found = sound.contents("main").unwrap().unwrap();
        let named: Vec<&str> = found.items().collect();
        let bytes = sound.get("main", named[0]).unwrap();
        assert!(bytes.as_slice() == b"hunter2-value" || bytes.as_slice() == b"next", "{count}");
        assert!(next.is_err() || named != [item.as_str()], "{count}: what was committed counts");
        if next.is_ok() {
            break;
        }
        assert!(count < 199, "it never ends");
    }
    for count in 0..200 {
        let place = tempfile::tempdir().unwrap();
        let (sound, _) = filled(place.path());
        let vault = LocalVault::new(place.path()).on(Disk::with_hook(fail_after(count)));
        let discarded = vault.discard("main");
        // Whole, given up, or gone; and given up again it is gone.
        let left = sound.contents("main").unwrap();
        assert!(discarded.is_err() || left.is_none(), "{count}: {left:?}");
        sound.discard("main").unwrap();
        assert_eq!(sound.contents("main").unwrap(), None, "{count}");
        assert_eq!(all_files(place.path()), Vec::<PathBuf>::new(), "{count}");
        if discarded.is_ok() {
            break;
        }
        assert!(count < 199, "it never ends");
    }
}

#[test]
fn a_copy_in_memory_holds_the_same() {
    let place = tempfile::tempdir().unwrap();
    let (vault, item) = filled(place.path());
    let copy = MemoryVault::copy_of(&vault, ["main", "other"].into_iter()).unwrap();
    assert_eq!(copy.contents("main"), vault.contents("main"));
    assert_eq!(copy.get("main", &item).unwrap().as_slice(), b"hunter2-value");
    copy.discard("main").unwrap();
    assert!(vault.contents("main").unwrap().is_some(), "the vault itself stays");
}
