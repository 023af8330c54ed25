//! Reading the files of a deployment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::hook::hook_files;
use super::super::input::{CheckedDeployment, ConfigVariable, DeploymentSource, Layout, SharedCluster};
use super::{config, hook, shared};
use crate::code::{Code, Severity};
use crate::compose::{ComposeFile, parse_port, read_compose_with};
use crate::finding::Finding;
use crate::place::Place;
use crate::source::{SourceEntry, SourceError, SourceReader, join_path, normalize_path};
use crate::spec::{
    DeploymentFile, Dialect, Located, Spec, Stack, compute_identity, is_older_directory, read_config_env,
    read_deployment_file, read_spec, read_stack,
};
use crate::value::Digest;

/// Reads files through the port and remembers what was read.
pub(super) struct Loader<'a> {
    reader: &'a dyn SourceReader,
    shown_directory: &'a str,
    pods_folder: String,
    shared: &'a SharedCluster,
    pub(super) findings: Vec<Finding>,
    /// What is said of the shared cluster; it keeps nothing from being compiled.
    pub(super) shared_findings: Vec<Finding>,
    pub(super) texts: BTreeMap<Arc<str>, Arc<str>>,
    /// The files in the order of reading.
    pub(super) order: Vec<Arc<str>>,
    pub(super) digests: BTreeMap<String, Digest>,
    /// Codes that the spec asks not to report, with the reasons.
    pub(super) suppressed: BTreeMap<String, String>,
}

/// One digest over all files with their names.
pub(super) fn digest_of(digests: &BTreeMap<String, Digest>) -> String {
    let mut all = String::new();
    for (path, digest) in digests {
        all.extend([path.as_str(), "\0", &digest.to_string(), "\n"]);
    }
    Digest::of_bytes(all.as_bytes()).to_string()
}

/// Where the files of a layout are, for the reader.
struct Folders {
    stack: String,
    compose: String,
    compose_jobs: String,
    configmaps: String,
    hooks: Vec<String>,
}

impl Folders {
    fn of(layout: &Layout, reader: &dyn SourceReader) -> Self {
        match layout {
            Layout::Directory => {
                let hooks = match reader.entry("hooks") {
                    Ok(SourceEntry::Directory(entries)) => entries
                        .into_iter()
                        .filter(|entry| entry.name.starts_with("commands") && entry.name.ends_with(".py"))
                        .map(|entry| format!("hooks/{}", entry.name))
                        .collect(),
                    _ => Vec::new(),
                };
                Self {
                    stack: String::new(),
                    compose: "compose".to_owned(),
                    compose_jobs: "compose-jobs".to_owned(),
                    configmaps: "configmaps".to_owned(),
                    hooks,
                }
            }
            Layout::Repository { stack, .. } => {
                let root = join_path(stack, "../..");
                let hook = join_path(stack, "deploy/commands.py");
                let has_hook = matches!(reader.entry(&hook), Ok(SourceEntry::File(_)));
                Self {
                    stack: stack.clone(),
                    compose: join_path(&root, "compose"),
                    compose_jobs: join_path(&root, "compose-jobs"),
                    configmaps: join_path(&root, "config"),
                    hooks: has_hook.then_some(hook).into_iter().collect(),
                }
            }
        }
    }
}

impl<'a> Loader<'a> {
    pub(super) fn new(reader: &'a dyn SourceReader, shown_directory: &'a str, shared: &'a SharedCluster) -> Self {
        Self {
            reader,
            shown_directory,
            pods_folder: String::new(),
            shared,
            findings: Vec::new(),
            shared_findings: Vec::new(),
            texts: BTreeMap::new(),
            order: Vec::new(),
            digests: BTreeMap::new(),
            suppressed: BTreeMap::new(),
        }
    }

    /// Reads everything; `None` when a file without which nothing can be said is missing.
    pub(super) fn load(&mut self, source: &DeploymentSource) -> Option<CheckedDeployment> {
        let spec = self.spec(&source.spec_file);
        let folders = Folders::of(&source.layout, self.reader);
        let stack = self.stack(source, spec.as_ref(), &folders);
        let (identity, identity_is_placeholder) = self.identity(source, spec.as_ref());
        let (spec, stack, identity) = (spec?, stack?, identity?);
        if identity.is_computed {
            self.findings.push(computed_identity(source, &spec, &identity));
        }
        let is_directory = source.layout == Layout::Directory;
        self.pods_folder.clone_from(&folders.compose);
        let (config, generated) = self.config(&spec, &identity, source);
        let (mut pods, jobs) = {
            let blank = config::lookup(&config, &generated);
            let marked = config::lookup_marked(&config, &generated);
            // laconic-so reads nothing in which a secret could be told from blank.
            let lookup: &dyn Fn(&str) -> Option<String> =
                if identity.dialect == Dialect::Compose { &marked } else { &blank };
            let none = BTreeMap::new();
            let elsewhere = if is_directory { &none } else { &stack.pod_files };
            let pods = self.compose_files((&folders.compose, elsewhere), &stack.pods, &identity, &spec, lookup);
            let jobs = self.compose_files((&folders.compose_jobs, &none), &stack.jobs, &identity, &spec, lookup);
            (pods, jobs)
        };
        if !is_directory || identity.dialect == Dialect::Compose {
            // A directory that laconic-so made has them in its copies of the compose files; ours are verbatim.
            self.replace_ports(&spec, &mut pods);
        }
        let elsewhere = stack.pod_files.values().filter(|_| !is_directory);
        let elsewhere = elsewhere.map(|file| join_path(file, "../stack/deploy/commands.py"));
        let elsewhere = elsewhere.filter(|hook| matches!(self.reader.entry(hook), Ok(SourceEntry::File(_))));
        for hook in folders.hooks.into_iter().chain(elsewhere.collect::<Vec<_>>()) {
            let help = "check the permissions of the file, or remove it: it is not run";
            if let Some((file, text)) = self.text(&hook, None, help) {
                self.findings.push(hook::finding(&file, &text, is_directory));
            }
        }
        let hook_files = spec.hooks.iter().map(|hook| (hook.name.value.clone(), hook_files(source, hook))).collect();
        Some(CheckedDeployment {
            hook_files,
            name: source.name.clone(),
            directory: source.directory.clone(),
            compose_directory: folders.compose,
            configmap_directory: folders.configmaps,
            identity,
            identity_is_placeholder,
            spec,
            stack,
            pods,
            jobs,
            config,
            generated,
        })
    }

    fn spec(&mut self, path: &str) -> Option<Spec> {
        let help = "name an existing file with `--spec-file`, or make one with `laconic deploy init`";
        let (file, text) = self.text(path, None, help)?;
        let (mut spec, findings) = read_spec(&file, &text);
        // Literal secrets are never shown, whatever finding points at their line.
        if let Some(text) = without_literal_secrets(&text) {
            self.texts.insert(file, text.into());
        }
        self.findings.extend(findings);
        self.suppressed = spec.suppress.iter().map(|(code, reason)| (code.value.clone(), reason.clone())).collect();
        shared::share(&mut spec, self.shared, &mut self.shared_findings);
        Some(spec)
    }

    fn stack(&mut self, source: &DeploymentSource, spec: Option<&Spec>, folders: &Folders) -> Option<Stack> {
        let stack_key = spec.and_then(|spec| spec.stack.as_ref());
        let name = match &source.layout {
            Layout::Directory => stack_key.map(|key| base_name(&key.value)).unwrap_or_default(),
            Layout::Repository { stack, .. } => base_name(stack),
        };
        let path = join_path(&folders.stack, "stack.yml");
        let help = match source.layout {
            Layout::Directory => "restore it from the stack's folder, or run `laconic deploy create --update`",
            Layout::Repository { .. } => "let `stack:` of the spec, or `--stack`, name a folder that holds stack.yml",
        };
        let (file, text) = self.text(&path, stack_key.map(|key| &key.place), help)?;
        let (stack, findings) = read_stack(&file, &name, &text);
        self.findings.extend(findings);
        Some(stack)
    }

    fn identity(&mut self, source: &DeploymentSource, spec: Option<&Spec>) -> (Option<DeploymentFile>, bool) {
        match &source.layout {
            Layout::Repository { identity: Some(identity), .. } => (Some(identity.clone()), false),
            Layout::Repository { identity: None, .. } => {
                let cluster = spec.and_then(|spec| spec.kind_cluster_name.as_ref()).map(|name| name.value.clone());
                let cluster = cluster.or_else(|| self.shared.id.clone());
                let identity = DeploymentFile {
                    cluster_id: cluster.unwrap_or_else(|| stand_in(&source.name, "cluster")),
                    deployment_id: stand_in(&source.name, "id"),
                    dialect: self.shared.dialect.unwrap_or(Dialect::Compose),
                    ..DeploymentFile::default()
                };
                (Some(identity), true)
            }
            Layout::Directory if is_older_directory(self.reader) => (Some(compute_identity(&source.directory)), false),
            Layout::Directory => {
                let help = "restore it from a backup, or make the directory with `laconic deploy create`";
                let Some((file, text)) = self.text("deployment.yml", None, help) else { return (None, false) };
                let (identity, findings) = read_deployment_file(&file, &text);
                self.findings.extend(findings);
                (Some(identity), false)
            }
        }
    }

    fn config(&mut self, spec: &Spec, identity: &DeploymentFile, source: &DeploymentSource) -> config::Config {
        let is_directory = source.layout == Layout::Directory;
        let generated = config::generated(spec, &mut self.findings);
        let mut from_file = Vec::new();
        if is_directory {
            match self.reader.read("config.env") {
                Err(SourceError::Missing) if spec.config.is_empty() && spec.credentials_files.is_empty() => {}
                Err(SourceError::Missing | SourceError::NotConsulted) if identity.dialect == Dialect::Compose => {}
                Err(SourceError::Missing) => self.findings.push(config::missing_file(spec)),
                _ => {
                    let help = "`laconic deploy create --update` writes it anew";
                    if let Some((file, text)) = self.text("config.env", None, help) {
                        let (read, findings) = read_config_env(&file, &text);
                        if let Some(line) = read.secrets_from_line {
                            self.texts.insert(file, blot_out_from(&text, line).into());
                        }
                        if identity.dialect == Dialect::LaconicSo {
                            self.findings.extend(findings);
                        }
                        from_file = read.variables;
                    }
                }
            }
        }
        if !is_directory && !spec.credentials_files.is_empty() {
            from_file = self.kept_credentials(source).unwrap_or_default();
        }
        let variables = match identity.dialect {
            Dialect::LaconicSo if is_directory => from_file,
            Dialect::LaconicSo => config::with_secrets(config::as_laconic_so(spec, &mut self.findings), from_file),
            Dialect::Compose => config::exactly(spec, from_file),
        };
        let names: Vec<&str> = generated.iter().map(|(name, _, _)| name.as_str()).collect();
        let variables = variables.into_iter().filter(|variable| !names.contains(&variable.name.as_str())).collect();
        (variables, generated)
    }

    /// The variables from credentials files that the deployment directory keeps. The files themselves need not be here,
    /// and pods have what was kept.
    fn kept_credentials(&mut self, source: &DeploymentSource) -> Option<Vec<ConfigVariable>> {
        let has_identity = matches!(source.layout, Layout::Repository { identity: Some(_), .. });
        let path = has_identity.then(|| join_path(&source.directory, "config.env"))?;
        let bytes = self.reader.read(&path).ok()?;
        self.digests.insert(path.clone(), Digest::of_bytes(&bytes));
        let (read, _) = read_config_env(&path.as_str().into(), std::str::from_utf8(&bytes).ok()?);
        Some(read.variables.into_iter().filter(|variable| variable.is_secret).collect())
    }

    /// The compose files of pods or jobs, without the services whose profiles are not active: those of a folder, but for
    /// pods whose file is elsewhere.
    fn compose_files(
        &mut self,
        (folder, elsewhere): (&str, &BTreeMap<String, String>),
        names: &[Located<String>],
        identity: &DeploymentFile,
        spec: &Spec,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<(String, ComposeFile)> {
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let elsewhere = elsewhere.get(&name.value);
            let Some(mut file) = self.compose(folder, name, elsewhere, identity, lookup) else { continue };
            file.leave_out_inactive(&spec.profiles);
            files.push((name.value.clone(), file));
        }
        files
    }

    fn compose(
        &mut self,
        folder: &str,
        name: &Located<String>,
        elsewhere: Option<&String>,
        identity: &DeploymentFile,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Option<ComposeFile> {
        let (path, help) = match elsewhere {
            Some(path) => {
                let help = format!("clone the repository of pod `{}` there, or into `$CERC_REPO_BASE_DIR`", name.value);
                (path.clone(), help)
            }
            None => {
                let path = join_path(folder, &format!("docker-compose-{}.yml", name.value));
                (path, format!("add the file, or remove `{}` from stack.yml", name.value))
            }
        };
        let (file, text) = self.text(&path, Some(&name.place), &help)?;
        let (mut compose, findings) = read_compose_with(&file, &text, identity.dialect, lookup);
        // Jobs' host paths are meant from the folder of the pods, as laconic-so means them.
        compose.folder = if elsewhere.is_some() { join_path(&path, "..") } else { self.pods_folder.clone() };
        self.findings.extend(findings);
        Some(compose)
    }

    /// Applies `network.ports`, as `deploy create` does to its copies.
    fn replace_ports(&mut self, spec: &Spec, pods: &mut [(String, ComposeFile)]) {
        for (name, ports) in spec.ports.iter().flatten() {
            let service = pods
                .iter_mut()
                .flat_map(|(_, compose)| &mut compose.services)
                .find(|service| service.name.value == name.value);
            let mut parsed = Vec::new();
            for port in ports {
                match parse_port(&port.value.text, &port.place) {
                    Ok((ports, _)) => parsed.extend(ports),
                    Err(problem) => self.findings.push(
                        Finding::new(Code::InvalidYaml, format!("the port cannot be understood: {problem}"))
                            .at(&port.place)
                            .help("write `PORT`, `HOST:PORT` or `HOST:PORT/udp`"),
                    ),
                }
            }
            if let Some(service) = service {
                service.ports = parsed;
            } else {
                let message = format!("`network.ports` names the service `{}`, which no pod has", name.value);
                let finding = Finding::new(Code::UnknownKey, message).at(&name.place);
                self.findings.push(finding.help("remove it, or correct the name"));
            }
        }
    }

    /// The text of a file, or a finding that says why there is none and what to do.
    fn text(&mut self, path: &str, wanted_at: Option<&Place>, help: &str) -> Option<(Arc<str>, Arc<str>)> {
        let file: Arc<str> = match self.shown_directory {
            "" => path.into(),
            directory => join_path(directory, path).into(),
        };
        let bytes = match self.reader.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let help = match error {
                    SourceError::Missing | SourceError::NotConsulted => help.to_owned(),
                    SourceError::NotAFile | SourceError::NotADirectory => {
                        format!("put a regular file at `{file}`, or remove what lies there")
                    }
                    SourceError::TooLarge(_) => "move bulk data to a volume; this is no place for it".to_owned(),
                    SourceError::Unreadable(_) => "check the permissions of the file and of its folder".to_owned(),
                };
                let message = format!("`{file}` {error}");
                self.findings.push(Finding::new(Code::InvalidYaml, message).at_maybe(wanted_at).help(help));
                return None;
            }
        };
        self.digests.insert(path.to_owned(), Digest::of_bytes(&bytes));
        match crate::yaml::decode_text(&file, &bytes) {
            Ok(text) => {
                let text: Arc<str> = text.into();
                self.texts.insert(Arc::clone(&file), Arc::clone(&text));
                self.order.push(Arc::clone(&file));
                Some((file, text))
            }
            Err(finding) => {
                self.order.push(file);
                self.findings.push(*finding);
                None
            }
        }
    }
}

/// What there is to say of a directory without deployment.yml. A plan that finds the id recorded or live takes it back.
fn computed_identity(source: &DeploymentSource, spec: &Spec, identity: &DeploymentFile) -> Finding {
    let (id, directory) = (&identity.deployment_id, &source.directory);
    let place = spec.stack.as_ref().map(|stack| &stack.place).or(spec.deploy_to.as_ref().map(|word| &word.place));
    Finding::new(
        Code::ComputedIdentity,
        format!("there is no deployment.yml: as laconic-so did, the ids are computed from {directory}: `{id}`"),
    )
    .about(&source.name)
    .at_maybe(place)
    .as_severity(Severity::Warning)
    .help(format!("if the running objects carry the label app={id}, pin it: write deployment.yml with the two lines `cluster-id: {id}` and `deployment-id: {id}`"))
    .help("if they carry another (the directory was moved since, or named by a path with symbolic links), write that one: deployment.yml counts more")
}

fn base_name(path: &str) -> String {
    normalize_path(path).rsplit('/').next().unwrap_or_default().to_owned()
}

/// An id for a deployment that has none yet: valid wherever an id is, the same everywhere, and nothing that else is
/// found in its objects, so that a real id can be told to stand in its place.
fn stand_in(name: &str, what: &str) -> String {
    let word: String =
        name.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    format!("laconic-{}-{what}", word.trim_matches('-'))
}

/// The text without the values of keys that hold a secret, lines that continue one included; `None` when there are
/// none. This works on text, because it must also work on a file that is no YAML.
fn without_literal_secrets(text: &str) -> Option<String> {
    text.lines().find_map(end_of_secret_key)?;
    let mut result = String::with_capacity(text.len());
    let mut hidden_deeper_than = None;
    for line in text.lines() {
        let indentation = line.len() - line.trim_start_matches([' ', '-']).len();
        if let Some(end) = end_of_secret_key(line) {
            result.push_str(line.get(..end).unwrap_or_default());
            result.push_str(" [not shown]");
            hidden_deeper_than = Some(indentation);
        } else if hidden_deeper_than.is_some_and(|least| indentation > least || line.trim().is_empty()) {
            // Still the value.
        } else {
            hidden_deeper_than = None;
            result.push_str(line);
        }
        result.push('\n');
    }
    Some(result)
}

/// Where, behind its colon, a key ends whose value is a secret.
fn end_of_secret_key(line: &str) -> Option<usize> {
    ["token", "password"]
        .iter()
        .filter_map(|key| {
            let mut from = 0;
            while let Some(at) = line.get(from..)?.find(key).map(|at| at + from) {
                let end = at + key.len();
                let before = line.get(..at)?.chars().next_back();
                let rest = line.get(end..)?;
                let value = rest.trim_start_matches(['"', '\'']).trim_start();
                let is_word = before.is_none_or(|before| !before.is_alphanumeric() && !matches!(before, '-' | '_'));
                if is_word && value.starts_with(':') {
                    return Some(line.len() - value.len() + 1);
                }
                from = end;
            }
            None
        })
        .min()
}

/// The text with the lines from one on emptied, so that line numbers stay right.
fn blot_out_from(text: &str, line: u32) -> String {
    let keep = usize::try_from(line.saturating_sub(1)).unwrap_or_default();
    let mut result = String::with_capacity(text.len());
    for (index, line) in text.lines().enumerate() {
        if index < keep {
            result.push_str(line);
        }
        result.push('\n');
    }
    result
}
