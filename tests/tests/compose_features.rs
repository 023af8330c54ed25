//! What the keys of compose files become, in the compose dialect, and that the laconic-so dialect leaves them alone.

use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::code::{Code, Severity};
use laconic_engine::compile::{Compilation, CompiledDeployment, DeploymentSource, Layout, compile};
use laconic_engine::finding::Finding;
use laconic_engine::secret::{SecretExpression, SecretSource, placeholder_expression};
use laconic_engine::source::MemorySources;
use serde_json::{Value, json};

/// A stack with pods (`NAME.yml`) and jobs (`job/NAME.yml`) as given.
fn compilation(dialect: &str, spec: &str, files: &[(&str, &str)]) -> Compilation {
    let mut sources = MemorySources::default();
    let (mut pods, mut jobs) = (Vec::new(), Vec::new());
    for (path, text) in files {
        if let Some(job) = path.strip_prefix("job/").and_then(|path| path.strip_suffix(".yml")) {
            sources.insert(&format!("compose-jobs/docker-compose-{job}.yml"), text.as_bytes());
            jobs.push(job);
        } else if let Some(pod) = path.strip_suffix(".yml") {
            sources.insert(&format!("compose/docker-compose-{pod}.yml"), text.as_bytes());
            pods.push(pod);
        } else {
            sources.insert(path, text.as_bytes());
        }
    }
    let identity = format!("cluster-id: main\ndeployment-id: laconic-abcdefgh\ndialect: {dialect}\n");
    sources.insert("deployment.yml", identity.as_bytes());
    sources.insert("stack.yml", format!("pods: [{}]\njobs: [{}]\n", pods.join(", "), jobs.join(", ")).as_bytes());
    let spec = format!("stack: stacks/shop\ndeploy-to: k8s-kind\nkind-cluster-name: main\n{spec}");
    sources.insert("spec.yml", spec.as_bytes());
    let source = DeploymentSource {
        name: "shop".to_owned(),
        directory: "/srv/deployments/shop".to_owned(),
        spec_file: "spec.yml".to_owned(),
        shown_directory: String::new(),
        layout: Layout::Directory,
    };
    compile(&source, &sources)
}

fn compiled(spec: &str, files: &[(&str, &str)]) -> CompiledDeployment {
    let Compilation { deployment, findings, .. } = compilation("compose", spec, files);
    deployment.unwrap_or_else(|| panic!("{findings:#?}"))
}

fn findings(spec: &str, files: &[(&str, &str)]) -> Vec<Finding> {
    compilation("compose", spec, files).findings
}

fn object(compiled: &CompiledDeployment, resource_type: ResourceType, name: &str) -> Value {
    let address = Address::new(resource_type, Scope::deployment("shop"), name);
    let found = compiled.resources.iter().find(|resource| resource.address == address);
    found.unwrap_or_else(|| panic!("no {address}")).attributes.value().into_owned()
}

fn pod(compiled: &CompiledDeployment) -> Value {
    object(compiled, ResourceType::Deployment, "app")["spec"]["template"]["spec"].clone()
}

fn names(containers: &Value) -> Vec<&str> {
    containers.as_array().into_iter().flatten().map(|it| it["name"].as_str().unwrap()).collect()
}

/// One pod of services; the text is the body of `services:`.
fn app(services: &str) -> String {
    let indented: String = services.trim_matches('\n').lines().map(|line| format!("  {line}\n")).collect();
    format!("services:\n{indented}")
}

#[test]
fn what_others_wait_for_starts_before_them() {
    let text = app("
web: {image: 'web:1', depends_on: {migrate: {condition: service_completed_successfully}, log: {condition: service_started}}}
log: {image: 'log:1'}
migrate: {image: 'web:1', depends_on: {db: {condition: service_healthy}, cache: {condition: service_started}}}
cache: {image: 'cache:1'}
db: {image: 'db:1', healthcheck: {test: [CMD, ready], interval: 7s}}
");
    let pod = pod(&compiled("", &[("app.yml", &text)]));
    assert_eq!(names(&pod["initContainers"]), ["cache", "db", "migrate"]);
    assert_eq!(names(&pod["containers"]), ["log", "web"]);
    let [cache, db, migrate] = pod["initContainers"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((&cache["restartPolicy"], &db["restartPolicy"]), (&json!("Always"), &json!("Always")));
    assert!(migrate.get("restartPolicy").is_none() && migrate.get("startupProbe").is_none());
    assert!(cache.get("startupProbe").is_none());
    assert_eq!(db["startupProbe"]["exec"]["command"], json!(["ready"]));
    assert_eq!(db["startupProbe"]["failureThreshold"], 0x7fff_ffff);
    // What has ended is nobody to talk to.
    assert_eq!(pod["hostAliases"], json!([{"ip": "127.0.0.1", "hostnames": ["web", "log", "cache", "db"]}]));
}

#[test]
fn pods_and_jobs_wait_for_each_other() {
    let deployment = compiled(
        "",
        &[
            (
                "web.yml",
                "services: {web: {image: 'a:1', depends_on: {setup: {condition: service_completed_successfully}}}}",
            ),
            ("db.yml", "services: {db: {image: 'a:1', healthcheck: {test: 'true'}}}"),
            ("job/setup.yml", "services: {setup: {image: 'a:1', depends_on: {db: {condition: service_healthy}}}}"),
        ],
    );
    let address = |resource_type, name| Address::new(resource_type, Scope::deployment("shop"), name);
    let needs = |address: Address| {
        let resource = deployment.resources.iter().find(|it| it.address == address).unwrap();
        let workloads =
            resource.needs.iter().filter(|it| matches!(it.resource_type, ResourceType::Deployment | ResourceType::Job));
        workloads.cloned().collect::<Vec<_>>()
    };
    let (web, setup) = (address(ResourceType::Deployment, "web"), address(ResourceType::Job, "setup"));
    assert_eq!(needs(web), std::slice::from_ref(&setup));
    assert_eq!(needs(setup), [address(ResourceType::Deployment, "db")]);
    assert_eq!(needs(address(ResourceType::Deployment, "db")), []);
}

#[test]
fn the_shortest_circle_is_shown() {
    let text = app("
a: {image: 'a:1', depends_on: [b]}
b: {image: 'a:1', depends_on: [c]}
c: {image: 'a:1', depends_on: [d, a]}
d: {image: 'a:1', depends_on: [c]}
");
    let found = findings("", &[("app.yml", &text)]);
    let [circle] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(circle.message, "services wait for each other in a circle: c -> d -> c");
    assert_eq!((circle.code, circle.severity), (Code::InvalidYaml, Severity::Error));
    let place = circle.place.as_ref().unwrap();
    assert_eq!((&*place.file, place.line), ("compose/docker-compose-app.yml", 4));
    assert_eq!(circle.labels.first().unwrap().place.line, 5);
}

#[test]
fn a_dependency_must_be_there() {
    let on = |more: &str| {
        app(&format!("web: {{image: 'a:1', depends_on: {{{more}}}}}\ndb: {{image: 'a:1', profiles: [x]}}"))
    };
    let errors = |spec: &str, more: &str| findings(spec, &[("app.yml", &on(more))]).len();
    assert_eq!(errors("", "bd: {condition: service_started}"), 1);
    assert_eq!(errors("", "db: {condition: service_started}"), 1);
    assert_eq!(errors("", "db: {condition: service_started, required: false}"), 0);
    assert_eq!(errors("profiles: [x]\n", "db: {condition: service_started}"), 0);
}

#[test]
fn healthchecks_become_probes() {
    let text = app("
plain: {image: 'a:1', healthcheck: {test: 'curl -f http://x || exit 1'}}
slow: {image: 'a:1', healthcheck: {test: [CMD, ok, '1'], interval: 1m, timeout: 2s, retries: 5, start_period: 1h, start_interval: 4s}}
off: {image: 'a:1', expose: [80], healthcheck: {disable: true}}
routed: {image: 'a:1', expose: [81], healthcheck: {test: [CMD-SHELL, 'test ${KEY}']}}
bare: {image: 'a:1', expose: [82]}
");
    let spec = "config: {KEY: '$generate:hex:8$'}\nnetwork: {http-proxy: [{host-name: a.example.com, routes: [\
                {path: /off, proxy-to: 'off:80'}, {path: /routed, proxy-to: 'routed:81'}, {path: /bare, proxy-to: 'bare:82'}]}]}\n";
    let pod = pod(&compiled(spec, &[("app.yml", &text)]));
    let [plain, slow, off, routed, bare] = pod["containers"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!(
        plain["readinessProbe"],
        json!({"exec": {"command": ["/bin/sh", "-c", "curl -f http://x || exit 1"]}, "periodSeconds": 30,
               "timeoutSeconds": 30, "failureThreshold": 3})
    );
    assert!(plain.get("startupProbe").is_none() && plain.get("livenessProbe").is_none());
    let (ready, start) = (&slow["readinessProbe"], &slow["startupProbe"]);
    assert_eq!((&ready["periodSeconds"], &ready["failureThreshold"]), (&json!(60), &json!(5)));
    assert_eq!((&start["periodSeconds"], &start["timeoutSeconds"]), (&json!(4), &json!(2)));
    assert_eq!(off["readinessProbe"]["tcpSocket"]["port"], 80);
    assert_eq!(routed["readinessProbe"]["exec"]["command"], json!(["/bin/sh", "-c", "test ${KEY}"]));
    assert_eq!(bare["readinessProbe"]["tcpSocket"]["port"], 82);
}

#[test]
fn a_service_extends_another_as_compose_says() {
    let text = app("
web:
  extends: {service: base}
  image: 'web:1'
  environment: [B=own, C]
  command: [own]
  volumes: ['other:/data']
  cap_add: [SYS_TIME, NET_ADMIN]
  tmpfs: /more
base:
  image: 'base:1'
  environment: {A: base, B: base}
  command: [base, words]
  volumes: ['data:/data', 'data:/kept:ro']
  cap_add: [NET_ADMIN]
  tmpfs: [/base]
  profiles: [never]
  working_dir: /base
") + "volumes: {data: , other: }\n";
    let spec = "profiles: [never]\nvolumes: {data: , other: }\n";
    let pod = pod(&compiled(spec, &[("app.yml", &text)]));
    let web = &pod["containers"][0];
    assert_eq!((&web["name"], &web["image"], &web["workingDir"]), (&json!("web"), &json!("web:1"), &json!("/base")));
    assert_eq!(web["env"], json!([{"name": "A", "value": "base"}, {"name": "B", "value": "own"}]));
    assert_eq!(web["args"], json!(["own"]));
    assert_eq!(web["securityContext"]["capabilities"]["add"], json!(["SYS_TIME", "NET_ADMIN"]));
    let mounts = web["volumeMounts"].as_array().unwrap();
    let mounts: Vec<_> =
        mounts.iter().map(|it| (it["name"].as_str().unwrap(), it["mountPath"].as_str().unwrap())).collect();
    assert_eq!(mounts, [("data", "/kept"), ("other", "/data"), ("memory-web-0", "/base"), ("memory-web-1", "/more")]);
}

#[test]
fn what_extends_itself_or_nothing_is_refused() {
    for (services, line) in [
        ("a: {image: 'a:1', extends: b}\nb: {image: 'a:1', extends: {service: a}}", 3),
        ("a: {image: 'a:1', extends: a}", 2),
        ("a: {image: 'a:1', extends: {service: missing}}", 2),
        ("a: {image: 'a:1', extends: {service: a, file: other.yml}}", 2),
    ] {
        let found = findings("", &[("app.yml", &app(services))]);
        let lines: Vec<_> = found.iter().map(|it| (it.severity, it.place.as_ref().unwrap().line)).collect();
        assert_eq!(lines, [(Severity::Error, line)], "{services}: {found:#?}");
    }
}

#[test]
fn secrets_are_references_and_configs_are_contents() {
    let text = app("
web:
  image: 'a:1'
  secrets: [db_password, {source: made, target: /etc/made, mode: 0400}, {source: file, mode: '0440'}, theirs]
  configs: [motd, {source: conf, target: /etc/conf}]
") + "secrets:
  db_password: {environment: DB_PASSWORD}
  made: {environment: MADE}
  file: {file: ../config/app/key}
  theirs: {external: true, name: shared}
configs:
  motd: {content: 'hello ${NAME}'}
  conf: {file: ../config/app/conf}
";
    let spec = "config: {NAME: world, MADE: '$generate:hex:8$'}\n";
    let files = [("app.yml", text.as_str()), ("config/app/key", "hunter22secret"), ("config/app/conf", "on")];
    let compiled = compiled(spec, &files);
    let source = |name: &str, key: &str| {
        let object = object(&compiled, ResourceType::Secret, name);
        placeholder_expression(&object["data"][key])
    };
    let base64 = SecretExpression::Base64;
    let expected = SecretSource::Environment("DB_PASSWORD".into());
    assert_eq!(source("secret-db-password", "db_password"), Some(base64(expected)));
    let expected = SecretSource::File("/srv/deployments/shop/config/app/key".into());
    assert_eq!(source("secret-file", "file"), Some(base64(expected)));
    assert!(matches!(source("secret-made", "made"), Some(SecretExpression::Base64(SecretSource::Generated { .. }))));
    assert_eq!(object(&compiled, ResourceType::ConfigMap, "config-motd")["data"], json!({"motd": "hello world"}));
    assert_eq!(object(&compiled, ResourceType::ConfigMap, "config-conf")["data"], json!({"conf": "on"}));
    let all: String = compiled.resources.iter().map(|it| it.attributes.value().to_string()).collect();
    assert!(!all.contains("hunter22secret") && !all.contains("aHVudGVyMjJzZWNyZXQ"));
    let pod = pod(&compiled);
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let paths: Vec<_> = mounts.iter().map(|it| it["mountPath"].as_str().unwrap()).collect();
    let expected =
        ["/run/secrets/db_password", "/etc/made", "/run/secrets/file", "/run/secrets/theirs", "/motd", "/etc/conf"];
    assert_eq!(paths, expected);
    let volume = |name: &str| pod["volumes"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
    assert_eq!(volume("secret-made-400")["secret"]["defaultMode"], 0o400);
    assert_eq!(volume("secret-theirs")["secret"]["secretName"], "shared");
    assert_eq!(
        volume("config-motd")["configMap"],
        json!({"name": "laconic-abcdefgh-config-motd", "defaultMode": 0o444})
    );
    let changed = files.map(|(path, text)| (path, text.replace("hello", "good bye")));
    let changed: Vec<_> = changed.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let digest = |compiled: &CompiledDeployment| {
        object(compiled, ResourceType::Deployment, "app")["spec"]["template"]["metadata"]["annotations"].clone()
    };
    assert_ne!(digest(&compiled), digest(&self::compiled(spec, &changed)));
}

#[test]
fn settings_of_containers_and_pods() {
    let text = app("
web:
  image: 'a:1'
  user: '7:8'
  hostname: machine
  extra_hosts: ['a=10.0.0.1', 'b:10.0.0.1', 'c=[::1]']
  cap_drop: [CAP_CHOWN]
  read_only: true
  group_add: ['5']
  security_opt: ['no-new-privileges:true', 'apparmor:special']
  tmpfs: '/t:size=1g'
  shm_size: 64m
  sysctls: {net.ipv4.tcp_syncookies: 0}
  dns: [9.9.9.9]
  dns_opt: [use-vc, 'ndots:2']
  stop_grace_period: 1m30s
  mem_limit: 1g
  cpus: 0.5
  pull_policy: never
  platform: linux/arm64
  tty: true
  labels: {a: b, c: 'd e'}
  scale: 3
  restart: always
other: {image: 'a:1', stop_grace_period: 5s, deploy: {resources: {limits: {memory: 2g}}}, mem_limit: 1g, networks: {default: {aliases: [twin]}}}
");
    let compiled = compiled("", &[("app.yml", &text)]);
    let deployment = object(&compiled, ResourceType::Deployment, "app");
    assert_eq!(deployment["spec"]["replicas"], 3);
    let template = &deployment["spec"]["template"];
    assert_eq!(
        (&template["metadata"]["labels"]["a"], &template["metadata"]["annotations"]["c"]),
        (&json!("b"), &json!("d e"))
    );
    let pod = &template["spec"];
    let web = &pod["containers"][0];
    assert_eq!(
        web["securityContext"],
        json!({"privileged": false, "runAsUser": 7, "runAsGroup": 8, "capabilities": {"drop": ["CHOWN"]},
               "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
               "appArmorProfile": {"type": "Localhost", "localhostProfile": "special"}})
    );
    assert_eq!(web["resources"], json!({"limits": {"cpu": "500m", "memory": "1Gi"}}));
    assert_eq!(pod["containers"][1]["resources"], json!({"limits": {"memory": "2Gi"}}));
    assert_eq!((&web["imagePullPolicy"], &web["tty"]), (&json!("Never"), &json!(true)));
    assert_eq!(pod["hostname"], "machine");
    assert_eq!(pod["terminationGracePeriodSeconds"], 90);
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}));
    assert_eq!(
        pod["securityContext"],
        json!({"supplementalGroups": [5], "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "0"}]})
    );
    assert_eq!(
        pod["dnsConfig"],
        json!({"nameservers": ["9.9.9.9"], "options": [{"name": "use-vc"}, {"name": "ndots", "value": "2"}]})
    );
    assert_eq!(
        pod["hostAliases"],
        json!([{"ip": "127.0.0.1", "hostnames": ["web", "other", "twin"]}, {"ip": "10.0.0.1", "hostnames": ["a", "b"]},
               {"ip": "::1", "hostnames": ["c"]}])
    );
    let volumes = pod["volumes"].as_array().unwrap();
    let memory: Vec<_> = volumes.iter().map(|it| it["emptyDir"]["sizeLimit"].as_str().unwrap()).collect();
    assert_eq!(memory, ["1Gi", "64Mi"]);
}

#[test]
fn a_job_is_tried_as_often_as_it_says() {
    let of = |restart: &str| {
        let text = app(&format!("task: {{image: 'a:1', restart: {restart}}}"));
        let compiled = compiled("", &[("job/task.yml", &text)]);
        let job = object(&compiled, ResourceType::Job, "task");
        (job["spec"]["backoffLimit"].clone(), job["spec"]["template"]["spec"]["restartPolicy"].clone())
    };
    assert_eq!(of("on-failure:3"), (json!(3), json!("OnFailure")));
    assert_eq!(of("on-failure"), (json!(6), json!("OnFailure")));
    assert_eq!(of("'no'"), (json!(0), json!("Never")));
}

#[test]
fn a_pod_without_an_active_service_is_left_out_and_the_others_keep_their_names() {
    let files = [
        ("app.yml", "services: {web: {image: 'a:1'}}"),
        ("tools.yml", "services: {shell: {image: 'a:1', profiles: [debug]}}\nvolumes: {data: }"),
    ];
    let count = |spec: &str| {
        let compiled = compiled(spec, &files);
        let name = object(&compiled, ResourceType::Deployment, "app")["metadata"]["name"].clone();
        assert_eq!(name, "laconic-abcdefgh-app-deployment");
        assert_eq!(compiled.volumes.len(), 1);
        compiled.resources.iter().filter(|it| it.address.resource_type == ResourceType::Deployment).count()
    };
    assert_eq!(count("volumes: {data: }\n"), 1);
    assert_eq!(count("volumes: {data: }\nprofiles: [debug]\n"), 2);
}

#[test]
fn a_required_variable_may_be_secret() {
    let text = app(
        "web: {image: 'a:1', environment: {A: 'x${KEY:?}', B: '${KEY:+set}', C: '${KEY:-none}'}, labels: {l: '${KEY}'}}",
    );
    let compilation = compilation("compose", "config: {KEY: '$generate:hex:8$'}\n", &[("app.yml", &text)]);
    let codes: Vec<_> =
        compilation.findings.iter().map(|it| (it.code, it.message.contains("`KEY` is not known"))).collect();
    assert_eq!(codes, [(Code::ComposeFeatureIgnored, true)]);
    let env = pod(&compilation.deployment.unwrap())["containers"][0]["env"].clone();
    assert_eq!(
        env,
        json!([{"name": "A", "value": "x$(KEY)"}, {"name": "B", "value": "set"}, {"name": "C", "value": "$(KEY)"}])
    );
}

#[test]
fn inputs_that_stopped_laconic_so_work_in_both_dialects() {
    let text = app("
web:
  image: 'a:1'
  environment: [A=1, B]
  user: '1000:1000'
  ports: ['127.0.0.1:30080:80', '30081-30082:81-82', {target: 83, published: 30083}]
  volumes: [{type: volume, source: data, target: /data, read_only: true}]
other: {image: 'a:1', environment: {N: 1, T: true, F: 1.5, E: }}
") + "volumes: {data: }\n";
    for dialect in ["compose", "laconic-so"] {
        let compilation = compilation(dialect, "volumes: {data: }\n", &[("app.yml", &text)]);
        let compiled = compilation.deployment.unwrap_or_else(|| panic!("{dialect}: {:#?}", compilation.findings));
        let pod = pod(&compiled);
        let web = &pod["containers"][0];
        assert_eq!(web["env"][0], json!({"name": "A", "value": "1"}));
        assert_eq!(
            (&web["securityContext"]["runAsUser"], &web["securityContext"]["runAsGroup"]),
            (&json!(1000), &json!(1000))
        );
        let mount = &web["volumeMounts"][0];
        assert_eq!(
            (&mount["name"], &mount["mountPath"], &mount["readOnly"]),
            (&json!("data"), &json!("/data"), &json!(true))
        );
        let services = compiled.resources.iter().filter(|it| it.address.resource_type == ResourceType::Service);
        let ports = services.filter(|it| it.attributes.value()["spec"]["ports"][0].get("nodePort").is_some());
        assert_eq!(ports.count(), 4, "{dialect}");
    }
}

#[test]
fn the_laconic_so_dialect_leaves_new_keys_alone() {
    let keys = "healthcheck: {test: 'true'}\n  depends_on: [web]\n  hostname: x\n  secrets: [a]\n  profiles: [p]\n  extends: {service: q}\n  \
                cap_add: [ALL]\n  tmpfs: /t\n  restart: always\n  scale: 5";
    let plain = app("web:\n  image: 'a:1'");
    let full = app(&format!("web:\n  image: 'a:1'\n  {keys}"));
    let [plain, full] = [plain, full].map(|text| compilation("laconic-so", "", &[("app.yml", &text)]));
    let objects = |compilation: &Compilation| -> Vec<Value> {
        let resources = &compilation.deployment.as_ref().unwrap().resources;
        resources.iter().map(|it| it.attributes.value().into_owned()).collect()
    };
    assert_eq!(objects(&plain), objects(&full));
    let ignored = full.findings.iter().filter(|it| it.code == Code::ComposeFeatureIgnored).count();
    assert_eq!(ignored, 10);
}
