//! Every finding that files can cause: what triggers it and what nearly does, each held against golden output.
//!
//! A folder `fixtures/findings/LACnnn/triggers…` must give that code, `…/nearly…` must not. Its files lie over those of
//! `fixtures/findings/base`, a deployment directory; folders with a spec.yml of their own in it are deployments that are
//! checked together; with a folder `stack` it is a spec and a stack in a repository, with a laconic.yml a whole one. `${HOST}` in a file is the folder
//! around the deployments, `links.txt` lists symbolic links in it, `absent.txt` files of the base that are not there, and `NAME.size` stands for a file `NAME` of that size.
//! `UPDATE_GOLDEN=1` writes the outputs, `FINDING=LAC103` tries one code.

#[path = "cases/golden.rs"]
mod golden;
#[path = "findings/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::path::Path;

use golden::difference;
use laconic_engine::code::{Code, Need};
use world::{fixtures, laconic, root, subfolders};

/// Codes that files alone can cause, and whose finding only a plan makes.
const BY_PLANS: &[Code] = &[Code::VolumeRenamed, Code::LeftBehind];

/// Codes that need a state or a live world, and a file of tests that makes them.
const ELSEWHERE: &[(Code, &str)] = &[
    (Code::MountMissing, "tests/scenarios/two-deployments.out"),
    (Code::RecreateWithTenants, "tests/scenarios/two-deployments.out"),
    (Code::ForeignCluster, "tests/scenarios/nodes.out"),
    (Code::MountsUnknown, "cli/tests/without_docker.rs"),
    (Code::ClusterDiffers, "engine/src/compile/cluster_tests.rs"),
    (Code::UnrecordedObjects, "tests/tests/unseen.rs"),
    (Code::ClusterDelete, "tests/scenarios/lifecycle.out"),
    (Code::TenantUnreadable, "tests/scenarios/recreate.out"),
    (Code::RecreateUnfinished, "tests/tests/recreate/main.rs"),
    (Code::MigrationBlocked, "tests/scenarios/migrate.out"),
    (Code::Interrupted, "tests/tests/recreate/main.rs"),
    (Code::DataLoss, "cli/tests/golden/recreate.txt"),
    (Code::DataLeftBehind, "tests/tests/volume_findings.rs"),
    (Code::VolumeInUse, "tests/tests/volume_findings.rs"),
    (Code::OverlayBytes, "tests/tests/volume_findings.rs"),
    (Code::MountSourceReplaced, "tests/tests/volume_findings.rs"),
    (Code::NamespaceOwned, "tests/tests/ownership.rs"),
    (Code::ObjectExists, "tests/scenarios/import.out"),
    (Code::FieldsTaken, "tests/scenarios/lifecycle.out"),
    (Code::ObjectRemade, "engine/src/plan/decide.rs"),
    (Code::DryRunRefused, "tests/scenarios/servers.out"),
    (Code::AdmissionDeviates, "tests/scenarios/servers.out"),
    (Code::ServiceInterruption, "cli/tests/kind/golden/another-cluster.txt"),
    (Code::ClusterAmbiguous, "tests/scenarios/several-clusters.out"),
    (Code::Unschedulable, "tests/scenarios/pods-that-wait.out"),
    (Code::SecretMissing, "tests/scenarios/pods-that-wait.out"),
    (Code::StateLocked, "cli/tests/locked.rs"),
    (Code::ImageNotLoaded, "tests/scenarios/images.out"),
    (Code::JobAlreadyRan, "cli/tests/kind/golden/another-cluster.txt"),
    (Code::SecretLost, "tests/scenarios/lifecycle.out"),
    (Code::StateDamaged, "cli/tests/doctor.rs"),
    (Code::PlanStale, "tests/scenarios/lifecycle.out"),
    (Code::ClusterRecreate, "tests/scenarios/dangers.out"),
    (Code::ClaimShrinks, "tests/scenarios/dangers.out"),
    (Code::VolumeReleased, "tests/scenarios/dangers.out"),
    (Code::PodRenamed, "tests/scenarios/dangers.out"),
    (Code::JobRunsAgain, "tests/scenarios/dangers.out"),
    (Code::IngressInterruption, "tests/scenarios/dangers.out"),
    (Code::CertificateBackup, "tests/tests/certificates.rs"),
    (Code::NotConsulted, "cli/tests/golden/every-action.txt"),
];

/// Codes that need a state or a live world, and of which no test makes a finding yet.
const UNTRIED: &[Code] = &[];

#[test]
fn every_finding_triggers_and_nearly_triggers() {
    let only = std::env::var("FINDING").ok();
    let mut wrong = Vec::new();
    for (code, kind, folder) in fixtures() {
        if only.as_ref().is_some_and(|only| *only != code) {
            continue;
        }
        let output = laconic(&folder, &[]);
        let is_told = output.contains(&format!("[{code}]"));
        if is_told != kind.starts_with("triggers") {
            wrong.push(format!("{code}/{kind} {}:\n{output}", if is_told { "gives it" } else { "does not give it" }));
        }
        wrong.extend(difference(&folder.join("expected.txt"), &output));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The error that a finding is has a place, and every finding a way out.
#[test]
fn every_finding_has_a_place_and_a_way_out() {
    for (code, kind, folder) in fixtures() {
        if !kind.starts_with("triggers") {
            continue;
        }
        let output = laconic(&folder, &[]);
        let findings: Vec<&str> = output.split("\n\n").filter(|text| text.contains(&format!("[{code}]"))).collect();
        for finding in findings {
            assert!(finding.contains("--> "), "{code}/{kind}: no place:\n{finding}");
            assert!(finding.contains("help: "), "{code}/{kind}: no way out:\n{finding}");
        }
    }
}

#[test]
fn every_code_has_its_fixtures_or_its_test() {
    let mut covered: BTreeSet<String> = BTreeSet::new();
    for code in subfolders(&root()).into_iter().filter(|name| name != "base") {
        let kinds = subfolders(&root().join(&code));
        assert!(Code::ALL.iter().any(|known| known.to_string() == code), "{code} is no code");
        for kind in ["triggers", "nearly"] {
            assert!(kinds.iter().any(|name| name == kind), "{code} has no `{kind}`");
        }
        covered.insert(code);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for code in Code::ALL {
        let listed = ELSEWHERE.iter().find(|(listed, _)| listed == code);
        let by_files = code.needs().contains(&Need::Files) && !BY_PLANS.contains(code);
        assert_eq!(covered.contains(&code.to_string()), by_files, "{code}: fixtures for what files can cause");
        let is_excused = BY_PLANS.contains(code) || UNTRIED.contains(code);
        assert_eq!(listed.is_some() || is_excused, !by_files, "{code}: a test for what they cannot");
        if let Some((_, file)) = listed {
            let text = std::fs::read_to_string(workspace.join(file)).unwrap_or_else(|_| panic!("{code}: no {file}"));
            let is_named = text.contains(&format!("{code:?}")) || text.contains(&code.to_string());
            assert!(is_named, "{code} is not in {file}");
        }
    }
}
