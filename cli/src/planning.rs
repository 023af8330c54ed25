//! From the command line to a plan: compile, load, look, plan. Reads only; writes nothing anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use laconic_engine::address::{Address, Scope};
use laconic_engine::apply::{StateError, StateStore as _};
use laconic_engine::finding::Consent;
use laconic_engine::plan::{self, Migration, Mode, Plan, PlanInput};
use laconic_engine::resource::{Observed, ObservedTarget, Resource, Target};
use laconic_engine::secret::{SecretSource, SecretValues, sources};
use laconic_engine::state::State;
use laconic_engine::vault::{Vault as _, VaultContents};

use crate::args::Planning;
use crate::compiling::{Compiled, compile_or_complain, in_parallel};
use crate::error::{Problem, Result};
use crate::everyday::{Everyday, aim};
use crate::inputs::{Input, Inputs, directories, locate_selected};
use crate::live_secrets::live_secrets;
use crate::maintenance;
use crate::secret_values::{self, Missing, SecretPlace};
use crate::session::Session;
use crate::view::finding::Texts;
use crate::wire::{Host, LocalStore};

/// What is to be planned.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What for.
    pub mode: Mode,
    /// Whether nobody is to look at the world.
    pub offline: bool,
    /// Whether it is to be found out how much is in the volumes.
    pub sizes: bool,
    /// The consents that count.
    pub consents: BTreeSet<Consent>,
    /// The rest of the command line.
    pub planning: &'a Planning,
    /// What the commands on one deployment add.
    pub everyday: Everyday,
    /// The command, for messages.
    pub command: &'static str,
}

/// A plan and what it was made with.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The texts of the input files, for snippets.
    pub texts: Texts,
    /// The deployment directories, other tenants' included.
    pub directories: BTreeMap<String, PathBuf>,
    /// The states it was made from.
    pub states: BTreeMap<Scope, State>,
    /// What of the world could not be looked at although its cluster answers: the target and why.
    pub unseen: Vec<(Target, String)>,
    /// Values of secrets that are live and that nobody keeps yet; an import keeps them.
    pub live_secrets: SecretValues,
    /// The world, when somebody looked.
    pub host: Option<Host>,
    /// The deployments of the repository that have no directory here and are not applied.
    pub left_out: Vec<String>,
    /// What laconic.yml calls the kind clusters, by their names.
    pub labels: BTreeMap<String, String>,
    /// Where the files it was made from are.
    pub inputs: Inputs,
    /// The codes of warnings that the repository's policy forbids.
    pub forbidden: Vec<String>,
}

impl Planned {
    /// The world, for what is to be done to it.
    ///
    /// # Errors
    /// A plan that nobody looked for, which no command that does anything makes.
    pub fn take_host(&mut self) -> Result<Host> {
        self.host
            .take()
            .ok_or_else(|| Problem::BrokenPlan { complaints: vec!["nobody looked at the world".to_owned()] })
    }
}

/// Makes a plan.
///
/// # Errors
/// Everything that keeps one from being made; findings of severity error were printed by then.
pub fn make(session: &Session, wanted: &Wanted<'_>) -> Result<Planned> {
    let inputs = locate_selected(&session.common, &wanted.planning.selection)?;
    make_from(session, wanted, inputs, &Migrating::default())
}

/// What moves below an umbrella.
#[derive(Clone, Debug, Default)]
pub struct Migrating {
    /// The deployments whose files count as edited, by name.
    pub edits: BTreeMap<String, Input>,
    /// What is moved, by cluster.
    pub migrations: BTreeMap<String, Migration>,
}

/// Makes a plan of these deployments.
///
/// # Errors
/// As [`make`].
pub fn make_from(session: &Session, wanted: &Wanted<'_>, inputs: Inputs, migrating: &Migrating) -> Result<Planned> {
    let mut left_out: Vec<String> =
        inputs.iter().filter(|input| input.directory.is_none()).map(|input| input.source.name.clone()).collect();
    left_out.retain(|name| !inputs.neighbours.contains(name));
    // Of a repository, the deployments that are here are acted on.
    let acts = matches!(wanted.command, "apply" | "destroy" | "stop" | "import" | "cluster migrate");
    let is_nobody = inputs.repository.is_none() || left_out.len() == inputs.selected();
    if acts && is_nobody && !left_out.is_empty() {
        return Err(Problem::NoIdentity { command: wanted.command });
    }
    // Before anything is compiled: a wrong flag is said at once.
    let simulated = if wanted.offline { None } else { session.wire.simulated_host()? };
    let mut compiled = compile_or_complain(session, &inputs, wanted.offline)?;
    let texts = compiled.all_texts();
    let labels = inputs.repository.as_ref().map(|open| open.labels(&compiled.deployments)).unwrap_or_default();
    left_out.retain(|name| compiled.deployments.iter().any(|deployment| deployment.name == *name));
    if (acts || wanted.command == "drift") && inputs.repository.is_some() && !left_out.is_empty() {
        compiled.deployments.retain(|deployment| !left_out.contains(&deployment.name));
        say_left_out(session, &left_out);
    }
    if wanted.everyday.maintenance {
        maintenance::stand_in(&inputs, &mut compiled.deployments);
    }
    let mut directories = directories(&inputs);
    let store = session.wire.store(&directories);
    let mut input = gather(session, &inputs, compiled, wanted, &store)?;
    name_clusters(&mut input.consents, &labels);
    input.migrations.clone_from(&migrating.migrations);
    input.cluster_labels.clone_from(&labels);
    input.suppressed = inputs.repository.as_ref().map(|open| open.suppressed()).unwrap_or_default();
    let host = match simulated {
        Some(simulated) => Some(Host::Simulated(Box::new(simulated))),
        None if wanted.offline => None,
        None => Some(live(session, &input, &directories)),
    };
    if let Some(host) = &host {
        let mut request = plan::observe_request(&input);
        request.values_mut().for_each(|asked| asked.sizes = wanted.sizes);
        input.world = crate::wire::runtime()?.block_on(host.provider().observe(&request));
    }
    let unseen = unseen(&input);
    let places = secret_places(&directories, &store, input.deployments.iter().map(|one| one.name.as_str()))?;
    // Generated values are kept beside the state and are read with it, offline too; the environment and the files of
    // this host are not.
    let wanted_sources: BTreeSet<SecretSource> = input
        .deployments
        .iter()
        .flat_map(|deployment| &deployment.resources)
        .flat_map(|resource| resource.attributes.sources())
        .filter(|source| !wanted.offline || matches!(source, SecretSource::Generated { .. }))
        .collect();
    input.secrets = secret_values::values(&wanted_sources, &places, Missing::LeaveOut)?;
    let live_secrets = if input.mode == Mode::Import { live_secrets(&input) } else { SecretValues::new() };
    input.secrets.extend(live_secrets.clone());
    input.fingerprinters = secret_values::fingerprinters(&places, Missing::LeaveOut)?;
    plan::prepare(&mut input);
    let (mut plan, store) = fetch(session, &mut input, &mut directories, store, migrating)?;
    if !wanted.offline && tenants_secrets(&mut input, &directories, &store)? {
        plan = plan::plan(&input);
    }
    let plan = crate::dry_running::tried(host.as_ref().map(Host::provider), wanted.command, &mut input, plan)?;
    check_rescued(&wanted.planning.rescue_volume, &plan)?;
    let complaints = plan::lint::lint(&plan);
    if !complaints.is_empty() {
        return Err(Problem::BrokenPlan { complaints });
    }
    let states = std::mem::take(&mut input.states);
    // The process ends soon: giving thousands of objects back one by one costs more than it is worth.
    std::mem::forget(input);
    let forbidden = inputs.repository.as_ref().map(|open| open.forbidden(&plan.findings)).unwrap_or_default();
    Ok(Planned { plan, texts, directories, states, unseen, live_secrets, host, left_out, labels, inputs, forbidden })
}

/// A consent to what laconic.yml calls a cluster is one to that cluster: a pull request knows no other name of it.
pub fn name_clusters(consents: &mut BTreeSet<Consent>, labels: &BTreeMap<String, String>) {
    for (id, label) in labels {
        for of in [Consent::Recreate, Consent::ClusterDelete] {
            if consents.contains(&of(label.clone())) {
                consents.insert(of(id.clone()));
            }
        }
    }
}

/// Deployments that are in the repository and not on this host.
fn say_left_out(session: &Session, names: &[String]) {
    let names: Vec<String> = names.iter().map(|name| crate::view::style::clean(name)).collect();
    let verb = if names.len() == 1 { "has no directory here and is" } else { "have no directory here and are" };
    session.output.remark(&format!("{} {verb} left out.\n", names.join(", ")));
}

/// The world of a plan's targets.
fn live(session: &Session, input: &PlanInput, directories: &BTreeMap<String, PathBuf>) -> Host {
    let targets: BTreeSet<Target> = input.deployments.iter().map(|one| one.target.clone()).collect();
    session.wire.live(&targets, directories)
}

/// The targets whose cluster answers and whose objects, or some kinds of them, nobody could list.
fn unseen(input: &PlanInput) -> Vec<(Target, String)> {
    let answers = |observed: &ObservedTarget| matches!(observed.cluster, Observed::Present(_));
    input
        .world
        .iter()
        .filter(|(_, observed)| answers(observed))
        .flat_map(|(target, observed)| {
            let all = observed.objects.as_ref().err().map(plan::danger::unknown_text);
            let kinds = observed.unlisted.iter().map(|(resource_type, reason)| {
                format!("objects of kind {}: {}", resource_type.kind(), plan::danger::unknown_text(reason))
            });
            all.into_iter().chain(kinds).map(|why| (target.clone(), why))
        })
        .collect()
}

/// The input of a plan as far as files and states give it.
fn gather(
    session: &Session,
    inputs: &[Input],
    compiled: Compiled,
    wanted: &Wanted<'_>,
    store: &LocalStore,
) -> Result<PlanInput> {
    let Compiled { deployments, findings, inputs_digest, .. } = compiled;
    let mut input = PlanInput::new(wanted.mode, deployments);
    input.offline = wanted.offline;
    input.consents = wanted.consents.clone();
    input.findings = findings.into_iter().map(|(finding, _)| finding).collect();
    input.inputs_digest = inputs_digest;
    input.simulated = session.wire.is_simulated();
    input.skip_cluster = wanted.planning.skip_cluster_management;
    input.stop = wanted.everyday.stop;
    input.rollout = wanted.everyday.rollout.then(laconic_state::timestamp::now);
    input.rerun_jobs = wanted.planning.rerun_jobs;
    input.rescue_volumes = wanted.planning.rescue_volume.iter().cloned().collect();
    input.vaults = vaults(session, &input)?;
    let vault = session.wire.vault();
    input.vault_places = input.vaults.keys().map(|cluster| (cluster.clone(), vault.place(cluster))).collect();
    // A spec without a directory has no state yet.
    let homeless: BTreeSet<&str> =
        inputs.iter().filter(|input| input.directory.is_none()).map(|input| input.source.name.as_str()).collect();
    let scopes: Vec<Scope> =
        input.scopes().into_iter().filter(|scope| scope.is_cluster() || !homeless.contains(scope.name())).collect();
    input.states = load_states(store, &scopes)?;
    input.replace = addresses(&wanted.planning.replace, &input)?;
    if !wanted.planning.target.is_empty() {
        input.targets = Some(addresses(&wanted.planning.target, &input)?);
    }
    if let Some(part) = &wanted.everyday.part {
        aim(&mut input, part)?;
    }
    Ok(input)
}

/// What the vaults of the clusters hold.
fn vaults(session: &Session, input: &PlanInput) -> Result<BTreeMap<String, VaultContents>> {
    let vault = session.wire.vault();
    let clusters: BTreeSet<&str> = input.deployments.iter().filter_map(|one| one.target.kind_cluster()).collect();
    let mut found = BTreeMap::new();
    for cluster in clusters {
        found.extend(vault.contents(cluster)?.map(|contents| (cluster.to_owned(), contents)));
    }
    Ok(found)
}

/// The volumes that were named to be rescued are volumes of deployments that the plan knows.
fn check_rescued(wanted: &[String], plan: &Plan) -> Result<()> {
    let known: BTreeSet<String> =
        plan.forecast.iter().map(|volume| format!("{}/{}", volume.deployment, volume.volume)).collect();
    match wanted.iter().find(|name| !known.contains(*name)) {
        Some(name) => Err(Problem::UnknownVolume { name: name.clone(), known: known.into_iter().collect() }),
        None => Ok(()),
    }
}

/// Plans, fetching what the plan still needs until it needs nothing.
fn fetch(
    session: &Session,
    input: &mut PlanInput,
    directories: &mut BTreeMap<String, PathBuf>,
    mut store: LocalStore,
    migrating: &Migrating,
) -> Result<(Plan, LocalStore)> {
    let own_targets: BTreeSet<Target> = input.deployments.iter().map(|one| one.target.clone()).collect();
    // Each round fetches something new, so this ends; the bound is for a planner that asks for the same again.
    for _ in 0..64 {
        let requirements = match plan::plan_or_requirements(input) {
            Ok(plan) => return Ok((plan, store)),
            Err(requirements) => requirements,
        };
        for (scope, directory) in &requirements.tenants {
            directories.entry(scope.name().to_owned()).or_insert_with(|| PathBuf::from(directory));
        }
        if !requirements.tenants.is_empty() {
            store = session.wire.store(directories);
        }
        for scope in requirements.tenants.into_keys() {
            match tenant_state(&store, directories, &scope, &own_targets) {
                Ok(state) => {
                    // Offline nothing is read but what was given.
                    let files = if input.offline { None } else { tenant_files(directories, &scope, migrating) };
                    input.tenant_files.extend(files);
                    input.states.insert(scope, state);
                }
                Err(why) => {
                    input.unreadable.insert(scope, why);
                }
            }
        }
        for (scope, digests) in &requirements.bodies {
            let Some(state) = input.states.get_mut(scope) else { continue };
            store.load_bodies(state, digests)?;
        }
    }
    Err(Problem::BrokenPlan { complaints: vec!["the planner never has enough".to_owned()] })
}

/// The state of another tenant of a cluster of this plan, or why there is none to go by. A state with nothing in it would
/// mean that the tenant has nothing to lose.
fn tenant_state(
    store: &LocalStore,
    directories: &BTreeMap<String, PathBuf>,
    scope: &Scope,
    targets: &BTreeSet<Target>,
) -> Result<State, String> {
    let directory = directories.get(scope.name()).filter(|path| !path.as_os_str().is_empty());
    let Some(directory) = directory else { return Err("its directory is not recorded".to_owned()) };
    let shown = directory.display();
    if !directory.is_dir() {
        return Err(format!("its directory {shown} does not exist"));
    }
    let state = store.load(scope).map_err(|error| error.to_string())?;
    match &state.target {
        _ if state.is_new() => Err(format!("no state is recorded in {shown}")),
        None => Err(format!("the state in {shown} does not say where its objects are")),
        Some(target) if targets.contains(target) => Ok(state),
        Some(target) => Err(format!("the state in {shown} belongs to {}", target.name())),
    }
}

/// Another tenant as its files are now. What is wrong with them is its operator's to find out.
fn tenant_files(
    directories: &BTreeMap<String, PathBuf>,
    scope: &Scope,
    migrating: &Migrating,
) -> Option<(String, laconic_engine::compile::CompiledDeployment)> {
    let input = match migrating.edits.get(scope.name()) {
        Some(edited) => edited.clone(),
        None => crate::inputs::from_directory(directories.get(scope.name())?).ok()?,
    };
    let found = crate::compiling::compile_one(&input)?;
    Some((scope.name().to_owned(), found))
}

/// Other tenants are made again as recorded: their secrets are needed too. Returns whether there are any others.
fn tenants_secrets(input: &mut PlanInput, directories: &BTreeMap<String, PathBuf>, store: &LocalStore) -> Result<bool> {
    let planned: BTreeSet<&str> = input.deployments.iter().map(|deployment| deployment.name.as_str()).collect();
    let others: Vec<&State> = input
        .states
        .values()
        .filter(|state| !state.scope.is_cluster() && !planned.contains(state.scope.name()))
        .collect();
    if others.is_empty() {
        return Ok(false);
    }
    let recorded: BTreeSet<SecretSource> = others
        .iter()
        .flat_map(|state| state.resources.values())
        .filter_map(|recorded| recorded.desired.value.as_deref())
        .flat_map(sources)
        .collect();
    let places = secret_places(directories, store, others.iter().map(|state| state.scope.name()))?;
    let values = secret_values::values(&recorded, &places, Missing::LeaveOut)?;
    let fingerprinters = secret_values::fingerprinters(&places, Missing::LeaveOut)?;
    input.secrets.extend(values);
    input.fingerprinters.extend(fingerprinters);
    Ok(true)
}

/// The places of the secrets of deployments.
///
/// # Errors
/// A deployment whose state has no place.
pub fn secret_places<'a>(
    directories: &BTreeMap<String, PathBuf>,
    store: &LocalStore,
    names: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, SecretPlace>> {
    let mut places = BTreeMap::new();
    for name in names {
        let Some(directory) = directories.get(name) else { continue };
        let store = store.directory(&Scope::deployment(name))?;
        places.insert(name.to_owned(), SecretPlace { directory: directory.clone(), store });
    }
    Ok(places)
}

/// The addresses people wrote, found among what is compiled and recorded.
pub(crate) fn addresses(wanted: &[String], input: &PlanInput) -> Result<BTreeSet<Address>> {
    if wanted.is_empty() {
        return Ok(BTreeSet::new());
    }
    let compiled = input.deployments.iter().flat_map(|deployment| &deployment.resources).map(|one| &one.address);
    let recorded = input.states.values().flat_map(|state| state.resources.keys());
    let known: BTreeMap<String, &Address> =
        compiled.chain(recorded).map(|address| (address.to_string(), address)).collect();
    wanted
        .iter()
        .map(|text| match known.get(text) {
            Some(address) => Ok((*address).clone()),
            None => Err(unknown_address(text, known.keys().map(String::as_str))),
        })
        .collect()
}

/// An address that names nothing, with those that are like it.
pub fn unknown_address<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let mut near: Vec<(u32, &str)> = known
        .map(|candidate| {
            let ratio = similar::TextDiff::from_chars(text, candidate).ratio();
            // A whole number, so that it can be sorted by.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio lies in 0 to 1")]
            let percent = (ratio * 100.0) as u32;
            (percent, candidate)
        })
        .filter(|(percent, _)| *percent >= 70)
        .collect();
    near.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    let like = near.into_iter().take(3).map(|(_, candidate)| format!("`{candidate}`")).collect();
    Problem::UnknownAddress { address: text.to_owned(), like }
}

/// The states of deployments and of their clusters, bodies of cluster resources loaded: every plan asks for them.
///
/// # Errors
/// State that cannot be read.
pub fn load_states(store: &LocalStore, scopes: &[Scope]) -> Result<BTreeMap<Scope, State>> {
    let mut states = BTreeMap::new();
    for state in in_parallel(scopes, |scope| store.load(scope)) {
        let mut state: State = state?;
        if state.scope.is_cluster() {
            let digests = state.resources.values().map(|recorded| recorded.desired.digest).collect();
            store.load_bodies(&mut state, &digests)?;
        }
        states.insert(state.scope.clone(), state);
    }
    Ok(states)
}

/// A state that cannot be read because it was never written is no reason to stop; anything else is.
///
/// # Errors
/// State that cannot be read.
pub fn states_for_display(session: &Session, compiled: &Compiled, inputs: &[Input]) -> Result<BTreeMap<Scope, State>> {
    let store = session.wire.store(&directories(inputs));
    let scopes: BTreeSet<Scope> = compiled
        .deployments
        .iter()
        .filter_map(|deployment| laconic_engine::resource::cluster_scope(&deployment.target))
        .collect();
    let scopes: Vec<Scope> = scopes.into_iter().collect();
    match load_states(&store, &scopes) {
        // Rendering without the register is what a pull-request check does.
        Err(Problem::State(StateError::Storage { .. })) => Ok(BTreeMap::new()),
        other => other,
    }
}

/// Every resource of the deployments and of their clusters, for `graph`, `render` and `why`.
#[must_use]
pub fn all_resources<'a>(
    compiled: &'a Compiled,
    clusters: &'a BTreeMap<String, laconic_engine::compile::ClusterCompilation>,
) -> Vec<&'a Resource> {
    let mut resources: Vec<&Resource> = clusters.values().flat_map(|cluster| &cluster.resources).collect();
    resources.extend(compiled.resources());
    resources.sort_by(|left, right| left.address.cmp(&right.address));
    resources
}
