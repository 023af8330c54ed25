use laconic_engine::resource::{Observed, UnknownReason};

use super::super::{Call, Failure, Fault};
use super::*;

#[test]
fn a_dying_host_may_have_done_the_last_thing() {
    for reply_lost in [true, false] {
        let host = host();
        host.set_fault(Fault::DiesAfter { calls: 1, reply_lost }).unwrap();
        let a = key(ResourceType::ConfigMap, "a");
        for _ in 0..2 {
            let error = create(&host, &a, config_map("a", "1")).unwrap_err();
            assert!(matches!(error, EnactError::Unreachable(_)));
        }
        let seen = observe(&host, &main_target(), &[]);
        assert!(matches!(seen.cluster, Observed::Unknown(UnknownReason::Unreachable(_))));
        assert!(seen.objects.is_err());
        host.revive().unwrap();
        assert_eq!(see(&host, &a).is_some(), reply_lost);
    }
}

#[test]
fn a_single_failure_does_nothing_and_passes() {
    for (kind, is_transient) in [(Failure::Transient, true), (Failure::Refused, false)] {
        let host = host();
        host.set_fault_on(Fault::FailsOnce { call: 1, kind }, &[Call::Enact]).unwrap();
        let a = key(ResourceType::ConfigMap, "a");
        assert!(see(&host, &a).is_none());
        let error = create(&host, &a, config_map("a", "1")).unwrap_err();
        assert_eq!(matches!(error, EnactError::Transient(_)), is_transient);
        create(&host, &a, config_map("a", "1")).unwrap();
        assert_eq!(host.call_count(), 2);
    }
}

#[test]
fn faults_wait_in_the_directory_for_the_next_program() {
    let directory = tempfile::tempdir().unwrap();
    let host = SimulatedHost::open(directory.path()).unwrap();
    host.set_fault(Fault::DiesAfter { calls: 2, reply_lost: false }).unwrap();
    drop(host);
    let host = SimulatedHost::open(directory.path()).unwrap();
    host.create_cluster(&cluster()).unwrap();
    assert_eq!(ask(&host, &key(ResourceType::KindCluster, "main")), Readiness::Ready);
    drop(host);
    let host = SimulatedHost::open(directory.path()).unwrap();
    assert!(matches!(observe(&host, &main_target(), &[]).cluster, Observed::Unknown(_)));
}
