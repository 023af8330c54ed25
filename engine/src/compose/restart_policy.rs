//! `restart`, `deploy.restart_policy`, `pull_policy` and `platform`: words of compose that Kubernetes has others for.

use super::read::ignored_because;
use crate::place::Place;
use crate::spec::Located;
use crate::yaml::{Decoder, Node};

/// When a container starts again after it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Never.
    Never,
    /// Whenever it ends, however it ends.
    Always,
    /// When it has failed, so many times at most.
    OnFailure(Option<u32>),
}

/// Reads `restart`.
pub(super) fn read_restart(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<RestartPolicy>> {
    // `restart: no` is a boolean to readers of old YAML; here it is text.
    let word = decoder.text("restart", node)?;
    let policy = match word.value.split_once(':') {
        _ if matches!(word.value.as_str(), "no" | "false") => RestartPolicy::Never,
        None if matches!(word.value.as_str(), "always" | "unless-stopped") => RestartPolicy::Always,
        None if word.value == "on-failure" => RestartPolicy::OnFailure(None),
        Some(("on-failure", number)) if number.parse::<u32>().is_ok() => RestartPolicy::OnFailure(number.parse().ok()),
        _ => {
            let help = "write `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`";
            decoder.invalid(&word.place, "`restart` is none of compose's policies", Some(help));
            return None;
        }
    };
    Some(Located::new(policy, word.place))
}

/// Reads `deploy.restart_policy`.
pub(super) fn read_restart_policy(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<RestartPolicy>> {
    let (mut condition, mut attempts, mut place) = (None, None, node.place.clone());
    for (key, value) in decoder.entries("deploy.restart_policy", node) {
        let name = key.text().unwrap_or_default();
        match name {
            "condition" => {
                place = value.place.clone();
                condition = decoder.string(name, value);
            }
            "max_attempts" => attempts = decoder.whole_number(name, value, 0, 1_000_000).map(|number| number.value),
            "delay" | "window" => {
                let why = "Kubernetes waits longer after each failure, by itself";
                let what = format!("deploy.restart_policy.{name}");
                decoder.findings.push(ignored_because(&what, why, &key.place, "remove it"));
            }
            _ => decoder.unknown_key(key, &["condition", "max_attempts", "delay", "window"]),
        }
    }
    let policy = match condition.as_ref().map(|condition| condition.value.as_str()) {
        None | Some("any") => RestartPolicy::Always,
        Some("none") => RestartPolicy::Never,
        Some("on-failure") => RestartPolicy::OnFailure(attempts),
        Some(_) => {
            decoder.invalid(&place, "`condition` must be `none`, `on-failure` or `any`", None);
            return None;
        }
    };
    Some(Located::new(policy, place))
}

/// Reads `pull_policy`.
pub(super) fn read_pull_policy(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<&'static str>> {
    let word = decoder.string("pull_policy", node)?;
    let policy = match word.value.as_str() {
        "always" => "Always",
        "never" => "Never",
        "missing" | "if_not_present" => "IfNotPresent",
        _ => {
            let why = "a node pulls always, never, or when the image is missing";
            let help = "write `always`, `never` or `missing`";
            decoder.findings.push(ignored_because(&format!("pull_policy: {}", word.value), why, &word.place, help));
            return None;
        }
    };
    Some(Located::new(policy, word.place))
}

/// Reads `platform`: `OS[/ARCHITECTURE[/VARIANT]]`.
pub(super) fn read_platform(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<(String, Option<String>)>> {
    let text = decoder.string("platform", node)?;
    let mut parts = text.value.split('/');
    let first = parts.next().unwrap_or_default();
    let (system, architecture) = match (first, parts.next()) {
        ("linux" | "windows", architecture) => (first, architecture),
        // An architecture alone.
        (architecture, None) => ("linux", Some(architecture)),
        _ => ("", None),
    };
    let architecture = match architecture {
        None => None,
        Some("amd64" | "x86_64") => Some("amd64"),
        Some("arm64" | "aarch64") => Some("arm64"),
        Some("arm" | "armhf" | "armv7") => Some("arm"),
        Some("386" | "i386") => Some("386"),
        Some(known @ ("ppc64le" | "s390x" | "riscv64")) => Some(known),
        Some(_) => {
            not_a_platform(decoder, &text.place);
            return None;
        }
    };
    if system.is_empty() {
        not_a_platform(decoder, &text.place);
        return None;
    }
    Some(Located::new((system.to_owned(), architecture.map(str::to_owned)), text.place))
}

fn not_a_platform(decoder: &mut Decoder, place: &Place) {
    decoder.invalid(place, "`platform` is none that nodes have", Some("write `linux/amd64` or `linux/arm64`"));
}
