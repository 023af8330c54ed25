//! Images: overrides and the rewriting of locally built ones.

use super::naming::Naming;

/// `image` as an image registry has it: a `:local` one under the registry with a tag of this deployment's own.
pub(super) fn in_registry(image: &str, registry: &str, naming: &Naming<'_>) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        Some((name, "local")) => {
            let start = naming.app.char_indices().rev().nth(7).map_or(0, |(index, _)| index);
            let suffix = naming.app.get(start..).unwrap_or_default();
            format!("{registry}/{name}:deploy-{suffix}")
        }
        _ => image.to_owned(),
    }
}
