//! Everything a plan is made from, and what has to be fetched first.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Scope};
use crate::compile::CompiledDeployment;
use crate::finding::{Consent, Finding};
use crate::plan::state_mark::OtherState;
use crate::plan::{DryRunOutcome, Migration, Mode, StopOptions};
use crate::resource::World;
use crate::secret::Fingerprinter;
use crate::secret::SecretValues;
use crate::state::State;
use crate::value::Digest;
use crate::vault::VaultContents;

/// Everything a plan is made from. Pure data: the same input gives the same plan, byte for byte.
#[derive(Clone, Debug)]
pub struct PlanInput {
    /// What the plan is for.
    pub mode: Mode,
    /// The deployments asked for, compiled. With [`Mode::Destroy`] and [`Mode::Stop`] they say who is to go.
    pub deployments: Vec<CompiledDeployment>,
    /// The states of those deployments and of their clusters; of other tenants once [`Requirements::tenants`] asks.
    pub states: BTreeMap<Scope, State>,
    /// Tenants' states that were asked for and could not be read, and why.
    pub unreadable: BTreeMap<Scope, String>,
    /// What was seen; empty when offline.
    pub world: World,
    /// The kind clusters that another state keeps, by their names.
    pub other_states: BTreeMap<String, OtherState>,
    /// Whether nobody was to look at the world.
    pub offline: bool,
    /// What the operator wants made anew, or an empty set.
    pub replace: BTreeSet<Address>,
    /// What is planned of everything, with what it needs; `None` for all of it.
    pub targets: Option<BTreeSet<Address>>,
    /// The consents given.
    pub consents: BTreeSet<Consent>,
    /// What compiling had to say.
    pub findings: Vec<Finding>,
    /// Digest of every input file.
    pub inputs_digest: String,
    /// The secret values that could be had here.
    pub secrets: SecretValues,
    /// Per deployment, what fingerprints its secrets; missing where the key is not here.
    pub fingerprinters: BTreeMap<String, Fingerprinter>,
    /// What came of trying the changes of a first plan; empty before there is one.
    pub dry_runs: BTreeMap<Address, DryRunOutcome>,
    /// What kind clusters are called in laconic.yml, by their real names.
    pub cluster_labels: BTreeMap<String, String>,
    /// What the vaults of kind clusters hold, by the clusters' names.
    pub vaults: BTreeMap<String, VaultContents>,
    /// Where each of them is, for people.
    pub vault_places: BTreeMap<String, String>,
    /// Other deployments that come back with their cluster, as their files are now; those that could be read.
    pub tenant_files: BTreeMap<String, CompiledDeployment>,
    /// The volumes that are to be moved below an umbrella while their cluster is made anew, by the cluster's name.
    pub migrations: BTreeMap<String, Migration>,
    /// The volumes whose bytes are to come back after a recreate, as `deployment/volume`.
    pub rescue_volumes: BTreeSet<String>,
    /// Codes that laconic.yml has not reported for any deployment, with the reasons.
    pub suppressed: BTreeMap<String, String>,
    /// The revision that is assumed to have been applied, as people call it; `None` when states say what was.
    pub base: Option<String>,
    /// Whether this runs against the simulated host.
    pub simulated: bool,
    /// When every workload is to be rolled: now, in words; `None` where only what changed rolls.
    pub rollout: Option<String>,
    /// What goes with [`Mode::Stop`].
    pub stop: StopOptions,
    /// Whether the cluster is never to be touched (`--skip-cluster-management`).
    pub skip_cluster: bool,
    /// Whether completed Jobs run again after a recreate (`--rerun-jobs`).
    pub rerun_jobs: bool,
}

impl PlanInput {
    /// An input for deployments, with nothing recorded and nobody looking.
    #[must_use]
    pub const fn new(mode: Mode, deployments: Vec<CompiledDeployment>) -> Self {
        Self {
            mode,
            deployments,
            states: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            world: World::new(),
            other_states: BTreeMap::new(),
            offline: true,
            replace: BTreeSet::new(),
            targets: None,
            consents: BTreeSet::new(),
            findings: Vec::new(),
            inputs_digest: String::new(),
            secrets: SecretValues::new(),
            fingerprinters: BTreeMap::new(),
            dry_runs: BTreeMap::new(),
            cluster_labels: BTreeMap::new(),
            vaults: BTreeMap::new(),
            vault_places: BTreeMap::new(),
            tenant_files: BTreeMap::new(),
            migrations: BTreeMap::new(),
            rescue_volumes: BTreeSet::new(),
            suppressed: BTreeMap::new(),
            base: None,
            simulated: false,
            rollout: None,
            stop: StopOptions { delete_volumes: false, delete_namespace: false, delete_cluster: false },
            skip_cluster: false,
            rerun_jobs: false,
        }
    }

    /// The scopes whose states a plan needs first: the deployments' own and their kind clusters'.
    #[must_use]
    pub fn scopes(&self) -> BTreeSet<Scope> {
        let own = self.deployments.iter().map(|deployment| Scope::deployment(&deployment.name));
        let clusters =
            self.deployments.iter().filter_map(|deployment| crate::resource::cluster_scope(&deployment.target));
        own.chain(clusters).collect()
    }
}

/// What a plan still needs before it can be made. Fetch it, put it into the input, ask again until there is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Recorded forms to load, by scope.
    pub bodies: BTreeMap<Scope, BTreeSet<Digest>>,
    /// Other tenants whose states are needed: with the directory the register names.
    pub tenants: BTreeMap<Scope, String>,
}

impl Requirements {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bodies.is_empty() && self.tenants.is_empty()
    }
}
