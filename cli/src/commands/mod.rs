//! One command per file: each takes the session and its arguments and gives an exit code.

mod apply;
mod cluster;
mod deploy_create;
mod deploy_fetch;
mod deploy_init;
mod deployment;
mod destroy;
mod doctor;
mod drift;
mod findings_reference;
mod graph;
mod import;
mod migrate;
mod plan;
mod render;
mod schema;
mod show;
mod simulate;
mod state;
mod validate;
mod why;

use crate::args::{Command, DeployCommand, SimulateCommand, StateCommand};
use crate::error::{Exit, Problem, Result};
use crate::session::Session;

pub use findings_reference::page as findings_page;
pub use schema::{of as schema_of, spec_page};

/// What writes something and has no plan that could be shown instead.
const fn cannot_be_tried(command: &Command) -> Option<&'static str> {
    match command {
        Command::Deploy(arguments) => Some(match arguments.command {
            DeployCommand::Init { .. } => "deploy init",
            DeployCommand::Create { .. } => "deploy create",
            DeployCommand::Fetch { .. } => "deploy fetch",
        }),
        Command::State(arguments) => match arguments.command {
            StateCommand::Unlock => Some("state unlock"),
            _ => None,
        },
        Command::Simulate(arguments) => match arguments.command {
            SimulateCommand::Show => None,
            _ => Some("simulate"),
        },
        _ => None,
    }
}

/// Runs a command.
///
/// # Errors
/// Whatever keeps it from its answer.
pub fn run(session: &Session, command: &Command) -> Result<Exit> {
    if session.common.dry_run
        && let Some(command) = cannot_be_tried(command)
    {
        return Err(Problem::NoDryRun { command });
    }
    match command {
        Command::Validate(arguments) => validate::run(session, arguments),
        Command::Plan(arguments) => plan::run(session, arguments),
        Command::Apply(arguments) => apply::run(session, arguments),
        Command::Destroy(arguments) => destroy::run(session, arguments),
        Command::Drift => drift::run(session),
        Command::Doctor => doctor::run(session),
        Command::Show(arguments) => show::run(session, arguments),
        Command::Graph(arguments) => graph::run(session, arguments),
        Command::Render(arguments) => render::run(session, arguments),
        Command::Why(arguments) => why::run(session, arguments),
        Command::Import(arguments) => import::run(session, arguments),
        Command::Cluster(arguments) => cluster::run(session, &arguments.command),
        Command::State(arguments) => state::run(session, &arguments.command),
        Command::Deploy(arguments) => match &arguments.command {
            DeployCommand::Init {
                output,
                config,
                config_file,
                map_ports_to_host,
                kube_config,
                image_registry,
                force,
            } => {
                let wanted = deploy_init::Wanted {
                    deploy_to: arguments.deploy_to,
                    output,
                    config,
                    config_file: config_file.as_deref(),
                    ports: *map_ports_to_host,
                    kube_config: kube_config.as_deref(),
                    image_registry: image_registry.as_deref(),
                    force: *force,
                };
                deploy_init::run(session, &wanted)
            }
            DeployCommand::Fetch { update } => deploy_fetch::run(session, *update),
            DeployCommand::Create { deployment_dir, update, dialect, deployment_id, cluster_id } => {
                let wanted = deploy_create::Wanted {
                    directory: deployment_dir,
                    update: *update,
                    dialect: *dialect,
                    deployment_id: deployment_id.as_deref(),
                    cluster_id: cluster_id.as_deref(),
                };
                deploy_create::run(session, &wanted)
            }
        },
        Command::Deployment(arguments) => deployment::run(session, &arguments.command),
        Command::Simulate(arguments) => simulate::run(session, &arguments.command),
        Command::FindingsReference => {
            session.output.print(&findings_reference::page())?;
            Ok(Exit::Done)
        }
        Command::Schema { file } => {
            session.output.print_json(&schema::of(*file))?;
            Ok(Exit::Done)
        }
        Command::SpecReference => {
            session.output.print(&schema::spec_page())?;
            Ok(Exit::Done)
        }
    }
}
