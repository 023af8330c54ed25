//! The agreement of deployments that are planned together.

use std::collections::{BTreeMap, HashMap};

use crate::address::ResourceType;
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use crate::resource::{Resource, Target};

use super::input::CompiledDeployment;

/// Objects, hosts and node ports that two deployments of one target both claim.
#[must_use]
pub fn agree(deployments: &[CompiledDeployment]) -> Vec<Finding> {
    let mut by_target: BTreeMap<&Target, Vec<&CompiledDeployment>> = BTreeMap::new();
    for deployment in deployments {
        by_target.entry(&deployment.target).or_default().push(deployment);
    }
    let mut findings = Vec::new();
    for (target, deployments) in by_target {
        if deployments.len() > 1 {
            objects(&deployments, &mut findings);
            hosts(&deployments, &mut findings);
            node_ports(target, &deployments, &mut findings);
        }
    }
    findings
}

fn collision(
    code: Code,
    message: String,
    second: &CompiledDeployment,
    place: Option<&Place>,
    other: (&str, Option<&Place>),
) -> Finding {
    let finding = Finding::new(code, message).about(&second.name).at_maybe(place.or(other.1));
    match (place, other.1) {
        (Some(_), Some(label)) => finding.label(label, format!("{} has it here", other.0)),
        _ => finding,
    }
}

/// An object's key (see [`crate::address::ObjectKey`]) without copies: there are thousands to compare.
type BorrowedKey<'a> = (ResourceType, &'a str, &'a str);

fn borrowed_key(resource: &Resource) -> BorrowedKey<'_> {
    let (namespace, name) = resource.attributes.namespace_and_name();
    (resource.address.resource_type, namespace, name)
}

fn objects(deployments: &[&CompiledDeployment], findings: &mut Vec<Finding>) {
    let count = deployments.iter().map(|deployment| deployment.resources.len()).sum();
    let mut seen: HashMap<BorrowedKey<'_>, (&CompiledDeployment, &Resource)> = HashMap::with_capacity(count);
    let mut told: Vec<(&str, &str)> = Vec::new();
    for deployment in deployments {
        for resource in &deployment.resources {
            let key = borrowed_key(resource);
            let Some((other, earlier)) = seen.get(&key) else {
                seen.insert(key, (deployment, resource));
                continue;
            };
            // Two deployments with one identity share all their names; one finding says it.
            if other.name == deployment.name || told.contains(&(&other.name, &deployment.name)) {
                continue;
            }
            told.push((&other.name, &deployment.name));
            let kind = key.0.kind();
            let message = format!("{} and {} both compile to {kind} `{}`", other.name, deployment.name, key.2);
            let help = if key.0 == ResourceType::Namespace {
                "give one of them another `namespace:` in its spec"
            } else if other.identity.deployment_id == deployment.identity.deployment_id {
                "their deployment-id is the same: create one of the directories anew instead of copying it"
            } else {
                "give one of them another `namespace:`, or rename the object in its spec"
            };
            let other = (other.name.as_str(), earlier.place.as_ref());
            findings
                .push(collision(Code::ObjectCollision, message, deployment, resource.place.as_ref(), other).help(help));
        }
    }
}

fn ingress(deployment: &CompiledDeployment) -> Option<&Resource> {
    deployment.resources.iter().find(|resource| resource.address.resource_type == ResourceType::Ingress)
}

fn host_place<'d>(deployment: &'d CompiledDeployment, host: &str) -> Option<&'d Place> {
    ingress(deployment)?.place_of(&format!("spec.rules[{host}]"))
}

fn hosts(deployments: &[&CompiledDeployment], findings: &mut Vec<Finding>) {
    let mut seen: HashMap<&str, &CompiledDeployment> = HashMap::new();
    for deployment in deployments {
        for host in &deployment.tenant.hosts {
            let Some(other) = seen.get(host.as_str()) else {
                seen.insert(host, deployment);
                continue;
            };
            let message = format!("{} and {} both serve host {host}", other.name, deployment.name);
            let place = host_place(deployment, host);
            let other = (other.name.as_str(), host_place(other, host));
            findings.push(
                collision(Code::ObjectCollision, message, deployment, place, other)
                    .help("let one deployment serve the host, or use two host names"),
            );
        }
    }
}

fn node_ports(target: &Target, deployments: &[&CompiledDeployment], findings: &mut Vec<Finding>) {
    let mut seen: HashMap<(u64, String), (&CompiledDeployment, &Resource)> = HashMap::new();
    for deployment in deployments {
        let services = deployment.resources.iter().filter(|it| it.address.resource_type == ResourceType::Service);
        // Hardly any Service has one, and looking into all of them would unpack all of them.
        for service in services.filter(|it| it.attributes.may_have_member("nodePort")) {
            let attributes = service.attributes.value();
            let ports = attributes["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
            for port in ports {
                let Some(number) = port["nodePort"].as_u64() else { continue };
                let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
                let claim = (number, protocol);
                let Some((other, earlier)) = seen.get(&claim) else {
                    seen.insert(claim, (deployment, service));
                    continue;
                };
                if other.name == deployment.name {
                    continue;
                }
                let message = format!(
                    "nodePort {number} of cluster {} is claimed by {} and by {}",
                    target.name(),
                    other.name,
                    deployment.name
                );
                let other = (other.name.as_str(), earlier.place.as_ref());
                findings.push(
                    collision(Code::InvalidNodePort, message, deployment, service.place.as_ref(), other)
                        .help("choose another port between 30000 and 32767 for one of them"),
                );
            }
        }
    }
}
