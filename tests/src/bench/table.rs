//! The table of a benchmark: a row for each thing that was measured, in the order of sizes.

use std::fmt::Write as _;

use super::measure::Measurement;

/// What was measured of one operation: by number of resources.
#[derive(Clone, Debug)]
pub struct Row {
    /// The operation.
    pub operation: &'static str,
    /// Sizes, ascending, with what was measured.
    pub measured: Vec<(usize, Measurement)>,
}

/// The text of a table.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "  {:<42} {:>9} {:>11} {:>10} {:>8}", "operation", "resources", "time", "memory", "growth");
    for row in rows {
        let mut smaller: Option<(usize, Measurement)> = None;
        for (size, measurement) in &row.measured {
            let growth = smaller.map_or_else(String::new, |(before, less)| {
                format!("{:.2}", exponent(before, less.time.as_secs_f64(), *size, measurement.time.as_secs_f64()))
            });
            let memory =
                measurement.peak_bytes.map_or_else(String::new, |bytes| format!("{} MB", bytes.div_ceil(1_000_000)));
            let time = format!("{:.1} ms", measurement.time.as_secs_f64() * 1e3);
            let _ = writeln!(text, "  {:<42} {size:>9} {time:>11} {memory:>10} {growth:>8}", row.operation);
            smaller = Some((*size, *measurement));
        }
    }
    text
}

/// The exponent of growth between two sizes: 1 is linear, 2 quadratic.
#[must_use]
pub fn exponent(size_before: usize, before: f64, size_after: usize, after: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below what a float counts exactly")]
    let ratio = size_after as f64 / size_before as f64;
    (after / before).ln() / ratio.ln()
}

#[cfg(test)]
mod tests {
    use super::exponent;

    #[test]
    fn twice_the_time_for_twice_the_size_is_linear() {
        assert!((exponent(100, 1.0, 200, 2.0) - 1.0).abs() < 1e-9);
        assert!((exponent(100, 1.0, 1000, 100.0) - 2.0).abs() < 1e-9);
    }
}
