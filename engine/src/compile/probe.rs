//! Probes: what `healthcheck` and routes say of when a container works.
//!
//! To compose a failed check is a fact, not a deed: nothing is restarted, others only do not start. That is what a
//! readiness probe does. A liveness probe would restart what is merely slow, and is never made. A startup probe checks
//! more often while a container starts; it never gives up here, because giving up means a restart, too.

use serde_json::Value;

use crate::compose::{
    DEFAULT_INTERVAL, DEFAULT_RETRIES, DEFAULT_START_INTERVAL, DEFAULT_TIMEOUT, Healthcheck, Service,
};

use super::start_order::Stage;
use crate::place::Place;

/// The most failures that the API lets a probe have: at one a second they are sixty-eight years.
const NEVER: u32 = 0x7fff_ffff;

/// The probes of a container: member of the container, and probe.
pub(super) fn probes(
    service: &Service,
    stage: Stage,
    route: Option<u16>,
    is_compose: bool,
) -> Vec<(&'static str, Value)> {
    let check = service.healthcheck.as_ref().filter(|_| is_compose);
    let command = check.and_then(|check| Some((check, check.command()?)));
    let Some((check, command)) = command else {
        return match (route, stage) {
            (Some(port), Stage::Regular | Stage::Sidecar { .. }) => vec![("readinessProbe", of_route(port))],
            _ => Vec::new(),
        };
    };
    let is_awaited = stage == Stage::Sidecar { is_awaited: true };
    if stage == Stage::Init {
        return Vec::new();
    }
    let mut probes = vec![("readinessProbe", readiness(check, &command))];
    let has_start = check.start_period.as_ref().is_some_and(|period| period.value > 0);
    if is_awaited || has_start {
        probes.push(("startupProbe", startup(check, &command)));
    }
    probes
}

/// Where the fields of a probe that comes of a `healthcheck` are written, below the container.
pub(super) fn probe_places(check: &Healthcheck, member: &str) -> Vec<(String, Place)> {
    let interval = check.interval.as_ref();
    let (period, failures) = match member {
        "startupProbe" => (check.start_interval.as_ref().or(interval), check.start_period.as_ref()),
        _ => (interval, check.retries.as_ref()),
    };
    let fields = [
        ("exec", None),
        ("periodSeconds", period),
        ("timeoutSeconds", check.timeout.as_ref()),
        ("failureThreshold", failures),
    ];
    let fields = fields.map(|(field, said)| {
        (format!("{member}.{field}"), said.map_or_else(|| check.place.clone(), |said| said.place.clone()))
    });
    std::iter::once((member.to_owned(), check.place.clone())).chain(fields).collect()
}

/// That something listens.
fn of_route(port: u16) -> Value {
    object! {
        "tcpSocket" => object! {"port" => port},
        "initialDelaySeconds" => 5,
        "periodSeconds" => 10,
        "failureThreshold" => 3,
    }
}

fn readiness(check: &Healthcheck, command: &[String]) -> Value {
    let interval = check.interval.as_ref().map_or(DEFAULT_INTERVAL, |interval| interval.value);
    let retries = check.retries.as_ref().map_or(DEFAULT_RETRIES, |retries| retries.value);
    probe(command, timeout(check), interval, if retries == 0 { DEFAULT_RETRIES } else { retries })
}

fn startup(check: &Healthcheck, command: &[String]) -> Value {
    let interval = check.interval.as_ref().map_or(DEFAULT_INTERVAL, |interval| interval.value);
    let pace = check.start_interval.as_ref().map_or(DEFAULT_START_INTERVAL.min(interval), |interval| interval.value);
    probe(command, timeout(check), pace, NEVER)
}

fn timeout(check: &Healthcheck) -> u32 {
    check.timeout.as_ref().map_or(DEFAULT_TIMEOUT, |timeout| timeout.value)
}

fn probe(command: &[String], timeout: u32, period: u32, failures: u32) -> Value {
    object! {
        "exec" => object! {"command" => command.to_vec()},
        "periodSeconds" => period.max(1),
        "timeoutSeconds" => timeout.max(1),
        "failureThreshold" => failures.max(1),
    }
}
