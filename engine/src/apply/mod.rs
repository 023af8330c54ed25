//! Applying: doing exactly what a plan says, one durable step at a time.

pub mod drive;
mod enact;
pub mod event;
pub mod options;
pub mod ports;
mod record;
pub mod schedule;

pub use drive::{drive, scopes};
pub use event::{Event, Outcome};
pub use options::{Apply, ApplyError, ApplyOptions, Stop};
pub use ports::{
    Clock, EnactError, Enacted, LockGuard, LockHolder, LockMode, ObserveRequest, Operation, Provider, Readiness,
    StateError, StateStore, Step, TargetRequest,
};
pub use record::moved_on;
pub use schedule::{Schedule, ScheduledStep, StepKind};
