//! `laconic deployment exec`: run a command in a container of a deployment.
//!
//! In a kind cluster the node is a container of this host, and the container runtime in it runs the command; nothing else
//! has to be installed. A remote Kubernetes is another matter: there kubectl does it, and is told how.

use std::io::IsTerminal as _;

use laconic_engine::resource::Target;

use super::status::pods;
use super::subject::{Subject, subjects};
use crate::args::ExecArgs;
use crate::error::{Exit, Problem, Result};
use crate::session::Session;
use crate::wire::{ContainerPlace, attended};

/// Runs it. Ends with 1 when the command failed: the node's container runtime does not pass on with what.
pub fn run(session: &Session, arguments: &ExecArgs) -> Result<Exit> {
    let (subjects, host) = subjects(session)?;
    let [subject] = subjects.as_slice() else { return Err(Problem::OneDeployment { command: "exec" }) };
    if host.simulated().is_some() {
        return Err(Problem::NothingRuns);
    }
    let pods = pods(&host, subject)?
        .map_err(|why| Problem::Unreachable { details: vec![format!("{}: {why}", subject.name)] })?;
    let wanted = |name: &str| name == arguments.service;
    let mut known: Vec<String> = Vec::new();
    let mut found: Option<(String, ContainerPlace)> = None;
    for pod in &pods {
        for container in &pod.containers {
            known.push(container.name.clone());
            // One that is not ready yet is the very one to look into.
            let runs = container.ready || (container.reason.is_empty() && !container.id.is_empty());
            if wanted(&container.name) && runs {
                let place = ContainerPlace { node: pod.node.clone(), container: container.id.clone() };
                found.get_or_insert_with(|| (pod.name.clone(), place));
            }
        }
    }
    known.sort();
    known.dedup();
    let Some((pod, place)) = found else {
        return Err(if known.iter().any(|name| wanted(name)) {
            Problem::NotRunning { service: arguments.service.clone() }
        } else {
            Problem::UnknownService { service: arguments.service.clone(), known }
        });
    };
    if !matches!(subject.target, Some(Target::Kind(_))) {
        return Err(elsewhere(subject, &pod, &arguments.service));
    }
    if place.container.is_empty() || place.node.is_empty() {
        return Err(Problem::NotRunning { service: arguments.service.clone() });
    }
    let has_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let words = in_node(&place, has_terminal, &arguments.command);
    let status = attended(&words).map_err(|error| Problem::System { detail: error.to_string() })?;
    Ok(if status == 0 { Exit::Done } else { Exit::OfProgram(u8::try_from(status).unwrap_or(u8::MAX)) })
}

/// The arguments by which the engine has the runtime in the node run a command.
fn in_node(place: &ContainerPlace, has_terminal: bool, command: &[String]) -> Vec<String> {
    let flags: &[&str] = if has_terminal { &["-i", "-t"] } else { &["-i"] };
    let flags = || flags.iter().map(|flag| (*flag).to_owned());
    let mut words = vec!["exec".to_owned()];
    words.extend(flags());
    words.extend([place.node.clone(), "crictl".to_owned(), "exec".to_owned()]);
    words.extend(flags());
    words.push(place.container.clone());
    words.extend(command.iter().cloned());
    words
}

fn elsewhere(subject: &Subject, pod: &str, service: &str) -> Problem {
    let namespace = subject.namespace().unwrap_or_default();
    Problem::ElsewhereByKubectl { command: format!("kubectl exec -it -n {namespace} {pod} -c {service} -- COMMAND") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_of_the_node_runs_it() {
        let place = ContainerPlace { node: "main-control-plane".to_owned(), container: "abc".to_owned() };
        let command = ["sh".to_owned(), "-c".to_owned(), "echo a b".to_owned()];
        let words = in_node(&place, false, &command);
        assert_eq!(words, ["exec", "-i", "main-control-plane", "crictl", "exec", "-i", "abc", "sh", "-c", "echo a b"]);
        assert!(in_node(&place, true, &command).contains(&"-t".to_owned()));
    }
}
