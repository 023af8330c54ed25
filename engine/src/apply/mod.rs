//! Applying: doing exactly what a plan says, one durable step at a time.

mod certificates;
mod deviation;
pub mod drive;
pub mod dry_run;
mod enact;
pub mod event;
pub mod options;
pub mod ports;
mod record;
mod recreate;
pub mod rescue;
pub mod schedule;
mod volume_bytes;

pub use drive::{drive, scopes};
pub use dry_run::dry_run;
pub use event::{Event, Outcome};
pub use options::{Apply, ApplyError, ApplyOptions, RecreatePorts, Stop};
pub use ports::{
    Clock, EnactError, Enacted, LockGuard, LockHolder, LockMode, ObserveRequest, Operation, Provider, Readiness,
    StateError, StateStore, Step, TargetRequest,
};
pub use record::moved_on;
pub use rescue::Rescue;
pub use schedule::{Schedule, ScheduledStep, StepKind};
