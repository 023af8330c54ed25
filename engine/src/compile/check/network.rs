//! Routes and ports.

use std::collections::BTreeMap;

use super::super::start_order::ended_services;
use super::Context;
use crate::code::{Code, Severity};
use crate::compose::Service;
use crate::finding::Finding;
use crate::place::Place;
use crate::spec::Located;

/// The node ports that Kubernetes gives out unless told otherwise.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

pub(super) fn check(context: &mut Context<'_>) {
    for route in context.deployment.spec.http_proxy.iter().flat_map(|proxy| &proxy.routes) {
        target(context, &route.container, route.port.value, &route.port.place);
    }
    if let Some((container, port)) = &context.deployment.spec.maintenance_service {
        target(context, container, *port, &container.place);
    }
    paths(context);
    node_ports(context);
}

/// Paths that an Ingress refuses, and paths that are routed twice.
fn paths(context: &mut Context<'_>) {
    let mut routed: BTreeMap<(&str, &str), &Place> = BTreeMap::new();
    for proxy in &context.deployment.spec.http_proxy {
        let host = proxy.host_name.value.as_str();
        for route in &proxy.routes {
            let (path, place) = (route.path.value.as_str(), &route.path.place);
            if !path.starts_with('/') {
                let finding =
                    Finding::new(Code::InvalidYaml, format!("the route path `{path}` does not begin with `/`"))
                        .at(place)
                        .help(format!("write `path: /{path}`"));
                context.push_new_rule(finding);
            }
            if let Some(earlier) = routed.get(&(host, path)) {
                let message = format!("path `{path}` of host {host} is routed twice");
                let finding = Finding::new(Code::ObjectCollision, message)
                    .at(place)
                    .label(earlier, "first routed here")
                    .help("remove one of the routes, or give it another path");
                context.push_new_rule(finding);
            } else {
                routed.insert((host, path), place);
            }
        }
    }
}

fn target(context: &mut Context<'_>, container: &Located<String>, port: u16, port_place: &Place) {
    let Some(service) = context.pod_services().find(|service| service.name.value == container.value) else {
        let names: Vec<&str> = context.pod_services().map(|service| service.name.value.as_str()).collect();
        let finding = Finding::new(Code::UnknownRoute, format!("no pod has a container `{}`", container.value))
            .at(&container.place);
        let finding = match crate::yaml::nearest(&container.value, &names) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => finding.help("the stack has no pod: add one to `pods:` of stack.yml"),
            None => finding.help(format!("containers are: {}", list(&names))),
        };
        context.push_new_rule(finding);
        return;
    };
    if has_ended(context, service) {
        let finding = Finding::new(
            Code::UnknownRoute,
            format!("`{}` is an init container: it has ended before anything is routed", container.value),
        )
        .at(&container.place)
        .label(&service.name.place, "the init container")
        .help("route to a container that keeps running");
        context.push_new_rule(finding);
    } else if !service.ports.iter().chain(&service.exposed).any(|listed| listed.container == port) {
        let finding =
            Finding::new(Code::UnknownRoute, format!("container `{}` does not list the port {port}", container.value))
                .at(port_place)
                .label(&service.name.place, ports_of(service))
                .help(format!("add `{port}` to its `ports:`, or route to a port that it lists"));
        // laconic-so never looked: what listens may simply not be listed.
        context.push_new_rule(finding.as_severity(Severity::Error));
    }
}

/// Whether a container has ended before anything is routed to it.
fn has_ended(context: &Context<'_>, service: &Service) -> bool {
    if context.is_laconic_so() {
        return service.is_init;
    }
    let file = context.deployment.pods.iter().map(|(_, file)| file);
    let mut file = file.filter(|file| file.services.iter().any(|other| std::ptr::eq(other, service)));
    file.next().is_some_and(|file| ended_services(file).any(|other| std::ptr::eq(other, service)))
}

fn ports_of(service: &Service) -> String {
    let ports: Vec<String> =
        service.ports.iter().chain(&service.exposed).map(|port| port.container.to_string()).collect();
    if ports.is_empty() { "lists no port".to_owned() } else { format!("lists {}", ports.join(", ")) }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn node_ports(context: &mut Context<'_>) {
    let mut claimed: BTreeMap<(u16, &str), &Place> = BTreeMap::new();
    // What is on the node's network is reached there and gets no node port.
    let is_published = |service: &&Service| context.is_laconic_so() || service.host_network.is_none();
    let ports: Vec<_> = context.pod_services().filter(is_published).flat_map(|service| &service.ports).collect();
    for port in ports {
        let Some(host) = port.host else { continue };
        if !NODE_PORTS.contains(&host) {
            let finding =
                Finding::new(Code::InvalidNodePort, format!("host port {host} is no node port: those are 30000-32767"))
                    .at(&port.place)
                    .help(format!(
                        "write `{}` alone, or a host port from 30000 to 32767: `30080:{}`",
                        port.container, port.container
                    ))
                    .help("for HTTP, route a host name to it with `http-proxy`");
            context.push_new_rule(finding);
        } else if let Some(earlier) = claimed.get(&(host, port.protocol.as_str())) {
            let finding = Finding::new(Code::InvalidNodePort, format!("node port {host} is claimed twice"))
                .at(&port.place)
                .label(earlier, "first claimed here")
                .help("give one of them another port");
            context.push_new_rule(finding);
        } else {
            claimed.insert((host, &port.protocol), &port.place);
        }
    }
}
