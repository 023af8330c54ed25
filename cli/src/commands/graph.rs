//! `laconic graph`: who needs whom.

use laconic_engine::graph::Graph;

use crate::args::{GraphArgs, GraphFormat};
use crate::compiling::{clusters, compile_or_complain};
use crate::error::{Exit, Result};
use crate::inputs::locate;
use crate::plan_file;
use crate::planning::{all_resources, states_for_display};
use crate::session::Session;

/// Runs it.
pub fn run(session: &Session, arguments: &GraphArgs) -> Result<Exit> {
    let graph = match &arguments.plan_file {
        Some(path) => Graph::of_plan(&plan_file::read(path)?.plan),
        None => {
            let inputs = locate(&session.common)?;
            let compiled = compile_or_complain(session, &inputs, false)?;
            let states = states_for_display(session, &compiled, &inputs)?;
            let clusters = clusters(&compiled.deployments, &states);
            Graph::of_resources(&all_resources(&compiled, &clusters))
        }
    };
    session.output.print(&match arguments.format {
        GraphFormat::Dot => graph.to_dot(),
        GraphFormat::Mermaid => graph.to_mermaid(),
    })?;
    Ok(Exit::Done)
}
