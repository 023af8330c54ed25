//! The planner: survey, decide, cascade, judge. Pure; the same input gives the same plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ResourceType, Scope};
use crate::finding::Finding;
use crate::plan::adoption::{kept_namespaces, unwanted};
use crate::plan::cascade::cascade;
use crate::plan::change::{Action, Change, Reason};
use crate::plan::change_writer::write_change;
use crate::plan::cluster_fate::cluster_fates;
use crate::plan::decide::{ClusterFate, Facts, Verdict, decide};
use crate::plan::difference::{Comparison, compare};
use crate::plan::document::{Consulted, PLAN_FORMAT_VERSION, Plan, StateReference};
use crate::plan::survey::{Belief, Composition, Item, belief, compose, revive, survey, targets};
use crate::plan::{Mode, PlanInput, Requirements, image, migration, stop, target};
use crate::resource::{Observed, Resource, Target};
use crate::state::{State, Status};
use crate::suppression::Suppressions;
use crate::value::Digest;

/// What was found out about one resource.
pub struct Judged<'a> {
    /// Its facts.
    pub item: Item<'a>,
    /// What is to be done.
    pub verdict: Verdict,
    /// How it differs.
    pub comparison: Comparison,
    /// Whether it is a Job that has completed, as recorded or as seen.
    pub completed: bool,
}

/// Everything a plan is written from: kept apart from the plan so that findings, forecast and blast radius can look.
pub struct Judgement<'a> {
    /// The input.
    pub input: &'a PlanInput,
    /// The clusters as compiled.
    pub composition: &'a Composition,
    /// Every resource.
    pub resources: BTreeMap<&'a Address, Judged<'a>>,
    /// What becomes of each kind cluster that does not stay as it is.
    pub fates: BTreeMap<Target, ClusterFate>,
    /// How many resources would change and are left as they are, in a plan of a part.
    pub left_out: usize,
    /// What may be believed of each target.
    pub beliefs: BTreeMap<Target, Belief>,
}

/// What must be fetched before [`plan`] can be called: put it into the input and ask again, until it is empty.
#[must_use]
pub fn requirements(input: &PlanInput) -> Requirements {
    let composition = compose(input);
    let mut requirements = Requirements::default();
    with_judgement(input, &composition, &mut requirements, |_, _| ());
    requirements
}

/// The plan of an input whose [`requirements`] are fulfilled.
#[must_use]
pub fn plan(input: &PlanInput) -> Plan {
    let composition = compose(input);
    let mut requirements = Requirements::default();
    with_judgement(input, &composition, &mut requirements, |judgement, _| write_plan(&judgement))
}

/// The plan, or else what must be fetched before there can be one: [`requirements`] and [`plan`] in one go.
///
/// # Errors
/// What the input lacks.
pub fn plan_or_requirements(input: &PlanInput) -> Result<Plan, Requirements> {
    let mut requirements = Requirements::default();
    require_cluster_bodies(input, &mut requirements);
    // Judging everything without them would be in vain.
    if !requirements.is_empty() {
        return Err(requirements);
    }
    let composition = compose(input);
    let (plan, more) = with_judgement(input, &composition, &mut requirements, |judgement, requirements| {
        let more = if requirements.is_empty() {
            crate::plan::advice::requirements(&judgement)
        } else {
            Requirements::default()
        };
        ((requirements.is_empty() && more.is_empty()).then(|| write_plan(&judgement)), more)
    });
    plan.ok_or(if more.is_empty() { requirements } else { more })
}

/// Judges everything, and has somebody look at that.
pub fn with_judgement<T>(
    input: &PlanInput,
    composition: &Composition,
    requirements: &mut Requirements,
    then: impl FnOnce(Judgement<'_>, &Requirements) -> T,
) -> T {
    let targets = targets(input);
    require_cluster_bodies(input, requirements);
    let mut fates = cluster_fates(input, composition, &targets, requirements);
    target::leave_clusters(input, composition, &mut fates);
    let extra = extra_resources(input, &fates, requirements);
    let items = survey(input, composition, &extra, &targets);
    let ignored = ignore_rules(input);
    let beliefs: BTreeMap<Target, Belief> =
        targets.values().map(|target| (target.clone(), belief(input, target))).collect();
    let mut resources = BTreeMap::new();
    for (address, item) in items {
        let fate = fates.get(item.target).cloned().filter(|_| address.resource_type != ResourceType::KindCluster);
        let judged = judge(input, address, item, fate.unwrap_or(ClusterFate::Stays), &ignored, requirements);
        resources.insert(address, judged);
    }
    let mut judgement = Judgement { input, composition, resources, fates, left_out: 0, beliefs };
    if input.mode != Mode::Import {
        cascade(&mut judgement);
    }
    target::narrow(&mut judgement);
    require_bodies_of_changes(&judgement, requirements);
    then(judgement, requirements)
}

/// What is recorded of a cluster decides what its tenants' wishes come to: it is always read. It is a handful of objects.
fn require_cluster_bodies(input: &PlanInput, requirements: &mut Requirements) {
    for scope in input.scopes().into_iter().filter(Scope::is_cluster) {
        let Some(state) = input.states.get(&scope) else { continue };
        let missing: BTreeSet<Digest> = state
            .resources
            .values()
            .filter(|recorded| recorded.desired.value.is_none())
            .map(|recorded| recorded.desired.digest)
            .collect();
        if !missing.is_empty() {
            requirements.bodies.entry(scope).or_default().extend(missing);
        }
    }
}

/// The ignore rules of the planned deployments.
#[must_use]
pub fn ignore_rules(input: &PlanInput) -> BTreeMap<Scope, Vec<String>> {
    input
        .deployments
        .iter()
        .filter(|deployment| !deployment.ignored.is_empty())
        .map(|deployment| (Scope::deployment(&deployment.name), deployment.ignored.clone()))
        .collect()
}

/// Resources that no deployment of this plan compiled: workloads that must roll, and tenants that come back with their
/// cluster exactly as recorded.
fn extra_resources(
    input: &PlanInput,
    fates: &BTreeMap<Target, ClusterFate>,
    requirements: &mut Requirements,
) -> Vec<(Target, Resource)> {
    let mut extra = stop::kept(input, fates, requirements);
    if input.mode == Mode::Apply {
        for deployment in &input.deployments {
            let scope = Scope::deployment(&deployment.name);
            let mut rollout = crate::plan::rollout::rollout(input, &deployment.resources, &scope);
            let images = image::wanted(input, deployment, fates.get(&deployment.target), &mut rollout);
            extra.extend(images.into_iter().map(|image| (deployment.target.clone(), image)));
            extra.extend(rollout.workloads.into_iter().map(|workload| (deployment.target.clone(), workload)));
            if let Some(state) = input.states.get(&scope) {
                let (kept, missing) = kept_namespaces(state, &deployment.resources, &scope);
                extra.extend(kept.into_iter().map(|namespace| (deployment.target.clone(), namespace)));
                if !missing.is_empty() {
                    requirements.bodies.entry(scope.clone()).or_default().extend(missing);
                }
            }
            if !rollout.missing.is_empty() {
                requirements.bodies.entry(scope).or_default().extend(rollout.missing);
            }
        }
    }
    if input.mode == Mode::Import {
        extra.extend(unwanted(input));
        extra.extend(image::adopted(input));
    }
    let planned_names: BTreeSet<&str> = input.deployments.iter().map(|deployment| deployment.name.as_str()).collect();
    for (target, register) in registers(input) {
        let fate = fates.get(target);
        if matches!(fate, Some(ClusterFate::Deleted(_))) || input.mode == Mode::Stop {
            continue;
        }
        for (name, tenant) in &register.tenants {
            let scope = Scope::deployment(name);
            let planned = planned_names.contains(name.as_str());
            // Tenants come back with their cluster, and after a recreate that did not end.
            if planned || (fate.is_none() && !tenant.restoring) {
                continue;
            }
            match input.states.get(&scope) {
                Some(state) => {
                    let moved = migration::moved_resources(input, target.name(), state);
                    let unmoved = |address: &Address| !moved.contains_key(address);
                    revive_tenant(state, &scope, target, unmoved, &mut extra, requirements);
                    extra.extend(moved.into_values().map(|resource| (target.clone(), resource.clone())));
                }
                None if input.unreadable.contains_key(&scope) => {}
                None => {
                    requirements.tenants.insert(scope, tenant.directory.clone());
                }
            }
        }
    }
    image::leave_out_missing(input, fates, &mut extra);
    extra
}

/// The kind clusters of the planned deployments, with what is recorded of them.
pub fn registers(input: &PlanInput) -> BTreeMap<&Target, &State> {
    input
        .deployments
        .iter()
        .filter_map(|deployment| {
            let cluster = deployment.target.kind_cluster()?;
            Some((&deployment.target, input.states.get(&Scope::cluster(cluster))?))
        })
        .collect()
}

fn revive_tenant(
    state: &State,
    scope: &Scope,
    target: &Target,
    is_wanted: impl Fn(&Address) -> bool,
    extra: &mut Vec<(Target, Resource)>,
    requirements: &mut Requirements,
) {
    for (address, recorded) in state.resources.iter().filter(|(address, _)| is_wanted(address)) {
        // What was on its way out when the cluster went is not brought back.
        if recorded.status == Status::Pending(Action::Delete) {
            continue;
        }
        match revive(address, recorded) {
            Some(resource) => extra.push((target.clone(), resource)),
            None if recorded.desired.value.is_none() => {
                requirements.bodies.entry(scope.clone()).or_default().insert(recorded.desired.digest);
            }
            None => {}
        }
    }
}

/// Judges one resource, while its cluster has that fate.
pub fn judge<'a>(
    input: &'a PlanInput,
    address: &'a Address,
    item: Item<'a>,
    fate: ClusterFate,
    ignored: &BTreeMap<Scope, Vec<String>>,
    requirements: &mut Requirements,
) -> Judged<'a> {
    let is_image = address.resource_type == ResourceType::KindImage;
    let comparison = match (item.desired, item.recorded) {
        // A stop changes nothing that stays.
        // What is not here any more cannot be compared with what is on the nodes.
        (Some(_), Some(_)) if is_image && !image::is_here(input, item.target, address) => Comparison::default(),
        (Some(_), Some(_)) if input.mode != Mode::Stop => {
            let rules = ignored.get(&address.scope).map_or(&[][..], Vec::as_slice);
            compare(address, &item, rules, input.fingerprinters.get(address.scope.name()))
        }
        _ => Comparison::default(),
    };
    if !comparison.missing.is_empty() {
        requirements.bodies.entry(address.scope.clone()).or_default().extend(&comparison.missing);
    }
    let live_completed = item.live.is_some_and(|live| is_completed_job(&live.attributes));
    let recorded_completed = item.recorded.is_some_and(|recorded| recorded.completed);
    let rerun = input.rerun_jobs && !matches!(fate, ClusterFate::Stays);
    let verdict = decide(Facts {
        desired: item.desired.is_some(),
        recorded: item.recorded.map(|recorded| &recorded.status),
        presence: item.presence,
        cluster: fate,
        fields: comparison.verdict.clone(),
        completed_job: address.resource_type == ResourceType::Job && (live_completed || recorded_completed) && !rerun,
        comes_with_cluster: address.resource_type.is_fixed_at_cluster_creation(),
        import: input.mode == Mode::Import,
        replace_requested: input.replace.contains(address),
        destroying: input.mode == Mode::Destroy,
        stopping: input.mode == Mode::Stop,
        stays: crate::plan::adoption::stays(address, item.recorded, item.live),
        is_image,
    });
    Judged { item, verdict, comparison, completed: live_completed || recorded_completed }
}

/// Whether a live Job has completed.
#[must_use]
pub fn is_completed_job(job: &serde_json::Value) -> bool {
    let conditions = job["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition["type"] == "Complete" && condition["status"] == "True")
    })
}

/// What is shown of a change must be loaded: the recorded form of everything that goes away.
fn require_bodies_of_changes(judgement: &Judgement<'_>, requirements: &mut Requirements) {
    for (address, judged) in &judgement.resources {
        let Some(recorded) = judged.item.recorded else { continue };
        // And what is no longer wanted, for the change id.
        let shown = judged.item.desired.is_none()
            || matches!(judged.verdict.action, Action::Delete | Action::Replace | Action::Update);
        if shown && recorded.desired.value.is_none() {
            requirements.bodies.entry(address.scope.clone()).or_default().insert(recorded.desired.digest);
        }
    }
}

fn write_plan(judgement: &Judgement<'_>) -> Plan {
    let input = judgement.input;
    let mut changes: Vec<Change> = Vec::new();
    let mut unchanged = 0;
    let mut completed_jobs = Vec::new();
    let ignored = ignore_rules(input);
    for (address, judged) in &judgement.resources {
        if judged.verdict.action.is_change() {
            changes.push(write_change(judgement, address, judged, &ignored));
        } else if judged.item.desired.is_some() || judged.item.recorded.is_some() {
            unchanged += 1;
        }
        let newly = judged.item.recorded.is_some_and(|recorded| !recorded.completed)
            && judged.item.live.is_some_and(|live| is_completed_job(&live.attributes));
        if newly && address.resource_type == ResourceType::Job {
            completed_jobs.push((*address).clone());
        }
    }
    let drift = crate::plan::drift::drift(judgement);
    let register = crate::plan::register::register_changes(judgement);
    let forecast = crate::plan::forecast::forecast(judgement);
    let recreates = crate::plan::transaction::recreates(judgement, &forecast);
    let blast_radius = crate::plan::blast_radius::blast_radius(judgement);
    let mut findings: Vec<Finding> = input.findings.clone();
    if input.mode == Mode::Stop {
        // What a spec had better say is looked at by the next start.
        findings.clear();
    }
    for (name, compilation) in judgement.composition.clusters.iter().filter(|_| input.mode != Mode::Stop) {
        // That nothing has to be done about a leftover is no news while the cluster is made anew.
        let stays = !judgement.fates.contains_key(&Target::Kind(name.clone()));
        let told = |finding: &&Finding| stays || finding.code != crate::code::Code::ClusterDiffers;
        findings.extend(compilation.findings.iter().filter(told).cloned());
    }
    findings.extend(crate::plan::danger::dangers(judgement, &forecast, &blast_radius, &recreates));
    findings.extend(crate::plan::danger_dry_run::dry_runs(judgement, &changes));
    crate::plan::danger_identity::judge(input, &mut findings);
    target::left_out(judgement, &mut findings);
    stop::lift_what_flags_name(judgement, &mut findings);
    crate::plan::danger_bytes::count_nodes(judgement, &mut findings);
    let suppressions = Suppressions::new(&input.deployments, &input.suppressed);
    findings.retain(|finding| suppressions.reason(finding).is_none());
    findings.sort_by(|left, right| {
        (std::cmp::Reverse(left.severity), left.code, &left.subject, &left.place, &left.message).cmp(&(
            std::cmp::Reverse(right.severity),
            right.code,
            &right.subject,
            &right.place,
            &right.message,
        ))
    });
    findings.dedup();
    let identities = input
        .world
        .iter()
        .filter_map(|(target, observed)| Some((target.clone(), observed.identity.clone()?)))
        .filter(|(target, _)| judgement.beliefs.get(target) == Some(&Belief::Trusted))
        .collect();
    let change_set = crate::plan::change_set::change_set(judgement, &changes);
    let mut plan = Plan {
        format_version: PLAN_FORMAT_VERSION.to_owned(),
        id: String::new(),
        change_id: String::new(),
        mode: input.mode,
        deployments: input.deployments.iter().map(|deployment| deployment.name.clone()).collect(),
        states: state_references(judgement),
        consulted: consulted(judgement),
        identities,
        inputs_digest: input.inputs_digest.clone(),
        changes,
        unchanged,
        drift,
        forecast,
        blast_radius,
        certificate_restores: crate::plan::certificate_restore::certificate_restores(judgement),
        recreates,
        findings,
        consents_given: input.consents.clone(),
        register,
        completed_jobs,
        ignored: input
            .deployments
            .iter()
            .filter(|one| !one.ignored.is_empty())
            .map(|one| (one.name.clone(), one.ignored.clone()))
            .collect(),
        suppressed: input
            .deployments
            .iter()
            .filter(|one| !one.suppressed.is_empty())
            .map(|one| (one.name.clone(), one.suppressed.clone()))
            .collect(),
        simulated: input.simulated,
        base: input.base.clone(),
        stopped: stop::stopped_before(input),
        change_set,
    };
    if !input.suppressed.is_empty() {
        plan.suppressed.insert("laconic.yml".to_owned(), input.suppressed.clone());
    }
    plan.id = crate::plan::identify::plan_id(&plan);
    plan.change_id = crate::plan::change_set::change_id(plan.mode, &plan.change_set);
    plan
}

fn state_references(judgement: &Judgement<'_>) -> Vec<StateReference> {
    let used: BTreeSet<&Scope> = judgement.resources.keys().map(|address| &address.scope).collect();
    let asked = judgement.input.scopes();
    judgement
        .input
        .states
        .values()
        .filter(|state| used.contains(&state.scope) || asked.contains(&state.scope))
        .map(|state| StateReference {
            scope: state.scope.clone(),
            lineage: state.lineage.clone(),
            serial: state.serial,
            journaled: state.journaled,
        })
        .collect()
}

fn consulted(judgement: &Judgement<'_>) -> BTreeMap<Target, Consulted> {
    judgement
        .input
        .deployments
        .iter()
        .map(|deployment| {
            let target = &deployment.target;
            let consulted = match judgement.beliefs.get(target) {
                _ if judgement.input.offline => Consulted::Offline,
                Some(Belief::Doubted(reason)) => Consulted::Unknown(crate::plan::danger::unknown_text(reason)),
                _ => Consulted::Live,
            };
            (target.clone(), consulted)
        })
        .collect()
}

/// Whether a reason names a resource as its cause.
#[must_use]
pub fn cause(reason: &Reason) -> Option<&Address> {
    match reason {
        Reason::Cascade { cause }
        | Reason::ClusterReplaced { cause }
        | Reason::ClusterLost { cause }
        | Reason::ClusterDeleted { cause } => Some(cause),
        _ => None,
    }
}

/// The live cluster of a target, when it was seen.
#[must_use]
pub fn live_cluster<'a>(input: &'a PlanInput, target: &Target) -> Option<&'a crate::resource::Live> {
    match &input.world.get(target)?.cluster {
        Observed::Present(live) => Some(live),
        Observed::Absent | Observed::Unknown(_) => None,
    }
}
