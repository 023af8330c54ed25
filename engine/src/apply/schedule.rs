//! The schedule: which step may start when. Pure; `drive` asks it and tells it, and nobody else decides order.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::address::{Address, ObjectKey, ResourceType};
use crate::plan::change::{Action, Change, Reason};
use crate::plan::document::Plan;
use crate::plan::recreate::{Recreate, RecreatePhase};
use crate::resource::Target;

/// What one step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// Delete the object.
    Delete,
    /// Create it.
    Create,
    /// Change it in place.
    Update,
    /// Only record that it is ours now.
    Import,
    /// Only record that it is gone.
    Forget,
    /// A phase of a recreate.
    Phase(RecreatePhase),
}

/// One step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledStep {
    /// Index into the plan's changes, for a phase into its recreates.
    pub change: usize,
    /// What is done.
    pub kind: StepKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    Running,
    Done,
    Failed,
    Skipped(usize),
}

/// The steps of a plan with their order, and how far they are.
#[derive(Clone, Debug)]
pub struct Schedule {
    graph: DiGraph<ScheduledStep, ()>,
    progress: Vec<Progress>,
    open: Vec<usize>,
    ready: BTreeSet<usize>,
}

impl Schedule {
    /// The schedule of a plan.
    ///
    /// # Errors
    /// The addresses of steps that wait for each other.
    pub fn of(plan: &Plan) -> Result<Self, String> {
        let mut graph = DiGraph::new();
        let mut first: BTreeMap<&Address, NodeIndex> = BTreeMap::new();
        let mut last: BTreeMap<&Address, NodeIndex> = BTreeMap::new();
        for (index, change) in plan.changes.iter().enumerate() {
            let mut previous = None;
            for kind in steps_of(change) {
                let node = graph.add_node(ScheduledStep { change: index, kind });
                if let Some(previous) = previous {
                    graph.add_edge(previous, node, ());
                }
                first.entry(&change.address).or_insert(node);
                last.insert(&change.address, node);
                previous = Some(node);
            }
        }
        link(&mut graph, plan, &first, &last);
        link_recreates(&mut graph, plan, &first, &last);
        if let Some(cycle) = tarjan_scc(&graph).into_iter().find(|component| component.len() > 1) {
            let names: Vec<String> = cycle
                .into_iter()
                .filter_map(|node| address_of(plan, graph[node]))
                .map(|address| address.to_string())
                .collect();
            return Err(names.join(" -> "));
        }
        let open: Vec<usize> =
            graph.node_indices().map(|node| graph.edges_directed(node, petgraph::Incoming).count()).collect();
        let ready = open.iter().enumerate().filter(|(_, open)| **open == 0).map(|(index, _)| index).collect();
        Ok(Self { progress: vec![Progress::Waiting; open.len()], graph, open, ready })
    }

    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.progress.len()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.progress.is_empty()
    }

    /// The step of a number given by [`Schedule::start_next`].
    #[must_use]
    pub fn step(&self, number: usize) -> ScheduledStep {
        self.graph[NodeIndex::new(number)]
    }

    /// Marks the next step that may start as running, and returns its number.
    pub fn start_next(&mut self) -> Option<usize> {
        let number = self.ready.pop_first()?;
        self.progress[number] = Progress::Running;
        Some(number)
    }

    /// A running step ended. Steps that waited for it become ready, or are skipped when it failed.
    pub fn finish(&mut self, number: usize, well: bool) {
        self.progress[number] = if well { Progress::Done } else { Progress::Failed };
        if well {
            for next in self.followers(number) {
                self.open[next] -= 1;
                if self.open[next] == 0 && self.progress[next] == Progress::Waiting {
                    self.ready.insert(next);
                }
            }
        } else {
            self.skip_after(number);
        }
    }

    fn skip_after(&mut self, failed: usize) {
        let mut queue = vec![failed];
        while let Some(number) = queue.pop() {
            for next in self.followers(number) {
                if self.progress[next] == Progress::Waiting {
                    self.progress[next] = Progress::Skipped(failed);
                    self.ready.remove(&next);
                    queue.push(next);
                }
            }
        }
    }

    fn followers(&self, number: usize) -> Vec<usize> {
        self.graph.edges(NodeIndex::new(number)).map(|edge| edge.target().index()).collect()
    }

    /// Skipped steps, each with the failed step it waited for.
    pub fn skipped(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.progress.iter().enumerate().filter_map(|(number, progress)| match progress {
            Progress::Skipped(because) => Some((number, *because)),
            _ => None,
        })
    }

    /// Steps that were never begun and are not skipped.
    pub fn not_started(&self) -> impl Iterator<Item = usize> + '_ {
        self.progress
            .iter()
            .enumerate()
            .filter(|(_, progress)| matches!(progress, Progress::Waiting))
            .map(|(number, _)| number)
    }

    /// The pairs of steps of which the first must end before the second begins.
    pub fn order(&self) -> impl Iterator<Item = (ScheduledStep, ScheduledStep)> + '_ {
        self.graph.edge_references().map(|edge| (self.graph[edge.source()], self.graph[edge.target()]))
    }
}

/// The address that a step is told of under.
#[must_use]
pub fn address_of(plan: &Plan, step: ScheduledStep) -> Option<Address> {
    match step.kind {
        StepKind::Phase(_) => plan.recreates.get(step.change).map(Recreate::address),
        _ => plan.changes.get(step.change).map(|change| change.address.clone()),
    }
}

/// The steps of one change, in order.
fn steps_of(change: &Change) -> Vec<StepKind> {
    match (change.action, &change.reason) {
        (Action::NoOp, _) => Vec::new(),
        (Action::Create, _) => vec![StepKind::Create],
        // Mounts and ports come with their cluster: all there is to do is to see that they are there.
        (Action::Update, _) if change.address.resource_type.is_fixed_at_cluster_creation() => vec![StepKind::Create],
        (Action::Update, _) => vec![StepKind::Update],
        (Action::Replace, Reason::ClusterReplaced { .. }) => vec![StepKind::Create],
        (Action::Replace, _) => vec![StepKind::Delete, StepKind::Create],
        (Action::Delete, Reason::ClusterDeleted { .. } | Reason::ClusterReplaced { .. }) | (Action::Forget, _) => {
            vec![StepKind::Forget]
        }
        (Action::Delete, _) => vec![StepKind::Delete],
        (Action::Import, _) => vec![StepKind::Import],
    }
}

fn link(
    graph: &mut DiGraph<ScheduledStep, ()>,
    plan: &Plan,
    first: &BTreeMap<&Address, NodeIndex>,
    last: &BTreeMap<&Address, NodeIndex>,
) {
    let by_address: BTreeMap<&Address, &Change> = plan.changes.iter().map(|change| (&change.address, change)).collect();
    let mut edges: BTreeSet<(NodeIndex, NodeIndex)> = BTreeSet::new();
    let mut deleted_keys: BTreeMap<(&Target, &ObjectKey), NodeIndex> = BTreeMap::new();
    for (address, node) in first {
        if graph[*node].kind == StepKind::Delete
            && let Some(change) = by_address.get(address)
        {
            deleted_keys.insert((&change.target, change.replaced_key.as_ref().unwrap_or(&change.key)), *node);
        }
    }
    for change in &plan.changes {
        let (Some(own_first), Some(own_last)) = (first.get(&change.address), last.get(&change.address)) else {
            continue;
        };
        let makes = matches!(graph[*own_last].kind, StepKind::Create | StepKind::Update | StepKind::Import);
        for need in &change.needs {
            let Some(needed) = last.get(need) else { continue };
            if makes && matches!(graph[*needed].kind, StepKind::Create | StepKind::Update | StepKind::Import) {
                edges.insert((*needed, *own_last));
            }
        }
        for need in &change.needed {
            let (Some(needed), Some(other)) = (first.get(need), by_address.get(need)) else { continue };
            // What is recorded as needed goes only after what needed it is gone, or no longer needs it.
            let lets_go = match graph[*own_first].kind {
                StepKind::Delete => true,
                StepKind::Update => !change.needs.contains(need),
                StepKind::Forget => other.address.resource_type != ResourceType::KindCluster,
                StepKind::Create | StepKind::Import | StepKind::Phase(_) => false,
            };
            if lets_go && graph[*needed].kind == StepKind::Delete {
                edges.insert((*own_first, *needed));
            }
        }
        // What dies with its cluster is recorded as gone only when the cluster is.
        if let (Action::Delete, Reason::ClusterDeleted { cause } | Reason::ClusterReplaced { cause }) =
            (change.action, &change.reason)
            && let Some(cluster) = first.get(cause)
        {
            edges.insert((*cluster, *own_first));
        }
        // Two addresses may stand for one object, one on its way out and one on its way in.
        if graph[*own_last].kind == StepKind::Create
            && let Some(deleted) = deleted_keys.get(&(&change.target, &change.key))
            && *deleted != *own_first
        {
            edges.insert((*deleted, *own_last));
        }
    }
    for (before, after) in edges {
        if before != after {
            graph.add_edge(before, after, ());
        }
    }
}

/// The phases of recreates among the steps of the changes: the vault is full before the cluster goes, and what is in it is
/// back before anything that could use it starts.
fn link_recreates(
    graph: &mut DiGraph<ScheduledStep, ()>,
    plan: &Plan,
    first: &BTreeMap<&Address, NodeIndex>,
    last: &BTreeMap<&Address, NodeIndex>,
) {
    for (index, recreate) in plan.recreates.iter().enumerate() {
        let mut phases: BTreeMap<RecreatePhase, NodeIndex> = BTreeMap::new();
        for phase in recreate.phases.iter().copied().filter(|phase| phase.is_step()) {
            phases.insert(phase, graph.add_node(ScheduledStep { change: index, kind: StepKind::Phase(phase) }));
        }
        let in_order: Vec<NodeIndex> = phases.values().copied().collect();
        let mut edges: BTreeSet<(NodeIndex, NodeIndex)> = in_order.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let cluster = recreate.address();
        let taking = [RecreatePhase::Rescue, RecreatePhase::Quiesce, RecreatePhase::Vault];
        let full = taking.iter().find_map(|phase| phases.get(phase));
        if let (Some(full), Some(delete)) = (full, first.get(&cluster)) {
            edges.insert((*full, *delete));
        }
        if let Some(moved) = phases.get(&RecreatePhase::Move) {
            let (delete, create) = (first.get(&cluster), last.get(&cluster));
            edges.extend(delete.filter(|delete| create != Some(*delete)).map(|delete| (*delete, *moved)));
            edges.extend(create.map(|create| (*moved, *create)));
        }
        let made = |change: &&Change| change.target == recreate.target && change.after.is_some();
        for change in plan.changes.iter().filter(made) {
            let Some(node) = last.get(&change.address).filter(|node| graph[**node].kind != StepKind::Forget) else {
                continue;
            };
            for (phase, restore) in &phases {
                match order(change.address.resource_type, *phase) {
                    Some(std::cmp::Ordering::Less) => edges.insert((*node, *restore)),
                    Some(std::cmp::Ordering::Greater) => edges.insert((*restore, *node)),
                    _ => false,
                };
            }
        }
        for (before, after) in edges {
            graph.add_edge(before, after, ());
        }
    }
}

/// Whether what makes an object comes before a phase or after it, where that matters.
const fn order(made: ResourceType, phase: RecreatePhase) -> Option<std::cmp::Ordering> {
    use std::cmp::Ordering::{Greater, Less};
    let runs = matches!(made, ResourceType::Deployment | ResourceType::Job | ResourceType::CronJob);
    let holds = matches!(
        made,
        ResourceType::KindCluster
            | ResourceType::Namespace
            | ResourceType::PersistentVolume
            | ResourceType::PersistentVolumeClaim
    );
    match phase {
        RecreatePhase::RestoreSecrets if runs => Some(Greater),
        RecreatePhase::RestoreSecrets if matches!(made, ResourceType::KindCluster | ResourceType::Namespace) => {
            Some(Less)
        }
        RecreatePhase::RestoreVolumes if runs => Some(Greater),
        RecreatePhase::RestoreVolumes if holds => Some(Less),
        RecreatePhase::RestoreObjects if holds => Some(Less),
        RecreatePhase::Verify => Some(Less),
        _ => None,
    }
}
