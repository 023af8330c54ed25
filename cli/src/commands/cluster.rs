//! `laconic cluster`: the kind clusters of this state directory, and who lives on them.

use serde_json::json;

use crate::args::ClusterCommand;
use crate::cluster_report::{ClusterReport, reports};
use crate::commands::migrate;
use crate::error::{Exit, Problem, Result};
use crate::inputs::{locate, read_identity};
use crate::session::Session;
use crate::view::cluster_text;
use crate::view::style::clean;

/// Runs it.
pub fn run(session: &Session, command: &ClusterCommand) -> Result<Exit> {
    if let ClusterCommand::Migrate(arguments) = command {
        return migrate::run(session, arguments);
    }
    let (reports, unseen) = reports(session)?;
    if let Some(why) = &unseen {
        session.output.remark(&format!("The clusters that run here are not known: {}.\n", clean(why)));
    }
    match command {
        ClusterCommand::List => list(session, &reports, unseen.as_deref()),
        ClusterCommand::Show { cluster } => show(session, reports, cluster.as_deref()),
        ClusterCommand::Migrate(arguments) => migrate::run(session, arguments),
    }
}

fn list(session: &Session, reports: &[ClusterReport], unseen: Option<&str>) -> Result<Exit> {
    if session.output.json {
        let clusters: Vec<_> = reports.iter().map(cluster_text::json).collect();
        session.output.print_json(&json!({"clusters": clusters, "complete": unseen.is_none(), "unseen": unseen}))?;
    } else {
        session.output.print(&cluster_text::list(reports))?;
    }
    Ok(Exit::Done)
}

fn show(session: &Session, reports: Vec<ClusterReport>, named: Option<&str>) -> Result<Exit> {
    let name = match named {
        Some(name) => Some(name.to_owned()),
        None => cluster_of_directory(session)?,
    };
    let names: Vec<String> = reports.iter().map(|report| report.name.clone()).collect();
    let found = match &name {
        Some(name) => reports.into_iter().find(|report| report.name == *name),
        None if reports.len() == 1 => reports.into_iter().next(),
        None => None,
    };
    let Some(report) = found else { return Err(Problem::UnknownCluster { cluster: name, known: names }) };
    if session.output.json {
        session.output.print_json(&cluster_text::json(&report))?;
    } else {
        session.output.print(&cluster_text::show(&report, session.output.palette))?;
    }
    Ok(Exit::Done)
}

/// The cluster of the deployment that the command line names.
fn cluster_of_directory(session: &Session) -> Result<Option<String>> {
    if session.common.dirs.is_empty() {
        return Ok(None);
    }
    for input in locate(&session.common)?.iter() {
        let Some(directory) = &input.directory else { continue };
        if let Some(identity) = read_identity(directory)? {
            return Ok(Some(identity.cluster_id).filter(|id| !id.is_empty()));
        }
    }
    Ok(None)
}
