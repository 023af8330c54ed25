//! The maintenance page: while a restart rolls pods, every host is served by the service that the spec names for that.

use laconic_engine::address::ResourceType;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::source::SourceReader as _;
use laconic_engine::spec::read_spec;
use serde_json::{Value, json};

use crate::inputs::Input;

/// The container and the port of the maintenance page, where a spec names one.
#[must_use]
pub fn named(input: &Input) -> Option<(String, u16)> {
    let path = &input.source.spec_file;
    let bytes = input.reader(false).read(path).ok()?;
    let (spec, _) = read_spec(&path.as_str().into(), &String::from_utf8_lossy(&bytes));
    spec.maintenance_service.map(|(container, port)| (container.value, port))
}

/// Whether a deployment has a page that can stand in: one in a pod of its own, so that it does not roll with the others.
#[must_use]
pub fn can_stand_in(deployment: &CompiledDeployment, container: &str) -> bool {
    let workloads = deployment.resources.iter().filter(|one| one.address.resource_type == ResourceType::Deployment);
    workloads.clone().count() > 1 && workloads.into_iter().any(|one| has_container(&one.attributes.value(), container))
}

/// Has the Ingress of each deployment lead to the maintenance page that its spec names.
pub fn stand_in(inputs: &[Input], deployments: &mut [CompiledDeployment]) {
    for input in inputs {
        let Some((container, port)) = named(input) else { continue };
        let own = deployments.iter_mut().filter(|deployment| deployment.name == input.source.name);
        own.for_each(|deployment| redirect(deployment, &container, port));
    }
}

/// Has the Ingress of a deployment lead to the maintenance page, whatever the path.
fn redirect(deployment: &mut CompiledDeployment, container: &str, port: u16) {
    let Some(service) = service_of(deployment, container, port) else { return };
    let backend = json!({"service": {"name": service, "port": {"number": port}}});
    let ingresses = deployment.resources.iter_mut().filter(|one| one.address.resource_type == ResourceType::Ingress);
    for ingress in ingresses {
        let Some(rules) = ingress.attributes.value_mut()["spec"]["rules"].as_array_mut() else { continue };
        for rule in rules {
            let Some(paths) = rule["http"]["paths"].as_array_mut() else { continue };
            for path in paths {
                path["backend"] = backend.clone();
            }
        }
    }
}

fn has_container(workload: &Value, container: &str) -> bool {
    let containers = workload["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
    containers.into_iter().any(|one| one["name"] == container)
}

/// The Service that leads to a port of a container.
fn service_of(deployment: &CompiledDeployment, container: &str, port: u16) -> Option<String> {
    let of_type = |resource_type| {
        let resources = deployment.resources.iter().filter(move |one| one.address.resource_type == resource_type);
        resources.map(|one| one.attributes.value().into_owned())
    };
    let workload = of_type(ResourceType::Deployment).find(|one| has_container(one, container))?;
    let labels = &workload["spec"]["template"]["metadata"]["labels"];
    let leads_there = |service: &Value| {
        let selector = service["spec"]["selector"].as_object();
        let selects = selector.is_some_and(|selector| selector.iter().all(|(name, value)| labels[name] == *value));
        let ports = service["spec"]["ports"].as_array().into_iter().flatten();
        selects && service["spec"]["type"] == "ClusterIP" && ports.into_iter().any(|one| one["port"] == port)
    };
    of_type(ResourceType::Service).find(leads_there)?["metadata"]["name"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use laconic_engine::compile::{DeploymentSource, Layout, compile};
    use laconic_engine::source::MemorySources;

    use super::*;

    fn shop() -> CompiledDeployment {
        let mut files = MemorySources::default();
        files.insert(
            "deployment.yml",
            b"cluster-id: c\ndeployment-id: laconic-shop\nstack-source: s\ndialect: compose\n",
        );
        files.insert("stack.yml", b"name: s\npods:\n  - web\n  - page\n");
        files.insert(
            "spec.yml",
            b"stack: s\ndeploy-to: k8s-kind\nmaintenance-service: page:80\nnetwork:\n  http-proxy:\n    - host-name: a.example.com\n      routes:\n        - path: /\n          proxy-to: web:8080\n        - path: /api\n          proxy-to: web:8081\n",
        );
        let compose = |name: &str, ports: &str| {
            format!("services:\n  {name}:\n    image: example/{name}:1.0\n    expose: [{ports}]\n")
        };
        files.insert("compose/docker-compose-web.yml", compose("web", "8080, 8081").as_bytes());
        files.insert("compose/docker-compose-page.yml", compose("page", "80").as_bytes());
        let source = DeploymentSource {
            name: "shop".to_owned(),
            directory: "/d/shop".to_owned(),
            spec_file: "spec.yml".to_owned(),
            shown_directory: String::new(),
            layout: Layout::Directory,
        };
        let compilation = compile(&source, &files);
        compilation.deployment.unwrap_or_else(|| panic!("{:#?}", compilation.findings))
    }

    #[test]
    fn every_path_leads_to_the_page() {
        let mut shop = shop();
        assert!(can_stand_in(&shop, "page") && !can_stand_in(&shop, "nobody"));
        redirect(&mut shop, "page", 80);
        let ingress = shop.resources.iter().find(|one| one.address.resource_type == ResourceType::Ingress).unwrap();
        let form = ingress.attributes.value().into_owned();
        let paths = form["spec"]["rules"][0]["http"]["paths"].as_array().unwrap().clone();
        assert_eq!(paths.len(), 2);
        for path in paths {
            let service = path["backend"]["service"]["name"].as_str().unwrap();
            assert!(service.contains("page"), "{path}");
            assert_eq!(path["backend"]["service"]["port"]["number"], 80);
        }
    }
}
