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

/// Whether a field at this path holds a quantity. What lies in a map of texts does not, whatever its key is.
#[must_use]
pub fn is_quantity_path(path: &str) -> bool {
    // Most paths have none of these words.
    const WORDS: [&str; 6] = ["requests", "limits", "capacity", "podFixed", "sizeLimit", "divisor"];
    if !WORDS.iter().any(|word| path.contains(word)) {
        return false;
    }
    let segments = segments(path);
    const TEXTS: [&str; 6] = ["data", "binaryData", "stringData", "labels", "annotations", "matchLabels"];
    if segments.iter().rev().skip(1).any(|segment| TEXTS.contains(segment)) {
        return false;
    }
    matches!(
        segments.as_slice(),
        [.., "emptyDir", "sizeLimit"]
            | [.., "resourceFieldRef", "divisor"]
            | [.., "resources", "requests" | "limits", _]
            | [.., "capacity" | "podFixed", _]
    )
}

/// The keys and items that a path goes through.
fn segments(path: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (segment, after) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
            None => {
                let plain = rest.strip_prefix('.').unwrap_or(rest);
                plain.split_at(plain.find(['.', '[']).unwrap_or(plain.len()))
            }
        };
        found.push(segment);
        rest = after;
    }
    found
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

    #[test]
    fn amounts_are_known_by_their_place_and_not_by_their_name() {
        for path in [
            "spec.capacity.storage",
            "spec.resources.requests.storage",
            "spec.template.spec.containers[web].resources.limits[example.com/device]",
            "spec.template.spec.volumes[cache].emptyDir.sizeLimit",
            "spec.template.spec.containers[web].env[A].valueFrom.resourceFieldRef.divisor",
            "overhead.podFixed.cpu",
        ] {
            assert!(is_quantity_path(path), "{path}");
        }
        for path in [
            "data[resources.requests]",
            "data.sizeLimit",
            "data.capacity",
            "metadata.annotations.capacity",
            "metadata.labels[resources.limits]",
            "spec.template.spec.containers[web].env[resources.limits].value",
            "spec.template.spec.containers[limits].image",
        ] {
            assert!(!is_quantity_path(path), "{path}");
        }
    }
}
