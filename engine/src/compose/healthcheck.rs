//! `healthcheck` of a service.

use super::duration::read_seconds;
use super::read::ignored;
use super::substitution::{secret_is_blank, split_mark};
use crate::place::Place;
use crate::spec::Located;
use crate::yaml::{Decoder, Node, NodeKind};

const KEYS: &[&str] = &["test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"];

/// How often compose checks unless told otherwise, in seconds.
pub const DEFAULT_INTERVAL: u32 = 30;
/// How long a check may take unless told otherwise, in seconds.
pub const DEFAULT_TIMEOUT: u32 = 30;
/// How many checks in a row must fail unless told otherwise.
pub const DEFAULT_RETRIES: u32 = 3;
/// How often compose checks during the start unless told otherwise, in seconds.
pub const DEFAULT_START_INTERVAL: u32 = 5;

/// What is run to see whether a container is healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthTest {
    /// A program with its arguments.
    Program(Vec<String>),
    /// A line for the container's shell. Secret variables are references to the environment.
    Shell(String),
    /// Nothing: `NONE` or `disable: true`.
    Disabled,
}

/// `healthcheck`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healthcheck {
    /// `test`; `None` when only the image's own check is adjusted, which Kubernetes does not know.
    pub test: Option<HealthTest>,
    /// `interval` in seconds.
    pub interval: Option<Located<u32>>,
    /// `timeout` in seconds.
    pub timeout: Option<Located<u32>>,
    /// `retries`.
    pub retries: Option<Located<u32>>,
    /// `start_period` in seconds.
    pub start_period: Option<Located<u32>>,
    /// `start_interval` in seconds.
    pub start_interval: Option<Located<u32>>,
    /// Where it is written.
    pub place: Place,
}

impl Healthcheck {
    /// The command to run, as a container runs it; `None` when there is none.
    #[must_use]
    pub fn command(&self) -> Option<Vec<String>> {
        match self.test.as_ref()? {
            HealthTest::Program(words) => Some(words.clone()),
            HealthTest::Shell(line) => Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()]),
            HealthTest::Disabled => None,
        }
    }
}

/// Reads `healthcheck`; texts may hold marks of secret variables.
pub(super) fn read_healthcheck(decoder: &mut Decoder, key: &Node<'_>, node: &Node<'_>) -> Option<Healthcheck> {
    let mut check = Healthcheck {
        test: None,
        interval: None,
        timeout: None,
        retries: None,
        start_period: None,
        start_interval: None,
        place: key.place.clone(),
    };
    if node.is_null() {
        return None;
    }
    let mut is_disabled = false;
    for (key, value) in decoder.entries("healthcheck", node) {
        let name = key.text().unwrap_or_default();
        match name {
            "test" => check.test = test(decoder, value),
            "interval" => check.interval = read_seconds(decoder, "healthcheck.interval", value),
            "timeout" => check.timeout = read_seconds(decoder, "healthcheck.timeout", value),
            "retries" => check.retries = decoder.whole_number("healthcheck.retries", value, 0, 1_000_000),
            "start_period" => check.start_period = read_seconds(decoder, "healthcheck.start_period", value),
            "start_interval" => check.start_interval = read_seconds(decoder, "healthcheck.start_interval", value),
            "disable" => is_disabled = decoder.truth("healthcheck.disable", value).is_some_and(|flag| flag.value),
            _ if name.starts_with("x-") => {}
            _ => decoder.unknown_key(key, KEYS),
        }
    }
    if is_disabled {
        check.test = Some(HealthTest::Disabled);
    } else if check.test.is_none() && node.get("test").is_none_or(Node::is_null) {
        decoder.findings.push(ignored("healthcheck without test", &key.place));
        return None;
    }
    Some(check)
}

fn test(decoder: &mut Decoder, node: &Node<'_>) -> Option<HealthTest> {
    let help = "write `[CMD, program, argument…]`, `[CMD-SHELL, line]`, a line, or `[NONE]`";
    let NodeKind::Sequence(items) = &node.kind else {
        let line = decoder.text("healthcheck.test", node)?;
        return match line.value.trim() {
            "" => {
                decoder.invalid(&line.place, "`healthcheck.test` is empty", Some(help));
                None
            }
            _ => Some(HealthTest::Shell(for_shell(&line.value))),
        };
    };
    let words: Vec<Located<String>> =
        items.iter().filter_map(|item| decoder.text("healthcheck.test[]", item)).collect();
    let form = words.first().map(|word| word.value.as_str()).unwrap_or_default();
    let rest = words.get(1..).unwrap_or_default();
    match (form, rest) {
        ("NONE", _) => Some(HealthTest::Disabled),
        ("CMD", [_, ..]) => {
            let mut program = Vec::with_capacity(rest.len());
            for word in rest {
                let mut text = word.value.clone();
                while let Some((before, name, after)) = split_mark(&text) {
                    decoder.findings.push(secret_is_blank(name, &word.place).help(format!(
                        "write `test: [CMD-SHELL, …]`, in which `$${name}` is the container's own variable"
                    )));
                    text = format!("{before}{after}");
                }
                program.push(text);
            }
            Some(HealthTest::Program(program))
        }
        // Compose takes the second word alone.
        ("CMD-SHELL", [line, ..]) if !line.value.trim().is_empty() => Some(HealthTest::Shell(for_shell(&line.value))),
        _ => {
            decoder.invalid(&node.place, "`healthcheck.test` cannot be understood", Some(help));
            None
        }
    }
}

/// A shell line in which secret variables are references to the container's environment, which has them all.
fn for_shell(line: &str) -> String {
    let mut line = line.to_owned();
    while let Some((before, name, after)) = split_mark(&line) {
        line = format!("{before}${{{name}}}{after}");
    }
    line
}
