//! Planning: what should happen, decided once and completely.

pub mod change;
pub mod decide;
pub mod document;
pub mod input;

pub use change::{Action, Change, DifferenceOrigin, Drift, DriftField, DriftKind, FieldDifference, Reason};
pub use decide::{ClusterFate, Facts, FieldVerdict, Presence, Verdict, decide};
pub use document::{
    BlastRadius, Consulted, Mode, PLAN_FORMAT_VERSION, Plan, RegisterChange, StateReference, Summary, TenantImpact,
    VolumeForecast, VolumeReason, VolumeVerdict,
};
pub use input::{PlanInput, Requirements};
