//! A plan as JSON, in the shape of `terraform show -json`, so that policy tools and recipes written for it work. Secrets
//! are masked; what is ours alone is under the key `laconic`.

use laconic_engine::plan::{Action, Change, Drift, DriftKind, Plan, Reason};
use serde_json::{Map, Value, json};

use crate::view::finding::{self, Texts};
use crate::view::plan_text::summary_line;
use crate::view::value::{masked, sensitive_mask};

/// The version of this document.
pub const FORMAT_VERSION: &str = "1.2";

/// The whole document.
#[must_use]
pub fn plan_json(plan: &Plan, texts: &Texts) -> Value {
    let changes: Vec<Value> = plan.changes.iter().map(change).collect();
    let drift: Vec<Value> = plan.drift.iter().map(drift).collect();
    let findings: Vec<Value> = plan.findings.iter().map(|finding| finding::json(finding, texts)).collect();
    let consulted: Vec<Value> =
        plan.consulted.iter().map(|(target, consulted)| json!({"target": target, "consulted": consulted})).collect();
    let needed: Vec<String> = plan.missing_consents().iter().map(ToString::to_string).collect();
    let given: Vec<String> = plan.consents_given.iter().map(ToString::to_string).collect();
    json!({
        "format_version": FORMAT_VERSION,
        "laconic_version": env!("CARGO_PKG_VERSION"),
        "applyable": !plan.is_empty() && !plan.is_refused(),
        "complete": !plan.is_refused(),
        "errored": false,
        "resource_changes": changes,
        "resource_drift": drift,
        "laconic": {
            "plan_id": plan.id,
            "change_id": plan.change_id,
            "change_set": plan.change_set,
            "base": plan.base,
            "mode": plan.mode,
            "deployments": plan.deployments,
            "stopped": plan.stopped,
            "simulated": plan.simulated,
            "summary": summary(plan),
            "summary_line": summary_line(plan),
            "refused": plan.is_refused(),
            "findings": findings,
            "forecast": plan.forecast,
            "blast_radius": plan.blast_radius,
            "recreates": plan.recreates,
            "certificate_restores": plan.certificate_restores,
            "consents_needed": needed,
            "consents_given": given,
            "consulted": consulted,
            "states": plan.states,
            "ignored": plan.ignored,
            "suppressed": plan.suppressed,
            "inputs_digest": plan.inputs_digest,
        },
    })
}

/// The counts of a plan.
#[must_use]
pub fn summary(plan: &Plan) -> Value {
    let summary = plan.summary();
    json!({
        "add": summary.add,
        "change": summary.change,
        "remove": summary.destroy,
        "import": summary.import,
        "forget": summary.forget,
        "unchanged": summary.unchanged,
    })
}

/// Terraform's words for an action.
#[must_use]
pub const fn actions(action: Action) -> &'static [&'static str] {
    match action {
        Action::NoOp | Action::Import => &["no-op"],
        Action::Create => &["create"],
        Action::Update => &["update"],
        Action::Replace => &["delete", "create"],
        Action::Delete => &["delete"],
        Action::Forget => &["forget"],
    }
}

fn change(change: &Change) -> Value {
    let form = |value: &Option<Value>| value.as_ref().map_or(Value::Null, masked);
    let mask = |value: &Option<Value>| match value.as_ref().map(sensitive_mask) {
        None | Some(Value::Null) => json!({}),
        Some(mask) => mask,
    };
    let replace_paths: Vec<Value> = change
        .differences
        .iter()
        .filter(|difference| difference.forces_replacement)
        .map(|difference| segments(&difference.path))
        .collect();
    let differences: Vec<Value> = change
        .differences
        .iter()
        .map(|difference| {
            json!({
                "path": difference.path,
                "before": form(&difference.before),
                "after": form(&difference.after),
                "origin": difference.origin,
                "forces_replacement": difference.forces_replacement,
                "source": difference.place.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    let mut inner = Map::new();
    inner.insert("actions".into(), json!(actions(change.action)));
    inner.insert("before".into(), form(&change.before));
    inner.insert("after".into(), form(&change.after));
    inner.insert("after_unknown".into(), json!({}));
    inner.insert("before_sensitive".into(), mask(&change.before));
    inner.insert("after_sensitive".into(), mask(&change.after));
    inner.insert("replace_paths".into(), Value::Array(replace_paths));
    if change.action == Action::Import {
        inner.insert("importing".into(), json!({"id": change.key.to_string()}));
    }
    let mut value = json!({
        "address": change.address.to_string(),
        "mode": "managed",
        "type": change.address.resource_type.word(),
        "name": change.address.short_name(),
        "provider_name": "laconic",
        "change": inner,
        "laconic": {
            "scope": change.address.scope,
            "reason": change.reason,
            "differences": differences,
            "assumed": change.assumed,
            "source": change.place.as_ref().map(ToString::to_string),
        },
    });
    if let Some(reason) = action_reason(change) {
        value["action_reason"] = json!(reason);
    }
    value
}

/// Terraform's word for the reason, where it has one.
fn action_reason(change: &Change) -> Option<&'static str> {
    match (&change.reason, change.action) {
        (Reason::Immutable { .. } | Reason::Cascade { .. } | Reason::ClusterReplaced { .. }, Action::Replace) => {
            Some("replace_because_cannot_update")
        }
        (Reason::ReplaceRequested, _) => Some("replace_by_request"),
        (Reason::NotDesired, Action::Delete) => Some("delete_because_no_resource_config"),
        _ => None,
    }
}

/// A field path in segments, as Terraform's `replace_paths` has them.
fn segments(path: &str) -> Value {
    let mut segments = Vec::new();
    let mut current = String::new();
    let mut bracketed = false;
    for character in path.chars() {
        match character {
            '.' if !bracketed => segments.push(std::mem::take(&mut current)),
            '[' if !bracketed => {
                segments.push(std::mem::take(&mut current));
                bracketed = true;
            }
            ']' if bracketed => {
                segments.push(std::mem::take(&mut current));
                bracketed = false;
            }
            other => current.push(other),
        }
    }
    segments.push(current);
    segments.retain(|segment| !segment.is_empty());
    json!(segments)
}

/// One drifted resource.
#[must_use]
pub fn drift(drift: &Drift) -> Value {
    let side = |of: &dyn Fn(&laconic_engine::plan::DriftField) -> Option<Value>| -> Value {
        let fields = drift.fields.iter().filter_map(|field| Some((field.path.clone(), masked(&of(field)?))));
        Value::Object(fields.collect())
    };
    let actions: &[&str] = match drift.kind {
        DriftKind::Changed => &["update"],
        DriftKind::Removed => &["delete"],
        DriftKind::Remade => &["delete", "create"],
        DriftKind::Added => &["create"],
    };
    let fields: Vec<Value> = drift
        .fields
        .iter()
        .map(|field| {
            json!({
                "path": field.path,
                "recorded": field.recorded.as_ref().map(masked),
                "observed": field.observed.as_ref().map(masked),
                "manager": field.manager,
                "time": field.time,
                "added": field.added,
                "probably": field.probably,
            })
        })
        .collect();
    json!({
        "address": drift.address.to_string(),
        "mode": "managed",
        "type": drift.address.resource_type.word(),
        "name": drift.address.short_name(),
        "change": {
            "actions": actions,
            "before": side(&|field| field.recorded.clone()),
            "after": side(&|field| field.observed.clone()),
        },
        "laconic": {"kind": drift.kind, "fields": fields},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_segments() {
        assert_eq!(segments("spec.containers[web].image"), json!(["spec", "containers", "web", "image"]));
        assert_eq!(segments("data[a.b]"), json!(["data", "a.b"]));
    }
}
