//! `laconic why ADDRESS`: where each field comes from, what it depends on, what depends on it.

use std::fmt::Write as _;

use laconic_engine::compile::{Origin, origin};
use laconic_engine::diff::flatten;
use laconic_engine::graph::Graph;
use serde_json::{Value, json};

use crate::args::WhyArgs;
use crate::compiling::{clusters, compile_or_complain};
use crate::error::{Exit, Result};
use crate::inputs::locate;
use crate::planning::{all_resources, states_for_display, unknown_address};
use crate::session::Session;
use crate::view::style::clean;
use crate::view::value::{inline, masked};

/// Runs it.
pub fn run(session: &Session, arguments: &WhyArgs) -> Result<Exit> {
    let inputs = locate(&session.common)?;
    let compiled = compile_or_complain(session, &inputs, false)?;
    let states = states_for_display(session, &compiled, &inputs)?;
    let clusters = clusters(&compiled.deployments, &states);
    let resources = all_resources(&compiled, &clusters);
    let names: Vec<String> = resources.iter().map(|resource| resource.address.to_string()).collect();
    let found = names.iter().position(|name| *name == arguments.address).and_then(|index| resources.get(index));
    let Some(resource) = found else {
        return Err(unknown_address(&arguments.address, names.iter().map(String::as_str)));
    };
    let needed_by = Graph::of_resources(&resources).needed_by(&resource.address);
    if session.output.json {
        let fields: Vec<Value> = flatten(&resource.attributes.value())
            .iter()
            .map(|(path, value)| {
                let (source, rule) = match origin(resource, path) {
                    Some(Origin::Written(place)) => (Some(place.to_string()), None),
                    Some(Origin::Rule(rule)) => (None, Some(rule)),
                    None => (None, None),
                };
                json!({"path": path, "value": masked(value), "source": source, "rule": rule})
            })
            .collect();
        session.output.print_json(&json!({
            "address": arguments.address,
            "source": resource.place.as_ref().map(ToString::to_string),
            "fields": fields,
            "needs": resource.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "needed_by": needed_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
        return Ok(Exit::Done);
    }
    let palette = session.output.palette;
    let mut text = format!("{}\n", palette.bold(&clean(&arguments.address)));
    if let Some(place) = &resource.place {
        let _ = writeln!(text, "  written at {}", clean(&place.to_string()));
    }
    let _ = writeln!(text, "\nFields:");
    for (path, value) in flatten(&resource.attributes.value()) {
        let place = origin(resource, &path).map(|origin| {
            let text = match origin {
                Origin::Written(place) => clean(&place.to_string()),
                Origin::Rule(rule) => format!("({rule})"),
            };
            format!("   {}", palette.dim(&text))
        });
        let _ = writeln!(text, "  {}: {}{}", clean(&path), inline(&value), place.unwrap_or_default());
    }
    list(&mut text, "Needs", resource.needs.iter().map(ToString::to_string));
    list(&mut text, "Needed by", needed_by.iter().map(ToString::to_string));
    session.output.print(&text)?;
    Ok(Exit::Done)
}

fn list(text: &mut String, heading: &str, addresses: impl Iterator<Item = String>) {
    let _ = writeln!(text, "\n{heading}:");
    let mut empty = true;
    for address in addresses {
        let _ = writeln!(text, "  {}", clean(&address));
        empty = false;
    }
    if empty {
        text.push_str("  nothing\n");
    }
}
