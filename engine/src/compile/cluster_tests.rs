//! Tests of a cluster's desired set.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::cluster::{ClusterCompilation, ClusterInput, compose_cluster};
use crate::address::{ResourceType, Scope};
use crate::code::{Code, Severity};
use crate::place::Place;
use crate::resource::Resource;
use crate::state::{Body, Recorded, State, Status, Tenant, VolumeStorage};

type Planned = BTreeMap<String, Option<(Tenant, BTreeMap<String, Place>)>>;

fn tenant(change: impl FnOnce(&mut Tenant)) -> Tenant {
    let mut tenant = Tenant::default();
    tenant.wishes.ingress = true;
    change(&mut tenant);
    tenant
}

fn places(fields: &[&str]) -> BTreeMap<String, Place> {
    let file: Arc<str> = "spec.yml".into();
    fields.iter().map(|field| ((*field).to_owned(), Place::new(&file, 3, 1, 1))).collect()
}

fn planned(entries: &[(&str, Tenant)]) -> Planned {
    let fields = places(&["mount_root", "caddy_image", "acme_email", "node_image", "mounts./mnt/data"]);
    entries.iter().map(|(name, tenant)| ((*name).to_owned(), Some((tenant.clone(), fields.clone())))).collect()
}

fn registered(entries: &[(&str, Tenant)]) -> BTreeMap<String, Tenant> {
    entries.iter().map(|(name, tenant)| ((*name).to_owned(), tenant.clone())).collect()
}

fn state_of(compiled: &ClusterCompilation) -> State {
    let mut state = State::empty(Scope::cluster("main"));
    for resource in &compiled.resources {
        let recorded = Recorded {
            key: resource.key(),
            uid: "u".into(),
            needs: resource.needs.clone(),
            status: Status::Settled,
            desired: Body::of(resource.attributes.value().into_owned()),
            observed: Body::of(resource.attributes.value().into_owned()),
            completed: false,
        };
        state.resources.insert(resource.address.clone(), recorded);
    }
    state
}

fn compile(registered: &BTreeMap<String, Tenant>, planned: Planned, recorded: Option<&State>) -> ClusterCompilation {
    compose_cluster(&ClusterInput { name: "main", registered, planned, recorded })
}

fn find<'a>(compiled: &'a ClusterCompilation, resource_type: ResourceType, name: &str) -> Option<&'a Resource> {
    let mut resources = compiled.resources.iter();
    resources.find(|it| it.address.resource_type == resource_type && it.address.short_name() == name)
}

fn caddy_image(compiled: &ClusterCompilation) -> String {
    let deployment = find(compiled, ResourceType::Deployment, "caddy-ingress-controller").unwrap();
    let attributes = deployment.attributes.value();
    attributes["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

fn codes(compiled: &ClusterCompilation) -> Vec<Code> {
    compiled.findings.iter().map(|finding| finding.code).collect()
}

fn with_image(image: &str) -> Tenant {
    tenant(|tenant| {
        tenant.wishes.mount_root = Some("/srv/kind".into());
        tenant.wishes.caddy_image = Some(image.into());
    })
}

fn without_image() -> Tenant {
    tenant(|tenant| tenant.wishes.mount_root = Some("/srv/kind".into()))
}

#[test]
fn one_wish_is_followed_and_absence_keeps_what_is_recorded() {
    let nobody = BTreeMap::new();
    let first = compile(&nobody, planned(&[("a", with_image("caddy:1")), ("b", without_image())]), None);
    assert_eq!(caddy_image(&first), "caddy:1");
    assert_eq!(codes(&first), []);
    let state = state_of(&first);
    let later = compile(&first.tenants, planned(&[("a", without_image())]), Some(&state));
    assert_eq!(caddy_image(&later), "caddy:1");
    let fresh = compile(&nobody, planned(&[("b", without_image())]), None);
    assert_eq!(caddy_image(&fresh), super::caddy::DEFAULT_IMAGE);
}

#[test]
fn only_a_changed_wish_moves_a_contested_knob() {
    let tenants = registered(&[("a", with_image("caddy:1")), ("b", without_image())]);
    let state = state_of(&compile(&tenants, Planned::new(), None));
    // b begins to wish something else: it alone changed, so it gets its wish, and everybody is told.
    let moved = compile(&tenants, planned(&[("b", with_image("caddy:2"))]), Some(&state));
    assert_eq!(caddy_image(&moved), "caddy:2");
    assert_eq!(codes(&moved), [Code::KnobConflict]);
    // a is planned again without a change: nothing moves back.
    let state = state_of(&moved);
    let again = compile(&moved.tenants, planned(&[("a", with_image("caddy:1"))]), Some(&state));
    assert_eq!(caddy_image(&again), "caddy:2");
    assert_eq!(codes(&again), [Code::KnobConflict]);
    // Both change at once: nobody is followed.
    let both = planned(&[("a", with_image("caddy:3")), ("b", with_image("caddy:4"))]);
    let both = compile(&again.tenants, both, Some(&state));
    assert_eq!(caddy_image(&both), "caddy:2");
    // The conflict ends: what is left is followed.
    let ended = compile(&again.tenants, planned(&[("b", without_image())]), Some(&state));
    assert_eq!((caddy_image(&ended).as_str(), codes(&ended)), ("caddy:1", vec![]));
}

#[test]
fn an_unpinned_node_image_is_the_recorded_one() {
    let wishing = tenant(|tenant| tenant.wishes.node_image = Some("kindest/node:v1.31".into()));
    let first = compile(&BTreeMap::new(), planned(&[("a", wishing)]), None);
    let state = state_of(&first);
    let later = compile(&first.tenants, planned(&[("a", tenant(|_| ()))]), Some(&state));
    let cluster = later.resources.first().unwrap();
    assert_eq!(cluster.attributes.value()["image"], "kindest/node:v1.31");
}

#[test]
fn unwished_mounts_and_ports_stay_with_a_note() {
    let wishing = tenant(|tenant| {
        tenant.wishes.mounts.insert("/mnt/data".into(), "/opt/data".into());
        tenant.wishes.ports.insert("8899/tcp".into(), 8899);
    });
    let first = compile(&BTreeMap::new(), planned(&[("a", wishing)]), None);
    assert!(find(&first, ResourceType::KindPort, "8899/tcp").is_some());
    assert_eq!(codes(&first), [Code::NoUmbrellaMount]);
    let state = state_of(&first);
    let later = compile(&first.tenants, planned(&[("a", tenant(|_| ()))]), Some(&state));
    assert_eq!(
        later.resources.first(),
        first.resources.first().map(|it| Resource { places: Vec::new(), ..it.clone() }).as_ref()
    );
    assert_eq!(codes(&later), [Code::ClusterDiffers]);
    assert_eq!(later.findings.first().unwrap().severity, Severity::Note);
    let moved = tenant(|tenant| {
        tenant.wishes.mounts.insert("/mnt/data".into(), "/opt/other".into());
    });
    let moved = compile(&first.tenants, planned(&[("a", moved)]), Some(&state));
    let mount = find(&moved, ResourceType::KindMount, "/mnt/data").unwrap();
    assert_eq!(mount.attributes.value()["hostPath"], "/opt/other");
}

#[test]
fn contradictions_are_errors_when_new_and_warnings_when_old() {
    let root = |root: &str| tenant(|tenant| tenant.wishes.mount_root = Some(root.into()));
    let roots = compile(
        &BTreeMap::new(),
        planned(&[("a", root("/srv/kind")), ("b", root("/srv/kind/")), ("c", root("/x"))]),
        None,
    );
    assert_eq!(codes(&roots), [Code::MountRootDisagreement]);
    assert_eq!(roots.findings[0].labels.len(), 1);

    let mount = |host: &str| {
        tenant(|tenant| {
            tenant.wishes.mounts.insert("/mnt/data".into(), host.into());
            tenant.volumes.insert("data".into(), VolumeStorage::Host(host.into()));
        })
    };
    let tenants = registered(&[("a", mount("/opt/a"))]);
    let new = compile(&tenants, planned(&[("b", mount("/opt/a/b"))]), None);
    let errors = new.findings.iter().filter(|finding| finding.severity == Severity::Error);
    assert_eq!(errors.map(|finding| finding.code).collect::<Vec<_>>(), [Code::MountConflict; 2]);
    let old = compile(&new.tenants, planned(&[("b", mount("/opt/a/b"))]), None);
    assert!(!crate::finding::has_errors(&old.findings));
    assert!(codes(&old).contains(&Code::MountConflict));
    let apart = compile(
        &tenants,
        planned(&[(
            "b",
            tenant(|it| {
                it.volumes.insert("data".into(), VolumeStorage::Host("/opt/a-b".into()));
            }),
        )]),
        None,
    );
    assert!(!codes(&apart).contains(&Code::MountConflict));

    let port = || {
        tenant(|tenant| {
            tenant.wishes.ports.insert("53/udp".into(), 53);
        })
    };
    let ports = compile(&BTreeMap::new(), planned(&[("a", port()), ("b", port())]), None);
    assert!(codes(&ports).contains(&Code::MountConflict));
}

#[test]
fn the_recorded_memlock_spec_serves_every_deployment() {
    let wishing = |directory: &str| {
        tenant(|tenant| tenant.wishes.memlock_spec = Some(format!("/d/{directory}/high-memlock-spec.json")))
    };
    let first = compile(&BTreeMap::new(), planned(&[("z", wishing("z"))]), None);
    assert!(find(&first, ResourceType::RuntimeClass, "high-memlock").is_some());
    let state = state_of(&first);
    let later = compile(&first.tenants, planned(&[("a", wishing("a"))]), Some(&state));
    assert_eq!(later.resources.first().unwrap().attributes, first.resources.first().unwrap().attributes);
}

#[test]
fn a_cluster_without_deployments_is_not_wanted() {
    let tenants = registered(&[("a", tenant(|_| ()))]);
    let gone = compile(&tenants, BTreeMap::from([("a".to_owned(), None)]), None);
    assert!(gone.resources.is_empty() && gone.tenants.is_empty());
    let quiet = compile(&BTreeMap::new(), planned(&[("a", Tenant::default())]), None);
    assert!(find(&quiet, ResourceType::Namespace, "caddy-system").is_none());
}

#[test]
fn needs_of_the_desired_set_are_in_it() {
    let compiled = compile(&BTreeMap::new(), planned(&[("a", with_image("caddy:1"))]), None);
    for resource in &compiled.resources {
        for need in &resource.needs {
            assert!(compiled.resources.iter().any(|other| other.address == *need), "{} needs {need}", resource.address);
        }
    }
    assert!(find(&compiled, ResourceType::CronJob, "caddy-cert-backup").is_some());
}

#[test]
fn the_kind_configuration_quotes_what_it_must() {
    let attributes = json!({
        "image": "kindest/node:v1@sha256:0",
        "extraMounts": [{"containerPath": "/mnt/a b: #c", "hostPath": "/x", "propagation": "HostToContainer"}],
        "extraPortMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}],
        "containerdConfigPatches": ["[a]\n  b = \"c\""],
        "kubeadmConfigPatches": ["kind: InitConfiguration\n"],
    });
    let text = super::kind_config::kind_config(&attributes);
    let parsed: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(parsed["nodes"][0]["extraMounts"], attributes["extraMounts"]);
    assert_eq!(parsed["nodes"][0]["image"], attributes["image"]);
    assert_eq!(parsed["containerdConfigPatches"], attributes["containerdConfigPatches"]);
    assert_eq!(parsed["nodes"][0]["kubeadmConfigPatches"], attributes["kubeadmConfigPatches"]);
}
