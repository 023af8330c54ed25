//! `required-version` of spec.yml and laconic.yml: which versions of laconic may plan it.

use super::Located;
use crate::code::Code;
use crate::finding::Finding;

/// Says when `own`, the version that runs, is not one that `required` of the file `by` allows, or when that cannot be understood.
pub(super) fn check(required: &Located<String>, by: &str, own: &str) -> Option<Finding> {
    let own = own.split(['-', '+']).next().unwrap_or_default();
    let text = required.value.as_str();
    match is_met(text, own) {
        Some(true) => None,
        Some(false) => Some(
            Finding::new(Code::RequiredVersion, format!("this is laconic {own}, and {by} requires `{text}`"))
                .at(&required.place)
                .help("install a version that it allows, or change `required-version`"),
        ),
        None => Some(
            Finding::new(Code::InvalidYaml, format!("`required-version: {text}` is no version"))
                .at(&required.place)
                .help("write a version such as `0.1.0`, or bounds such as `>=0.1, <0.3`"),
        ),
    }
}

/// Whether all of the comma-separated bounds hold; `None` when one of them is none.
fn is_met(required: &str, own: &str) -> Option<bool> {
    let own = numbers(own)?;
    let mut all = true;
    for bound in required.split(',') {
        let bound = bound.trim();
        let operator = bound.get(..bound.find(|it: char| !matches!(it, '<' | '>' | '='))?)?;
        let wanted = numbers(bound.get(operator.len()..)?.trim())?;
        let full = |parts: &[u64]| [0, 1, 2].map(|index| parts.get(index).copied().unwrap_or_default());
        let order = full(&own).cmp(&full(&wanted));
        all &= match operator {
            // Parts that are not written are free: `0.1` is any 0.1.
            "" | "=" | "==" => full(&own).starts_with(&wanted),
            ">=" => order.is_ge(),
            ">" => order.is_gt(),
            "<=" => order.is_le(),
            "<" => order.is_lt(),
            _ => return None,
        };
    }
    Some(all)
}

/// One to three numbers with dots between, after an optional `v`.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Option<Vec<u64>> =
        version.split('.').map(|part| part.parse().ok().filter(|_| is_digits(part))).collect();
    parts.filter(|parts| parts.len() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_compared_by_number() {
        for required in ["0", "0.10", ">=0.1", ">= 0.10", "=0.10.2", "v0.10.2", "<0.11", ">0.9.9", ">=0.1, <1"] {
            assert_eq!(is_met(required, "0.10.2"), Some(true), "{required}");
        }
        for required in ["0.1", ">=0.11", "0.10.1", ">0.10.2", "<0.10.2", ">=0.1, <0.10", "1"] {
            assert_eq!(is_met(required, "0.10.2"), Some(false), "{required}");
        }
        for required in ["", ">=", "new", "~0.1", "0.1.x", "1.2.3.4", ">=0.1,", "=>0.1", "+1"] {
            assert_eq!(is_met(required, "0.10.2"), None, "{required}");
        }
    }
}
