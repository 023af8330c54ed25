//! Quantities as an API server stores them: `4.0` as `4`, `1000m` as `1`, `2000M` as `2G`.

use serde_json::Value;

const NANO: i128 = 1_000_000_000;

/// The amount in thousand-millionths, and whether the suffix counts in powers of 1024.
fn parse(text: &str) -> Option<(i128, bool)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (scale, is_binary) = match suffix {
        "n" => (1, false),
        "u" => (1_000, false),
        "m" => (1_000_000, false),
        "" => (NANO, false),
        "k" => (NANO * 1_000, false),
        "M" => (NANO * 1_000_000, false),
        "G" => (NANO * NANO, false),
        "T" => (NANO * NANO * 1_000, false),
        "P" => (NANO * NANO * 1_000_000, false),
        "Ki" => (NANO << 10, true),
        "Mi" => (NANO << 20, true),
        "Gi" => (NANO << 30, true),
        "Ti" => (NANO << 40, true),
        "Pi" => (NANO << 50, true),
        _ => return None,
    };
    let (is_negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = fraction.get(..fraction.len().min(9))?;
    let fraction_value: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let divisor = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let amount = whole.checked_mul(scale)?.checked_add(fraction_value.checked_mul(scale)? / divisor)?;
    Some((if is_negative { -amount } else { amount }, is_binary))
}

/// The canonical spelling; `None` for what is no quantity.
pub fn canonical(text: &str) -> Option<String> {
    let (mut amount, is_binary) = parse(text)?;
    if amount == 0 {
        return Some("0".to_owned());
    }
    if is_binary && amount % NANO == 0 && (amount / NANO).abs() >= 1024 {
        let mut whole = amount / NANO;
        let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi"].into_iter();
        let mut suffix = suffixes.next().unwrap_or_default();
        while whole % 1024 == 0 {
            let Some(larger) = suffixes.next() else { break };
            whole /= 1024;
            suffix = larger;
        }
        return Some(format!("{whole}{suffix}"));
    }
    let mut suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P"].into_iter();
    let mut suffix = suffixes.next().unwrap_or_default();
    while amount % 1000 == 0 {
        let Some(larger) = suffixes.next() else { break };
        amount /= 1000;
        suffix = larger;
    }
    Some(format!("{amount}{suffix}"))
}

/// Which of two quantities is larger; `None` when one is no quantity.
pub fn compare(left: &str, right: &str) -> Option<std::cmp::Ordering> {
    Some(parse(left)?.0.cmp(&parse(right)?.0))
}

/// Spells every quantity in an object canonically: requests, limits, capacities, size limits.
pub fn normalise(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), &mut *member) {
                    ("requests" | "limits" | "capacity", Value::Object(amounts)) => {
                        amounts.values_mut().for_each(normalise_amount);
                    }
                    ("sizeLimit", amount) => normalise_amount(amount),
                    _ => normalise(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        _ => {}
    }
}

fn normalise_amount(amount: &mut Value) {
    let text = match amount {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if let Some(text) = canonical(&text) {
        *amount = Value::String(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_become_canonical() {
        for (given, stored) in [
            ("4.0", "4"),
            ("2000M", "2G"),
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("2048Mi", "2Gi"),
            ("512Ki", "512Ki"),
            ("100m", "100m"),
            ("0", "0"),
            ("1.25", "1250m"),
            ("500", "500"),
            ("1024", "1024"),
            ("2Gi", "2Gi"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(stored), "{given}");
        }
        assert_eq!(canonical("many"), None);
        assert_eq!(compare("1Gi", "1G"), Some(std::cmp::Ordering::Greater));
    }
}
