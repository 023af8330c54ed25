//! What changed behind our back: changed, removed and added, fields and objects, by whom and when.

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Drift, DriftField, DriftKind};
use laconic_engine::resource::Target;
use laconic_engine::source::MemorySources;
use laconic_tests::universe::{Request, Universe, compiled};
use serde_json::json;

fn target() -> Target {
    Target::Kind("laconic-main".to_owned())
}

fn shop(more: &str) -> [CompiledDeployment; 1] {
    let mut files = MemorySources::default();
    files.insert("deployment.yml", b"cluster-id: laconic-main\ndeployment-id: laconic-shop\nstack-source: s\n");
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\n\
         network:\n  http-proxy:\n    - host-name: shop.example.com\n      routes:\n        - path: /\n          proxy-to: web:8080\n\
         configmaps:\n  files: ./configmaps/files\n{more}"
    );
    files.insert("spec.yml", spec.as_bytes());
    files.insert("configmaps/files/a.txt", b"one\n");
    files.insert(
        "compose/docker-compose-web.yml",
        b"services:\n  web:\n    image: example/web:1.0\n    environment:\n      A: '1'\n    volumes:\n      - files:/etc/files\nvolumes:\n  files:\n",
    );
    [compiled("shop", &files).0]
}

fn running(more: &str) -> Universe {
    let universe = Universe::default();
    let run = universe.apply(&shop(more), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert_eq!(universe.plan(&shop(more), &Request::default()).drift, []);
    universe
}

fn key(resource_type: ResourceType, name: &str) -> ObjectKey {
    ObjectKey::new(resource_type, "shop", name)
}

fn web() -> ObjectKey {
    key(ResourceType::Deployment, "laconic-shop-deployment")
}

fn edit(universe: &Universe, key: &ObjectKey, manager: &str, path: &str, value: Option<serde_json::Value>) {
    universe.host.edit_object(&target(), key, manager, path, value).unwrap();
}

fn drift(universe: &Universe, more: &str) -> Vec<Drift> {
    universe.plan(&shop(more), &Request::default()).drift
}

fn only(universe: &Universe) -> (String, DriftField) {
    let found = drift(universe, "");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].kind, DriftKind::Changed);
    assert_eq!(found[0].fields.len(), 1, "{found:#?}");
    (found[0].address.to_string(), found[0].fields[0].clone())
}

const CONTAINER: &str = "spec.template.spec.containers[web]";

fn container(universe: &Universe) -> String {
    let live = universe.host.edit_object(&target(), &web(), "nobody", "spec.paused", None).unwrap();
    live.attributes["spec"]["template"]["spec"]["containers"][0]["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_changed_field_has_its_owner() {
    let universe = running("");
    edit(&universe, &web(), "kubectl-edit", "spec.replicas", Some(5.into()));
    let (address, field) = only(&universe);
    assert_eq!(address, "deployment.shop.web");
    assert_eq!((field.path.as_str(), field.manager.as_str()), ("spec.replicas", "kubectl-edit"));
    assert!(field.time.starts_with("2026-01-01T"), "{field:?}");
    assert!(!field.added && !field.probably);
}

#[test]
fn ports_are_found_by_the_name_they_have_here_and_on_the_server() {
    let universe = running("");
    let service = shop("")[0]
        .resources
        .iter()
        .find(|resource| resource.address.resource_type == ResourceType::Service)
        .map(|resource| (resource.key(), laconic_engine::diff::flatten(&resource.attributes.value())));
    let (service, fields) = service.unwrap();
    let port = fields.into_keys().find(|path| path.ends_with("targetPort")).unwrap();
    assert!(port.contains("/tcp]"), "{port}");
    edit(&universe, &service, "kubectl-edit", &port, Some(9999.into()));
    let (_, field) = only(&universe);
    assert_eq!((field.path.as_str(), field.manager.as_str()), (port.as_str(), "kubectl-edit"));
}

#[test]
fn a_removed_field_is_told_of_without_a_guess() {
    let universe = running("");
    edit(&universe, &web(), "kubectl-edit", "metadata.labels[app.kubernetes.io/stack]", None);
    let (_, field) = only(&universe);
    assert_eq!(field.path, "metadata.labels[app.kubernetes.io/stack]");
    assert_eq!((field.observed, field.manager.as_str(), field.probably), (None, "", false));
}

#[test]
fn a_removed_field_is_probably_the_last_writers() {
    let universe = running("");
    edit(&universe, &web(), "kubectl-edit", "metadata.labels.team", Some("a".into()));
    edit(&universe, &web(), "kubectl-edit", "metadata.labels[app.kubernetes.io/stack]", None);
    let found = drift(&universe, "");
    let removed = found[0].fields.iter().find(|field| field.observed.is_none()).unwrap();
    assert_eq!((removed.manager.as_str(), removed.probably), ("kubectl-edit", true));
}

#[test]
fn added_fields_are_told_of_and_stay() {
    let universe = running("");
    let name = container(&universe);
    let config = shop("")[0]
        .resources
        .iter()
        .find(|resource| resource.address.resource_type == ResourceType::ConfigMap)
        .map(laconic_engine::resource::Resource::key)
        .unwrap();
    edit(&universe, &config, "kubectl-edit", "data.b", Some("two".into()));
    edit(
        &universe,
        &web(),
        "kubectl-set",
        &format!("spec.template.spec.containers[{name}].env[B].value"),
        Some("2".into()),
    );
    edit(&universe, &web(), "kubectl-patch", "spec.template.spec.containers[side].image", Some("x".into()));
    edit(&universe, &web(), "kubectl-annotate", "metadata.annotations.team", Some("a".into()));
    let found = drift(&universe, "");
    let fields: Vec<(String, String, bool)> = found
        .iter()
        .flat_map(|drift| drift.fields.iter().map(|field| (field.path.clone(), field.manager.clone(), field.added)))
        .collect();
    let expected = [
        ("data.b".to_owned(), "kubectl-edit"),
        ("metadata.annotations.team".to_owned(), "kubectl-annotate"),
        ("spec.template.spec.containers[side]".to_owned(), "kubectl-patch"),
        (format!("{}.env[B]", CONTAINER.replace("web", &name)), "kubectl-set"),
    ];
    let mut expected: Vec<(String, String, bool)> =
        expected.into_iter().map(|(path, manager)| (path, manager.to_owned(), true)).collect();
    expected.sort();
    let mut sorted = fields;
    sorted.sort();
    assert_eq!(sorted, expected);
    // Nothing is done about them.
    let plan = universe.plan(&shop(""), &Request::default());
    assert_eq!(plan.changes, []);
    // With the next change of the object they are known, and still there.
    let run = universe.apply(&shop("replicas: 2\n"), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    let left = drift(&universe, "replicas: 2\n");
    assert!(left.iter().all(|drift| drift.address.resource_type == ResourceType::ConfigMap), "{left:#?}");
    let live = universe.host.edit_object(&target(), &web(), "nobody", "spec.paused", None).unwrap();
    assert_eq!(live.attributes["metadata"]["annotations"]["team"], json!("a"));
}

#[test]
fn ignored_fields_are_no_drift_added_ones_neither() {
    let rules = "ignore:\n  - 'deployment:metadata.annotations'\n  - spec.replicas\n";
    let universe = running(rules);
    edit(&universe, &web(), "kubectl-annotate", "metadata.annotations.team", Some("a".into()));
    edit(&universe, &web(), "hpa", "spec.replicas", Some(4.into()));
    assert_eq!(drift(&universe, rules), []);
}

/// An autoscaler keeps its count when laconic changes something else.
#[test]
fn ignored_fields_are_sent_as_they_are() {
    let rules = "ignore:\n  - spec.replicas\n";
    let universe = running(rules);
    edit(&universe, &web(), "hpa", "spec.replicas", Some(4.into()));
    let changed = format!("{rules}labels:\n  tier: front\n");
    let run = universe.apply(&shop(&changed), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert_eq!(run.plan.changes.len(), 1, "{:#?}", run.plan.changes);
    let live = universe.host.edit_object(&target(), &web(), "nobody", "spec.paused", None).unwrap();
    assert_eq!(live.attributes["spec"]["replicas"], json!(4));
    let next = universe.plan(&shop(&changed), &Request::default());
    assert_eq!((next.changes.len(), next.drift.len()), (0, 0), "{next:#?}");
    assert_eq!(next.ignored["shop"], ["spec.replicas"]);
}

/// Somebody applied the same value: to change it is to take it from them, which the plan says and apply does.
#[test]
fn a_field_that_others_own_too_is_taken_with_a_warning() {
    let universe = running("");
    edit(&universe, &web(), "argocd", "spec.replicas", Some(1.into()));
    assert_eq!(drift(&universe, ""), []);
    let changed = shop("replicas: 2\n");
    let plan = universe.plan(&changed, &Request::default());
    let warned = plan.findings.iter().find(|finding| finding.code == laconic_engine::code::Code::FieldsTaken);
    assert!(warned.is_some_and(|finding| finding.message.contains("spec.replicas is owned by argocd")), "{plan:#?}");
    let run = universe.carry_out(plan, &changed);
    assert!(run.is_complete(), "{}", run.problems());
}

#[test]
fn an_object_with_our_label_that_nobody_recorded_is_added() {
    let universe = running("");
    let object = |owners: serde_json::Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "1"},
               "metadata": {"name": "laconic-shop-extra", "namespace": "shop", "labels": {"app": "laconic-shop"},
                            "ownerReferences": owners}})
    };
    universe.host.create_object(&target(), &object(json!([])), "kubectl-create").unwrap();
    let found = drift(&universe, "");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].kind, found[0].address.to_string().as_str()), (DriftKind::Added, "config_map.shop.extra"));
    assert_eq!(found[0].fields[0].manager, "kubectl-create");
    assert_eq!(universe.plan(&shop(""), &Request::default()).changes, []);
    // What a controller keeps is its own affair.
    let extra = key(ResourceType::ConfigMap, "laconic-shop-extra");
    universe.host.delete_object(&target(), &extra).unwrap();
    let owned = object(json!([{"kind": "Deployment", "name": "x", "uid": "u"}]));
    universe.host.create_object(&target(), &owned, "kubectl-create").unwrap();
    assert_eq!(drift(&universe, ""), []);
}

#[test]
fn a_removed_object_is_drift() {
    let universe = running("");
    universe.host.delete_object(&target(), &web()).unwrap();
    let found = drift(&universe, "");
    assert_eq!((found.len(), found[0].kind), (1, DriftKind::Removed));
}
