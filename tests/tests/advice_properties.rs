//! The advice of a plan that would make a cluster anew, taken at its word: the edit is made in the text of the spec, compiled
//! and planned again, on random clusters, specs and mounts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use laconic_engine::code::Code;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::finding::Consent;
use laconic_engine::plan::{Plan, Reason, VolumeVerdict};
use laconic_engine::source::{MemorySources, SourceReader as _};
use laconic_engine::spec::edit::edited;
use laconic_tests::generate_volumes::{Tenant, directory, tenant};
use laconic_tests::settled::config;
use laconic_tests::universe::{Request, Universe, compiled};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

const CLUSTER: &str = "laconic-main";

/// What the plans of all cases came to: that no advice is ever given would prove nothing.
static OFFERED: AtomicUsize = AtomicUsize::new(0);
static OF_DATA: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Debug)]
struct Case {
    /// The first one, and the second one as it was and as it is now.
    tenants: [Tenant; 3],
    /// The umbrella in the spec of each when the cluster was made, and of the second one now.
    umbrellas: [bool; 3],
    /// Whether the second one lived there before.
    is_known: bool,
    /// Whether the second one now wants another node image too.
    has_image: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let flags = (any::<[bool; 3]>(), any::<bool>(), proptest::bool::weighted(0.15));
    (tenant("shop"), tenant("blog"), tenant("blog"), flags).prop_map(
        |(shop, before, now, (umbrellas, is_known, has_image))| Case {
            tenants: [shop, before, now],
            umbrellas,
            is_known,
            has_image,
        },
    )
}

fn files(tenant: &Tenant, umbrella: bool) -> MemorySources {
    directory(tenant, CLUSTER, umbrella, false)
}

fn compile(tenant: &Tenant, files: &MemorySources) -> [CompiledDeployment; 1] {
    [compiled(tenant.name, files).0]
}

/// The edit that a finding tells of: the deployment, the umbrella and the paths.
fn told(help: &[String]) -> Option<(String, Option<String>, BTreeMap<String, String>)> {
    let at = help.iter().position(|line| line.starts_with("avoid it:"))?;
    let deployment = help[at].split('`').nth(1)?.to_owned();
    let lines: Vec<&str> =
        help[at + 1..].iter().take_while(|line| line.starts_with("  ")).map(|line| line.trim()).collect();
    let root = lines.iter().find_map(|line| line.strip_prefix("kind-mount-root: ")).map(str::to_owned);
    let pairs = lines.iter().filter(|line| !line.starts_with("kind-mount-root") && **line != "volumes:");
    let paths = pairs.filter_map(|line| line.split_once(": ")).map(|(name, path)| (name.to_owned(), path.to_owned()));
    Some((deployment, root, paths.collect()))
}

fn makes_anew(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| matches!(change.reason, Reason::ClusterReplaced { .. }))
        || plan.missing_consents().contains(&Consent::Recreate(CLUSTER.to_owned()))
}

fn holds(case: &Case) -> Result<(), TestCaseError> {
    let universe = Universe::default();
    let [shop, before, blog] = &case.tenants;
    let first = universe.apply_with_consents(&compile(shop, &files(shop, case.umbrellas[0])), &Request::default());
    prop_assert!(first.is_complete() || first.plan.is_refused(), "{}", first.problems());
    if case.is_known {
        // What contradicts the first one never gets there.
        let _ = universe.apply_with_consents(&compile(before, &files(before, case.umbrellas[1])), &Request::default());
    }
    universe.host.settle().unwrap();
    let mut now = files(blog, case.umbrellas[2]);
    if case.has_image {
        // A reason that no path takes away.
        let text = String::from_utf8_lossy(&now.read("spec.yml").unwrap()).into_owned();
        now.insert("spec.yml", format!("kind-node-image: kindest/node:v1.30.0\n{text}").as_bytes());
    }
    let deployments = compile(blog, &now);
    let plan = universe.plan(&deployments, &Request::default());
    let missing: Vec<_> = plan.findings.iter().filter(|finding| finding.code == Code::MountMissing).collect();
    for finding in missing {
        let Some((deployment, root, paths)) = told(&finding.help) else { continue };
        prop_assert_eq!(&deployment, "blog");
        let text = now.read("spec.yml").unwrap();
        let after = edited(&String::from_utf8_lossy(&text), root.as_deref(), &paths);
        let after = after.ok_or_else(|| TestCaseError::fail("the edit cannot be made"))?;
        let mut files = now.clone();
        files.insert("spec.yml", after.as_bytes());
        let again = universe.plan(&compile(blog, &files), &Request::default());
        prop_assert!(!makes_anew(&again), "the advice {:?} is wrong: {:#?}\n{after}", finding.help, again.findings);
        let has_moves = finding.help.iter().any(|line| line.contains("move the data of"));
        let losing: Vec<String> = again
            .forecast
            .iter()
            .filter(|volume| !matches!(volume.verdict, VolumeVerdict::Kept | VolumeVerdict::New))
            .map(|volume| format!("{}/{}", volume.deployment, volume.volume))
            .collect();
        let named = losing.iter().all(|name| finding.help.iter().any(|line| line.contains(name.as_str())));
        prop_assert!(named && has_moves != losing.is_empty(), "{losing:?} {:?}", finding.help);
        (if has_moves { &OF_DATA } else { &OFFERED }).fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[test]
fn every_advice_that_is_given_is_right() {
    let mut runner = TestRunner::new(config("advice_properties", 400));
    runner.run(&case(), |case| holds(&case)).unwrap_or_else(|failure| panic!("{failure}"));
    let (offered, of_data) = (OFFERED.load(Ordering::Relaxed), OF_DATA.load(Ordering::Relaxed));
    assert!(offered > 20 && of_data > 5, "{offered} {of_data}: nothing was tried");
}
