//! `laconic cluster migrate --to-umbrella`: everything on a cluster below one directory of the host, as one plan of edits,
//! moves and a recreate; then the same, done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::finding::Consent;
use laconic_engine::plan::{Migration, Mode, Plan, RecreateCourse};
use laconic_engine::resource::Target;
use laconic_engine::source::normalize_path;
use laconic_engine::state::State;
use laconic_engine::vault::Vault as _;

use crate::applying::{Order, carry_out_after, counting};
use crate::args::{MigrateArgs, Planning};
use crate::error::{Exit, Problem, Result};
use crate::everyday::Everyday;
use crate::inputs::{Inputs, from_directory, read_identity};
use crate::migrating::{Migrating, Mover, SpecEdit, movers, ways};
use crate::planning::{Planned, Wanted, load_states, make_from};
use crate::session::{Session, consents};
use crate::view::events_json;
use crate::view::migration;
use crate::view::plan_json::plan_json;
use crate::view::plan_text::{plan_text, short_id};

/// Where an umbrella is put when nobody says so.
const DEFAULT_ROOT: &str = "/srv/kind";

/// Runs it.
pub fn run(session: &Session, arguments: &MigrateArgs) -> Result<Exit> {
    let cluster = cluster(session, arguments)?;
    let scope = Scope::cluster(&cluster);
    let store = session.wire.store(&BTreeMap::new());
    let state = load_states(&store, std::slice::from_ref(&scope))?.remove(&scope);
    let Some(state) = state.filter(|state| !state.is_new()) else {
        let known =
            session.wire.recorded_clusters().map_err(|(path, error)| crate::error::file(&path, "read")(error))?;
        return Err(Problem::UnknownCluster { cluster: Some(cluster), known });
    };
    let begun = session.wire.vault().contents(&cluster)?.filter(|contents| !contents.discarded);
    let begun = begun.and_then(|contents| contents.migration);
    if let Some(there) = umbrella(&state, &cluster).filter(|_| begun.is_none()) {
        return has_one(session, &cluster, &there);
    }
    let root = root(arguments, &state, begun.as_ref())?;
    let rescued: BTreeSet<String> = arguments.rescue_volume.iter().cloned().collect();
    let movers = movers(&state.tenants, &root, &rescued)?;
    let edits: Vec<SpecEdit> = movers.values().filter_map(|mover| mover.edit.clone()).collect();
    let planning = Planning {
        rescue_volume: arguments.rescue_volume.clone(),
        rerun_jobs: arguments.rerun_jobs,
        consents: arguments.consents.clone(),
        ..Planning::default()
    };
    let given = consents(&arguments.consents);
    let counted = if session.common.dry_run {
        given.clone()
    } else {
        counting(given.clone(), session, arguments.carrying.is_bound())
    };
    let planner = Planner { session, planning: &planning, consents: counted, movers: &movers, state: &state };
    let planned = planner.plan(&cluster, &root)?;
    let next = next(arguments, &cluster, &root, &planned.plan);
    let moves = moves(&planned.plan).cloned();
    if session.common.dry_run {
        return show(session, arguments, &planned, &(cluster, root), &edits, moves.as_ref(), next);
    }
    if session.output.json {
        let now = laconic_state::timestamp::now();
        let told = migration::json(&cluster, &root, &edits, moves.as_ref());
        session.output.print(&events_json::migration(&now, told))?;
    } else {
        session.output.print(&migration::text(&cluster, &root, &edits, session.output.palette))?;
    }
    let order = Order::of(planned, &arguments.carrying, &arguments.showing)?;
    let exit = carry_out_after(session, order, &given, &|| edits.iter().try_for_each(SpecEdit::write))?;
    session.output.remark(&migration::elsewhere(&edits, session.output.error_palette));
    Ok(exit)
}

/// The cluster that is meant: by name, by a deployment on it, or the only one.
fn cluster(session: &Session, arguments: &MigrateArgs) -> Result<String> {
    if let Some(name) = &arguments.cluster {
        return Ok(name.clone());
    }
    if let Some(directory) = session.common.dirs.first() {
        let input = from_directory(directory)?;
        let identity = read_identity(input.directory.as_deref().unwrap_or(directory))?;
        let id = identity.map(|identity| identity.cluster_id).filter(|id| !id.is_empty());
        return id.ok_or_else(|| Problem::NotADeployment { directory: directory.clone(), lacks: "cluster-id" });
    }
    let mut known =
        session.wire.recorded_clusters().map_err(|(path, error)| crate::error::file(&path, "read")(error))?;
    match (known.len(), known.pop()) {
        (1, Some(only)) => Ok(only),
        (_, last) => {
            known.extend(last);
            Err(Problem::UnknownCluster { cluster: None, known })
        }
    }
}

/// The host path of the umbrella that a cluster has.
fn umbrella(state: &State, cluster: &str) -> Option<String> {
    let address = Address::new(ResourceType::KindMount, Scope::cluster(cluster), "/mnt");
    let recorded = state.resources.get(&address)?;
    Some(recorded.desired.value.as_deref()?["hostPath"].as_str()?.to_owned())
}

fn has_one(session: &Session, cluster: &str, there: &str) -> Result<Exit> {
    if session.output.json {
        session.output.print_json(&migration::json(cluster, there, &[], None))?;
    } else {
        let text = format!("Nothing to migrate: cluster {cluster} has an umbrella mount, {there} -> /mnt.\n");
        session.output.print(&crate::view::style::clean(&text))?;
    }
    Ok(Exit::Done)
}

/// The directory that becomes the umbrella.
fn root(arguments: &MigrateArgs, state: &State, begun: Option<&Migration>) -> Result<String> {
    let wished = || state.tenants.values().find_map(|tenant| tenant.wishes.mount_root.clone());
    let asked = arguments.mount_root.clone();
    let root = begun.map(|migration| migration.root.clone()).or(asked).or_else(wished);
    let root = normalize_path(&root.unwrap_or_else(|| DEFAULT_ROOT.to_owned()));
    if root.starts_with('/') && root.len() > 1 {
        return Ok(root);
    }
    let detail = "an umbrella is an absolute path of the host, and not the whole host".to_owned();
    Err(Problem::File { path: PathBuf::from(root), verb: "used", detail })
}

/// What the plans of a migration are made with.
struct Planner<'a> {
    session: &'a Session,
    planning: &'a Planning,
    consents: BTreeSet<Consent>,
    movers: &'a BTreeMap<String, Mover>,
    state: &'a State,
}

impl Planner<'_> {
    /// The plan: a first one finds where the data is, a second one moves it.
    fn plan(&self, cluster: &str, root: &str) -> Result<Planned> {
        let mut migrating = Migrating {
            edits: self.movers.iter().map(|(name, mover)| (name.clone(), mover.input.clone())).collect(),
            migrations: BTreeMap::new(),
        };
        let first = self.make(&migrating)?;
        let resumes = first.plan.recreates.iter().any(|recreate| recreate.course == RecreateCourse::Resumes);
        if resumes {
            return Ok(first);
        }
        let target = Target::Kind(cluster.to_owned());
        let Some(host) = &first.host else { return Ok(first) };
        let found = ways(&first.plan, self.movers, root, &target, host.rescue())?;
        migrating.migrations.insert(cluster.to_owned(), found);
        // Two of them do not work on one simulated host at once.
        drop(first);
        self.make(&migrating)
    }

    fn make(&self, migrating: &Migrating) -> Result<Planned> {
        let wanted = Wanted {
            mode: Mode::Apply,
            offline: false,
            sizes: true,
            consents: self.consents.clone(),
            planning: self.planning,
            everyday: Everyday::default(),
            command: "cluster migrate",
        };
        make_from(self.session, &wanted, self.planned()?, migrating)
    }

    /// The deployment that is planned from its edited spec; the others come back as recorded, but for their volumes.
    fn planned(&self) -> Result<Inputs> {
        let directories: Vec<PathBuf> =
            self.session.common.dirs.iter().filter_map(|directory| std::fs::canonicalize(directory).ok()).collect();
        let runs = |name: &str| self.state.tenants.get(name).is_some_and(|tenant| !tenant.stopped);
        let mut running = self.movers.iter().filter(|(name, _)| runs(name)).map(|(_, mover)| &mover.input);
        let named = |input: &&crate::inputs::Input| {
            input.directory.as_ref().is_some_and(|directory| directories.contains(directory))
        };
        let chosen = running.clone().find(named).or_else(|| running.next());
        match chosen {
            Some(input) => Ok(vec![input.clone()].into()),
            None => Err(Problem::NothingRunsThere { cluster: self.state.scope.name().to_owned() }),
        }
    }
}

fn moves(plan: &Plan) -> Option<&Migration> {
    plan.recreates.iter().find_map(|recreate| recreate.migration.as_ref())
}

/// Shows it all and touches nothing.
fn show(
    session: &Session,
    arguments: &MigrateArgs,
    planned: &Planned,
    (cluster, root): &(String, String),
    edits: &[SpecEdit],
    moves: Option<&Migration>,
    next: String,
) -> Result<Exit> {
    let plan = &planned.plan;
    if session.output.json {
        let mut answer = plan_json(plan, &planned.texts);
        answer["laconic"]["migration"] = migration::json(cluster, root, edits, moves);
        session.output.print_json(&answer)?;
    } else {
        session.output.print(&migration::text(cluster, root, edits, session.output.palette))?;
        let next = plan.refusals().next().is_none().then_some(next);
        session.output.print(&plan_text(plan, &session.plan_view(&arguments.showing, next)))?;
    }
    Ok(if plan.is_refused() { Exit::Refused } else { Exit::Done })
}

/// The command that does it.
fn next(arguments: &MigrateArgs, cluster: &str, root: &str, plan: &Plan) -> String {
    let rescue: String = arguments.rescue_volume.iter().map(|name| format!(" --rescue-volume {name}")).collect();
    let rerun = if arguments.rerun_jobs { " --rerun-jobs" } else { "" };
    let consents = plan.missing_consents().into_iter().chain(plan.consents_given.iter().cloned());
    let consents: BTreeSet<String> = consents.map(|consent| format!(" {consent}")).collect();
    let consents: String = consents.into_iter().collect();
    format!(
        "To perform these actions:\n    laconic cluster migrate --to-umbrella --cluster {cluster} --mount-root {root}{rescue}{rerun} --expect-plan={}{consents}",
        short_id(&plan.id)
    )
}
