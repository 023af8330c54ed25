//! Properties of stopping and starting again, on random deployments: no byte on the host is touched, what the forecast
//! calls kept is there, and a start brings everything back.

use std::collections::BTreeMap;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{StopOptions, VolumeVerdict};
use laconic_tests::generate::{Shape, directory, shape};
use laconic_tests::settled::{config, is_settled, violations};
use laconic_tests::universe::{Request, Universe, compiled};
use proptest::prelude::*;

const CLUSTER: &str = "laconic-main";

fn deployment(name: &str, shape: &Shape) -> CompiledDeployment {
    compiled(name, &directory(name, CLUSTER, shape)).0
}

fn neighbours() -> impl Strategy<Value = (Shape, Option<Shape>)> {
    (shape(), proptest::option::of(shape())).prop_map(|(first, neighbour)| {
        let neighbour = neighbour.map(|shape| Shape { umbrella: first.umbrella, ..shape });
        (first, neighbour)
    })
}

/// The bytes behind the claims of a deployment, by volume.
fn bytes(universe: &Universe, one: &CompiledDeployment) -> BTreeMap<String, Option<String>> {
    let claims = one.resources.iter().filter(|it| it.address.resource_type == ResourceType::PersistentVolumeClaim);
    claims
        .map(|claim| {
            let key: ObjectKey = claim.key();
            (claim.address.short_name().to_owned(), universe.host.claim_data(&one.target, &key))
        })
        .collect()
}

proptest! {
    #![proptest_config(config("stop", 500))]

    #[test]
    fn a_stop_keeps_what_it_says_and_a_start_brings_it_back(
        (first, neighbour) in neighbours(),
        flags in any::<[bool; 4]>(),
    ) {
        let shop = deployment("shop", &first);
        let neighbour = neighbour.map(|shape| deployment("blog", &shape));
        let universe = Universe::default();
        for one in neighbour.iter().chain([&shop]) {
            let run = universe.apply_with_consents(std::slice::from_ref(one), &Request::default());
            prop_assert!(run.is_complete(), "{}", run.problems());
        }
        let (before, host_data) = (bytes(&universe, &shop), universe.host.summary().host_data);
        let [delete_volumes, delete_namespace, delete_cluster, skip_cluster] = flags;
        let options = StopOptions { delete_volumes, delete_namespace, delete_cluster };
        let stop = Request { stop: Some(options), skip_cluster, ..Request::default() };
        let run = universe.apply_with_consents(std::slice::from_ref(&shop), &stop);
        prop_assert!(run.is_complete(), "{}", run.problems());

        // Nothing on the host is touched, nobody else notices, and what is called kept is there.
        prop_assert_eq!(&universe.host.summary().host_data, &host_data);
        prop_assert_eq!(violations(&universe), vec![]);
        if let Some(neighbour) = &neighbour {
            let plan = universe.plan(std::slice::from_ref(neighbour), &Request::default());
            prop_assert!(!plan.has_work() && plan.drift.is_empty(), "{:#?} {:#?}", plan.changes, plan.drift);
        }
        let after = bytes(&universe, &shop);
        for volume in run.plan.forecast.iter().filter(|one| one.deployment == "shop") {
            let has_claim = after.get(&volume.volume).is_some_and(Option::is_some);
            match volume.verdict {
                VolumeVerdict::Kept if has_claim => {
                    prop_assert_eq!(&after[&volume.volume], &before[&volume.volume], "{:?}", volume);
                }
                // On the host, where everything is as it was.
                VolumeVerdict::Kept => {}
                VolumeVerdict::Lost => prop_assert!(!has_claim, "{:?} is called lost and is there", volume),
                _ => {}
            }
        }
        let again = universe.plan(std::slice::from_ref(&shop), &stop);
        prop_assert!(!again.has_work(), "{:#?}", again.changes);

        let run = universe.apply_with_consents(std::slice::from_ref(&shop), &Request::default());
        prop_assert!(run.is_complete(), "{}", run.problems());
        let all: Vec<CompiledDeployment> = [shop].into_iter().chain(neighbour).collect();
        is_settled(&universe, &all)?;
        let files: Vec<String> = universe.host.summary().host_data.into_keys().collect();
        prop_assert!(host_data.keys().all(|path| files.contains(path)), "{files:?}");
    }
}
