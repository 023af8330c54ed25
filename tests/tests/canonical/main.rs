//! The corpus of objects written in many ways: comparing offline says what a real API server says.

mod corpus;

use std::collections::BTreeSet;

use corpus::{Case, Kinship, Variant};
use futures::StreamExt as _;
use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::apply::{EnactError, Operation, Provider, Step, TargetRequest};
use laconic_engine::diff::{difference_paths, flatten, forces_replacement, project, same};
use laconic_engine::resource::{Live, Target};
use laconic_providers::KubernetesProvider;
use laconic_providers::kubernetes::Connection;
use laconic_testbed::ApiServer;
use serde_json::Value;

/// How many objects are tried at once.
const PARALLEL: usize = 4;

/// What the engine says of two forms of an object without asking anybody.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Nothing,
    InPlace,
    Replaces,
}

fn verdict(resource_type: ResourceType, before: &Value, after: &Value) -> (Verdict, Vec<String>) {
    let (old, new) = (flatten(before), flatten(after));
    let paths = difference_paths(&old, &new);
    let forces = |path: &String| forces_replacement(resource_type, path, old.get(path), new.get(path));
    let verdict = match (paths.is_empty(), paths.iter().any(forces)) {
        (true, _) => Verdict::Nothing,
        (false, false) => Verdict::InPlace,
        (false, true) => Verdict::Replaces,
    };
    (verdict, paths)
}

#[test]
fn the_corpus_has_every_kind() {
    let found: BTreeSet<ResourceType> = corpus::read().iter().map(Case::resource_type).collect();
    let all: BTreeSet<ResourceType> = ResourceType::ALL.iter().copied().filter(|one| one.is_kubernetes()).collect();
    assert_eq!(found, all);
    for case in corpus::read() {
        assert!(case.file.starts_with(case.resource_type().word()), "{}", case.file.display());
    }
}

#[test]
fn comparing_offline_says_what_the_corpus_says() {
    let mut problems = Vec::new();
    for case in corpus::read() {
        for variant in &case.variants {
            let (found, paths) = verdict(case.resource_type(), &case.base, &variant.of(&case.base));
            let is_right = match variant.is {
                Kinship::Same | Kinship::Spelling | Kinship::Order => found == Verdict::Nothing,
                Kinship::Owned => found == Verdict::InPlace,
                Kinship::Different | Kinship::Refused => found != Verdict::Nothing,
            };
            if !is_right {
                problems.push(format!("{}: {:?}, but {found:?} {paths:?}", case.name(variant), variant.is));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

struct Bed {
    provider: KubernetesProvider,
    target: Target,
    namespace: String,
}

impl Bed {
    fn step(&self, case: &Case, operation: Operation, object: &Value, uid: Option<&str>) -> Step {
        let key = case.key_in(&self.namespace);
        Step {
            target: self.target.clone(),
            address: Address::new(key.resource_type, Scope::deployment("canonical"), &key.name),
            key,
            operation,
            object: Some(object.clone()),
            expected_uid: uid.map(str::to_owned),
            force_conflicts: false,
        }
    }

    async fn seen(&self, case: &Case) -> Live {
        let key = case.key_in(&self.namespace);
        let wanted = TargetRequest { keys: [key.clone()].into(), ..TargetRequest::default() };
        let mut world = self.provider.observe(&[(self.target.clone(), wanted)].into()).await;
        world.remove(&self.target).unwrap().objects.unwrap().remove(&key).unwrap()
    }
}

/// A stored object without what every write changes.
fn stored(live: &Live) -> Value {
    let mut object = live.attributes.clone();
    for member in ["resourceVersion", "generation"] {
        object["metadata"].as_object_mut().unwrap().remove(member);
    }
    object
}

/// The same with the items of lists in an order of their own.
fn unordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(unordered).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), unordered(member))).collect(),
        leaf => leaf.clone(),
    }
}

/// The paths at which an object is not what was asked for.
fn unmet(wanted: &Value, live: &Live) -> Vec<String> {
    let found = flatten(&live.attributes);
    let unmet = flatten(wanted).into_iter().filter(|(path, value)| {
        // Servers leave out what says nothing.
        let is_nothing = *value == Value::Bool(false) || value == "";
        found.get(path).map_or(!is_nothing, |there| !same(path, there, value))
    });
    unmet.map(|(path, _)| path).collect()
}

/// The paths that drifted from what was recorded.
fn drifted(recorded: &Value, live: &Live, wanted: &Value) -> Vec<String> {
    let now = project(&live.attributes, wanted);
    let (recorded, now) = (recorded.as_object().unwrap(), now.as_object().unwrap());
    let all: BTreeSet<&String> = recorded.keys().chain(now.keys()).collect();
    let differs = |path: &&&String| match (recorded.get(**path), now.get(**path)) {
        (Some(was), Some(is)) => !same(path, was, is),
        _ => true,
    };
    all.iter().filter(differs).map(|path| (*path).clone()).collect()
}

async fn ask_server(bed: &Bed, case: &Case) -> Vec<String> {
    let base = case.base_in(&bed.namespace);
    let made = match bed.provider.enact(&bed.step(case, Operation::Create, &base, None)).await {
        Ok(made) => made.live.unwrap(),
        Err(error) => return vec![format!("{}: {error}", case.file.display())],
    };
    let mut problems = Vec::new();
    let mut check = |what: String, is_right: bool| {
        if !is_right {
            problems.push(what);
        }
    };
    let file = case.file.display();
    check(format!("{file}: not as asked for: {:?}", unmet(&base, &made)), unmet(&base, &made).is_empty());
    let recorded = project(&made.attributes, &base);
    let seen = bed.seen(case).await;
    let drift = drifted(&recorded, &seen, &base);
    check(format!("{file}: drifted at once: {drift:?}"), drift.is_empty());
    // Once more, and nothing is to be done.
    let again = bed.provider.enact(&bed.step(case, Operation::Update, &base, Some(&made.uid))).await;
    let again = again.map(|enacted| enacted.live.unwrap());
    check(
        format!("{file}: applied again it was stored again: {again:?}"),
        again.is_ok_and(|live| stored(&live) == stored(&seen)),
    );
    for variant in &case.variants {
        let object = variant.of(&base);
        let tried = bed.provider.dry_run(&bed.step(case, Operation::Update, &object, Some(&made.uid))).await;
        let problem = compare(case, variant, &base, &object, &seen, tried.map(|enacted| enacted.live.unwrap()));
        check(format!("{}: {:?}, but {problem:?}", case.name(variant), variant.is), problem.is_none());
    }
    problems
}

/// What the server's answer to a variant has against the corpus's.
fn compare(
    case: &Case,
    variant: &Variant,
    base: &Value,
    object: &Value,
    seen: &Live,
    tried: Result<Live, EnactError>,
) -> Option<String> {
    let (verdict, _) = verdict(case.resource_type(), base, object);
    let live = match (variant.is, tried) {
        (Kinship::Refused, Err(EnactError::Refused(_))) => return None,
        // The engine has to know before that it cannot be changed in place.
        (Kinship::Different, Err(EnactError::Refused(text))) => {
            return (verdict != Verdict::Replaces).then_some(format!("the server refuses: {text}"));
        }
        (Kinship::Order, Err(EnactError::Refused(_))) => return None,
        (_, Err(error)) => return Some(format!("{error:?}")),
        (Kinship::Refused, Ok(_)) => return Some("the server takes it".to_owned()),
        (_, Ok(live)) => live,
    };
    let (before, after) = (stored(seen), stored(&live));
    let changed = || difference_paths(&flatten(&before), &flatten(&after)).join(", ");
    let unmet = unmet(object, &live);
    match variant.is {
        _ if !unmet.is_empty() => Some(format!("the answer is not as asked for: {unmet:?}")),
        Kinship::Same | Kinship::Owned if before != after => Some(format!("the server changes {}", changed())),
        Kinship::Spelling if before == after => Some("the server spells it as before".to_owned()),
        Kinship::Spelling if !changed().is_empty() => Some(format!("the server changes {}", changed())),
        Kinship::Order if before == after => Some("the server keeps the order".to_owned()),
        Kinship::Order if unordered(&before) != unordered(&after) => Some(format!("the server changes {}", changed())),
        Kinship::Different if before == after => Some("the server changes nothing".to_owned()),
        _ => None,
    }
}

#[test]
fn the_server_says_what_the_corpus_says() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let namespace = server.namespace("canonical");
    let target = Target::Kubernetes("canonical".to_owned());
    let connection = Connection::File { path: server.kubeconfig("admin"), context: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let problems: Vec<String> = runtime.block_on(async {
        let bed = Bed { provider: KubernetesProvider::new([(target.clone(), connection)].into()), target, namespace };
        let cases = corpus::read();
        let asked = futures::stream::iter(&cases).map(|case| ask_server(&bed, case));
        asked.buffered(PARALLEL).concat().await
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
