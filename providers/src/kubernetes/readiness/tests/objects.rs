//! Claims, volumes, Services, Ingresses and namespaces.

use laconic_engine::apply::Readiness;
use serde_json::{Value, json};

use crate::kubernetes::readiness::{ingress, namespace, persistent_volume, persistent_volume_claim, service};
use Readiness::{Failed, Progressing, Ready};

fn claim(class: &str, volume: &str, phase: &str) -> Value {
    json!({
        "metadata": {"name": "data", "namespace": "shop", "uid": "claim-1"},
        "spec": {"storageClassName": class, "volumeName": volume, "accessModes": ["ReadWriteOnce"],
                 "resources": {"requests": {"storage": "2Gi"}}},
        "status": {"phase": phase},
    })
}

fn volume(change: impl FnOnce(&mut Value)) -> Value {
    let mut volume = json!({
        "metadata": {"name": "disk"},
        "spec": {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual"},
        "status": {"phase": "Available"},
    });
    change(&mut volume);
    volume
}

#[test]
fn claims_that_name_a_volume_say_what_is_between_them() {
    let judged = |volume: Option<Value>| {
        let around =
            persistent_volume_claim::Surroundings { volume: Ok(volume), class: Ok(None), events: Ok(Vec::new()) };
        persistent_volume_claim::judge(&claim("manual", "disk", "Pending"), &around)
    };
    let cases = [
        (None, "volume \"disk\" does not exist"),
        (Some(volume(|_| {})), "it is not bound yet"),
        (
            Some(volume(|one| one["spec"]["claimRef"] = json!({"namespace": "other", "name": "data", "uid": "x"}))),
            "volume \"disk\" is bound to another claim, other/data",
        ),
        (
            Some(volume(|one| {
                one["spec"]["claimRef"] = json!({"namespace": "shop", "name": "data", "uid": "earlier"})
            })),
            "volume \"disk\" is still bound to an earlier claim shop/data",
        ),
        (
            Some(volume(|one| {
                one["spec"]["claimRef"] = json!({"namespace": "shop", "name": "data", "uid": "claim-1"})
            })),
            "it is not bound yet",
        ),
        (
            Some(volume(|one| one["spec"]["storageClassName"] = "".into())),
            "volume \"disk\" is of class \"\", and class \"manual\" is asked for",
        ),
        (
            Some(volume(|one| one["spec"]["capacity"]["storage"] = "2G".into())),
            "volume \"disk\" holds 2G, and 2Gi are asked for",
        ),
        (
            Some(volume(|one| one["spec"]["accessModes"] = json!(["ReadOnlyMany"]))),
            "volume \"disk\" does not allow ReadWriteOnce",
        ),
        (
            Some(volume(|one| one["metadata"]["deletionTimestamp"] = "2026-11-22T05:51:48Z".into())),
            "volume \"disk\" is being deleted",
        ),
    ];
    for (volume, text) in cases {
        assert_eq!(judged(volume), Progressing(text.to_owned()));
    }
}

#[test]
fn claims_say_why_no_volume_is_made_for_them() {
    let judged = |claim: &Value, class: Option<Value>, events: Vec<Value>| {
        let around = persistent_volume_claim::Surroundings { volume: Ok(None), class: Ok(class), events: Ok(events) };
        persistent_volume_claim::judge(claim, &around)
    };
    let class = |mode: &str| Some(json!({"provisioner": "rancher.io/local-path", "volumeBindingMode": mode}));
    assert_eq!(judged(&claim("standard", "disk", "Bound"), None, vec![]), Ready);
    let lost = Failed("volume \"disk\" is gone, and the data on it".to_owned());
    assert_eq!(judged(&claim("standard", "disk", "Lost"), None, vec![]), lost);

    let pending = claim("standard", "", "Pending");
    let first = json!({"type": "Normal", "reason": "WaitForFirstConsumer", "message": "waiting for first consumer …"});
    assert_eq!(judged(&pending, class("WaitForFirstConsumer"), vec![first.clone()]), Ready);
    let mut selected = pending.clone();
    selected["metadata"]["annotations"] = json!({"volume.kubernetes.io/selected-node": "node"});
    let provisioning = json!({"type": "Normal", "reason": "ExternalProvisioning", "message": "Waiting for a volume"});
    let no_space = json!({"type": "Warning", "reason": "ProvisioningFailed", "message": "no space\nleft"});
    let cases = [
        (&selected, class("WaitForFirstConsumer"), vec![first, provisioning.clone()], "Waiting for a volume"),
        (&pending, class("Immediate"), vec![no_space, provisioning], "no space left"),
        (&pending, None, vec![], "storage class \"standard\" does not exist, and no volume of that class fits it"),
        (&claim("", "", "Pending"), None, vec![], "it names no storage class, and no volume fits it"),
    ];
    for (claim, class, events, text) in cases {
        assert_eq!(judged(claim, class, events), Progressing(text.to_owned()));
    }

    // Classes are of the whole cluster: not everybody may see them.
    let hidden =
        |events| persistent_volume_claim::Surroundings { volume: Ok(None), class: Err("no".to_owned()), events };
    let waits = json!({"type": "Normal", "reason": "WaitForFirstConsumer", "message": "waiting for first consumer …"});
    assert_eq!(persistent_volume_claim::judge(&pending, &hidden(Ok(vec![waits]))), Ready);
    let blind = Progressing("it is not bound yet (reasons not visible: no)".to_owned());
    assert_eq!(persistent_volume_claim::judge(&pending, &hidden(Err("no".to_owned()))), blind);
}

#[test]
fn volumes_that_serve_nobody_are_not_ready() {
    assert_eq!(persistent_volume::judge(&volume(|_| {})), Ready);
    let released = persistent_volume::judge(&volume(|one| one["status"]["phase"] = "Released".into()));
    assert!(matches!(released, Progressing(why) if why.contains("released")));
    let failed =
        volume(|one| one["status"] = json!({"phase": "Failed", "message": "host_path deleter only supports /tmp"}));
    assert_eq!(persistent_volume::judge(&failed), Failed("host_path deleter only supports /tmp".to_owned()));
}

#[test]
fn only_load_balancers_are_waited_for() {
    let service = |kind: &str, status: Value| json!({"spec": {"type": kind}, "status": {"loadBalancer": status}});
    let none = Ok(Vec::new());
    for kind in ["ClusterIP", "NodePort", "ExternalName"] {
        assert_eq!(service::judge(&service(kind, json!({})), &none), Ready);
    }
    let address = json!({"ingress": [{"ip": "192.0.2.1"}]});
    assert_eq!(service::judge(&service("LoadBalancer", address), &none), Ready);
    let waits = "no load balancer has given it an address yet";
    assert_eq!(service::judge(&service("LoadBalancer", json!({})), &none), Progressing(waits.to_owned()));
    let event =
        json!({"type": "Warning", "reason": "SyncLoadBalancerFailed", "message": "Error syncing load balancer: quota"});
    assert_eq!(
        service::judge(&service("LoadBalancer", json!({})), &Ok(vec![event])),
        Progressing(format!("{waits}: Error syncing load balancer: quota"))
    );
}

#[test]
fn ingresses_need_a_controller_and_a_service() {
    let ingress = |class: &str, address: Value| {
        json!({
            "metadata": {"annotations": {"kubernetes.io/ingress.class": class}},
            "spec": {"rules": [{"host": "a.example.com", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]},
            "status": {"loadBalancer": {"ingress": address}},
        })
    };
    let named = |name: &str| json!({"metadata": {"name": name, "namespace": "caddy-system"}});
    let around = |class: Option<&str>, available: Option<u64>| ingress::Surroundings {
        services: Ok(vec![named("web")]),
        class: Ok(class.map(|controller| json!({"spec": {"controller": controller}}))),
        controllers: Ok(available
            .map(|available| {
                let mut one = named("caddy-ingress-controller");
                one["status"] = json!({ "availableReplicas": available });
                one
            })
            .into_iter()
            .collect()),
    };
    let (caddy, nginx) = (Some("caddy.io/ingress-controller"), Some("k8s.io/ingress-nginx"));
    let address = || json!([{"hostname": "lb.example.com"}]);
    let cases = [
        (ingress("nginx", address()), around(nginx, None), Ready),
        (ingress("caddy", json!(null)), around(caddy, Some(1)), Ready),
        // The Helm chart of Caddy makes no IngressClass.
        (ingress("caddy", json!(null)), around(None, Some(1)), Ready),
        (
            ingress("caddy", json!([{}])),
            around(caddy, Some(0)),
            Progressing(
                "no ingress controller runs: deployment caddy-ingress-controller in namespace caddy-system is not ready"
                    .to_owned(),
            ),
        ),
        (
            ingress("caddy", json!(null)),
            around(caddy, None),
            Progressing("no ingress controller serves class \"caddy\"".to_owned()),
        ),
        (
            ingress("nginx", json!(null)),
            around(None, None),
            Progressing("no ingress controller serves class \"nginx\"".to_owned()),
        ),
        (
            ingress("nginx", json!(null)),
            around(nginx, None),
            Progressing(
                "ingress controller k8s.io/ingress-nginx, of class \"nginx\", has given it no address yet".to_owned(),
            ),
        ),
        (
            ingress("nginx", address()),
            ingress::Surroundings { services: Ok(vec![named("other")]), ..around(nginx, None) },
            Progressing("service \"web\", to which it leads, does not exist".to_owned()),
        ),
        (
            ingress("nginx", address()),
            ingress::Surroundings { services: Err("services is forbidden".to_owned()), ..around(nginx, None) },
            Ready,
        ),
        (
            ingress("caddy", json!(null)),
            ingress::Surroundings { controllers: Err("deployments is forbidden".to_owned()), ..around(caddy, None) },
            Ready,
        ),
    ];
    for (ingress, around, outcome) in cases {
        assert_eq!(ingress::judge(&ingress, &around), outcome, "{ingress}");
    }
}

#[test]
fn namespaces_say_what_is_left_in_them() {
    assert_eq!(namespace::judge(&json!({"status": {"phase": "Active"}})), Ready);
    let leaving = json!({"status": {"phase": "Terminating", "conditions": [
        {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "All content successfully deleted"},
        {"type": "NamespaceContentRemaining", "status": "True",
         "message": "Some resources are remaining: pods. has 1 resource instances"},
        {"type": "NamespaceFinalizersRemaining", "status": "True",
         "message": "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"},
    ]}});
    let text = "it is being deleted: Some resources are remaining: pods. has 1 resource instances; Some content in the \
                namespace has finalizers remaining: example.com/hold in 1 resource instances";
    assert_eq!(namespace::judge(&leaving), Progressing(text.to_owned()));
    assert_eq!(
        namespace::judge(&json!({"status": {"phase": "Terminating"}})),
        Progressing("it is being deleted".to_owned())
    );
}
