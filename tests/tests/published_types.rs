//! Every compiled object is one of the published Kubernetes types: read as such and written back, nothing is lost.

#[expect(dead_code, reason = "each test file uses its part of the fixtures")]
mod cases;
mod published;

use cases::{compile_sources, names, sources};
use laconic_engine::compile::caddy::{CaddySettings, caddy_system};
use laconic_engine::compile::{ClusterInput, compose_cluster};
use published::check;

fn check_case(case: &str, more_identity: &str, more_spec: &str) {
    let mut sources = sources(case, more_identity);
    let spec = cases::text(case, "deployment/spec.yml").unwrap();
    sources.insert("spec.yml", format!("{spec}\n{more_spec}").as_bytes());
    let compilation = compile_sources(case, &sources);
    let Some(compiled) = compilation.deployment else { panic!("{case}: {:#?}", compilation.findings) };
    compiled.resources.iter().for_each(check);
    let tenants = [].into();
    let planned = [(case.to_owned(), Some((compiled.tenant.clone(), compiled.wish_places.clone())))].into();
    let cluster = compose_cluster(&ClusterInput { name: "c", registered: &tenants, planned, recorded: None });
    cluster.resources.iter().for_each(check);
    let cluster_name = compiled.target.name();
    for resource in &compiled.resources {
        assert!(resource.needs.is_sorted(), "{}", resource.address);
        assert!(resource.places.is_sorted_by_key(|(path, _)| path.clone()), "{}", resource.address);
        for need in &resource.needs {
            let here = compiled.resources.iter().any(|other| other.address == *need);
            let in_cluster = need.scope.is_cluster()
                && need.scope.name() == cluster_name
                && cluster.resources.iter().any(|other| {
                    other.address.resource_type == need.resource_type
                        && (need.name.is_none() || other.address.name == need.name)
                });
            assert!(here || in_cluster, "{} needs {need}, which nobody makes", resource.address);
        }
    }
    assert!(compiled.resources.is_sorted_by(|left, right| left.address < right.address), "{case}");
}

#[test]
fn objects_of_every_fixture_are_published_types() {
    for case in names() {
        check_case(&case, "", "");
    }
}

#[test]
fn objects_of_the_compose_dialect_are_published_types() {
    for case in names() {
        // These are what only laconic-so accepts: see their notes.
        if matches!(case.as_str(), "x-hostpaths" | "x-env" | "x-unmapped-volume") {
            continue;
        }
        check_case(&case, "\ndialect: compose\n", "");
    }
}

#[test]
fn objects_of_rare_keys_are_published_types() {
    let more = "
registry-credentials: {server: ghcr.io, username: bot, token-env: TOKEN}
ca-certificates: [/etc/ca.pem]
image-pull-policy: Always
annotations: {'example.com/{name}': x}
labels: {tier: web}
node-affinities: [{label: zone, value: a}]
node-tolerations: [{key: dedicated, value: web}]
external-services:
  mail: {host: mail.example.com}
  cache: {ip: 10.0.0.9, port: 6379}
  other: {selector: {app: x}, namespace: y}
";
    for dialect in ["", "\ndialect: compose\n"] {
        check_case("x-multipod", dialect, more);
    }
}

#[test]
fn the_ingress_system_is_published_types() {
    let settings = CaddySettings { image: "caddy:1", acme_email: "", has_umbrella: true };
    caddy_system("c", settings).iter().for_each(check);
}
