//! Deployment directories of any size, as an operator's host has them: both dialects, volumes under the umbrella,
//! ConfigMaps from folders and from bound files, generated secrets, Jobs, Services and Ingresses.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The kind cluster all of them share.
pub const CLUSTER: &str = "laconic-benchmark";

/// About how many resources one deployment, or one group of pods in a large deployment, comes to.
pub const RESOURCES_EACH: usize = 15;

/// Writes so many deployments of about fifteen resources, and returns their directories.
///
/// # Errors
/// Files that cannot be written.
pub fn many(root: &Path, resources: usize) -> io::Result<Vec<PathBuf>> {
    let count = resources.div_ceil(RESOURCES_EACH);
    (0..count)
        .map(|number| {
            let directory = root.join(format!("shop{number:05}"));
            write(&directory, &format!("shop{number:05}"), number % 2 == 0, 1)?;
            Ok(directory)
        })
        .collect()
}

/// Writes one deployment with about so many resources, and returns its directory.
///
/// # Errors
/// Files that cannot be written.
pub fn one(root: &Path, resources: usize) -> io::Result<Vec<PathBuf>> {
    let directory = root.join("warehouse");
    write(&directory, "warehouse", true, resources.div_ceil(RESOURCES_EACH))?;
    Ok(vec![directory])
}

/// Writes an operator's repository with so many deployments of one stack on one cluster, and returns its directory.
///
/// # Errors
/// Files that cannot be written.
pub fn repository(root: &Path, count: usize) -> io::Result<Vec<PathBuf>> {
    let stacks = root.join("stacks");
    for folder in ["stacks/shop", "compose", "compose-jobs", "config/settings0"] {
        fs::create_dir_all(stacks.join(folder))?;
    }
    fs::create_dir_all(root.join("specs"))?;
    fs::write(stacks.join("stacks/shop/stack.yml"), stack("shop", 1))?;
    compose_files(&stacks, 1)?;
    fs::write(stacks.join("config/settings0/settings.toml"), "[shop]\nname = \"shop\"\n".repeat(12))?;
    let mut names = String::from("deployments:\n");
    for number in 0..count {
        let name = format!("shop{number:05}");
        let text = spec(&name, 1).replace("stack: stacks/", "stack: ../stacks/stacks/shop # ");
        let text = text.replace("kind-mount-root: /srv/kind\n", &format!("namespace: {name}\n"));
        fs::write(root.join(format!("specs/{name}.yml")), text)?;
        let _ = writeln!(names, "  {name}:\n    spec: specs/{name}.yml\n    cluster: {CLUSTER}");
    }
    let _ = write!(names, "clusters:\n  {CLUSTER}:\n    kind-mount-root: /srv/kind\n");
    fs::write(root.join("laconic.yml"), names)?;
    Ok(vec![root.to_owned()])
}

/// Edits one spec of such a repository.
///
/// # Errors
/// Files that cannot be written.
pub fn edit(root: &Path) -> io::Result<()> {
    let path = root.join("specs/shop00000.yml");
    let text = fs::read_to_string(&path)?.replace("LOG_LEVEL: info", "LOG_LEVEL: debug");
    fs::write(path, text)
}

fn write(directory: &Path, name: &str, compose_dialect: bool, groups: usize) -> io::Result<()> {
    fs::create_dir_all(directory.join("compose"))?;
    fs::create_dir_all(directory.join("compose-jobs"))?;
    fs::create_dir_all(directory.join("config"))?;
    let dialect = if compose_dialect { "dialect: compose\n" } else { "" };
    let identity =
        format!("cluster-id: {CLUSTER}\ndeployment-id: laconic-{name}\n{dialect}stack-source: stacks/{name}\n");
    fs::write(directory.join("deployment.yml"), identity)?;
    fs::write(directory.join("config.env"), "LOG_LEVEL=info\nWORKERS=4\nPUBLIC_URL=https://shop.example.com\n")?;
    fs::write(directory.join("stack.yml"), stack(name, groups))?;
    fs::write(directory.join("spec.yml"), spec(name, groups))?;
    compose_files(directory, groups)?;
    for group in 0..groups {
        let settings = directory.join(format!("configmaps/settings{group}"));
        fs::create_dir_all(&settings)?;
        fs::write(settings.join("settings.toml"), format!("[shop]\nname = \"{name}\"\ngroup = {group}\n").repeat(12))?;
    }
    Ok(())
}

/// The compose files of a stack, and the files that they bind.
fn compose_files(directory: &Path, groups: usize) -> io::Result<()> {
    for group in 0..groups {
        let compose = directory.join("compose");
        fs::write(compose.join(format!("docker-compose-web{group}.yml")), web(group))?;
        fs::write(compose.join(format!("docker-compose-db{group}.yml")), database(group))?;
        let job = format!(
            "services:\n  migrate{group}:\n    image: registry.example.com/shop/migrate:1.4\n    \
             command: [\"migrate\", \"--wait\", \"30\"]\n    environment:\n      DATABASE: postgres://db{group}:5432/shop\n"
        );
        fs::write(directory.join(format!("compose-jobs/docker-compose-migrate{group}.yml")), job)?;
        let proxy = format!("upstream group{group} {{ server localhost:3000; }}\n").repeat(20);
        fs::write(directory.join(format!("config/proxy{group}.conf")), proxy)?;
    }
    Ok(())
}

fn stack(name: &str, groups: usize) -> String {
    let pods: String = (0..groups).map(|group| format!("  - web{group}\n  - db{group}\n")).collect();
    let jobs: String = (0..groups).map(|group| format!("  - migrate{group}\n")).collect();
    format!("version: \"1.0\"\nname: {name}\npods:\n{pods}jobs:\n{jobs}")
}

fn spec(name: &str, groups: usize) -> String {
    let mut text = format!("stack: stacks/{name}\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\n");
    // Writing into a `String` cannot fail.
    text.push_str("config:\n  LOG_LEVEL: info\n  WORKERS: \"4\"\n  SESSION_KEY: $generate:hex:32$\n");
    text.push_str("network:\n  http-proxy:\n");
    for group in 0..groups {
        let _ = writeln!(
            text,
            "   - host-name: {name}-{group}.example.com\n     routes:\n      - path: /\n        proxy-to: web{group}:8080"
        );
    }
    text.push_str("volumes:\n");
    for group in 0..groups {
        let _ = writeln!(
            text,
            "  data{group}: /srv/kind/{name}/data{group}\n  cache{group}: /srv/kind/{name}/cache{group}"
        );
    }
    text.push_str("configmaps:\n");
    for group in 0..groups {
        let _ = writeln!(text, "  settings{group}: ./configmaps/settings{group}");
    }
    text.push_str(
        "resources:\n  containers:\n    reservations:\n      cpus: \"0.25\"\n      memory: 256M\n    limits:\n      cpus: \"1\"\n      \
         memory: 512M\n  volumes:\n    reservations:\n      storage: 5G\n",
    );
    text
}

fn web(group: usize) -> String {
    format!(
        "services:\n  web{group}:\n    image: registry.example.com/shop/web:1.4.2\n    environment:\n      \
         DATABASE: postgres://shop@db{group}:5432/shop\n      PUBLIC_URL: https://shop.example.com\n      LOG_LEVEL: info\n    \
         ports:\n      - '8080'\n    volumes:\n      - cache{group}:/var/cache/web\n      - settings{group}:/etc/web:ro\n      \
         - ../config/proxy{group}.conf:/etc/proxy.conf:ro\n  sidecar{group}:\n    image: registry.example.com/shop/sidecar:2.0\n    \
         command: [\"sidecar\", \"--listen\", \"127.0.0.1:9090\"]\n    environment:\n      TARGET: http://127.0.0.1:8080\n\
         volumes:\n  cache{group}:\n  settings{group}:\n"
    )
}

fn database(group: usize) -> String {
    format!(
        "services:\n  db{group}:\n    image: postgres:16.4\n    command: [\"postgres\", \"-c\", \"max_connections=200\"]\n    \
         environment:\n      POSTGRES_USER: shop\n      POSTGRES_DB: shop\n      POSTGRES_HOST_AUTH_METHOD: trust\n      \
         PGDATA: /var/lib/postgresql/data/pg\n    volumes:\n      - data{group}:/var/lib/postgresql/data\nvolumes:\n  data{group}:\n"
    )
}
