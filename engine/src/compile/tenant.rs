//! A deployment's entry in its cluster's register, with what it wishes of the cluster.

use std::collections::BTreeMap;

use crate::place::Place;
use crate::resource::Resource;
use crate::source::join_path;
use crate::state::{ClusterWishes, Tenant};

use super::lower::Context;
use super::memlock_spec::MEMLOCK_SPEC_FILE;

/// The register entry, and where its wishes are written.
pub(super) fn tenant(context: &Context<'_>, workloads: &[(&Resource, u32)]) -> (Tenant, BTreeMap<String, Place>) {
    let checked = context.checked;
    let spec = &checked.spec;
    let mut places = BTreeMap::new();
    let mut wishes = ClusterWishes::default();
    if context.target.kind_cluster().is_some() {
        let mut knob = |name: &str, written: &Option<crate::spec::Located<String>>| {
            let written = written.as_ref().filter(|written| !written.value.is_empty())?;
            places.insert(name.to_owned(), written.place.clone());
            Some(written.value.clone())
        };
        wishes.mount_root = knob("mount_root", &spec.kind_mount_root);
        wishes.caddy_image = knob("caddy_image", &spec.caddy_ingress_image);
        wishes.acme_email = knob("acme_email", &spec.acme_email);
        wishes.node_image = knob("node_image", &spec.kind_node_image);
        // No wish either: the line that speaks of the cluster as a whole.
        places.extend(spec.deploy_to.as_ref().map(|target| ("deploy_to".to_owned(), target.place.clone())));
        for (container, (host, place)) in &context.volumes.mounts {
            wishes.mounts.insert(container.clone(), host.clone());
            places.insert(format!("mounts.{container}"), place.clone());
        }
        // No wish of the cluster, but a claim on the host that others may contradict.
        for (volume, path) in &spec.volumes {
            if let Some(path) = path.as_ref().filter(|_| context.volumes.storage.contains_key(&volume.value)) {
                places.insert(format!("volumes.{}", volume.value), path.place.clone());
            }
        }
        if let Some(wished) = spec.security.unlimited_memlock.as_ref().filter(|wished| wished.value) {
            wishes.memlock_spec = Some(join_path(&checked.directory, MEMLOCK_SPEC_FILE));
            places.insert("memlock_spec".to_owned(), wished.place.clone());
        }
        if let Some(proxy) = spec.http_proxy.first() {
            wishes.ingress = true;
            places.insert("ingress".to_owned(), proxy.host_name.place.clone());
        }
        let services = checked.pods.iter().flat_map(|(_, file)| &file.services);
        for port in services.filter(|service| service.host_network.is_some()).flat_map(|service| &service.ports) {
            let name = format!("{}/{}", port.container, port.protocol.to_ascii_lowercase());
            places.entry(format!("ports.{name}")).or_insert_with(|| port.place.clone());
            wishes.ports.insert(name, port.container);
        }
    }
    let mut hosts: Vec<String> = spec.http_proxy.iter().map(|proxy| proxy.host_name.value.clone()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let name_of = |resource: &Resource| resource.attributes.namespace_and_name().1.to_owned();
    let tenant = Tenant {
        stopped: false,
        restoring: false,
        deployment_id: checked.identity.deployment_id.clone(),
        directory: checked.directory.clone(),
        namespace: context.naming.namespace.clone(),
        volumes: context.volumes.storage.clone(),
        hosts,
        pods: workloads.iter().map(|(resource, count)| (name_of(resource), *count)).collect(),
        wishes,
    };
    (tenant, places)
}
