//! What people read off a plan, read off it by a program: edits to make, fates of volumes.

use std::collections::BTreeMap;

/// The edit that a plan proposes after these words: the indented lines that follow.
#[track_caller]
pub fn edit(plan: &str, words: &str) -> Vec<String> {
    let (_, rest) = plan.split_once(words).unwrap_or_else(|| panic!("the plan does not say `{words}`:\n{plan}"));
    let mut lines = rest.lines().skip(1).peekable();
    let indent = lines.peek().map_or(0, |line| line.len() - line.trim_start().len());
    assert!(indent > 4, "no edit follows `{words}`:\n{plan}");
    let is_of_it = |line: &&str| line.len() - line.trim_start().len() >= indent;
    lines.take_while(is_of_it).map(|line| line[indent..].to_owned()).collect()
}

/// A spec with an edit made to it: lines of keys that are there replace those, others are added.
#[track_caller]
pub fn edited(spec: &str, edit: &[String]) -> String {
    let mut lines: Vec<String> = spec.lines().map(str::to_owned).collect();
    let mut section = None;
    for line in edit {
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("no line of a spec: {line}"));
        let is_nested = key.starts_with(' ');
        let within = if is_nested { section.expect("a section before what is in it") } else { 0 };
        let place = lines.iter().skip(within).position(|line| line.starts_with(&format!("{key}:")));
        let place = match place {
            Some(place) => place + within,
            None => {
                let end = if is_nested { within + 1 } else { lines.len() };
                lines.insert(end, String::new());
                end
            }
        };
        if value.trim().is_empty() {
            section = Some(place);
        }
        if !value.trim().is_empty() || lines[place].is_empty() {
            lines[place].clone_from(line);
        }
    }
    lines.join("\n") + "\n"
}

/// A line of a volume forecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Where its bytes are.
    pub place: String,
    /// What happens to them: `kept`, `LOST`, `new`, `unknown`.
    pub fate: String,
    /// Why.
    pub because: String,
}

/// The volume forecast of a plan, by volume.
#[track_caller]
pub fn forecast(plan: &str) -> BTreeMap<String, Fate> {
    let table = plan.split("\nVolumes:\n").nth(1).unwrap_or_else(|| panic!("no forecast:\n{plan}"));
    let heading = table.lines().next().unwrap_or_default();
    let column = |title: &str| heading.find(title).unwrap_or_else(|| panic!("no column {title}:\n{plan}"));
    let [place, fate, because] = ["BYTES ARE IN", "FATE", "BECAUSE"].map(column);
    let rows = table.lines().skip(1).take_while(|line| line.starts_with("  ") && !line.starts_with("  ("));
    rows.filter(|row| row.is_char_boundary(because) && row.len() > because)
        .map(|row| {
            let text = |text: &str| text.trim().to_owned();
            let told = Fate {
                place: text(&row[place..fate]),
                fate: text(&row[fate..because]),
                because: text(&row[because..]),
            };
            (text(&row[..place]), told)
        })
        .collect()
}

#[test]
fn an_edit_is_made_as_it_is_printed() {
    let plan = "\n  help: avoid it: in the spec of `ledger` write\n          kind-mount-root: /srv/kind\n          \
                volumes:\n            data: /srv/kind/data\n  help: otherwise\n";
    let lines = edit(plan, "in the spec of `ledger` write");
    assert_eq!(lines, ["kind-mount-root: /srv/kind", "volumes:", "  data: /srv/kind/data"]);
    let spec = "stack: ledger\nvolumes:\n  cache:\n  data: /data\n";
    let expected = "stack: ledger\nvolumes:\n  cache:\n  data: /srv/kind/data\nkind-mount-root: /srv/kind\n";
    assert_eq!(edited(spec, &lines), expected);
}
