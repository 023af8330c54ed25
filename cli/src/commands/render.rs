//! `laconic render`: the compiled objects, secrets as the names of their sources.

use laconic_engine::address::ResourceType;
use laconic_engine::compile::kind_config;
use serde_json::{Value, json};

use crate::args::{RenderArgs, RenderFormat, RenderScope};
use crate::compiling::{clusters, compile_or_complain};
use crate::error::{Exit, Result};
use crate::inputs::locate;
use crate::planning::{all_resources, states_for_display};
use crate::session::Session;
use crate::view::value::masked;
use crate::view::{finding, yaml};

/// Runs it.
pub fn run(session: &Session, arguments: &RenderArgs) -> Result<Exit> {
    let inputs = locate(&session.common)?;
    let compiled = compile_or_complain(session, &inputs, false)?;
    let warnings = finding::all_with_source(compiled.with_texts(), session.output.error_palette);
    session.output.remark(&warnings);
    let states = states_for_display(session, &compiled, &inputs)?;
    let clusters = clusters(&compiled.deployments, &states);
    let resources = all_resources(&compiled, &clusters);
    let as_json = session.output.json || arguments.output == RenderFormat::Json;
    if arguments.kind_config {
        let kinds: Vec<_> = resources
            .iter()
            .filter(|resource| resource.address.resource_type == ResourceType::KindCluster)
            .map(|resource| resource.attributes.value())
            .collect();
        if as_json {
            session.output.print_json(&json!(kinds))?;
        } else {
            let texts: Vec<String> = kinds.iter().map(|cluster| kind_config(cluster)).collect();
            session.output.print(&texts.join("---\n"))?;
        }
        return Ok(Exit::Done);
    }
    let objects: Vec<Value> = resources
        .iter()
        .filter(|resource| resource.address.resource_type.is_kubernetes())
        .filter(|resource| match arguments.scope {
            RenderScope::All => true,
            RenderScope::Deployment => !resource.address.scope.is_cluster(),
            RenderScope::Cluster => resource.address.scope.is_cluster(),
        })
        .map(|resource| masked(&resource.attributes.value()))
        .collect();
    if as_json {
        session.output.print_json(&json!({"apiVersion": "v1", "kind": "List", "items": objects}))?;
    } else {
        let documents: Vec<String> = objects.iter().map(yaml::document).collect();
        session.output.print(&documents.join("---\n"))?;
    }
    Ok(Exit::Done)
}
