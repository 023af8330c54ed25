//! The test bed's own servers do what they promise.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use laconic_testbed::{ApiServer, AuditFilter, Options, TestbedError, User};
use serde_json::json;

fn config_map(name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

#[tokio::test]
async fn a_server_answers_and_tells_its_version() {
    if laconic_testbed::off() {
        return;
    }
    let client = ApiServer::shared().client("admin").await;
    let version = client.apiserver_version().await.unwrap();
    assert!(version.minor.parse::<u32>().unwrap() >= 33, "{version:?}");
    assert_ne!(version.git_version, "v0.0.0");
    let namespaces: Api<Namespace> = Api::all(client);
    assert!(namespaces.get("kube-system").await.unwrap().metadata.uid.is_some());
}

#[tokio::test]
async fn every_request_is_in_the_audit_log_once() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let namespace = server.namespace("audit");
    let objects: Api<ConfigMap> = Api::namespaced(server.client("admin").await, &namespace);
    let begin = server.audit_mark();
    objects.create(&PostParams::default(), &config_map("one")).await.unwrap();
    objects.list(&ListParams::default()).await.unwrap();
    let apply = PatchParams { dry_run: true, ..PatchParams::apply("shop").force() };
    let patch = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "b" } });
    objects.patch("one", &apply, &Patch::Apply(&patch)).await.unwrap();
    objects.get("two").await.unwrap_err();

    let here = AuditFilter::new().namespace(&namespace).user("admin");
    let events = server.audit_since(begin).matching(here.clone());
    let seen: Vec<_> = events.iter().map(|event| (event.verb.as_str(), event.name.as_str(), event.code)).collect();
    assert_eq!(
        seen,
        [("create", "one", 201), ("list", "", 200), ("patch", "one", 200), ("get", "two", 404)],
        "{events}"
    );
    let patch = &events[2];
    assert!(patch.dry_run && patch.force && !events[0].dry_run);
    assert_eq!(patch.field_manager.as_deref(), Some("shop"));
    assert_eq!((patch.group.as_str(), patch.resource.as_str()), ("", "configmaps"));
    assert_eq!(server.audit_since(begin).matching(here.verb("list")).len(), 1);
    server.kubectl("admin", &["get", "configmap", "one", "--namespace", &namespace]);
    let kubectl = AuditFilter::new().user_agent("kubectl/").namespace(&namespace);
    assert_eq!(server.audit_since(begin).matching(kubectl).len(), 1);
    assert!(server.audit_since(server.audit_mark()).matching(AuditFilter::new().namespace(&namespace)).is_empty());
}

#[tokio::test]
async fn users_have_the_rights_that_are_bound_to_them() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared();
    let namespace = server.namespace("rights");
    let admin = server.client("admin").await;
    let metadata = json!({ "name": "reader" });
    let role = json!({ "metadata": metadata, "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"] }] });
    let binding = json!({
        "metadata": metadata,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
        "subjects": [
            { "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice" },
            { "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers" },
        ],
    });
    let roles: Api<Role> = Api::namespaced(admin.clone(), &namespace);
    roles.create(&PostParams::default(), &serde_json::from_value(role).unwrap()).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(admin.clone(), &namespace);
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    let objects: Api<ConfigMap> = Api::namespaced(admin, &namespace);
    objects.create(&PostParams::default(), &config_map("one")).await.unwrap();

    for user in [User::new("alice"), User::new("bob").group("readers")] {
        let objects: Api<ConfigMap> = Api::namespaced(server.client(&user).await, &namespace);
        allowed(&objects).await;
        let denied = objects.delete("one", &DeleteParams::default()).await.unwrap_err();
        assert_eq!(code(&denied), Some(403), "{denied}");
    }
    let objects: Api<ConfigMap> = Api::namespaced(server.client("mallory").await, &namespace);
    assert_eq!(code(&objects.get("one").await.unwrap_err()), Some(403));
}

/// Waits until the server's authorizer has heard of the binding.
async fn allowed(objects: &Api<ConfigMap>) {
    let begun = std::time::Instant::now();
    loop {
        match objects.get("one").await {
            Ok(_) => return,
            Err(error) if code(&error) == Some(403) && begun.elapsed() < Duration::from_secs(60) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_user_can_have_a_token_and_several_groups() {
    if laconic_testbed::off() {
        return;
    }
    let robot = User::new("robot").group("one").group("two");
    let server = ApiServer::start(Options::new().token_user(&robot)).unwrap();
    let text = std::fs::read_to_string(server.kubeconfig("robot")).unwrap();
    assert!(text.contains("token") && !text.contains("client-key-data"), "{text}");
    let output = server.kubectl("robot", &["auth", "whoami", "-o", "json"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("\"robot\"") && said.contains("\"one\"") && said.contains("\"two\""), "{output:?}");
}

#[test]
fn a_flag_that_the_server_refuses_is_named_with_its_log() {
    if laconic_testbed::off() {
        return;
    }
    let Err(error) = ApiServer::start(Options::new().flag("--no-such-flag")) else { panic!("it started") };
    assert!(matches!(error, TestbedError::Ended { server: "kube-apiserver", .. }));
    assert!(error.to_string().contains("unknown flag: --no-such-flag"), "{error}");
}

#[tokio::test]
async fn a_deleted_namespace_goes_with_a_controller_manager_and_stays_without() {
    if laconic_testbed::off() {
        return;
    }
    async fn delete(client: Client, name: &str) -> Api<Namespace> {
        let namespaces: Api<Namespace> = Api::all(client);
        namespaces.delete(name, &DeleteParams::default()).await.unwrap();
        namespaces
    }
    let with = ApiServer::shared_with_controller_manager();
    let name = with.namespace("gone");
    let namespaces = delete(with.client("admin").await, &name).await;
    let gone = async {
        while namespaces.get_opt(&name).await.unwrap().is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), gone).await.expect("the namespace is still there");

    let without = ApiServer::shared();
    let name = without.namespace("stays");
    let namespaces = delete(without.client("admin").await, &name).await;
    let status = namespaces.get(&name).await.unwrap().status.unwrap();
    assert_eq!(status.phase.as_deref(), Some("Terminating"));
}
