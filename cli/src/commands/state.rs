//! `laconic state`: look after what is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use laconic_engine::address::Scope;
use laconic_engine::apply::StateStore as _;
use laconic_engine::source::SourceReader as _;
use laconic_engine::spec::read_spec;
use laconic_engine::state::{State, Status};
use serde_json::{Value, json};

use crate::args::StateCommand;
use crate::error::{Exit, Problem, Result, holder_text};
use crate::inputs::{Input, directories, locate, read_identity};
use crate::planning::unknown_address;
use crate::session::Session;
use crate::view::style::clean;
use crate::view::value::masked;
use crate::view::yaml;
use crate::wire::LocalStore;

/// Runs it.
pub fn run(session: &Session, command: &StateCommand) -> Result<Exit> {
    match command {
        StateCommand::List => list(session),
        StateCommand::Show { address } => show(session, address.as_deref()),
        StateCommand::History => history(session),
        StateCommand::Unlock => unlock(session),
    }
}

/// The scopes of the deployments and of their clusters. Nothing is compiled: state can be looked at whatever the spec is.
fn scopes(inputs: &[Input]) -> Result<Vec<Scope>> {
    let mut scopes = BTreeSet::new();
    for input in inputs {
        scopes.insert(Scope::deployment(&input.source.name));
        let Some(directory) = &input.directory else { continue };
        let reader = input.reader(false);
        let text = reader.read(&input.source.spec_file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let named = text.ok().and_then(|text| {
            let (spec, _) = read_spec(&input.source.spec_file.as_str().into(), &text);
            spec.kind_cluster_name.map(|name| name.value)
        });
        let cluster = match named {
            Some(name) => Some(name),
            None => read_identity(directory)?.map(|identity| identity.cluster_id),
        };
        scopes.extend(cluster.filter(|name| !name.is_empty()).map(|name| Scope::cluster(&name)));
    }
    Ok(scopes.into_iter().collect())
}

fn open(session: &Session) -> Result<(LocalStore, Vec<Scope>)> {
    let inputs = locate(&session.common)?;
    let store = session.wire.store(&directories(&inputs));
    let scopes = scopes(&inputs)?;
    Ok((store, scopes))
}

fn states(store: &LocalStore, scopes: &[Scope]) -> Result<Vec<State>> {
    scopes.iter().map(|scope| store.load(scope).map_err(Problem::from)).collect()
}

fn list(session: &Session) -> Result<Exit> {
    let (store, scopes) = open(session)?;
    let states = states(&store, &scopes)?;
    if session.output.json {
        let resources: Vec<Value> = states
            .iter()
            .flat_map(|state| &state.resources)
            .map(|(address, recorded)| json!({"address": address.to_string(), "uid": recorded.uid, "status": recorded.status}))
            .collect();
        session.output.print_json(&json!({"resources": resources}))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for (address, recorded) in states.iter().flat_map(|state| &state.resources) {
        let pending = match &recorded.status {
            // Its Job is gone, and that it completed is all there is to remember.
            Status::Pending(_) if recorded.completed => "   # completed".to_owned(),
            Status::Settled => String::new(),
            Status::Pending(action) => format!("   {}", session.output.palette.warn(&format!("# pending {action}"))),
        };
        let _ = writeln!(text, "{}{pending}", clean(&address.to_string()));
    }
    session.output.print(&text)?;
    Ok(Exit::Done)
}

/// `state show`, and `show` without a plan file.
pub fn show(session: &Session, address: Option<&str>) -> Result<Exit> {
    let (store, scopes) = open(session)?;
    let mut states = states(&store, &scopes)?;
    for state in &mut states {
        let digests = state
            .resources
            .iter()
            .filter(|(known, _)| address.is_none_or(|address| known.to_string() == address))
            .flat_map(|(_, recorded)| [recorded.desired.digest, recorded.observed.digest])
            .collect();
        store.load_bodies(state, &digests)?;
    }
    let shown: Vec<(String, Value)> = states
        .iter()
        .flat_map(|state| &state.resources)
        .filter(|(known, _)| address.is_none_or(|address| known.to_string() == address))
        .map(|(known, recorded)| {
            let form = |body: &laconic_engine::state::Body| body.value.as_deref().map_or(Value::Null, masked);
            let value = json!({
                "address": known.to_string(),
                "object": recorded.key.to_string(),
                "uid": recorded.uid,
                "status": recorded.status,
                "needs": recorded.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "desired": form(&recorded.desired),
                "observed": form(&recorded.observed),
            });
            (known.to_string(), value)
        })
        .collect();
    if let Some(address) = address
        && shown.is_empty()
    {
        let known: BTreeMap<String, ()> =
            states.iter().flat_map(|state| state.resources.keys()).map(|one| (one.to_string(), ())).collect();
        return Err(unknown_address(address, known.keys().map(String::as_str)));
    }
    let scopes: Vec<Value> = states.iter().map(|state| described(&store, state)).collect();
    if session.output.json {
        let resources: Vec<&Value> = shown.iter().map(|(_, value)| value).collect();
        session.output.print_json(&json!({"states": scopes, "resources": resources}))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    if address.is_none() {
        for scope in &scopes {
            text.push_str(&yaml::document(scope));
            text.push('\n');
        }
    }
    for (_, value) in &shown {
        text.push_str(&yaml::document(value));
        text.push('\n');
    }
    session.output.print(&clean(&text))?;
    Ok(Exit::Done)
}

fn described(store: &LocalStore, state: &State) -> Value {
    let mut value = json!({
        "state": state.scope.to_string(),
        "file": store.describe(&state.scope).unwrap_or_default(),
        "lineage": state.lineage,
        "serial": state.serial,
        "simulated": state.simulated,
        "resources": state.resources.len(),
    });
    if let Some(interrupted) = &state.interrupted {
        value["interrupted"] = json!(interrupted);
    }
    if !state.tenants.is_empty() {
        value["tenants"] = json!(state.tenants.keys().collect::<Vec<_>>());
    }
    value
}

fn history(session: &Session) -> Result<Exit> {
    let (store, scopes) = open(session)?;
    let mut text = String::new();
    let mut all = Vec::new();
    for scope in &scopes {
        // A damaged state is the very reason to look at its history.
        let current = match store.load(scope) {
            Ok(state) => format!("serial {}", state.serial),
            Err(error) => Problem::from(error).message(),
        };
        let _ = writeln!(text, "{}: {}", clean(&scope.to_string()), clean(&current));
        for generation in store.generations(scope)? {
            let written = laconic_state::timestamp::format(generation.written);
            let path = generation.path.display().to_string();
            let _ = writeln!(text, "  serial {}  {written}  {}", generation.serial, clean(&path));
            all.push(json!({"scope": scope, "serial": generation.serial, "written": written, "file": path}));
        }
    }
    if session.output.json {
        session.output.print_json(&json!({"generations": all}))?;
    } else {
        session.output.print(&text)?;
    }
    Ok(Exit::Done)
}

/// Removes locks whose holders are dead. A living holder keeps its lock.
fn unlock(session: &Session) -> Result<Exit> {
    let (store, scopes) = open(session)?;
    let mut text = String::new();
    let mut living = None;
    for scope in &scopes {
        let report = store.lock_info(scope)?;
        match (report.mode, report.holders.first()) {
            (None, _) if report.dead.is_empty() => {
                let _ = writeln!(text, "{}: not locked", clean(&scope.to_string()));
            }
            (Some(_), Some(holder)) if laconic_state::lock::may_be_alive(holder) => {
                let _ = writeln!(text, "{}: held by {}", clean(&scope.to_string()), clean(&holder_text(holder)));
                living.get_or_insert_with(|| (scope.clone(), holder.clone()));
            }
            _ => {
                store.force_unlock(scope)?;
                let holder = report.holders.first().or(report.dead.first()).map(holder_text).unwrap_or_default();
                let _ = writeln!(text, "{}: unlocked; it was held by {}", clean(&scope.to_string()), clean(&holder));
            }
        }
    }
    session.output.print(&text)?;
    match living {
        Some((scope, holder)) => {
            Err(laconic_engine::apply::StateError::Locked { scope, holder: Some(Box::new(holder)) }.into())
        }
        None => Ok(Exit::Done),
    }
}
