//! Images: overrides, the rewriting of locally built ones, and which ones those are.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::ResourceType;
use crate::resource::Resource;

use super::input::{BuiltImage, CheckedDeployment};
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

/// How an image is called by whoever lists images: without the registry that is meant when none is named, with a tag.
/// `None` for a text that names no tag of an image: a digest is the same bytes wherever it is.
#[must_use]
pub fn image_reference(image: &str) -> Option<String> {
    if image.is_empty() || image.contains('@') || image.contains("<none>") {
        return None;
    }
    let short = image.strip_prefix("docker.io/").map_or(image, |rest| rest.strip_prefix("library/").unwrap_or(rest));
    let name = short.rsplit('/').next().unwrap_or(short);
    Some(if name.contains(':') { short.to_owned() } else { format!("{short}:latest") })
}

/// Notes the images that a workload runs and that are built on its host, as far as the files say so: one that the stack
/// lists under `containers`, one that the spec overrides with, and one that is tagged `:local`. What is pulled each time
/// need not be loaded.
pub(super) fn collect_built(
    checked: &CheckedDeployment,
    workload: &Resource,
    images: &mut BTreeMap<String, BuiltImage>,
) {
    if !matches!(workload.address.resource_type, ResourceType::Deployment | ResourceType::Job) {
        return;
    }
    let attributes = workload.attributes.value();
    let pod = &attributes["spec"]["template"]["spec"];
    for list in ["initContainers", "containers"] {
        for container in pod[list].as_array().into_iter().flatten() {
            let text = |member: &str| container[member].as_str().unwrap_or_default();
            let Some(reference) = image_reference(text("image")).filter(|_| text("imagePullPolicy") != "Always") else {
                continue;
            };
            if !is_built_here(checked, text("image")) {
                continue;
            }
            let path = format!("spec.template.spec.{list}[{}].image", text("name"));
            let image = images.entry(reference).or_default();
            image.place = image.place.take().or_else(|| workload.place_of(&path).cloned());
            if image.workloads.last() != Some(&workload.address) {
                image.workloads.push(workload.address.clone());
            }
        }
    }
}

fn is_built_here(checked: &CheckedDeployment, image: &str) -> bool {
    let is_listed = checked.stack.containers.iter().any(|part| !part.value.is_empty() && image.contains(&part.value));
    let overrides = || checked.spec.image_overrides.values().any(|one| one.value == image);
    is_listed || image.ends_with(":local") || overrides()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_one_reference_however_it_is_spelt() {
        let table = [
            ("shop/web:1", Some("shop/web:1")),
            ("docker.io/shop/web:1", Some("shop/web:1")),
            ("docker.io/library/nginx", Some("nginx:latest")),
            ("nginx", Some("nginx:latest")),
            ("registry.example.com:5000/shop/web", Some("registry.example.com:5000/shop/web:latest")),
            ("registry.example.com/library/web:2", Some("registry.example.com/library/web:2")),
            ("nginx@sha256:00", None),
            ("<none>:<none>", None),
            ("", None),
        ];
        for (image, reference) in table {
            assert_eq!(image_reference(image).as_deref(), reference, "{image}");
        }
    }
}
