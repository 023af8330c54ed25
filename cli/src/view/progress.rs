//! An apply as it goes: moving bars on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use laconic_engine::address::Address;
use laconic_engine::apply::{Event, Operation, Readiness};
use laconic_engine::plan::danger_dry_run::deviation_text;

use crate::output::Output;
use crate::view::recreate;
use crate::view::style::{Palette, clean, count};

/// How often an object that is waited for gets a line.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The reader of events that speaks to a person.
#[derive(Debug)]
pub struct Progress {
    palette: Palette,
    plain_times: bool,
    bars: Option<Bars>,
    heard: BTreeMap<Address, Duration>,
}

#[derive(Debug)]
struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    steps: BTreeMap<Address, ProgressBar>,
}

impl Progress {
    /// A reader for these streams.
    #[must_use]
    pub fn new(output: &Output) -> Self {
        let bars = output.moving.then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let total = all.add(ProgressBar::new(0));
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}") {
                total.set_style(style);
            }
            Bars { all, total, steps: BTreeMap::new() }
        });
        Self { palette: output.error_palette, plain_times: output.plain_times, bars, heard: BTreeMap::new() }
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event, output: &Output) {
        self.move_bars(event);
        if !self.is_worth_a_line(event) {
            return;
        }
        let Some(sentence) = sentence(event, self.plain_times) else { return };
        let sentence = match event {
            Event::Failed { .. } | Event::PhaseFailed { .. } => self.palette.bad(&sentence),
            Event::Skipped { .. }
            | Event::Retrying { .. }
            | Event::Deviated { .. }
            | Event::CertificatesNotRestored { .. }
            | Event::Stopping => self.palette.warn(&sentence),
            _ => sentence,
        };
        match &self.bars {
            Some(bars) => bars.all.suspend(|| output.remark(&format!("{sentence}\n"))),
            None => output.remark(&format!("{sentence}\n")),
        }
    }

    fn is_worth_a_line(&mut self, event: &Event) -> bool {
        match event {
            Event::Waiting { address, waited, .. } => {
                let last = self.heard.get(address).copied().unwrap_or_default();
                let due = waited.saturating_sub(last) >= HEARTBEAT;
                if due {
                    self.heard.insert(address.clone(), *waited);
                }
                // Heartbeats depend on how fast the machine is.
                due && !self.plain_times
            }
            _ => true,
        }
    }

    fn move_bars(&mut self, event: &Event) {
        let Some(bars) = &mut self.bars else { return };
        match event {
            Event::Begun { steps, .. } => bars.total.set_length(*steps as u64),
            Event::Started { address, operation } => {
                let bar = bars.all.insert_before(&bars.total, ProgressBar::new_spinner());
                bar.set_message(format!("{}: {}", clean(&address.to_string()), verbs(*operation).0));
                bar.enable_steady_tick(Duration::from_millis(120));
                bars.steps.insert(address.clone(), bar);
            }
            Event::Waiting { address, readiness, .. } => {
                if let (Some(bar), Readiness::Progressing(why)) = (bars.steps.get(address), readiness) {
                    bar.set_message(format!("{}: {}", clean(&address.to_string()), clean(why)));
                }
            }
            Event::Done { address, .. } | Event::Failed { address, .. } | Event::Skipped { address, .. } => {
                if let Some(bar) = bars.steps.remove(address) {
                    bar.finish_and_clear();
                }
                bars.total.inc(1);
            }
            Event::PhaseDone { .. } | Event::PhaseFailed { .. } => bars.total.inc(1),
            Event::Ended { .. } => {
                for bar in bars.steps.values() {
                    bar.finish_and_clear();
                }
                bars.total.finish_and_clear();
            }
            Event::Retrying { .. }
            | Event::Deviated { .. }
            | Event::CertificatesRestored { .. }
            | Event::CertificatesNotRestored { .. }
            | Event::PhaseStarted { .. }
            | Event::Stopping => {}
        }
    }
}

/// What is being done, what is still being done, what was done.
const fn verbs(operation: Operation) -> (&'static str, &'static str, &'static str) {
    match operation {
        Operation::Create => ("Creating...", "creating", "Creation complete"),
        Operation::Update => ("Modifying...", "modifying", "Modifications complete"),
        Operation::Adopt => ("Importing...", "importing", "Import complete"),
        Operation::Delete => ("Destroying...", "destroying", "Destruction complete"),
    }
}

/// An event in one line, as Terraform words it; `None` where there is nothing to say. Without times on wish.
#[must_use]
pub fn sentence(event: &Event, plain_times: bool) -> Option<String> {
    let name = |address: &Address| clean(&address.to_string());
    Some(match event {
        Event::Begun { .. } | Event::Ended { .. } => return None,
        Event::Started { address, operation } => format!("{}: {}", name(address), verbs(*operation).0),
        Event::Retrying { address, attempt, after, error } => {
            let pause = if plain_times { String::new() } else { format!(" in {}", duration(*after)) };
            format!("{}: Retrying{pause}, try {attempt}: {}", name(address), clean(error))
        }
        Event::Waiting { address, readiness, waited } => {
            let why = match readiness {
                Readiness::Ready => String::new(),
                Readiness::Progressing(why) | Readiness::Failed(why) => format!(": {}", clean(why)),
            };
            format!("{}: Still waiting... [{} elapsed]{why}", name(address), duration(*waited))
        }
        Event::Deviated { address, fields } => {
            let fields: Vec<String> = fields.iter().map(|one| clean(&deviation_text(one))).collect();
            format!("{}: The API server made it otherwise than asked for: {}", name(address), fields.join("; "))
        }
        Event::CertificatesRestored { address, file, secrets } => {
            let secrets = count(*secrets, "Secret");
            format!("{}: Certificates are back from their backup: {secrets} of {}", name(address), clean(file))
        }
        Event::CertificatesNotRestored { address, file, error } => format!(
            "{}: Certificates are not back from their backup {}: {}; Caddy asks the certificate authority again",
            name(address),
            clean(file),
            clean(error)
        ),
        Event::Done { address, operation, took } => {
            let time = if plain_times { String::new() } else { format!(" after {}", duration(*took)) };
            format!("{}: {}{time}", name(address), verbs(*operation).2)
        }
        Event::Failed { address, operation, error } => {
            format!("{}: Failed {}: {}", name(address), verbs(*operation).1, clean(error))
        }
        Event::Skipped { address, because } => format!("{}: Skipped, because of {}", name(address), name(because)),
        Event::PhaseStarted { address, phase } => format!("{}: {}...", name(address), recreate::doing(*phase)),
        Event::PhaseDone { address, phase, took } => {
            let time = if plain_times { String::new() } else { format!(" after {}", duration(*took)) };
            format!("{}: {}{time}", name(address), recreate::done(*phase))
        }
        Event::PhaseFailed { address, phase, error } => {
            format!("{}: Failed {}: {}", name(address), recreate::failing(*phase), clean(error))
        }
        Event::Stopping => "Stopping: steps in hand are finished, none is begun; once more to stop at once.".to_owned(),
    })
}

/// `3s`, `2m10s`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use laconic_engine::address::{ResourceType, Scope};

    #[test]
    fn events_read_like_terraform() {
        let address = Address::new(ResourceType::Deployment, Scope::deployment("shop"), "web");
        let started = Event::Started { address: address.clone(), operation: Operation::Create };
        assert_eq!(sentence(&started, false).unwrap(), "deployment.shop.web: Creating...");
        let done = Event::Done { address, operation: Operation::Create, took: Duration::from_secs(125) };
        assert_eq!(sentence(&done, false).unwrap(), "deployment.shop.web: Creation complete after 2m5s");
        assert_eq!(sentence(&done, true).unwrap(), "deployment.shop.web: Creation complete");
    }
}
