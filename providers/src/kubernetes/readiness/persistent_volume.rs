//! Volumes: ready when they exist, unless they serve nobody any more.

use laconic_engine::apply::Readiness;
use serde_json::Value;

use super::document::{reason_and_message, text};

/// Whether a volume can serve.
pub(crate) fn judge(volume: &Value) -> Readiness {
    match text(volume, "/status/phase") {
        "Released" => Readiness::Progressing("it is released: the claim it was bound to is gone".to_owned()),
        "Failed" => {
            let said = reason_and_message(text(volume, "/status/reason"), text(volume, "/status/message"));
            Readiness::Failed(if said.is_empty() { "it has failed".to_owned() } else { said })
        }
        _ => Readiness::Ready,
    }
}
