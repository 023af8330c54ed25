//! What people and programs get to see: many views over the same plan, the same findings and the same event stream.

pub mod base;
pub mod change_text;
pub mod cluster_text;
pub mod danger;
pub mod deployment_text;
pub mod doctor_text;
pub mod drift_text;
pub mod events_json;
pub mod finding;
pub mod forecast;
pub mod forecast_events;
pub mod github;
pub mod header;
pub mod migration;
pub mod outcome;
pub mod plan_json;
pub mod plan_text;
pub mod progress;
pub mod recreate;
pub mod sarif;
pub mod style;
pub mod table;
pub mod value;
pub mod yaml;
