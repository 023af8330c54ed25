//! `resources:` blocks, in spec.yml and in compose files.

use super::schema::{AMOUNTS_KEYS, BLOCK_KEYS, RESOURCES_KEYS, STORAGE_KEYS, VOLUME_BLOCK_KEYS};
use super::{Located, ResourceAmounts, ResourceBlock, Resources, Scalar};
use crate::yaml::{Decoder, Node};

/// Reads `resources:` of spec.yml.
pub(super) fn read_resources(decoder: &mut Decoder, node: &Node<'_>) -> Resources {
    let mut resources = Resources::default();
    for (key, value) in decoder.entries("resources", node) {
        match key.text().unwrap_or_default() {
            "containers" => {
                for (name, value) in decoder.entries("resources.containers", value) {
                    match name.text().unwrap_or_default() {
                        "reservations" => resources.containers.reservations = amounts(decoder, value, AMOUNTS_KEYS),
                        "limits" => resources.containers.limits = amounts(decoder, value, AMOUNTS_KEYS),
                        container => {
                            let block = read_block(decoder, "resources.containers", value, AMOUNTS_KEYS);
                            resources.container.insert(container.to_owned(), block);
                            resources.container_names.push(Decoder::name(name));
                        }
                    }
                }
            }
            "volumes" => read_volumes(decoder, value, &mut resources),
            _ => decoder.unknown_key(key, RESOURCES_KEYS),
        }
    }
    resources
}

fn read_volumes(decoder: &mut Decoder, node: &Node<'_>, resources: &mut Resources) {
    for (name, value) in decoder.entries("resources.volumes", node) {
        match name.text().unwrap_or_default() {
            "reservations" => resources.volumes = storage(decoder, value),
            volume => {
                resources.volume_names.push(Decoder::name(name));
                for (key, value) in decoder.entries("resources.volumes", value) {
                    if key.text() != Some("reservations") {
                        decoder.unknown_key(key, VOLUME_BLOCK_KEYS);
                    } else if let Some(size) = storage(decoder, value) {
                        resources.volume.insert(volume.to_owned(), size);
                    }
                }
            }
        }
    }
}

fn storage(decoder: &mut Decoder, node: &Node<'_>) -> Option<Located<Scalar>> {
    amounts(decoder, node, STORAGE_KEYS).and_then(|amounts| amounts.storage)
}

/// Reads one `reservations` / `limits` pair.
pub(crate) fn read_block(decoder: &mut Decoder, what: &str, node: &Node<'_>, known: &[&str]) -> ResourceBlock {
    let mut block = ResourceBlock::default();
    for (key, value) in decoder.entries(what, node) {
        match key.text().unwrap_or_default() {
            "reservations" => block.reservations = amounts(decoder, value, known),
            "limits" => block.limits = amounts(decoder, value, known),
            _ => decoder.unknown_key(key, BLOCK_KEYS),
        }
    }
    block
}

fn amounts(decoder: &mut Decoder, node: &Node<'_>, known: &[&str]) -> Option<ResourceAmounts> {
    if node.is_null() {
        return None;
    }
    let mut amounts = ResourceAmounts::default();
    for (key, value) in decoder.entries("resources", node) {
        let name = key.text().unwrap_or_default();
        let slot = match name {
            _ if !known.contains(&name) => {
                decoder.unknown_key(key, known);
                continue;
            }
            "cpus" => &mut amounts.cpus,
            "memory" => &mut amounts.memory,
            "storage" => &mut amounts.storage,
            // Known to compose, without an effect here; the compose reader says so.
            _ => continue,
        };
        *slot = decoder.scalar(name, value).filter(|amount| amount.value.kind != super::ScalarKind::Null);
    }
    Some(amounts)
}
