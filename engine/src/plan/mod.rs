//! Planning: what should happen, decided once and completely.

pub mod adoption;
pub mod advice;
pub mod base;
pub mod blast_radius;
pub mod cascade;
pub mod certificate_restore;
pub mod change;
pub mod change_set;
#[cfg(test)]
mod change_set_tests;
pub mod change_writer;
pub mod cluster_fate;
pub mod danger;
pub mod danger_bytes;
pub mod danger_certificate;
pub mod danger_cluster;
pub mod danger_dry_run;
pub mod danger_identity;
pub mod danger_import;
pub mod danger_namespace;
pub mod danger_ownership;
pub mod danger_unseen;
pub mod danger_volume;
pub mod danger_workload;
pub mod decide;
pub mod difference;
pub mod document;
pub mod drift;
pub mod dry_run;
pub mod fate;
pub mod forecast;
pub mod foreign;
pub mod identify;
pub mod ignored;
pub mod image;
pub mod input;
pub mod left_volume;
pub mod lint;
pub mod locate;
pub mod migration;
pub mod pending_edits;
pub mod planner;
pub mod prepare;
mod quiesce;
pub mod recreate;
pub mod register;
pub mod rollout;
pub mod state_mark;
pub mod stop;
pub mod stray;
pub mod survey;
pub mod target;
pub mod transaction;

pub use base::plan_against;
pub use certificate_restore::CertificateRestore;
pub use change::{Action, Change, DifferenceOrigin, Drift, DriftField, DriftKind, FieldDifference, Reason};
pub use change_set::IntendedChange;
pub use decide::{ClusterFate, Facts, FieldVerdict, Presence, Verdict, decide};
pub use document::{
    BlastRadius, Consulted, EventFate, Mode, PLAN_FORMAT_VERSION, Plan, RegisterChange, StateReference, Summary,
    TenantImpact, VolumeForecast, VolumeReason, VolumeVerdict,
};
pub use dry_run::{Deviation, DryRunOutcome, DryRunRequest, dry_run_request};
pub use fate::{Basis, Bytes, Happening, Release, VolumeEvent, Whereabouts, fate};
pub use input::{PlanInput, Requirements};
pub use migration::{Migration, VolumeMove};
pub use planner::{plan, plan_or_requirements, requirements};
pub use prepare::{observe_request, prepare};
pub use recreate::{
    QuiesceReason, QuiescedWorkload, Recreate, RecreateCourse, RecreatePhase, RescuedVolume, SecretReturn,
    VaultedSecret,
};
pub use stop::StopOptions;
