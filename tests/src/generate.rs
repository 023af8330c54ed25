//! Random deployments: deployment directories as text, so that the whole path from YAML on is tried.

use std::fmt::Write as _;

use laconic_engine::source::MemorySources;
use proptest::prelude::*;

/// Where a random volume lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumePath {
    /// Nowhere: in the cluster's node.
    Empty,
    /// Under the umbrella.
    Umbrella,
    /// Under the umbrella, in another folder.
    Moved,
    /// Outside it: a mount of its own.
    Outside,
}

/// A random deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `compose` or `laconic-so`.
    pub compose_dialect: bool,
    /// How many pod files, 1 to 3.
    pub pods: usize,
    /// The volumes `a`, `b`, `c`, each mounted by the pod of its number.
    pub volumes: [Option<VolumePath>; 3],
    /// Whether a Job runs.
    pub job: Option<u8>,
    /// The content of the ConfigMap, if there is one.
    pub config_map: Option<u8>,
    /// The value of a variable, if there is one.
    pub variable: Option<u8>,
    /// The image's tag.
    pub tag: u8,
    /// Replicas.
    pub replicas: u8,
    /// The hosts served.
    pub hosts: u8,
    /// Whether a key is generated.
    pub generated: bool,
    /// Whether a private registry is used.
    pub registry: bool,
    /// The size of every volume, in gigabytes.
    pub size: u8,
    /// Whether the cluster has an umbrella mount.
    pub umbrella: bool,
    /// Whether it goes to a remote Kubernetes instead of a kind cluster.
    pub remote: bool,
}

fn volume() -> impl Strategy<Value = Option<VolumePath>> {
    prop_oneof![
        2 => Just(None),
        2 => Just(Some(VolumePath::Umbrella)),
        1 => Just(Some(VolumePath::Empty)),
        1 => Just(Some(VolumePath::Moved)),
        1 => Just(Some(VolumePath::Outside)),
    ]
}

/// A random shape.
pub fn shape() -> impl Strategy<Value = Shape> {
    let first = (any::<bool>(), 1..=3_usize, [volume(), volume(), volume()], proptest::option::of(0..2_u8));
    let second = (proptest::option::of(0..2_u8), proptest::option::of(0..2_u8), 0..2_u8, 1..3_u8, 0..3_u8);
    let often = || prop_oneof![4 => Just(true), 1 => Just(false)];
    let third = (any::<bool>(), any::<bool>(), 1..3_u8, often(), often().prop_map(|kind| !kind));
    (first, second, third).prop_map(|(first, second, third)| {
        let (compose_dialect, pods, volumes, job) = first;
        let (config_map, variable, tag, replicas, hosts) = second;
        let (generated, registry, size, umbrella, remote) = third;
        Shape {
            compose_dialect,
            pods,
            volumes,
            job,
            config_map,
            variable,
            tag,
            replicas,
            hosts,
            generated,
            registry,
            size,
            umbrella,
            remote,
        }
    })
}

/// The next version of a deployment: a few of its properties changed.
pub fn successor(shape: Shape, other: &Shape, picks: u16) -> Shape {
    let picked = |bit: u16| picks & (1 << bit) != 0;
    Shape {
        // A directory keeps its dialect unless somebody switches it.
        compose_dialect: shape.compose_dialect,
        pods: if picked(0) { other.pods } else { shape.pods },
        volumes: if picked(1) { other.volumes } else { shape.volumes },
        job: if picked(2) { other.job } else { shape.job },
        config_map: if picked(3) { other.config_map } else { shape.config_map },
        variable: if picked(4) { other.variable } else { shape.variable },
        tag: if picked(5) { other.tag } else { shape.tag },
        replicas: if picked(6) { other.replicas } else { shape.replicas },
        hosts: if picked(7) { other.hosts } else { shape.hosts },
        generated: if picked(8) { other.generated } else { shape.generated },
        registry: if picked(9) { other.registry } else { shape.registry },
        size: if picked(10) { other.size } else { shape.size },
        umbrella: if picked(11) { other.umbrella } else { shape.umbrella },
        // Moving to another cluster is refused as long as anything is recorded on the old one.
        remote: shape.remote,
    }
}

/// The deployment directory of a shape.
#[must_use]
pub fn directory(name: &str, cluster: &str, shape: &Shape) -> MemorySources {
    let mut files = MemorySources::default();
    let dialect = if shape.compose_dialect { "dialect: compose\n" } else { "" };
    let identity =
        format!("cluster-id: {cluster}\ndeployment-id: laconic-{name}\n{dialect}stack-source: stacks/{name}\n");
    files.insert("deployment.yml", identity.as_bytes());
    let pods: String = (0..shape.pods).map(|pod| format!("  - pod{pod}\n")).collect();
    let jobs = if shape.job.is_some() { "jobs:\n  - migrate\n" } else { "" };
    files.insert("stack.yml", format!("version: \"1.0\"\nname: {name}\npods:\n{pods}{jobs}").as_bytes());
    files.insert("spec.yml", spec(name, shape).as_bytes());
    files.insert("config.env", config_env(shape).as_bytes());
    for pod in 0..shape.pods {
        files.insert(&format!("compose/docker-compose-pod{pod}.yml"), compose(pod, shape).as_bytes());
    }
    if let Some(version) = shape.job {
        let text = format!("services:\n  migrate:\n    image: example/migrate:{version}\n    command: [\"migrate\"]\n");
        files.insert("compose-jobs/docker-compose-migrate.yml", text.as_bytes());
    }
    if let Some(version) = shape.config_map {
        files.insert("configmaps/settings/settings.conf", format!("version = {version}\n").as_bytes());
    }
    files
}

/// A few shapes have more volumes than pods; a volume belongs to the pod of its number, if there is one.
fn volumes_of(shape: &Shape) -> impl Iterator<Item = (usize, &'static str, VolumePath)> + '_ {
    ["a", "b", "c"]
        .into_iter()
        .enumerate()
        .filter(|(index, _)| *index < shape.pods)
        .filter_map(|(index, name)| Some((index, name, shape.volumes[index]?)))
}

fn spec(name: &str, shape: &Shape) -> String {
    let target = if shape.remote { "k8s\nkube-config: kubeconfig.yml" } else { "k8s-kind" };
    let mut text = format!("stack: stacks/{name}\ndeploy-to: {target}\nreplicas: {}\n", shape.replicas);
    if shape.umbrella && !shape.remote {
        text.push_str("kind-mount-root: /srv/kind\n");
    }
    if shape.hosts > 0 {
        text.push_str("network:\n  http-proxy:\n");
        for host in 0..shape.hosts {
            // Writing into a `String` cannot fail.
            let _ = writeln!(
                text,
                "   - host-name: {name}{host}.example.com\n     routes:\n      - path: /\n        proxy-to: web0:8080"
            );
        }
    }
    if shape.variable.is_some() || shape.generated {
        text.push_str("config:\n");
        if let Some(value) = shape.variable {
            let _ = writeln!(text, "  MODE: mode-{value}");
        }
        if shape.generated {
            text.push_str("  KEY: $generate:hex:16$\n");
        }
    }
    if shape.registry {
        text.push_str("registry-credentials:\n  server: registry.example.com\n  username: bot\n  token-env: TOKEN\n");
    }
    let volumes: Vec<_> = volumes_of(shape).collect();
    if !volumes.is_empty() {
        text.push_str("volumes:\n");
        for (_, volume, path) in &volumes {
            let path = match path {
                VolumePath::Empty => String::new(),
                VolumePath::Umbrella => format!(" /srv/kind/{name}/{volume}"),
                VolumePath::Moved => format!(" /srv/kind/{name}/moved/{volume}"),
                VolumePath::Outside => format!(" /data/{name}/{volume}"),
            };
            let _ = writeln!(text, "  {volume}:{path}");
        }
        let _ = writeln!(text, "resources:\n  volumes:\n    reservations:\n      storage: {}G", shape.size);
    }
    if shape.config_map.is_some() {
        text.push_str("configmaps:\n  settings: ./configmaps/settings\n");
    }
    text
}

fn config_env(shape: &Shape) -> String {
    shape.variable.map_or_else(String::new, |value| format!("MODE=mode-{value}\n"))
}

fn compose(pod: usize, shape: &Shape) -> String {
    let mut text = format!(
        "services:\n  web{pod}:\n    image: example/web:1.{}\n    environment:\n      POD: pod-{pod}\n    ports:\n     - '8080'\n",
        shape.tag
    );
    let mut mounts = Vec::new();
    let mut names = Vec::new();
    for (_, volume, _) in volumes_of(shape).filter(|(index, ..)| *index == pod) {
        mounts.push(format!("     - {volume}:/var/lib/{volume}\n"));
        names.push(volume);
    }
    if shape.config_map.is_some() && pod == 0 {
        mounts.push("     - settings:/etc/settings:ro\n".to_owned());
        names.push("settings");
    }
    if !mounts.is_empty() {
        text.push_str("    volumes:\n");
        text.extend(mounts);
        text.push_str("volumes:\n");
        text.extend(names.iter().map(|name| format!("  {name}:\n")));
    }
    text
}
