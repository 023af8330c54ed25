//! Durations as compose writes them.

use crate::spec::Located;
use crate::yaml::{Decoder, Node};

/// Reads a duration such as `1m30s` as whole seconds, rounded up: Kubernetes counts no shorter.
pub(super) fn read_seconds(decoder: &mut Decoder, key: &str, node: &Node<'_>) -> Option<Located<u32>> {
    let text = decoder.string(key, node)?;
    match seconds(&text.value) {
        Some(seconds) => Some(Located::new(seconds, text.place)),
        None => {
            let message = format!("`{key}` is no duration");
            decoder.invalid(&text.place, message, Some("write a number with a unit, such as `30s` or `1m30s`"));
            None
        }
    }
}

fn seconds(text: &str) -> Option<u32> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(0);
    }
    let mut microseconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, following) = rest.split_at(end);
        let number: f64 = number.parse().ok()?;
        let end = following.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(following.len());
        let (unit, following) = following.split_at(end);
        microseconds += number
            * match unit {
                "us" => 1.0,
                "ms" => 1e3,
                "s" => 1e6,
                "m" => 6e7,
                "h" => 3.6e9,
                "d" => 8.64e10,
                "w" => 6.048e11,
                _ => return None,
            };
        rest = following;
    }
    let seconds = (microseconds / 1e6).ceil();
    if seconds > f64::from(i32::MAX) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 2^31")]
    Some(seconds as u32)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_read_as_compose_writes_them() {
        let table = [
            ("30s", Some(30)),
            ("1m30s", Some(90)),
            ("2h", Some(7200)),
            ("500ms", Some(1)),
            ("1.5s", Some(2)),
            ("1500000us", Some(2)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("30", None),
            ("-1s", None),
            ("1x", None),
            ("s", None),
            ("99999999h", None),
        ];
        for (text, expected) in table {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
