//! Planning: what should happen, decided once and completely.

pub mod change;
pub mod document;

pub use change::{Action, Change, DifferenceOrigin, Drift, DriftField, DriftKind, FieldDifference, Reason};
pub use document::{
    BlastRadius, Consulted, Mode, PLAN_FORMAT_VERSION, Plan, RegisterChange, StateReference, Summary, TenantImpact,
    VolumeForecast, VolumeReason, VolumeVerdict,
};
