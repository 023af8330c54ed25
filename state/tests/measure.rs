//! How long ten thousand resources take. `cargo test --profile ci -p laconic-state --test measure -- --ignored --nocapture`

mod common;

use std::fs;
use std::time::Instant;

use common::Place;
use laconic_engine::address::{Address, ResourceType};
use laconic_engine::apply::ports::StateStore as _;
use laconic_engine::state::JournalRecord;
use laconic_state::contract::{digests, scope};
use laconic_state::history::SNAPSHOT;
use serde_json::json;

fn done(number: usize, replicas: usize) -> JournalRecord {
    let address = |number: usize| Address::new(ResourceType::Deployment, scope(), &format!("workload-{number:05}"));
    let name = format!("laconic-0123456789abcdef-workload-{number:05}");
    let desired = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "laconic-shop", "labels": {"app": "laconic-0123456789abcdef"}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": "registry.example.org/web:1.2.3", "env": [
                {"name": "A", "value": "one"}, {"name": "B", "value": "two"}], "ports": [{"containerPort": 8080}]}]},
        }},
    });
    JournalRecord::Done {
        address: address(number),
        uid: format!("01234567-89ab-cdef-0123-{number:012}"),
        needs: [1, 7, 50].into_iter().map(|back| address(number.saturating_sub(back))).collect(),
        observed: json!({"spec": desired["spec"]}),
        desired,
    }
}

#[test]
#[ignore = "a measurement"]
fn ten_thousand_resources() {
    let place = Place::new();
    let store = place.store();
    let time = |what: &str, run: &mut dyn FnMut()| {
        let best = (0..5).map(|_| {
            let began = Instant::now();
            run();
            began.elapsed()
        });
        println!("{what}: {:.1?}", best.min().unwrap());
    };
    let records: Vec<JournalRecord> = (0..10_000).map(|number| done(number, 1)).collect();
    let began = Instant::now();
    store.append(&scope(), &records).unwrap();
    println!("append 10,000 records at once: {:.1?}", began.elapsed());
    let began = Instant::now();
    store.load(&scope()).unwrap();
    println!("load with 10,000 records in the journal: {:.1?}", began.elapsed());
    let began = Instant::now();
    store.fold(&scope()).unwrap();
    println!("fold 10,000 records: {:.1?}", began.elapsed());
    let bytes = fs::read(place.state().join(SNAPSHOT)).unwrap();
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    println!("first line {line} bytes, file {} bytes", bytes.len());
    time("load", &mut || drop(store.load(&scope()).unwrap()));
    time("read the file as a whole", &mut || drop(fs::read(place.state().join(SNAPSHOT)).unwrap()));
    time("checksum of the first line", &mut || {
        std::hint::black_box(laconic_engine::value::Digest::of_bytes(&bytes[..line]));
    });
    let state = store.load(&scope()).unwrap();
    let all = digests(&state);
    time("load all bodies", &mut || store.load_bodies(&mut state.clone(), &all).unwrap());
    let mut replicas = 1;
    time("append one record", &mut || {
        replicas += 1;
        store.append(&scope(), &[done(5, replicas)]).unwrap();
    });
    time("fold one changed resource", &mut || {
        replicas += 1;
        store.append(&scope(), &[done(5, replicas)]).unwrap();
        store.fold(&scope()).unwrap();
    });
}
