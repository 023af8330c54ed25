//! The first line of a plan: what it is for, and how much of the world it has seen.

use std::collections::BTreeSet;

use laconic_engine::address::Scope;
use laconic_engine::plan::{Action, Consulted, Mode, Plan};

use crate::view::style::{Palette, clean, count};

/// How many names are spelled out before they are counted.
const NAMED: usize = 5;

/// `laconic plan  deployment shop, cluster main  (live: consulted)`.
#[must_use]
pub fn header(plan: &Plan, palette: Palette) -> String {
    let command = match plan.mode {
        Mode::Apply => "laconic plan",
        Mode::Destroy => "laconic plan --destroy",
        Mode::Stop => "laconic deployment stop",
        Mode::Import => "laconic import",
    };
    format!("{}  {}  ({})\n", palette.bold(command), whose(plan), consulted(plan))
}

/// Which deployments were stopped, so that everything to create is no riddle.
#[must_use]
pub fn stopped(plan: &Plan) -> String {
    if plan.stopped.is_empty() || plan.mode != Mode::Apply {
        return String::new();
    }
    let names: Vec<String> = plan.stopped.iter().map(|name| clean(name)).collect();
    let (verb, it) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
    format!("{} {verb} stopped; applying this plan starts {it} again.\n\n", names.join(", "))
}

fn whose(plan: &Plan) -> String {
    let clusters: BTreeSet<&str> = plan.consulted.keys().filter_map(|target| target.kind_cluster()).collect();
    let mut parts = vec![names("deployment", plan.deployments.iter().map(String::as_str))];
    if !clusters.is_empty() {
        parts.push(names("cluster", clusters.iter().copied()));
    }
    parts.join(", ")
}

fn names<'a>(noun: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let number = names.clone().count();
    if number > NAMED {
        return count(number, noun);
    }
    let plural = if number == 1 { "" } else { "s" };
    let names: Vec<String> = names.map(clean).collect();
    format!("{noun}{plural} {}", names.join(", "))
}

fn consulted(plan: &Plan) -> String {
    let mut parts = Vec::new();
    if let Some(base) = &plan.base {
        parts.push(format!("what changes since {}", clean(base)));
        if plan.simulated {
            parts.push("simulated host".to_owned());
        }
        return parts.join(", ");
    }
    let unknown: Vec<String> = plan
        .consulted
        .iter()
        .filter_map(|(target, consulted)| match consulted {
            Consulted::Unknown(why) => Some(format!("{}: {}", clean(target.name()), clean(why))),
            Consulted::Live | Consulted::Offline => None,
        })
        .collect();
    let offline = plan.consulted.values().any(|consulted| *consulted == Consulted::Offline);
    let live = plan.consulted.values().any(|consulted| *consulted == Consulted::Live);
    let state = state(plan);
    if offline {
        parts.push(format!("offline: {state}"));
    } else if live {
        parts.push("live: consulted".to_owned());
        parts.push(state);
    } else if unknown.is_empty() {
        parts.push(state);
    }
    if !unknown.is_empty() {
        parts.push(format!("live: unknown, {}", unknown.join("; ")));
    }
    if plan.simulated {
        parts.push("simulated host".to_owned());
    }
    parts.join(", ")
}

/// The state the plan starts from; with one deployment its serial, with several their number.
fn state(plan: &Plan) -> String {
    let own: Vec<_> = plan
        .states
        .iter()
        .filter(|state| matches!(&state.scope, Scope::Deployment(name) if plan.deployments.iter().any(|own| **own == **name)))
        .collect();
    let known = own.iter().filter(|state| !state.lineage.is_empty()).count();
    let only_creates = plan.mode == Mode::Apply
        && !plan.changes.is_empty()
        && plan.changes.iter().all(|change| change.action == Action::Create);
    match own.as_slice() {
        _ if known == 0 && only_creates => "no state yet, everything is a create".to_owned(),
        _ if known == 0 && plan.mode == Mode::Apply => "no state yet".to_owned(),
        _ if known == 0 => "no state".to_owned(),
        [one] => format!("state serial {}", one.serial),
        _ if known == own.len() => format!("{} states", own.len()),
        _ => format!("{known} states, {} without one yet", own.len() - known),
    }
}
