//! Files that released versions wrote: each stays readable, and says what it said.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, copy_directory};
use laconic_engine::address::{Address, ResourceType};
use laconic_engine::apply::ports::StateStore as _;
use laconic_engine::plan::Action;
use laconic_engine::resource::{ClusterIdentity, Target};
use laconic_engine::state::{ClusterWishes, JournalRecord, State, Status, Tenant, VolumeStorage};
use laconic_state::contract::{assert_same, digests, records, scope};
use laconic_state::history::SNAPSHOT;
use laconic_state::local::{CONTENTS, JOURNAL};
use serde_json::json;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

/// Everything a state can hold: what version 1 wrote.
fn all_records() -> Vec<JournalRecord> {
    let tenant = Tenant {
        stopped: false,
        restoring: false,
        deployment_id: "laconic-0123456789abcdef".into(),
        directory: "/srv/shop".into(),
        namespace: "laconic-shop".into(),
        volumes: BTreeMap::from([
            ("pgdata".into(), VolumeStorage::Host("/srv/kind/pgdata".into())),
            ("cache".into(), VolumeStorage::Overlay),
            ("remote".into(), VolumeStorage::Provisioned),
        ]),
        hosts: vec!["shop.example.org".into()],
        pods: BTreeMap::from([("web".into(), 2)]),
        wishes: ClusterWishes {
            mount_root: Some("/srv/kind".into()),
            mounts: BTreeMap::from([("/data".into(), "/srv/data".into())]),
            ports: BTreeMap::from([("30000/tcp".into(), 30000)]),
            caddy_image: Some("caddy:2".into()),
            acme_email: Some("a@example.org".into()),
            node_image: Some("kindest/node:v1.34.0".into()),
            memlock_spec: Some("/srv/shop/spec.json".into()),
            ingress: true,
        },
    };
    let identity = ClusterIdentity { daemon: "D".into(), node: "N".into(), kube_system: "K".into() };
    let mut all = records();
    all.extend([
        JournalRecord::Identified { identity },
        JournalRecord::TenantSet { name: "shop".into(), tenant },
        JournalRecord::Done {
            address: Address::new(ResourceType::ConfigMap, scope(), "large"),
            uid: "uid-9".into(),
            needs: vec![],
            desired: json!({"data": {"page": "0123456789abcdef\n".repeat(1100)}, "metadata": {"name": "large"}}),
            observed: json!(null),
        },
        JournalRecord::Lost { address: Address::new(ResourceType::Job, scope(), "migrate") },
    ]);
    all
}

fn last() -> JournalRecord {
    JournalRecord::Gone { address: Address::new(ResourceType::Service, scope(), "web") }
}

fn check(state: &State) {
    let mut expected = State::empty(scope());
    all_records().into_iter().chain([last()]).for_each(|record| expected.fold(record));
    assert_same(state, &expected);
    assert_eq!(state.target, Some(Target::Kind("main".into())));
    let job = &state.resources[&Address::new(ResourceType::Job, scope(), "migrate")];
    assert_eq!((&job.status, job.completed), (&Status::Pending(Action::Create), true));
}

#[test]
fn version_1() {
    let place = Place::new();
    copy_directory(&fixture(), &place.state());
    let mut state = place.store().load(&scope()).unwrap();
    check(&state);
    assert_eq!(state.serial, 1);
    let all = digests(&state);
    place.store().load_bodies(&mut state, &all).unwrap();
    place.store().verify(&scope()).unwrap();
    // Written again it says the same.
    place.store().fold(&scope()).unwrap();
    let state = place.store().load(&scope()).unwrap();
    check(&state);
    assert_eq!(state.serial, 2);
    place.store().verify(&scope()).unwrap();
}

/// Makes the fixture of the present version. Released ones are never made again.
#[test]
#[ignore = "writes the fixture"]
fn write_fixture() {
    let place = Place::new();
    place.store().append(&scope(), &all_records()).unwrap();
    place.store().fold(&scope()).unwrap();
    place.store().append(&scope(), &[last()]).unwrap();
    let _ = fs::remove_dir_all(fixture());
    fs::create_dir_all(fixture().join(CONTENTS)).unwrap();
    for name in [SNAPSHOT, JOURNAL] {
        fs::copy(place.state().join(name), fixture().join(name)).unwrap();
    }
    copy_directory(&place.state().join(CONTENTS), &fixture().join(CONTENTS));
}
