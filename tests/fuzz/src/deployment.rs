//! Whole deployments with one file fuzzed: reading, checking and compiling it, in both dialects.

use laconic_engine::compile::{ClusterInput, DeploymentSource, Layout, compile, compose_cluster, kind_config};
use laconic_engine::source::MemorySources;

const SPEC: &str = "\
stack: stacks/shop
deploy-to: k8s-kind
kind-mount-root: /srv/kind
config: {A: value, B: '', SECRET: $generate:hex:16$}
volumes: {data: /srv/kind/data, cache: }
configmaps: {settings: ./settings}
network: {http-proxy: [{host-name: shop.example.com, routes: [{path: /, proxy-to: 'web:80'}]}]}
";
const COMPOSE: &str = "\
services:
  web: {image: 'nginx:1', ports: ['80'], volumes: ['data:/data', 'settings:/etc/settings:ro']}
  side: {image: 'busybox:1', environment: {URL: 'http://web/$A'}}
volumes: {data: , cache: , settings: }
";

/// spec.yml.
pub fn spec(data: &[u8]) {
    compiled("spec.yml", data);
}

/// A compose file.
pub fn compose(data: &[u8]) {
    compiled("compose/docker-compose-web.yml", data);
}

fn compiled(fuzzed: &str, data: &[u8]) {
    for dialect in ["laconic-so", "compose"] {
        let identity = format!("cluster-id: main\ndeployment-id: laconic-0123456789\ndialect: {dialect}\n");
        let mut sources = MemorySources::default();
        for (path, text) in [
            ("spec.yml", SPEC),
            ("stack.yml", "pods: [web]\njobs: [web]\n"),
            ("deployment.yml", identity.as_str()),
            ("config.env", "A=value\n"),
            ("compose/docker-compose-web.yml", COMPOSE),
            ("compose-jobs/docker-compose-web.yml", "services: {migrate: {image: 'busybox:1'}}\n"),
            ("configmaps/settings/a", "text"),
        ] {
            sources.insert(path, text.as_bytes());
        }
        sources.insert(fuzzed, data);
        let source = DeploymentSource {
            name: "shop".to_owned(),
            directory: "/srv/deployments/shop".to_owned(),
            spec_file: "spec.yml".to_owned(),
            shown_directory: String::new(),
            layout: Layout::Directory,
        };
        let compilation = compile(&source, &sources);
        let Some(deployment) = compilation.deployment else {
            // Nothing is refused without a reason.
            assert!(laconic_engine::finding::has_errors(&compilation.findings), "no deployment and no error");
            continue;
        };
        let Some(cluster) = deployment.target.kind_cluster().map(str::to_owned) else { continue };
        let tenants = [].into();
        let planned = [(deployment.name, Some((deployment.tenant, deployment.wish_places)))].into();
        let cluster = compose_cluster(&ClusterInput { name: &cluster, registered: &tenants, planned, recorded: None });
        if let Some(resource) = cluster.resources.first() {
            let _ = kind_config(&resource.attributes.value());
        }
    }
}
