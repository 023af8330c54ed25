//! Taking secret values out of texts that others wrote: servers and admission webhooks echo what they were sent.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::secret::SecretValues;

/// What stands in the place of a value.
pub const MASK: &str = "(sensitive value)";

/// Values of fewer characters occur in texts by chance, and are masked by their path alone.
const SHORTEST: usize = 6;

/// Stands for the mask while values are looked for.
const MARK: &str = "\u{0}";

/// The text without any of the values: plain, quoted, in base64, and as a part of something in base64.
#[must_use]
pub fn redact(text: &str, values: &SecretValues) -> String {
    let mut plain: Vec<String> = Vec::new();
    let mut encoded: Vec<String> = Vec::new();
    for value in values.values() {
        // A value read from a file ends in a line break that no message repeats.
        for form in [value.expose(), value.expose().trim()] {
            if form.chars().count() < SHORTEST {
                continue;
            }
            plain.push(form.to_owned());
            plain.push(quoted(form));
            encoded.extend(in_base64(form.as_bytes()));
        }
    }
    // The longest first: one value may be a part of another.
    for needles in [&mut plain, &mut encoded] {
        needles.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        needles.dedup();
    }
    // A mark that no value contains, so that a value that is a part of the mask's own words is taken out too.
    let mut text = text.replace(MARK, "");
    for needle in &encoded {
        while let Some(range) = word_around(&text, needle) {
            text.replace_range(range, MARK);
        }
    }
    for needle in &plain {
        if text.contains(needle.as_str()) {
            text = text.replace(needle.as_str(), MARK);
        }
    }
    text.replace(MARK, MASK)
}

/// The value as it stands between quotation marks, in JSON and in what Go programs print.
fn quoted(value: &str) -> String {
    let text = serde_json::Value::from(value).to_string();
    text.get(1..text.len() - 1).unwrap_or(value).to_owned()
}

/// What the base64 of any text that contains these bytes contains: one form for each of the three places in a group at
/// which they may begin, without the characters that neighbours have a say in.
fn in_base64(bytes: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for offset in 0..3 {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(bytes);
        let (first, end) = ((offset * 8).div_ceil(6), shifted.len() * 8 / 6);
        for text in [STANDARD.encode(&shifted), URL_SAFE.encode(&shifted)] {
            forms.extend(text.get(first..end).map(str::to_owned));
        }
    }
    forms
}

/// Where a needle is, with everything around it that belongs to the same base64 text.
fn word_around(text: &str, needle: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find(needle)?;
    let is_part = |one: char| one.is_ascii_alphanumeric() || matches!(one, '+' | '/' | '-' | '_' | '=');
    let before = text.get(..start)?;
    let after = text.get(start + needle.len()..)?;
    let from = before.len() - before.chars().rev().take_while(|one| is_part(*one)).count();
    let to = start + needle.len() + after.chars().take_while(|one| is_part(*one)).count();
    Some(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{SecretExpression, SecretSource, SecretValue};

    fn values(texts: &[&str]) -> SecretValues {
        let source = |name: usize| SecretSource::Environment(format!("S{name}"));
        texts.iter().enumerate().map(|(name, text)| (source(name), SecretValue::new((*text).to_owned()))).collect()
    }

    #[test]
    fn every_form_of_a_value_is_taken_out() {
        let secret = "hunter2-\"quoted\"\nlines";
        let all = values(&[secret, "swordfish"]);
        for text in [
            "denied: value swordfish is weak".to_owned(),
            format!("denied: {secret:?}"),
            format!("denied: {secret}"),
            format!("data.token: {}", STANDARD.encode("swordfish")),
            format!("auth {}, and more", STANDARD.encode("somebody:swordfish")),
            format!("auth {}", URL_SAFE.encode("some:swordfish?>")),
        ] {
            let clean = redact(&text, &all);
            assert!(clean.contains(MASK), "{clean}");
            for trace in ["swordfish", "hunter2", "c3dvcmRmaXNo", "N3b3JkZmlza", "zd29yZGZpc2"] {
                assert!(!clean.contains(trace), "{clean}");
            }
        }
        assert_eq!(redact("auth swordfish, ok", &all), "auth (sensitive value), ok");
    }

    #[test]
    fn registry_credentials_are_taken_out_as_a_whole() {
        let token = SecretSource::Environment("T".into());
        let value = SecretValue::new("ghp_0123456789".into());
        let expression = SecretExpression::DockerConfig {
            server: "registry.example.com".into(),
            username: "ci".into(),
            token: token.clone(),
        };
        let sent = expression.evaluate(&value);
        let text = format!("invalid value \"{sent}\": no");
        assert_eq!(redact(&text, &[(token, value)].into()), "invalid value \"(sensitive value)\": no");
    }

    #[test]
    fn short_values_change_nothing_and_words_of_the_mask_may_be_values() {
        assert_eq!(redact("port 8080 is taken", &values(&["8080"])), "port 8080 is taken");
        assert_eq!(redact("a sensitive swordfish", &values(&["sensitive", "swordfish"])), format!("a {MASK} {MASK}"));
    }

    #[test]
    fn the_longest_value_goes_first() {
        let text = redact("abcdef-ghijkl", &values(&["abcdef", "abcdef-ghijkl"]));
        assert_eq!(text, MASK);
    }
}
