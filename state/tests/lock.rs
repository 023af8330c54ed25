//! Locks across processes.

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::Place;
use laconic_engine::apply::ports::{LockMode, StateError, StateStore as _};
use laconic_state::contract::scope;
use laconic_state::disk::Disk;
use laconic_state::lock;

const DIRECTORY: &str = "LACONIC_LOCK_TEST_DIRECTORY";

/// Not a test of its own: the other process of the next one.
#[test]
#[ignore = "run by locks_die_with_their_process"]
fn hold_a_lock() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let _held = lock::acquire(&Disk::default(), &directory, LockMode::Exclusive, "destroy").unwrap();
    println!("\nheld");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn locks_die_with_their_process() {
    let place = Place::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold_a_lock", "--ignored", "--nocapture"])
        .env(DIRECTORY, place.state())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(output.any(|line| line.unwrap() == "held"));

    let Err(StateError::Locked { holder: Some(holder), .. }) = place.store().lock(&scope(), LockMode::Shared, "plan")
    else {
        panic!("the other process holds it");
    };
    assert_eq!((holder.process, holder.operation.as_str()), (child.id(), "destroy"));
    assert!(!holder.boot.is_empty() && !holder.host.is_empty() && holder.since.ends_with('Z'));
    let report = place.store().lock_info(&scope()).unwrap();
    assert_eq!((report.mode, report.holders, report.dead), (Some(LockMode::Exclusive), vec![*holder.clone()], vec![]));

    child.kill().unwrap();
    child.wait().unwrap();
    let report = place.store().lock_info(&scope()).unwrap();
    assert_eq!((report.mode, report.holders, report.dead), (None, vec![], vec![*holder]));
    let guard = place.store().lock(&scope(), LockMode::Exclusive, "apply").unwrap();
    let report = place.store().lock_info(&scope()).unwrap();
    assert_eq!((report.holders.len(), report.dead.len()), (1, 0), "the dead one's file is replaced");
    assert_eq!(report.holders[0].process, std::process::id());
    drop(guard);
    assert_eq!(place.store().lock_info(&scope()).unwrap(), lock::LockReport::default());
}

#[test]
fn unlocking_by_force_lets_the_next_one_in() {
    let place = Place::new();
    let held = place.store().lock(&scope(), LockMode::Exclusive, "apply").unwrap();
    assert!(place.store().lock(&scope(), LockMode::Exclusive, "apply").is_err());
    place.store().force_unlock(&scope()).unwrap();
    let next = place.store().lock(&scope(), LockMode::Exclusive, "apply").unwrap();
    drop(held);
    assert!(place.store().lock(&scope(), LockMode::Shared, "apply").is_err(), "the old one lets go of its own only");
    drop(next);
    place.store().lock(&scope(), LockMode::Exclusive, "apply").unwrap();
}

#[test]
fn asking_who_holds_a_lock_makes_nothing() {
    let place = Place::new();
    assert_eq!(place.store().lock_info(&scope()).unwrap(), lock::LockReport::default());
    assert!(!place.deployment().exists());
    let shared = place.store().lock(&scope(), LockMode::Shared, "apply").unwrap();
    let other = place.store().lock(&scope(), LockMode::Shared, "destroy").unwrap();
    let report = place.store().lock_info(&scope()).unwrap();
    assert_eq!((report.mode, report.holders.len()), (Some(LockMode::Shared), 2));
    drop((shared, other));
}

#[test]
fn a_holder_of_an_earlier_boot_is_dead() {
    let mut holder = lock::this_process("apply");
    assert!(lock::may_be_alive(&holder));
    holder.boot = "another".to_owned();
    assert!(!lock::may_be_alive(&holder));
    holder.host = "elsewhere".to_owned();
    assert!(lock::may_be_alive(&holder), "nothing is known of other hosts");
}
