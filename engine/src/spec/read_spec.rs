//! spec.yml.

use std::sync::Arc;

use super::schema::{
    self, AFFINITY_KEYS, MOVED_KEYS, PULL_POLICIES, REGISTRY_KEYS, SECURITY_KEYS, SPEC_KEYS, TARGETS, TOLERATION_KEYS,
};
use super::{
    DeployTo, KeyValue, Located, RegistryCredentials, ScalarKind, Security, Spec, network, read_external, read_hook,
    required_version, resources,
};
use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::place::Place;
use crate::yaml::{Decoder, Node, NodeKind};

/// Reads spec.yml. Everything that is wrong with it is reported at once; what is right is read all the same.
#[must_use]
pub fn read_spec(file: &Arc<str>, text: &str) -> (Spec, Vec<Finding>) {
    let mut spec = Spec { file: Arc::clone(file), ..Spec::default() };
    let (node, findings) = crate::yaml::parse(file, text);
    let mut decoder = Decoder::new(findings);
    let Some(node) = node else {
        if decoder.findings.is_empty() {
            let help = "`laconic deploy init` writes a first spec.yml";
            decoder.invalid(&Place::new(file, 1, 1, 1), "the file is empty", Some(help));
        }
        return (spec, decoder.findings);
    };
    let is_mapping = matches!(node.kind, NodeKind::Mapping(_));
    for (key, value) in decoder.entries("spec.yml", &node) {
        read_key(&mut decoder, &mut spec, key, value);
    }
    if is_mapping {
        if node.get("deploy-to").is_none_or(Node::is_null) {
            decoder.findings.push(
                Finding::new(Code::NotKubernetes, "`deploy-to` is absent, which means docker compose")
                    .at(&Place::new(file, 1, 1, 1))
                    .help("add `deploy-to: k8s-kind` for a kind cluster, or `deploy-to: k8s` for a remote one"),
            );
        }
        if node.get("stack").is_none_or(Node::is_null) {
            let help = "add `stack: PATH`, the folder that holds stack.yml";
            decoder.invalid(&Place::new(file, 1, 1, 1), "`stack` is missing", Some(help));
        }
    }
    (spec, decoder.findings)
}

fn read_key(decoder: &mut Decoder, spec: &mut Spec, key: &Node<'_>, value: &Node<'_>) {
    let name = key.text().unwrap_or_default();
    match name {
        "stack" => spec.stack = decoder.string(name, value),
        "deploy-to" => spec.deploy_to = deploy_to(decoder, value),
        "kube-config" => spec.kube_config = decoder.string(name, value),
        "kind-cluster-name" => spec.kind_cluster_name = decoder.string(name, value),
        "kind-node-image" => spec.kind_node_image = decoder.string(name, value),
        "namespace" => spec.namespace = decoder.string(name, value),
        "config" => spec.config = config(decoder, value),
        "credentials-files" => spec.credentials_files = decoder.strings(name, value),
        "network" => network::read_network(decoder, spec, value),
        "volumes" => spec.volumes = optional_paths(decoder, name, value),
        "configmaps" => spec.configmaps = optional_paths(decoder, name, value),
        "secrets" => spec.secrets = secrets(decoder, value),
        "resources" => spec.resources = resources::read_resources(decoder, value),
        "external-services" => spec.external_services = read_external::read_external_services(decoder, value),
        "ca-certificates" => spec.ca_certificates = decoder.strings(name, value),
        "image-registry" => spec.image_registry = decoder.string(name, value),
        "registry-credentials" | "image-pull-secret" => registry(decoder, spec, key, value),
        "image-overrides" => {
            spec.image_overrides =
                texts(decoder, name, value).into_iter().map(|(key, image)| (key.value, image)).collect();
        }
        "image-pull-policy" => spec.image_pull_policy = pull_policy(decoder, value),
        "kind-mount-root" => spec.kind_mount_root = mount_root(decoder, value),
        "caddy-ingress-image" => spec.caddy_ingress_image = decoder.string(name, value),
        "maintenance-service" => {
            spec.maintenance_service = decoder
                .string(name, value)
                .and_then(|target| network::container_and_port(decoder, name, &target))
                .map(|(container, port)| (container, port.value));
        }
        "replicas" => spec.replicas = decoder.whole_number(name, value, 0, 1_000_000),
        "annotations" => spec.annotations = texts(decoder, name, value),
        "labels" => spec.labels = texts(decoder, name, value),
        "profiles" => spec.profiles = decoder.strings(name, value),
        "node-affinities" => spec.node_affinities = key_values(decoder, name, AFFINITY_KEYS, value),
        "node-tolerations" => spec.node_tolerations = key_values(decoder, name, TOLERATION_KEYS, value),
        "security" => spec.security = security(decoder, value),
        "ignore" => spec.ignore = decoder.strings(name, value),
        "suppress" => spec.suppress = suppress(decoder, value),
        "required-version" => {
            spec.required_version = decoder.text(name, value);
            let required = spec.required_version.as_ref();
            let finding =
                required.and_then(|required| required_version::check(required, "the spec", env!("CARGO_PKG_VERSION")));
            decoder.findings.extend(finding);
        }
        "hooks" => spec.hooks = read_hook::read_hooks(decoder, value),
        "moved" => spec.moved = moved(decoder, value),
        _ => match schema::section_of(name, schema::SPEC.keys) {
            Some(section) => decoder.misplaced_key(key, &section),
            None => decoder.unknown_key(key, SPEC_KEYS),
        },
    }
}

fn deploy_to(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<DeployTo>> {
    let word = decoder.string("deploy-to", node)?;
    let target = match word.value.as_str() {
        "k8s-kind" => DeployTo::KindCluster,
        "k8s" => DeployTo::Kubernetes,
        "compose" => {
            decoder.findings.push(
                Finding::new(Code::NotKubernetes, "`deploy-to: compose` is not deployed by laconic")
                    .at(&word.place)
                    .help("write `deploy-to: k8s-kind` for a kind cluster, or `deploy-to: k8s` for a remote one"),
            );
            return None;
        }
        _ => {
            decoder.no_such_word("deploy-to", &word, TARGETS);
            return None;
        }
    };
    Some(Located::new(target, word.place))
}

fn config(decoder: &mut Decoder, node: &Node<'_>) -> Vec<(Located<String>, Located<super::Scalar>)> {
    let mut entries = Vec::new();
    for (key, value) in decoder.entries("config", node) {
        let name = Decoder::name(key);
        if let Some(value) = decoder.scalar(&format!("config.{}", name.value), value) {
            entries.push((name, value));
        }
    }
    entries
}

fn optional_paths(
    decoder: &mut Decoder,
    what: &str,
    node: &Node<'_>,
) -> Vec<(Located<String>, Option<Located<String>>)> {
    let mut entries = Vec::new();
    for (key, value) in decoder.entries(what, node) {
        let name = Decoder::name(key);
        let path = decoder.string(&format!("{what}.{}", name.value), value).filter(|path| !path.value.is_empty());
        entries.push((name, path));
    }
    entries
}

/// Names only: what stands beside them was never read.
fn secrets(decoder: &mut Decoder, node: &Node<'_>) -> Vec<Located<String>> {
    match &node.kind {
        NodeKind::Sequence(_) => decoder.strings("secrets", node),
        _ => decoder.entries("secrets", node).iter().map(|(key, _)| Decoder::name(key)).collect(),
    }
}

fn texts(decoder: &mut Decoder, what: &str, node: &Node<'_>) -> Vec<(Located<String>, Located<String>)> {
    let mut entries = Vec::new();
    for (key, value) in decoder.entries(what, node) {
        let name = Decoder::name(key);
        match decoder.text(&format!("{what}.{}", name.value), value) {
            Some(text) => entries.push((name, text)),
            None if value.is_null() => {
                decoder.invalid(
                    &key.place,
                    format!("`{what}.{}` has no value", name.value),
                    Some("write `\"\"` for an empty one"),
                );
            }
            None => {}
        }
    }
    entries
}

/// Pairs of the first of the known keys and `value`.
fn key_values(decoder: &mut Decoder, what: &str, known: &[&str], node: &Node<'_>) -> Vec<KeyValue> {
    let key_name = known.first().copied().unwrap_or_default();
    let mut pairs = Vec::new();
    for item in decoder.items(what, node) {
        let (mut key, mut value) = (None, None);
        for (name, node) in decoder.entries(what, item) {
            match name.text().unwrap_or_default() {
                word if word == key_name => key = decoder.text(word, node),
                "value" => value = decoder.text("value", node),
                _ => decoder.unknown_key(name, known),
            }
        }
        match (key, value) {
            (Some(key), Some(value)) => pairs.push(KeyValue { key, value }),
            _ => {
                let help = format!("write `- {{{key_name}: NAME, value: VALUE}}`");
                let message = format!("an entry of `{what}` needs `{key_name}` and `value`");
                decoder.invalid(&item.place, message, Some(&help));
            }
        }
    }
    pairs
}

fn security(decoder: &mut Decoder, node: &Node<'_>) -> Security {
    let mut security = Security::default();
    for (key, value) in decoder.entries("security", node) {
        let name = key.text().unwrap_or_default();
        match name {
            "privileged" => {
                let flag = decoder.truth(name, value);
                security.privileged = flag.as_ref().is_some_and(|flag| flag.value);
                security.privileged_place = flag.map(|flag| flag.place);
            }
            "capabilities" => security.capabilities = decoder.strings(name, value),
            "unlimited-memlock" => security.unlimited_memlock = decoder.truth(name, value),
            "runtime-class" => security.runtime_class = decoder.string(name, value),
            _ => decoder.unknown_key(key, SECURITY_KEYS),
        }
    }
    security
}

fn registry(decoder: &mut Decoder, spec: &mut Spec, key: &Node<'_>, node: &Node<'_>) {
    let is_image_pull_secret = key.text() == Some("image-pull-secret");
    if is_image_pull_secret {
        decoder.findings.push(
            Finding::new(Code::DeprecatedKey, "`image-pull-secret` is deprecated")
                .at(&key.place)
                .help("write `registry-credentials`; the Secret is then named `DEPLOYMENT-ID-registry`"),
        );
    }
    let mut credentials = RegistryCredentials {
        is_image_pull_secret,
        place: key.place.clone(),
        server: None,
        username: None,
        token_env: None,
        token_file: None,
    };
    let block = key;
    for (key, value) in decoder.entries(key.text().unwrap_or_default(), node) {
        let name = key.text().unwrap_or_default();
        match name {
            "server" => credentials.server = decoder.string(name, value),
            "username" => credentials.username = decoder.string(name, value),
            "token-env" => credentials.token_env = decoder.string(name, value),
            "token-file" => credentials.token_file = decoder.string(name, value),
            // The place is the key's, so that nothing that shows the place shows the token.
            "token" | "password" => decoder.findings.push(
                Finding::new(Code::LiteralSecret, format!("`{name}` holds a literal secret"))
                    .at(&key.place)
                    .help("write `token-env: NAME_OF_VARIABLE` or `token-file: PATH`, and revoke the committed token"),
            ),
            // It may be a misspelt `token`: the place is the block's, so that the value is not shown.
            _ => {
                decoder.unknown_key(key, REGISTRY_KEYS);
                if let Some(finding) = decoder.findings.last_mut() {
                    finding.place = Some(block.place.clone());
                }
            }
        }
    }
    let has_literal = ["token", "password"].iter().any(|name| node.get(name).is_some());
    let name = key.text().unwrap_or_default();
    if credentials.server.is_none() {
        decoder.invalid(&key.place, format!("`{name}` has no `server`"), Some("add `server: REGISTRY-HOST`"));
    }
    if credentials.token_env.is_none() && credentials.token_file.is_none() && !has_literal {
        let help = "add `token-env: NAME_OF_VARIABLE` or `token-file: PATH`";
        decoder.invalid(&key.place, format!("`{name}` says no source of the token"), Some(help));
    }
    // Where both are given the newer name counts.
    if !is_image_pull_secret || spec.registry_credentials.is_none() {
        spec.registry_credentials = Some(credentials);
    }
}

fn pull_policy(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<String>> {
    let policy = decoder.string("image-pull-policy", node)?;
    if !PULL_POLICIES.contains(&policy.value.as_str()) {
        decoder.no_such_word("image-pull-policy", &policy, PULL_POLICIES);
        return None;
    }
    Some(policy)
}

pub(super) fn mount_root(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<String>> {
    let root = decoder.string("kind-mount-root", node).filter(|root| !root.value.is_empty())?;
    if !root.value.starts_with('/') {
        let help = "write the full path, such as `/srv/kind`; `~` and variables are not expanded";
        decoder.invalid(&root.place, "`kind-mount-root` must be an absolute path", Some(help));
        return None;
    }
    Some(root)
}

pub(super) fn suppress(decoder: &mut Decoder, node: &Node<'_>) -> Vec<(Located<String>, String)> {
    let mut entries = Vec::new();
    for (key, value) in decoder.entries("suppress", node) {
        let name = Decoder::name(key);
        let Some(code) = Code::ALL.iter().find(|code| code.to_string() == name.value) else {
            let codes: Vec<String> = Code::ALL.iter().map(ToString::to_string).collect();
            let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
            let help = match crate::yaml::nearest(&name.value, &codes) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write the code as it is printed, such as `LAC503`".to_owned(),
            };
            decoder.invalid(&key.place, format!("`{}` is no code of a finding", name.value), Some(&help));
            continue;
        };
        if matches!(code.severity(), Severity::Refusal | Severity::Consent) {
            let help = "a consent is given with its flag, a refusal is lifted by removing its cause";
            decoder.invalid(&key.place, format!("`{code}` cannot be suppressed"), Some(help));
            continue;
        }
        match decoder.string("suppress", value).filter(|reason| !reason.value.trim().is_empty()) {
            Some(reason) => entries.push((name, reason.value)),
            None => {
                let help = format!("write `{code}: why it is fine here`");
                decoder.invalid(&key.place, format!("`suppress.{code}` has no reason"), Some(&help));
            }
        }
    }
    entries
}

fn moved(decoder: &mut Decoder, node: &Node<'_>) -> Vec<(Located<String>, Located<String>)> {
    let mut moves = Vec::new();
    for item in decoder.items("moved", node) {
        let (mut from, mut to) = (None, None);
        for (key, value) in decoder.entries("moved", item) {
            match key.text().unwrap_or_default() {
                "from" => from = decoder.required_string("from", value),
                "to" => to = decoder.required_string("to", value),
                _ => decoder.unknown_key(key, MOVED_KEYS),
            }
        }
        match (from, to) {
            (Some(from), Some(to)) => moves.push((from, to)),
            _ => {
                let help = "write `- {from: OLD-NAME, to: NEW-NAME}`";
                decoder.invalid(&item.place, "an entry of `moved` needs `from` and `to`", Some(help));
            }
        }
    }
    moves
}

/// Whether a scalar stands for something.
pub(super) fn is_given(scalar: &Located<super::Scalar>) -> bool {
    scalar.value.kind != ScalarKind::Null
}
