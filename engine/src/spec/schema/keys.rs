//! The keys of spec.yml.

use super::{Key, Kind, names};
use crate::code::Code;

macro_rules! known {
    ($($(#[$doc:meta])* $names:ident of $table:ident;)*) => {
        $($(#[$doc])* pub(crate) const $names: &[&str] = &names::<{ $table.len() }>($table);)*
    };
}

known! {
    /// The keys of spec.yml.
    SPEC_KEYS of SPEC_TABLE;
    /// The keys of `network:`.
    NETWORK_KEYS of NETWORK;
    /// The keys of an entry of `network.http-proxy`.
    HTTP_PROXY_KEYS of HTTP_PROXY;
    /// The keys of a route.
    ROUTE_KEYS of ROUTE;
    /// The keys of `resources:`.
    RESOURCES_KEYS of RESOURCES;
    /// The keys of `reservations:` and `limits:`.
    AMOUNTS_KEYS of AMOUNTS;
    /// The keys of a container's or volume's own block.
    BLOCK_KEYS of BLOCK;
    /// The keys of a volume's own block.
    VOLUME_BLOCK_KEYS of VOLUME_BLOCK;
    /// The keys of a volume's `reservations:`.
    STORAGE_KEYS of STORAGE;
    /// The keys of an external service.
    EXTERNAL_SERVICE_KEYS of EXTERNAL_SERVICE;
    /// The keys of `registry-credentials:`.
    REGISTRY_KEYS of REGISTRY;
    /// The keys of `security:`.
    SECURITY_KEYS of SECURITY;
    /// The keys of a node affinity.
    AFFINITY_KEYS of AFFINITY;
    /// The keys of a toleration.
    TOLERATION_KEYS of TOLERATION;
    /// The keys of a move.
    MOVED_KEYS of MOVED;
    /// The keys of a hook.
    HOOK_KEYS of HOOK;
}

/// The words of a hook's `phase`.
pub(crate) const PHASES: &[&str] = &["before-workloads", "after-workloads"];
/// The words of `deploy-to`.
pub(crate) const TARGETS: &[&str] = &["k8s-kind", "k8s"];
/// The words of `image-pull-policy`.
pub(crate) const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];

const CONTAINER_AND_PORT: Kind = Kind::Pattern("^[^:]+:[0-9]+$", "CONTAINER:PORT");
/// An absolute path, or nothing.
pub(crate) const ABSOLUTE_ROOT: Kind = Kind::Pattern("^(/.*)?$", "an absolute path");

pub(crate) const SPEC_TABLE: &[Key] = &[
    Key::new("stack", Kind::Text, "../stacks/shop", "The stack's folder, which holds stack.yml: relative to this file, else to the current directory. Its base name is the stack's name.").required(),
    Key::new("deploy-to", Kind::Word(TARGETS), "k8s-kind", "A kind cluster on a Docker host, or a remote Kubernetes.").required().rules(&[Code::NotKubernetes]),
    Key::new("kube-config", Kind::Text, "~/.kube/config", "How a remote cluster is reached; `deploy create` copies it into the deployment directory."),
    Key::new("kind-cluster-name", Kind::Text, "main", "The kind cluster's name.").or("the cluster-id of deployment.yml").rules(&[Code::InvalidName]),
    Key::new("kind-node-image", Kind::Text, "kindest/node:v1.33.1", "The image of the kind cluster's node.").or("what the cluster runs").rules(&[Code::KnobDisagreement]),
    Key::new("namespace", Kind::Text, "shop", "The namespace of everything that is deployed.").or("`laconic-STACK`").rules(&[Code::InvalidName, Code::NamespaceOwned]),
    Key::new("kind-mount-root", ABSOLUTE_ROOT, "/srv/kind", "The umbrella: one directory of the host that the kind node sees as `/mnt`. A volume under it never needs a new cluster.").rules(&[Code::NoUmbrellaMount, Code::MountRootDisagreement, Code::OutsideUmbrella, Code::LooksUnderUmbrella]),
    Key::new("network", Kind::Mapping(NETWORK), "{http-proxy: [{host-name: shop.example.com, routes: [{path: /, proxy-to: 'web:80'}]}]}", "Hosts, routes and ports."),
    Key::new("external-services", Kind::Names(&Kind::Mapping(EXTERNAL_SERVICE)), "{payments: {host: payments.example.com, port: 443}}", "Services outside of this deployment, by the name under which containers reach them. Each is reached in one way: by `host`, by `ip`, or by `selector` with `namespace`.").rules(&[Code::InvalidName]),
    Key::new("maintenance-service", CONTAINER_AND_PORT, "'maintenance:8080'", "The container and port of a maintenance page.").rules(&[Code::UnknownRoute]),
    Key::new("caddy-ingress-image", Kind::Text, "ghcr.io/example/caddy-ingress:1.4", "The image of the ingress controller, of which a kind cluster has one for all deployments.").or("what the cluster runs").rules(&[Code::KnobConflict, Code::IngressInterruption]),
    Key::new("config", Kind::Names(&Kind::OptionalScalar), "{LOG_LEVEL: info, SESSION_KEY: '$generate:hex:32$'}", "Variables that every container gets. `$generate:hex:32$` and `$generate:base64:32$` stand for a secret that is made once and kept."),
    Key::new("credentials-files", Kind::List(&Kind::Text), "[~/shop.env]", "Files of variables that every container gets and no plan shows.").rules(&[Code::SecretNotSet]),
    Key::new("configmaps", Kind::Names(&Kind::OptionalText), "{settings: ./settings}", "The files that a named compose volume shows: a folder, meant from this file. Nothing means the stack's `config/NAME`.").rules(&[Code::BindMissing]),
    Key::new("volumes", Kind::Names(&Kind::OptionalText), "{db-data: /srv/kind/shop/db}", "Where the data of a named compose volume is: a path on the host. Nothing means a volume that dies with the cluster.").rules(&[Code::UndeclaredVolume, Code::EphemeralVolume, Code::OutsideUmbrella, Code::RelativePathOnKubernetes, Code::NodeLocalVolume]),
    Key::new("secrets", Kind::Either(&[Kind::List(&Kind::Text), Kind::Names(&Kind::Anything)]), "[smtp-credentials]", "Secrets that somebody else makes in the namespace; containers get their entries as variables. As a mapping only the names count.").rules(&[Code::SecretMissing]),
    Key::new("registry-credentials", Kind::Mapping(REGISTRY), "{server: registry.example.com, username: shop, token-env: REGISTRY_TOKEN}", "How images are pulled from a private registry. Makes the Secret `DEPLOYMENT-ID-registry`.").rules(&[Code::LiteralSecret, Code::SecretNotSet]),
    Key::new("image-pull-secret", Kind::Mapping(REGISTRY), "{server: registry.example.com, username: shop, token-env: REGISTRY_TOKEN}", "The older name of `registry-credentials`. Makes the Secret `DEPLOYMENT-ID-image-pull-secret`.").replaced_by("registry-credentials").rules(&[Code::DeprecatedKey]),
    Key::new("ca-certificates", Kind::List(&Kind::Text), "[./company-ca.pem]", "Certificates that containers trust beside their own.").rules(&[Code::SecretNotSet]),
    Key::new("replicas", Kind::Number(0, 1_000_000), "2", "How many pods each Deployment has.").or("1").rules(&[Code::SharedReadWriteOnce]),
    Key::new("resources", Kind::Mapping(RESOURCES), "{containers: {limits: {cpus: 0.5, memory: 512MB}}}", "Processors, memory and storage.").rules(&[Code::AmbiguousSize]),
    Key::new("image-overrides", Kind::Names(&Kind::Scalar), "{web: 'registry.example.com/web:1.4.2'}", "The image of a container instead of the compose file's.").rules(&[Code::MovingTag]),
    Key::new("image-registry", Kind::Text, "registry.example.com/shop", "Where images with the tag `local` were pushed to."),
    Key::new("image-pull-policy", Kind::Word(PULL_POLICIES), "IfNotPresent", "When nodes ask the registry for an image.").or("`IfNotPresent` on kind, `Always` elsewhere"),
    Key::new("annotations", Kind::Names(&Kind::Scalar), "{example.com/team: shop}", "Annotations of pods. `{name}` in a key stands for each service's name."),
    Key::new("labels", Kind::Names(&Kind::Scalar), "{tier: web}", "Labels of pods. `{name}` in a key stands for each service's name."),
    Key::new("profiles", Kind::List(&Kind::Text), "[debug]", "The profiles that are active: services of compose files that name profiles are left out unless one of theirs is here."),
    Key::new("node-affinities", Kind::List(&Kind::Mapping(AFFINITY)), "[{label: disk, value: ssd}]", "Labels of the nodes that pods may run on; one of them is enough."),
    Key::new("node-tolerations", Kind::List(&Kind::Mapping(TOLERATION)), "[{key: dedicated, value: shop}]", "Taints of nodes that pods may run on all the same."),
    Key::new("security", Kind::Mapping(SECURITY), "{capabilities: [NET_ADMIN]}", "What containers may do beyond the usual."),
    Key::new("ignore", Kind::List(&Kind::Text), "[deployment.spec.replicas]", "Fields that are left to others, such as the replicas under an autoscaler."),
    Key::new("suppress", Kind::Codes, "{LAC503: the tag is moved by our own pipeline}", "Codes of findings that are not reported, each with its reason. Refusals and consents are always reported."),
    Key::new("required-version", Kind::Scalar, "'>=0.1, <0.3'", "Which versions of laconic may plan it: `0.1` is any 0.1.").rules(&[Code::RequiredVersion]),
    Key::new("hooks", Kind::Names(&Kind::Mapping(HOOK)), "{seed: {executable: ./hooks/seed.sh, phase: after-workloads}}", "Programs that run on this host when the deployment is applied, by name: once, and again when they or their inputs change.").rules(&[Code::StackHook]),
    Key::new("moved", Kind::List(&Kind::Mapping(MOVED)), "[{from: data, to: db-data}]", "Volumes and deployments that have another name now and are the same.").rules(&[Code::VolumeRenamed]),
];

pub(crate) const HOOK: &[Key] = &[
    Key::new("executable", Kind::Text, "./hooks/seed.sh", "The program: a path from this file, copied into the deployment directory, or a bare name that is looked up in PATH.").required(),
    Key::new("arguments", Kind::List(&Kind::Scalar), "[--fast]", "Its arguments. Everybody on the host can see them: no secrets."),
    Key::new("phase", Kind::Word(PHASES), "after-workloads", "Before any pod is made or changed, or when all of them are ready.").or("after-workloads"),
    Key::new("inputs", Kind::List(&Kind::Text), "[./hooks/seed.sql]", "Files that it reads, as paths from this file: copied too, and when one changes the program runs again."),
];

pub(crate) const NETWORK: &[Key] = &[
    Key::new(
        "http-proxy",
        Kind::List(&Kind::Mapping(HTTP_PROXY)),
        "[{host-name: shop.example.com, routes: [{path: /, proxy-to: 'web:80'}]}]",
        "Hosts that the ingress serves. Makes the Ingress and the Services behind it.",
    ),
    Key::new(
        "ports",
        Kind::Names(&Kind::List(&Kind::Scalar)),
        "{web: ['80', '30080:81']}",
        "The ports of a service, instead of the compose file's. `HOST:PORT` makes a node port, from 30000 to 32767.",
    )
    .rules(&[Code::InvalidNodePort]),
    Key::new(
        "acme-email",
        Kind::Text,
        "ops@example.com",
        "The address that the certificates of the cluster's ingress are ordered with.",
    )
    .rules(&[Code::KnobDisagreement]),
];

const HTTP_PROXY: &[Key] = &[
    Key::new("host-name", Kind::Text, "shop.example.com", "The host.")
        .required()
        .rules(&[Code::InvalidName, Code::ObjectCollision]),
    Key::new("routes", Kind::List(&Kind::Mapping(ROUTE)), "[{path: /, proxy-to: 'web:80'}]", "Its paths."),
];

const ROUTE: &[Key] = &[
    Key::new("path", Kind::Text, "/", "The path and everything below it.").or("/"),
    Key::new("proxy-to", CONTAINER_AND_PORT, "'web:80'", "The container and the port that it listens on.")
        .required()
        .rules(&[Code::UnknownRoute]),
];

const EXTERNAL_SERVICE: &[Key] = &[
    Key::new("host", Kind::Text, "payments.example.com", "A host name."),
    Key::new("ip", Kind::Text, "192.0.2.7", "An address."),
    Key::new("selector", Kind::Names(&Kind::Scalar), "{app: payments}", "The labels of pods in another namespace."),
    Key::new("namespace", Kind::Text, "payments", "The namespace of those pods."),
    Key::new("port", Kind::Number(1, 65_535), "8443", "The port.").or("443"),
];

const REGISTRY: &[Key] = &[
    Key::new("server", Kind::Text, "registry.example.com", "The registry's host.").required(),
    Key::new("username", Kind::Text, "shop", "The user."),
    Key::new(
        "token-env",
        Kind::Text,
        "REGISTRY_TOKEN",
        "The environment variable that holds the token when the plan is applied.",
    ),
    Key::new("token-file", Kind::Text, "~/registry-token", "The file that holds it; it wins over `token-env`."),
];

const RESOURCES: &[Key] = &[
    Key::new(
        "containers",
        Kind::MappingAndNames(BLOCK, &Kind::Mapping(BLOCK)),
        "{limits: {memory: 512MB}, web: {limits: {memory: 1GB}}}",
        "Of every container, and by a container's name of that one alone. The nearest block counts; blocks are never merged.",
    ),
    Key::new(
        "volumes",
        Kind::MappingAndNames(VOLUME_BLOCK, &Kind::Mapping(VOLUME_BLOCK)),
        "{reservations: {storage: 10GB}}",
        "The size of every volume, and by a volume's name of that one alone.",
    ),
];

const BLOCK: &[Key] = &[
    Key::new("reservations", Kind::Mapping(AMOUNTS), "{cpus: 0.25, memory: 256MB}", "What is guaranteed."),
    Key::new("limits", Kind::Mapping(AMOUNTS), "{cpus: 1, memory: 512MB}", "What is allowed at most."),
];

const VOLUME_BLOCK: &[Key] =
    &[Key::new("reservations", Kind::Mapping(STORAGE), "{storage: 10GB}", "What is asked for.")];

const AMOUNTS: &[Key] = &[
    Key::new("cpus", Kind::Amount, "0.5", "Processors: `0.5`, `2` or `250m`."),
    Key::new("memory", Kind::Amount, "512MiB", "Memory, with a unit."),
    Key::new("storage", Kind::Amount, "1GB", "Storage of the container itself, with a unit."),
];

const STORAGE: &[Key] =
    &[Key::new("storage", Kind::Amount, "10GB", "The size of the claim.").or("2Gi").rules(&[Code::ClaimShrinks])];

const SECURITY: &[Key] = &[
    Key::new("privileged", Kind::Truth, "false", "Every container is privileged.").or("false"),
    Key::new("capabilities", Kind::List(&Kind::Text), "[NET_ADMIN]", "Capabilities that every container gets."),
    Key::new(
        "unlimited-memlock",
        Kind::Truth,
        "true",
        "Containers may lock as much memory as they like; kind clusters get a runtime for it.",
    )
    .or("false"),
    Key::new("runtime-class", Kind::Text, "gvisor", "The runtime class of pods; it wins over `unlimited-memlock`."),
];

const AFFINITY: &[Key] = &[
    Key::new("label", Kind::Scalar, "disk", "The node's label.").required(),
    Key::new("value", Kind::Scalar, "ssd", "Its value.").required(),
];

const TOLERATION: &[Key] = &[
    Key::new("key", Kind::Scalar, "dedicated", "The taint's key.").required(),
    Key::new("value", Kind::Scalar, "shop", "Its value.").required(),
];

const MOVED: &[Key] = &[
    Key::new("from", Kind::Text, "data", "The old name.").required(),
    Key::new("to", Kind::Text, "db-data", "The new one.").required(),
];
