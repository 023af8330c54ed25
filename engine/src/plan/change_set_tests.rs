//! The change id: the same for every copy of the deployments, another one for every other edit.

use std::collections::BTreeMap;

use crate::compile::{CompiledDeployment, DeploymentSource, Layout, SharedCluster, compile_shared};
use crate::plan::{Action, Mode, Plan, PlanInput, plan_against};
use crate::source::MemorySources;
use crate::spec::{DeploymentFile, Dialect};

const SPEC: &str = "\
stack: x
deploy-to: k8s-kind
kind-mount-root: /srv/kind
config: {LEVEL: info, HOME_DIR: /opt/shop, KEY: '$generate:hex:32$'}
volumes: {data: /srv/kind/shop, scratch: ./scratch, gone:}
registry-credentials: {server: r.example.com, username: bot, token-env: TOKEN}
";
const COMPOSE: &str = "\
services:
  web:
    image: web:1
    environment: {MODE: fast}
    volumes: ['data:/data', 'scratch:/scratch', 'gone:/gone']
volumes: {data: , scratch: , gone: }
";

/// One copy of the deployment: who it is and where.
#[derive(Clone)]
struct Copy {
    identity: Option<DeploymentFile>,
    directory: &'static str,
    cluster: Option<&'static str>,
}

fn identity(deployment_id: &str, cluster_id: &str) -> Option<DeploymentFile> {
    Some(DeploymentFile {
        cluster_id: cluster_id.to_owned(),
        deployment_id: deployment_id.to_owned(),
        dialect: Dialect::Compose,
        ..DeploymentFile::default()
    })
}

fn server() -> Copy {
    Copy { identity: identity("laconic-a1b2c3", "laconic-d4e5f6"), directory: "/srv/deployments/shop", cluster: None }
}

fn pull_request() -> Copy {
    Copy { identity: None, directory: "/known-after-create/shop", cluster: Some("main") }
}

fn compiled(copy: &Copy, spec: &str, compose: &str) -> CompiledDeployment {
    let mut sources = MemorySources::default();
    sources.insert("shop.yml", spec.as_bytes());
    sources.insert("repo/stacks/shop/stack.yml", b"pods: [web]\n");
    sources.insert("repo/compose/docker-compose-web.yml", compose.as_bytes());
    let source = DeploymentSource {
        name: "shop".to_owned(),
        directory: copy.directory.to_owned(),
        spec_file: "shop.yml".to_owned(),
        shown_directory: String::new(),
        layout: Layout::Repository { stack: "repo/stacks/shop".to_owned(), identity: copy.identity.clone() },
    };
    let shared = SharedCluster { id: copy.cluster.map(str::to_owned), ..SharedCluster::default() };
    let compilation = compile_shared(&source, &shared, &sources);
    compilation.deployment.unwrap_or_else(|| panic!("{:?}", compilation.findings))
}

/// What an edit from the usual files to these ones comes to.
fn edited(copy: &Copy, spec: &str, compose: &str) -> Plan {
    let input = PlanInput::new(Mode::Apply, vec![compiled(copy, spec, compose)]);
    plan_against(&[compiled(copy, SPEC, COMPOSE)], input)
}

fn edits() -> Vec<(String, String)> {
    let spec = |from: &str, to: &str| {
        assert!(SPEC.contains(from), "{from}");
        (SPEC.replace(from, to), COMPOSE.to_owned())
    };
    let compose = |from: &str, to: &str| {
        assert!(COMPOSE.contains(from), "{from}");
        (SPEC.to_owned(), COMPOSE.replace(from, to))
    };
    vec![
        spec("info", "debug"),
        spec("info", "warn"),
        spec("LEVEL: info", "LEVEL: ''"),
        // What looks like a placeholder of the directory or of the id is none.
        spec("/opt/shop", "\"\\u0001directory of shop\\u0001\""),
        spec("/opt/shop", "\"\\u0001id of shop\\u0001\""),
        spec("/opt/shop", "\"\\u0001\\u0001directory of shop\\u0001\\u0001\""),
        spec("/opt/shop", "<id of shop>"),
        spec("/opt/shop", "''"),
        // Another volume path: within the umbrella, outside of it, relative, none.
        spec("/srv/kind/shop", "/srv/kind/shop2"),
        spec("/srv/kind/shop", "/data/shop"),
        spec("/srv/kind/shop", "./data"),
        spec("/srv/kind/shop", "''"),
        spec("./scratch", "./scratch2"),
        spec("/srv/kind", "/srv/umbrella"),
        // Another source of a secret, which has no value here.
        spec("TOKEN", "OTHER_TOKEN"),
        spec("hex:32", "hex:64"),
        spec("bot", "robot"),
        compose("web:1", "web:2"),
        compose("MODE: fast", "MODE: fast, MORE: fast"),
        compose("MODE: fast", "MORE: fast"),
        compose("MODE: fast", ""),
        (SPEC.replace("./scratch, gone:", "./scratch"), COMPOSE.replace(", 'gone:/gone'", "").replace(", gone: ", "")),
        (SPEC.to_owned(), COMPOSE.replace("/gone']", "/elsewhere']")),
        (format!("{SPEC}replicas: 2\n"), COMPOSE.to_owned()),
        (format!("{SPEC}namespace: other\n"), COMPOSE.to_owned()),
        (format!("{SPEC}kind-node-image: kindest/node:v1.31.0\n"), COMPOSE.to_owned()),
    ]
}

#[test]
fn every_edit_has_an_id_of_its_own_and_every_copy_has_the_same() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (spec, compose) in edits() {
        let here = edited(&server(), &spec, &compose);
        let there = edited(&pull_request(), &spec, &compose);
        assert_eq!(here.change_set, there.change_set, "{spec}{compose}");
        assert_eq!(here.change_id, there.change_id);
        assert!(!here.change_set.is_empty(), "{spec}{compose}");
        let edit = format!("{spec}{compose}");
        if let Some(other) = seen.insert(here.change_id.clone(), edit.clone()) {
            panic!("two edits have one id:\n{other}\nand\n{edit}");
        }
    }
}

#[test]
fn no_edit_is_an_empty_change_set() {
    let plan = edited(&server(), &format!("# a comment\n{SPEC}"), COMPOSE);
    assert_eq!(plan.change_set, []);
    assert!(plan.is_empty());
}

/// A deployment whose ids are the same, as in older directories, and one that lives in a folder whose name begins like
/// another's.
#[test]
fn ids_that_are_alike_are_told_from_each_other() {
    let (spec, compose) = (SPEC.replace("./scratch", "./scratch2"), COMPOSE.replace("web:1", "web:2"));
    let expected = edited(&pull_request(), &spec, &compose).change_id;
    let one_id = Copy {
        identity: identity("laconic-a1b2c3", "laconic-a1b2c3"),
        directory: "/srv/deployments/shop",
        cluster: None,
    };
    assert_eq!(edited(&one_id, &spec, &compose).change_id, expected);
    let beside = Copy { directory: "/opt/sho", ..server() };
    assert_eq!(edited(&beside, &spec, &compose).change_id, expected);
    assert_eq!(
        edited(&beside, &SPEC.replace("/opt/shop", "/opt/shops"), COMPOSE).change_set,
        edited(&pull_request(), &SPEC.replace("/opt/shop", "/opt/shops"), COMPOSE).change_set
    );
}

#[test]
fn what_only_follows_is_not_listed() {
    let plan = edited(&server(), &SPEC.replace("/srv/kind/shop", "/data/shop"), COMPOSE);
    let told: Vec<String> =
        plan.change_set.iter().map(|one| format!("{} {}", one.action.symbol(), one.address)).collect();
    assert_eq!(
        told,
        [
            "-/+ kind_cluster.<cluster of shop>",
            "+ kind_mount.<cluster of shop>./mnt/data",
            "-/+ persistent_volume.shop.data"
        ]
    );
    // The cluster is made anew with everything on it.
    assert!(plan.changes.len() > 10);
    assert!(plan.changes.iter().all(|change| change.action != Action::Update && !change.assumed));
}

/// On a server that has the real ones, a text that only looks like a placeholder is another edit than the real id.
#[test]
fn what_looks_like_a_placeholder_is_none() {
    let with = |value: &str| edited(&server(), &SPEC.replace("/opt/shop", value), COMPOSE).change_id;
    let ids = [
        with("laconic-a1b2c3"),
        with("\"\\u0001id of shop\\u0001\""),
        with("/srv/deployments/shop"),
        with("\"\\u0001directory of shop\\u0001\""),
    ];
    let different: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
}

/// A deployment that goes to another cluster takes nothing down: the old cluster is no part of the plan, on no side.
#[test]
fn a_cluster_that_is_left_is_left_alone() {
    let moved = Copy { cluster: Some("other"), ..pull_request() };
    let input = PlanInput::new(Mode::Apply, vec![compiled(&moved, SPEC, COMPOSE)]);
    let plan = plan_against(&[compiled(&pull_request(), SPEC, COMPOSE)], input);
    assert!(plan.changes.iter().all(|change| change.action != Action::Delete), "{:?}", plan.change_set);
    assert!(plan.refusals().any(|finding| finding.code == crate::code::Code::ForeignCluster));
}

/// A deployment that a revision no longer has is told of, and stays on its cluster.
#[test]
fn what_goes_is_told_of_and_stays() {
    let plan = plan_against(&[compiled(&server(), SPEC, COMPOSE)], PlanInput::new(Mode::Apply, Vec::new()));
    assert_eq!(plan.change_set, []);
    let codes: Vec<String> = plan.findings.iter().map(|finding| finding.code.to_string()).collect();
    assert_eq!(codes, ["LAC409", "LAC805"]);
}

/// What is new is a change of everything in it.
#[test]
fn a_new_deployment_has_its_content_in_the_id() {
    let new = |copy: &Copy, spec: &str| {
        plan_against(&[], PlanInput::new(Mode::Apply, vec![compiled(copy, spec, COMPOSE)])).change_id
    };
    assert_eq!(new(&server(), SPEC), new(&pull_request(), SPEC));
    assert_ne!(new(&server(), SPEC), new(&server(), &SPEC.replace("info", "debug")));
}
