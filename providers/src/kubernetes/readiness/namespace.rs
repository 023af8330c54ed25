//! Namespaces: ready as long as they are not on their way out, which may take what is left in them its time.

use laconic_engine::apply::Readiness;
use serde_json::Value;

use super::document::{items, one_line, text};

/// Whether a namespace takes objects.
pub(super) fn judge(namespace: &Value) -> Readiness {
    if text(namespace, "/status/phase") != "Terminating" {
        return Readiness::Ready;
    }
    let said: Vec<&str> = items(namespace, "/status/conditions")
        .filter(|condition| condition["status"] == "True")
        .map(|condition| text(condition, "/message"))
        .filter(|message| !message.is_empty())
        .collect();
    Readiness::Progressing(match said.as_slice() {
        [] => "it is being deleted".to_owned(),
        said => format!("it is being deleted: {}", one_line(&said.join("; "))),
    })
}
