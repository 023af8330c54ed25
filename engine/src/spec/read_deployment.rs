//! deployment.yml.

use std::sync::Arc;

use super::{DeploymentFile, Dialect, Located};
use crate::finding::Finding;
use crate::place::Place;
use crate::yaml::Decoder;

const KEYS: &[&str] = &["cluster-id", "deployment-id", "dialect", "stack-source", "spec-source"];

/// Reads deployment.yml. Without `deployment-id` the cluster-id is the deployment's id too, as in older directories.
#[must_use]
pub fn read_deployment_file(file: &Arc<str>, text: &str) -> (DeploymentFile, Vec<Finding>) {
    let mut identity = DeploymentFile::default();
    let (node, findings) = crate::yaml::parse(file, text);
    let mut decoder = Decoder::new(findings);
    let Some(node) = node else {
        if decoder.findings.is_empty() {
            missing_cluster_id(&mut decoder, &Place::new(file, 1, 1, 1));
        }
        return (identity, decoder.findings);
    };
    let mut deployment_id = None;
    for (key, value) in decoder.entries("deployment.yml", &node) {
        let name = key.text().unwrap_or_default();
        match name {
            "cluster-id" => identity.cluster_id = decoder.string(name, value).map(|id| id.value).unwrap_or_default(),
            "deployment-id" => deployment_id = decoder.string(name, value).map(|id| id.value),
            "stack-source" => identity.stack_source = decoder.string(name, value).map(|source| source.value),
            "spec-source" => identity.spec_source = decoder.string(name, value).map(|source| source.value),
            "dialect" => match decoder.string(name, value).as_ref().map(|word| word.value.as_str()) {
                Some("compose") => identity.dialect = Dialect::Compose,
                Some("laconic-so") | None => {}
                Some(word) => {
                    let word = Located::new(word.to_owned(), value.place.clone());
                    decoder.no_such_word("dialect", &word, &["laconic-so", "compose"]);
                }
            },
            _ => decoder.unknown_key(key, KEYS),
        }
    }
    if identity.cluster_id.is_empty() {
        missing_cluster_id(&mut decoder, &node.place);
    }
    identity.deployment_id = deployment_id.filter(|id| !id.is_empty()).unwrap_or_else(|| identity.cluster_id.clone());
    (identity, decoder.findings)
}

fn missing_cluster_id(decoder: &mut Decoder, place: &Place) {
    if decoder.findings.is_empty() {
        let help = "restore the file from a backup, or make the directory anew with `laconic deploy create`";
        decoder.invalid(place, "`cluster-id` is missing", Some(help));
    }
}
