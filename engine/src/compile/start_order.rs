//! The order in which containers start: `depends_on` within a pod.
//!
//! A kubelet runs init containers one after the other, each to its end, and then starts the others in their order without
//! waiting. A container that others wait for is therefore an init container: one that ends, or one that goes on running
//! beside the others (`restartPolicy: Always`), which the next ones wait for until its startup probe succeeds.

use std::collections::{HashMap, HashSet};

use crate::compose::{ComposeFile, Condition, Service};

/// What a container is within its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It ends before the others start.
    Init,
    /// It starts before others and goes on running. Whether they wait until it is healthy.
    Sidecar {
        /// Whether what comes after it waits until it is healthy.
        is_awaited: bool,
    },
    /// An ordinary one.
    Regular,
}

/// The services of a file in the order of their start, each with its stage.
pub(super) fn start_order(file: &ComposeFile) -> Vec<(&Service, Stage)> {
    let positions: HashMap<&str, usize> =
        file.services.iter().enumerate().map(|(index, service)| (service.name.value.as_str(), index)).collect();
    // Who waits for whom here, and for what.
    let mut needs: Vec<Vec<(usize, Condition)>> = Vec::with_capacity(file.services.len());
    for (index, service) in file.services.iter().enumerate() {
        let here = service.depends_on.iter().filter_map(|it| Some((*positions.get(&*it.service.value)?, it.condition)));
        needs.push(here.filter(|(other, _)| *other != index).collect());
    }
    let stages = stages(file, &needs);
    let rank = |index: usize| match stages.get(index) {
        Some(Stage::Regular) | None => 1,
        Some(_) => 0,
    };
    let mut order = Vec::with_capacity(file.services.len());
    let mut placed: HashSet<usize> = HashSet::new();
    // Init containers of old have no order but the file's, and come first.
    let is_first = |index: usize| file.services.get(index).is_some_and(|it| it.is_init) && needs[index].is_empty();
    let mut rest: Vec<usize> = (0..file.services.len()).collect();
    rest.sort_by_key(|&index| (rank(index), !is_first(index), index));
    for index in rest {
        place(index, &needs, &rank, &mut placed, &mut order);
    }
    order.into_iter().filter_map(|index| Some((file.services.get(index)?, stages.get(index).copied()?))).collect()
}

/// Places a container behind those of its own rank that it waits for. Circles were refused when the files were checked.
fn place(
    from: usize,
    needs: &[Vec<(usize, Condition)>],
    rank: &dyn Fn(usize) -> u8,
    placed: &mut HashSet<usize>,
    order: &mut Vec<usize>,
) {
    // Without recursion: a file may have a long chain.
    let mut stack = vec![(from, false)];
    while let Some((index, is_leaving)) = stack.pop() {
        if is_leaving {
            order.push(index);
        } else if placed.insert(index) {
            stack.push((index, true));
            let earlier = needs.get(index).into_iter().flatten().map(|(other, _)| *other);
            let mut earlier: Vec<usize> = earlier.filter(|&other| rank(other) == rank(index)).collect();
            earlier.sort_unstable_by(|left, right| right.cmp(left));
            stack.extend(earlier.into_iter().map(|other| (other, false)));
        }
    }
}

fn stages(file: &ComposeFile, needs: &[Vec<(usize, Condition)>]) -> Vec<Stage> {
    let awaited: HashSet<&(usize, Condition)> = needs.iter().flatten().collect();
    let is_awaited_as = |index: usize, wanted: Condition| awaited.contains(&(index, wanted));
    let mut stages: Vec<Stage> = file
        .services
        .iter()
        .enumerate()
        .map(|(index, service)| {
            let is_awaited = has_check(service) && is_awaited_as(index, Condition::Healthy);
            if service.is_init || is_awaited_as(index, Condition::Completed) {
                Stage::Init
            } else if is_awaited {
                Stage::Sidecar { is_awaited }
            } else {
                Stage::Regular
            }
        })
        .collect();
    // What an init container needs must run before it: it cannot be an ordinary container.
    let mut queue: Vec<usize> = (0..stages.len()).filter(|&index| stages[index] != Stage::Regular).collect();
    while let Some(index) = queue.pop() {
        for &(other, _) in needs.get(index).into_iter().flatten() {
            if let Some(stage @ Stage::Regular) = stages.get_mut(other) {
                *stage = Stage::Sidecar { is_awaited: false };
                queue.push(other);
            }
        }
    }
    stages
}

/// The services that end before the pod works.
pub(super) fn ended_services(file: &ComposeFile) -> impl Iterator<Item = &Service> {
    start_order(file).into_iter().filter(|(_, stage)| *stage == Stage::Init).map(|(service, _)| service)
}

/// Whether there is a check that says whether a service is healthy.
pub(super) fn has_check(service: &Service) -> bool {
    service.healthcheck.as_ref().is_some_and(|check| check.command().is_some())
}
