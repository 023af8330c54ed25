//! Reading what API servers give: plain JSON in which anything may be missing.

use serde_json::Value;

/// How much of a text that somebody else wrote is repeated. Termination messages and the output of probes may be whole
/// logs; nobody reads those in one line, and the less of them is shown, the less can be in them that should not be.
const LONGEST: usize = 200;

/// The text at a JSON pointer; empty when there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The count at a JSON pointer; 0 when there is none, as servers leave zeros out.
pub(super) fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The items of the list at a JSON pointer.
pub(super) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The name of an object.
pub(super) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// Whether an object is on its way out.
pub(super) fn is_terminating(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

/// The condition of a type, when it has this status.
pub(super) fn condition<'a>(object: &'a Value, condition_type: &str, status: &str) -> Option<&'a Value> {
    items(object, "/status/conditions").find(|one| one["type"] == condition_type && one["status"] == status)
}

/// A text of somebody else in one line that is not too long, without anything a terminal would obey.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// A reason and what is said about it, whichever there are.
pub(super) fn reason_and_message(reason: &str, message: &str) -> String {
    match (reason.is_empty(), message.is_empty()) {
        (false, false) => format!("{reason}: {}", one_line(message)),
        (false, true) => reason.to_owned(),
        (true, _) => one_line(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_texts_are_one_short_line() {
        assert_eq!(one_line("a\n  b\tc\u{1b}[2J"), "a b c [2J");
        assert_eq!(one_line(&"é".repeat(200)).chars().count(), 200);
        let cut = one_line(&"é".repeat(300));
        assert_eq!((cut.chars().count(), cut.ends_with('…')), (201, true));
    }
}
