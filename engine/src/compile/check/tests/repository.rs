//! Specs and stacks in a repository.

use super::*;

fn repository(identity: Option<crate::spec::DeploymentFile>, spec: &str) -> CheckOutcome {
    let mut sources = MemorySources::default();
    sources.insert("specs/shop.yml", spec.as_bytes());
    sources.insert("repo/stacks/shop/stack.yml", b"pods: [web]\njobs: [migrate]\n");
    sources.insert("repo/stacks/shop/deploy/commands.py", b"");
    sources.insert(
        "repo/compose/docker-compose-web.yml",
        web("    volumes: ['../config/x:/x']\n    ports: ['80']\n").as_bytes(),
    );
    sources.insert("repo/compose-jobs/docker-compose-migrate.yml", b"services: {m: {image: 'm:1'}}\n");
    sources.insert("repo/config/x/a", b"1");
    let layout = Layout::Repository { stack: "repo/stacks/shop".to_owned(), identity };
    check(&DeploymentSource { spec_file: "specs/shop.yml".to_owned(), layout, ..source() }, &sources)
}

#[test]
fn a_repository_is_read_with_a_stand_in_identity() {
    let outcome = repository(
        None,
        "stack: x\ndeploy-to: k8s-kind\nnetwork: {ports: {web: ['30081:81']}}\nconfig: {A: 'x # y', B: true}\n",
    );
    assert_eq!(summary(&outcome), ["115 warning"]);
    let deployment = outcome.deployment.unwrap();
    assert!(deployment.identity_is_placeholder);
    assert_eq!(deployment.identity.deployment_id, "laconic-shop-id");
    assert_eq!(deployment.identity.cluster_id, "laconic-shop-cluster");
    assert_eq!(deployment.compose_directory, "repo/compose");
    assert_eq!(deployment.jobs.len(), 1);
    assert_eq!(deployment.pods[0].1.services[0].ports[0].host, Some(30081));
    let values: Vec<_> = deployment.config.iter().map(|variable| variable.value.as_str()).collect();
    assert_eq!(values, ["x # y", "true"]);
}

#[test]
fn a_configmap_folder_beside_the_spec_is_read_before_the_stacks() {
    let compile = |path: &str, files: &[&str]| {
        let mut sources = MemorySources::default();
        let spec = format!("stack: x\ndeploy-to: k8s-kind\nconfigmaps: {{settings: {path}}}\n");
        sources.insert("specs/shop.yml", spec.as_bytes());
        sources.insert("repo/stacks/shop/stack.yml", b"pods: [web]\n");
        sources.insert("repo/compose/docker-compose-web.yml", web("volumes: {settings: }\n").as_bytes());
        for file in files {
            sources.insert(file, file.as_bytes());
        }
        let layout = Layout::Repository { stack: "repo/stacks/shop".to_owned(), identity: None };
        let source = DeploymentSource { spec_file: "specs/shop.yml".to_owned(), layout, ..source() };
        crate::compile::compile(&source, &sources)
    };
    let (mine, usual, stacks) = ("specs/folder/a", "specs/configmaps/settings/a", "repo/config/settings/a");
    let table: [(&str, &[&str], &str); 5] = [
        ("./folder", &[mine, stacks], mine),
        ("./folder", &[stacks], stacks),
        ("./configmaps/settings", &[usual, stacks], stacks),
        ("folder", &[mine, stacks], mine),
        ("", &[mine, stacks], stacks),
    ];
    for (path, files, expected) in table {
        let compiled = compile(path, files);
        assert_eq!(compiled.findings, [], "{path}");
        let resources = compiled.deployment.unwrap().resources;
        let map =
            resources.iter().find(|it| it.address.resource_type == crate::address::ResourceType::ConfigMap).unwrap();
        assert_eq!(map.attributes.value()["data"]["a"], expected, "{path}");
    }
    let missing = compile("./folder", &[]);
    assert_eq!(missing.findings[0].code, Code::BindMissing);
}

#[test]
fn a_repository_with_an_old_identity_reads_config_the_old_way() {
    let identity =
        crate::spec::DeploymentFile { cluster_id: "c".into(), deployment_id: "d".into(), ..Default::default() };
    let spec = "stack: x\ndeploy-to: k8s-kind\nconfig:\n  A: 'x # y'\n  B: true\n  C: ''\n  D: ${A}-${NO}\n  E: 0755\n";
    let outcome = repository(Some(identity), spec);
    assert_eq!(summary(&outcome), ["113 warning", "115 warning"]);
    assert_eq!(outcome.findings[0].place.as_ref().unwrap().line, 7);
    let deployment = outcome.deployment.unwrap();
    assert!(!deployment.identity_is_placeholder);
    let values: Vec<_> = deployment.config.iter().map(|variable| variable.value.as_str()).collect();
    assert_eq!(values, ["x", "True", "x-", "0755"]);
}

#[test]
fn a_pod_of_another_repository_is_read_from_its_clone() {
    let mut sources = MemorySources::default();
    let stack =
        "pods:\n  - {name: web, repository: github.com/acme/site, path: deploy, pre_start_command: ./prepare.sh}\n";
    let compose = web("    volumes: ['../files/a:/a:ro']\n");
    for (path, text) in [
        ("specs/shop.yml", SPEC),
        ("repo/stacks/shop/stack.yml", stack),
        ("~/cerc/site/deploy/docker-compose.yml", compose.as_str()),
        ("~/cerc/site/files/a", "text"),
        ("~/cerc/site/deploy/stack/deploy/commands.py", "def start(): pass\n"),
    ] {
        sources.insert(path, text.as_bytes());
    }
    let layout = Layout::Repository { stack: "repo/stacks/shop".to_owned(), identity: None };
    let source = DeploymentSource { spec_file: "specs/shop.yml".to_owned(), layout, ..source() };
    let outcome = check(&source, &sources);
    // The start command and the hook, neither of which is run.
    assert_eq!(summary(&outcome), ["115 warning", "115 warning"]);
    let compiled = crate::compile::compile(&source, &sources).deployment.unwrap();
    let is_map = |one: &&crate::resource::Resource| {
        one.address.resource_type == crate::address::ResourceType::ConfigMap
            && one.attributes.value()["data"]["a"] == "text"
    };
    assert!(compiled.resources.iter().any(|one| is_map(&one)), "the file beside the clone's compose file");

    let mut without = MemorySources::default();
    without.insert("specs/shop.yml", SPEC.as_bytes());
    without.insert("repo/stacks/shop/stack.yml", stack.as_bytes());
    let outcome = check(&source, &without);
    let missing = outcome.findings.iter().find(|finding| finding.severity == Severity::Error).unwrap();
    assert!(missing.help[0].contains("clone the repository of pod `web`"), "{missing:?}");
    assert_eq!(missing.place.as_ref().unwrap().line, 2);
}
