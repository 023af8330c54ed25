//! The blast radius of a cluster that is taken down, and what becomes of every volume.

use std::fmt::Write as _;

use laconic_engine::plan::{BlastRadius, Mode, Plan, VolumeForecast, VolumeReason, VolumeVerdict, Whereabouts};
use laconic_engine::state::VolumeStorage;

use crate::view::style::{Palette, clean, count};
use crate::view::table::table;

/// Who goes down with which cluster.
#[must_use]
pub fn blast_radius(plan: &Plan, palette: Palette) -> String {
    let mut text = String::new();
    for radius in &plan.blast_radius {
        let _ = writeln!(text, "{}", palette.bold(&heading(radius)));
        let rows: Vec<Vec<String>> = radius
            .tenants
            .iter()
            .map(|tenant| {
                let known = if tenant.recorded { "" } else { " (found live, not recorded)" };
                let hosts = if tenant.hosts.is_empty() { "-".to_owned() } else { tenant.hosts.join(", ") };
                vec![
                    format!("{}{known}", clean(&tenant.name)),
                    clean(&tenant.namespace),
                    tenant.pods.to_string(),
                    clean(&hosts),
                ]
            })
            .collect();
        for line in table(&["DEPLOYMENT", "NAMESPACE", "PODS", "HOSTS"], &rows) {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
    }
    text
}

fn heading(radius: &BlastRadius) -> String {
    let name = clean(&radius.cluster);
    let tenants = count(radius.tenants.len(), "deployment");
    if radius.recreated {
        let downtime = duration_range(radius.downtime_at_least, radius.downtime_at_most);
        format!("Blast radius: cluster {name} is made anew; {tenants} on it, down for {downtime}")
    } else {
        format!("Blast radius: cluster {name} is deleted; {tenants} on it")
    }
}

/// `about 2 to 4 minutes`; from two minutes on whole minutes are exact enough.
fn duration_range(least: u32, most: u32) -> String {
    let minutes = |seconds: u32| seconds.div_ceil(60);
    match (least, most) {
        (least, most) if most < 120 && most <= least => format!("about {}", count(least as usize, "second")),
        (least, most) if most < 120 => format!("about {least} to {most} seconds"),
        (least, most) if minutes(least) == minutes(most) => {
            format!("about {}", count(minutes(most) as usize, "minute"))
        }
        (least, most) => format!("about {} to {} minutes", minutes(least).max(1), minutes(most)),
    }
}

/// The forecast: with `all` every volume and what would become of it whatever happens, else those that this plan endangers.
#[must_use]
pub fn volumes(plan: &Plan, all: bool, palette: Palette) -> String {
    let mut forecast: Vec<&VolumeForecast> = plan.forecast.iter().collect();
    // Lost first: the verdicts are declared worst first.
    forecast.sort_by(|left, right| {
        (left.verdict, &left.deployment, &left.volume).cmp(&(right.verdict, &right.deployment, &right.volume))
    });
    // What becomes of its own data is what a stop is about, be it nothing.
    let is_told = |volume: &&VolumeForecast| plan.mode == Mode::Stop && plan.deployments.contains(&volume.deployment);
    let kept = forecast.iter().filter(|volume| volume.verdict == VolumeVerdict::Kept).count();
    let shown: Vec<&VolumeForecast> =
        forecast.into_iter().filter(|volume| all || is_news(volume) || is_told(volume)).collect();
    if shown.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|volume| {
            vec![
                clean(&format!("{}/{}", volume.deployment, volume.volume)),
                place(volume),
                verdict(volume.verdict).to_owned(),
                reason(&volume.because),
            ]
        })
        .collect();
    let mut text = format!("{}\n", palette.bold("Volumes:"));
    let lines = table(&["VOLUME", "BYTES ARE IN", "FATE", "BECAUSE"], &rows);
    for (index, line) in lines.iter().enumerate() {
        let fate = index.checked_sub(1).and_then(|row| shown.get(row)).map(|volume| volume.verdict);
        let line = match fate {
            Some(VolumeVerdict::Lost | VolumeVerdict::LeftBehind) => palette.bad(line),
            Some(VolumeVerdict::Unknown) => palette.warn(line),
            _ => line.clone(),
        };
        let _ = writeln!(text, "{line}");
    }
    if !all && kept > 0 && plan.mode != Mode::Stop {
        let _ =
            writeln!(text, "  {}", palette.dim(&format!("({} kept; --forecast lists them)", count(kept, "volume"))));
    }
    text.push('\n');
    // What is being done is what a stop is about, not what else might happen.
    if all && plan.mode != Mode::Stop {
        text.push_str(&crate::view::forecast_events::events(plan, palette));
    }
    text
}

/// Whether a plan has something to tell of a volume.
fn is_news(volume: &VolumeForecast) -> bool {
    let is_nothing = matches!(volume.because, VolumeReason::NothingThere);
    // What went with a cluster is told once, by the finding; a plan that leaves it so says nothing new.
    volume.verdict != VolumeVerdict::Kept && !is_nothing
}

/// Where a volume's bytes are.
#[must_use]
pub fn place(volume: &VolumeForecast) -> String {
    match &volume.bytes.whereabouts {
        Whereabouts::Host(path) => clean(path),
        Whereabouts::Unlinked(path) => format!("{} (deleted)", clean(path)),
        Whereabouts::Node(_) => "kind node overlay".to_owned(),
        Whereabouts::Provisioned => "remote cluster".to_owned(),
        Whereabouts::Nowhere if volume.verdict == VolumeVerdict::New && volume.because == VolumeReason::Created => {
            storage(&volume.storage)
        }
        Whereabouts::Nowhere => "-".to_owned(),
        Whereabouts::Gone => "a node that is gone".to_owned(),
        Whereabouts::Unknown => "not known".to_owned(),
    }
}

fn storage(storage: &VolumeStorage) -> String {
    match storage {
        VolumeStorage::Host(path) => clean(path),
        VolumeStorage::Overlay => "kind node overlay".to_owned(),
        VolumeStorage::Provisioned => "remote cluster".to_owned(),
    }
}

/// The word for a volume's fate.
#[must_use]
pub const fn verdict(verdict: VolumeVerdict) -> &'static str {
    match verdict {
        VolumeVerdict::Lost => "LOST",
        VolumeVerdict::LeftBehind => "LEFT BEHIND",
        VolumeVerdict::Unknown => "unknown",
        VolumeVerdict::New => "new",
        VolumeVerdict::Kept => "kept",
    }
}

/// A reason, for people.
#[must_use]
pub fn reason(reason: &VolumeReason) -> String {
    match reason {
        VolumeReason::Untouched => "nothing touches it".to_owned(),
        VolumeReason::Created => "made by this plan".to_owned(),
        VolumeReason::OnHost => "lies on the host, which no plan touches".to_owned(),
        VolumeReason::OverlayDiesWithCluster => "lies in the node's overlay, which dies with the cluster".to_owned(),
        VolumeReason::ClaimDeleted => "its claim is deleted, and the bytes with it".to_owned(),
        VolumeReason::PathChanged(path) => format!("the spec names {} now", clean(path)),
        VolumeReason::Moved(path) => format!("moved to {} while the cluster is made anew", clean(path)),
        VolumeReason::Rescued => "rescued: the vault keeps its bytes while the cluster is made anew".to_owned(),
        VolumeReason::MountsUnknown => "where its bytes are could not be seen".to_owned(),
        VolumeReason::ReclaimUnknown => "the reclaim policy of its volume is not known".to_owned(),
        VolumeReason::DriverUnknown => "a driver on the cluster keeps it, nobody here knows where".to_owned(),
        VolumeReason::UnlinkedDiesWithNode => {
            "its directory was deleted on the host; the node alone still holds it".to_owned()
        }
        VolumeReason::Retained => "its volume is retained when the claim goes".to_owned(),
        VolumeReason::NewVolume => "the new claim gets a volume of its own".to_owned(),
        VolumeReason::StaysInNode => "lies on in the node's overlay, where nothing refers to it".to_owned(),
        VolumeReason::NothingThere => "nothing is there yet".to_owned(),
        VolumeReason::WentWithCluster => "went with the cluster, in whose node it lay".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration_range(120, 240), "about 2 to 4 minutes");
        assert_eq!(duration_range(60, 255), "about 1 to 5 minutes");
        assert_eq!(duration_range(180, 180), "about 3 minutes");
        assert_eq!(duration_range(10, 30), "about 10 to 30 seconds");
    }
}
