//! JSON values as YAML, for rendered objects and for the files `deploy create` writes.

use serde_json::Value;

/// A document.
#[must_use]
pub fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(object) if !object.is_empty() => mapping(&mut text, object, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut text, items, 0),
        other => {
            text.push_str(&scalar(other));
            text.push('\n');
        }
    }
    text
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n(' ', depth * 2));
}

fn mapping(text: &mut String, object: &serde_json::Map<String, Value>, depth: usize) {
    for (index, (key, value)) in object.iter().enumerate() {
        // The first key of a list item stands behind its dash.
        if index > 0 || !text.ends_with("- ") {
            indent(text, depth);
        }
        text.push_str(&plain_or_quoted(key));
        text.push(':');
        member(text, value, depth);
    }
}

fn member(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            text.push('\n');
            mapping(text, object, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            sequence(text, items, depth);
        }
        Value::String(string) if is_block(string) => block(text, string, depth + 1),
        other => {
            text.push(' ');
            text.push_str(&scalar(other));
            text.push('\n');
        }
    }
}

fn sequence(text: &mut String, items: &[Value], depth: usize) {
    for item in items {
        indent(text, depth);
        text.push_str("- ");
        match item {
            Value::Object(object) if !object.is_empty() => mapping(text, object, depth + 1),
            other => {
                text.push_str(&scalar(other));
                text.push('\n');
            }
        }
    }
}

/// Text that can be written as a literal block and is better read so.
fn is_block(string: &str) -> bool {
    string.trim_end_matches('\n').contains('\n')
        && !string.starts_with([' ', '\n'])
        && string.chars().all(|character| character == '\n' || !character.is_control())
        && !string.contains(['\u{2028}', '\u{2029}', '\u{85}', '\u{feff}'])
}

fn block(text: &mut String, string: &str, depth: usize) {
    let body = string.trim_end_matches('\n');
    let ending = match string.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    text.push(' ');
    text.push_str(ending);
    text.push('\n');
    let lines: Vec<&str> =
        if ending == "|+" { string.split_terminator('\n').collect() } else { body.split('\n').collect() };
    for line in lines {
        if !line.is_empty() {
            indent(text, depth);
            text.push_str(line);
        }
        text.push('\n');
    }
}

/// A scalar, or an empty collection.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) => plain_or_quoted(string),
        // A JSON document is YAML too.
        other => other.to_string(),
    }
}

/// A string without quotes when every YAML reader, 1.1 or 1.2, takes it for that string.
fn plain_or_quoted(string: &str) -> String {
    let mut characters = string.chars();
    let first_is_safe =
        characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '/' || first == '_');
    let rest_is_safe = characters.all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | '.' | '/'));
    let lower = string.to_ascii_lowercase();
    let is_word = matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "nan");
    if first_is_safe && rest_is_safe && !is_word { string.to_owned() } else { Value::from(string).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_read_as_people_write_them() {
        let value = json!({
            "a": {"b": [{"c": 1, "d": [true, "no"]}, "x y", []], "e": {}},
            "text": "one\n  two\n", "port": "80", "last": "x\ny", "kept": "x\ny\n\n",
        });
        let text = "a:\n  b:\n  - c: 1\n    d:\n    - true\n    - \"no\"\n  - \"x y\"\n  - []\n  e: {}\n\
                    kept: |+\n  x\n  y\n\nlast: |-\n  x\n  y\nport: \"80\"\ntext: |\n  one\n    two\n";
        assert_eq!(document(&value), text);
    }

    #[test]
    fn hostile_strings_are_quoted() {
        for string in ["", "- a", "a: b", "#", "~", "1e3", "0x1", "a\tb", "on", "*a", "a #b", "\u{85}"] {
            let text = document(&json!([string]));
            assert_eq!(text, format!("- {}\n", json!(string)));
        }
    }
}
