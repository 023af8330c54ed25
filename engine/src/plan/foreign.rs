//! Fields that somebody else put into an object of ours: seen, never taken away, and told of when they are new.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diff::{Fields, flatten, project, value_at};
use crate::plan::change::DriftField;
use crate::plan::survey::FIELD_MANAGER;
use crate::resource::{FieldOwner, Live};

/// Whether a field manager is a part of Kubernetes itself: what it writes is how the object is carried out.
#[must_use]
pub fn is_system_manager(manager: &str) -> bool {
    manager.starts_with("kube-")
        || matches!(manager, "kubelet" | "cloud-controller-manager" | "k3s" | "rke2" | "local-path-provisioner")
}

/// Whether a path lies in a part of an object that is written by people: not its status, nor what a server keeps of it.
fn is_written(path: &str) -> bool {
    let parts =
        ["metadata.labels", "metadata.annotations", "spec", "data", "binaryData", "stringData", "rules", "subjects"];
    let within = |part: &&str| path.strip_prefix(*part).is_some_and(|rest| rest.starts_with(['.', '[']));
    parts.iter().any(within) && !is_system_key(path)
}

/// Whether the last key of a path is a label or annotation of Kubernetes' own (`kubectl.kubernetes.io/restartedAt`).
fn is_system_key(path: &str) -> bool {
    let key = path.rsplit_once('[').and_then(|(_, key)| key.strip_suffix(']'));
    let domain = key.and_then(|key| key.split_once('/')).map(|(domain, _)| domain);
    let of = |parent: &str| {
        domain.is_some_and(|domain| {
            domain == parent || domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
        })
    };
    of("kubernetes.io") || of("k8s.io")
}

/// Every field that is there, that somebody else owns and that we do not set, with its owner.
fn foreign<'a>(
    live: &'a Live,
    fields: &'a Fields,
    ours: &'a Fields,
) -> impl Iterator<Item = (&'a str, &'a FieldOwner)> {
    let others =
        live.owners.iter().filter(|owner| owner.manager != FIELD_MANAGER && !is_system_manager(&owner.manager));
    others
        .flat_map(|owner| owner.paths.iter().map(move |path| (path.as_str(), owner)))
        .filter(move |(path, _)| is_written(path) && fields.contains_key(*path) && !ours.contains_key(*path))
}

/// What is recorded of an object as observed: the fields we own, and of the others that somebody put there only that they
/// were there, with no value.
#[must_use]
pub fn recorded_view(live: &Live, desired: &Value) -> Value {
    let mut view = project(&live.attributes, desired);
    let others = |owner: &FieldOwner| owner.manager != FIELD_MANAGER && !is_system_manager(&owner.manager);
    if live.owners.iter().any(others)
        && let Value::Object(view) = &mut view
    {
        let (fields, ours) = (flatten(&live.attributes), flatten(desired));
        for (path, _) in foreign(live, &fields, &ours) {
            view.insert(path.to_owned(), Value::Null);
        }
    }
    view
}

/// The fields that somebody put into an object since it was last recorded. A whole new list item is one field.
#[must_use]
pub fn additions(live: &Live, ours: &Fields, last_seen: &serde_json::Map<String, Value>) -> Vec<DriftField> {
    let fields = flatten(&live.attributes);
    let mut told: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for (path, owner) in foreign(live, &fields, ours) {
        if last_seen.contains_key(path) {
            continue;
        }
        let whole = whole_item(path, ours, last_seen);
        if !told.insert(whole.to_owned()) {
            continue;
        }
        found.push(DriftField {
            path: whole.to_owned(),
            recorded: None,
            observed: value_at(&live.attributes, whole).cloned(),
            manager: owner.manager.clone(),
            time: owner.time.clone(),
            added: true,
            probably: false,
        });
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

/// The outermost list item or map entry around a path in which nothing was there before.
fn whole_item<'a>(path: &'a str, ours: &Fields, last_seen: &serde_json::Map<String, Value>) -> &'a str {
    let is_beneath = |one: &String, prefix: &str| {
        one.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let ends = path.match_indices(']').filter_map(|(index, _)| path.get(..=index));
    ends.into_iter()
        .find(|prefix| {
            !ours.keys().any(|one| is_beneath(one, prefix)) && !last_seen.keys().any(|one| is_beneath(one, prefix))
        })
        .unwrap_or(path)
}

/// Who probably took a field away: it has no owner any more, but whoever changed the object last and after us is told. None
/// when nobody but us and Kubernetes itself did.
#[must_use]
pub fn probable_remover(live: &Live) -> Option<&FieldOwner> {
    let ours = live.owners.iter().filter(|owner| owner.manager == FIELD_MANAGER).map(|owner| owner.time.as_str()).max();
    live.owners
        .iter()
        .filter(|owner| owner.manager != FIELD_MANAGER && !is_system_manager(&owner.manager))
        .filter(|owner| !owner.time.is_empty() && ours.is_none_or(|ours| owner.time.as_str() >= ours))
        .max_by(|left, right| (&left.time, &right.manager).cmp(&(&right.time, &left.manager)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(attributes: Value, manager: &str) -> Live {
        let paths = flatten(&attributes).into_keys().collect();
        let owner = FieldOwner { manager: manager.to_owned(), time: "2026-01-01T00:00:00Z".to_owned(), paths };
        Live { uid: "u".into(), attributes, owners: vec![owner], terminating: false }
    }

    fn added(live: &Live, desired: &Value, recorded: &Value) -> Vec<String> {
        let last_seen = recorded.as_object().cloned().unwrap_or_default();
        additions(live, &flatten(desired), &last_seen).into_iter().map(|field| field.path).collect()
    }

    #[test]
    fn what_was_there_when_it_was_recorded_is_no_addition() {
        let desired = json!({"data": {"a": "1"}});
        let seen = live(json!({"data": {"a": "1", "b": "2"}, "status": {"x": 1}}), "kubectl-edit");
        assert_eq!(added(&seen, &desired, &json!({"data.a": "1"})), ["data.b"]);
        assert_eq!(recorded_view(&seen, &desired), json!({"data.a": "1", "data.b": null}));
        assert_eq!(added(&seen, &desired, &recorded_view(&seen, &desired)), Vec::<String>::new());
    }

    #[test]
    fn a_new_item_is_one_field() {
        let desired = json!({"spec": {"containers": [{"name": "web", "image": "x"}]}});
        let seen = live(
            json!({"spec": {"containers": [
                {"name": "web", "image": "x", "env": [{"name": "A", "value": "1"}]},
                {"name": "side", "image": "y", "ports": [{"containerPort": 80}]}]}}),
            "kubectl-edit",
        );
        let recorded = project(&seen.attributes, &desired);
        assert_eq!(added(&seen, &desired, &recorded), ["spec.containers[side]", "spec.containers[web].env[A]"]);
    }

    #[test]
    fn kubernetes_itself_adds_nothing() {
        let desired = json!({"data": {"a": "1"}});
        for manager in ["kube-controller-manager", "kubelet", "kube-scheduler", "laconic"] {
            let seen = live(json!({"data": {"a": "1", "b": "2"}}), manager);
            assert_eq!(added(&seen, &desired, &json!({})), Vec::<String>::new(), "{manager}");
        }
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": "x", "deployment.kubernetes.io/revision": "2",
                                 "example.com/note": "n", "notkubernetes.io/note": "n"});
        let seen = live(json!({"metadata": {"annotations": annotations}, "status": {"y": 1}}), "kubectl");
        let found = added(&seen, &desired, &json!({}));
        assert_eq!(found, ["metadata.annotations[example.com/note]", "metadata.annotations[notkubernetes.io/note]"]);
    }
}
