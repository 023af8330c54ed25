use std::sync::Arc;

use super::*;
use crate::code::{Code, Severity};
use crate::finding::Finding;

fn spec(text: &str) -> (Spec, Vec<Finding>) {
    read_spec(&Arc::from("spec.yml"), text)
}

fn codes(findings: &[Finding]) -> Vec<u16> {
    findings.iter().map(|finding| finding.code.number()).collect()
}

const BASE: &str = "stack: stacks/shop\ndeploy-to: k8s-kind\n";

fn with(text: &str) -> (Spec, Vec<Finding>) {
    spec(&format!("{BASE}{text}"))
}

#[test]
fn every_key_is_known() {
    let (_, findings) = with(
        "kube-config: k\nkind-cluster-name: c\nkind-node-image: kindest/node:v1\nnamespace: n\nconfig: {A: 1}\n\
         credentials-files: [~/x]\nnetwork: {ports: {a: ['80']}, http-proxy: [], acme-email: a@b.c}\nvolumes: {v: }\n\
         configmaps: {c: ./c}\nsecrets: {s: [x]}\nresources: {containers: {limits: {cpus: 1}}, volumes: {v: {reservations: {storage: 1G}}}}\n\
         external-services: {e: {host: h}}\nca-certificates: [a.pem]\nimage-registry: r/o\n\
         registry-credentials: {server: s, username: u, token-env: T}\nimage-overrides: {a: b:1}\nimage-pull-policy: Always\n\
         kind-mount-root: /srv/kind\ncaddy-ingress-image: c:1\nmaintenance-service: a:80\nreplicas: 2\nannotations: {a: true}\n\
         labels: {a: 1}\nnode-affinities: [{label: a, value: b}]\nnode-tolerations: [{key: a, value: b}]\n\
         security: {privileged: 'true', capabilities: [X], unlimited-memlock: yes, runtime-class: r}\nignore: [a]\n\
         suppress: {LAC503: pinned elsewhere}\nrequired-version: '>= 0.1'\nmoved: [{from: a, to: b}]\n",
    );
    assert_eq!(findings, []);
}

#[test]
fn a_required_version_is_compared_with_this_one() {
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(with(&format!("required-version: {own}\n")).1, []);
    assert_eq!(with("required-version: '>=0.1'\n").1, []);
    assert_eq!(codes(&with("required-version: '>=99.1'\n").1), [118]);
    assert_eq!(codes(&with("required-version: 99.1\n").1), [118]);
    assert_eq!(codes(&with("required-version: new\n").1), [101]);
}

#[test]
fn security_flags_take_words() {
    let (spec, findings) = with("security: {privileged: 'True', unlimited-memlock: 'false'}\n");
    assert_eq!(findings, []);
    assert!(spec.security.privileged);
    assert!(!spec.security.unlimited_memlock.unwrap().value);
}

#[test]
fn unknown_keys_come_with_the_nearest() {
    let (_, findings) = with("namepsace: x\nnetwork: {http_proxy: []}\nzzz: 1\n");
    assert_eq!(codes(&findings), [102, 102, 102]);
    assert_eq!(findings[0].help, ["did you mean `namespace`?"]);
    assert_eq!(findings[1].help, ["did you mean `http-proxy`?"]);
    assert!(findings[2].help[0].starts_with("remove"));
    assert!(findings.iter().all(|finding| finding.severity == Severity::Warning));
}

#[test]
fn all_mistakes_come_at_once() {
    let (_, findings) =
        with("replicas: two\nnamespace: [a]\nvolumes: 5\nsecurity: {privileged: maybe}\nkind-mount-root: srv\n");
    assert_eq!(codes(&findings), [101; 5]);
    let lines: Vec<_> = findings.iter().map(|finding| finding.place.as_ref().unwrap().line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7]);
}

#[test]
fn deploy_to_must_be_kubernetes() {
    assert_eq!(codes(&spec("stack: s\n").1), [117]);
    assert_eq!(codes(&spec("stack: s\ndeploy-to:\n").1), [117]);
    let (read, findings) = spec("stack: s\ndeploy-to: compose\n");
    assert_eq!(codes(&findings), [117]);
    assert!(findings[0].help[0].contains("k8s-kind"));
    assert_eq!(read.deploy_to, None);
    assert_eq!(codes(&spec("stack: s\ndeploy-to: k8skind\n").1), [101]);
    assert_eq!(spec("stack: s\ndeploy-to: k8s\n").1, []);
    assert_eq!(codes(&spec("").1), [101]);
    assert_eq!(codes(&spec("- a\n").1), [101]);
    assert_eq!(codes(&spec("deploy-to: k8s\n").1), [101]);
}

#[test]
fn a_literal_token_is_never_repeated() {
    for key in ["token", "password"] {
        let (_, findings) = with(&format!("registry-credentials:\n  server: s\n  {key}: hunter2secret\n"));
        assert_eq!(codes(&findings), [703]);
        assert!(!format!("{findings:?}").contains("hunter2"));
        let place = findings[0].place.as_ref().unwrap();
        assert_eq!((place.line, place.column, place.length), (5, 3, u32::try_from(key.len()).unwrap()));
    }
    let (_, findings) = with("registry-credentials:\n  server: s\n  token-env: T\n  tokn: hunter2secret\n");
    assert_eq!(codes(&findings), [102]);
    assert_eq!(findings[0].place.as_ref().unwrap().line, 3);
    assert_eq!(with("registry-credentials: {server: s, token-env: TOKEN}\n").1, []);
}

#[test]
fn image_pull_secret_is_deprecated_and_works() {
    let (read, findings) = with("image-pull-secret: {server: s, username: u, token-file: f}\n");
    assert_eq!(codes(&findings), [114]);
    assert!(read.registry_credentials.unwrap().is_image_pull_secret);
    let (read, _) =
        with("registry-credentials: {server: new, token-env: T}\nimage-pull-secret: {server: old, token-env: T}\n");
    assert_eq!(read.registry_credentials.unwrap().server.unwrap().value, "new");
}

#[test]
fn routes_have_places_for_their_parts() {
    let text = "network:\n  http-proxy:\n    - host-name: a.example.com\n      routes:\n        - path: /\n          proxy-to: \"wéb:80\"\n";
    let (read, findings) = with(text);
    assert_eq!(findings, []);
    let route = &read.http_proxy[0].routes[0];
    assert_eq!((route.container.value.as_str(), route.port.value), ("wéb", 80));
    assert_eq!((route.container.place.column, route.port.place.column), (22, 26));
    let (read, findings) =
        with("network: {http-proxy: [{host-name: a, routes: [{path: /, proxy-to: web}]}, {routes: []}]}\n");
    assert_eq!(codes(&findings), [101, 101]);
    assert_eq!(read.http_proxy.len(), 1);
}

#[test]
fn consents_cannot_be_suppressed() {
    assert_eq!(codes(&with("suppress: {LAC302: fine}\n").1), [101]);
    assert_eq!(codes(&with("suppress: {LAC503: ''}\n").1), [101]);
    assert_eq!(codes(&with("suppress: {LAC999: x}\n").1), [101]);
}

#[test]
fn stacks_list_names_or_mappings() {
    let file = Arc::from("stack.yml");
    let (stack, findings) = read_stack(
        &file,
        "shop",
        "version: 1.0\nname: other\npods:\n  - web\n  - name: api\n    repository: r\n    path: p\njobs: [migrate]\ncontainers:\n",
    );
    assert_eq!(findings, []);
    assert_eq!(stack.name, "shop");
    assert_eq!(stack.pods.iter().map(|pod| pod.value.as_str()).collect::<Vec<_>>(), ["web", "api"]);
    let (_, findings) = read_stack(&file, "shop", "pods: [web, web, a/b, {path: x}]\npodz: []\n");
    assert_eq!(codes(&findings), [101, 101, 101, 102]);
}

#[test]
fn deployment_files_fall_back_to_the_cluster_id() {
    let file = Arc::from("deployment.yml");
    let (read, findings) = read_deployment_file(&file, "cluster-id: laconic-a\nstack-source: s\n");
    assert_eq!(findings, []);
    assert_eq!((read.deployment_id.as_str(), read.dialect), ("laconic-a", Dialect::LaconicSo));
    let (read, _) = read_deployment_file(&file, "cluster-id: a\ndeployment-id: b\ndialect: compose\n");
    assert_eq!((read.deployment_id.as_str(), read.dialect), ("b", Dialect::Compose));
    assert_eq!(codes(&read_deployment_file(&file, "cluster-id: a\ndialect: new\n").1), [101]);
    assert_eq!(codes(&read_deployment_file(&file, "").1), [101]);
    assert_eq!(codes(&read_deployment_file(&file, "deployment-id: b\n").1), [101]);
}

#[test]
fn config_env_follows_the_old_rules() {
    let text = "# comment\nFOO=foo-val\nEMPTY=\nEXTRA=x y # not a comment?\nHASH=a#b\nREF=${FOO}-ref\nDEF=${NOPE:-d}\n\
                UNSET=x${NOPE}y\nFOO=second\nQ=\"a # b\"\nS='it''\nexport E = spaced\nGONE=x\nGONE=\nLIT=$FOO\n";
    let (read, findings) = read_config_env(&Arc::from("config.env"), text);
    let pairs: Vec<(&str, &str)> =
        read.variables.iter().map(|variable| (variable.name.as_str(), variable.value.as_str())).collect();
    assert_eq!(
        pairs,
        [
            ("FOO", "second"),
            ("EXTRA", "x y"),
            ("HASH", "a#b"),
            ("REF", "foo-val-ref"),
            ("DEF", "d"),
            ("UNSET", "xy"),
            ("Q", "a # b"),
            ("E", "spaced"),
            ("LIT", "$FOO"),
        ]
    );
    assert_eq!(codes(&findings), [113, 101]);
    let place = findings[0].place.as_ref().unwrap();
    assert_eq!((place.line, place.column, place.length), (8, 8, 7));
    assert!(findings.iter().all(|finding| finding.severity == Severity::Warning));
}

#[test]
fn credentials_are_secret_and_left_out() {
    let text = "DSN=postgres://spec\nPLAIN=a\n# From credentials file: creds.env\nAPI_KEY=abc123\nDSN=postgres://creds\nX=${HUSH}\n";
    let (read, findings) = read_config_env(&Arc::from("config.env"), text);
    assert_eq!(read.secrets_from_line, Some(4));
    let secret: Vec<_> = read.variables.iter().map(|variable| (variable.name.as_str(), variable.is_secret)).collect();
    assert_eq!(secret, [("DSN", true), ("PLAIN", false), ("API_KEY", true)]);
    assert!(!format!("{read:?}").contains("abc123"));
    assert!(!format!("{findings:?}").contains("HUSH"));
    assert_eq!(findings[0].code, Code::UnsetVariable);
}
