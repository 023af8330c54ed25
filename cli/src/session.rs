//! What every command works with: the command line, the streams, the world and the state.

use std::collections::BTreeSet;

use laconic_engine::finding::Consent;

use crate::args::{Common, Consents, Showing};
use crate::output::Output;
use crate::view::plan_text::PlanView;
use crate::wire::{Disk, Wire};

/// One run of the program.
#[derive(Debug)]
pub struct Session {
    /// What every command understands.
    pub common: Common,
    /// The streams.
    pub output: Output,
    /// World and state.
    pub wire: Wire,
}

impl Session {
    /// The session of a command line, with state on that disk.
    #[must_use]
    pub fn new(common: Common, disk: Disk) -> Self {
        let output = Output::new(&common);
        let wire = Wire::new(&common, disk);
        Self { common, output, wire }
    }

    /// How plans are shown.
    #[must_use]
    pub fn plan_view(&self, showing: &Showing, next: Option<String>) -> PlanView {
        PlanView {
            palette: self.output.palette,
            all: showing.show_all,
            summary: showing.summary,
            forecast: showing.forecast,
            next,
        }
    }
}

/// The consents of a command line.
#[must_use]
pub fn consents(consents: &Consents) -> BTreeSet<Consent> {
    let recreate = consents.allow_recreate.iter().cloned().map(Consent::Recreate);
    let data_loss = consents.allow_data_loss.iter().cloned().map(Consent::DataLoss);
    let delete = consents.allow_cluster_delete.iter().cloned().map(Consent::ClusterDelete);
    recreate.chain(data_loss).chain(delete).collect()
}
