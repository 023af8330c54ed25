//! A server that is away, somebody else's, or not to be trusted.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use laconic_testbed::{ApiServer, Options, User};
use serde_json::json;

async fn identity(client: Client) -> kube::Result<String> {
    let namespaces: Api<Namespace> = Api::all(client);
    Ok(namespaces.get("kube-system").await?.metadata.uid.unwrap())
}

/// An error with all its causes, in one line.
fn said(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_paused_server_is_silent_and_comes_back() {
    if laconic_testbed::off() {
        return;
    }
    let mut server = ApiServer::start(Options::new()).unwrap();
    let client = server.client("admin").await;
    let before = identity(client.clone()).await.unwrap();
    server.pause();
    let silent = tokio::time::timeout(Duration::from_secs(1), identity(client.clone())).await;
    assert!(silent.is_err(), "a paused server answered");
    server.resume();
    assert_eq!(identity(client).await.unwrap(), before);
}

#[tokio::test]
async fn a_stopped_server_refuses_and_comes_back_with_its_data() {
    if laconic_testbed::off() {
        return;
    }
    let mut server = ApiServer::start(Options::new()).unwrap();
    let client = server.client("admin").await;
    let namespace = server.namespace("kept");
    let before = identity(client.clone()).await.unwrap();
    let url = server.url();
    server.stop();
    let error = said(&identity(client.clone()).await.unwrap_err());
    assert!(error.contains("refused"), "{error}");
    server.start_again();
    assert_eq!(server.url(), url);
    assert_eq!(identity(client.clone()).await.unwrap(), before);
    let objects: Api<ConfigMap> = Api::namespaced(client, &namespace);
    objects.list(&ListParams::default()).await.unwrap();
}

#[tokio::test]
async fn another_cluster_answers_behind_the_same_address() {
    if laconic_testbed::off() {
        return;
    }
    let mut server = ApiServer::start(Options::new()).unwrap();
    let client = server.client("admin").await;
    let first = identity(client.clone()).await.unwrap();
    server.switch_cluster("second");
    let second = identity(client.clone()).await.unwrap();
    assert_ne!(first, second);
    server.switch_cluster("first");
    assert_eq!(identity(client).await.unwrap(), first);
}

#[tokio::test]
async fn the_kubelet_works_on_in_another_cluster() {
    if laconic_testbed::off() {
        return;
    }
    let mut server = ApiServer::start(Options::new()).unwrap();
    server.kubelet();
    server.switch_cluster("second");
    let pods: Api<Pod> = Api::namespaced(server.client("admin").await, &server.namespace("second"));
    let spec = json!({ "containers": [{ "name": "a", "image": "example.com/a:1" }] });
    let pod = serde_json::from_value(json!({ "metadata": { "name": "a" }, "spec": spec })).unwrap();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let running = async {
        while pods.get("a").await.unwrap().status.unwrap().phase.as_deref() != Some("Running") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), running).await.expect("the pod does not run");
}

#[tokio::test]
async fn kubeconfigs_of_before_do_not_trust_a_renewed_authority() {
    if laconic_testbed::off() {
        return;
    }
    let mut server = ApiServer::start(Options::new()).unwrap();
    let before = server.client("admin").await;
    identity(before.clone()).await.unwrap();
    server.renew_authority();
    let error = said(&identity(before).await.unwrap_err());
    assert!(error.contains("certificate"), "{error}");
    identity(server.client("admin").await).await.unwrap();
}

#[tokio::test]
async fn an_expired_serving_certificate_is_refused() {
    if laconic_testbed::off() {
        return;
    }
    let mut server = ApiServer::start(Options::new().expired_serving_certificate()).unwrap();
    let error = said(&identity(server.client("admin").await).await.unwrap_err());
    assert!(error.contains("expired"), "{error}");
    server.expire_serving_certificate(false);
    identity(server.client("admin").await).await.unwrap();
}

#[tokio::test]
async fn an_expired_client_certificate_is_unauthorized() {
    if laconic_testbed::off() {
        return;
    }
    let client = ApiServer::shared().client(User::admin().expired()).await;
    match identity(client).await.unwrap_err() {
        kube::Error::Api(status) => assert_eq!(status.code, 401),
        other => panic!("{}", said(&other)),
    }
}
