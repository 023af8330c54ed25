//! A migration as people and programs read it, before anything is touched: the edits of specs as one difference each. The
//! moves and the recreate are a part of the plan that follows.

use std::fmt::Write as _;

use laconic_engine::plan::Migration;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::migrating::SpecEdit;
use crate::view::style::{Palette, clean, count};

/// The edits of a migration.
#[must_use]
pub fn text(cluster: &str, root: &str, edits: &[SpecEdit], palette: Palette) -> String {
    let heading = format!("Migration of cluster {} below the umbrella {}", clean(cluster), clean(root));
    let mut text = format!("{}\n", palette.bold(&heading));
    if edits.is_empty() {
        text.push_str("The specs of all deployments on it say so already.\n\n");
        return text;
    }
    let _ = writeln!(text, "{} written when it begins:\n", count(edits.len(), "spec"));
    for edit in edits {
        for line in difference(edit).lines() {
            let line = clean(line);
            let painted = match line.as_bytes().first() {
                Some(b'+') => palette.good(&line),
                Some(b'-') => palette.bad(&line),
                _ => line,
            };
            let _ = writeln!(text, "{painted}");
        }
        text.push('\n');
    }
    text.push_str(&elsewhere(edits, palette));
    text
}

/// The files that have to get the same edits from their operators.
#[must_use]
pub fn elsewhere(edits: &[SpecEdit], palette: Palette) -> String {
    let sources: Vec<String> = edits
        .iter()
        .filter_map(|edit| Some((edit, edit.source.as_deref()?)))
        .map(|(edit, source)| format!("  {}: {}\n", clean(&edit.deployment), clean(source)))
        .collect();
    if sources.is_empty() {
        return String::new();
    }
    let why = "These copies were made from other files. Make the same edits there, or the next update takes them back:";
    format!("{}\n{}\n", palette.warn(why), sources.concat())
}

/// An edit as a unified difference.
fn difference(edit: &SpecEdit) -> String {
    let path = edit.path.display().to_string();
    TextDiff::from_lines(edit.before.as_str(), &*edit.after)
        .unified_diff()
        .context_radius(1)
        .header(&path, &path)
        .to_string()
}

/// The same for programs.
#[must_use]
pub fn json(cluster: &str, root: &str, edits: &[SpecEdit], moves: Option<&Migration>) -> Value {
    let edits: Vec<Value> = edits
        .iter()
        .map(|edit| {
            json!({
                "deployment": edit.deployment,
                "file": edit.path,
                "source": edit.source,
                "difference": difference(edit),
            })
        })
        .collect();
    let moves = moves.map(|migration| &migration.volumes);
    json!({"cluster": cluster, "root": root, "edits": edits, "moves": moves})
}
