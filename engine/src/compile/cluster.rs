//! stand-in until merged
use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::place::Place;
use crate::resource::Resource;
use crate::state::{State, Tenant};

/// Input.
pub struct ClusterInput<'a> {
    /// name
    pub name: &'a str,
    /// registered
    pub registered: &'a BTreeMap<String, Tenant>,
    /// planned
    pub planned: BTreeMap<String, Option<(Tenant, BTreeMap<String, Place>)>>,
    /// recorded
    pub recorded: Option<&'a State>,
}
/// Output.
#[derive(Default)]
pub struct ClusterCompilation {
    /// resources
    pub resources: Vec<Resource>,
    /// findings
    pub findings: Vec<Finding>,
    /// tenants
    pub tenants: BTreeMap<String, Tenant>,
}
/// compose
#[must_use]
pub fn compose_cluster(_input: &ClusterInput<'_>) -> ClusterCompilation {
    ClusterCompilation::default()
}
