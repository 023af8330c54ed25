//! Which deployments of a repository a command is about: those of some clusters, or some by name.

use std::collections::BTreeSet;
use std::sync::Arc;

use laconic_engine::spec::Repository;
use laconic_engine::yaml::nearest;

use super::Inputs;
use crate::args::Selection;
use crate::error::{Problem, Result};

impl Selection {
    /// Whether everything is meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.clusters.is_empty() && self.deployments.is_empty()
    }

    /// The flags, as a command that means the same has them.
    #[must_use]
    pub fn flags(&self) -> String {
        let clusters = self.clusters.iter().map(|name| format!(" --cluster {name}"));
        clusters.chain(self.deployments.iter().map(|name| format!(" --deployment {name}"))).collect()
    }
}

/// Narrows inputs to what is selected. Deployments that are not, and share a cluster with one that is, stay to be read: they
/// have to agree.
///
/// # Errors
/// A name that nothing has.
pub fn select(inputs: &mut Inputs, selection: &Selection) -> Result<()> {
    if selection.is_all() {
        return Ok(());
    }
    let known_clusters = clusters(inputs);
    if !selection.clusters.is_empty() && inputs.repository.is_none() {
        return Err(Problem::NoRepository);
    }
    let known_deployments: Vec<String> = inputs.list.iter().map(|input| input.source.name.clone()).collect();
    for (flag, wanted, known) in [
        ("--cluster", &selection.clusters, &known_clusters),
        ("--deployment", &selection.deployments, &known_deployments),
    ] {
        if let Some(name) = wanted.iter().find(|name| !known.contains(name)) {
            return Err(Problem::UnknownSelection { flag, name: name.clone(), known: known.clone() });
        }
    }
    narrow(inputs, selection);
    if inputs.selected() == 0 { Err(Problem::NothingSelected) } else { Ok(()) }
}

/// Narrows inputs, whatever they have of what is selected.
pub fn narrow(inputs: &mut Inputs, selection: &Selection) {
    if selection.is_all() {
        return;
    }
    let is_selected = |inputs: &Inputs, name: &str| {
        let on_cluster = selection.clusters.is_empty()
            || cluster_of(inputs, name).is_some_and(|cluster| selection.clusters.contains(&cluster));
        on_cluster && (selection.deployments.is_empty() || selection.deployments.iter().any(|wanted| wanted == name))
    };
    let names: Vec<String> = inputs.list.iter().map(|input| input.source.name.clone()).collect();
    let (selected, others): (BTreeSet<String>, BTreeSet<String>) = {
        let (selected, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_selected(inputs, name));
        (selected.into_iter().collect(), others.into_iter().collect())
    };
    let shared: BTreeSet<String> = selected.iter().filter_map(|name| cluster_of(inputs, name)).collect();
    let neighbours: BTreeSet<String> = others
        .into_iter()
        .filter(|name| cluster_of(inputs, name).is_some_and(|cluster| shared.contains(&cluster)))
        .collect();
    inputs.list.retain(|input| selected.contains(&input.source.name) || neighbours.contains(&input.source.name));
    if let Some(open) = &mut inputs.repository {
        let open = Arc::make_mut(open);
        // What is wrong with the pin of a deployment that nobody asked about stops nobody.
        let others: BTreeSet<&str> = open
            .repository
            .deployments
            .iter()
            .map(|one| one.name.value.as_str())
            .filter(|name| !selected.contains(*name))
            .collect();
        open.findings.retain(|finding| !others.contains(finding.subject.as_str()));
    }
    inputs.neighbours = neighbours;
}

/// What a name that is none may have been meant to be.
#[must_use]
pub fn suggestion(name: &str, known: &[String]) -> String {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    match nearest(name, &names) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if names.is_empty() => "laconic.yml names none".to_owned(),
        None => format!("there are: {}", names.join(", ")),
    }
}

fn written<'r>(repository: &'r Repository, name: &str) -> Option<&'r str> {
    let deployment = repository.deployments.iter().find(|one| one.name.value == name)?;
    deployment.cluster.as_ref().map(|cluster| cluster.value.as_str())
}

fn cluster_of(inputs: &Inputs, name: &str) -> Option<String> {
    inputs.repository.as_ref().and_then(|open| written(&open.repository, name)).map(ToOwned::to_owned)
}

/// The clusters that laconic.yml names, in its order.
fn clusters(inputs: &Inputs) -> Vec<String> {
    let Some(open) = &inputs.repository else { return Vec::new() };
    let described = open.repository.clusters.iter().map(|cluster| &cluster.name.value);
    let meant = open.repository.deployments.iter().filter_map(|one| one.cluster.as_ref().map(|name| &name.value));
    let mut names: Vec<String> = Vec::new();
    for name in described.chain(meant) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}
