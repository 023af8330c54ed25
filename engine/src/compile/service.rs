//! Services: of pods, of published ports, of compose names, and of what lies outside.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::address::ResourceType;
use crate::code::Code;
use crate::compose::{ComposeFile, Service as ComposeService};
use crate::finding::Finding;
use crate::place::Place;
use crate::resource::Resource;
use crate::spec::{ExternalService, ExternalServiceKind};

use super::input::CheckedDeployment;
use super::lower::Context;
use super::naming::is_dns_label;
use super::start_order::ended_services;

fn service(context: &Context<'_>, short: &str, name: &str, spec: Value, place: Option<&Place>) -> Resource {
    let attributes = object! {
        "apiVersion" => "v1",
        "kind" => "Service",
        "metadata" => context.naming.metadata(name, None),
        "spec" => spec,
    };
    context.naming.resource(ResourceType::Service, short, attributes, place)
}

/// The Services through which the Ingress and the maintenance page reach the pods.
pub(super) fn pod_services(context: &Context<'_>) -> Vec<Resource> {
    let checked = context.checked;
    let spec = &checked.spec;
    let mut services = Vec::new();
    for (pod, file) in &checked.pods {
        let mut ports: BTreeSet<u16> = BTreeSet::new();
        let mut place = None;
        for route in spec.http_proxy.iter().flat_map(|proxy| &proxy.routes) {
            if !context.naming.has_several_pods || file.service(&route.container.value).is_some() {
                ports.insert(route.port.value);
                place = place.or(Some(&route.container.place));
            }
        }
        if let Some((container, port)) = &spec.maintenance_service {
            let counts = context.naming.has_several_pods || context.naming.is_compose();
            if counts && file.service(&container.value).is_some() {
                ports.insert(*port);
                place = place.or(Some(&container.place));
            }
        }
        if ports.is_empty() {
            continue;
        }
        let ports: Vec<Value> = ports
            .into_iter()
            .map(|port| object! {"name" => format!("port-{port}"), "port" => port, "targetPort" => port})
            .collect();
        let spec = object! {"type" => "ClusterIP", "ports" => ports, "selector" => context.naming.selector(pod)};
        services.push(service(context, pod, &context.naming.service_name(pod), spec, place));
    }
    services
}

/// A NodePort Service for each published port; of two for one port and protocol the last one counts.
pub(super) fn node_ports(context: &Context<'_>) -> Vec<Resource> {
    let mut services: BTreeMap<String, Resource> = BTreeMap::new();
    for (pod, file) in &context.checked.pods {
        // What is on the node's network is reached there; laconic-so publishes it a second time.
        let published = file.services.iter().filter(|it| !context.naming.is_compose() || it.host_network.is_none());
        for port in published.flat_map(|service| &service.ports) {
            let short = format!("nodeport-{}-{}", port.container, port.protocol.to_ascii_lowercase());
            let mut entry = object! {
                "port" => port.container,
                "targetPort" => port.container,
                "protocol" => port.protocol.as_str(),
            };
            if let Some(host) = port.host {
                entry["nodePort"] = host.into();
            }
            let selector = if context.naming.is_compose() {
                context.naming.selector(pod)
            } else {
                // laconic-so lets a published port select the pods of all components.
                Map::from_iter([("app".to_owned(), Value::from(context.naming.app))])
            };
            let spec = object! {"type" => "NodePort", "ports" => vec![entry], "selector" => selector};
            let name = context.naming.object_name(&short);
            let mut resource = service(context, &short, &name, spec, Some(&port.place));
            if port.host.is_some() {
                resource
                    .places
                    .push((format!("spec.ports[{}/{}].nodePort", port.container, port.protocol), port.place.clone()));
            }
            services.insert(short, resource);
        }
    }
    services.into_values().collect()
}

/// In the compose dialect: a headless Service of each compose service's own name, so that pods reach those of other
/// compose files as compose lets them. Headless, because compose names stand for machines and all their ports.
pub(super) fn compose_names(context: &Context<'_>, findings: &mut Vec<Finding>) -> Vec<Resource> {
    let checked = context.checked;
    if !context.naming.is_compose() || checked.pods.len() + checked.jobs.len() < 2 {
        return Vec::new();
    }
    let mut services: BTreeMap<&str, Resource> = BTreeMap::new();
    for (pod, file) in &checked.pods {
        let ended: Vec<&str> = ended_services(file).map(|service| service.name.value.as_str()).collect();
        let running = file.services.iter().filter(|compose| !ended.contains(&compose.name.value.as_str()));
        for (name, place) in running.flat_map(|compose| further_names(checked, compose)) {
            if !is_dns_label(name) {
                findings.push(
                    Finding::new(
                        Code::ComposeFeatureIgnored,
                        format!("service `{name}` cannot be reached by its name from other pods: it is no DNS label"),
                    )
                    .at(place)
                    .about(&checked.name)
                    .help("use lower-case letters, digits and hyphens, beginning with a letter"),
                );
                continue;
            }
            let is_external = checked.spec.external_services.iter().any(|external| external.name.value == name);
            if is_external || services.contains_key(name) {
                continue;
            }
            let spec = json!({
                "type": "ClusterIP",
                "clusterIP": "None",
                // Compose resolves a name as soon as the container runs, ready or not.
                "publishNotReadyAddresses": true,
                "selector": context.naming.selector(pod),
            });
            let short = format!("compose-{name}");
            services.insert(name, service(context, &short, name, spec, Some(place)));
        }
    }
    services.into_values().collect()
}

/// The names of a service with their places: its own, those of its networks, and those that links give it.
fn further_names<'c>(
    checked: &'c CheckedDeployment,
    service: &'c ComposeService,
) -> impl Iterator<Item = (&'c str, &'c Place)> {
    let files = checked.pods.iter().chain(&checked.jobs).map(|(_, file)| file);
    let links = files.flat_map(|file| &file.services).flat_map(|other| &other.links);
    let links = links.filter(|link| link.service == service.name.value).map(|link| &link.alias);
    let names = std::iter::once(&service.name).chain(&service.aliases).chain(links);
    names.map(|name| (name.value.as_str(), &name.place))
}

/// The Services, and Endpoints, of what lies outside the deployment.
pub(super) fn external(context: &Context<'_>, findings: &mut Vec<Finding>) -> Vec<Resource> {
    let mut resources = Vec::new();
    for external in &context.checked.spec.external_services {
        let name = external.name.value.as_str();
        let place = Some(&external.name.place);
        let ports = json!([{"name": format!("port-{}", external.port), "port": external.port}]);
        match &external.kind {
            ExternalServiceKind::Host(host) => {
                let spec = json!({"type": "ExternalName", "externalName": host, "ports": ports});
                resources.push(service(context, name, name, spec, place));
            }
            ExternalServiceKind::Ip(address) => {
                let headless = service(context, name, name, json!({"clusterIP": "None", "ports": ports}), place);
                let endpoints = json!({
                    "apiVersion": "v1",
                    "kind": "Endpoints",
                    "metadata": context.naming.metadata(name, None),
                    "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
                });
                let mut endpoints = context.naming.resource(ResourceType::Endpoints, name, endpoints, place);
                endpoints.needs.push(headless.address.clone());
                resources.extend([headless, endpoints]);
            }
            ExternalServiceKind::Selector { namespace, .. } => {
                resources.push(service(context, name, name, json!({"clusterIP": "None", "ports": ports}), place));
                findings.push(unknown_addresses(context, external, namespace));
            }
        }
    }
    resources
}

/// Pod addresses are facts of a moment: laconic-so froze those it found at start, a plan cannot know them.
fn unknown_addresses(context: &Context<'_>, external: &ExternalService, namespace: &str) -> Finding {
    let name = &external.name.value;
    Finding::new(
        Code::NotConsulted,
        format!("the addresses behind external service `{name}` are those of pods in `{namespace}`; they are left as they are"),
    )
    .at(&external.name.place)
    .about(&context.checked.name)
    .help(format!("use `host: SERVICE.{namespace}.svc.cluster.local`, which follows the pods"))
}

/// The name of the pod whose Service serves a container; the first pod's, as laconic-so falls back, when none has it.
pub(super) fn pod_of<'c>(pods: &'c [(String, ComposeFile)], container: &str) -> Option<&'c str> {
    pods.iter().find(|(_, file)| file.service(container).is_some()).map(|(name, _)| name.as_str())
}
