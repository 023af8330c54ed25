//! The Ingress of `http-proxy`.

use serde_json::{Map, Value, json};

use crate::address::{Address, ResourceType, Scope};
use crate::resource::Resource;

use super::caddy::INGRESS_CLASS;
use super::lower::Context;
use super::service::pod_of;

/// Compiles `network.http-proxy`; `None` when there is none.
pub(super) fn ingress(context: &Context<'_>) -> Option<Resource> {
    let checked = context.checked;
    let naming = &context.naming;
    let first = checked.spec.http_proxy.first()?;
    let mut needs = Vec::new();
    let mut places = Vec::new();
    let mut rules = Vec::with_capacity(checked.spec.http_proxy.len());
    let mut tls = Vec::new();
    for proxy in &checked.spec.http_proxy {
        let host = proxy.host_name.value.as_str();
        let mut paths = Vec::with_capacity(proxy.routes.len());
        places.push((format!("spec.rules[{host}]"), proxy.host_name.place.clone()));
        for route in &proxy.routes {
            let pod = pod_of(&checked.pods, &route.container.value);
            let service = match pod {
                Some(pod) => naming.service_name(pod),
                None => naming.object_name("service"),
            };
            let fallback = checked.pods.first().map(|(name, _)| name.as_str());
            if let Some(pod) = pod.or(fallback) {
                needs.push(naming.address(ResourceType::Service, pod));
            }
            places
                .push((format!("spec.rules[{host}].http.paths[{}]", route.path.value), route.container.place.clone()));
            paths.push(json!({
                "path": route.path.value,
                "pathType": "Prefix",
                "backend": {"service": {"name": service, "port": {"number": route.port.value}}},
            }));
        }
        rules.push(json!({"host": host, "http": {"paths": paths}}));
        if context.target.kind_cluster().is_none() {
            let secret = naming.object_name(&format!("{host}-tls"));
            tls.push(json!({"hosts": [host], "secretName": secret}));
        }
    }
    let mut spec = Map::new();
    spec.insert("rules".to_owned(), rules.into());
    if !tls.is_empty() {
        spec.insert("tls".to_owned(), tls.into());
    }
    let annotations: Value = json!({
        "kubernetes.io/ingress.class": INGRESS_CLASS,
        "cert-manager.io/cluster-issuer": "letsencrypt-prod",
    });
    let mut metadata = naming.metadata(&naming.object_name("ingress"), None);
    metadata["annotations"] = annotations;
    let attributes = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": spec,
    });
    let mut resource = naming.resource(ResourceType::Ingress, "ingress", attributes, Some(&first.host_name.place));
    resource.needs.extend(needs);
    if let Some(cluster) = context.target.kind_cluster() {
        resource.needs.push(Address::new(ResourceType::IngressClass, Scope::cluster(cluster), INGRESS_CLASS));
    }
    resource.places = places;
    Some(resource)
}
