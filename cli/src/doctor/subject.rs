//! What doctor is asked about: deployments, their clusters, and the states of both. Whatever cannot be read becomes a
//! check; the rest goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use laconic_engine::address::{ResourceType, Scope};
use laconic_engine::apply::StateStore as _;
use laconic_engine::code::Severity;
use laconic_engine::compile::MEMLOCK_SPEC_FILE;
use laconic_engine::resource::{Resource, Target};
use laconic_engine::state::State;

use super::clusters::Known;
use super::{Check, mounts, ports};
use crate::args::Common;
use crate::compiling::{Compiled, clusters, compile_all};
use crate::error::Problem;
use crate::inputs::{Input, Inputs, directories, locate};
use crate::session::Session;
use crate::wire::LocalStore;

/// What doctor is asked about.
#[derive(Debug)]
pub struct Subject {
    /// The deployments that were found.
    pub inputs: Vec<Input>,
    /// What there is to say about them as such.
    pub checks: Vec<Check>,
    /// The states of the deployments and of every cluster that is recorded here, those that can be read.
    pub states: BTreeMap<Scope, State>,
    /// All scopes that are looked at, those whose state cannot be read among them.
    pub scopes: BTreeSet<Scope>,
    /// Where the deployments go, as far as their files say so.
    pub targets: BTreeMap<String, Target>,
    /// The mounts that their clusters want.
    pub mounts: Vec<mounts::Wanted>,
    /// The ports that their clusters want.
    pub ports: BTreeSet<ports::Wanted>,
    /// The clusters that are recorded or wanted.
    pub known: BTreeMap<String, Known>,
}

impl Subject {
    /// Reads files and states.
    #[must_use]
    pub fn read(session: &Session) -> (Self, LocalStore) {
        let mut checks = Vec::new();
        let inputs = found(&session.common, &mut checks);
        let compiled = compile_all(&inputs, false);
        checks.extend(compiled_checks(&inputs, &compiled));
        let store = session.wire.store(&directories(&inputs));
        let mut scopes: BTreeSet<Scope> = inputs
            .iter()
            .filter(|input| input.directory.is_some())
            .map(|input| Scope::deployment(&input.source.name))
            .collect();
        match session.wire.recorded_clusters() {
            Ok(names) => scopes.extend(names.iter().map(|name| Scope::cluster(name))),
            Err((path, error)) => checks.push(Check::problem(
                "state-directory",
                format!("the clusters recorded in {} cannot be listed: {error}", path.display()),
                "run this as who may read it, or name another directory with `--state-dir`",
            )),
        }
        let targets: BTreeMap<String, Target> =
            compiled.deployments.iter().map(|one| (one.name.clone(), one.target.clone())).collect();
        scopes.extend(targets.values().filter_map(Target::kind_cluster).map(Scope::cluster));
        let mut states: BTreeMap<Scope, State> =
            scopes.iter().filter_map(|scope| Some((scope.clone(), store.load(scope).ok()?))).collect();
        for state in states.values_mut().filter(|state| state.scope.is_cluster()) {
            let digests = state.resources.values().map(|recorded| recorded.desired.digest).collect();
            // What cannot be loaded is damage, which is told where states are judged.
            let _ = store.load_bodies(state, &digests);
        }
        let mut subject = Self {
            inputs: inputs.list,
            checks,
            known: known(&states, &targets),
            states,
            scopes,
            targets,
            mounts: Vec::new(),
            ports: BTreeSet::new(),
        };
        for (cluster, compiled) in clusters(&compiled.deployments, &subject.states) {
            for resource in &compiled.resources {
                subject.want(&cluster, resource);
            }
        }
        (subject, store)
    }

    fn want(&mut self, cluster: &str, resource: &Resource) {
        let name = resource.address.short_name();
        match resource.address.resource_type {
            ResourceType::KindMount => {
                let attributes = resource.attributes.value();
                let host = attributes["hostPath"].as_str().unwrap_or_default().to_owned();
                let is_made_by_us = Path::new(&host).file_name().is_some_and(|file| file == MEMLOCK_SPEC_FILE);
                let (cluster, container) = (cluster.to_owned(), name.to_owned());
                self.mounts.push(mounts::Wanted { cluster, host, container, is_made_by_us });
            }
            ResourceType::KindPort => {
                let Some((port, protocol)) = name.split_once('/') else { return };
                let (Ok(port), protocol) = (port.parse(), protocol.to_owned()) else { return };
                self.ports.insert(ports::Wanted { cluster: cluster.to_owned(), port, protocol });
            }
            _ => {}
        }
    }

    /// Whether anything that was asked about is, or could be, on a kind cluster of this host.
    #[must_use]
    pub fn needs_kind(&self) -> bool {
        self.inputs.is_empty()
            || self.targets.len() < self.inputs.len()
            || self.targets.values().any(|target| target.kind_cluster().is_some())
    }

    /// How commands are told about a scope: `--dir DIR` of the deployment, or of one on the cluster.
    #[must_use]
    pub fn flag(&self, scope: &Scope) -> String {
        let directories = directories(&self.inputs);
        let of_deployment = || directories.get(scope.name()).cloned();
        let of_cluster = || {
            let state = self.states.get(scope);
            let registered = state.into_iter().flat_map(|state| state.tenants.values());
            let registered = registered.map(|tenant| PathBuf::from(&tenant.directory)).find(|path| path.is_dir());
            let wanted = self.known.get(scope.name()).and_then(|known| known.wanted_by.first());
            wanted.and_then(|name| directories.get(name).cloned()).or(registered)
        };
        match if scope.is_cluster() { of_cluster() } else { of_deployment() } {
            Some(directory) => format!("--dir {}", directory.display()),
            None => "--dir DIR".to_owned(),
        }
    }
}

/// The deployments that the command line names, or the one around us; none is not an error here.
fn found(common: &Common, checks: &mut Vec<Check>) -> Inputs {
    if common.spec_file.is_some() || common.dirs.is_empty() {
        return match locate(common) {
            Ok(inputs) => inputs,
            Err(Problem::NoDeployment { .. }) => Inputs::default(),
            Err(problem) => {
                checks.push(of_problem("deployment", &problem));
                Inputs::default()
            }
        };
    }
    let mut inputs: Vec<Input> = Vec::new();
    for directory in &common.dirs {
        let alone = Common { dirs: vec![directory.clone()], ..common.clone() };
        let input = match locate(&alone) {
            Ok(found) => found,
            Err(problem) => {
                checks.push(of_problem("deployment", &problem));
                continue;
            }
        };
        for input in input.list {
            match inputs.iter().find(|known| known.source.name == input.source.name) {
                None => inputs.push(input),
                Some(first) if first.source.directory == input.source.directory => {}
                Some(first) => {
                    let problem = Problem::SameName {
                        name: input.source.name.clone(),
                        first: first.source.directory.clone(),
                        second: input.source.directory.clone(),
                    };
                    checks.push(of_problem("deployment", &problem));
                }
            }
        }
    }
    inputs.into()
}

/// A problem of a command as a check.
#[must_use]
pub fn of_problem(name: &'static str, problem: &Problem) -> Check {
    let mut help = problem.hints().into_iter();
    let first = help.next().unwrap_or_else(|| "put that right and look again".to_owned());
    help.fold(Check::problem(name, problem.message(), first), Check::or)
}

fn compiled_checks(inputs: &[Input], compiled: &Compiled) -> Vec<Check> {
    let errors = |number: usize| {
        let of_it = compiled.findings.iter().filter(|(_, texts)| *texts == number);
        of_it.filter(|(finding, _)| finding.severity == Severity::Error).count()
    };
    let mut checks: Vec<Check> = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let name = &input.source.name;
        let target = compiled.deployments.iter().find(|one| one.name == *name).map(|one| &one.target);
        checks.push(match (errors(number), target) {
            (0, Some(Target::Kind(cluster))) => {
                Check::ok("deployment", format!("deployment {name} goes to kind cluster {cluster}"))
            }
            (0, Some(Target::Kubernetes(_))) => {
                Check::ok("deployment", format!("deployment {name} goes to a remote Kubernetes"))
            }
            (errors, _) => {
                let flag = match &input.directory {
                    Some(directory) => format!("--dir {}", directory.display()),
                    None => format!("--spec-file {}", input.source.spec_file),
                };
                let errors = crate::view::style::count(errors, "error");
                let found = format!("the files of deployment {name} have {errors}; its clusters are not known");
                Check::problem("deployment", found, format!("`laconic validate {flag}` shows them"))
            }
        });
    }
    // The last texts are those of all of them together.
    if errors(inputs.len()) > 0 && !inputs.is_empty() {
        let found = "the deployments do not agree with each other".to_owned();
        checks.push(Check::problem("deployment", found, "`laconic validate` with the same directories shows where"));
    }
    checks
}

fn known(states: &BTreeMap<Scope, State>, targets: &BTreeMap<String, Target>) -> BTreeMap<String, Known> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for state in states.values().filter(|state| state.scope.is_cluster() && !state.is_new()) {
        let has_cluster = state.resources.keys().any(|address| address.resource_type == ResourceType::KindCluster);
        let entry = known.entry(state.scope.name().to_owned()).or_default();
        entry.tenants = state.tenants.keys().cloned().collect();
        entry.identity = state.identity.clone().filter(|_| has_cluster);
    }
    for (name, target) in targets {
        if let Some(cluster) = target.kind_cluster() {
            known.entry(cluster.to_owned()).or_default().wanted_by.push(name.clone());
        }
    }
    known
}
