//! A plan as text, in Terraform's shape, with dangers first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use laconic_engine::address::Address;
use laconic_engine::code::Severity;
use laconic_engine::plan::{Action, Change, Consulted, Mode, Plan, Reason};

use crate::view::change_text::{block, follows_cluster, headline};
use crate::view::style::{Palette, clean, count};
use crate::view::{danger, drift_text, forecast, header, recreate};

/// How much of a plan is shown, and in which colours.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// The colours.
    pub palette: Palette,
    /// Whether every attribute and every object is shown.
    pub all: bool,
    /// Whether each resource gets one line only.
    pub summary: bool,
    /// Whether every volume is in the forecast.
    pub forecast: bool,
    /// The command that comes next, when there is one.
    pub next: Option<String>,
}

impl PlanView {
    /// The plain view.
    #[must_use]
    pub const fn new(palette: Palette) -> Self {
        Self { palette, all: false, summary: false, forecast: false, next: None }
    }
}

/// A plan that was looked at before, in short: whose it is, its dangers, its counts.
#[must_use]
pub fn plan_text_in_short(plan: &Plan, view: &PlanView) -> String {
    let palette = view.palette;
    let mut text = header::header(plan, palette);
    text.push('\n');
    text.push_str(&danger::dangers(plan, palette));
    text.push_str(&forecast::blast_radius(plan, palette));
    text.push_str(&recreate::recreates(plan, view.all, palette));
    text.push_str(&recreate::certificates(plan, palette));
    text.push_str(&forecast::volumes(plan, view.forecast, palette));
    text.push_str(&last_lines(plan, view));
    text.push('\n');
    text
}

/// How many characters of an id are shown and suffice to name a plan.
pub const ID_LENGTH: usize = 16;

/// The part of an id that is shown.
#[must_use]
pub fn short_id(id: &str) -> &str {
    id.get(..ID_LENGTH).unwrap_or(id)
}

/// The whole text of a plan.
#[must_use]
pub fn plan_text(plan: &Plan, view: &PlanView) -> String {
    let palette = view.palette;
    let mut text = header::header(plan, palette);
    text.push('\n');
    text.push_str(&header::stopped(plan));
    text.push_str(&danger::dangers(plan, palette));
    text.push_str(&forecast::blast_radius(plan, palette));
    text.push_str(&recreate::recreates(plan, view.all, palette));
    text.push_str(&recreate::certificates(plan, palette));
    text.push_str(&forecast::volumes(plan, view.forecast, palette));
    text.push_str(&drift_text::of_plan(plan, palette));
    if !plan.changes.is_empty() {
        text.push_str(&changes(plan, view));
    }
    text.push_str(&danger::mild(plan, Severity::Warning, palette));
    text.push_str(&danger::mild(plan, Severity::Note, palette));
    text.push_str(&left_out(plan, palette));
    text.push_str(&last_lines(plan, view));
    text
}

/// What was asked not to be looked at, and what not to be told.
fn left_out(plan: &Plan, palette: Palette) -> String {
    let mut text = String::new();
    for (deployment, rules) in &plan.ignored {
        let line = format!("{}: left to others: {}", clean(deployment), clean(&rules.join(", ")));
        let _ = writeln!(text, "{}", palette.dim(&line));
    }
    for (deployment, codes) in &plan.suppressed {
        for (code, reason) in codes {
            let line = format!("{}: {} is not reported: {}", clean(deployment), clean(code), clean(reason));
            let _ = writeln!(text, "{}", palette.dim(&line));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn changes(plan: &Plan, view: &PlanView) -> String {
    let palette = view.palette;
    let mut text = legend(plan, palette);
    let mut ordered: Vec<&Change> = plan.changes.iter().collect();
    // Stable: within a rank the plan's own order, which is by address.
    ordered.sort_by_key(|change| rank(change.action));
    if view.summary {
        for change in ordered {
            let _ = writeln!(text, "{} {}", palette.symbol(change.action), clean(&change.address.to_string()));
        }
        text.push('\n');
        return text;
    }
    let mut followers: BTreeMap<(&Address, Follow), usize> = BTreeMap::new();
    for change in ordered {
        match follow(change) {
            Some(key) if !view.all => *followers.entry(key).or_default() += 1,
            _ => text.push_str(&block(change, view.all, palette)),
        }
    }
    for ((cause, follow), number) in &followers {
        let line = format!("# ({})", follow.sentence(*number, cause));
        let _ = writeln!(text, "  {}\n", palette.dim(&line));
    }
    text
}

/// How objects follow their cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Follow {
    Recreated,
    Lost,
    Deleted,
}

impl Follow {
    fn sentence(self, number: usize, cause: &Address) -> String {
        let objects = count(number, "more object");
        let cause = clean(&cause.to_string());
        match self {
            Self::Recreated => format!("{objects} re-created inside the new {cause}; --show-all lists them"),
            Self::Lost => format!("{objects} made again, because {cause} is gone; --show-all lists them"),
            Self::Deleted => format!("{objects} destroyed together with {cause}; --show-all lists them"),
        }
    }
}

fn follow(change: &Change) -> Option<(&Address, Follow)> {
    if !follows_cluster(change) {
        return None;
    }
    match &change.reason {
        Reason::ClusterReplaced { cause } => Some((cause, Follow::Recreated)),
        Reason::ClusterLost { cause } => Some((cause, Follow::Lost)),
        Reason::ClusterDeleted { cause } => Some((cause, Follow::Deleted)),
        _ => None,
    }
}

const fn rank(action: Action) -> u8 {
    match action {
        Action::Replace | Action::Delete => 0,
        _ => 1,
    }
}

/// The symbols that are used, and what they mean.
fn legend(plan: &Plan, palette: Palette) -> String {
    let used: BTreeSet<Action> = plan.changes.iter().map(|change| change.action).collect();
    let mut text = String::from("Resource actions are indicated with the following symbols:\n");
    for action in used {
        let meaning = match action {
            Action::NoOp => continue,
            Action::Create => "create",
            Action::Update => "update in-place",
            Action::Replace => "destroy and then create replacement",
            Action::Delete => "destroy",
            Action::Forget => "forget",
            Action::Import => "import",
        };
        let _ = writeln!(text, "{} {meaning}", palette.symbol(action));
    }
    text.push_str("\nlaconic will perform the following actions:\n\n");
    text
}

/// The line that bots look for, byte for byte as Terraform and OpenTofu print it.
#[must_use]
pub fn summary_line(plan: &Plan) -> String {
    if plan.is_empty() && plan.mode == Mode::Stop {
        return "No changes. Nothing of it runs.".to_owned();
    }
    if plan.is_empty() && plan.mode == Mode::Import {
        return "No changes. Everything that was found is in state.".to_owned();
    }
    if plan.is_empty() {
        return "No changes. Your infrastructure matches the configuration.".to_owned();
    }
    let summary = plan.summary();
    let import = if summary.import > 0 { format!("{} to import, ", summary.import) } else { String::new() };
    let forget = if summary.forget > 0 { format!(", {} to forget", summary.forget) } else { String::new() };
    format!(
        "Plan: {import}{} to add, {} to change, {} to destroy{forget}.",
        summary.add, summary.change, summary.destroy
    )
}

fn last_lines(plan: &Plan, view: &PlanView) -> String {
    let palette = view.palette;
    let mut text = String::new();
    if plan.is_empty() && plan.is_refused() {
        // Nothing would be done, but not because all is well.
        text.push_str("Nothing is planned: see the findings above.\n");
    } else if plan.is_empty() && plan.consulted.values().any(|consulted| matches!(consulted, Consulted::Unknown(_))) {
        text.push_str("Nothing is planned. Whether the infrastructure matches the configuration is not known.\n");
    } else if plan.is_empty() {
        let _ = writeln!(text, "{}", palette.good(&summary_line(plan)));
    } else {
        let _ = writeln!(text, "{}", palette.bold(&summary_line(plan)));
    }
    if let Some(risk) = danger::risk(plan, palette) {
        let _ = writeln!(text, "{risk}");
    }
    match plan.base {
        // The plan itself is never carried out.
        Some(_) => text.push_str(&format!("Change id {}\n", plan.change_id)),
        None if plan.is_empty() => {}
        None => {
            let _ = writeln!(text, "Plan id {}", short_id(&plan.id));
        }
    }
    if let Some(next) = &view.next {
        let _ = writeln!(text, "\n{next}");
    }
    text
}

/// Every headline of a plan, for views that list and do not explain.
#[must_use]
pub fn headlines(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(headline).collect()
}
