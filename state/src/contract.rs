//! What every state store must do, as a suite that each store's tests run.

use std::collections::BTreeSet;

use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::apply::ports::{LockMode, StateError, StateStore};
use laconic_engine::plan::Action;
use laconic_engine::resource::Target;
use laconic_engine::state::{Body, JournalRecord, State, Tenant};
use laconic_engine::value::Digest;
use serde_json::{Value, json};

/// Two handles on one place, as two processes have them.
pub type Handles = (Box<dyn StateStore>, Box<dyn StateStore>);

/// Runs the suite. `make` gives handles on a new, empty place each time, which knows the scopes [`scope`] and
/// [`cluster`].
///
/// # Panics
/// When the store breaks the contract.
pub fn run(make: &dyn Fn() -> Handles) {
    nothing_recorded(make());
    appended_is_loaded(make());
    fold_keeps_everything(make());
    bodies_are_loaded_by_digest(make());
    large_contents_come_back(make());
    locks_exclude(make());
    scopes_are_apart(make());
    handles_write_in_turn(make());
    archive_leaves_nothing(make());
}

/// The deployment scope the suite uses.
#[must_use]
pub fn scope() -> Scope {
    Scope::deployment("shop")
}

/// The cluster scope the suite uses.
#[must_use]
pub fn cluster() -> Scope {
    Scope::cluster("main")
}

/// The records of an operation that touches everything a state can hold.
#[must_use]
pub fn records() -> Vec<JournalRecord> {
    let address = |resource_type, name: &str| Address::new(resource_type, scope(), name);
    let object = |kind: &str, name: &str| json!({"kind": kind, "metadata": {"name": name, "namespace": "shop"}});
    let (namespace, web) = (address(ResourceType::Namespace, "shop"), address(ResourceType::Deployment, "web"));
    let (job, old) = (address(ResourceType::Job, "migrate"), address(ResourceType::ConfigMap, "old"));
    let elsewhere = Address::kind_cluster("main");
    let done = |address: &Address, uid: &str, needs: &[&Address], value: Value| JournalRecord::Done {
        address: address.clone(),
        uid: uid.to_owned(),
        needs: needs.iter().copied().cloned().collect(),
        observed: json!({"spec": {"seen": 0.1, "of": address.short_name()}}),
        desired: value,
    };
    let intent = |address: &Address, action, desired: Option<Value>| JournalRecord::Intent {
        address: address.clone(),
        action,
        key: ObjectKey::new(address.resource_type, "shop", address.short_name()),
        needs: vec![namespace.clone(), elsewhere.clone()],
        desired,
    };
    vec![
        JournalRecord::Begin {
            plan: "plan".to_owned(),
            operation: "apply".to_owned(),
            time: "2026-01-02T03:04:05Z".to_owned(),
            target: Some(Target::Kind("main".to_owned())),
        },
        JournalRecord::Identified { identity: laconic_engine::resource::ClusterIdentity::default() },
        intent(&namespace, Action::Create, Some(object("Namespace", "shop"))),
        done(&namespace, "uid-1", &[&elsewhere], object("Namespace", "shop")),
        done(&job, "uid-2", &[&namespace], object("Job", "migrate")),
        JournalRecord::Completed { address: job },
        done(&old, "uid-3", &[&namespace], object("ConfigMap", "old")),
        JournalRecord::Gone { address: old },
        JournalRecord::TenantSet { name: "gone".to_owned(), tenant: Tenant::default() },
        JournalRecord::TenantSet { name: "shop".to_owned(), tenant: Tenant::default() },
        JournalRecord::TenantRemoved { name: "gone".to_owned() },
        done(&web, "uid-4 \"quoted\" \u{e9}\n", &[&namespace], object("Deployment", "web")),
        intent(&web, Action::Update, Some(object("Deployment", "web"))),
        intent(&address(ResourceType::Service, "web"), Action::Create, Some(object("Service", "web"))),
    ]
}

/// What the records make of an empty state.
#[must_use]
pub fn folded(records: &[JournalRecord]) -> State {
    let mut state = State::empty(scope());
    records.iter().cloned().for_each(|record| state.fold(record));
    state
}

/// Every body's digest.
#[must_use]
pub fn digests(state: &State) -> BTreeSet<Digest> {
    bodies(state).map(|body| body.digest).collect()
}

fn bodies(state: &State) -> impl Iterator<Item = &Body> {
    state.resources.values().flat_map(|recorded| [&recorded.desired, &recorded.observed])
}

/// Asserts that two states say the same, whatever their lineage, serial and loaded bodies.
///
/// # Panics
/// When they do not.
pub fn assert_same(found: &State, expected: &State) {
    let bare = |state: &State| {
        let mut state = State { lineage: String::new(), serial: 0, simulated: false, journaled: 0, ..state.clone() };
        for recorded in state.resources.values_mut() {
            recorded.desired.value = None;
            recorded.observed.value = None;
        }
        state
    };
    assert_eq!(bare(found), bare(expected));
}

fn ok<T>(result: Result<T, StateError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

fn nothing_recorded((store, _): Handles) {
    let state = ok(store.load(&scope()));
    assert!(state.is_new(), "an empty place has an empty state");
    assert_eq!(state.scope, scope());
    assert_eq!(ok(store.fold(&scope())), 0, "folding nothing makes nothing");
    ok(store.archive(&scope()));
    ok(store.append(&scope(), &[]));
    assert!(ok(store.load(&scope())).is_new());
}

fn appended_is_loaded((store, other): Handles) {
    let records = records();
    for count in 1..=records.len() {
        ok(store.append(&scope(), &records[count - 1..count]));
        assert_same(&ok(other.load(&scope())), &folded(&records[..count]));
    }
}

fn fold_keeps_everything((store, other): Handles) {
    let records = records();
    ok(store.append(&scope(), &records));
    let before = ok(store.load(&scope()));
    assert!(!before.lineage.is_empty(), "a state has a lineage from its first record on");
    assert_eq!(ok(store.fold(&scope())), before.serial + 1);
    let after = ok(other.load(&scope()));
    assert_eq!((after.serial, &after.lineage), (before.serial + 1, &before.lineage));
    assert_same(&after, &before);
    assert_eq!(ok(store.fold(&scope())), after.serial, "folding an empty journal changes nothing");
    ok(store.append(&scope(), &[JournalRecord::End { time: "2026-01-02T03:05:00Z".to_owned() }]));
    assert_eq!(ok(store.fold(&scope())), after.serial + 1, "the serial grows by one");
    let ended = ok(other.load(&scope()));
    assert_eq!((ended.interrupted, ended.lineage), (None, before.lineage));
    // An operation that leaves everything as it was.
    ok(store.append(&scope(), &records[..1]));
    ok(store.append(&scope(), &[JournalRecord::End { time: "2026-01-02T03:06:00Z".to_owned() }]));
    assert_eq!(ok(store.fold(&scope())), ended.serial, "nothing is written when nothing changed");
    assert_eq!(ok(other.load(&scope())).serial, ended.serial);
}

fn bodies_are_loaded_by_digest((store, other): Handles) {
    let records = records();
    ok(store.append(&scope(), &records));
    ok(store.fold(&scope()));
    let mut state = ok(other.load(&scope()));
    assert!(bodies(&state).all(|body| body.value.is_none()), "a load does not read bodies");
    let one = bodies(&state).map(|body| body.digest).next();
    let wanted: BTreeSet<Digest> = one.into_iter().collect();
    ok(other.load_bodies(&mut state, &wanted));
    assert!(bodies(&state).all(|body| body.value.is_some() == wanted.contains(&body.digest)));
    // The state moves on while a plan is made.
    let web = Address::new(ResourceType::Deployment, scope(), "web");
    ok(store.append(&scope(), &[JournalRecord::Gone { address: web }]));
    ok(store.fold(&scope()));
    let all = digests(&state);
    ok(other.load_bodies(&mut state, &all));
    for body in bodies(&state) {
        assert_eq!(body.value.as_ref().map(|value| Digest::of(value)), Some(body.digest));
    }
    let nowhere = [Digest::of_bytes(b"nowhere")].into();
    let refusal = other.load_bodies(&mut ok(other.load(&scope())), &nowhere);
    assert!(matches!(refusal, Err(StateError::Damaged { .. })), "a digest that is not there is damage: {refusal:?}");
}

fn large_contents_come_back((store, other): Handles) {
    let address = Address::new(ResourceType::ConfigMap, scope(), "big");
    let desired = json!({
        "data": {"a": "\u{e9}\n\"".repeat(20_000), "b": "b".repeat(16 * 1024), "c": "c".repeat(16 * 1024 + 1)},
        "$content": {"literal": "not a marker"},
        "metadata": {"name": "big", "namespace": "shop"},
    });
    let observed = json!({"data": desired["data"]});
    let done = JournalRecord::Done {
        address: address.clone(),
        uid: "uid".to_owned(),
        needs: Vec::new(),
        desired: desired.clone(),
        observed: observed.clone(),
    };
    ok(store.append(&scope(), &[done]));
    ok(store.fold(&scope()));
    // A second generation copies what was not loaded.
    ok(store.append(&scope(), &records()));
    ok(store.fold(&scope()));
    let mut state = ok(other.load(&scope()));
    let all = digests(&state);
    ok(other.load_bodies(&mut state, &all));
    let recorded = &state.resources[&address];
    assert_eq!(recorded.desired.value.as_deref(), Some(&desired));
    assert_eq!(recorded.observed.value.as_deref(), Some(&observed));
}

fn locks_exclude((store, other): Handles) {
    use LockMode::{Exclusive, Shared};
    let free = |mode| ok(store.lock(&scope(), mode, "apply"));
    for (held, wanted, excluded) in
        [(Exclusive, Exclusive, true), (Exclusive, Shared, true), (Shared, Exclusive, true), (Shared, Shared, false)]
    {
        let guard = free(held);
        for handle in [&store, &other] {
            match handle.lock(&scope(), wanted, "plan") {
                Ok(_) => assert!(!excluded, "{held:?} must keep {wanted:?} out"),
                Err(StateError::Locked { holder: Some(holder), .. }) => {
                    assert!(excluded, "{held:?} must not keep {wanted:?} out");
                    assert_eq!((holder.operation.as_str(), holder.process), ("apply", std::process::id()));
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(other.lock(&cluster(), Exclusive, "apply").is_ok(), "another scope is not locked with it");
        drop(guard);
        assert!(other.lock(&scope(), Exclusive, "apply").is_ok(), "a dropped guard lets go");
    }
    let (first, second) = (free(Shared), free(Shared));
    drop(first);
    assert!(other.lock(&scope(), Exclusive, "apply").is_err(), "one of two shared locks is still held");
    drop(second);
    drop(free(Exclusive));
}

fn scopes_are_apart((store, _): Handles) {
    ok(store.append(&scope(), &records()));
    assert!(ok(store.load(&cluster())).is_new());
    ok(store.append(&cluster(), &records()[8..10]));
    ok(store.fold(&cluster()));
    assert_eq!(ok(store.load(&cluster())).tenants.len(), 2);
    assert_same(&ok(store.load(&scope())), &folded(&records()));
}

fn handles_write_in_turn((store, other): Handles) {
    let records = records();
    for (number, record) in records.iter().enumerate() {
        let (first, second) = if number % 2 == 0 { (&store, &other) } else { (&other, &store) };
        ok(first.append(&scope(), std::slice::from_ref(record)));
        if number % 3 == 0 {
            ok(second.fold(&scope()));
        }
    }
    for handle in [&store, &other] {
        assert_same(&ok(handle.load(&scope())), &folded(&records));
    }
}

fn archive_leaves_nothing((store, other): Handles) {
    let guard = ok(store.lock(&scope(), LockMode::Exclusive, "destroy"));
    ok(store.append(&scope(), &records()));
    ok(store.fold(&scope()));
    ok(store.append(&scope(), &[JournalRecord::End { time: "2026-01-02T03:05:00Z".to_owned() }]));
    let lineage = ok(store.load(&scope())).lineage;
    ok(store.archive(&scope()));
    assert!(ok(other.load(&scope())).is_new(), "an archived state is gone");
    assert!(other.lock(&scope(), LockMode::Exclusive, "apply").is_err(), "archiving does not let go of the lock");
    drop(guard);
    ok(store.append(&scope(), &records()[..1]));
    assert_ne!(ok(other.load(&scope())).lineage, lineage, "what comes after is another state");
}
