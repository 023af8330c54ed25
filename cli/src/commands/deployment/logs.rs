//! `laconic deployment logs`: what the containers of a deployment say.

use std::sync::Mutex;

use futures::future::join_all;
use laconic_engine::plan::danger::unknown_text;
use laconic_engine::resource::Target;

use super::status::pods;
use super::subject::subjects;
use crate::args::LogsArgs;
use crate::error::{Exit, Problem, Result};
use crate::session::Session;
use crate::view::style::clean;
use crate::wire::{self, LogRequest};

/// Runs it.
pub fn run(session: &Session, arguments: &LogsArgs) -> Result<Exit> {
    let (subjects, host) = subjects(session)?;
    let mut requests: Vec<(Target, LogRequest)> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for subject in &subjects {
        let (Some(target), Some(of)) = (&subject.target, subject.pods_of()) else { continue };
        let pods = pods(&host, subject)?
            .map_err(|why| Problem::Unreachable { details: vec![format!("{}: {why}", subject.name)] })?;
        for pod in pods {
            for container in pod.containers {
                known.push(container.name.clone());
                if !arguments.services.is_empty() && !arguments.services.contains(&container.name) {
                    continue;
                }
                let request = LogRequest {
                    namespace: of.namespace.clone(),
                    pod: pod.name.clone(),
                    container: container.name,
                    tail: arguments.tail,
                    follow: arguments.follow,
                };
                requests.push((target.clone(), request));
            }
        }
    }
    if let Some(unknown) = arguments.services.iter().find(|service| !known.contains(service)) {
        known.sort();
        known.dedup();
        return Err(Problem::UnknownService { service: unknown.clone(), known });
    }
    if host.simulated().is_some() {
        session.output.remark("Nothing runs on a simulated host, so that nothing is said there.\n");
        return Ok(Exit::Done);
    }
    // As soon as it comes, one line at a time, whoever says it.
    let failed: Mutex<Option<Problem>> = Mutex::new(None);
    let all = requests.iter().map(|(target, request)| {
        let (host, failed) = (&host, &failed);
        let output = &session.output;
        async move {
            let mut each = |line: &str| {
                let text = format!("{}: {}\n", clean(&request.container), clean(line));
                if let Err(problem) = output.print(&text)
                    && let Ok(mut failed) = failed.lock()
                {
                    failed.get_or_insert(problem);
                }
            };
            let said = host.logs(target, request, &mut each).await;
            said.err().map(|reason| format!("{}/{}: {}", request.pod, request.container, unknown_text(&reason)))
        }
    });
    let runtime = wire::runtime()?;
    let details: Vec<String> = if arguments.follow {
        runtime.block_on(join_all(all)).into_iter().flatten().collect()
    } else {
        // One after the other, so that the lines of a container stay together.
        all.filter_map(|one| runtime.block_on(one)).collect()
    };
    if let Some(problem) = failed.into_inner().ok().flatten() {
        return Err(problem);
    }
    if details.is_empty() { Ok(Exit::Done) } else { Err(Problem::Unreachable { details }) }
}
