//! `depends_on` between services of all files of a deployment: who needs whom, circles, and what cannot be kept.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::input::CheckedDeployment;
use super::start_order::has_check;
use crate::code::Code;
use crate::compose::{ComposeFile, Condition, Dependency, Service};
use crate::finding::Finding;
use crate::place::Place;

/// From how many services of one knot the shortest circle is searched: enough for every file that a person wrote.
const MAX_STARTS: usize = 1000;

/// Among how many names a misspelt one is looked for.
const MAX_SUGGESTED: usize = 100;

/// A pod or job by its place: whether it is a job, and which one.
pub(super) type Workload = (bool, usize);

/// What follows from `depends_on`.
#[derive(Debug, Default)]
pub(super) struct Dependencies {
    /// For each workload those that must work before it is made.
    pub needs: BTreeMap<Workload, BTreeSet<Workload>>,
    /// What there is to say.
    pub findings: Vec<Finding>,
}

/// A service in its workload.
struct Member<'a> {
    workload: Workload,
    service: &'a Service,
}

/// Judges the dependencies of a deployment.
pub(super) fn dependencies(checked: &CheckedDeployment) -> Dependencies {
    let mut result = Dependencies::default();
    let members: Vec<Member<'_>> = files(checked)
        .flat_map(|(workload, file)| file.services.iter().map(move |service| Member { workload, service }))
        .collect();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, member) in members.iter().enumerate() {
        by_name.entry(member.service.name.value.as_str()).or_default().push(index);
    }
    let inactive: BTreeSet<&str> =
        files(checked).flat_map(|(_, file)| &file.inactive).map(|name| name.value.as_str()).collect();
    let mut edges: Vec<(usize, usize, &Dependency)> = Vec::new();
    for (index, member) in members.iter().enumerate() {
        for dependency in &member.service.depends_on {
            // The own file comes first.
            let candidates = by_name.get(dependency.service.value.as_str()).map(Vec::as_slice).unwrap_or_default();
            let own = candidates.iter().find(|other| members[**other].workload == member.workload);
            match own.or(candidates.first()) {
                Some(&other) => edges.push((index, other, dependency)),
                None if !dependency.is_required => {}
                None => result.findings.push(unknown(dependency, &inactive, &by_name)),
            }
        }
    }
    if let Some(finding) = circle(&members, &edges) {
        result.findings.push(finding);
        return result;
    }
    for (index, other, dependency) in edges {
        let (Some(member), Some(needed)) = (members.get(index), members.get(other)) else { continue };
        result.findings.extend(unkept(member, needed, dependency));
        let cannot_end = dependency.condition == Condition::Completed && !needed.workload.0;
        if member.workload == needed.workload || cannot_end {
            continue;
        }
        if reaches(&result.needs, needed.workload, member.workload) {
            result.findings.push(not_between_pods(dependency));
            continue;
        }
        result.needs.entry(member.workload).or_default().insert(needed.workload);
    }
    result
}

fn files(checked: &CheckedDeployment) -> impl Iterator<Item = (Workload, &ComposeFile)> {
    let pods = checked.pods.iter().enumerate().map(|(index, (_, file))| ((false, index), file));
    pods.chain(checked.jobs.iter().enumerate().map(|(index, (_, file))| ((true, index), file)))
}

fn unknown(dependency: &Dependency, inactive: &BTreeSet<&str>, by_name: &HashMap<&str, Vec<usize>>) -> Finding {
    let name = dependency.service.value.as_str();
    let place = &dependency.service.place;
    if inactive.contains(name) {
        let message = format!("`depends_on` names `{name}`, none of whose profiles is active");
        return Finding::new(Code::InvalidYaml, message)
            .at(place)
            .help("add one of its profiles to `profiles:` of the spec, or write `required: false`");
    }
    // Among very many names a search for each mistake would take long.
    let mut known: Vec<&str> =
        if by_name.len() > MAX_SUGGESTED { Vec::new() } else { by_name.keys().copied().collect() };
    known.sort_unstable();
    let finding = Finding::new(Code::InvalidYaml, format!("`depends_on` names `{name}`, which is no service here"));
    finding.at(place).help(match crate::yaml::nearest(name, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a service of this file or of another one of the stack".to_owned(),
    })
}

/// The shortest circle of services that wait for each other.
fn circle(members: &[Member<'_>], edges: &[(usize, usize, &Dependency)]) -> Option<Finding> {
    let mut graph = DiGraph::<(), ()>::new();
    let nodes: Vec<NodeIndex> = members.iter().map(|_| graph.add_node(())).collect();
    for (from, to, _) in edges {
        graph.add_edge(*nodes.get(*from)?, *nodes.get(*to)?, ());
    }
    let mut best: Option<Vec<usize>> = edges.iter().find(|(from, to, _)| from == to).map(|(from, ..)| vec![*from]);
    if best.is_none() {
        // Only within one of these can a circle be; the smallest is searched first.
        let mut components: Vec<Vec<NodeIndex>> = kosaraju_scc(&graph).into_iter().filter(|it| it.len() > 1).collect();
        components.sort_by_key(|component| (component.len(), component.iter().map(|node| node.index()).min()));
        for component in components {
            for start in component.iter().take(MAX_STARTS) {
                let limit = best.as_ref().map_or(usize::MAX, Vec::len);
                best = shortest_from(&graph, *start, limit).or(best);
            }
        }
    }
    let mut circle = best?;
    let first = circle.iter().position(|index| Some(index) == circle.iter().min())?;
    circle.rotate_left(first);
    let names: Vec<&str> =
        circle.iter().chain(circle.first()).map(|at| members[*at].service.name.value.as_str()).collect();
    let place_of = |from: usize, to: usize| -> Option<&Place> {
        edges.iter().find(|(a, b, _)| (*a, *b) == (from, to)).map(|(.., dependency)| &dependency.service.place)
    };
    let next = |at: usize| circle.get(at + 1).or(circle.first()).copied().unwrap_or_default();
    let mut places = circle.iter().enumerate().filter_map(|(at, from)| place_of(*from, next(at)));
    let message = format!("services wait for each other in a circle: {}", names.join(" -> "));
    let mut finding = Finding::new(Code::InvalidYaml, message)
        .at_maybe(places.next())
        .help("remove one of these from `depends_on`, and let that service try again until the other one is there");
    for place in places {
        finding = finding.label(place, "and here");
    }
    Some(finding)
}

/// The shortest circle through a node, when it is shorter than a limit.
fn shortest_from(graph: &DiGraph<(), ()>, start: NodeIndex, limit: usize) -> Option<Vec<usize>> {
    let mut from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut queue = VecDeque::from([(start, 1)]);
    while let Some((node, length)) = queue.pop_front() {
        if length >= limit {
            return None;
        }
        for next in graph.neighbors(node) {
            if next == start {
                let mut circle = vec![node.index()];
                let mut at = node;
                while let Some(before) = from.get(&at) {
                    circle.push(before.index());
                    at = *before;
                }
                circle.reverse();
                return Some(circle);
            }
            if let std::collections::hash_map::Entry::Vacant(entry) = from.entry(next) {
                entry.insert(node);
                queue.push_back((next, length + 1));
            }
        }
    }
    None
}

/// What of a dependency cannot be kept.
fn unkept(member: &Member<'_>, needed: &Member<'_>, dependency: &Dependency) -> Option<Finding> {
    let name = &dependency.service.value;
    let finding = |why: String| {
        Finding::new(Code::ComposeFeatureIgnored, format!("`depends_on: {name}` is kept in part: {why}"))
            .at(&dependency.service.place)
    };
    match dependency.condition {
        Condition::Healthy if !has_check(needed.service) && !needed.service.is_init => Some(
            finding(format!("`{name}` has no `healthcheck` with a `test`, so nothing says when it is healthy"))
                .label(&needed.service.name.place, "the service")
                .help("give it a `healthcheck`; one that is in the image alone is not known to Kubernetes"),
        ),
        Condition::Completed if member.workload != needed.workload && !needed.workload.0 => Some(
            finding(format!("`{name}` is a container of another pod, which runs for ever"))
                .label(&needed.service.name.place, "the service")
                .help("list its compose file under `jobs:` of stack.yml instead of `pods:`"),
        ),
        _ => None,
    }
}

fn not_between_pods(dependency: &Dependency) -> Finding {
    let name = &dependency.service.value;
    let message = format!("`depends_on: {name}` is not kept: its pod waits for this one, and a pod starts as a whole");
    Finding::new(Code::ComposeFeatureIgnored, message)
        .at(&dependency.service.place)
        .help("put the two services into one compose file, or let this one try again until the other one is there")
}

fn reaches(needs: &BTreeMap<Workload, BTreeSet<Workload>>, from: Workload, to: Workload) -> bool {
    let mut queue = vec![from];
    let mut seen = BTreeSet::from([from]);
    while let Some(workload) = queue.pop() {
        if workload == to {
            return true;
        }
        queue.extend(needs.get(&workload).into_iter().flatten().copied().filter(|next| seen.insert(*next)));
    }
    false
}
