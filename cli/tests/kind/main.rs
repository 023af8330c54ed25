//! Journeys of the real binary on real kind clusters: from nothing to pages that answer, a cluster shared by several
//! deployments, what happens when it is made anew, when Docker or kind is in trouble, and when laconic dies in between.
//!
//! They run under `scripts/with-docker.sh`, one at a time: every cluster maps the host's ports 80 and 443.

#[path = "../shared/answer.rs"]
mod answer;
mod bed;
mod certificates;
mod engine;
mod figures;
mod host;
mod ingress;
mod kill;
mod killed_recreate;
mod page;
mod printed;
mod reasons;
mod recreate;
mod shared_cluster;
mod stop;
mod trouble;
