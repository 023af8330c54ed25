//! What the looking commands look at: a deployment as it is recorded. Nothing is compiled, so that one whose spec is wrong
//! can be looked at too.

use std::collections::{BTreeMap, BTreeSet};

use laconic_engine::address::Scope;
use laconic_engine::apply::StateStore as _;
use laconic_engine::plan::stop::is_left_by_stop;
use laconic_engine::resource::{Target, cluster_scope};
use laconic_engine::state::{State, Tenant};

use crate::error::Result;
use crate::inputs::{directories, locate, read_identity};
use crate::session::Session;
use crate::wire::{Host, PodsOf};

/// One deployment.
#[derive(Debug)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its deployment-id.
    pub deployment_id: String,
    /// What is recorded of it.
    pub state: State,
    /// Where its objects are; `None` before its first apply.
    pub target: Option<Target>,
    /// Its entry in the register of its cluster.
    pub tenant: Option<Tenant>,
}

impl Subject {
    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        match &self.target {
            Some(Target::Kubernetes(_)) => is_left_by_stop(&self.state),
            _ => self.tenant.as_ref().is_some_and(|tenant| tenant.stopped),
        }
    }

    /// Its namespace, as its objects have it.
    pub fn namespace(&self) -> Option<String> {
        let recorded = self.state.resources.values().map(|recorded| &recorded.key.namespace);
        let namespace = recorded.into_iter().find(|namespace| !namespace.is_empty()).map(ToString::to_string);
        namespace.or_else(|| self.tenant.as_ref().map(|tenant| tenant.namespace.clone()))
    }

    /// Whose pods are its own: those of its workloads and of its jobs.
    pub fn pods_of(&self) -> Option<PodsOf> {
        let apps = vec![self.deployment_id.clone(), format!("{}-job", self.deployment_id)];
        Some(PodsOf { namespace: self.namespace()?, apps })
    }
}

/// The deployments of the command line, and the world they are in.
///
/// # Errors
/// Directories that are none, state that cannot be read.
pub fn subjects(session: &Session) -> Result<(Vec<Subject>, Host)> {
    let inputs = locate(&session.common)?;
    let directories = directories(&inputs);
    let store = session.wire.store(&directories);
    let mut subjects = Vec::new();
    let mut registers: BTreeMap<Scope, State> = BTreeMap::new();
    for (name, directory) in &directories {
        let state = store.load(&Scope::deployment(name))?;
        let target = state.target.clone();
        let mut tenant = None;
        if let Some(scope) = target.as_ref().and_then(cluster_scope) {
            if !registers.contains_key(&scope) {
                registers.insert(scope.clone(), store.load(&scope)?);
            }
            tenant = registers.get(&scope).and_then(|register| register.tenants.get(name)).cloned();
        }
        let deployment_id = read_identity(directory)?.map(|identity| identity.deployment_id).unwrap_or_default();
        subjects.push(Subject { name: name.clone(), deployment_id, state, target, tenant });
    }
    let targets: BTreeSet<Target> = subjects.iter().filter_map(|subject| subject.target.clone()).collect();
    let host = match session.wire.simulated_host()? {
        Some(host) => Host::Simulated(Box::new(host)),
        None => session.wire.live(&targets, &directories),
    };
    Ok((subjects, host))
}
