//! The ports of the nodes that `deploy init` gives to the ports of a stack.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use laconic_engine::compose::Port;

use crate::args::PortRecipe;
use crate::error::{Problem, Result};

/// The ports that a node opens for Services unless its API server is told otherwise. A Kubernetes rule.
pub const NODE_PORTS: RangeInclusive<u16> = 30000..=32767;

/// Chooses ports, none of them twice.
#[derive(Debug)]
pub struct NodePorts {
    recipe: PortRecipe,
    taken: BTreeSet<(u16, String)>,
}

impl NodePorts {
    /// Nothing chosen yet.
    #[must_use]
    pub const fn new(recipe: PortRecipe) -> Self {
        Self { recipe, taken: BTreeSet::new() }
    }

    /// The port of the nodes for a port of the stack, if it gets one.
    ///
    /// # Errors
    /// No random numbers.
    pub fn of(&mut self, port: &Port) -> Result<Option<u16>> {
        match self.recipe {
            PortRecipe::AnyVariableRandom | PortRecipe::LocalhostSame | PortRecipe::LocalhostFixedRandom => Ok(None),
            PortRecipe::AnySame => {
                let same = port.container;
                Ok((NODE_PORTS.contains(&same) && self.take(same, port)).then_some(same))
            }
            PortRecipe::AnyFixedRandom => {
                // Far more than any stack publishes are free, so this ends; the bound is for one that has them all.
                for _ in 0..10_000 {
                    let mut bytes = [0; 2];
                    getrandom::fill(&mut bytes)
                        .map_err(|error| Problem::System { detail: format!("no random numbers: {error}") })?;
                    let count = NODE_PORTS.end() - NODE_PORTS.start() + 1;
                    let candidate = NODE_PORTS.start() + u16::from_le_bytes(bytes) % count;
                    if self.take(candidate, port) {
                        return Ok(Some(candidate));
                    }
                }
                Ok(None)
            }
        }
    }

    fn take(&mut self, candidate: u16, port: &Port) -> bool {
        self.taken.insert((candidate, port.protocol.clone()))
    }
}

#[cfg(test)]
mod tests {
    use laconic_engine::place::Place;

    use super::*;

    fn port(container: u16, protocol: &str) -> Port {
        let place = Place::new(&"compose.yml".into(), 1, 1, 1);
        Port { container, host: None, protocol: protocol.to_owned(), place }
    }

    #[test]
    fn every_port_is_one_that_nodes_open_and_none_is_given_twice() {
        let mut ports = NodePorts::new(PortRecipe::AnyFixedRandom);
        let all = usize::from(NODE_PORTS.end() - NODE_PORTS.start()) + 1;
        let given: BTreeSet<u16> = (0..100).filter_map(|_| ports.of(&port(80, "TCP")).unwrap()).collect();
        assert_eq!(given.len(), 100);
        assert!(given.iter().all(|port| NODE_PORTS.contains(port)) && all == 2768);
    }

    #[test]
    fn the_same_port_where_nodes_open_it() {
        let mut ports = NodePorts::new(PortRecipe::AnySame);
        let mut of = |number, protocol| ports.of(&port(number, protocol)).unwrap();
        assert_eq!((of(80, "TCP"), of(30080, "TCP")), (None, Some(30080)));
        assert_eq!((of(30080, "TCP"), of(30080, "UDP")), (None, Some(30080)));
    }
}
