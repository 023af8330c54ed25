//! `why` knows of every field of every object either the line that causes it or the rule that makes it so.
//! `--nocapture` shows how much of each case is which.

#[expect(dead_code, reason = "each test file uses its part of the fixtures")]
mod cases;

use cases::{compile_sources, names, sources, text};
use laconic_engine::compile::{Origin, origin};
use laconic_engine::diff::flatten;
use laconic_engine::resource::{Resource, is_below};
use laconic_engine::source::MemorySources;

/// The resources of a case, with more in its spec.
fn resources(case: &str, dialect: &str, more: &str) -> Vec<Resource> {
    let mut files = sources(case, dialect);
    let spec = text(case, "deployment/spec.yml").unwrap();
    files.insert("spec.yml", format!("{spec}\n{more}").as_bytes());
    let compilation = compile_sources(case, &files);
    compilation.deployment.or(compilation.tentative).unwrap_or_else(|| panic!("{case}")).resources
}

#[test]
fn every_field_has_a_line_or_a_rule() {
    let mut unknown = Vec::new();
    for dialect in ["", "dialect: compose\n"] {
        println!(
            "| case ({}) | fields | written | by rule |",
            if dialect.is_empty() { "laconic-so" } else { "compose" }
        );
        for case in names() {
            let (mut written, mut by_rule, mut all) = (0, 0, 0);
            for resource in resources(&case, dialect, "") {
                for path in flatten(&resource.attributes.value()).into_keys() {
                    all += 1;
                    match origin(&resource, &path) {
                        Some(Origin::Written(_)) => written += 1,
                        Some(Origin::Rule(_)) => by_rule += 1,
                        None => unknown.push(format!("{case} {} {path}", resource.address)),
                    }
                }
            }
            println!("| {case} | {all} | {written} | {by_rule} |");
        }
    }
    unknown.sort();
    unknown.dedup();
    assert!(unknown.is_empty(), "{} fields of unknown origin:\n{}", unknown.len(), unknown.join("\n"));
}

/// A field of a container never has to make do with the line of its service.
#[test]
fn no_field_of_a_container_has_only_the_line_of_its_service() {
    let mut vague = Vec::new();
    for (case, dialect) in names().iter().flat_map(|case| [(case, ""), (case, "dialect: compose\n")]) {
        for resource in resources(case, dialect, "") {
            for path in flatten(&resource.attributes.value()).into_keys() {
                let Some(Origin::Written(_)) = origin(&resource, &path) else { continue };
                let field = path.split_once("ontainers[").and_then(|(_, rest)| rest.split_once("]."));
                let is_own = |known: &str| known.contains("ontainers[") && !known.ends_with(']');
                let is_item = |known: &str| known.matches('[').count() > 1;
                let mut own = resource.places.iter().map(|(known, _)| known.as_str());
                let own = own.any(|known| (is_own(known) || is_item(known)) && is_below(&path, known));
                let of_variable = path.contains(".env[");
                if field.is_some() && !own && !of_variable {
                    vague.push(format!("{case} {} {path}", resource.address));
                }
            }
        }
    }
    vague.sort();
    vague.dedup();
    assert!(vague.is_empty(), "{}", vague.join("\n"));
}

const SPEC: &str = "
stack: stacks/shop
deploy-to: k8s
kube-config: ./kubeconfig.yml
namespace: storefront
config: {MODE: fast, KEY: '$generate:hex:16$'}
volumes: {data: /data/shop}
configmaps: {settings: ./settings}
secrets: [smtp]
registry-credentials: {server: r.example.com, username: u, token-env: TOKEN}
ca-certificates: [/etc/ca.pem]
replicas: 2
labels: {tier: gold}
annotations: {team: shop}
node-affinities: [{label: disk, value: ssd}]
node-tolerations: [{key: only, value: shops}]
security: {privileged: 'true', capabilities: [NET_ADMIN], runtime-class: gvisor}
image-pull-policy: Always
resources:
  containers: {limits: {cpus: 0.5, memory: 2GB}}
  volumes: {reservations: {storage: 7GB}}
external-services: {pay: {host: pay.example.com}}
network:
  http-proxy: [{host-name: shop.example.com, routes: [{path: /api, proxy-to: 'web:8080'}]}]
";
const COMPOSE: &str = "
services:
  web:
    image: example/web:1
    entrypoint: [run, fast]
    command: serve all
    user: '1000:2000'
    working_dir: /srv
    environment: {LEVEL: info}
    ports: ['8080', '30081:8081']
    volumes: ['data:/var/data', 'settings:/etc/settings:ro', '../config/web/a.conf:/etc/a.conf:ro']
volumes: {data: , settings: }
";

/// Fields that somebody wrote have the very words, not the block around them.
#[test]
fn written_fields_have_their_own_words() {
    let mut files = MemorySources::default();
    for (path, text) in [
        ("spec.yml", SPEC),
        ("stack.yml", "pods: [web]\n"),
        ("deployment.yml", "cluster-id: c\ndeployment-id: d\ndialect: compose\n"),
        ("compose/docker-compose-web.yml", COMPOSE),
        ("config/web/a.conf", "x"),
        ("configmaps/settings/a.conf", "x"),
    ] {
        files.insert(path, text.as_bytes());
    }
    let compilation = compile_sources("shop", &files);
    let resources = compilation.deployment.unwrap_or_else(|| panic!("{:#?}", compilation.findings)).resources;
    let pod = "spec.template.spec";
    let web = format!("{pod}.containers[web]");
    let terms = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]";
    let expected: Vec<(&str, String, &str)> = vec![
        ("deployment.shop.web", "spec.replicas".into(), "2"),
        ("deployment.shop.web", "spec.template.metadata.labels.tier".into(), "gold"),
        ("deployment.shop.web", "spec.template.metadata.annotations.team".into(), "shop"),
        ("deployment.shop.web", format!("{web}.name"), "web"),
        ("deployment.shop.web", format!("{web}.image"), "example/web:1"),
        ("deployment.shop.web", format!("{web}.imagePullPolicy"), "Always"),
        ("deployment.shop.web", format!("{web}.command[1]"), "fast"),
        ("deployment.shop.web", format!("{web}.args[1]"), "serve all"),
        ("deployment.shop.web", format!("{web}.workingDir"), "/srv"),
        ("deployment.shop.web", format!("{web}.env[LEVEL].value"), "info"),
        ("deployment.shop.web", format!("{web}.env[LEVEL].name"), "info"),
        ("deployment.shop.web", format!("{web}.env[MODE].value"), "MODE"),
        ("deployment.shop.web", format!("{web}.env[NODE_EXTRA_CA_CERTS].value"), "/etc/ca.pem"),
        ("deployment.shop.web", format!("{web}.envFrom[1].secretRef.name"), "smtp"),
        ("deployment.shop.web", format!("{web}.ports[8080/tcp].containerPort"), "'8080'"),
        ("deployment.shop.web", format!("{web}.volumeMounts[/var/data].name"), "'data:/var/data'"),
        ("deployment.shop.web", format!("{web}.resources.limits.memory"), "2GB"),
        ("deployment.shop.web", format!("{web}.securityContext.privileged"), "'true'"),
        ("deployment.shop.web", format!("{web}.securityContext.capabilities.add[0]"), "NET_ADMIN"),
        ("deployment.shop.web", format!("{web}.securityContext.runAsGroup"), "'1000:2000'"),
        ("deployment.shop.web", format!("{web}.readinessProbe.tcpSocket.port"), "8080"),
        ("deployment.shop.web", format!("{pod}.volumes[data].persistentVolumeClaim.claimName"), "data"),
        (
            "deployment.shop.web",
            format!("{pod}.volumes[host-path-config-web-a-conf].configMap.name"),
            "'../config/web/a.conf:/etc/a.conf:ro'",
        ),
        ("deployment.shop.web", format!("{pod}.imagePullSecrets[d-registry].name"), "registry-credentials"),
        ("deployment.shop.web", format!("{pod}.{terms}.matchExpressions[0].key"), "disk"),
        ("deployment.shop.web", format!("{pod}.{terms}.matchExpressions[0].values[0]"), "ssd"),
        ("deployment.shop.web", format!("{pod}.tolerations[0].value"), "shops"),
        ("deployment.shop.web", format!("{pod}.runtimeClassName"), "gvisor"),
        ("ingress.shop.ingress", "spec.rules[shop.example.com].host".into(), "shop.example.com"),
        ("ingress.shop.ingress", "spec.rules[shop.example.com].http.paths[/api].path".into(), "/api"),
        (
            "ingress.shop.ingress",
            "spec.rules[shop.example.com].http.paths[/api].backend.service.port.number".into(),
            "8080",
        ),
        ("ingress.shop.ingress", "spec.tls[0].secretName".into(), "shop.example.com"),
        ("service.shop.web", "spec.ports[8080/tcp].port".into(), "8080"),
        ("service.shop.nodeport-8081-tcp", "spec.ports[8081/tcp].nodePort".into(), "'30081:8081'"),
        ("service.shop.pay", "spec.externalName".into(), "pay"),
        ("persistent_volume.shop.data", "spec.hostPath.path".into(), "/data/shop"),
        ("persistent_volume.shop.data", "spec.capacity.storage".into(), "7GB"),
        ("persistent_volume_claim.shop.data", "spec.volumeName".into(), "/data/shop"),
        ("persistent_volume_claim.shop.data", "spec.resources.requests.storage".into(), "7GB"),
        ("config_map.shop.settings", "data[a.conf]".into(), "settings"),
        ("secret.shop.registry", "data[.dockerconfigjson]".into(), "TOKEN"),
        ("secret.shop.generated-secrets", "data.KEY".into(), "'$generate:hex:16$'"),
        ("secret.shop.ca-certificates", "data[laconic-extra-ca-0.pem]".into(), "/etc/ca.pem"),
        ("namespace.shop.storefront", "metadata.name".into(), "storefront"),
    ];
    for (address, path, words) in expected {
        let resource = resources.iter().find(|it| it.address.to_string() == address);
        let resource = resource.unwrap_or_else(|| panic!("no {address}"));
        assert!(flatten(&resource.attributes.value()).contains_key(&path), "{address} has no {path}");
        let Some(Origin::Written(place)) = origin(resource, &path) else { panic!("{address} {path} is not written") };
        let line = compilation.texts[&place.file].lines().nth(place.line as usize - 1).unwrap();
        let marked: String = line.chars().skip(place.column as usize - 1).take(place.length as usize).collect();
        assert_eq!(marked, words, "{address} {path} at {place}");
    }
}

const PODS: &str = "
services:
  db:
    image: example/db:1
    healthcheck:
      test: [CMD, ready]
      interval: 7s
      retries: 9
      start_period: 1m
    tmpfs: /run/db
  web:
    image: example/web:1
    hostname: front
    depends_on: {db: {condition: service_healthy}}
    stop_grace_period: 45s
    shm_size: 64m
    env_file: [./web.env]
    extra_hosts:
      - legacy:10.0.0.9
      - older:10.0.0.9
    healthcheck: {test: [CMD, up], timeout: 3s}
";

/// What compose files say of pods, beside what every container has: each field has the line that causes it.
#[test]
fn settings_of_compose_files_have_their_lines() {
    let mut files = MemorySources::default();
    for (path, text) in [
        ("spec.yml", "stack: stacks/shop\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\n"),
        ("stack.yml", "pods: [web]\n"),
        ("deployment.yml", "cluster-id: c\ndeployment-id: d\ndialect: compose\n"),
        ("compose/docker-compose-web.yml", PODS),
        ("compose/web.env", "LEVEL=info\n"),
    ] {
        files.insert(path, text.as_bytes());
    }
    let compilation = compile_sources("shop", &files);
    let resources = compilation.deployment.unwrap_or_else(|| panic!("{:#?}", compilation.findings)).resources;
    let resource = resources.iter().find(|it| it.address.to_string() == "deployment.shop.web").unwrap();
    let pod = "spec.template.spec";
    let (db, web) = (format!("{pod}.initContainers[db]"), format!("{pod}.containers[web]"));
    let expected = [
        (format!("{pod}.hostname"), "hostname: front"),
        (format!("{pod}.terminationGracePeriodSeconds"), "stop_grace_period: 45s"),
        (format!("{pod}.hostAliases[10.0.0.9].ip"), "legacy:10.0.0.9"),
        (format!("{pod}.hostAliases[10.0.0.9].hostnames[0]"), "legacy:10.0.0.9"),
        (format!("{pod}.hostAliases[10.0.0.9].hostnames[1]"), "older:10.0.0.9"),
        (format!("{pod}.volumes[memory-db-0].emptyDir.medium"), "tmpfs: /run/db"),
        (format!("{pod}.volumes[memory-web-0].emptyDir.sizeLimit"), "shm_size: 64m"),
        (format!("{db}.name"), "db:"),
        (format!("{db}.restartPolicy"), "depends_on: {db:"),
        (format!("{db}.volumeMounts[/run/db].name"), "tmpfs: /run/db"),
        (format!("{db}.readinessProbe.exec.command[0]"), "healthcheck:"),
        (format!("{db}.readinessProbe.periodSeconds"), "interval: 7s"),
        (format!("{db}.readinessProbe.failureThreshold"), "retries: 9"),
        (format!("{db}.startupProbe.failureThreshold"), "start_period: 1m"),
        (format!("{web}.readinessProbe.timeoutSeconds"), "timeout: 3s"),
        (format!("{web}.env[LEVEL].value"), "./web.env"),
        (format!("{web}.volumeMounts[/dev/shm].name"), "shm_size: 64m"),
    ];
    let fields = flatten(&resource.attributes.value());
    for (path, words) in expected {
        assert!(fields.contains_key(&path), "there is no {path}: {:#?}", fields.keys());
        let Some(Origin::Written(place)) = origin(resource, &path) else { panic!("{path} is not written") };
        let line = compilation.texts[&place.file].lines().nth(place.line as usize - 1).unwrap();
        assert!(line.contains(words), "{path} at {place}: {line}");
    }
}
