//! Random deployments that consist of volumes: every way to place one, used by a pod or by a job alone.

use std::fmt::Write as _;

use laconic_engine::source::MemorySources;
use proptest::prelude::*;

/// How the path of a random volume is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Not at all: a volume that is made for its claim.
    Empty,
    /// Under the umbrella.
    Umbrella,
    /// Under the umbrella, by a detour.
    Detour,
    /// Where a symbolic link of the host leads out of the umbrella.
    Link,
    /// Under a path that only looks like the umbrella.
    Lookalike,
    /// Outside.
    Outside,
    /// Relative to the deployment directory.
    Relative,
}

impl Written {
    const ALL: [Self; 7] =
        [Self::Empty, Self::Umbrella, Self::Detour, Self::Link, Self::Lookalike, Self::Outside, Self::Relative];
}

/// A random volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its path.
    pub written: Written,
    /// Whether no pod mounts it, only a job.
    pub job_only: bool,
}

/// A random deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub name: &'static str,
    /// Its dialect: `compose`, or laconic-so's.
    pub compose_dialect: bool,
    /// Its volumes; one that is `None` was taken out of the spec.
    pub volumes: Vec<Option<Volume>>,
}

fn volume() -> impl Strategy<Value = Volume> {
    let written = prop_oneof![2 => Just(Written::Empty), 5 => proptest::sample::select(&Written::ALL[..])];
    (written, prop_oneof![3 => Just(false), 1 => Just(true)])
        .prop_map(|(written, job_only)| Volume { written, job_only })
}

/// A random deployment of that name.
pub fn tenant(name: &'static str) -> impl Strategy<Value = Tenant> {
    (any::<bool>(), proptest::collection::vec(volume().prop_map(Some), 1..=3))
        .prop_map(move |(compose_dialect, volumes)| Tenant { name, compose_dialect, volumes })
}

/// The name of a deployment's volume of that number. No two deployments share one, so that their mounts do not collide.
#[must_use]
pub fn volume_name(tenant: &Tenant, index: usize) -> String {
    format!("{}{index}", tenant.name)
}

/// The deployment directory.
#[must_use]
pub fn directory(tenant: &Tenant, cluster: &str, umbrella: bool, remote: bool) -> MemorySources {
    let name = tenant.name;
    let mut files = MemorySources::default();
    let dialect = if tenant.compose_dialect { "dialect: compose\n" } else { "" };
    let identity = format!("cluster-id: {cluster}\ndeployment-id: id-{name}\n{dialect}stack-source: stacks/{name}\n");
    files.insert("deployment.yml", identity.as_bytes());
    let stack = format!("version: \"1.0\"\nname: {name}\npods:\n  - pod\njobs:\n  - job\n");
    files.insert("stack.yml", stack.as_bytes());
    files.insert("spec.yml", spec(tenant, umbrella, remote).as_bytes());
    files.insert("config.env", b"");
    files.insert("compose/docker-compose-pod.yml", compose(tenant, "web", false).as_bytes());
    files.insert("compose-jobs/docker-compose-job.yml", compose(tenant, "job", true).as_bytes());
    files
}

fn volumes(tenant: &Tenant) -> impl Iterator<Item = (String, Volume)> + '_ {
    let all = tenant.volumes.iter().enumerate();
    all.filter_map(|(index, volume)| Some((volume_name(tenant, index), (*volume)?)))
}

fn spec(tenant: &Tenant, umbrella: bool, remote: bool) -> String {
    let target = if remote { "k8s\nkube-config: kubeconfig.yml" } else { "k8s-kind" };
    let name = tenant.name;
    let mut text = format!("stack: stacks/{name}\ndeploy-to: {target}\n");
    if umbrella && !remote {
        text.push_str("kind-mount-root: /srv/kind\n");
    }
    if volumes(tenant).next().is_some() {
        text.push_str("volumes:\n");
    }
    for (volume, Volume { written, .. }) in volumes(tenant) {
        let path = match written {
            Written::Empty => String::new(),
            Written::Relative if !remote => format!(" ./data/{volume}"),
            Written::Umbrella | Written::Detour if remote => format!(" /srv/kind/{name}/{volume}"),
            Written::Umbrella => format!(" /srv/kind/{name}/{volume}"),
            Written::Detour => format!(" /srv/kind/{name}/x/../{volume}"),
            Written::Link => format!(" /srv/kind/links/{name}/{volume}"),
            Written::Lookalike => format!(" /srv/kind2/{name}/{volume}"),
            Written::Outside | Written::Relative => format!(" /data/{name}/{volume}"),
        };
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "  {volume}:{path}");
    }
    text
}

fn compose(tenant: &Tenant, service: &str, job: bool) -> String {
    let mut text = format!("services:\n  {service}:\n    image: example/{service}:1.0\n");
    let own: Vec<String> = volumes(tenant).filter(|(_, volume)| volume.job_only == job).map(|(name, _)| name).collect();
    if !own.is_empty() {
        text.push_str("    volumes:\n");
        text.extend(own.iter().map(|name| format!("     - {name}:/var/lib/{name}\n")));
        text.push_str("volumes:\n");
        text.extend(own.iter().map(|name| format!("  {name}:\n")));
    }
    text
}
