//! The resource graph: who needs whom, for people and for checks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::address::Address;
use crate::plan::{Action, Plan};
use crate::resource::Resource;

/// A directed graph of addresses; an edge leads from a resource to one that it needs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    graph: DiGraph<GraphNode, ()>,
}

/// A resource in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphNode {
    /// Its address.
    pub address: Address,
    /// What a plan does with it; `None` in a graph of resources.
    pub action: Option<Action>,
}

impl Graph {
    /// The graph of compiled resources. Needs that are not among them are left out.
    #[must_use]
    pub fn of_resources(resources: &[&Resource]) -> Self {
        Self::build(resources.iter().map(|resource| (&resource.address, None, resource.needs.as_slice())))
    }

    /// The graph of a plan's changes.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        Self::build(plan.changes.iter().map(|change| {
            let needs = if change.after.is_some() { change.needs.as_slice() } else { change.needed.as_slice() };
            (&change.address, Some(change.action), needs)
        }))
    }

    fn build<'a>(nodes: impl Iterator<Item = (&'a Address, Option<Action>, &'a [Address])>) -> Self {
        let mut graph = DiGraph::new();
        let mut index: BTreeMap<&Address, (NodeIndex, &[Address])> = BTreeMap::new();
        for (address, action, needs) in nodes {
            let node = graph.add_node(GraphNode { address: address.clone(), action });
            index.insert(address, (node, needs));
        }
        for (node, needs) in index.values() {
            for need in *needs {
                if let Some((needed, _)) = index.get(need) {
                    graph.add_edge(*node, *needed, ());
                }
            }
        }
        Self { graph }
    }

    /// The resources that need each other in a circle, if any do.
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<Address>> {
        let component = tarjan_scc(&self.graph).into_iter().find(|component| component.len() > 1)?;
        Some(component.into_iter().map(|node| self.graph[node].address.clone()).collect())
    }

    /// Who directly needs a resource.
    #[must_use]
    pub fn needed_by(&self, address: &Address) -> Vec<Address> {
        let Some(node) = self.graph.node_indices().find(|node| self.graph[*node].address == *address) else {
            return Vec::new();
        };
        let mut dependents: Vec<Address> = self
            .graph
            .edges_directed(node, petgraph::Incoming)
            .map(|edge| self.graph[edge.source()].address.clone())
            .collect();
        dependents.sort();
        dependents
    }

    /// Graphviz text.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut text = String::from("digraph laconic {\n  rankdir = \"LR\";\n  node [shape = \"box\"];\n");
        for node in self.graph.node_indices() {
            let GraphNode { address, action } = &self.graph[node];
            let action = action.map(|action| format!(" ({action})")).unwrap_or_default();
            // Writing into a `String` cannot fail.
            let _ = writeln!(text, "  \"{address}\" [label = \"{address}{action}\"];");
        }
        for (from, to) in self.edges() {
            let _ = writeln!(text, "  \"{}\" -> \"{}\";", from.address, to.address);
        }
        text.push_str("}\n");
        text
    }

    /// Mermaid text, as Markdown viewers draw it.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for node in self.graph.node_indices() {
            let GraphNode { address, action } = &self.graph[node];
            let action = action.map(|action| format!(" ({action})")).unwrap_or_default();
            let _ = writeln!(text, "  n{}[\"{address}{action}\"]", node.index());
        }
        for edge in self.graph.edge_references() {
            let _ = writeln!(text, "  n{} --> n{}", edge.source().index(), edge.target().index());
        }
        text
    }

    fn edges(&self) -> Vec<(&GraphNode, &GraphNode)> {
        let mut edges: Vec<_> =
            self.graph.edge_references().map(|edge| (&self.graph[edge.source()], &self.graph[edge.target()])).collect();
        edges.sort_by(|left, right| (&left.0.address, &left.1.address).cmp(&(&right.0.address, &right.1.address)));
        edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{ResourceType, Scope};
    use serde_json::json;

    #[test]
    fn graphs_are_drawn_in_address_order() {
        let address = |name| Address::new(ResourceType::ConfigMap, Scope::deployment("shop"), name);
        let mut b = Resource::new(address("b"), json!({}));
        b.needs.push(address("a"));
        let a = Resource::new(address("a"), json!({}));
        let graph = Graph::of_resources(&[&b, &a]);
        assert!(graph.to_dot().contains("\"config_map.shop.b\" -> \"config_map.shop.a\";"));
        assert!(graph.to_mermaid().contains("n0 --> n1"));
        assert_eq!(graph.needed_by(&address("a")), [address("b")]);
        assert_eq!(graph.cycle(), None);
    }
}
