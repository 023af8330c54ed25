//! laconic.yml.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::read_spec::{mount_root, suppress};
use super::repository::{PinnedStack, Policy, Repository, RepositoryCluster, RepositoryDeployment, StackReference};
use super::schema::{CLUSTER, DEPLOYMENT, Key, LACONIC_TABLE, POLICY, STACK, STATE};
use super::{Dialect, Located, required_version};
use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::place::Place;
use crate::source::normalize_path;
use crate::yaml::{Decoder, Node, NodeKind, nearest};

fn names(table: &[Key]) -> Vec<&'static str> {
    table.iter().map(|key| key.name).collect()
}

/// Reads laconic.yml. Everything that is wrong with it is reported at once; what is right is read all the same.
#[must_use]
pub fn read_repository(file: &Arc<str>, text: &str) -> (Repository, Vec<Finding>) {
    let mut repository = Repository { file: Arc::clone(file), ..Repository::default() };
    let (node, findings) = crate::yaml::parse(file, text);
    let mut decoder = Decoder::new(findings);
    let Some(node) = node else {
        if decoder.findings.is_empty() {
            let help = "write `deployments:` with a name and a `spec:` for each deployment";
            decoder.invalid(&Place::new(file, 1, 1, 1), "the file is empty", Some(help));
        }
        return (repository, decoder.findings);
    };
    for (key, value) in decoder.entries("laconic.yml", &node) {
        match key.text().unwrap_or_default() {
            "deployments" => repository.deployments = deployments(&mut decoder, value),
            "clusters" => repository.clusters = clusters(&mut decoder, value),
            "state" => state(&mut decoder, value),
            "policy" => repository.policy = policy(&mut decoder, value),
            "suppress" => repository.suppress = suppress(&mut decoder, value),
            "required-version" => {
                repository.required_version = decoder.text("required-version", value);
                let finding = repository
                    .required_version
                    .as_ref()
                    .and_then(|required| required_version::check(required, "laconic.yml", env!("CARGO_PKG_VERSION")));
                decoder.findings.extend(finding);
            }
            _ => decoder.unknown_key(key, &names(LACONIC_TABLE)),
        }
    }
    if matches!(node.kind, NodeKind::Mapping(_)) && node.get("deployments").is_none_or(Node::is_null) {
        let help = "add `deployments:` with a name and a `spec:` for each deployment";
        decoder.invalid(&Place::new(file, 1, 1, 1), "`deployments` is missing", Some(help));
    }
    unknown_clusters(&mut decoder, &repository);
    shared_directories(&mut decoder, &repository);
    contradictions(&mut decoder, &repository);
    (repository, decoder.findings)
}

fn deployments(decoder: &mut Decoder, node: &Node<'_>) -> Vec<RepositoryDeployment> {
    let mut deployments = Vec::new();
    for (key, value) in decoder.entries("deployments", node) {
        let name = Decoder::name(key);
        if !is_name(&name.value) {
            let help = "use letters, digits, `-` and `_`: the name is a part of addresses";
            decoder.invalid(&name.place, format!("`{}` is no name of a deployment", name.value), Some(help));
            continue;
        }
        deployments.extend(deployment(decoder, name, value));
    }
    deployments
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_plain)
}

fn deployment(decoder: &mut Decoder, name: Located<String>, node: &Node<'_>) -> Option<RepositoryDeployment> {
    let (mut spec, mut stack, mut directory, mut cluster, mut dialect) = (None, None, None, None, None);
    for (key, value) in decoder.entries(&format!("deployments.{}", name.value), node) {
        match key.text().unwrap_or_default() {
            "spec" => spec = decoder.required_string("spec", value).filter(|path| !path.value.is_empty()),
            "stack" => stack = stack_reference(decoder, value),
            "directory" => directory = decoder.string("directory", value).filter(|path| !path.value.is_empty()),
            "cluster" => cluster = decoder.string("cluster", value).filter(|name| !name.value.is_empty()),
            "dialect" => dialect = read_dialect(decoder, value),
            _ => decoder.unknown_key(key, &names(DEPLOYMENT)),
        }
    }
    let Some(spec) = spec else {
        let is_said = node.get("spec").is_some();
        if !is_said && (matches!(node.kind, NodeKind::Mapping(_)) || node.is_null()) {
            let help = "add `spec: PATH`, relative to laconic.yml";
            decoder.invalid(&name.place, format!("deployment `{}` has no `spec`", name.value), Some(help));
        }
        return None;
    };
    Some(RepositoryDeployment { name, spec, stack, directory, cluster, dialect })
}

fn read_dialect(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<Dialect>> {
    let word = decoder.string("dialect", node)?;
    let dialect = [Dialect::Compose, Dialect::LaconicSo].into_iter().find(|dialect| dialect.word() == word.value);
    if dialect.is_none() {
        decoder.invalid(&word.place, "`dialect` must be `compose` or `laconic-so`", Some("write one of the two"));
    }
    dialect.map(|dialect| Located::new(dialect, word.place))
}

fn stack_reference(decoder: &mut Decoder, node: &Node<'_>) -> Option<StackReference> {
    if !matches!(node.kind, NodeKind::Mapping(_)) {
        return decoder.string("stack", node).filter(|path| !path.value.is_empty()).map(StackReference::Folder);
    }
    let (mut repo, mut rev, mut path) = (None, None, None);
    let before = decoder.findings.len();
    for (key, value) in decoder.entries("stack", node) {
        match key.text().unwrap_or_default() {
            "repo" => repo = address(decoder, value),
            "rev" => rev = revision(decoder, value),
            "path" => path = folder(decoder, value),
            _ => decoder.unknown_key(key, &names(STACK)),
        }
    }
    let (Some(repo), Some(rev), Some(path)) = (repo, rev, path) else {
        if !decoder.findings.iter().skip(before).any(|finding| finding.severity == Severity::Error) {
            let help = "write `{repo: ADDRESS, rev: COMMIT-OR-TAG, path: FOLDER}`, or the path of a folder";
            decoder.invalid(&node.place, "a pinned `stack` needs `repo`, `rev` and `path`", Some(help));
        }
        return None;
    };
    Some(StackReference::Pinned(PinnedStack { repo, rev, path }))
}

/// An address without a password in it: everybody who reads the file would know it.
fn address(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<String>> {
    let repo = decoder.required_string("repo", node).filter(|repo| !repo.value.is_empty())?;
    if password(&repo.value).is_none() {
        return Some(repo);
    }
    decoder.findings.push(
        Finding::new(Code::LiteralSecret, "the address of the repository holds a password")
            .at(&repo.place)
            .help("take it out and revoke it; git asks its credential helpers, or write the address for SSH"),
    );
    None
}

/// The password in an address, `scheme://user:password@host/path`: where it begins and ends.
#[must_use]
pub fn password(address: &str) -> Option<(usize, usize)> {
    let begin = address.find("://")? + 3;
    let rest = address.get(begin..)?;
    let host = rest.split('/').next().unwrap_or(rest);
    let end = host.rfind('@')?;
    let colon = host.get(..end)?.find(':')?;
    (colon + 1 < end).then_some((begin + colon + 1, begin + end))
}

/// A revision that git cannot take for an option.
fn revision(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<String>> {
    let rev = decoder.required_string("rev", node)?;
    if rev.value.is_empty() || rev.value.starts_with('-') || rev.value.contains([':', ' ', '\n']) {
        decoder.invalid(&rev.place, "`rev` is no revision", Some("write a commit or a tag"));
        return None;
    }
    Some(rev)
}

fn folder(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<String>> {
    let path = decoder.required_string("path", node)?;
    if path.value.starts_with('/') || normalize_path(&path.value).starts_with("..") {
        let help = "write the folder relative to the root of that repository";
        decoder.invalid(&path.place, "`path` must lie in the repository", Some(help));
        return None;
    }
    Some(path)
}

fn clusters(decoder: &mut Decoder, node: &Node<'_>) -> Vec<RepositoryCluster> {
    let mut clusters = Vec::new();
    for (key, value) in decoder.entries("clusters", node) {
        let mut cluster = RepositoryCluster::new(Decoder::name(key));
        if !is_name(&cluster.name.value) {
            let message = format!("`{}` is no name of a cluster", cluster.name.value);
            decoder.invalid(&key.place, message, Some("use letters, digits, `-` and `_`"));
            continue;
        }
        for (key, value) in decoder.entries(&format!("clusters.{}", cluster.name.value), value) {
            let name = key.text().unwrap_or_default();
            let text = |decoder: &mut Decoder| decoder.string(name, value).filter(|text| !text.value.is_empty());
            match name {
                "kind-mount-root" => cluster.kind_mount_root = mount_root(decoder, value),
                "kind-node-image" => cluster.kind_node_image = text(decoder),
                "caddy-ingress-image" => cluster.caddy_ingress_image = text(decoder),
                "acme-email" => cluster.acme_email = text(decoder),
                _ => decoder.unknown_key(key, &names(CLUSTER)),
            }
        }
        clusters.push(cluster);
    }
    clusters
}

fn state(decoder: &mut Decoder, node: &Node<'_>) {
    for (key, value) in decoder.entries("state", node) {
        if key.text() != Some("backend") {
            decoder.unknown_key(key, &names(STATE));
            continue;
        }
        let Some(backend) = decoder.required_string("backend", value) else { continue };
        if backend.value != "local" {
            let message = format!("the state backend `{}` is not there yet: only `local` is", backend.value);
            decoder.invalid(&backend.place, message, Some("write `backend: local`, or leave `state:` out"));
        }
    }
}

fn policy(decoder: &mut Decoder, node: &Node<'_>) -> Policy {
    let mut policy = Policy::default();
    for (key, value) in decoder.entries("policy", node) {
        match key.text().unwrap_or_default() {
            "strict" => policy.strict = decoder.truth("strict", value).is_some_and(|strict| strict.value),
            "warnings-as-errors" => {
                for written in decoder.strings("warnings-as-errors", value) {
                    policy.warnings_as_errors.extend(forbidden(decoder, written));
                }
            }
            _ => decoder.unknown_key(key, &names(POLICY)),
        }
    }
    policy
}

/// The code of a warning.
fn forbidden(decoder: &mut Decoder, written: Located<String>) -> Option<(Code, Place)> {
    let code = Code::ALL.iter().copied().find(|code| code.to_string() == written.value);
    let (message, help) = match code.map(|code| (code, code.severity())) {
        Some((code, Severity::Warning)) => return Some((code, written.place)),
        None => (format!("`{}` is no finding code", written.value), "write a code such as `LAC503`"),
        Some((code, Severity::Note)) => {
            (format!("`{code}` is a note: it says nothing that could be wrong"), "remove it")
        }
        Some((code, severity)) => {
            (format!("`{code}` has severity {severity} already"), "remove it: a policy lists warnings")
        }
    };
    decoder.invalid(&written.place, message, Some(help));
    None
}

/// A name that nothing describes is a slip: its deployment would be checked against nobody.
fn unknown_clusters(decoder: &mut Decoder, repository: &Repository) {
    if repository.clusters.is_empty() {
        return;
    }
    let known: Vec<&str> = repository.clusters.iter().map(|cluster| cluster.name.value.as_str()).collect();
    for cluster in repository.deployments.iter().filter_map(|deployment| deployment.cluster.as_ref()) {
        if !known.contains(&cluster.value.as_str()) {
            let help = match nearest(&cluster.value, &known) {
                Some(candidate) => format!("did you mean `{candidate}`?"),
                None => format!("add it there, or use one of: {}", known.join(", ")),
            };
            let message = format!("the cluster `{}` is not under `clusters:`", cluster.value);
            decoder.invalid(&cluster.place, message, Some(&help));
        }
    }
}

/// Two deployments in one directory would overwrite each other.
fn shared_directories(decoder: &mut Decoder, repository: &Repository) {
    let mut seen: BTreeMap<String, (&str, &Place)> = BTreeMap::new();
    for deployment in &repository.deployments {
        let Some(directory) = &deployment.directory else { continue };
        let name = deployment.name.value.as_str();
        let Some((other, place)) = seen.insert(normalize_path(&directory.value), (name, &directory.place)) else {
            continue;
        };
        decoder.findings.push(
            Finding::new(
                Code::InvalidYaml,
                format!("{other} and {name} have one deployment directory, `{}`", directory.value),
            )
            .at(&directory.place)
            .label(place, format!("{other} has it here"))
            .help("give each deployment a directory of its own"),
        );
    }
}

/// A code that is an error here cannot be left unsaid here.
fn contradictions(decoder: &mut Decoder, repository: &Repository) {
    for (code, place) in &repository.policy.warnings_as_errors {
        let word = code.to_string();
        let Some((suppressed, _)) = repository.suppress.iter().find(|(suppressed, _)| suppressed.value == word) else {
            continue;
        };
        decoder.findings.push(
            Finding::new(Code::InvalidYaml, format!("`{word}` is an error and suppressed at once"))
                .at(&suppressed.place)
                .label(place, "an error here")
                .help("remove one of the two"),
        );
    }
}
