//! Kubernetes quantities: `4.0`, `2000M`, `512Mi`, `100m`, `1e3`; two spellings of one amount are no difference.

/// The amount in billionths, exactly; `None` for what is no quantity or too large to hold.
///
/// The suffixes are those of `k8s.io/apimachinery/pkg/api/resource`.
#[must_use]
pub fn billionths(text: &str) -> Option<i128> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '+' || c == '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (multiplier, divisor): (i128, i128) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let scale = 10_i128.checked_pow(power.unsigned_abs())?;
            if power >= 0 { (scale, 1) } else { (1, scale) }
        }
    };
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 18 {
        return None;
    }
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let parse = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let units = parse(whole)?.checked_mul(scale)?.checked_add(parse(fraction)?)?;
    let scaled = units.checked_mul(multiplier)?.checked_mul(1_000_000_000)?;
    let denominator = scale.checked_mul(divisor)?;
    // Kubernetes rounds up what is finer than it can hold.
    let amount = scaled / denominator + i128::from(scaled % denominator != 0);
    Some(if negative { -amount } else { amount })
}

/// Whether a field at this path holds a quantity.
#[must_use]
pub fn is_quantity_path(path: &str) -> bool {
    ["resources.requests", "resources.limits", "spec.capacity"].iter().any(|part| path.contains(part))
        || path.ends_with("sizeLimit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_amount_are_equal() {
        for (left, right) in
            [("4.0", "4"), ("2000M", "2G"), ("1000m", "1"), ("1Gi", "1024Mi"), ("1e3", "1k"), ("0.5", "500m")]
        {
            assert_eq!(billionths(left), billionths(right), "{left} {right}");
            assert!(billionths(left).is_some());
        }
        assert_ne!(billionths("2G"), billionths("2Gi"));
    }

    #[test]
    fn junk_is_no_quantity() {
        for text in ["", "Gi", "1X", "1.2.3", "ten", "--1", "99999999999999999999999999999999999999999E"] {
            assert_eq!(billionths(text), None, "{text}");
        }
    }
}
