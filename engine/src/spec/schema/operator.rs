//! The keys of laconic.yml.

use super::{ABSOLUTE_ROOT, File, Key, Kind};

/// laconic.yml.
pub const LACONIC: File = File {
    name: "laconic.yml",
    description: "The deployments of an operator's repository, and the clusters that they share.",
    keys: LACONIC_TABLE,
};

const LACONIC_TABLE: &[Key] = &[
    Key::new(
        "deployments",
        Kind::Names(&Kind::Mapping(DEPLOYMENT)),
        "{shop: {spec: shop/spec.yml, cluster: main}}",
        "The deployments, by the name that is the second part of their addresses.",
    )
    .required(),
    Key::new(
        "clusters",
        Kind::Names(&Kind::Mapping(CLUSTER)),
        "{main: {kind-mount-root: /srv/kind}}",
        "Settings of which a kind cluster has only one, by the cluster's name.",
    ),
    Key::new("state", Kind::Mapping(STATE), "{backend: local}", "Where the state is kept."),
    Key::new("policy", Kind::Mapping(POLICY), "{strict: true}", "What is stricter in this repository than elsewhere."),
    Key::new(
        "suppress",
        Kind::Codes,
        "{LAC503: the tag is moved by our own pipeline}",
        "Codes of findings that are not reported, each with its reason.",
    ),
    Key::new("required-version", Kind::Scalar, "'>=0.1, <0.3'", "Which versions of laconic may plan this repository."),
];

const DEPLOYMENT: &[Key] = &[
    Key::new("spec", Kind::Text, "shop/spec.yml", "The spec file, relative to this one.").required(),
    Key::new(
        "stack",
        Kind::Either(&[Kind::Text, Kind::Mapping(STACK)]),
        "{repo: 'https://git.example.com/stacks', rev: v1.2, path: stacks/shop}",
        "The stack's folder, relative to this file, or pinned in another repository.",
    )
    .or("the spec's `stack:`"),
    Key::new("directory", Kind::Text, "/srv/deployments/shop", "The deployment directory on the host that it runs on."),
    Key::new("cluster", Kind::Text, "main", "The cluster that it shares with others: a key of `clusters:`."),
    Key::new(
        "dialect",
        Kind::Word(&["compose", "laconic-so"]),
        "compose",
        "How it is read where its directory is not at hand.",
    )
    .or("compose"),
];

const STACK: &[Key] = &[
    Key::new("repo", Kind::Text, "https://git.example.com/stacks", "The repository.").required(),
    Key::new("rev", Kind::Scalar, "v1.2", "The commit or tag.").required(),
    Key::new("path", Kind::Text, "stacks/shop", "The stack's folder in it.").required(),
];

const CLUSTER: &[Key] = &[
    Key::new(
        "kind-mount-root",
        ABSOLUTE_ROOT,
        "/srv/kind",
        "The host directory that is mounted into the cluster's node as its umbrella.",
    ),
    Key::new("kind-node-image", Kind::Text, "kindest/node:v1.33.1", "The image of the cluster's node."),
    Key::new(
        "caddy-ingress-image",
        Kind::Text,
        "ghcr.io/example/caddy-ingress:1.4",
        "The image of the cluster's ingress controller.",
    ),
    Key::new(
        "acme-email",
        Kind::Text,
        "ops@example.com",
        "The address that the certificates of its ingress are ordered with.",
    ),
];

const STATE: &[Key] =
    &[Key::new("backend", Kind::Word(&["local"]), "local", "Beside the deployments on their host.").or("local")];

const POLICY: &[Key] = &[
    Key::new("strict", Kind::Truth, "true", "Every warning is an error.").or("false"),
    Key::new("warnings-as-errors", Kind::List(&Kind::Text), "[LAC503]", "Codes of warnings that are errors here."),
];
