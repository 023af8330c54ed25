//! What is recorded: whether it is whole, whether its earlier generations are, and what was interrupted.

use laconic_engine::address::Scope;
use laconic_engine::apply::StateError;
use laconic_engine::state::{State, Status};

use super::Check;
use crate::error::Problem;
use crate::view::style::count;

/// How many earlier generations a state of that serial should have at least, to be able to go back.
const WANTED_GENERATIONS: usize = 1;

/// An earlier generation of a state.
#[derive(Debug)]
pub struct Generation {
    /// Its serial.
    pub serial: u64,
    /// Its file.
    pub file: String,
    /// What is wrong with it; `None` for a good one.
    pub damage: Option<StateError>,
}

impl Generation {
    const fn is_good(&self) -> bool {
        self.damage.is_none()
    }
}

/// What was seen of a scope.
#[derive(Debug)]
pub struct Seen {
    /// Whose.
    pub scope: Scope,
    /// Where it is.
    pub file: String,
    /// The state, with everything in it checked.
    pub state: Result<State, StateError>,
    /// The earlier generations, newest first.
    pub generations: Result<Vec<Generation>, StateError>,
    /// How the commands are told which one is meant: `--dir shop`.
    pub flag: String,
    /// Whether somebody works on it: then what was begun is not interrupted.
    pub is_at_work: bool,
}

/// What is made of it.
#[must_use]
pub fn judge(seen: &Seen) -> Vec<Check> {
    let mut checks = Vec::new();
    match &seen.state {
        Ok(state) if state.is_new() && state.interrupted.is_none() => {
            checks.push(Check::ok("state", format!("nothing is recorded of {} yet", seen.scope)));
        }
        Ok(state) => {
            checks.push(Check::ok(
                "state",
                format!(
                    "the state of {} is whole (serial {}, {}, {})",
                    seen.scope,
                    state.serial,
                    count(state.resources.len(), "resource"),
                    seen.file
                ),
            ));
            if !seen.is_at_work {
                checks.extend(interrupted(state, &seen.flag));
            }
        }
        Err(error) => checks.push(failure(error)),
    }
    checks.extend(generations(seen));
    checks
}

fn failure(error: &StateError) -> Check {
    let problem = Problem::State(error.clone());
    let message = problem.message();
    let found = match problem.code() {
        Some(code) => format!("{message} ({code})"),
        None => message,
    };
    let mut help = problem.hints().into_iter();
    let first = help.next().unwrap_or_else(|| "see that the file can be read by you".to_owned());
    help.fold(Check::problem("state", found, first), Check::or)
}

fn interrupted(state: &State, flag: &str) -> Option<Check> {
    let pending = state.resources.values().filter(|recorded| recorded.status != Status::Settled).count();
    let scope = &state.scope;
    let found = match (&state.interrupted, pending) {
        (Some(operation), 0) => format!("{operation} on {scope} was interrupted (LAC804)"),
        (Some(operation), _) => {
            format!("{operation} on {scope} was interrupted (LAC804), with {} in hand", count(pending, "resource"))
        }
        (None, 0) => return None,
        (None, _) => format!("of {scope} {} did not get done, and may be half made", count(pending, "resource")),
    };
    Some(Check::warning(
        "interrupted",
        found,
        format!("`laconic plan {flag}`, then `laconic apply {flag}`: it looks what happened and brings it to its end"),
    ))
}

fn generations(seen: &Seen) -> Vec<Check> {
    let generations = match &seen.generations {
        Ok(generations) => generations,
        Err(error) => return vec![failure(error)],
    };
    let mut checks: Vec<Check> = generations
        .iter()
        .filter_map(|Generation { serial, file, damage }| {
            let error = damage.as_ref()?;
            let found = format!("generation {serial} of {} cannot be used: {}", seen.scope, first_line(error));
            Some(Check::warning("backup", found, format!("nothing goes back to it: `mv {file} {file}.damaged`")))
        })
        .collect();
    let good = generations.iter().filter(|one| one.is_good()).count();
    let serial = seen.state.as_ref().map_or(0, |state| state.serial);
    if good >= WANTED_GENERATIONS {
        let newest = generations.iter().find(|one| one.is_good()).map_or(0, |one| one.serial);
        let scope = &seen.scope;
        let found = match good {
            1 => format!("1 earlier generation of {scope} is good (serial {newest})"),
            _ => format!("{good} earlier generations of {scope} are good, the newest has serial {newest}"),
        };
        checks.push(Check::ok("backup", found));
    } else if serial > 1 {
        checks.push(Check::warning(
            "backup",
            format!("no earlier generation of {} is there: a damaged state could not be gone back from", seen.scope),
            format!("back up the directory of {}; the next apply keeps a generation", seen.file),
        ));
    }
    checks
}

fn first_line(error: &StateError) -> String {
    Problem::State(error.clone()).message().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn damaged() -> StateError {
        StateError::Damaged {
            scope: Scope::deployment("shop"),
            detail: "/d/state.json: its first line does not match its checksum\nthe copy /d/state.json.3 is good"
                .to_owned(),
        }
    }

    fn seen(state: Result<State, StateError>, good: &[bool]) -> Seen {
        let generation = |(index, good): (usize, &bool)| {
            let serial = 9 - index as u64;
            let damage = (!good).then(damaged);
            Generation { serial, file: format!("/d/state.json.{serial}"), damage }
        };
        Seen {
            scope: Scope::deployment("shop"),
            file: "/d/state.json".to_owned(),
            state,
            generations: Ok(good.iter().enumerate().map(generation).collect()),
            flag: "--dir shop".to_owned(),
            is_at_work: false,
        }
    }

    fn state(serial: u64, interrupted: Option<&str>) -> State {
        State { serial, interrupted: interrupted.map(str::to_owned), ..State::empty(Scope::deployment("shop")) }
    }

    fn verdicts(seen: &Seen) -> Vec<(&'static str, Verdict)> {
        judge(seen).into_iter().map(|check| (check.name, check.verdict)).collect()
    }

    #[test]
    fn a_whole_state_with_a_generation_is_good() {
        let good = seen(Ok(state(10, None)), &[true, true]);
        assert_eq!(verdicts(&good), [("state", Verdict::Ok), ("backup", Verdict::Ok)]);
        let fresh = seen(Ok(state(0, None)), &[]);
        assert_eq!(verdicts(&fresh), [("state", Verdict::Ok)]);
        assert_eq!(verdicts(&seen(Ok(state(1, None)), &[])), [("state", Verdict::Ok)]);
    }

    #[test]
    fn damage_says_which_copy_is_good() {
        let checks = judge(&seen(Err(damaged()), &[true]));
        assert_eq!(checks[0].verdict, Verdict::Problem);
        assert!(checks[0].found.ends_with("(LAC801)"), "{checks:?}");
        assert!(checks[0].help[0].contains("/d/state.json.3 is good"), "{checks:?}");
    }

    #[test]
    fn generations_that_are_damaged_or_missing_are_told_of() {
        let expected = [("state", Verdict::Ok), ("backup", Verdict::Warning), ("backup", Verdict::Ok)];
        assert_eq!(verdicts(&seen(Ok(state(10, None)), &[false, true])), expected);
        let expected = [("state", Verdict::Ok), ("backup", Verdict::Warning)];
        assert_eq!(verdicts(&seen(Ok(state(2, None)), &[])), expected);
    }

    #[test]
    fn an_interrupted_operation_is_told_of() {
        let checks = judge(&seen(Ok(state(10, Some("apply begun 2026-11-20T10:00:00Z"))), &[true]));
        assert_eq!((checks[1].name, checks[1].verdict), ("interrupted", Verdict::Warning));
        assert!(checks[1].help[0].contains("laconic apply --dir shop"), "{checks:?}");
        // Whoever holds the lock is still at it.
        let at_work =
            Seen { is_at_work: true, ..seen(Ok(state(10, Some("apply begun 2026-11-20T10:00:00Z"))), &[true]) };
        assert_eq!(verdicts(&at_work), [("state", Verdict::Ok), ("backup", Verdict::Ok)]);
        // The first operation of all never came to a snapshot.
        let checks = judge(&seen(Ok(state(0, Some("apply begun 2026-11-20T10:00:00Z"))), &[]));
        assert_eq!(checks[1].name, "interrupted");
    }
}
