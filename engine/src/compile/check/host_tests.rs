//! What depends on the host, or on whether there is a deployment directory yet.

use super::super::input::{DeploymentSource, Layout};
use super::tests::{SPEC, directory, run, source, summary, web};
use super::*;
use crate::source::MemorySources;

/// What links make of a path is known on the host alone.
#[test]
fn links_are_followed_where_they_can_be_seen() {
    let check = |path: &str, link: (&str, &str)| {
        let spec = format!("{SPEC}kind-mount-root: /srv/kind\nvolumes: {{d: {path}}}\n");
        let compose = web("volumes: {d: }\n");
        let mut sources =
            directory("compose", &[("spec.yml", &spec), ("compose/docker-compose-web.yml", compose.as_str())]);
        sources.link(link.0, link.1);
        summary(&super::check(&source(), &sources))
    };
    assert_eq!(check("/srv/kind/shop/d", ("/srv/kind/shop", "/data/shop")), ["207 warning"]);
    assert_eq!(check("/srv/kind/shop/d", ("/srv/kind/shop", "/srv/kind/other")), Vec::<String>::new());
    // The umbrella itself may be a link.
    assert_eq!(check("/srv/kind/shop/d", ("/srv/kind", "/data")), Vec::<String>::new());
    assert_eq!(check("/data/shop/d", ("/srv/kind", "/data")), ["207 warning"]);
    assert_eq!(check("/data/shop/d", ("/srv/kind", "/other")), ["206 warning"]);
}

#[test]
fn secret_files_that_are_not_here_are_told() {
    let spec = |file: &str| {
        let credentials = format!("registry-credentials: {{server: s, username: u, token-file: {file}}}\n");
        let spec = format!("{SPEC}{credentials}ca-certificates: [{file}]\n");
        summary(&run("compose", &[("spec.yml", &spec), ("/srv/kind/shop/token", "x")]))
    };
    assert_eq!(spec("./token"), Vec::<String>::new());
    assert_eq!(spec("./tokn"), ["701 warning", "701 warning"]);
    assert_eq!(spec("/srv/kind/token"), ["701 warning", "701 warning"]);
}

#[test]
fn what_laconic_so_refused_at_create_is_refused_before_a_directory_is_made() {
    let mut sources = MemorySources::default();
    sources.insert("spec.yml", SPEC.as_bytes());
    sources.insert("stacks/shop/stack.yml", b"pods: [web]\n");
    sources.insert("compose/docker-compose-web.yml", web("    volumes: ['../config/deep:/a']\n").as_bytes());
    sources.insert("config/deep/sub/x", b"x");
    let identity = crate::spec::DeploymentFile { cluster_id: "c".into(), ..Default::default() };
    let layout = Layout::Repository { stack: "stacks/shop".to_owned(), identity: Some(identity) };
    assert_eq!(summary(&check(&DeploymentSource { layout, ..source() }, &sources)), ["104 error"]);
}
