//! Attribute values on one line or as line differences, secrets masked before anything else.

use base64::Engine as _;
use laconic_engine::secret::{is_placeholder, placeholder_expression};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::view::style::{Palette, clean};

/// Texts longer than this are cut on one line.
const LONGEST: usize = 160;

/// A value on one line.
#[must_use]
pub fn inline(value: &Value) -> String {
    if is_placeholder(value) {
        return sensitive(value);
    }
    match value {
        Value::String(text) => quoted(text),
        other => cut(&masked(other).to_string()),
    }
}

/// The mask of a secret, with the name of its source where there is one.
#[must_use]
pub fn sensitive(value: &Value) -> String {
    match placeholder_expression(value) {
        Some(expression) => format!("(sensitive value, {})", clean(&expression.source().to_string())),
        None => "(sensitive value)".to_owned(),
    }
}

/// The value with every placeholder replaced by a mask.
#[must_use]
pub fn masked(value: &Value) -> Value {
    if is_placeholder(value) {
        return Value::String(sensitive(value));
    }
    match value {
        Value::Object(object) => {
            Value::Object(object.iter().map(|(key, member)| (key.clone(), masked(member))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(masked).collect()),
        other => other.clone(),
    }
}

/// Where `value` has placeholders, `true`; elsewhere nothing. Terraform's `*_sensitive`.
#[must_use]
pub fn sensitive_mask(value: &Value) -> Value {
    if is_placeholder(value) {
        return Value::Bool(true);
    }
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, member)| (key.clone(), sensitive_mask(member)))
                .filter(|(_, mask)| *mask != Value::Object(serde_json::Map::new()) && !mask.is_null())
                .collect(),
        ),
        Value::Array(items) => {
            let masks: Vec<Value> = items.iter().map(sensitive_mask).collect();
            if masks.iter().all(Value::is_null) { Value::Null } else { Value::Array(masks) }
        }
        _ => Value::Null,
    }
}

fn quoted(text: &str) -> String {
    // JSON escapes control characters; what else could deceive a terminal is taken out.
    cut(&clean(&Value::String(text.to_owned()).to_string()))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head}… ({} characters)", text.chars().count())
}

/// The text in a field: decoded where the field holds base64 of text (a ConfigMap's `binaryData`).
#[must_use]
pub fn text_of(path: &str, value: &Value) -> Option<String> {
    let text = value.as_str()?;
    if !path.starts_with("binaryData") {
        return Some(text.to_owned());
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok()
}

/// How a file's content is spoken of.
#[must_use]
pub fn content(path: &str, value: &Value) -> String {
    match value.as_str() {
        Some(text) if path.starts_with("binaryData") => {
            let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
            format!("({} bytes)", (text.len() / 4 * 3).saturating_sub(padding))
        }
        Some(text) => format!("({} bytes)", text.len()),
        None => inline(value),
    }
}

/// The lines by which two texts differ, with three lines around them. `None` when neither has two lines.
#[must_use]
pub fn line_difference(before: &str, after: &str, palette: Palette) -> Option<Vec<String>> {
    let has_lines = |text: &str| text.trim_end_matches('\n').contains('\n');
    if !has_lines(before) && !has_lines(after) {
        return None;
    }
    let difference = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (index, group) in difference.grouped_ops(3).iter().enumerate() {
        if index > 0 {
            lines.push(palette.dim("  …"));
        }
        for change in group.iter().flat_map(|operation| difference.iter_changes(operation)) {
            let text = clean(change.value().trim_end_matches(['\n', '\r']));
            lines.push(match change.tag() {
                ChangeTag::Delete => palette.bad(&format!("- {text}")),
                ChangeTag::Insert => palette.good(&format!("+ {text}")),
                ChangeTag::Equal => format!("  {text}").trim_end().to_owned(),
            });
        }
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use laconic_engine::secret::{SecretExpression, SecretSource};
    use serde_json::json;

    #[test]
    fn secrets_are_masked_wherever_they_are() {
        let token = SecretExpression::Value(SecretSource::Environment("TOKEN".into())).placeholder();
        assert_eq!(inline(&token), "(sensitive value, environment variable TOKEN)");
        let nested = json!({"a": [token, 1]});
        assert!(!inline(&nested).contains("$secret"));
        assert_eq!(sensitive_mask(&nested), json!({"a": [true, null]}));
        assert_eq!(sensitive_mask(&json!({"a": 1})), json!({}));
        assert_eq!(inline(&json!({"$secret": "unknown", "hmac": "ab"})), "(sensitive value)");
    }

    #[test]
    fn long_and_hostile_texts_are_tamed() {
        assert_eq!(inline(&json!("a\u{1b}[0m")), "\"a\\u001b[0m\"");
        assert!(inline(&json!("x".repeat(1000))).ends_with("(1002 characters)"));
    }

    #[test]
    fn lines_differ() {
        let lines = line_difference("a\nb\n", "a\nc\n", Palette::plain()).unwrap();
        assert_eq!(lines, ["  a", "- b", "+ c"]);
        assert!(line_difference("a", "b\n", Palette::plain()).is_none());
    }

    #[test]
    fn binary_data_is_text_again() {
        assert_eq!(text_of("binaryData[a.txt]", &json!("aGkK")).as_deref(), Some("hi\n"));
        assert_eq!(content("binaryData[a.txt]", &json!("aGkK")), "(3 bytes)");
        assert_eq!(text_of("binaryData[a.txt]", &json!("/w==")), None);
    }
}
