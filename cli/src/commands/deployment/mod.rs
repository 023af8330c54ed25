//! `laconic deployment`: laconic-so's everyday commands on top of plan and apply.

mod exec;
mod logs;
mod part;
mod port;
mod push_images;
mod restart;
mod start;
mod status;
mod stop;
mod subject;

use crate::args::DeploymentCommand;
use crate::error::{Exit, Result};
use crate::everyday::Part;
use crate::session::Session;

/// Runs one.
pub fn run(session: &Session, command: &DeploymentCommand) -> Result<Exit> {
    match command {
        DeploymentCommand::Start(arguments) => start::run(session, arguments),
        DeploymentCommand::Stop(arguments) => stop::run(session, arguments),
        DeploymentCommand::Restart(arguments) => restart::run(session, arguments),
        DeploymentCommand::Prepare(arguments) => part::run(session, arguments, Part::Prepared),
        DeploymentCommand::UpdateEnvs(arguments) => part::run(session, arguments, Part::Workloads),
        DeploymentCommand::Status => status::status(session),
        DeploymentCommand::Ps => status::ps(session),
        DeploymentCommand::Logs(arguments) => logs::run(session, arguments),
        DeploymentCommand::Port(arguments) => port::run(session, arguments),
        DeploymentCommand::PushImages => push_images::run(session),
        DeploymentCommand::Exec(arguments) => exec::run(session, arguments),
        DeploymentCommand::RunJob { job, part: arguments, .. } => part::run(session, arguments, Part::Job(job.clone())),
    }
}
