//! A universe: simulated host, state and files, in which whole operations run as the program runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::executor::block_on;
use laconic_engine::address::{Address, Scope};
use laconic_engine::apply::{
    Apply, ApplyError, ApplyOptions, Event, Outcome, Provider, RecreatePorts, StateStore, Stop, drive, dry_run,
};
use laconic_engine::code::Code;
use laconic_engine::compile::{CompiledDeployment, DeploymentSource, Layout, compile};
use laconic_engine::finding::{Consent, Finding, has_errors};
use laconic_engine::plan::{
    Migration, Mode, Plan, PlanInput, StopOptions, lint, observe_request, plan, plan_or_requirements, prepare,
    requirements,
};
use laconic_engine::secret::{Fingerprinter, SecretSource, SecretValue, SecretValues, sources};
use laconic_engine::source::MemorySources;
use laconic_engine::state::State;
use laconic_engine::vault::Vault as _;
use laconic_providers::SimulatedHost;
use laconic_state::{MemoryStore, MemoryVault};

use crate::clock::SteppingClock;

/// Host and state.
#[derive(Debug)]
pub struct Universe {
    /// The world.
    pub host: SimulatedHost,
    /// What is recorded of it.
    pub store: MemoryStore,
    /// What survives its clusters.
    pub vault: MemoryVault,
}

/// How a run is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Whether the deployments are to go.
    pub destroy: bool,
    /// The consents given.
    pub consents: BTreeSet<Consent>,
    /// Resources to be made anew.
    pub replace: BTreeSet<Address>,
    /// Whether nobody looks at the world.
    pub offline: bool,
    /// What goes beside the workloads, when the deployments are to be stopped.
    pub stop: Option<StopOptions>,
    /// The part that is planned, if it is not all.
    pub targets: Option<BTreeSet<Address>>,
    /// Whether the clusters are never touched.
    pub skip_cluster: bool,
    /// Whether what exists is taken into state.
    pub import: bool,
    /// The volumes whose bytes are to survive a recreate.
    pub rescue: BTreeSet<String>,
    /// What is moved below an umbrella, by cluster.
    pub migrations: BTreeMap<String, Migration>,
    /// Other deployments as their files are now.
    pub files: Vec<CompiledDeployment>,
    /// Whether the changes are not tried on the servers before they are made.
    pub untried: bool,
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// The plan that was applied.
    pub plan: Arc<Plan>,
    /// How it ended.
    pub result: Result<Outcome, ApplyError>,
    /// Everything that happened.
    pub events: Vec<Event>,
}

impl Run {
    /// Whether everything planned was done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.result.as_ref().is_ok_and(Outcome::is_complete)
    }
}

impl Run {
    /// What went wrong, in a few lines.
    #[must_use]
    pub fn problems(&self) -> String {
        match &self.result {
            Err(error) => {
                let refusals: Vec<String> =
                    self.plan.refusals().map(|finding| format!("{} {}", finding.code, finding.message)).collect();
                format!("{error} {refusals:?} {:?}", self.plan.missing_consents())
            }
            Ok(outcome) => {
                let failed = outcome.failed.iter().map(|(address, error)| format!("{address}: {error}"));
                let skipped =
                    outcome.skipped.iter().map(|(address, because)| format!("{address} skipped for {because}"));
                failed.chain(skipped).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

impl Default for Universe {
    fn default() -> Self {
        Self { host: SimulatedHost::in_memory(), store: MemoryStore::simulated(), vault: MemoryVault::default() }
    }
}

impl Universe {
    /// A copy that goes its own way.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { host: self.host.fork(), store: self.store.fork(), vault: self.vault.fork() }
    }

    /// The input of a plan, as far as state and world give it before anything is asked for.
    fn gathered(&self, deployments: &[CompiledDeployment], request: &Request) -> PlanInput {
        let mode = match (request.destroy, request.import) {
            (true, _) => Mode::Destroy,
            (_, true) => Mode::Import,
            _ if request.stop.is_some() => Mode::Stop,
            _ => Mode::Apply,
        };
        let mut input = PlanInput::new(mode, deployments.to_vec());
        input.consents.clone_from(&request.consents);
        input.replace.clone_from(&request.replace);
        input.offline = request.offline;
        input.rescue_volumes.clone_from(&request.rescue);
        input.stop = request.stop.unwrap_or_default();
        input.skip_cluster = request.skip_cluster;
        input.targets.clone_from(&request.targets);
        input.migrations.clone_from(&request.migrations);
        input.tenant_files = request.files.iter().map(|one| (one.name.clone(), one.clone())).collect();
        input.simulated = true;
        for cluster in deployments.iter().filter_map(|deployment| deployment.target.kind_cluster()) {
            let contents = self.vault.contents(cluster).unwrap();
            input.vaults.extend(contents.map(|contents| (cluster.to_owned(), contents)));
        }
        for scope in input.scopes() {
            input.states.insert(scope.clone(), self.store.load(&scope).unwrap());
        }
        input.secrets = secret_values(deployments);
        input.fingerprinters = self.fingerprinters(&input);
        if !request.offline {
            input.world = block_on(self.host.observe(&observe_request(&input)));
        }
        prepare(&mut input);
        input
    }

    /// The input of a plan, everything it needs fetched, and the plan.
    ///
    /// # Panics
    /// When the state cannot be read or a plan never has enough.
    #[must_use]
    pub fn fetched(&self, deployments: &[CompiledDeployment], request: &Request) -> (PlanInput, Plan) {
        let mut input = self.gathered(deployments, request);
        for _ in 0..10 {
            let needed = match plan_or_requirements(&input) {
                Ok(plan) => return (input, plan),
                Err(needed) => needed,
            };
            for scope in needed.tenants.keys() {
                input.states.insert(scope.clone(), self.store.load(scope).unwrap());
            }
            for (scope, digests) in &needed.bodies {
                self.store.load_bodies(input.states.get_mut(scope).unwrap(), digests).unwrap();
            }
            // Tenants that come back need their secrets too.
            input.secrets.extend(revived_secrets(&input));
            input.fingerprinters = self.fingerprinters(&input);
        }
        panic!("the requirements never end: {:?}", requirements(&input));
    }

    #[allow(clippy::unused_self, reason = "a universe has one key for everybody")]
    fn fingerprinters(&self, input: &PlanInput) -> BTreeMap<String, Fingerprinter> {
        input.states.keys().map(|scope| (scope.name().to_owned(), Fingerprinter::new([7; 32]))).collect()
    }

    /// The plan, linted.
    ///
    /// # Panics
    /// When the linter finds anything.
    #[must_use]
    pub fn plan(&self, deployments: &[CompiledDeployment], request: &Request) -> Plan {
        self.input_and_plan(deployments, request).1
    }

    /// The plan, linted, with what it was made from.
    ///
    /// # Panics
    /// When the linter finds anything.
    #[must_use]
    pub fn input_and_plan(&self, deployments: &[CompiledDeployment], request: &Request) -> (PlanInput, Plan) {
        let (mut input, mut made) = self.fetched(deployments, request);
        if !request.untried {
            input.dry_runs = block_on(dry_run(&self.host, &input, &made, 4));
            if !input.dry_runs.is_empty() {
                made = plan(&input);
            }
        }
        let wrong = lint::lint(&made);
        assert!(wrong.is_empty(), "the plan is unsound: {wrong:#?}\n{made:#?}");
        (input, made)
    }

    /// Plans and applies.
    #[must_use]
    pub fn apply(&self, deployments: &[CompiledDeployment], request: &Request) -> Run {
        let made = self.plan(deployments, request);
        self.carry_out(made, deployments)
    }

    /// Plans, gives every consent the plan asks for, and applies.
    #[must_use]
    pub fn apply_with_consents(&self, deployments: &[CompiledDeployment], request: &Request) -> Run {
        self.apply(deployments, &self.request_with_consents(deployments, request))
    }

    /// The request with everything said that the plan asks to be said.
    #[must_use]
    pub fn request_with_consents(&self, deployments: &[CompiledDeployment], request: &Request) -> Request {
        let mut request = request.clone();
        let first = self.plan(deployments, &request);
        // A claim shrinks only where it is named to be made anew, which may lose data in turn.
        let shrinking = first.findings.iter().filter(|finding| finding.code == Code::ClaimShrinks);
        let subjects: BTreeSet<&str> = shrinking.map(|finding| finding.subject.as_str()).collect();
        let named = first.changes.iter().filter(|change| subjects.contains(change.address.to_string().as_str()));
        request.replace.extend(named.map(|change| change.address.clone()));
        request.consents.extend(self.plan(deployments, &request).missing_consents());
        request
    }

    /// Applies a plan.
    #[must_use]
    pub fn carry_out(&self, made: impl Into<Arc<Plan>>, deployments: &[CompiledDeployment]) -> Run {
        let made = made.into();
        let mut secrets = secret_values(deployments);
        for after in made.changes.iter().filter_map(|change| change.after.as_ref()) {
            secrets.extend(values_of(&sources(after)));
        }
        let fingerprinters = made
            .changes
            .iter()
            .map(|change| (change.address.scope.name().to_owned(), Fingerprinter::new([7; 32])))
            .collect();
        let clock = SteppingClock::default();
        let stop = Stop::default();
        let mut events = Vec::new();
        let apply = Apply {
            plan: &made,
            provider: &self.host,
            store: &self.store,
            clock: &clock,
            secrets: &secrets,
            fingerprinters: &fingerprinters,
            recreate: Some(RecreatePorts { rescue: &self.host, vault: &self.vault }),
            options: ApplyOptions { parallelism: 4, ..ApplyOptions::default() },
            stop: &stop,
        };
        let result = block_on(drive(apply, &mut |event: &Event| events.push(event.clone())));
        Run { plan: made, result, events }
    }

    /// The state of a scope.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn state(&self, scope: &Scope) -> State {
        self.store.load(scope).unwrap()
    }

    /// Everything recorded of deployments and their clusters, forms and all, as text.
    ///
    /// # Panics
    /// When the state cannot be read.
    #[must_use]
    pub fn recorded_text(&self, deployments: &[CompiledDeployment]) -> String {
        let scopes = PlanInput::new(Mode::Apply, deployments.to_vec()).scopes();
        let mut text = String::new();
        for scope in scopes {
            let mut state = self.state(&scope);
            let digests = state.resources.values().flat_map(|one| [one.desired.digest, one.observed.digest]).collect();
            self.store.load_bodies(&mut state, &digests).unwrap();
            text += &format!("{state:?}");
        }
        text
    }
}

/// Compiles a deployment directory in memory.
///
/// # Panics
/// When it has errors.
#[must_use]
pub fn compiled(name: &str, files: &MemorySources) -> (CompiledDeployment, Vec<Finding>) {
    let source = DeploymentSource {
        name: name.to_owned(),
        directory: format!("/deployments/{name}"),
        spec_file: "spec.yml".to_owned(),
        shown_directory: String::new(),
        layout: Layout::Directory,
    };
    let compilation = compile(&source, files);
    assert!(!has_errors(&compilation.findings), "{:#?}", compilation.findings);
    (compilation.deployment.expect("no error, so a deployment"), compilation.findings)
}

fn secret_values(deployments: &[CompiledDeployment]) -> SecretValues {
    deployments
        .iter()
        .flat_map(|deployment| &deployment.resources)
        .flat_map(|resource| values_of(&resource.attributes.sources()))
        .collect()
}

fn revived_secrets(input: &PlanInput) -> SecretValues {
    input
        .states
        .values()
        .flat_map(|state| state.resources.values())
        .filter_map(|recorded| recorded.desired.value.as_deref())
        .flat_map(|desired| values_of(&sources(desired)))
        .collect()
}

/// Every secret has a value that its name gives away, so that a leak is found by looking for `hunter2-`.
#[must_use]
pub fn values_of(sources: &BTreeSet<SecretSource>) -> SecretValues {
    sources
        .iter()
        .map(|source| {
            let name: String = source.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
            (source.clone(), SecretValue::new(format!("hunter2-{name}")))
        })
        .collect()
}
