//! A universe: simulated host, state and files, in which whole operations run as the program runs them.

use std::collections::{BTreeMap, BTreeSet};

use futures::executor::block_on;
use laconic_engine::address::{Address, Scope};
use laconic_engine::apply::{
    Apply, ApplyError, ApplyOptions, Event, Outcome, Provider, StateStore, Stop, drive, dry_run,
};
use laconic_engine::code::Code;
use laconic_engine::compile::{CompiledDeployment, DeploymentSource, Layout, compile};
use laconic_engine::diff::{flatten, same};
use laconic_engine::finding::{Consent, Finding, has_errors};
use laconic_engine::plan::{Mode, Plan, PlanInput, lint, observe_request, plan, prepare, requirements};
use laconic_engine::secret::{Fingerprinter, SecretSource, SecretValue, SecretValues, sources};
use laconic_engine::source::MemorySources;
use laconic_engine::state::State;
use laconic_providers::SimulatedHost;
use laconic_state::MemoryStore;

use crate::clock::SteppingClock;

/// Host and state.
#[derive(Debug)]
pub struct Universe {
    /// The world.
    pub host: SimulatedHost,
    /// What is recorded of it.
    pub store: MemoryStore,
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
    /// Whether what exists is taken into state.
    pub import: bool,
    /// Whether the changes are not tried on the servers before they are made.
    pub untried: bool,
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// The plan that was applied.
    pub plan: Plan,
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
        Self { host: SimulatedHost::in_memory(), store: MemoryStore::simulated() }
    }
}

impl Universe {
    /// A copy that goes its own way.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { host: self.host.fork(), store: self.store.fork() }
    }

    /// The input of a plan, everything it needs fetched.
    ///
    /// # Panics
    /// When the state cannot be read or a plan never has enough.
    #[must_use]
    pub fn input(&self, deployments: &[CompiledDeployment], request: &Request) -> PlanInput {
        let mode = match (request.destroy, request.import) {
            (true, _) => Mode::Destroy,
            (_, true) => Mode::Import,
            _ => Mode::Apply,
        };
        let mut input = PlanInput::new(mode, deployments.to_vec());
        input.consents.clone_from(&request.consents);
        input.replace.clone_from(&request.replace);
        input.offline = request.offline;
        input.simulated = true;
        for scope in input.scopes() {
            input.states.insert(scope.clone(), self.store.load(&scope).unwrap());
        }
        input.secrets = secret_values(deployments);
        input.fingerprinters = self.fingerprinters(&input);
        if !request.offline {
            input.world = block_on(self.host.observe(&observe_request(&input)));
        }
        prepare(&mut input);
        for _ in 0..10 {
            let needed = requirements(&input);
            if needed.is_empty() {
                return input;
            }
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
        let mut input = self.input(deployments, request);
        let mut made = plan(&input);
        if !request.untried {
            input.dry_runs = block_on(dry_run(&self.host, &input, &made, 4));
            made = plan(&input);
        }
        let wrong = lint::lint(&made);
        assert!(wrong.is_empty(), "the plan is unsound: {wrong:#?}\n{made:#?}");
        made
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
    pub fn carry_out(&self, made: Plan, deployments: &[CompiledDeployment]) -> Run {
        let mut secrets = secret_values(deployments);
        for change in &made.changes {
            secrets.extend(values_of(&sources(&change.after.clone().unwrap_or_default())));
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

    /// Everything in which the world differs from what these deployments compile to: fields that are not as desired,
    /// objects that are missing, objects of ours that nobody desires.
    #[must_use]
    pub fn deviations(&self, deployments: &[CompiledDeployment]) -> Vec<String> {
        let input = self.input(deployments, &Request::default());
        let composition = laconic_engine::plan::survey::compose(&input);
        let mut deviations = Vec::new();
        let mut wanted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let own = input.deployments.iter().map(|one| (&one.target, &one.resources));
        let shared = composition.clusters.iter().filter_map(|(name, cluster)| {
            let target =
                input.deployments.iter().map(|one| &one.target).find(|one| one.kind_cluster() == Some(name))?;
            Some((target, &cluster.resources))
        });
        for (target, resources) in own.chain(shared) {
            let Some(seen) = input.world.get(target) else {
                deviations.push(format!("{target:?} was not seen"));
                continue;
            };
            let objects = seen.objects.clone().unwrap_or_default();
            for resource in resources {
                let key = resource.key();
                wanted.entry(target.clone()).or_default().insert(key.clone());
                if !resource.address.resource_type.is_kubernetes() {
                    continue;
                }
                let Some(live) = objects.get(&key) else {
                    let completed = input.states.get(&resource.address.scope).is_some_and(|state| {
                        state.resources.get(&resource.address).is_some_and(|recorded| recorded.completed)
                    });
                    if !completed {
                        deviations.push(format!("{} is missing", resource.address));
                    }
                    continue;
                };
                let live = flatten(&live.attributes);
                let completed_job = resource.address.resource_type == laconic_engine::address::ResourceType::Job;
                for (path, value) in flatten(&resource.attributes.value()) {
                    // Servers leave out `readOnly: false` and the like.
                    let as_wanted = live.get(&path).map_or(value == false, |found| same(&path, &value, found));
                    if !completed_job && !as_wanted {
                        deviations.push(format!(
                            "{} {path}: {:?} instead of {value}",
                            resource.address,
                            live.get(&path)
                        ));
                    }
                }
            }
        }
        for (target, seen) in &input.world {
            for (key, live) in seen.objects.iter().flatten() {
                let ours = live.owners.iter().any(|owner| owner.manager == "laconic");
                if ours && !wanted.get(target).is_some_and(|wanted| wanted.contains(key)) {
                    deviations.push(format!("{key} is an orphan"));
                }
            }
        }
        deviations
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
