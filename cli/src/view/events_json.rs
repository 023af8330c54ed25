//! The event stream as JSON lines, in the envelope of Terraform's machine-readable UI.

use laconic_engine::address::Address;
use laconic_engine::apply::{Event, Operation, Readiness};
use laconic_engine::plan::Plan;
use serde_json::{Value, json};

use crate::view::outcome::Ending;
use crate::view::value::masked;
use crate::view::{plan_json, progress};

/// One line.
fn line(time: &str, level: &str, message: &str, kind: &str, rest: Value) -> String {
    let mut value = json!({
        "@level": level,
        "@message": message,
        "@module": "laconic.ui",
        "@timestamp": time,
        "type": kind,
    });
    if let (Value::Object(value), Value::Object(rest)) = (&mut value, rest) {
        value.extend(rest);
    }
    format!("{value}\n")
}

fn resource(address: &Address) -> Value {
    json!({
        "addr": address.to_string(),
        "resource": address.to_string(),
        "resource_type": address.resource_type.word(),
        "resource_name": address.short_name(),
    })
}

/// The first line of a stream.
#[must_use]
pub fn version(time: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    line(time, "info", &format!("laconic {version}"), "version", json!({"laconic": version, "ui": "1.2"}))
}

/// What a migration is made of.
#[must_use]
pub fn migration(time: &str, told: Value) -> String {
    line(time, "info", "Migration below an umbrella", "migration", json!({"migration": told}))
}

/// The planned changes and their count.
#[must_use]
pub fn planned(time: &str, plan: &Plan) -> String {
    let mut text = String::new();
    for change in &plan.changes {
        let action = change.action.to_string();
        let message = format!("{}: Plan to {action}", change.address);
        let rest =
            json!({"change": {"resource": resource(&change.address), "action": action, "reason": change.reason}});
        text.push_str(&line(time, "info", &message, "planned_change", rest));
    }
    let mut changes = plan_json::summary(plan);
    changes["operation"] = json!("plan");
    let message = super::plan_text::summary_line(plan);
    text.push_str(&line(time, "info", &message, "change_summary", json!({"changes": changes, "plan_id": plan.id})));
    text
}

/// A problem that ends the command.
#[must_use]
pub fn problem(time: &str, message: &str, code: Option<&str>, hints: &[String]) -> String {
    let diagnostic = json!({"severity": "error", "summary": message, "detail": hints.join("\n"), "code": code});
    line(time, "error", message, "diagnostic", json!({"diagnostic": diagnostic}))
}

/// One event; some are for people only and give nothing. The last one is worded by how it ended.
#[must_use]
pub fn event(time: &str, event: &Event, ending: Ending) -> String {
    let message = progress::sentence(event, false).unwrap_or_default();
    let hook = |address: &Address, operation: Operation, seconds: u64| json!({"hook": {"resource": resource(address), "action": word(operation), "elapsed_seconds": seconds}});
    match event {
        Event::Begun { .. } | Event::Stopping => String::new(),
        Event::Started { address, operation } => {
            line(time, "info", &message, "apply_start", hook(address, *operation, 0))
        }
        Event::Retrying { address, attempt, error, .. } => {
            let rest = json!({"hook": {"resource": resource(address), "attempt": attempt, "error": error}});
            line(time, "warn", &message, "apply_retry", rest)
        }
        Event::Waiting { address, readiness, waited } => {
            let why = match readiness {
                Readiness::Ready => "",
                Readiness::Progressing(why) | Readiness::Failed(why) => why.as_str(),
            };
            let hook = json!({"resource": resource(address), "elapsed_seconds": waited.as_secs(), "waiting_for": why});
            line(time, "info", &message, "apply_progress", json!({"hook": hook}))
        }
        Event::Deviated { address, fields } => {
            let fields: Vec<Value> = fields
                .iter()
                .map(|one| {
                    let becomes = one.becomes.as_ref().map(masked);
                    json!({"path": one.path, "asked": masked(&one.asked), "becomes": becomes})
                })
                .collect();
            let rest = json!({"hook": {"resource": resource(address), "fields": fields}});
            line(time, "warn", &message, "apply_deviation", rest)
        }
        Event::CertificatesRestored { address, file, secrets } => {
            let rest = json!({"hook": {"resource": resource(address), "file": file, "secrets": secrets}});
            line(time, "info", &message, "certificates_restored", rest)
        }
        Event::CertificatesNotRestored { address, file, error } => {
            let rest = json!({"hook": {"resource": resource(address), "file": file, "error": error}});
            line(time, "warn", &message, "certificates_not_restored", rest)
        }
        Event::Done { address, operation, took } => {
            line(time, "info", &message, "apply_complete", hook(address, *operation, took.as_secs()))
        }
        Event::Failed { address, operation, error } => {
            let mut rest = hook(address, *operation, 0);
            rest["hook"]["error"] = json!(error);
            line(time, "error", &message, "apply_errored", rest)
        }
        Event::PhaseStarted { address, phase } => {
            let rest = json!({"hook": {"resource": resource(address), "phase": phase, "elapsed_seconds": 0}});
            line(time, "info", &message, "recreate_phase_start", rest)
        }
        Event::PhaseDone { address, phase, took } => {
            let rest =
                json!({"hook": {"resource": resource(address), "phase": phase, "elapsed_seconds": took.as_secs()}});
            line(time, "info", &message, "recreate_phase_complete", rest)
        }
        Event::PhaseFailed { address, phase, error } => {
            let rest = json!({"hook": {"resource": resource(address), "phase": phase, "error": error}});
            line(time, "error", &message, "recreate_phase_errored", rest)
        }
        Event::Skipped { address, because } => {
            let rest = json!({"hook": {"resource": resource(address), "because": because.to_string()}});
            line(time, "warn", &message, "apply_skipped", rest)
        }
        Event::Ended { outcome } => {
            let changes = json!({
                "add": outcome.added,
                "change": outcome.changed,
                "remove": outcome.destroyed,
                "operation": "apply",
                "failed": outcome.failed.len(),
                "skipped": outcome.skipped.len(),
                "not_started": outcome.not_started.len(),
            });
            let message = super::outcome::last_line(outcome, ending);
            line(time, "info", &message, "change_summary", json!({"changes": changes}))
        }
    }
}

const fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Adopt => "import",
        Operation::Delete => "delete",
    }
}

#[cfg(test)]
mod tests {
    use laconic_engine::address::{ResourceType, Scope};

    use super::*;

    #[test]
    fn certificates_that_are_back_and_that_are_not_have_lines_of_their_own() {
        let controller = Address::new(ResourceType::Deployment, Scope::cluster("main"), "caddy");
        let (address, file) = (controller.clone(), "/srv/kind/x.yaml".to_owned());
        let back = Event::CertificatesRestored { address, file: file.clone(), secrets: 3 };
        let not =
            Event::CertificatesNotRestored { address: controller, file, error: "it holds no certificates".into() };
        let value = |one: &Event| serde_json::from_str::<Value>(&event("now", one, Ending::APPLY)).unwrap();
        let (back, not) = (value(&back), value(&not));
        assert_eq!((&back["type"], &back["@level"]), (&json!("certificates_restored"), &json!("info")));
        assert_eq!((&back["hook"]["secrets"], &back["hook"]["file"]), (&json!(3), &json!("/srv/kind/x.yaml")));
        assert_eq!((&not["type"], &not["@level"]), (&json!("certificates_not_restored"), &json!("warn")));
        assert_eq!(not["hook"]["error"], "it holds no certificates");
        assert!(not["@message"].as_str().unwrap().contains("Caddy asks the certificate authority again"), "{not}");
    }
}
