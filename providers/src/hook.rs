//! Hooks: programs of a deployment that run when the ConfigMap that tells of them is made or changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use laconic_engine::address::ResourceType;
use laconic_engine::apply::{EnactError, Operation, Step};
use laconic_engine::compile::HOOK_ANNOTATION;
use laconic_engine::value::Digest;
use serde_json::Value;

use crate::process::{Destination, Invocation, ProcessError, Processes};

/// How long a hook may take.
const LIMIT: Duration = Duration::from_secs(600);

/// How many of the last lines of a hook that failed are told.
const LAST_LINES: usize = 5;

/// Where the hooks of a deployment run, and where what they say goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookPlace {
    /// The deployment directory.
    pub directory: PathBuf,
    /// The directory of the logs, made when it is needed.
    pub logs: PathBuf,
}

/// Runs hooks.
#[derive(Debug)]
pub struct Hooks {
    processes: Arc<Processes>,
    places: BTreeMap<String, HookPlace>,
    /// What ran already: a step that is tried again because its ConfigMap did not get through does not run it again.
    ran: Mutex<BTreeSet<(String, Digest)>>,
}

impl Hooks {
    /// Hooks of the deployments in these places, by the deployments' names.
    #[must_use]
    pub const fn new(processes: Arc<Processes>, places: BTreeMap<String, HookPlace>) -> Self {
        Self { processes, places, ran: Mutex::new(BTreeSet::new()) }
    }

    /// Runs the hook that a step tells of, if it tells of one.
    ///
    /// # Errors
    /// A program that is not the planned one any more, cannot be run, or fails: with the last that it said.
    pub(crate) async fn run(&self, step: &Step) -> Result<(), EnactError> {
        let Some((name, data)) = hook(step) else { return Ok(()) };
        let refused = |why: String| EnactError::Refused(format!("the hook `{name}` {why}"));
        let key = (step.address.to_string(), Digest::of(data));
        if self.ran.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
            return Ok(());
        }
        let deployment = step.address.scope.name();
        let Some(place) = self.places.get(deployment) else {
            return Err(refused("has no deployment directory to run in".to_owned()));
        };
        let text = |key: &str| data[key].as_str().unwrap_or_default();
        let mut program = text("executable").to_owned();
        if program.contains('/') {
            let path = place.directory.join(&program);
            let found = fs::read(&path).map_err(|error| refused(format!("cannot run {}: {error}", path.display())))?;
            if Digest::of_bytes(&found).to_string() != text("executable-sha256") {
                return Err(EnactError::Stale(format!("{} is not what it was at the plan", path.display())));
            }
            program = path.display().to_string();
        }
        let mut logs = fs::DirBuilder::new();
        let made = logs.recursive(true).mode(0o700).create(&place.logs);
        made.map_err(|error| refused(format!("has no place for its log, {}: {error}", place.logs.display())))?;
        let log = place.logs.join(format!("{name}.log"));
        let arguments: Vec<String> = serde_json::from_str(text("arguments")).unwrap_or_default();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut invocation = Invocation::new(&program, &words, LIMIT);
        invocation.directory = Some(place.directory.clone());
        invocation.destination = Destination::File(log.clone());
        invocation.environment = environment(step, name, deployment, place);
        let outcome = self.processes.run(invocation).await.map_err(|error| match error {
            ProcessError::TimedOut { seconds, .. } => {
                refused(format!("did not end within {seconds} s; what it said is in {}", log.display()))
            }
            other => refused(format!("failed: {other}")),
        })?;
        if !outcome.is_success() {
            let said = outcome.complaint();
            let lines: Vec<&str> = said.lines().collect();
            let last =
                lines.iter().skip(lines.len().saturating_sub(LAST_LINES)).copied().collect::<Vec<_>>().join("; ");
            let said = if last.is_empty() { "it said nothing".to_owned() } else { format!("it said: {last}") };
            return Err(refused(format!(
                "ended with status {}; {said} (all of it in {})",
                outcome.status,
                log.display()
            )));
        }
        self.ran.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        Ok(())
    }
}

/// What a hook may want to know, besides what is in our own environment.
fn environment(step: &Step, name: &str, deployment: &str, place: &HookPlace) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (format!("LACONIC_{name}"), value.to_owned());
    let mut environment = vec![
        pair("HOOK", name),
        pair("DEPLOYMENT", deployment),
        pair("DEPLOYMENT_DIR", &place.directory.display().to_string()),
        pair("NAMESPACE", &step.key.namespace),
    ];
    environment.extend(step.target.kind_cluster().map(|cluster| pair("CLUSTER", cluster)));
    environment
}

/// The name of the hook and the data of its ConfigMap.
fn hook(step: &Step) -> Option<(&str, &Value)> {
    let is_run = matches!(step.operation, Operation::Create | Operation::Update);
    let object = step.object.as_ref().filter(|_| is_run && step.key.resource_type == ResourceType::ConfigMap)?;
    let name = object.pointer("/metadata/annotations")?.get(HOOK_ANNOTATION)?.as_str()?;
    Some((name, &object["data"]))
}
