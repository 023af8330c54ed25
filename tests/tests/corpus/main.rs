//! A corpus of stacks as people write them for docker compose: each compiles in the compose dialect, says what it is known
//! to say, and gives objects that a real API server accepts.
//!
//! The stacks are in `tests/fixtures/corpus`; its README says how. What is said of one is in its `findings.txt`, so that
//! a new warning is noticed; `UPDATE_GOLDEN=1` writes them anew.

mod crossing;
#[path = "../published/mod.rs"]
mod published;
mod server;
mod stack;

use std::fmt::Write as _;

use laconic_engine::address::ResourceType;
use laconic_engine::secret::is_placeholder;
use stack::{Stack, stacks};

/// How many stacks there are at least.
const LEAST: usize = 40;

#[test]
fn every_stack_compiles_and_says_what_it_is_known_to_say() {
    let stacks = stacks();
    let mut wrong = Vec::new();
    for stack in &stacks {
        let compilation = stack.compile();
        if compilation.deployment.is_none() {
            wrong.push(format!("{} does not compile: {}", stack.name, stack.errors(&compilation)));
        }
        let mut found = String::new();
        for finding in &compilation.findings {
            let place =
                finding.place.as_ref().map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default();
            // Writing into a `String` cannot fail.
            let _ = writeln!(found, "{} {place} {}", finding.code, finding.message);
            assert!(!finding.help.is_empty(), "{}: {} has no way out", stack.name, finding.message);
        }
        let file = stack.directory.join("findings.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        if known != found {
            wrong.push(format!("{}\n--- known\n{known}--- found\n{found}", stack.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(stacks.len() >= LEAST, "{} stacks", stacks.len());
}

#[test]
fn every_object_is_a_published_type_and_needs_what_is_there() {
    for stack in stacks() {
        check(&stack);
    }
}

#[test]
fn every_pair_of_features_gives_published_types() {
    for stack in crossing::stacks() {
        check(&stack);
    }
}

fn check(stack: &Stack) {
    let compilation = stack.compile();
    let errors = stack.errors(&compilation);
    let Some(compiled) = compilation.deployment else { panic!("{}: {errors}", stack.name) };
    compiled.resources.iter().for_each(published::check);
    for resource in &compiled.resources {
        if resource.address.resource_type == ResourceType::Secret {
            let value = resource.attributes.value();
            let data = value["data"].as_object().into_iter().flatten();
            assert!(data.clone().count() > 0 && data.map(|(_, it)| it).all(is_placeholder), "{}", resource.address);
        }
        for need in &resource.needs {
            let is_there = need.scope.is_cluster() || compiled.resources.iter().any(|other| other.address == *need);
            assert!(is_there, "{}: {} needs {need}, which nobody makes", stack.name, resource.address);
        }
    }
    let resources: Vec<_> = compiled.resources.iter().collect();
    let graph = laconic_engine::graph::Graph::of_resources(&resources);
    assert_eq!(graph.cycle(), None, "{}", stack.name);
}

#[test]
fn a_real_server_accepts_every_object() {
    server::accepts(&stacks());
}

#[test]
fn a_real_server_accepts_every_pair_of_features() {
    server::accepts(&crossing::stacks());
}
