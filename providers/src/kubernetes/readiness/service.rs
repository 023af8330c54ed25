//! Services: ready when they exist, and those of a load balancer when that has given them an address.
//!
//! Whether anything answers behind a Service is for its workload to say; one without a selector has none.

use laconic_engine::apply::Readiness;
use serde_json::Value;

use super::document::{items, one_line, text};
use super::look::{self, Seen, not_visible};
use crate::kubernetes::server::Server;

/// Whether a Service can be reached.
pub(super) async fn readiness(server: &Server, service: &Value) -> Readiness {
    if judge(service, &Ok(Vec::new())) == Readiness::Ready {
        return Readiness::Ready;
    }
    judge(service, &look::events(server, service).await)
}

/// Whether a Service can be reached; with the events about it, oldest first.
pub(super) fn judge(service: &Value, events: &Seen<Vec<Value>>) -> Readiness {
    if text(service, "/spec/type") != "LoadBalancer" || has_address(service) {
        return Readiness::Ready;
    }
    let mut why = "no load balancer has given it an address yet".to_owned();
    match events {
        Err(hidden) => why.push_str(&format!(" ({})", not_visible(hidden))),
        Ok(events) => {
            if let Some(event) = events.iter().rev().find(|event| event["type"] == "Warning") {
                why.push_str(&format!(": {}", one_line(text(event, "/message"))));
            }
        }
    }
    Readiness::Progressing(why)
}

/// Whether somebody has noted an address of a load balancer; Caddy leaves an entry without any when it stops.
pub(super) fn has_address(object: &Value) -> bool {
    items(object, "/status/loadBalancer/ingress")
        .any(|entry| !text(entry, "/ip").is_empty() || !text(entry, "/hostname").is_empty())
}
