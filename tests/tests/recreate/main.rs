//! A cluster with three tenants is made anew, and everything that must survive does: on an undisturbed run, and killed at
//! every call of the host, every record of the journal and every write of the vault.

mod migration;
mod tenants;

use std::sync::Arc;

use futures::executor::block_on;
use laconic_engine::address::{Address, ObjectKey, ResourceType};
use laconic_engine::apply::{Event, Rescue as _};
use laconic_engine::code::Code;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Plan, Reason, RecreateCourse, RecreatePhase, SecretReturn, VolumeReason, VolumeVerdict};
use laconic_engine::vault::Vault as _;
use laconic_providers::simulated::{Failure, Fault};
use laconic_tests::settled::violations;
use laconic_tests::universe::{Request, Universe};
use tenants::{CLUSTER, Kept, before, claim, deployment, target};

fn rescuing() -> Request {
    Request { rescue: ["shop/scratch".to_owned()].into(), ..Request::default() }
}

/// Nothing of what was there is missing, and nothing of the transaction is left.
#[track_caller]
fn is_whole(universe: &Universe, deployments: &[CompiledDeployment], kept: &Kept, what: &str) {
    assert!(universe.vault.is_empty(), "{what}: the vault is still there");
    let again = universe.plan(deployments, &Request::default());
    assert!(!again.has_work(), "{what}: {:#?} {:#?}", again.changes, again.recreates);
    assert_eq!(Kept::look(universe), *kept, "{what}");
    assert_eq!(violations(universe), vec![], "{what}");
    assert!(!universe.recorded_text(deployments).contains("hunter2"), "{what}: a secret is recorded");
}

/// Runs again with what was asked for the first time until there is nothing left to do.
#[track_caller]
fn converge(universe: &Universe, deployments: &[CompiledDeployment], request: &Request, what: &str) {
    let mut problems = String::new();
    for _ in 0..6 {
        let plan = universe.plan(deployments, request);
        assert!(!plan.is_refused(), "{what}: {:#?}", plan.findings);
        if !plan.has_work() {
            return;
        }
        let run = universe.carry_out(plan, deployments);
        assert!(run.result.is_ok(), "{what}: {}", run.problems());
        problems = run.problems();
    }
    let plan = universe.plan(deployments, request);
    panic!("{what}: it never ends: {problems} {:#?} {:#?}", plan.changes, plan.recreates);
}

#[test]
fn everything_comes_back() {
    let (universe, ledger) = before();
    let kept = Kept::look(&universe);
    assert!(kept.is_all_there(), "{kept:#?}");
    let request = universe.request_with_consents(&ledger, &rescuing());
    let plan = universe.plan(&ledger, &request);
    let text = serde_json::to_string(&plan).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMi"), "a secret is in the plan");
    let run = universe.carry_out(plan, &ledger);
    assert!(run.is_complete(), "{}", run.problems());
    let told = serde_json::to_string(&run.events).unwrap();
    assert!(!told.contains("hunter2") && !told.contains("aHVudGVyMi"), "a secret is in the events");
    let phases: Vec<RecreatePhase> = run
        .events
        .iter()
        .filter_map(|event| if let Event::PhaseDone { phase, .. } = event { Some(*phase) } else { None })
        .collect();
    let expected = [
        RecreatePhase::Vault,
        RecreatePhase::Quiesce,
        RecreatePhase::Rescue,
        RecreatePhase::RestoreSecrets,
        RecreatePhase::RestoreVolumes,
        RecreatePhase::RestoreObjects,
        RecreatePhase::Verify,
    ];
    assert_eq!(phases, expected);
    is_whole(&universe, &ledger, &kept, "undisturbed");
    // What was not chosen is what the forecast said: made anew.
    let blog = universe.host.claim_data(&target(), &claim(&universe, "blog", "scratch"));
    assert!(blog.is_some(), "its pods write to the new one");
}

#[test]
fn the_plan_says_what_is_kept_and_how_it_comes_back() {
    let (universe, ledger) = before();
    let plan = universe.plan(&ledger, &rescuing());
    let [recreate] = plan.recreates.as_slice() else { panic!("{:#?}", plan.recreates) };
    assert_eq!(recreate.course, RecreateCourse::Begins);
    let returns = |namespace: &str, name: &str| {
        let key = ObjectKey::new(ResourceType::Secret, namespace, name);
        recreate.secrets.iter().find(|one| one.key == key).map(|one| one.returns)
    };
    assert_eq!(returns("shop", "by-hand"), Some(SecretReturn::AsItWas));
    assert_eq!(returns("legacy", "legacy-secret"), Some(SecretReturn::AsItWas));
    assert_eq!(returns("caddy-system", "caddy.certificate"), Some(SecretReturn::AsItWas));
    assert_eq!(returns("shop", "token"), None, "the cluster made it for itself");
    let of = |namespace: &str| {
        let mut secrets = recreate.secrets.iter().filter(|one| &*one.key.namespace == namespace);
        secrets.find(|one| one.key.name.contains("generated")).map(|one| one.returns)
    };
    assert_eq!(of("shop"), Some(SecretReturn::AsRecorded));
    assert_eq!(of("ledger"), Some(SecretReturn::AsPlanned));
    let stopped: Vec<&str> = recreate.quiesced.iter().map(|one| &*one.key.namespace).collect();
    assert_eq!(stopped, ["blog", "ledger", "shop"]);
    let fate = |plan: &Plan, deployment: &str, volume: &str| {
        let found = plan.forecast.iter().find(|one| one.deployment == deployment && one.volume == volume);
        found.map(|one| (one.verdict, one.because.clone())).unwrap()
    };
    assert_eq!(fate(&plan, "shop", "scratch"), (VolumeVerdict::Kept, VolumeReason::Rescued));
    assert_eq!(fate(&plan, "blog", "scratch").0, VolumeVerdict::Lost);
    let consents: Vec<String> = plan.missing_consents().iter().map(ToString::to_string).collect();
    assert!(!consents.iter().any(|one| one.contains("shop/scratch")), "{consents:?}");
    assert!(consents.iter().any(|one| one.contains("blog/scratch")), "{consents:?}");
    let unrecorded: Vec<&str> = plan
        .findings
        .iter()
        .filter(|finding| finding.code == Code::UnrecordedObjects)
        .flat_map(|finding| finding.help.iter().map(String::as_str))
        .collect();
    assert_eq!(unrecorded, ["Secret shop/token"]);
    let without = universe.plan(&ledger, &Request::default());
    assert_ne!(plan.id, without.id, "what is rescued is a part of the plan");
    assert_eq!(fate(&without, "shop", "scratch").0, VolumeVerdict::Lost);
}

#[test]
fn a_host_that_dies_at_any_call_loses_nothing() {
    let (before, ledger) = before();
    let kept = Kept::look(&before);
    let request = before.request_with_consents(&ledger, &rescuing());
    let rehearsal = before.fork();
    let plan = Arc::new(rehearsal.plan(&ledger, &request));
    rehearsal.host.set_fault(Fault::FailsOnce { call: u64::MAX, kind: Failure::Transient }).unwrap();
    let run = rehearsal.carry_out(Arc::clone(&plan), &ledger);
    assert!(run.is_complete(), "{}", run.problems());
    let calls = rehearsal.host.call_count();
    assert!(calls > 80, "{calls}");
    for call in 1..=calls {
        let kind = if call % 2 == 0 { Failure::Transient } else { Failure::Refused };
        let faults = [
            Fault::DiesAfter { calls: call, reply_lost: false },
            Fault::DiesAfter { calls: call, reply_lost: true },
            Fault::FailsOnce { call, kind },
        ];
        for fault in faults {
            let universe = before.fork();
            universe.host.set_fault(fault).unwrap();
            let run = universe.carry_out(Arc::clone(&plan), &ledger);
            universe.host.revive().unwrap();
            let what = format!("{fault:?} ({})", run.problems());
            converge(&universe, &ledger, &request, &what);
            is_whole(&universe, &ledger, &kept, &what);
        }
    }
}

#[test]
fn a_process_that_dies_at_any_record_loses_nothing() {
    let (before, ledger) = before();
    let kept = Kept::look(&before);
    let request = before.request_with_consents(&ledger, &rescuing());
    let plan = Arc::new(before.plan(&ledger, &request));
    for records in 0.. {
        let universe = before.fork();
        universe.store.fail_append_after(records);
        let run = universe.carry_out(Arc::clone(&plan), &ledger);
        let died = run.result.is_err();
        // A new process: faults are gone, what was durable is not.
        let universe = universe.fork();
        let what = format!("died after record {records}");
        converge(&universe, &ledger, &request, &what);
        is_whole(&universe, &ledger, &kept, &what);
        if !died {
            assert!(records > 100, "{records}");
            break;
        }
    }
}

#[test]
fn a_process_that_dies_at_any_write_of_the_vault_loses_nothing() {
    let (before, ledger) = before();
    let kept = Kept::look(&before);
    let request = before.request_with_consents(&ledger, &rescuing());
    let plan = Arc::new(before.plan(&ledger, &request));
    for writes in 0.. {
        let universe = before.fork();
        universe.vault.fail_after(writes);
        let run = universe.carry_out(Arc::clone(&plan), &ledger);
        let died = !run.is_complete();
        let universe = universe.fork();
        let what = format!("died after write {writes} of the vault ({})", run.problems());
        converge(&universe, &ledger, &request, &what);
        is_whole(&universe, &ledger, &kept, &what);
        if !died {
            assert!(writes > 10, "{writes}");
            break;
        }
    }
}

/// Whoever it was that died: a neighbour that knows nothing of it applies, gives no consent, and everything is as it was.
#[test]
fn a_neighbour_goes_on_with_what_somebody_left() {
    let (before, ledger) = before();
    let kept = Kept::look(&before);
    let request = before.request_with_consents(&ledger, &rescuing());
    let plan = Arc::new(before.plan(&ledger, &request));
    let shop = [deployment("shop", "/srv/kind/shop")];
    let node = |universe: &Universe| universe.host.summary().clusters[CLUSTER].node.clone();
    let (mut given_up, mut gone_on, mut refused) = (0, 0, 0);
    for records in 0.. {
        let universe = before.fork();
        universe.store.fail_append_after(records);
        let died = universe.carry_out(Arc::clone(&plan), &ledger).result.is_err();
        let universe = universe.fork();
        let what = format!("died after record {records}");
        let was_filled = !universe.vault.is_empty();
        let plan = universe.plan(&shop, &Request::default());
        if was_filled {
            assert!(plan.findings.iter().any(|finding| finding.code == Code::Interrupted), "{what}");
        }
        if plan.is_refused() {
            // The deletion was announced, and it is not known whether it was begun.
            refused += 1;
            continue;
        }
        converge(&universe, &shop, &Request::default(), &what);
        is_whole(&universe, &shop, &kept, &what);
        match node(&universe) == node(&before) {
            true => given_up += usize::from(was_filled),
            false => gone_on += usize::from(was_filled),
        }
        if !died {
            break;
        }
    }
    assert!(given_up > 0 && gone_on > 50 && refused <= 1, "{given_up} {gone_on} {refused}");
}

/// The kill falls between the stop of the workloads and the deletion, and then nobody wants the recreate any more.
#[test]
fn what_was_stopped_runs_again_when_the_recreate_is_given_up() {
    let (before, ledger) = before();
    let kept = Kept::look(&before);
    let request = before.request_with_consents(&ledger, &rescuing());
    let plan = Arc::new(before.plan(&ledger, &request));
    let mut found = false;
    for writes in 0..40 {
        let universe = before.fork();
        universe.vault.fail_after(writes);
        let _ = universe.carry_out(Arc::clone(&plan), &ledger);
        let universe = universe.fork();
        let stopped = universe.vault.contents(CLUSTER).unwrap().is_some_and(|contents| {
            !contents.quiesced.is_empty() && contents.volumes.is_empty() && !contents.secrets_restored
        });
        let is_there = universe.host.summary().clusters.contains_key(CLUSTER);
        if !stopped || !is_there {
            continue;
        }
        let contents = universe.vault.contents(CLUSTER).unwrap().unwrap();
        let runs = |workload| block_on(universe.host.running(&target(), workload)).unwrap();
        found |= contents.quiesced.keys().all(|workload| runs(workload) == 0);
        // Its operator takes the mount back.
        let back = [deployment("ledger", "/srv/kind/ledger")];
        let request = universe.request_with_consents(&back, &Request::default());
        let plan = universe.plan(&back, &request);
        assert!(!plan.is_refused(), "{:#?}", plan.findings);
        assert_eq!(plan.recreates[0].course, RecreateCourse::Abandons);
        assert!(plan.findings.iter().any(|finding| finding.code == Code::Interrupted), "{:#?}", plan.findings);
        let run = universe.carry_out(plan, &back);
        assert!(run.is_complete(), "{}", run.problems());
        assert!(contents.quiesced.iter().all(|(workload, pods)| runs(workload) == *pods));
        for name in ["shop", "blog", "ledger"] {
            let one = [deployment(name, &format!("/srv/kind/{name}"))];
            is_whole(&universe, &one, &kept, name);
        }
    }
    assert!(found, "no kill falls between stop and deletion");
}

/// A destroy would leave in the vault what belongs to others.
#[test]
fn a_destroy_waits_for_the_end_of_a_recreate() {
    let (universe, ledger) = before();
    let request = universe.request_with_consents(&ledger, &rescuing());
    let plan = Arc::new(universe.plan(&ledger, &request));
    universe.host.set_fault(Fault::DiesAfter { calls: 30, reply_lost: false }).unwrap();
    let _ = universe.carry_out(plan, &ledger);
    universe.host.revive().unwrap();
    assert!(universe.vault.contents(CLUSTER).unwrap().is_some());
    let plan = universe.plan(&ledger, &Request { destroy: true, ..Request::default() });
    let refusals: Vec<Code> = plan.refusals().map(|finding| finding.code).collect();
    assert_eq!(refusals, [Code::RecreateUnfinished]);
}

/// Deleted behind our back there is nothing to fill a vault from; everything recorded comes back on the same path.
#[test]
fn a_cluster_that_somebody_deleted_is_rebuilt_without_a_vault() {
    let (universe, _) = before();
    universe.host.delete_cluster(CLUSTER).unwrap();
    let shop = [deployment("shop", "/srv/kind/shop")];
    let plan = universe.plan(&shop, &Request::default());
    assert!(plan.recreates.is_empty());
    let cluster = plan.change(&Address::kind_cluster(CLUSTER)).unwrap();
    assert!(matches!(cluster.reason, Reason::Vanished | Reason::ClusterLost { .. }), "{:?}", cluster.reason);
    let run = universe.carry_out(plan, &shop);
    assert!(run.is_complete(), "{}", run.problems());
    for name in ["shop", "blog", "ledger"] {
        let one = [deployment(name, &format!("/srv/kind/{name}"))];
        let again = universe.plan(&one, &Request::default());
        assert!(!again.has_work(), "{name}: {:#?}", again.changes);
    }
}
