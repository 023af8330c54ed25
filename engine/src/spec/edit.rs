//! Edits of spec.yml's text that leave everything else in it as its operator wrote it, comments and order included.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Located, Spec, read_spec};
use crate::place::Place;

/// The text with that `kind-mount-root` and those paths of volumes. `None` for a text that is written in a way in which
/// this cannot be done safely: what is read from the result is exactly what was read before, but for these values.
#[must_use]
pub fn with_umbrella(text: &str, root: &str, paths: &BTreeMap<String, String>) -> Option<String> {
    let file: Arc<str> = "spec.yml".into();
    let (before, _) = read_spec(&file, text);
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for (name, path) in &before.volumes {
        let Some(new) = paths.get(&name.value) else { continue };
        match path {
            Some(path) => replace(&mut lines, path, new)?,
            None => fill(&mut lines, &name.place, new)?,
        }
    }
    match &before.kind_mount_root {
        Some(there) => replace(&mut lines, there, root)?,
        None => {
            let ends_line = lines.last().is_none_or(|last| last.ends_with('\n'));
            let newline = if ends_line { "" } else { "\n" };
            lines.push(format!("{newline}kind-mount-root: {}\n", written(root)));
        }
    }
    let edited = lines.concat();
    is_only_that(before, &read_spec(&file, &edited).0, root, paths).then_some(edited)
}

/// Puts another value in the place of a scalar.
fn replace(lines: &mut [String], old: &Located<String>, new: &str) -> Option<()> {
    if old.value == new {
        return Some(());
    }
    let (line, at) = position(lines, &old.place)?;
    let rest = line.get(at..)?;
    let spellings = [old.value.clone(), format!("\"{}\"", old.value), format!("'{}'", old.value)];
    let length = spellings.iter().find(|spelling| rest.starts_with(spelling.as_str())).map(String::len)?;
    line.replace_range(at..at + length, &written(new));
    Some(())
}

/// Gives a key without a value one.
fn fill(lines: &mut [String], key: &Place, new: &str) -> Option<()> {
    let (line, at) = position(lines, key)?;
    let colon = at + line.get(at..)?.find(':')? + 1;
    let rest = line.get(colon..)?;
    let said = rest.split('#').next()?.trim();
    let nothing = if matches!(said, "~" | "null") { rest.find(said)? + said.len() } else { 0 };
    line.replace_range(colon..colon + nothing, &format!(" {}", written(new)));
    Some(())
}

/// The line of a place, and where in it the place is.
fn position<'l>(lines: &'l mut [String], place: &Place) -> Option<(&'l mut String, usize)> {
    let line = lines.get_mut(usize::try_from(place.line.checked_sub(1)?).ok()?)?;
    let column = usize::try_from(place.column.checked_sub(1)?).ok()?;
    let (at, _) = line.char_indices().nth(column)?;
    Some((line, at))
}

/// A path as YAML: plain where that is read as the same text.
fn written(path: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '/' | '-' | '_' | '.');
    if path.chars().all(is_plain) { path.to_owned() } else { serde_json::Value::from(path).to_string() }
}

/// Whether a spec is another one with these values, and nothing else differs, not even where it is written.
fn is_only_that(mut before: Spec, after: &Spec, root: &str, paths: &BTreeMap<String, String>) -> bool {
    let volumes = |spec: &Spec| -> Vec<(String, Option<String>)> {
        let path = |path: &Option<Located<String>>| path.as_ref().map(|path| path.value.clone());
        spec.volumes.iter().map(|(name, written)| (name.value.clone(), path(written))).collect()
    };
    let wanted = |(name, path): (String, Option<String>)| {
        let new = paths.get(&name).cloned().or(path);
        (name, new)
    };
    let expected: Vec<(String, Option<String>)> = volumes(&before).into_iter().map(wanted).collect();
    let is_root = after.kind_mount_root.as_ref().is_some_and(|there| there.value == root);
    let is_done = is_root && volumes(after) == expected;
    before.volumes.clone_from(&after.volumes);
    before.kind_mount_root.clone_from(&after.kind_mount_root);
    is_done && before == *after
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "\
# The shop.
stack: stacks/shop
deploy-to: k8s-kind
volumes:
  pgdata: ./data/pg   # what customers bought
  'cache': \"/var/cache\"
  scratch:
  temp: ~ # nothing
  kept: /srv/kind/kept
config:
  A: b
";

    fn paths(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect()
    }

    #[test]
    fn only_what_is_meant_is_edited() {
        let all = paths(&[
            ("pgdata", "/srv/kind/shop/pgdata"),
            ("cache", "/srv/kind/shop/c: d"),
            ("scratch", "/srv/kind/shop/scratch"),
            ("temp", "/srv/kind/shop/temp"),
        ]);
        let edited = with_umbrella(SPEC, "/srv/kind", &all).unwrap();
        let expected = SPEC
            .replace("./data/pg ", "/srv/kind/shop/pgdata ")
            .replace("\"/var/cache\"", "\"/srv/kind/shop/c: d\"")
            .replace("scratch:", "scratch: /srv/kind/shop/scratch")
            .replace("temp: ~", "temp: /srv/kind/shop/temp")
            + "kind-mount-root: /srv/kind\n";
        assert_eq!(edited, expected);
        assert_eq!(with_umbrella(&edited, "/srv/kind", &all).unwrap(), edited, "done twice it is the same");
        let moved = with_umbrella(&edited, "/data", &BTreeMap::new()).unwrap();
        assert!(moved.ends_with("kind-mount-root: /data\n"), "{moved}");
    }

    #[test]
    fn a_text_without_a_last_line_end_gets_one() {
        let edited = with_umbrella(SPEC.trim_end(), "/srv/kind", &BTreeMap::new()).unwrap();
        assert_eq!(edited, format!("{SPEC}kind-mount-root: /srv/kind\n"));
    }

    #[test]
    fn what_cannot_be_edited_safely_is_left_alone() {
        for text in [
            "{stack: s, deploy-to: k8s-kind, volumes: {a: /a}}\n",
            "stack: s\ndeploy-to: k8s-kind\nvolumes:\n  a: &p /a\n  b: *p\n",
            "stack: s\ndeploy-to: k8s-kind\nvolumes:\n  a: \"\\u002fa\"\n",
            "stack: s\ndeploy-to: k8s-kind\nvolumes:\n  a: /a\n...\n",
        ] {
            let edited = with_umbrella(text, "/srv/kind", &paths(&[("a", "/srv/kind/a")]));
            assert_eq!(edited, None, "{text}");
        }
    }
}
