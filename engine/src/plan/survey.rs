//! The survey: for every resource the three facts side by side, before anything is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::{Address, ResourceType, Scope};
use crate::compile::{ClusterCompilation, ClusterInput, compose_cluster};
use crate::plan::decide::Presence;
use crate::plan::{Action, Mode, PlanInput, migration, stop};
use crate::resource::{Live, Observed, Resource, Target, UnknownReason, cluster_scope};
use crate::state::{Recorded, State, Status};

/// The field manager under which we apply.
pub const FIELD_MANAGER: &str = "laconic";

/// The cluster scopes of a plan, compiled from the wishes of all tenants.
pub struct Composition {
    /// By cluster name.
    pub clusters: BTreeMap<String, ClusterCompilation>,
}

/// Compiles the clusters of an input: the union of the registered tenants' wishes and this plan's.
#[must_use]
pub fn compose(input: &PlanInput) -> Composition {
    let names: BTreeSet<&str> =
        input.deployments.iter().filter_map(|deployment| deployment.target.kind_cluster()).collect();
    let nobody = BTreeMap::new();
    let clusters = names
        .into_iter()
        .map(|name| {
            let recorded = input.states.get(&Scope::cluster(name)).filter(|state| !state.is_new());
            let registered = recorded.map_or(&nobody, |state| &state.tenants);
            let moved = migration::register(input, name, registered);
            let registered = moved.as_ref().unwrap_or(registered);
            let planned: BTreeMap<_, _> = input
                .deployments
                .iter()
                .filter(|deployment| deployment.target.kind_cluster() == Some(name))
                .map(|deployment| {
                    let tenant = match input.mode {
                        Mode::Destroy => None,
                        Mode::Stop => stop::holds_cluster_stopped(input, &deployment.target, &deployment.name),
                        Mode::Apply | Mode::Import => Some(deployment.tenant.clone()),
                    };
                    let entry = tenant.map(|tenant| (tenant, deployment.wish_places.clone()));
                    (deployment.name.clone(), entry)
                })
                .collect();
            let planned_names: BTreeSet<&str> = planned.keys().map(String::as_str).collect();
            let target = Target::Kind(name.to_owned());
            let others = registered.iter().filter(|(tenant, _)| !planned.contains_key(*tenant));
            let somebody_stays = planned.values().any(Option::is_some)
                || others.into_iter().any(|(_, tenant)| stop::holds_cluster(input, &target, tenant));
            let emptied = moved.as_ref().and(recorded).map(|recorded| {
                let planned = planned.values().flatten().map(|(tenant, _)| tenant);
                let others = registered.iter().filter(|(name, _)| !planned_names.contains(name.as_str()));
                let wished = migration::wished_mounts(planned.chain(others.map(|(_, tenant)| tenant)));
                migration::without_old_mounts(recorded, &wished)
            });
            let recorded = emptied.as_ref().or(recorded);
            let compilation = if somebody_stays {
                compose_cluster(&ClusterInput { name, registered, planned, recorded })
            } else {
                // Nobody is left: nothing of the cluster is desired any more.
                ClusterCompilation::default()
            };
            (name.to_owned(), compilation)
        })
        .collect();
    Composition { clusters }
}

/// One resource with its facts.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// On which cluster.
    pub target: &'a Target,
    /// What the spec asks for.
    pub desired: Option<&'a Resource>,
    /// What is recorded.
    pub recorded: Option<&'a Recorded>,
    /// The live object, when one was seen.
    pub live: Option<&'a Live>,
    /// What is known of its presence.
    pub presence: Presence,
}

impl Composition {
    /// The clusters on which nobody is left.
    #[must_use]
    pub fn emptied(&self) -> BTreeSet<&str> {
        self.clusters
            .iter()
            .filter(|(_, cluster)| cluster.resources.is_empty())
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

impl<'a> Item<'a> {
    /// A resource of which nothing is known yet.
    const fn unknown(target: &'a Target) -> Self {
        Self { target, desired: None, recorded: None, live: None, presence: Presence::Unknown }
    }
}

/// What may be believed of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belief {
    /// Its answers, absences included.
    Trusted,
    /// Nothing: why.
    Doubted(UnknownReason),
    /// The cluster is not there, and that answer is believed.
    Gone,
}

/// Whether the answers of a target may be believed: absence only from the one whose identity is recorded.
#[must_use]
pub fn belief(input: &PlanInput, target: &Target) -> Belief {
    let Some(observed) = input.world.get(target) else { return Belief::Doubted(UnknownReason::Offline) };
    let state = identity_state(input, target);
    let recorded = state.and_then(|state| state.identity.as_ref());
    let cluster_pending = state.is_some_and(|state| {
        state.resources.iter().any(|(address, recorded)| {
            // A creation of ours whose end was never recorded: whoever answers now is what it made.
            address.resource_type == ResourceType::KindCluster
                && recorded.uid.is_empty()
                && matches!(recorded.status, Status::Pending(Action::Create | Action::Replace))
        })
    });
    match &observed.cluster {
        Observed::Unknown(reason) => Belief::Doubted(reason.clone()),
        Observed::Absent => match (recorded, &observed.identity) {
            (Some(recorded), Some(seen)) if recorded.daemon != seen.daemon => {
                Belief::Doubted(UnknownReason::OtherIdentity("another Docker daemon answered".to_owned()))
            }
            _ => Belief::Gone,
        },
        Observed::Present(_) => match (recorded, &observed.identity, &observed.objects) {
            // An import takes what answers now, whoever answered before.
            (Some(recorded), Some(seen), _) if !cluster_pending && input.mode != Mode::Import && !recorded.is(seen) => {
                let text = match target {
                    Target::Kind(_) => "another cluster answers under that name",
                    Target::Kubernetes(_) => "another cluster answers at its address",
                };
                Belief::Doubted(UnknownReason::OtherIdentity(text.to_owned()))
            }
            (_, _, Err(reason)) => Belief::Doubted(reason.clone()),
            _ => Belief::Trusted,
        },
    }
}

/// The state that records a target's identity: the cluster's, or for a remote cluster the deployment's.
#[must_use]
pub fn identity_state<'a>(input: &'a PlanInput, target: &Target) -> Option<&'a State> {
    let scope = cluster_scope(target).unwrap_or_else(|| Scope::deployment(target.name()));
    input.states.get(&scope)
}

/// Whether the cluster scope is no part of the plan: asked for, or because a deployment leaves a cluster that is gone
/// while others are still registered on it. Bringing it back for them is not what a destroy is for. A stop deletes a
/// cluster or leaves it as it is.
#[must_use]
pub fn leaves_cluster_alone(input: &PlanInput, composition: &Composition) -> bool {
    let others_stay = composition.clusters.values().any(|cluster| !cluster.resources.is_empty());
    let is_gone = || input.deployments.iter().any(|deployment| belief(input, &deployment.target) == Belief::Gone);
    input.skip_cluster
        || match input.mode {
            Mode::Stop => others_stay,
            Mode::Destroy => others_stay && is_gone(),
            Mode::Apply | Mode::Import => false,
        }
}

/// Every resource of the plan with its facts, by address.
#[must_use]
pub fn survey<'a>(
    input: &'a PlanInput,
    composition: &'a Composition,
    extra: &'a [(Target, Resource)],
    targets: &'a BTreeMap<Scope, Target>,
) -> BTreeMap<&'a Address, Item<'a>> {
    survey_where(input, composition, extra, targets, |_| true)
}

/// The kind clusters of the plan with their facts, by address.
#[must_use]
pub fn survey_clusters<'a>(
    input: &'a PlanInput,
    composition: &'a Composition,
    targets: &'a BTreeMap<Scope, Target>,
) -> BTreeMap<&'a Address, Item<'a>> {
    survey_where(input, composition, &[], targets, |address| address.resource_type == ResourceType::KindCluster)
}

fn survey_where<'a>(
    input: &'a PlanInput,
    composition: &'a Composition,
    extra: &'a [(Target, Resource)],
    targets: &'a BTreeMap<Scope, Target>,
    is_wanted: impl Fn(&Address) -> bool,
) -> BTreeMap<&'a Address, Item<'a>> {
    let beliefs: BTreeMap<&Target, Belief> = targets.values().map(|target| (target, belief(input, target))).collect();
    let mut items: BTreeMap<&'a Address, Item<'a>> = BTreeMap::new();
    let mut want = |target: &'a Target, resource: &'a Resource| {
        if is_wanted(&resource.address) {
            let item = Item { desired: Some(resource), ..Item::unknown(target) };
            items.insert(&resource.address, item);
        }
    };
    if matches!(input.mode, Mode::Apply | Mode::Import) {
        for deployment in &input.deployments {
            deployment.resources.iter().for_each(|resource| want(&deployment.target, resource));
        }
    }
    let alone = leaves_cluster_alone(input, composition);
    if !alone {
        for (name, compilation) in &composition.clusters {
            let Some(target) = targets.get(&Scope::cluster(name)) else { continue };
            compilation.resources.iter().for_each(|resource| want(target, resource));
        }
    }
    // Later entries win: what a rollout or a revived tenant changes replaces what was compiled.
    extra.iter().for_each(|(target, resource)| want(target, resource));
    let mut planned_scopes: BTreeSet<Scope> =
        input.deployments.iter().map(|deployment| Scope::deployment(&deployment.name)).collect();
    planned_scopes.extend(extra.iter().map(|(_, resource)| resource.address.scope.clone()));
    if !alone {
        planned_scopes.extend(stop::riding(input, &composition.emptied()).into_keys());
    }
    for (scope, state) in &input.states {
        let planned = planned_scopes.contains(scope);
        let cluster = scope.is_cluster() && !alone;
        let Some(target) = targets.get(scope).filter(|_| planned || cluster) else { continue };
        for (address, recorded) in state.resources.iter().filter(|(address, _)| is_wanted(address)) {
            items.entry(address).or_insert_with(|| Item::unknown(target)).recorded = Some(recorded);
        }
    }
    for (address, item) in &mut items {
        let trusted = beliefs.get(item.target);
        let (presence, live) = observe(input, address, item, trusted);
        item.presence = presence;
        item.live = live;
    }
    items
}

fn observe<'a>(
    input: &'a PlanInput,
    address: &Address,
    item: &Item<'a>,
    belief: Option<&Belief>,
) -> (Presence, Option<&'a Live>) {
    let observed = input.world.get(item.target);
    if address.resource_type == ResourceType::KindCluster {
        return match (observed.map(|observed| &observed.cluster), belief) {
            (Some(Observed::Present(live)), Some(Belief::Doubted(UnknownReason::OtherIdentity(_)))) => {
                (Presence::RemadeByOthers, Some(live))
            }
            // Docker tells of the cluster, whether its API server answers or not.
            (Some(Observed::Present(live)), Some(Belief::Trusted | Belief::Doubted(_))) => {
                (presence_of(item.recorded, live, &live.uid, true), Some(live))
            }
            (Some(Observed::Absent), Some(Belief::Gone)) => (Presence::Absent, None),
            _ => (Presence::Unknown, None),
        };
    }
    match (observed, belief) {
        (_, Some(Belief::Gone)) => (Presence::Absent, None),
        (Some(observed), Some(Belief::Trusted)) => {
            let Ok(objects) = &observed.objects else { return (Presence::Unknown, None) };
            let key = match (item.recorded, item.desired) {
                (Some(recorded), _) => recorded.key.clone(),
                (None, Some(desired)) => desired.key(),
                (None, None) => return (Presence::Unknown, None),
            };
            if observed.unlisted.contains_key(&key.resource_type) {
                return (Presence::Unknown, None);
            }
            match objects.get(&key) {
                Some(live) => (presence_of(item.recorded, live, &live.uid, false), Some(live)),
                None => (Presence::Absent, None),
            }
        }
        _ => (Presence::Unknown, None),
    }
}

fn presence_of(recorded: Option<&Recorded>, live: &Live, uid: &str, is_cluster: bool) -> Presence {
    let Some(recorded) = recorded else { return Presence::Present };
    if recorded.uid == uid {
        return Presence::Present;
    }
    // Mounts and ports have no owner of their own; the cluster's is theirs.
    let ours = (is_cluster && recorded.uid.is_empty())
        || (!is_cluster && !recorded.key.resource_type.is_kubernetes())
        || live.owners.iter().any(|owner| owner.manager == FIELD_MANAGER);
    if ours { Presence::RemadeByUs } else { Presence::RemadeByOthers }
}

/// A recorded resource as if it were desired: how tenants come back on a cluster that is made anew.
#[must_use]
pub fn revive(address: &Address, recorded: &Recorded) -> Option<Resource> {
    let attributes = recorded.desired.value.as_ref().map(Arc::as_ref)?.clone();
    (!attributes.is_null()).then(|| Resource {
        address: address.clone(),
        needs: recorded.needs.clone(),
        attributes: attributes.into(),
        place: None,
        places: Vec::new(),
    })
}

/// The targets of every scope in the input: the planned deployments' own, their clusters', other tenants' clusters'.
#[must_use]
pub fn targets(input: &PlanInput) -> BTreeMap<Scope, Target> {
    let mut targets = BTreeMap::new();
    for deployment in &input.deployments {
        targets.insert(Scope::deployment(&deployment.name), deployment.target.clone());
        if let Some(scope) = cluster_scope(&deployment.target) {
            targets.insert(scope, deployment.target.clone());
        }
    }
    for (scope, state) in &input.states {
        if let Some(target) = &state.target {
            targets.entry(scope.clone()).or_insert_with(|| target.clone());
        }
    }
    targets
}
