//! What is fuzzed: everything that reads a file somebody else wrote. Whatever the bytes are, there is an answer: no panic,
//! no endless loop, no gigabytes.

mod deployment;
mod state;

use std::sync::Arc;

use laconic_engine::certificate::read_backup;
use laconic_engine::compose::{interpolate, interpolate_whole};
use laconic_engine::spec::{read_config_env, read_deployment_file, read_repository};

pub use deployment::{compose, spec};
pub use state::state;

/// `${}` in every form compose has, with variables that are set, empty and missing.
pub fn interpolation(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lookup = |name: &str| match name {
        "A" => Some("value".to_owned()),
        "B" => Some(String::new()),
        // One that would go on forever if what it stands for were looked at again.
        "C" => Some("${C}".to_owned()),
        _ => None,
    };
    let (once, _) = interpolate(&text, &lookup);
    let (again, _) = interpolate(&text, &lookup);
    assert_eq!(once, again);
    let _ = interpolate_whole(&text, &lookup);
}

/// config.env, with quotes and expansion as in dotenv files.
pub fn config_env(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (read, findings) = read_config_env(&Arc::from("config.env"), &text);
    for variable in &read.variables {
        assert!(!variable.name.is_empty(), "a variable without a name: {variable:?}");
    }
    assert!(findings.iter().all(|finding| finding.place.is_some()));
}

/// The backup of Caddy's certificates, which whoever can write below the umbrella can replace.
pub fn certificates(data: &[u8]) {
    for (key, secret) in read_backup(data).unwrap_or_default() {
        assert_eq!(&*key.namespace, "caddy-system");
        assert_eq!(secret["kind"], "Secret");
        assert_eq!(secret["metadata"]["labels"]["manager"], "caddy");
        assert!(secret["metadata"]["uid"].is_null() && secret["metadata"]["resourceVersion"].is_null());
    }
}

/// laconic.yml.
pub fn repository(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (_, findings) = read_repository(&Arc::from("laconic.yml"), &text);
    assert!(findings.iter().all(|finding| finding.place.is_some()));
}

/// deployment.yml.
pub fn deployment_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = read_deployment_file(&Arc::from("deployment.yml"), &text);
}
