//! Which state keeps a kind cluster: read at each plan, written once the cluster is made or taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use laconic_engine::address::{ResourceType, Scope};
use laconic_engine::apply::{Provider, StateStore as _};
use laconic_engine::plan::state_mark::{OtherState, StateMark};
use laconic_engine::plan::{Action, Plan, PlanInput};

use crate::error::Result;
use crate::session::Session;
use crate::wire::LocalStore;

fn place(store: &LocalStore, cluster: &str) -> Result<PathBuf> {
    let directory = store.directory(&Scope::cluster(cluster))?;
    Ok(std::path::absolute(&directory).unwrap_or(directory))
}

/// The clusters of a plan that another state keeps, one that is still there.
///
/// # Errors
/// A cluster whose name is no name of a directory.
pub fn other_states(input: &PlanInput, store: &LocalStore) -> Result<BTreeMap<String, OtherState>> {
    let mut found = BTreeMap::new();
    for (target, observed) in &input.world {
        let (Some(cluster), Some(mark)) = (target.kind_cluster(), StateMark::of(observed)) else { continue };
        let here = place(store, cluster)?;
        let is_own = input.states.get(&Scope::cluster(cluster)).is_some_and(|state| state.lineage == mark.lineage);
        let there = Path::new(&mark.place);
        if !is_own && there != here && there.is_dir() {
            let other = OtherState { place: mark.place.clone(), here: here.display().to_string() };
            found.insert(cluster.to_owned(), other);
        }
    }
    Ok(found)
}

/// Marks the clusters that a plan made or took over. One that cannot be marked is told, and works without.
///
/// # Errors
/// State that cannot be read.
pub fn mark(session: &Session, plan: &Plan, provider: &dyn Provider, store: &LocalStore) -> Result<()> {
    let is_new = |action: Action| matches!(action, Action::Create | Action::Replace | Action::Update | Action::Import);
    let changes = plan.changes.iter().filter(|change| change.address.resource_type == ResourceType::KindCluster);
    let clusters: BTreeSet<&str> =
        changes.filter(|change| is_new(change.action)).map(|change| change.address.scope.name()).collect();
    for cluster in clusters {
        let lineage = store.load(&Scope::cluster(cluster))?.lineage;
        let mark = StateMark { lineage, place: place(store, cluster)?.display().to_string() };
        if let Err(error) = crate::wire::runtime()?.block_on(provider.enact(&mark.step(cluster))) {
            let text = format!("warning: the cluster `{cluster}` could not be told which state keeps it: {error}\n");
            session.output.remark(&crate::view::style::clean(&text));
        }
    }
    Ok(())
}
