//! YAML text to a tree of nodes with places, and typed reading of that tree.
//!
//! One strict reading for every file: the core schema without surprises (`no`, `0755` and `1_000` are text), duplicate
//! keys are errors, aliases are expanded within a budget.

pub mod decode;
mod merge;
mod node;
mod parse;
mod scalar;
#[cfg(test)]
mod tests;

pub use decode::{Decoder, nearest};
pub use node::{Node, NodeKind, Style};
pub use parse::{MAX_DEPTH, MAX_NODES, decode_text, parse};
pub use scalar::{parse_float, parse_integer, resolve};
