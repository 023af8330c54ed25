//! Sizes and processor shares: how both dialects read them and what Kubernetes gets.

use serde_json::{Map, Value};

use crate::place::Place;
use crate::spec::{Dialect, Located, ResourceAmounts, ResourceBlock, Scalar};

/// Which file a size is written in: compose files and spec.yml count differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// spec.yml: in the compose dialect a Kubernetes quantity.
    Spec,
    /// A compose file: in the compose dialect units are binary whatever their spelling, as compose says.
    Compose,
}

/// A size as a Kubernetes quantity; `None` for a text that is no size.
pub(super) fn size(text: &str, notation: Notation, dialect: Dialect) -> Option<String> {
    let (number, unit) = split_unit(text);
    match dialect {
        Dialect::LaconicSo => legacy_size(number, unit),
        Dialect::Compose => exact_size(number, unit, notation),
    }
}

/// A processor share as a Kubernetes quantity; `None` for a text that is none.
pub(super) fn processors(text: &str, dialect: Dialect) -> Option<String> {
    let text = text.trim();
    if let Some(thousandths) = text.strip_suffix('m') {
        // A Kubernetes quantity already.
        return thousandths.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.to_owned()).filter(|it| it != "m");
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)?;
    Some(match dialect {
        // The debug form always has a decimal point, which is what running objects have.
        Dialect::LaconicSo => format!("{number:?}"),
        Dialect::Compose if number.fract() == 0.0 => format!("{number:.0}"),
        Dialect::Compose => format!("{:.0}m", (number * 1000.0).ceil()),
    })
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

/// Sizes in the laconic-so dialect: decimal units unless spelled with `iB`, given as whole megabytes, rounded down.
fn legacy_size(number: &str, unit: &str) -> Option<String> {
    let number: f64 = number.parse().ok()?;
    let lower = unit.to_ascii_lowercase();
    let step: f64 = if lower.len() == 3 && lower.ends_with("ib") { 1024.0 } else { 1000.0 };
    let power = match lower.chars().next() {
        None | Some('b') => 0,
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some('p') => 5,
        Some('e') => 6,
        Some(_) => return None,
    };
    let bytes = (number * step.powi(power)).trunc();
    Some(format!("{:.0}M", (bytes / 1e6).trunc()))
}

fn exact_size(number: &str, unit: &str, notation: Notation) -> Option<String> {
    number.parse::<f64>().ok()?;
    let lower = unit.to_ascii_lowercase();
    let letter = lower.chars().next();
    let rest = lower.get(1..).unwrap_or_default();
    let is_known = match letter {
        None => true,
        Some('b') => rest.is_empty(),
        Some('k' | 'm' | 'g' | 't' | 'p' | 'e') => matches!(rest, "" | "b" | "i" | "ib"),
        Some(_) => false,
    };
    if !is_known {
        return None;
    }
    let is_binary = rest.starts_with('i');
    Some(match (letter, notation) {
        (None | Some('b'), _) => number.to_owned(),
        // `m` alone is a thousandth to Kubernetes; nobody means a thousandth of a byte, but in spec.yml it is a quantity.
        (Some('m'), Notation::Spec) if unit == "m" => format!("{number}m"),
        (Some(letter), Notation::Spec) if !is_binary && letter == 'k' => format!("{number}k"),
        (Some(letter), Notation::Spec) if !is_binary => format!("{number}{}", letter.to_ascii_uppercase()),
        (Some(letter), _) => format!("{number}{}i", letter.to_ascii_uppercase()),
    })
}

/// What a container gets when nothing says otherwise in the laconic-so dialect.
fn legacy_defaults() -> Map<String, Value> {
    let amounts = |cpu: &str, memory: &str| {
        let mut map = Map::new();
        map.insert("cpu".to_owned(), cpu.into());
        map.insert("memory".to_owned(), memory.into());
        Value::Object(map)
    };
    let mut resources = Map::new();
    resources.insert("requests".to_owned(), amounts("1.0", "2000M"));
    resources.insert("limits".to_owned(), amounts("4.0", "8000M"));
    resources
}

/// The `resources` of a container: the first of the levels that says anything counts alone, levels are never merged.
/// With them come the places of what they say, below `resources`.
pub(super) fn container_resources(
    own: Option<&ResourceBlock>,
    compose: &ResourceBlock,
    common: &ResourceBlock,
    dialect: Dialect,
) -> (Map<String, Value>, Vec<(String, Place)>) {
    let says = |block: &ResourceBlock| block.reservations.is_some() || block.limits.is_some();
    let (block, notation) = if let Some(own) = own.filter(|own| says(own)) {
        (own, Notation::Spec)
    } else if says(compose) {
        (compose, Notation::Compose)
    } else if says(common) {
        (common, Notation::Spec)
    } else if dialect == Dialect::LaconicSo {
        return (legacy_defaults(), Vec::new());
    } else {
        return (Map::new(), Vec::new());
    };
    let (mut resources, mut places) = (Map::new(), Vec::new());
    for (key, amounts) in [("requests", &block.reservations), ("limits", &block.limits)] {
        let Some(amounts) = amounts else { continue };
        let written = [("cpu", &amounts.cpus), ("memory", &amounts.memory), (storage_key(dialect), &amounts.storage)];
        let mut written = written.iter().filter_map(|(name, amount)| Some((name, &amount.as_ref()?.place))).peekable();
        // The block, when it comes or goes as a whole, is where its first amount is.
        places.extend(written.peek().map(|(_, place)| (key.to_owned(), (*place).clone())));
        places.extend(written.map(|(name, place)| (format!("{key}.{name}"), place.clone())));
        let amounts = quantities(amounts, notation, dialect);
        if !amounts.is_empty() {
            resources.insert(key.to_owned(), Value::Object(amounts));
        }
    }
    (resources, places)
}

/// What a container may write is `ephemeral-storage`; API servers refuse `storage` in a container.
const fn storage_key(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Compose => "ephemeral-storage",
        Dialect::LaconicSo => "storage",
    }
}

fn quantities(amounts: &ResourceAmounts, notation: Notation, dialect: Dialect) -> Map<String, Value> {
    let mut map = Map::new();
    let cpus = amounts.cpus.as_ref().and_then(|cpus| processors(&cpus.value.text, dialect));
    let bytes = |amount: &Option<Located<Scalar>>| {
        amount.as_ref().and_then(|amount| size(&amount.value.text, notation, dialect))
    };
    let pairs = [("cpu", cpus), ("memory", bytes(&amounts.memory)), (storage_key(dialect), bytes(&amounts.storage))];
    for (key, quantity) in pairs {
        // The check has refused what is no amount.
        map.extend(quantity.map(|quantity| (key.to_owned(), quantity.into())));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laconic_so_sizes_are_decimal_whole_megabytes() {
        let read = |text| size(text, Notation::Spec, Dialect::LaconicSo).unwrap();
        assert_eq!(read("2Gi"), "2000M");
        assert_eq!(read("5GiB"), "5368M");
        assert_eq!(read("512Mi"), "512M");
        assert_eq!(read("3Ki"), "0M");
        assert_eq!(read("1.5 GB"), "1500M");
        assert_eq!(read("123456789"), "123M");
    }

    #[test]
    fn compose_sizes_are_exact() {
        assert_eq!(size("2Gi", Notation::Spec, Dialect::Compose).as_deref(), Some("2Gi"));
        assert_eq!(size("2GiB", Notation::Spec, Dialect::Compose).as_deref(), Some("2Gi"));
        assert_eq!(size("10G", Notation::Spec, Dialect::Compose).as_deref(), Some("10G"));
        assert_eq!(size("10GB", Notation::Spec, Dialect::Compose).as_deref(), Some("10G"));
        assert_eq!(size("512M", Notation::Compose, Dialect::Compose).as_deref(), Some("512Mi"));
        assert_eq!(size("512mb", Notation::Compose, Dialect::Compose).as_deref(), Some("512Mi"));
        assert_eq!(size("10k", Notation::Spec, Dialect::Compose).as_deref(), Some("10k"));
        assert_eq!(size("1000", Notation::Compose, Dialect::Compose).as_deref(), Some("1000"));
    }

    #[test]
    fn processor_shares() {
        assert_eq!(processors("2", Dialect::LaconicSo).as_deref(), Some("2.0"));
        assert_eq!(processors("3.5", Dialect::LaconicSo).as_deref(), Some("3.5"));
        assert_eq!(processors("2", Dialect::Compose).as_deref(), Some("2"));
        assert_eq!(processors("0.25", Dialect::Compose).as_deref(), Some("250m"));
    }

    #[test]
    fn junk_is_no_amount() {
        for dialect in [Dialect::LaconicSo, Dialect::Compose] {
            for notation in [Notation::Spec, Notation::Compose] {
                for text in ["", "lots", "10X", "big", "1.2.3G", "-5", "G", "${MEMORY}"] {
                    assert_eq!(size(text, notation, dialect), None, "{text}");
                }
            }
            for text in ["", "many", "m", "-1", "inf", "nan", "1.5m"] {
                assert_eq!(processors(text, dialect), None, "{text}");
            }
            assert_eq!(processors("250m", dialect).as_deref(), Some("250m"));
        }
        assert_eq!(size("1e3", Notation::Spec, Dialect::Compose), None);
    }
}
