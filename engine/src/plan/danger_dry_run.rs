//! What the servers said when the changes of a plan were tried.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::Address;
use crate::code::Code;
use crate::finding::Finding;
use crate::plan::change::Change;
use crate::plan::difference::is_ignored;
use crate::plan::dry_run::{Deviation, DryRunOutcome, may_pass_later};
use crate::plan::planner::{Judgement, ignore_rules};
use crate::secret::is_placeholder;
use crate::state::Recorded;

/// LAC407, LAC408, and LAC805 for what could not be tried.
#[must_use]
pub fn dry_runs(judgement: &Judgement<'_>, changes: &[Change]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut untried: BTreeMap<&str, BTreeSet<&Address>> = BTreeMap::new();
    let ignored = ignore_rules(judgement.input);
    for change in changes {
        let Some(outcome) = judgement.input.dry_runs.get(&change.address) else { continue };
        let place = change.differences.iter().find_map(|one| one.place.as_ref()).or(change.place.as_ref());
        let about =
            |code: Code, message: String| Finding::new(code, message).about(change.address.to_string()).at_maybe(place);
        match outcome {
            DryRunOutcome::Refused(message) if may_pass_later(changes, change, message) => findings.push(about(
                Code::NotConsulted,
                format!("`{}` cannot be judged before the rest of this plan is done: {message}", change.address),
            )),
            DryRunOutcome::Refused(message) => findings.push(refused(change, message, about)),
            DryRunOutcome::Unknown(why) => {
                untried.entry(why).or_default().insert(&change.address);
            }
            DryRunOutcome::Accepted(deviations) => {
                let recorded = judgement.resources.get(&change.address).and_then(|judged| judged.item.recorded);
                let rules = ignored.get(&change.address.scope).map_or(&[][..], Vec::as_slice);
                let news: Vec<&Deviation> = deviations
                    .iter()
                    .filter(|one| !is_ignored(rules, &change.address, &one.path))
                    .filter(|one| !recorded.is_some_and(|recorded| is_accepted(recorded, one)))
                    .collect();
                if !news.is_empty() {
                    findings.push(deviates(change, &news));
                }
            }
        }
    }
    for (why, addresses) in untried {
        findings.push(not_tried(why, &addresses));
    }
    findings
}

fn refused(change: &Change, message: &str, about: impl Fn(Code, String) -> Finding) -> Finding {
    let finding = about(Code::DryRunRefused, format!("the API server would refuse `{}`: {message}", change.address));
    if message.contains("field is immutable") {
        return finding
            .help("Kubernetes does not change this field of an object that exists: keep it as it is")
            .help(format!("or make the object anew: --replace='{}'", change.address));
    }
    finding.help("what refuses is named in the server's words: a rule of Kubernetes, a quota or a webhook")
}

fn deviates(change: &Change, deviations: &[&Deviation]) -> Finding {
    let fields = if deviations.len() == 1 { "a field" } else { "fields" };
    let mut finding = Finding::new(
        Code::AdmissionDeviates,
        format!("the API server makes {fields} of `{}` otherwise than asked for", change.address),
    )
    .about(change.address.to_string())
    .at_maybe(change.place.as_ref());
    for deviation in deviations {
        finding = finding.help(deviation_text(deviation));
    }
    finding.help("that is accepted and no drift from then on")
}

/// A deviation in one line.
#[must_use]
pub fn deviation_text(deviation: &Deviation) -> String {
    let show = |value: &Value| if is_placeholder(value) { crate::redact::MASK.to_owned() } else { value.to_string() };
    let becomes = deviation.becomes.as_ref().map_or_else(|| "dropped".to_owned(), show);
    format!("{}: {} becomes {becomes}", deviation.path, show(&deviation.asked))
}

/// Whether a deviation is what an earlier apply of the same wish met.
#[must_use]
pub fn is_accepted(recorded: &Recorded, deviation: &Deviation) -> bool {
    let (Some(desired), Some(observed)) = (recorded.desired.value.as_deref(), recorded.observed.value.as_deref())
    else {
        return false;
    };
    let asked = crate::diff::value_at(desired, &deviation.path);
    let same_wish = asked.is_some_and(|asked| crate::diff::same(&deviation.path, asked, &deviation.asked));
    let same_answer = match (observed.get(&deviation.path), &deviation.becomes) {
        (Some(was), Some(becomes)) => crate::diff::same(&deviation.path, was, becomes),
        (None, None) => true,
        _ => false,
    };
    same_wish && same_answer
}

fn not_tried(why: &str, addresses: &BTreeSet<&Address>) -> Finding {
    let mut names = addresses.iter().map(|address| format!("`{address}`"));
    let mut text: Vec<String> = names.by_ref().take(3).collect();
    let more = names.count();
    if more > 0 {
        text.push(format!("{more} more"));
    }
    Finding::new(Code::NotConsulted, format!("not tried on the API server: {}: {why}", text.join(", ")))
}
