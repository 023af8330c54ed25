//! Ingresses: ready when what they lead to is there and a controller serves them.
//!
//! That a controller serves an Ingress is usually seen by the address it notes in the status. Caddy's
//! (github.com/caddyserver/ingress) notes, every 30 s, the addresses of the Services in front of its own pods, and only
//! of the types ClusterIP, ExternalName and LoadBalancer. On a kind cluster its Service is a NodePort: there it never
//! notes any, however long one waits. So with Caddy what counts is that it runs; it reads Ingresses within moments.
//! Controllers of other kinds are waited for until they note an address.

use std::collections::BTreeSet;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::Readiness;
use serde_json::Value;

use super::document::{count, items, name, text};
use super::look::{self, Seen, not_visible};
use super::service::has_address;
use crate::kubernetes::path;
use crate::kubernetes::server::Server;

/// What IngressClasses for Caddy name as their controller.
const CADDY: &str = "caddy.io/ingress-controller";
/// The name that classes for Caddy go by, where there is no IngressClass: its Helm chart makes none.
const CADDY_CLASS: &str = "caddy";
/// The label of Caddy's Deployment, ours and that of its Helm chart.
const CADDY_LABEL: &str = "app.kubernetes.io/name=caddy-ingress-controller";

/// What is around an Ingress.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// The Services in its namespace.
    pub(crate) services: Seen<Vec<Value>>,
    /// The IngressClass it names; looked at only when there is no address and it names one.
    pub(crate) class: Seen<Option<Value>>,
    /// The Deployments that run Caddy; looked at only when there is no address and Caddy is to serve it.
    pub(crate) controllers: Seen<Vec<Value>>,
}

/// Whether an Ingress is served.
pub(super) async fn readiness(server: &Server, key: &ObjectKey, ingress: &Value) -> Readiness {
    let services = path::collection(ResourceType::Service, &key.namespace);
    let mut around = Surroundings {
        services: look::many(server, &services, &[]).await,
        class: Ok(None),
        controllers: Ok(Vec::new()),
    };
    if !has_address(ingress) {
        if let Some(class) = class(ingress) {
            let key = ObjectKey::new(ResourceType::IngressClass, "", class);
            around.class = look::one(server, &path::object(&key)).await;
        }
        if is_for_caddy(ingress, &around) {
            let all = path::collection(ResourceType::Deployment, "");
            around.controllers = look::many(server, &all, &[("labelSelector", CADDY_LABEL)]).await;
        }
    }
    judge(ingress, &around)
}

/// Whether an Ingress is ready, or is not and why.
pub(crate) fn judge(ingress: &Value, around: &Surroundings) -> Readiness {
    if let Ok(services) = &around.services {
        let there: BTreeSet<&str> = services.iter().map(name).collect();
        if let Some(missing) = backends(ingress).find(|backend| !there.contains(backend)) {
            return Readiness::Progressing(format!("service \"{missing}\", to which it leads, does not exist"));
        }
    }
    if has_address(ingress) {
        return Readiness::Ready;
    }
    let class = class(ingress);
    if is_for_caddy(ingress, around) {
        return by_caddy(around, class.unwrap_or(CADDY_CLASS));
    }
    Readiness::Progressing(match (class, &around.class) {
        (None, _) => "it names no ingress class, and no ingress controller has given it an address yet".to_owned(),
        (Some(class), Ok(None)) => format!("no ingress controller serves class \"{class}\""),
        (Some(class), Ok(Some(object))) => {
            let controller = text(object, "/spec/controller");
            format!("ingress controller {controller}, of class \"{class}\", has given it no address yet")
        }
        (Some(class), Err(hidden)) => {
            format!("no ingress controller of class \"{class}\" has given it an address yet ({})", not_visible(hidden))
        }
    })
}

fn by_caddy(around: &Surroundings, class: &str) -> Readiness {
    match &around.controllers {
        Ok(deployments) if deployments.iter().any(|one| count(one, "/status/availableReplicas") > 0) => {
            Readiness::Ready
        }
        Ok(deployments) => Readiness::Progressing(match deployments.first() {
            Some(one) => format!(
                "no ingress controller runs: deployment {} in namespace {} is not ready",
                name(one),
                text(one, "/metadata/namespace")
            ),
            None => format!("no ingress controller serves class \"{class}\""),
        }),
        // Who may not look outside of the namespace would wait for an address that may never come.
        Err(_) => Readiness::Ready,
    }
}

/// The class an Ingress names, in the present or the old way.
fn class(ingress: &Value) -> Option<&str> {
    ["/spec/ingressClassName", "/metadata/annotations/kubernetes.io~1ingress.class"]
        .into_iter()
        .map(|pointer| text(ingress, pointer))
        .find(|class| !class.is_empty())
}

fn is_for_caddy(ingress: &Value, around: &Surroundings) -> bool {
    match &around.class {
        Ok(Some(class)) => text(class, "/spec/controller") == CADDY,
        _ => class(ingress) == Some(CADDY_CLASS),
    }
}

/// The Services an Ingress leads to.
fn backends(ingress: &Value) -> impl Iterator<Item = &str> {
    let paths = items(ingress, "/spec/rules").flat_map(|rule| items(rule, "/http/paths"));
    let of_paths = paths.map(|path| text(path, "/backend/service/name"));
    of_paths.chain([text(ingress, "/spec/defaultBackend/service/name")]).filter(|name| !name.is_empty())
}
