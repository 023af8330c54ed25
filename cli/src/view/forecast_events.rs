//! What would become of every volume whatever may happen: a column per event, and below the table why anything is not kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use laconic_engine::plan::{Plan, VolumeEvent, VolumeForecast, VolumeVerdict};

use crate::view::forecast::{place, reason};
use crate::view::style::{Palette, clean};
use crate::view::table::table;

/// The table, and the reasons below it.
#[must_use]
pub fn events(plan: &Plan, palette: Palette) -> String {
    let mut volumes: Vec<&VolumeForecast> = plan.forecast.iter().filter(|volume| !volume.events.is_empty()).collect();
    volumes.sort_by(|left, right| (&left.deployment, &left.volume).cmp(&(&right.deployment, &right.volume)));
    if volumes.is_empty() {
        return String::new();
    }
    let mut heading = vec!["VOLUME", "BYTES ARE IN", "SIZE"];
    heading.extend(VolumeEvent::ALL.map(column));
    let rows: Vec<Vec<String>> = volumes
        .iter()
        .map(|volume| {
            let size = volume.size.map_or_else(|| "-".to_owned(), size);
            let fates = VolumeEvent::ALL
                .map(|event| volume.events.get(&event).map_or("-", |fate| short(fate.verdict)).to_owned());
            [clean(&name(volume)), place(volume), size].into_iter().chain(fates).collect()
        })
        .collect();
    let mut text = format!("{}\n", palette.bold("Forecast, whatever may happen:"));
    for line in table(&heading, &rows) {
        let _ = writeln!(text, "{line}");
    }
    for volume in volumes {
        for (because, events) in reasons(volume) {
            let line = format!("  {}: {because}: {}", clean(&name(volume)), events.join(", "));
            let _ = writeln!(text, "{}", palette.dim(&line));
        }
    }
    text.push('\n');
    text
}

fn name(volume: &VolumeForecast) -> String {
    format!("{}/{}", volume.deployment, volume.volume)
}

/// The heading of an event's column.
const fn column(event: VolumeEvent) -> &'static str {
    match event {
        VolumeEvent::PodRestart => "RESTART",
        VolumeEvent::ClusterRecreate => "RECREATE",
        VolumeEvent::Stop => "STOP",
        VolumeEvent::StopDeleteVolumes => "STOP+VOLUMES",
        VolumeEvent::StopDeleteNamespace => "STOP+NAMESPACE",
        VolumeEvent::Destroy => "DESTROY",
        VolumeEvent::RemovedFromSpec => "REMOVED",
        VolumeEvent::ClaimDeleted => "CLAIM GONE",
    }
}

/// What people call an event.
const fn word(event: VolumeEvent) -> &'static str {
    match event {
        VolumeEvent::PodRestart => "pod restart",
        VolumeEvent::ClusterRecreate => "recreate",
        VolumeEvent::Stop => "stop",
        VolumeEvent::StopDeleteVolumes => "stop --delete-volumes",
        VolumeEvent::StopDeleteNamespace => "stop --delete-namespace",
        VolumeEvent::Destroy => "destroy",
        VolumeEvent::RemovedFromSpec => "removed from the spec",
        VolumeEvent::ClaimDeleted => "claim or namespace deleted",
    }
}

const fn short(verdict: VolumeVerdict) -> &'static str {
    match verdict {
        VolumeVerdict::Lost => "LOST",
        VolumeVerdict::LeftBehind => "left",
        VolumeVerdict::Unknown => "unknown",
        VolumeVerdict::New => "-",
        VolumeVerdict::Kept => "kept",
    }
}

/// Why a volume is not simply kept, and by which events.
fn reasons(volume: &VolumeForecast) -> Vec<(String, Vec<&'static str>)> {
    let mut found: BTreeMap<(VolumeVerdict, String), Vec<&'static str>> = BTreeMap::new();
    for (event, fate) in &volume.events {
        if !matches!(fate.verdict, VolumeVerdict::Kept | VolumeVerdict::New) {
            found.entry((fate.verdict, reason(&fate.because))).or_default().push(word(*event));
        }
    }
    found.into_iter().map(|((_, because), events)| (because, events)).collect()
}

/// A number of bytes, as `du -h` says it.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut whole = bytes;
    let mut tenths = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenths} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 * 1024 * 1024 * 1024), "5.0 GiB");
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }
}
