//! Images: overrides and the rewriting of locally built ones.

use std::collections::BTreeSet;

use super::input::CheckedDeployment;
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

/// The images of a deployment that were built here and are run from its registry: as they are called here, and there.
#[must_use]
pub fn pushed_images(deployment: &CheckedDeployment) -> Vec<(String, String)> {
    let Some(registry) = &deployment.spec.image_registry else { return Vec::new() };
    let naming = Naming::new(deployment);
    let services = deployment.pods.iter().chain(&deployment.jobs).flat_map(|(_, file)| &file.services);
    let images: BTreeSet<&str> =
        services.filter_map(|service| service.image.as_ref()).map(|image| image.value.as_str()).collect();
    let pushed = images.into_iter().map(|image| (image.to_owned(), in_registry(image, &registry.value, &naming)));
    pushed.filter(|(here, there)| here != there).collect()
}
