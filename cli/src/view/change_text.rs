//! One change as text: the comment line people and bots look for, the reason, the fields.

use std::fmt::Write as _;

use laconic_engine::address::ResourceType;
use laconic_engine::compile::HOOK_ANNOTATION;
use laconic_engine::diff::{Fields, flatten};
use laconic_engine::plan::{Action, Change, FieldDifference, Reason};
use laconic_engine::secret::is_placeholder;
use serde_json::Value;

use crate::view::style::{Palette, clean};
use crate::view::value::{content, inline, line_difference, text_of};

/// The comment line of a change, as Terraform words it: comment bots look for exactly these.
#[must_use]
pub fn headline(change: &Change) -> String {
    let address = clean(&change.address.to_string());
    let what = match change.action {
        Action::NoOp => "is left as it is",
        Action::Create => "will be created",
        Action::Update => "will be updated in-place",
        Action::Replace => "must be replaced",
        Action::Delete => "will be destroyed",
        Action::Forget => "will be removed from the state but will not be destroyed",
        Action::Import => "will be imported",
    };
    format!("# {address} {what}")
}

/// What is run because of a change, if it is the making or changing of a hook's record.
#[must_use]
pub fn runs(change: &Change) -> Option<String> {
    let after = change.after.as_ref().filter(|_| {
        matches!(change.action, Action::Create | Action::Update | Action::Replace)
            && change.address.resource_type == ResourceType::ConfigMap
    })?;
    let hook = after.pointer("/metadata/annotations")?.get(HOOK_ANNOTATION)?.as_str()?;
    let data = &after["data"];
    let text = |key: &str| data[key].as_str().unwrap_or_default();
    let arguments: Vec<String> = serde_json::from_str(text("arguments")).unwrap_or_default();
    let command: Vec<&str> = std::iter::once(text("executable")).chain(arguments.iter().map(String::as_str)).collect();
    let (hook, command, phase) = (clean(hook), clean(&command.join(" ")), clean(text("phase")));
    Some(format!("the hook `{hook}` will run, {phase}: {command}"))
}

/// Why, where the comment line does not say it all.
#[must_use]
pub fn because(reason: &Reason) -> Option<String> {
    Some(match reason {
        Reason::InSync | Reason::New | Reason::SpecChanged | Reason::Imported | Reason::Refused => return None,
        // The fields say it themselves.
        Reason::Immutable { .. } => return None,
        Reason::Vanished => "it was deleted outside of laconic".to_owned(),
        Reason::Drifted => "it was changed outside of laconic".to_owned(),
        Reason::SpecChangedAndDrifted => "the spec changed, and it was changed outside of laconic".to_owned(),
        Reason::ReplaceRequested => "--replace names it".to_owned(),
        Reason::Cascade { cause } => format!("{} is made anew", clean(&cause.to_string())),
        Reason::ClusterReplaced { cause } => {
            format!("{} is replaced; re-created with it, not deleted one by one", clean(&cause.to_string()))
        }
        Reason::ClusterLost { cause } => format!("{} is gone, and it with it", clean(&cause.to_string())),
        Reason::NotDesired => "the spec no longer asks for it".to_owned(),
        Reason::Destroyed => "the deployment is destroyed".to_owned(),
        Reason::Stopped => "the deployment is stopped".to_owned(),
        Reason::CompletedJobStopped => {
            "the deployment is stopped; that the Job completed is remembered, and it does not run again".to_owned()
        }
        Reason::ClusterDeleted { cause } => {
            format!("{} is deleted; it goes with it, not one by one", clean(&cause.to_string()))
        }
        Reason::AlreadyGone => "it is already gone".to_owned(),
        Reason::NotOurs => "it was there before this deployment, and stays".to_owned(),
        Reason::BuiltAgain => "it was built again on this host".to_owned(),
        Reason::LeftOnNodes => {
            "nothing of this deployment runs it; it stays on the nodes until they clear it away".to_owned()
        }
        Reason::Interrupted => "an earlier operation on it was interrupted".to_owned(),
        Reason::JobCompleted => "the Job completed and does not run again".to_owned(),
    })
}

/// Whether a change only follows its cluster, so that one line for all of them is enough.
#[must_use]
pub fn follows_cluster(change: &Change) -> bool {
    let by_cluster = matches!(
        change.reason,
        Reason::ClusterReplaced { .. } | Reason::ClusterLost { .. } | Reason::ClusterDeleted { .. }
    );
    by_cluster
        && change.address.resource_type != ResourceType::KindCluster
        && !change.differences.iter().any(|difference| difference.forces_replacement)
        && (change.action != Action::Replace || change.differences.is_empty())
}

/// The whole block of a change.
#[must_use]
pub fn block(change: &Change, all: bool, palette: Palette) -> String {
    let mut text = format!("  {}\n", palette.bold(&headline(change)));
    if let Some(because) = because(&change.reason) {
        let _ = writeln!(text, "  {}", palette.dim(&format!("# (because {because})")));
    }
    if let Some(runs) = runs(change) {
        let _ = writeln!(text, "  {}", palette.bold(&format!("# ({runs})")));
    }
    if change.assumed {
        let why = if change.action == Action::Create && change.reason == Reason::New {
            "# (assumed: nobody could look whether it is there)"
        } else {
            "# (assumed from the state: nobody looked)"
        };
        let _ = writeln!(text, "  {}", palette.dim(why));
    }
    let _ = writeln!(text, "{} resource {} {{", palette.symbol(change.action), title(change));
    text.push_str(&body(change, all, palette));
    text.push_str("    }\n\n");
    text
}

/// `"deployment" "shop.web"`.
fn title(change: &Change) -> String {
    let address = &change.address;
    let name = match &address.name {
        Some(name) => format!("{}.{name}", address.scope.name()),
        None => address.scope.name().to_owned(),
    };
    format!("{} \"{}\"", format_args!("\"{}\"", address.resource_type), clean(&name))
}

fn body(change: &Change, all: bool, palette: Palette) -> String {
    match change.action {
        Action::Create | Action::Import => whole(change, change.after.as_ref(), all, palette),
        Action::Delete | Action::Forget => whole(change, change.before.as_ref(), all, palette),
        Action::Replace if change.differences.is_empty() => whole(change, change.after.as_ref(), all, palette),
        Action::Update | Action::Replace | Action::NoOp => differences(change, all, palette),
    }
}

/// The body of something that comes or goes as a whole: the telling attributes, or all of them.
fn whole(change: &Change, form: Option<&Value>, all: bool, palette: Palette) -> String {
    let Some(form) = form else { return String::new() };
    let fields = flatten(form);
    let resource_type = change.address.resource_type;
    let mut text = String::new();
    let mut hidden = 0;
    for (path, value) in &fields {
        if !all && !is_telling(resource_type, path) {
            hidden += 1;
            continue;
        }
        let shown = if is_content(resource_type, path) && !all { content(path, value) } else { inline(value) };
        let symbol = match change.action {
            Action::Create | Action::Replace => palette.good("+ "),
            Action::Delete => palette.bad("- "),
            _ => "  ".to_owned(),
        };
        let _ = writeln!(text, "      {symbol}{}: {shown}", clean(path));
    }
    if hidden > 0 {
        let noun = if hidden == 1 { "attribute" } else { "attributes" };
        let _ = writeln!(text, "        {}", palette.dim(&format!("# ({hidden} more {noun}; --show-all lists them)")));
    }
    text
}

/// Whether an attribute is worth a line when the whole object comes or goes.
fn is_telling(resource_type: ResourceType, path: &str) -> bool {
    if path == "metadata.namespace" || path == "metadata.name" {
        return true;
    }
    let ends = |suffix: &str| path.ends_with(suffix);
    match resource_type {
        ResourceType::KindCluster => path == "image" || ends("].hostPath") || ends("].containerPort"),
        ResourceType::KindMount => ends("Path"),
        ResourceType::KindPort => ends("Port"),
        ResourceType::Deployment | ResourceType::Job | ResourceType::CronJob => {
            path == "spec.replicas" || path == "spec.schedule" || path == "spec.strategy.type" || ends("].image")
        }
        ResourceType::PersistentVolume => ends("hostPath.path") || ends("capacity.storage"),
        ResourceType::PersistentVolumeClaim => {
            ends("requests.storage") || path == "spec.volumeName" || path == "spec.storageClassName"
        }
        ResourceType::ConfigMap | ResourceType::Secret => {
            path.starts_with("data")
                || path.starts_with("binaryData")
                || path.starts_with("stringData")
                || path == "type"
        }
        ResourceType::Service => {
            path == "spec.type" || ends("].port") || ends(".nodePort") || path == "spec.externalName"
        }
        ResourceType::Ingress => ends("].host") || ends(".service.name") || ends(".service.port.number"),
        ResourceType::IngressClass => path == "spec.controller",
        ResourceType::RuntimeClass => path == "handler",
        ResourceType::KindImage => path == "id",
        _ => false,
    }
}

/// Whether an attribute is a file's content, shown by size.
fn is_content(resource_type: ResourceType, path: &str) -> bool {
    resource_type == ResourceType::ConfigMap && (path.starts_with("data") || path.starts_with("binaryData"))
}

/// The body of a change in place: each differing field with what it was, what it will be and who says so.
fn differences(change: &Change, all: bool, palette: Palette) -> String {
    let mut text = String::new();
    for difference in &change.differences {
        text.push_str(&field(difference, palette));
    }
    let fields = change.after.as_ref().or(change.before.as_ref()).map(flatten).unwrap_or_default();
    let unchanged: Fields = fields
        .into_iter()
        .filter(|(path, _)| change.differences.iter().all(|difference| difference.path != *path))
        .collect();
    if all {
        for (path, value) in &unchanged {
            let _ = writeln!(text, "        {}: {}", clean(path), inline(value));
        }
    } else if !unchanged.is_empty() {
        let noun = if unchanged.len() == 1 { "attribute" } else { "attributes" };
        let line = format!("# ({} unchanged {noun} hidden)", unchanged.len());
        let _ = writeln!(text, "        {}", palette.dim(&line));
    }
    text
}

fn field(difference: &FieldDifference, palette: Palette) -> String {
    let path = clean(&difference.path);
    let symbol = match (&difference.before, &difference.after) {
        (None, _) => palette.good("+"),
        (_, None) => palette.bad("-"),
        _ => palette.warn("~"),
    };
    let forces = if difference.forces_replacement {
        format!("   {}", palette.bad("# forces replacement"))
    } else {
        String::new()
    };
    let place = match &difference.place {
        Some(place) => format!("   {}", palette.dim(&clean(&format!("{}:{}", place.file, place.line)))),
        None => String::new(),
    };
    let lines = match (&difference.before, &difference.after) {
        (Some(before), Some(after)) => text_of(&difference.path, before)
            .zip(text_of(&difference.path, after))
            .and_then(|(before, after)| line_difference(&before, &after, palette)),
        _ => None,
    };
    if let Some(lines) = lines {
        let mut text = format!("      {symbol} {path}:{forces}{place}\n");
        for line in lines {
            text.push_str(format!("          {line}").trim_end());
            text.push('\n');
        }
        return text;
    }
    let is_file = difference.path.starts_with("binaryData");
    let show = |value: &Value| if is_file { content(&difference.path, value) } else { inline(value) };
    let values = match (&difference.before, &difference.after) {
        // Where it comes from is the same, what it is is not.
        (Some(before), Some(after)) if is_placeholder(after) && inline(before) == inline(after) => {
            format!("{}   {}", inline(after), palette.warn("# changed"))
        }
        (Some(before), Some(after)) => format!("{} -> {}", show(before), show(after)),
        (Some(before), None) => format!("{} -> null", show(before)),
        (None, Some(after)) => show(after),
        (None, None) => "(known after apply)".to_owned(),
    };
    format!("      {symbol} {path}: {values}{forces}{place}\n")
}
