mod moved;
mod repository;
mod secrets;

use std::sync::Arc;

use super::super::input::{DeploymentSource, Layout};
use super::*;
use crate::code::Code;
use crate::source::{MemorySources, SourceEntry, SourceError};

pub(super) const SPEC: &str = "stack: stacks/shop\ndeploy-to: k8s-kind\n";
const COMPOSE: &str = "services:\n  web:\n    image: nginx:1.27\n    ports: ['80']\n";

/// A deployment directory; empty texts leave the file out.
pub(super) fn directory(dialect: &str, files: &[(&str, &str)]) -> MemorySources {
    let mut sources = MemorySources::default();
    let identity = format!("cluster-id: laconic-c\ndeployment-id: laconic-d\ndialect: {dialect}\n");
    let defaults = [
        ("spec.yml", SPEC),
        ("stack.yml", "name: x\npods: [web]\n"),
        ("deployment.yml", identity.as_str()),
        ("config.env", "# header\n"),
        ("compose/docker-compose-web.yml", COMPOSE),
    ];
    for (path, text) in defaults.iter().filter(|(path, _)| !files.iter().any(|(given, _)| given == path)).chain(files) {
        if !text.is_empty() {
            sources.insert(path, text.as_bytes());
        }
    }
    sources
}

pub(super) fn source() -> DeploymentSource {
    DeploymentSource {
        name: "shop".to_owned(),
        directory: "/srv/kind/shop".to_owned(),
        spec_file: "spec.yml".to_owned(),
        shown_directory: String::new(),
        layout: Layout::Directory,
    }
}

pub(super) fn run(dialect: &str, files: &[(&str, &str)]) -> CheckOutcome {
    check(&source(), &directory(dialect, files))
}

/// `spec` is added to the spec, `compose` replaces the compose file.
fn said(dialect: &str, spec: &str, compose: &str) -> Vec<String> {
    let spec = format!("{SPEC}{spec}");
    summary(&run(dialect, &[("spec.yml", &spec), ("compose/docker-compose-web.yml", compose)]))
}

pub(super) fn summary(outcome: &CheckOutcome) -> Vec<String> {
    outcome.findings.iter().map(|finding| format!("{} {}", finding.code.number(), finding.severity)).collect()
}

pub(super) fn web(body: &str) -> String {
    format!("services:\n  web:\n    image: nginx:1.27\n{body}")
}

#[test]
fn a_clean_directory_says_nothing() {
    for dialect in ["laconic-so", "compose"] {
        let outcome = run(dialect, &[]);
        assert_eq!(outcome.findings, []);
        let deployment = outcome.deployment.unwrap();
        assert_eq!(deployment.stack.name, "shop");
        assert_eq!(deployment.pods.len(), 1);
        assert_eq!(outcome.texts.len(), 5);
        assert_eq!(outcome.inputs_digest, run(dialect, &[]).inputs_digest);
        assert_ne!(outcome.inputs_digest, run(dialect, &[("config.env", "A=1\n")]).inputs_digest);
    }
}

/// Each rule: what triggers it, in both dialects, and what comes close and does not.
#[test]
fn every_rule_triggers_and_nearly_triggers() {
    let long = "x".repeat(60);
    let table: Vec<(&str, String, &[&str], &[&str])> = vec![
        // 103
        ("", web("    volumes: ['../config/a:/a:rw']\n"), &["103 error"], &["103 error"]),
        ("", web("    volumes: ['../config/a:/a:ro,z']\n"), &[], &[]),
        // 104
        ("", web("    volumes: ['../config/deep:/a']\n"), &["104 error"], &["104 warning"]),
        ("", web("    volumes: ['../config/big:/a']\n"), &["104 error"], &["104 warning"]),
        ("", web("    volumes: ['../config/sum:/a']\n"), &["104 error"], &["104 warning"]),
        ("", web("    volumes: ['../config/fits:/a', '../config/flat:/b']\n"), &[], &[]),
        // 105
        ("", web("    volumes: ['../config/none:/a', '~/none:/b']\n"), &["105 error"], &["105 error"]),
        // 106
        (
            "",
            web("    volumes: ['../config/a-b/c.txt:/a', '../config/a/b-c.txt:/b']\n"),
            &["106 error"],
            &["106 warning"],
        ),
        ("", web("    volumes: ['../config/a-b/c.txt:/a', '../config/./a-b/c.txt:/b']\n"), &[], &[]),
        ("", web(&format!("    volumes: ['../config/{long}:/a']\n")), &["106 error"], &["106 warning"]),
        // 108
        (
            "network: {http-proxy: [{host-name: a.b, routes: [{path: /, proxy-to: 'wbe:80'}]}]}\n",
            COMPOSE.into(),
            &["108 error"],
            &["108 warning"],
        ),
        (
            "network: {http-proxy: [{host-name: a.b, routes: [{path: /, proxy-to: 'web:81'}]}]}\n",
            COMPOSE.into(),
            &["108 error"],
            &["108 warning"],
        ),
        (
            "network: {http-proxy: [{host-name: a.b, routes: [{path: /, proxy-to: 'web:80'}]}]}\n",
            COMPOSE.into(),
            &[],
            &[],
        ),
        ("maintenance-service: nobody:80\n", COMPOSE.into(), &["108 error"], &["108 warning"]),
        // 109
        ("namespace: My_Space\n", COMPOSE.into(), &["109 error"], &["109 warning"]),
        ("namespace: my-space\n", COMPOSE.into(), &[], &[]),
        (
            "network: {http-proxy: [{host-name: 'https://a.b', routes: []}]}\n",
            COMPOSE.into(),
            &["109 error"],
            &["109 warning"],
        ),
        ("network: {http-proxy: [{host-name: '*.a.b', routes: []}]}\n", COMPOSE.into(), &[], &[]),
        ("volumes: {reth_data: /srv/x}\n", web("volumes: {reth_data: }\n"), &["109 error"], &["109 warning"]),
        ("", "services:\n  my_web:\n    image: a:1\n".into(), &["109 error"], &["109 warning"]),
        // 110
        ("", web("    ports: ['8080:80']\n"), &["110 error"], &["110 warning"]),
        ("", web("    ports: ['30080:80', '30080:81']\n"), &["110 error"], &["110 warning"]),
        ("", web("    ports: ['30000:80', '32767:81', '30000:80/udp']\n"), &[], &[]),
        // 111, 102
        ("", web("    init: true\n    portz: []\n"), &["111 warning", "102 warning"], &["111 warning", "102 warning"]),
        // 111 of the compose dialect, which the other one says of the key itself; and errors of what compose refuses
        ("", web("    network_mode: service:db\n"), &["111 warning"], &["111 warning"]),
        ("", web("    network_mode: service:web\n"), &[], &["111 warning"]),
        ("", web("    extra_hosts: ['a:host-gateway']\n"), &["111 warning"], &["111 warning"]),
        ("", web("    extra_hosts: ['a:10.0.0.1']\n"), &[], &["111 warning"]),
        ("", web("    restart: on-failure\n"), &["111 warning"], &["111 warning"]),
        ("", web("    restart: unless-stopped\n"), &[], &["111 warning"]),
        ("", web("    user: www-data\n"), &["111 warning"], &["111 warning"]),
        ("", web("    user: '33:33'\n"), &[], &[]),
        ("", web("    healthcheck: {interval: 10s}\n"), &["111 warning"], &["111 warning"]),
        ("", web("    healthcheck: {test: 'true', interval: 10}\n"), &["101 error"], &["111 warning"]),
        ("", web("    depends_on: [web]\n"), &["101 error"], &["111 warning"]),
        ("", web("    depends_on: [wbe]\n"), &["101 error"], &["111 warning"]),
        ("", web("    tmpfs: ['/a', '/a/']\n"), &["101 error"], &["111 warning"]),
        ("", web("    shm_size: huge\n"), &["101 error"], &["111 warning"]),
        ("", web("    secrets: [key]\n"), &["101 error"], &["111 warning"]),
        ("", web("    env_file: ../config/none\n"), &["105 error"], &["111 warning"]),
        ("", web("    env_file: ../config/a\n"), &[], &["111 warning"]),
        (
            "",
            web("    configs: [c]\nconfigs: {c: {file: ../config/none}}\n"),
            &["105 error"],
            &["111 warning", "111 warning"],
        ),
        (
            "",
            web("    configs: [c]\nconfigs: {c: {file: ../config/big}}\n"),
            &["104 error"],
            &["111 warning", "111 warning"],
        ),
        ("", web("    configs: [c]\nconfigs: {c: {file: ../config/fits}}\n"), &[], &["111 warning", "111 warning"]),
        (
            "",
            web("    configs: [-c-]\nconfigs: {-c-: {content: x}}\n"),
            &["109 error"],
            &["111 warning", "111 warning"],
        ),
        (
            "",
            web("    configs: [c]\nconfigs: {c: {environment: NONE}}\n"),
            &["113 warning"],
            &["111 warning", "111 warning"],
        ),
        // 112
        ("", web("volumes: {data: }\n"), &["112 error"], &["112 warning"]),
        ("configmaps: {settings: }\n", web("volumes: {settings: }\n"), &[], &[]),
        ("", web("    volumes: ['data:/d']\n"), &["112 error"], &["112 warning"]),
        // 113
        ("", web("    environment: {A: '${NOPE}'}\n"), &["113 warning"], &["113 warning"]),
        ("", web("    environment: {A: '${NOPE:?must}'}\n"), &["113 error"], &["113 warning"]),
        ("", web("    environment: {A: 'x${NOPE}'}\n"), &["113 warning"], &[]),
        ("", web("    environment: {A: '${NOPE:-x}'}\n"), &[], &[]),
        // 116
        ("resources: {containers: {limits: {memory: 2Gi}}}\n", COMPOSE.into(), &["116 warning"], &["116 warning"]),
        ("resources: {containers: {limits: {memory: 2GiB}}}\n", COMPOSE.into(), &[], &[]),
        (
            "",
            web("    deploy: {resources: {limits: {memory: 512Mi, cpus: '1'}}}\n"),
            &["116 warning"],
            &["116 warning"],
        ),
        // 101, amounts
        ("resources: {containers: {limits: {memory: lots}}}\n", COMPOSE.into(), &["101 error"], &["101 error"]),
        (
            "resources: {containers: {limits: {memory: 10X}, web: {reservations: {cpus: many}}}}\n",
            COMPOSE.into(),
            &["101 error", "101 error"],
            &["101 error", "101 error"],
        ),
        ("resources: {volumes: {reservations: {storage: big}}}\n", COMPOSE.into(), &["101 error"], &["101 error"]),
        ("resources: {volumes: {reservations: {storage: ''}}}\n", COMPOSE.into(), &["101 error"], &["101 error"]),
        ("", web("    deploy: {resources: {limits: {memory: lots}}}\n"), &["101 error"], &["101 error"]),
        ("resources: {containers: {limits: {memory: 1.5G, cpus: 250m}}}\n", COMPOSE.into(), &[], &[]),
        // 102, names of nothing
        ("resources: {containers: {wbe: {limits: {cpus: 1}}}}\n", COMPOSE.into(), &["102 warning"], &["102 warning"]),
        ("resources: {containers: {web: {limits: {cpus: 1}}}}\n", COMPOSE.into(), &[], &[]),
        (
            "resources: {volumes: {dta: {reservations: {storage: 1G}}}}\nvolumes: {data: /d}\n",
            web("volumes: {data: }\n"),
            &["102 warning"],
            &["102 warning"],
        ),
        ("image-overrides: {wbe: 'a:1'}\n", COMPOSE.into(), &["102 warning"], &["102 warning"]),
        (
            "volumes: {dta: /d}\n",
            web("volumes: {data: }\n"),
            &["102 warning", "112 error"],
            &["102 warning", "112 warning"],
        ),
        // 101, 404, routes
        (
            "network: {http-proxy: [{host-name: a.b, routes: [{path: api, proxy-to: 'web:80'}]}]}\n",
            COMPOSE.into(),
            &["101 error"],
            &["101 warning"],
        ),
        (
            "network: {http-proxy: [{host-name: a.b, routes: [{path: /x, proxy-to: 'web:80'}, {path: /x, proxy-to: 'web:80'}]}]}\n",
            COMPOSE.into(),
            &["404 error"],
            &["404 warning"],
        ),
        (
            "network:\n  http-proxy:\n  - {host-name: a.b, routes: [{path: /x, proxy-to: 'web:80'}]}\n  \
             - {host-name: a.b, routes: [{path: /x, proxy-to: 'web:80'}]}\n",
            COMPOSE.into(),
            &["404 error"],
            &["404 warning"],
        ),
        (
            "network:\n  http-proxy:\n  - {host-name: a.b, routes: [{path: /x, proxy-to: 'web:80'}, {path: /y, proxy-to: 'web:80'}]}\n  \
             - {host-name: a.c, routes: [{path: /x, proxy-to: 'web:80'}]}\n",
            COMPOSE.into(),
            &[],
            &[],
        ),
        // 205
        ("volumes: {a: /d/x, b: /d/./x/}\n", web("volumes: {a: , b: }\n"), &["205 warning"], &["205 warning"]),
        ("volumes: {a: /d/x, b: /d/y}\n", web("volumes: {a: , b: }\n"), &[], &[]),
        // 206, 207, 212
        (
            "kind-mount-root: /srv/kind\nvolumes: {d: /data/d}\n",
            web("volumes: {d: }\n"),
            &["206 warning"],
            &["206 warning"],
        ),
        (
            "kind-mount-root: /srv/kind\nvolumes: {d: /srv/kind2/d}\n",
            web("volumes: {d: }\n"),
            &["207 warning"],
            &["207 warning"],
        ),
        (
            "kind-mount-root: /srv/kind\nvolumes: {d: /srv/kind/../d}\n",
            web("volumes: {d: }\n"),
            &["207 warning"],
            &["207 warning"],
        ),
        ("kind-mount-root: /srv/kind\nvolumes: {d: /srv/kind/d}\n", web("volumes: {d: }\n"), &[], &[]),
        (
            "kind-mount-root: /srv/kind\nvolumes: {d: ./data/d}\n",
            web("volumes: {d: }\n"),
            &["212 error"],
            &["212 warning"],
        ),
        (
            "kind-mount-root: /srv/kin\nvolumes: {d: ./data/d}\n",
            web("volumes: {d: }\n"),
            &["206 warning"],
            &["206 warning"],
        ),
        ("volumes: {d: ./data/d}\n", web("volumes: {d: }\n"), &[], &[]),
        // 301, 307
        ("volumes: {d: }\n", web("volumes: {d: }\n"), &["301 warning"], &["301 warning"]),
        ("volumes: {d: }\n", COMPOSE.into(), &["102 warning"], &["102 warning"]),
        ("volumes: {d: /x}\nreplicas: 2\n", web("volumes: {d: }\n"), &["307 warning"], &["307 warning"]),
        ("volumes: {d: /x}\nreplicas: 1\n", web("volumes: {d: }\n"), &[], &[]),
        // 503
        ("", "services:\n  web:\n    image: r.io:5000/nginx\n".into(), &["503 warning"], &["503 warning"]),
        ("", "services:\n  web:\n    image: nginx:latest\n".into(), &["503 warning"], &["503 warning"]),
        ("image-overrides: {web: 'nginx:1.27'}\n", "services:\n  web:\n    image: nginx:latest\n".into(), &[], &[]),
        ("", "services:\n  web:\n    image: nginx@sha256:00\n".into(), &[], &[]),
        // 114, 117, 703
        ("image-pull-secret: {server: s, token-env: T}\n", COMPOSE.into(), &["114 warning"], &["114 warning"]),
        ("registry-credentials: {server: s, token: abcdefgh}\n", COMPOSE.into(), &["703 error"], &["703 error"]),
    ];
    let half = "x".repeat(400_000);
    let (fits, big) = ("x".repeat(716_800), "x".repeat(716_801));
    for (spec, compose, strict, lenient) in table {
        for (dialect, expected) in [("compose", strict), ("laconic-so", lenient)] {
            let spec = format!("{SPEC}{spec}");
            let outcome = run(
                dialect,
                &[
                    ("spec.yml", &spec),
                    ("compose/docker-compose-web.yml", &compose),
                    ("config/a", "x"),
                    ("config/deep/sub/x", "x"),
                    ("config/flat/x", "x"),
                    ("config/sum/a", &half),
                    ("config/sum/b", &half),
                    ("config/fits", &fits),
                    ("config/big", &big),
                    ("config/a-b/c.txt", "x"),
                    ("config/a/b-c.txt", "x"),
                    (&format!("config/{long}"), "x"),
                    ("configmaps/settings/a", "x"),
                ],
            );
            // `config/a` is a file and a folder in this list; memory sources see the file first.
            assert_eq!(summary(&outcome), expected, "{dialect}: {spec}{compose}");
            assert_eq!(outcome.deployment.is_none(), expected.iter().any(|line| line.ends_with("error")));
            for finding in &outcome.findings {
                assert!(finding.place.is_some() && !finding.help.is_empty(), "{finding:?}");
            }
        }
    }
}

#[test]
fn a_relative_token_file_is_of_its_own_deployment() {
    let files = |path: &str| {
        let credentials = format!("registry-credentials: {{server: s, username: u, token-file: {path}}}\n");
        let spec = format!("{SPEC}{credentials}ca-certificates: [{path}]\n");
        let compiled = crate::compile::compile(&source(), &directory("compose", &[("spec.yml", &spec)]));
        let resources = compiled.deployment.unwrap().resources;
        let secrets = resources.iter().filter(|it| it.address.resource_type == crate::address::ResourceType::Secret);
        secrets.map(|secret| secret.attributes.value()["data"].to_string()).collect::<Vec<_>>()
    };
    for (written, expected) in
        [("./token", "/srv/kind/shop/token"), ("/etc/token", "/etc/token"), ("~/token", "~/token")]
    {
        let found = files(written);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|data| data.contains(&format!("\"{expected}\""))), "{found:?}");
    }
}

#[test]
fn amounts_of_the_spec_are_places_of_their_fields() {
    let spec = format!("{SPEC}resources:\n  containers:\n    limits:\n      cpus: 1\n      memory: 1GB\n");
    for dialect in ["compose", "laconic-so"] {
        let compiled = crate::compile::compile(&source(), &directory(dialect, &[("spec.yml", &spec)]));
        let resources = compiled.deployment.unwrap().resources;
        let kind = crate::address::ResourceType::Deployment;
        let deployment = resources.iter().find(|it| it.address.resource_type == kind).unwrap();
        for (field, line) in [("limits.cpu", 6), ("limits.memory", 7), ("limits", 6)] {
            let place = deployment.place_of(&format!("spec.template.spec.containers[web].resources.{field}")).unwrap();
            assert_eq!((&*place.file, place.line), ("spec.yml", line), "{field}");
        }
    }
}

#[test]
fn names_of_nothing_come_with_the_nearest() {
    let spec = format!(
        "{SPEC}resources: {{containers: {{wbe: {{limits: {{cpus: 1}}}}}}, volumes: {{dta: {{reservations: {{storage: 1G}}}}}}}}\n\
         image-overrides: {{wbe: 'a:1'}}\nvolumes: {{data: /d, other: /o}}\n"
    );
    let outcome =
        run("compose", &[("spec.yml", &spec), ("compose/docker-compose-web.yml", &web("volumes: {data: }\n"))]);
    let help: Vec<_> = outcome.findings.iter().map(|finding| finding.help[0].as_str()).collect();
    let near = ["did you mean `web`?", "did you mean `data`?", "did you mean `web`?"];
    assert_eq!(help[..3], near);
    assert!(outcome.findings[3].message.contains("`other` is used by no pod"));
    // What a missing compose file may name is not judged.
    let outcome = run("compose", &[("spec.yml", &spec), ("compose/docker-compose-web.yml", "")]);
    assert_eq!(summary(&outcome), ["101 error"]);
}

#[test]
fn a_relative_path_outside_the_umbrella_is_named_resolved() {
    let spec = format!("{SPEC}kind-mount-root: /srv/other\nvolumes: {{d: ./data/d}}\n");
    let files = [("spec.yml", spec.as_str()), ("compose/docker-compose-web.yml", &web("volumes: {d: }\n"))];
    let outcome = run("compose", &files);
    assert!(outcome.findings[0].message.contains("`/srv/kind/shop/data/d`"), "{:?}", outcome.findings);
    assert!(outcome.findings[0].help[0].contains("`d: /srv/other/shop/d`"));
}

#[test]
fn relative_paths_are_refused_on_remote_clusters() {
    let check = |path: &str| {
        let spec = format!("stack: s\ndeploy-to: k8s\nvolumes: {{d: {path}}}\n");
        summary(&run(
            "laconic-so",
            &[("spec.yml", &spec), ("compose/docker-compose-web.yml", &web("volumes: {d: }\n"))],
        ))
    };
    assert_eq!(check("./data"), ["107 error"]);
    assert_eq!(check("/data"), ["309 warning"]);
    assert_eq!(check(""), Vec::<String>::new());
}

#[test]
fn missing_and_strange_files_are_named_with_a_way_out() {
    struct Strange(MemorySources, &'static str, SourceError);
    impl SourceReader for Strange {
        fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
            if path == self.1 { Err(self.2.clone()) } else { self.0.read(path) }
        }
        fn entry(&self, path: &str) -> Result<SourceEntry, SourceError> {
            self.0.entry(path)
        }
    }
    let files = ["spec.yml", "stack.yml", "deployment.yml", "compose/docker-compose-web.yml", "config.env"];
    let errors = [
        SourceError::Missing,
        SourceError::NotAFile,
        SourceError::TooLarge(100_000_000),
        SourceError::Unreadable("denied".into()),
    ];
    for file in files {
        for error in &errors {
            if file == "config.env" && *error == SourceError::Missing {
                continue;
            }
            let outcome = check(&source(), &Strange(directory("laconic-so", &[]), file, error.clone()));
            let findings: Vec<_> =
                outcome.findings.iter().filter(|finding| finding.code == Code::InvalidYaml).collect();
            assert_eq!(findings.len(), 1, "{file} {error} {findings:?}");
            assert!(findings[0].message.contains(file) && !findings[0].help.is_empty());
            assert_eq!(outcome.deployment, None);
        }
    }
    let mut binary = directory("compose", &[]);
    binary.insert("stack.yml", b"\x7fELF\xff\0");
    assert_eq!(summary(&check(&source(), &binary)), ["101 error"]);
    let outcome = run("laconic-so", &[("config.env", ""), ("spec.yml", &format!("{SPEC}config: {{A: 1}}\n"))]);
    assert_eq!(summary(&outcome), ["101 warning"]);
}

#[test]
fn files_that_were_not_consulted_are_not_judged() {
    struct Offline(MemorySources);
    impl SourceReader for Offline {
        fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
            self.0.read(path)
        }
        fn entry(&self, _: &str) -> Result<SourceEntry, SourceError> {
            Err(SourceError::NotConsulted)
        }
    }
    let compose = web("    volumes: ['/etc/hosts:/a', '../config/none:/b']\n");
    let sources = directory("compose", &[("compose/docker-compose-web.yml", &compose)]);
    assert_eq!(check(&source(), &Offline(sources)).findings, []);
}

#[test]
fn hooks_are_reported() {
    let outcome = run("laconic-so", &[("hooks/commands_0.py", "x"), ("hooks/readme.md", "x")]);
    assert_eq!(summary(&outcome), ["115 warning"]);
}

#[test]
fn host_paths_have_the_old_names() {
    let table = [
        ("../config/test/script.sh", "host-path-config-test-script-sh"),
        ("../config/hp/My_File.Conf", "host-path-config-hp-myfile-conf"),
        ("./x", "host-path-x"),
        ("../../x", "host-path-x"),
        ("/etc//hosts", "host-path-etc-hosts"),
        (".env", "host-path-env"),
    ];
    for (source, name) in table {
        assert_eq!(host_path_volume_name(source), name);
    }
}

#[test]
fn findings_come_in_the_order_of_files_and_lines() {
    let lines = said("compose", "zzz: 1\nvolumes: {a_b: }\nyyy: 1\n", &web("    restart: no\nvolumes: {a_b: }\n"));
    assert_eq!(lines, ["102 warning", "301 warning", "102 warning", "111 warning", "109 error"]);
}
