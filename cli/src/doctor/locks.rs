//! Locks of states: who holds them, and whether that process still lives.

use laconic_engine::address::Scope;
use laconic_engine::apply::{LockHolder, LockMode};

use super::Check;
use crate::error::holder_text;
use crate::wire::LockReport;

/// What is made of a lock. `unlock` is the command that removes it.
#[must_use]
pub fn judge(scope: &Scope, report: &LockReport, may_be_alive: impl Fn(&LockHolder) -> bool, unlock: &str) -> Check {
    let unlock = format!("`{unlock}` removes it");
    match (report.mode, report.holders.first()) {
        (Some(mode), Some(holder)) if may_be_alive(holder) => {
            let shared = if mode == LockMode::Shared { ", shared" } else { "" };
            Check::ok("lock", format!("the state of {scope} is locked by {}{shared}", holder_text(holder)))
        }
        (Some(_), Some(holder)) => Check::warning(
            "lock",
            format!("the state of {scope} is locked, and who said so is dead: {}", holder_text(holder)),
            "wait if a laconic works there in another container; nobody else is to be seen",
        )
        .or(unlock),
        (Some(_), None) => Check::warning(
            "lock",
            format!("the state of {scope} is locked, and nobody says by whom"),
            "wait a moment and look again",
        )
        .or(unlock),
        (None, _) => match report.dead.first() {
            Some(holder) => Check::warning(
                "lock",
                format!("a dead process left its lock on the state of {scope}: {}", holder_text(holder)),
                "nothing is kept out by it; the next apply takes it away",
            )
            .or(unlock),
            None => Check::ok("lock", format!("the state of {scope} is not locked")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn holder() -> LockHolder {
        LockHolder {
            user: "ops".to_owned(),
            host: "web1".to_owned(),
            process: 42,
            boot: String::new(),
            since: "2026-11-20T10:00:00Z".to_owned(),
            operation: "apply".to_owned(),
        }
    }

    #[test]
    fn the_dead_are_told_from_the_living() {
        let of = |mode, holders: &[LockHolder], dead: &[LockHolder], is_alive: bool| {
            let report = LockReport { mode, holders: holders.to_vec(), dead: dead.to_vec() };
            judge(&Scope::deployment("shop"), &report, |_| is_alive, "laconic state unlock --dir shop")
        };
        let some = [holder()];
        let exclusive = Some(LockMode::Exclusive);
        assert_eq!(of(None, &[], &[], true).found, "the state of deployment shop is not locked");
        let held = of(exclusive, &some, &[], true);
        assert_eq!(held.verdict, Verdict::Ok);
        assert!(held.found.contains("locked by ops@web1 (process 42, `apply`"), "{held:?}");
        assert_eq!(of(exclusive, &some, &[], false).verdict, Verdict::Warning);
        assert_eq!(of(exclusive, &[], &[], true).verdict, Verdict::Warning);
        let stale = of(None, &[], &some, false);
        assert_eq!(stale.verdict, Verdict::Warning);
        assert!(stale.help[1].contains("laconic state unlock --dir shop"), "{stale:?}");
    }
}
