//! `laconic deployment port`: where a port of a service is reached.

use std::collections::BTreeSet;

use laconic_engine::address::ResourceType;
use laconic_engine::compile::CompiledDeployment;
use serde_json::{Value, json};

use crate::args::PortArgs;
use crate::compiling::compile_or_complain;
use crate::error::{Exit, Problem, Result};
use crate::inputs::locate;
use crate::session::Session;
use crate::view::style::clean;

/// Runs it.
pub fn run(session: &Session, arguments: &PortArgs) -> Result<Exit> {
    let inputs = locate(&session.common)?;
    let compiled = compile_or_complain(session, &inputs, true)?;
    let mut services = BTreeSet::new();
    let mut ways = Vec::new();
    for deployment in &compiled.deployments {
        services.extend(container_names(deployment));
        ways.extend(ways_to(deployment, &arguments.service, arguments.port));
    }
    if !services.contains(&arguments.service) {
        let known = services.into_iter().collect();
        return Err(Problem::UnknownService { service: arguments.service.clone(), known });
    }
    if session.output.json {
        session.output.print_json(&json!({"service": arguments.service, "port": arguments.port, "reached": ways}))?;
    } else {
        let text: String = ways.iter().map(|way| format!("{}\n", clean(way))).collect();
        session.output.print(&text)?;
    }
    if ways.is_empty() {
        return Err(Problem::PortNotPublished { service: arguments.service.clone(), port: arguments.port });
    }
    Ok(Exit::Done)
}

fn forms(deployment: &CompiledDeployment, resource_type: ResourceType) -> impl Iterator<Item = Value> + '_ {
    let resources = deployment.resources.iter().filter(move |one| one.address.resource_type == resource_type);
    resources.map(|resource| resource.attributes.value().into_owned())
}

fn containers(workload: &Value) -> impl Iterator<Item = &Value> {
    let pod = &workload["spec"]["template"]["spec"];
    ["containers", "initContainers"].into_iter().flat_map(|list| pod[list].as_array().into_iter().flatten())
}

fn container_names(deployment: &CompiledDeployment) -> Vec<String> {
    let workloads = forms(deployment, ResourceType::Deployment);
    workloads
        .flat_map(|workload| {
            containers(&workload).filter_map(|one| one["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        })
        .collect()
}

/// The ways to a port of a container: host names, ports of the nodes, ports of the host.
fn ways_to(deployment: &CompiledDeployment, service: &str, port: u16) -> Vec<String> {
    let mut ways = Vec::new();
    for workload in forms(deployment, ResourceType::Deployment) {
        let Some(container) = containers(&workload).find(|one| one["name"] == service) else { continue };
        let ports = container["ports"].as_array().into_iter().flatten();
        let is_open = ports.into_iter().any(|one| one["containerPort"] == port);
        let template = &workload["spec"]["template"];
        if is_open && template["spec"]["hostNetwork"] == true {
            ways.push(format!("0.0.0.0:{port}"));
        }
        let labels = &template["metadata"]["labels"];
        let selects = |service: &Value| {
            let selector = service["spec"]["selector"].as_object();
            selector.is_some_and(|selector| selector.iter().all(|(name, value)| labels[name] == *value))
        };
        for one in forms(deployment, ResourceType::Service).filter(selects) {
            let name = one["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            for exposed in one["spec"]["ports"].as_array().into_iter().flatten() {
                let target = if exposed["targetPort"].is_null() { &exposed["port"] } else { &exposed["targetPort"] };
                if *target != port {
                    continue;
                }
                if is_open && one["spec"]["type"] == "NodePort" {
                    ways.push(match exposed["nodePort"].as_u64() {
                        Some(open) => format!("every node:{open}"),
                        None => format!("every node, at the port that the service `{name}` was given"),
                    });
                }
                ways.extend(hosts_of(deployment, &name, &exposed["port"]));
            }
        }
    }
    ways.sort();
    ways.dedup();
    ways
}

fn hosts_of(deployment: &CompiledDeployment, service: &str, port: &Value) -> Vec<String> {
    let mut hosts = Vec::new();
    for ingress in forms(deployment, ResourceType::Ingress) {
        for rule in ingress["spec"]["rules"].as_array().into_iter().flatten() {
            for path in rule["http"]["paths"].as_array().into_iter().flatten() {
                let backend = &path["backend"]["service"];
                if backend["name"] == service && backend["port"]["number"] == *port {
                    let (host, path) = (rule["host"].as_str().unwrap_or("*"), path["path"].as_str().unwrap_or("/"));
                    hosts.push(format!("https://{host}{path}"));
                }
            }
        }
    }
    hosts
}
