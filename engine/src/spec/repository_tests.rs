//! laconic.yml, and what is wrong with it.

use std::sync::Arc;

use super::*;
use crate::code::Code;
use crate::finding::Finding;

fn read(text: &str) -> (Repository, Vec<Finding>) {
    read_repository(&Arc::from("laconic.yml"), text)
}

/// Code, line and message of each finding.
fn said(text: &str) -> Vec<String> {
    let findings = read(text).1;
    findings
        .iter()
        .map(|one| {
            let line = one.place.as_ref().map_or(0, |place| place.line);
            format!(
                "{} {line} {}{}",
                one.code,
                one.message,
                one.help.first().map(|help| format!(" ({help})")).unwrap_or_default()
            )
        })
        .collect()
}

const WHOLE: &str = "\
required-version: '>=0'
deployments:
  shop:
    spec: shop/spec.yml
    stack: ../stacks/stacks/shop
    directory: /srv/deployments/shop
    cluster: main
  ledger:
    spec: ledger.yml
    stack: {repo: https://git.example.com/stacks.git, rev: v1.2, path: stacks/ledger}
    cluster: main
    dialect: laconic-so
clusters:
  main:
    kind-mount-root: /srv/kind
    kind-node-image: kindest/node:v1.31.0
    caddy-ingress-image: ghcr.io/example/caddy:1
    acme-email: ops@example.com
state:
  backend: local
policy:
  warnings-as-errors: [LAC503]
suppress:
  LAC201: made on purpose
";

#[test]
fn everything_is_read() {
    let (repository, findings) = read(WHOLE);
    assert_eq!(findings, []);
    let names: Vec<&str> = repository.deployments.iter().map(|one| one.name.value.as_str()).collect();
    assert_eq!(names, ["shop", "ledger"]);
    let [shop, ledger] = repository.deployments.as_slice() else { panic!() };
    assert_eq!(shop.directory.as_ref().unwrap().place.line, 6);
    let Some(StackReference::Pinned(pin)) = &ledger.stack else { panic!("{ledger:?}") };
    assert_eq!((pin.rev.value.as_str(), pin.path.value.as_str()), ("v1.2", "stacks/ledger"));
    assert_eq!(ledger.dialect.as_ref().unwrap().value, Dialect::LaconicSo);
    let main = repository.cluster("main").unwrap();
    assert_eq!(main.kind_mount_root.as_ref().unwrap().value, "/srv/kind");
    assert_eq!(main.acme_email.as_ref().unwrap().value, "ops@example.com");
    assert!(repository.policy.forbids(Code::MovingTag) && !repository.policy.forbids(Code::NoUmbrellaMount));
    assert_eq!(repository.suppress[0].1, "made on purpose");
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = "\
deployment:
deployments:
  a.b: {spec: x}
  shop: {spce: shop.yml}
  ledger:
    spec: ledger.yml
    stack: {repo: r, rev: -x}
    cluster: mian
  third: {spec: t.yml, directory: ./d}
  fourth: {spec: f.yml, directory: d/, dialect: docker}
clusters:
  main: {kind-mount-root: srv, node-image: x}
state: {backend: s3}
policy: {warnings-as-errors: [LAC503, LAC999, LAC202, LAC101, LAC210], stict: true}
suppress: {LAC202: no, LAC503: fine}
";
    assert_eq!(
        said(text),
        [
            "LAC102 1 unknown key `deployment` (did you mean `deployments`?)",
            "LAC101 3 `a.b` is no name of a deployment (use letters, digits, `-` and `_`: the name is a part of addresses)",
            "LAC102 4 unknown key `spce` (did you mean `spec`?)",
            "LAC101 4 deployment `shop` has no `spec` (add `spec: PATH`, relative to laconic.yml)",
            "LAC101 7 `rev` is no revision (write a commit or a tag)",
            "LAC101 10 `dialect` must be `compose` or `laconic-so` (write one of the two)",
            "LAC101 12 `kind-mount-root` must be an absolute path (write the full path, such as `/srv/kind`; `~` and variables are not expanded)",
            "LAC102 12 unknown key `node-image` (remove the key: nothing reads it)",
            "LAC101 13 the state backend `s3` is not there yet: only `local` is (write `backend: local`, or leave `state:` out)",
            "LAC101 14 `LAC999` is no finding code (write a code such as `LAC503`)",
            "LAC101 14 `LAC202` has severity consent already (remove it: a policy lists warnings)",
            "LAC101 14 `LAC101` has severity error already (remove it: a policy lists warnings)",
            "LAC101 14 `LAC210` is a note: it says nothing that could be wrong (remove it)",
            "LAC102 14 unknown key `stict` (did you mean `strict`?)",
            "LAC101 15 `LAC202` cannot be suppressed (a consent is given with its flag, a refusal is lifted by removing its cause)",
            "LAC101 8 the cluster `mian` is not under `clusters:` (did you mean `main`?)",
            "LAC101 10 third and fourth have one deployment directory, `d/` (give each deployment a directory of its own)",
            "LAC101 15 `LAC503` is an error and suppressed at once (remove one of the two)",
        ]
    );
}

#[test]
fn a_file_that_is_no_repository_says_so() {
    assert_eq!(
        said(""),
        ["LAC101 1 the file is empty (write `deployments:` with a name and a `spec:` for each deployment)"]
    );
    assert_eq!(
        said("- a\n"),
        ["LAC101 1 `laconic.yml` must be a mapping, not a list (write a line `KEY: VALUE` for each entry)"]
    );
    assert_eq!(
        said("clusters: {}\n"),
        ["LAC101 1 `deployments` is missing (add `deployments:` with a name and a `spec:` for each deployment)"]
    );
    assert_eq!(
        said("required-version: '9'\ndeployments: {a: {spec: a.yml}}\n").len(),
        1,
        "a version that is not met is told"
    );
}

/// A cluster that no entry describes is one that has no settings: a name is enough to share it.
#[test]
fn a_cluster_needs_no_entry() {
    assert_eq!(said("deployments: {a: {spec: a.yml, cluster: main}}\n"), [""; 0]);
}
