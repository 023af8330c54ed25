//! Comparing objects: field paths, canonical forms, differences and which of them force a replacement.
//!
//! Only fields that we set, now or last time, are ever compared; what a server defaults or others add is not ours.

pub mod compare;
pub mod defaults;
pub mod immutable;
pub mod path;
pub mod quantity;

pub use compare::{difference_paths, project, same};
pub use immutable::forces_replacement;
pub use path::{Fields, drop_leaves, flatten, is_order_path, replace_at, value_at, without_nulls};
