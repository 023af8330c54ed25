//! `laconic --stack S deploy init`: a template for the spec of a stack.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use laconic_engine::compose::{ComposeFile, Port, VolumeSource, read_compose};
use laconic_engine::finding::{Finding, has_errors};
use laconic_engine::source::{SourceReader as _, join_path};
use laconic_engine::spec::{Dialect, read_config_env, read_stack};
use serde_json::Value;

use crate::args::{DeployTo, PortRecipe};
use crate::error::{Exit, Problem, Result, file};
use crate::inputs::find_stack;
use crate::node_ports::{NODE_PORTS, NodePorts};
use crate::session::Session;
use crate::sources::DiskSources;
use crate::view::finding::{Texts, all_with_source};
use crate::view::yaml;

/// What is to be written.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Where the deployment goes.
    pub deploy_to: DeployTo,
    /// The file.
    pub output: &'a Path,
    /// `NAME=VALUE` for `config:`.
    pub config: &'a [String],
    /// A file of such lines.
    pub config_file: Option<&'a Path>,
    /// Which ports of the nodes the stack's ports get.
    pub ports: PortRecipe,
    /// The kube-config of a remote Kubernetes.
    pub kube_config: Option<&'a str>,
    /// The registry of the images.
    pub image_registry: Option<&'a str>,
    /// Whether a file that is there is overwritten.
    pub force: bool,
}

/// Runs it.
pub fn run(session: &Session, wanted: &Wanted<'_>) -> Result<Exit> {
    let Some(stack) = session.common.stack.as_deref() else { return Err(Problem::StackNotNamed) };
    let exists = std::fs::symlink_metadata(wanted.output).is_ok();
    if exists && !wanted.force {
        return Err(Problem::Exists { path: wanted.output.to_owned(), hint: "`--force` overwrites it" });
    }
    if matches!(wanted.ports, PortRecipe::LocalhostSame | PortRecipe::LocalhostFixedRandom) {
        let message = "Kubernetes opens a port of a node on all of its addresses, never on localhost alone: use \
                       `any-same` or `any-fixed-random`, or an `http-proxy` route";
        return Err(usage(message.to_owned()));
    }
    let root = std::env::current_dir().map_err(file(Path::new("."), "read"))?;
    let folder = find_stack(&root, Path::new(""), Some(stack))?;
    let template = template(session, wanted, &root, &folder)?;
    let parent = wanted.output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Whole or not at all, and never over a file that appeared meanwhile.
    let mut temporary = tempfile::NamedTempFile::new_in(parent).map_err(file(wanted.output, "written"))?;
    std::io::Write::write_all(&mut temporary, template.as_bytes()).map_err(file(wanted.output, "written"))?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    temporary.as_file().set_permissions(readable).map_err(file(wanted.output, "written"))?;
    let persisted =
        if wanted.force { temporary.persist(wanted.output) } else { temporary.persist_noclobber(wanted.output) };
    persisted.map_err(|error| error.error).map_err(file(wanted.output, "written"))?;
    session.output.print(&format!(
        "Wrote {}. Set hosts, volumes and resources in it and commit it; it is never generated again.\n",
        wanted.output.display()
    ))?;
    Ok(Exit::Done)
}

fn template(session: &Session, wanted: &Wanted<'_>, root: &Path, folder: &str) -> Result<String> {
    let composes = read_composes(session, root, folder)?;
    let target = match wanted.deploy_to {
        DeployTo::K8sKind => "k8s-kind",
        DeployTo::K8s => "k8s",
    };
    let spec_folder = join_path(&root.to_string_lossy(), &parent_of(wanted.output).to_string_lossy());
    let stack = relative(Path::new(&spec_folder), &root.join(folder));
    let line = |key: &str, value: &str| yaml::document(&serde_json::json!({key: value}));
    let mut text = format!("{}{}", line("stack", &stack), line("deploy-to", target));
    if let Some(path) = wanted.kube_config {
        text.push_str(&line("kube-config", path));
    }
    if let Some(registry) = wanted.image_registry {
        text.push_str(&line("image-registry", registry));
    }
    if wanted.deploy_to == DeployTo::K8sKind {
        text.push_str(
            "\n# The host directory that all deployments of a cluster share. With it, a new volume below it never needs a\n\
             # new cluster.\n# kind-mount-root: /srv/kind\n",
        );
    }
    text.push_str(&network(session, &composes, wanted.ports)?);
    text.push_str(&config(session, wanted)?);
    let (volumes, configmaps) = volumes(&composes);
    if !volumes.is_empty() {
        text.push_str(
            "\nvolumes:\n  # A volume without a path dies with the cluster. Give it one to keep its data:\n\
             \x20 # a directory under kind-mount-root, or ./data/NAME in the deployment directory.\n",
        );
        for volume in volumes {
            let _ = writeln!(text, "  {}:", key(&volume));
        }
    }
    if !configmaps.is_empty() {
        text.push_str("\nconfigmaps:\n");
        for name in configmaps {
            let path = Value::from(format!("./configmaps/{name}"));
            let _ = writeln!(text, "  {}: {}", key(&name), path.as_str().unwrap_or_default());
        }
    }
    text.push_str("\nsecrets: {}\n");
    Ok(text)
}

fn parent_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// A key as YAML writes it.
fn key(name: &str) -> String {
    yaml::document(&serde_json::json!({name: null})).trim_end().trim_end_matches(": null").to_owned()
}

fn read_composes(session: &Session, root: &Path, folder: &str) -> Result<Vec<ComposeFile>> {
    let reader = DiskSources::new(root);
    let mut texts = Texts::new();
    let mut findings: Vec<Finding> = Vec::new();
    let mut read = |path: String| -> Result<(Arc<str>, Arc<str>)> {
        let bytes = reader.read(&path).map_err(|error| Problem::File {
            path: PathBuf::from(&path),
            verb: "used",
            detail: format!("it {error}"),
        })?;
        let (name, text): (Arc<str>, Arc<str>) = (path.into(), String::from_utf8_lossy(&bytes).into());
        texts.insert(Arc::clone(&name), Arc::clone(&text));
        Ok((name, text))
    };
    let (name, text) = read(join(folder, "stack.yml"))?;
    let base = Path::new(folder).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (stack, wrong) = read_stack(&name, &base, &text);
    findings.extend(wrong);
    let mut composes = Vec::new();
    let pods = stack.pods.iter().map(|pod| (pod, "compose"));
    for (pod, kind) in pods.chain(stack.jobs.iter().map(|job| (job, "compose-jobs"))) {
        let usual = || join(folder, &format!("../../{kind}/docker-compose-{}.yml", pod.value));
        let elsewhere = stack.pod_files.get(&pod.value).filter(|_| kind == "compose");
        let (name, text) = read(elsewhere.cloned().unwrap_or_else(usual))?;
        let (compose, wrong) = read_compose(&name, &text, Dialect::Compose);
        findings.extend(wrong);
        composes.push(compose);
    }
    if has_errors(&findings) {
        let errors = findings.iter().filter(|one| one.severity == laconic_engine::code::Severity::Error).count();
        let text = all_with_source(findings.iter().map(|one| (one, &texts)), session.output.error_palette);
        session.output.remark(&text);
        return Err(Problem::InvalidInput { errors });
    }
    Ok(composes)
}

fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { laconic_engine::source::normalize_path(path) } else { join_path(folder, path) }
}

fn network(session: &Session, composes: &[ComposeFile], recipe: PortRecipe) -> Result<String> {
    let mut text = String::from(
        "\nnetwork:\n  # Hosts that the ingress serves:\n  # http-proxy:\n  #   - host-name: example.com\n\
         \x20 #     routes:\n  #       - path: /\n  #         proxy-to: SERVICE:PORT\n",
    );
    let services = composes.iter().flat_map(|compose| &compose.services);
    let pairs: Vec<(&str, &Port)> =
        services.flat_map(|service| service.ports.iter().map(|port| (service.name.value.as_str(), port))).collect();
    let mut chosen = NodePorts::new(recipe);
    let mut ports: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (service, port) in pairs {
        let suffix = if port.protocol == "TCP" { String::new() } else { format!("/{}", port.protocol.to_lowercase()) };
        let host = match chosen.of(port)? {
            Some(node_port) => format!("{node_port}:"),
            None if recipe == PortRecipe::AnySame => {
                session.output.remark(&format!(
                    "note: port {} of {service} gets no port of the nodes: they open {} to {} only\n",
                    port.container,
                    NODE_PORTS.start(),
                    NODE_PORTS.end()
                ));
                String::new()
            }
            None => String::new(),
        };
        ports.entry(service).or_default().push(format!("{host}{}{suffix}", port.container));
    }
    if ports.is_empty() {
        text.push_str("  ports: {}\n");
        return Ok(text);
    }
    text.push_str("  ports:\n");
    for (service, ports) in ports {
        let _ = writeln!(text, "    {}:", key(service));
        for port in ports {
            let _ = writeln!(text, "      - '{port}'");
        }
    }
    Ok(text)
}

/// Values from the file, then those of the command line.
fn config(session: &Session, wanted: &Wanted<'_>) -> Result<String> {
    let mut values = serde_json::Map::new();
    if let Some(path) = wanted.config_file {
        let name: Arc<str> = path.display().to_string().into();
        let bytes = std::fs::read(path).map_err(file(path, "read"))?;
        let text: Arc<str> = String::from_utf8_lossy(&bytes).into();
        let (read, findings) = read_config_env(&name, &text);
        let texts = [(name, text)].into();
        session.output.remark(&all_with_source(findings.iter().map(|one| (one, &texts)), session.output.error_palette));
        values.extend(read.variables.into_iter().map(|variable| (variable.name, variable.value.into())));
    }
    for pair in wanted.config {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(usage(format!("`{pair}` is not of the form NAME=VALUE")));
        };
        values.insert(name.to_owned(), value.into());
    }
    if values.is_empty() {
        return Ok("\nconfig: {}\n".to_owned());
    }
    Ok(format!("\n{}", yaml::document(&serde_json::json!({"config": values}))))
}

fn usage(message: String) -> Problem {
    Problem::Usage(clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{message}\n")))
}

/// Named volumes that something writes to, and those that are only read and hold configuration.
fn volumes(composes: &[ComposeFile]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut writable: BTreeMap<String, bool> = BTreeMap::new();
    for mount in composes.iter().flat_map(|compose| &compose.services).flat_map(|service| &service.volumes) {
        if let VolumeSource::Named(name) = &mount.source {
            let reads_only = mount.options.iter().any(|option| option == "ro");
            *writable.entry(name.clone()).or_default() |= !reads_only;
        }
    }
    let (configmaps, volumes): (Vec<_>, Vec<_>) =
        writable.into_iter().partition(|(name, is_written)| !is_written && name.contains("config"));
    let names = |pairs: Vec<(String, bool)>| pairs.into_iter().map(|(name, _)| name).collect();
    (names(volumes), names(configmaps))
}

/// `to` as meant from `from`; both absolute and normalised.
#[must_use]
pub fn relative(from: &Path, to: &Path) -> String {
    let normal = |path: &Path| -> Vec<String> {
        Path::new(&laconic_engine::source::normalize_path(&path.to_string_lossy()))
            .components()
            .filter(|component| matches!(component, Component::Normal(_)))
            .map(|component| component.as_os_str().to_string_lossy().into_owned())
            .collect()
    };
    let (from, to) = (normal(from), normal(to));
    let shared = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    let mut parts = vec!["..".to_owned(); from.len() - shared];
    parts.extend(to.into_iter().skip(shared));
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_meant_from_the_spec() {
        assert_eq!(relative(Path::new("/a/operator"), Path::new("/a/stacks/s")), "../stacks/s");
        assert_eq!(relative(Path::new("/a"), Path::new("/a")), ".");
    }
}
