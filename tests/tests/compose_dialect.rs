//! What the compose dialect makes of compose files, and how deployments agree.

#[expect(dead_code, reason = "each test file uses its part of the fixtures")]
mod cases;

use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::code::Code;
use laconic_engine::compile::{Compilation, CompiledDeployment, DeploymentSource, Layout, agree, compile};
use laconic_engine::secret::{SecretExpression, SecretSource, placeholder_expression};
use laconic_engine::source::MemorySources;
use serde_json::{Value, json};

const SPEC: &str = "
stack: stacks/shop
deploy-to: k8s-kind
kind-cluster-name: main
kind-mount-root: /srv/kind
config: {MODE: fast, TOKEN: '$generate:hex:16$', LITERAL: 'a$(MODE)'}
volumes: {data: /srv/kind/shop/data}
configmaps: {settings: ./settings}
network:
  http-proxy:
    - host-name: shop.example.com
      routes: [{path: /, proxy-to: 'web:8080'}]
resources:
  containers: {web: {limits: {cpus: 0.5, memory: 2Gi}}}
";
const STACK: &str = "pods: [front, store]\njobs: [migrate]\n";
const FRONT: &str = r#"
services:
  web:
    image: example/web:${TAG:-1}
    user: "1000:2000"
    working_dir: /srv
    command: serve --greeting "hello world" --token ${TOKEN}
    env_file: [../config/front/extra.env]
    environment:
      URL: http://x:${TOKEN}@store:80/${MODE}
      SHELL_TEXT: $$(date)
      PASSED_ON:
    ports: ["8080", "30080:8081"]
    volumes: ["settings:/etc/settings:ro", "/cache"]
    deploy: {resources: {limits: {memory: 512M}}}
  side:
    image: example/side:1
volumes: {settings: }
"#;
const STORE: &str = "
services:
  store:
    image: postgres:16
    ports: ['5432']
    volumes: ['data:/data']
    deploy: {resources: {limits: {memory: 512M}}}
volumes: {data: }
";
const MIGRATE: &str =
    "services: {migrate: {image: 'example/migrate:1', volumes: ['settings:/s:ro']}}\nvolumes: {settings: }\n";

fn files() -> MemorySources {
    let mut sources = MemorySources::default();
    for (path, text) in [
        ("spec.yml", SPEC),
        ("stack.yml", STACK),
        ("deployment.yml", "cluster-id: main\ndeployment-id: laconic-abcdefgh\ndialect: compose\n"),
        ("compose/docker-compose-front.yml", FRONT),
        ("compose/docker-compose-store.yml", STORE),
        ("compose-jobs/docker-compose-migrate.yml", MIGRATE),
        ("config/front/extra.env", "EXTRA=1\nMODE=slow\n"),
        ("configmaps/settings/a.conf", "on"),
    ] {
        sources.insert(path, text.as_bytes());
    }
    sources
}

fn source(name: &str) -> DeploymentSource {
    DeploymentSource {
        name: name.to_owned(),
        directory: format!("/srv/deployments/{name}"),
        spec_file: "spec.yml".to_owned(),
        shown_directory: String::new(),
        layout: Layout::Directory,
    }
}

fn compiled(sources: &MemorySources, name: &str) -> CompiledDeployment {
    let Compilation { deployment, findings, .. } = compile(&source(name), sources);
    deployment.unwrap_or_else(|| panic!("{findings:#?}"))
}

fn object(compiled: &CompiledDeployment, resource_type: ResourceType, name: &str) -> Value {
    let address = Address::new(resource_type, Scope::deployment(&compiled.name), name);
    let found = compiled.resources.iter().find(|resource| resource.address == address);
    found.unwrap_or_else(|| panic!("no {address}")).attributes.value().into_owned()
}

fn env<'v>(container: &'v Value, name: &str) -> &'v Value {
    let entries = container["env"].as_array().unwrap();
    entries.iter().find(|entry| entry["name"] == name).map_or(&Value::Null, |entry| &entry["value"])
}

#[test]
fn compose_means_what_compose_says() {
    let compiled = compiled(&files(), "shop");
    let front = object(&compiled, ResourceType::Deployment, "front");
    let pod = &front["spec"]["template"]["spec"];
    let web = &pod["containers"][0];
    assert_eq!(web["image"], "example/web:1");
    assert_eq!(web["workingDir"], "/srv");
    assert_eq!(web["args"], json!(["serve", "--greeting", "hello world", "--token", "$(TOKEN)"]));
    assert_eq!(web["securityContext"], json!({"privileged": false, "runAsUser": 1000, "runAsGroup": 2000}));
    assert_eq!(web["resources"], json!({"limits": {"cpu": "500m", "memory": "2Gi"}}));
    assert_eq!(env(web, "URL"), "http://x:$(TOKEN)@store:80/fast");
    assert_eq!(env(web, "SHELL_TEXT"), "$$(date)");
    assert_eq!(env(web, "LITERAL"), "a$$(MODE)");
    assert_eq!((env(web, "EXTRA"), env(web, "MODE")), (&json!("1"), &json!("fast")));
    assert_eq!(env(web, "PASSED_ON"), &Value::Null);
    assert_eq!(web["envFrom"], json!([{"secretRef": {"name": "laconic-abcdefgh-generated-secrets"}}]));
    assert_eq!(web["volumeMounts"][1]["mountPath"], "/cache");
    assert_eq!(pod["volumes"][1], json!({"name": web["volumeMounts"][1]["name"], "emptyDir": {}}));
    assert_eq!(pod["hostAliases"], json!([{"ip": "127.0.0.1", "hostnames": ["web", "side"]}]));
    assert!(pod["containers"][1].get("resources").is_none());
    let store = object(&compiled, ResourceType::Deployment, "store");
    let limits = &store["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"];
    assert_eq!(limits["memory"], "512Mi");
    assert_eq!(object(&compiled, ResourceType::ConfigMap, "settings")["data"], json!({"a.conf": "on"}));
    let claim = object(&compiled, ResourceType::PersistentVolumeClaim, "data");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "2Gi");
}

#[test]
fn services_select_the_pod_they_belong_to() {
    let compiled = compiled(&files(), "shop");
    let selector = |name: &str| {
        object(&compiled, ResourceType::Service, name)["spec"]["selector"]["app.kubernetes.io/component"].clone()
    };
    assert_eq!(selector("nodeport-8081-tcp"), "front");
    assert_eq!(selector("nodeport-5432-tcp"), "store");
    assert_eq!(selector("compose-store"), "store");
    assert_eq!(object(&compiled, ResourceType::Service, "compose-store")["metadata"]["name"], "store");
}

#[test]
fn generated_values_are_references() {
    let compiled = compiled(&files(), "shop");
    let secret = object(&compiled, ResourceType::Secret, "generated-secrets");
    let expected =
        SecretSource::Generated { deployment: "shop".into(), name: "TOKEN".into(), encoding: "hex".into(), bytes: 16 };
    assert_eq!(placeholder_expression(&secret["data"]["TOKEN"]), Some(SecretExpression::Base64(expected)));
}

#[test]
fn changed_configuration_rolls_the_pods_that_read_it() {
    let digest = |sources: &MemorySources, pod: &str| {
        let compiled = compiled(sources, "shop");
        let annotations =
            &object(&compiled, ResourceType::Deployment, pod)["spec"]["template"]["metadata"]["annotations"];
        annotations["laconic.com/config-digest"].clone()
    };
    let before = files();
    let mut after = files();
    after.insert("configmaps/settings/a.conf", b"off");
    assert_ne!(digest(&before, "front"), digest(&after, "front"));
    assert_eq!(digest(&before, "store"), digest(&after, "store"));
    let job = compiled(&before, "shop");
    let job = object(&job, ResourceType::Job, "migrate");
    assert!(job["spec"]["template"]["metadata"].get("annotations").is_none());
}

#[test]
fn fields_know_their_lines() {
    let compiled = compiled(&files(), "shop");
    let address = Address::new(ResourceType::Deployment, Scope::deployment("shop"), "front");
    let front = compiled.resources.iter().find(|resource| resource.address == address).unwrap();
    let line = |path: &str| front.place_of(path).map(|place| format!("{}:{}", place.file, place.line)).unwrap();
    assert_eq!(line("spec.template.spec.containers[web].image"), "compose/docker-compose-front.yml:4");
    assert_eq!(line("spec.template.spec.containers[web].env[URL].value"), "compose/docker-compose-front.yml:10");
    assert_eq!(line("spec.replicas"), "stack.yml:1");
}

#[test]
fn two_deployments_of_one_namespace_and_host_do_not_agree() {
    let mut other = files();
    other.insert("deployment.yml", b"cluster-id: main\ndeployment-id: laconic-zzzzzzzz\ndialect: compose\n");
    let both = [compiled(&files(), "a"), compiled(&other, "b")];
    let codes: Vec<Code> = agree(&both).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::ObjectCollision, Code::ObjectCollision, Code::InvalidNodePort]);
    other.insert(
        "spec.yml",
        SPEC.replace("shop.example.com", "b.example.com")
            .replace("deploy-to", "namespace: other\ndeploy-to")
            .as_bytes(),
    );
    let codes: Vec<Code> =
        agree(&[compiled(&files(), "a"), compiled(&other, "b")]).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::InvalidNodePort]);
}

#[test]
fn credentials_are_asked_for_not_compiled() {
    let mut sources = files();
    sources.insert("config.env", b"MODE=fast\n# From credentials file: c.env\nAPI_KEY=hunter22secret\n");
    sources.insert(
        "compose/docker-compose-store.yml",
        STORE.replace("    ports", "    environment: {URL: 'x:${API_KEY}@y', KEY: '${API_KEY}'}\n    ports").as_bytes(),
    );
    let compiled = compiled(&sources, "shop");
    let store = object(&compiled, ResourceType::Deployment, "store");
    let container = &store["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"][0]["name"], "API_KEY");
    assert_eq!(env(container, "URL"), "x:$(API_KEY)@y");
    let expected =
        SecretExpression::Value(SecretSource::ConfigEnv { deployment: "shop".into(), name: "API_KEY".into() });
    assert_eq!(placeholder_expression(env(container, "KEY")), Some(expected));
    assert!(
        compiled.resources.iter().all(|resource| !resource.attributes.value().to_string().contains("hunter22secret"))
    );
}

#[test]
fn an_external_service_may_not_be_called_as_a_pod_is() {
    let mut sources = files();
    let spec = SPEC.replace("deploy-to", "external-services: {front: {host: example.com}}\ndeploy-to");
    sources.insert("spec.yml", spec.as_bytes());
    let compilation = compile(&source("shop"), &sources);
    assert!(compilation.deployment.is_none());
    assert_eq!(compilation.findings.iter().filter(|finding| finding.code == Code::ObjectCollision).count(), 1);
}
