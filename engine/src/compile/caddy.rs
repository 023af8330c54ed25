//! The Caddy ingress system: one per kind cluster that serves anything.

/// The name of Caddy's IngressClass.
pub const INGRESS_CLASS: &str = "caddy";
