//! The contract of the provider port, tried on the simulated host, on a real API server and on a kind cluster: whatever
//! the engine relies on holds on all, or the engine was tested on a fiction.
//!
//! Each behaviour is one function over a [`bed::Bed`]. A difference between them is mended where it is wrong; what
//! the simulated host leaves out on purpose is in the book's page on it.

mod adopt;
mod bed;
mod create;
mod delete;
mod dry_run;
mod immutable;
mod kind;
mod objects;
mod observe;
mod ownership;
mod real;
mod refusal;
mod schema;
mod simulated;
mod stored;
mod update;
mod volume;

macro_rules! contract {
    ($($module:ident::$behaviour:ident,)*) => {
        mod on_the_simulated_host {
            use futures::FutureExt as _;
            $(#[test]
            fn $behaviour() {
                crate::simulated::run(|bed| crate::$module::$behaviour(bed).boxed_local());
            })*
        }

        mod on_a_real_server {
            use futures::FutureExt as _;
            $(#[test]
            fn $behaviour() {
                crate::real::run(|bed| crate::$module::$behaviour(bed).boxed_local());
            })*
        }

        // One test: a cluster takes half a minute, and goes with the test that made it.
        #[test]
        fn on_a_kind_cluster() {
            use futures::FutureExt as _;
            crate::kind::run(&[$((stringify!($behaviour), |bed| crate::$module::$behaviour(bed).boxed_local()),)*]);
        }
    };
}

contract! {
    create::a_created_object_is_there,
    create::an_object_of_every_kind_is_created_as_it_was_sent,
    create::the_fields_that_were_sent_and_no_others_are_ours,
    create::a_create_of_what_others_made_changes_nothing,
    create::a_create_of_what_is_ours_already_changes_nothing,
    create::an_object_that_is_made_again_is_another,
    create::a_secret_comes_back_as_it_was_sent,
    create::defaults_are_filled_in_and_are_not_ours,
    update::an_update_changes_what_is_sent,
    update::an_update_to_what_is_there_stores_nothing,
    update::an_update_of_another_object_is_stale,
    update::an_update_of_what_is_absent_makes_nothing,
    update::an_update_without_an_expected_uid_takes_what_is_there,
    update::map_keys_that_are_no_longer_sent_go,
    update::list_items_that_are_no_longer_sent_go,
    update::a_container_that_is_no_longer_sent_goes,
    update::a_port_of_a_service_that_is_no_longer_sent_goes,
    update::what_is_no_longer_sent_falls_back_to_its_default,
    update::nested_fields_that_are_no_longer_sent_go,
    update::what_others_set_stays,
    update::what_others_want_too_stays_when_it_is_no_longer_sent,
    update::what_others_took_away_comes_back,
    ownership::a_field_that_others_changed_is_a_conflict,
    ownership::a_force_takes_the_field,
    ownership::two_who_want_the_same_share_it,
    ownership::a_conflict_within_a_list_item_names_the_item,
    ownership::owners_of_ports_are_found_by_number,
    ownership::a_list_without_keys_has_one_owner,
    ownership::a_field_that_is_no_longer_sent_is_no_longer_ours,
    delete::what_was_deleted_is_gone,
    delete::a_delete_of_another_object_deletes_nothing,
    delete::a_delete_of_what_is_absent_is_done,
    delete::a_delete_without_an_expected_uid_takes_what_is_there,
    delete::a_namespace_takes_along_what_is_in_it,
    delete::nothing_is_made_in_a_namespace_on_its_way_out,
    delete::what_has_a_finalizer_goes_when_it_is_taken_off,
    delete::a_system_namespace_is_not_deleted,
    delete::a_workload_takes_its_pods_along,
    volume::a_claim_is_bound_to_the_volume_it_names,
    volume::a_claim_that_names_none_gets_the_smallest_that_fits,
    volume::a_claim_waits_for_its_volume,
    volume::a_volume_whose_claim_went_is_released_to_nobody,
    volume::a_volume_in_use_goes_after_its_claim,
    volume::claim_and_volume_are_made_anew,
    immutable::the_engine_knows_what_cannot_be_changed_in_place,
    immutable::a_node_affinity_is_set_and_stays,
    immutable::what_says_that_it_is_immutable_is_so,
    dry_run::a_tried_create_answers_as_the_create_does,
    dry_run::a_tried_update_answers_as_the_update_does,
    dry_run::a_dry_run_fails_as_the_real_thing_does,
    dry_run::a_tried_delete_deletes_nothing,
    adopt::adopted_fields_are_ours_alone_and_values_stay,
    adopt::what_was_adopted_goes_when_it_is_no_longer_sent,
    adopt::values_that_differ_are_changed_by_the_next_update,
    adopt::adopting_twice_changes_nothing,
    adopt::another_object_and_an_absent_one_are_not_adopted,
    observe::kinds_that_are_asked_for_are_listed,
    observe::a_single_object_is_found_without_its_label,
    observe::a_kind_without_objects_is_empty_and_not_unknown,
    observe::a_cluster_says_who_it_is,
    observe::every_change_has_a_version_of_its_own,
    refusal::nothing_is_made_in_a_namespace_that_is_not_there,
    refusal::an_invalid_object_is_refused_and_the_field_is_named,
    refusal::an_unknown_field_is_refused_and_named,
    refusal::an_invalid_change_is_refused_and_nothing_changes,
    refusal::a_value_of_the_wrong_type_is_refused,
}
