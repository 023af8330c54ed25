//! What the benchmark is made of: deployments of any size on disk, measured runs of the program, a table.

pub mod deployments;
pub mod measure;
pub mod table;
