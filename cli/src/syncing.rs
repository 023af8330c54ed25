//! Bringing deployment directories up to date with the specs and stacks they were applied from, so that each stands
//! alone: it can be planned, looked at and taken down without the repository.

use std::fs;
use std::path::Path;

use laconic_engine::compile::{Layout, MEMLOCK_SPEC_FILE, check_shared};
use laconic_engine::source::join_path;
use laconic_engine::spec::{RepositoryCluster, read_spec};

use crate::deployment_directory::{Build, OURS, build_fetching, replaces, update};
use crate::error::{Result, file};
use crate::inputs::Input;
use crate::session::Session;
use crate::view::style::clean;

/// Copies the files of what was applied into the directories it belongs to. Data, state and secrets are not touched.
///
/// # Errors
/// A file that cannot be read or written; what was applied stays applied.
pub fn sync(session: &Session, inputs: &[Input], applied: &[String]) -> Result<()> {
    for input in inputs.iter().filter(|input| applied.contains(&input.source.name)) {
        let (Some(directory), Layout::Repository { stack, identity: Some(identity) }) =
            (&input.directory, &input.source.layout)
        else {
            continue;
        };
        let reader = input.reader(false);
        // It compiled a moment ago; one that no longer does was edited meanwhile, and stays as it is.
        let Some(checked) = check_shared(&input.source, &input.shared, &reader).deployment else { continue };
        let mut identity = identity.clone();
        let root = input.root.display().to_string();
        identity.spec_source = Some(join_path(&root, &input.source.spec_file));
        if input.pinned.is_none() {
            identity.stack_source = Some(join_path(&root, stack));
        }
        let parent = directory.parent().unwrap_or(directory);
        let prefix = format!(".{}.", input.source.name);
        let temporary = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(file(parent, "written"))?;
        let at = temporary.path();
        let what = Build { checked: &checked, source: &input.source, reader: &reader, identity: &identity };
        build_fetching(&what, input.pinned.as_ref().map(|(_, sources)| sources), at)?;
        complete(input, at)?;
        let lacks_spec = at.join(MEMLOCK_SPEC_FILE).exists() && !directory.join(MEMLOCK_SPEC_FILE).exists();
        let changed = |name: &str| replaces(at, name) && differs(&at.join(name), &directory.join(name));
        if lacks_spec || OURS.into_iter().any(changed) {
            update(at, directory, &checked)?;
            session.output.remark(&format!("Updated the files of {}.\n", clean(&directory.display().to_string())));
        }
    }
    Ok(())
}

/// Writes what only laconic.yml says of the cluster into the copy of the spec, which stands alone there.
///
/// # Errors
/// A copy that cannot be read or written.
pub fn complete(input: &Input, at: &Path) -> Result<()> {
    let Some(settings) = &input.shared.settings else { return Ok(()) };
    let path = at.join("spec.yml");
    let text = fs::read_to_string(&path).map_err(file(&path, "read"))?;
    let completed = completed(&text, settings);
    if completed == text { Ok(()) } else { fs::write(&path, completed).map_err(file(&path, "written")) }
}

/// The text of a spec with the settings of its cluster that it does not have. A spec that is written so that nothing can
/// be added to it stays as it is: the cluster keeps its settings by itself.
fn completed(text: &str, settings: &RepositoryCluster) -> String {
    let spec = |text: &str| read_spec(&"spec.yml".into(), text).0;
    let mut all = text.to_owned();
    let had = spec(text);
    let knobs = [
        ("kind-mount-root", &settings.kind_mount_root, had.kind_mount_root.is_some()),
        ("kind-node-image", &settings.kind_node_image, had.kind_node_image.is_some()),
        ("caddy-ingress-image", &settings.caddy_ingress_image, had.caddy_ingress_image.is_some()),
    ];
    for (key, wanted, is_there) in knobs {
        let Some(wanted) = wanted.as_ref().filter(|_| !is_there) else { continue };
        let candidate = format!("{}\n{key}: {}\n", all.trim_end(), quoted(&wanted.value));
        all = candidate;
    }
    if let Some(email) = settings.acme_email.as_ref().filter(|_| had.acme_email.is_none()) {
        all = with_email(&all, &quoted(&email.value));
    }
    let (before, after) = (spec(text), spec(&all));
    // Only what was added may differ.
    let same_rest = before.stack.map(|it| it.value) == after.stack.map(|it| it.value)
        && before.http_proxy.len() == after.http_proxy.len()
        && before.volumes.len() == after.volumes.len()
        && before.config.len() == after.config.len();
    if same_rest { all } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text with an `acme-email` under `network:`.
fn with_email(text: &str, email: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let Some(at) = lines.iter().position(|line| line.trim_end() == "network:") else {
        // A network that is written on one line is left alone.
        return if lines.iter().any(|line| line.starts_with("network")) {
            text.to_owned()
        } else {
            format!("{}\nnetwork:\n  acme-email: {email}\n", text.trim_end())
        };
    };
    let next = lines.iter().skip(at + 1).find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let indentation = next.map_or(2, |line| line.len() - line.trim_start().len()).max(1);
    lines.insert(at + 1, format!("{}acme-email: {email}", " ".repeat(indentation)));
    lines.join("\n") + "\n"
}

/// Whether two files or folders are other than each other; volumes below a folder are none of ours.
fn differs(new: &Path, old: &Path) -> bool {
    if new.is_dir() {
        let names = fs::read_dir(new).into_iter().flatten().flatten().map(|entry| entry.file_name());
        return !old.is_dir() || names.into_iter().any(|name| differs(&new.join(&name), &old.join(&name)));
    }
    fs::read(new).ok() != fs::read(old).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn settings() -> RepositoryCluster {
        let file: Arc<str> = "laconic.yml".into();
        let text = "deployments: {a: {spec: a}}\nclusters:\n  main: {kind-mount-root: /srv/kind, caddy-ingress-image: 'c:1', acme-email: ops@example.com}\n";
        laconic_engine::spec::read_repository(&file, text).0.clusters.remove(0)
    }

    #[test]
    fn a_copy_says_what_its_cluster_is_like() {
        for network in ["", "network:\n  # none\n  http-proxy: []\n", "network:\n    http-proxy: []\n", "network:\n"] {
            let text =
                completed(&format!("stack: s\ndeploy-to: k8s-kind\n{network}volumes: {{a: /srv/kind/a}}"), &settings());
            let (spec, findings) = read_spec(&"spec.yml".into(), &text);
            assert_eq!(findings, [], "{text}");
            let value = |it: &Option<laconic_engine::spec::Located<String>>| it.as_ref().unwrap().value.clone();
            assert_eq!(value(&spec.kind_mount_root), "/srv/kind", "{text}");
            assert_eq!(value(&spec.caddy_ingress_image), "c:1", "{text}");
            assert_eq!(value(&spec.acme_email), "ops@example.com", "{text}");
            assert_eq!(spec.volumes.len(), 1);
        }
    }

    #[test]
    fn a_copy_that_cannot_be_added_to_stays_as_it_is() {
        let text = "{stack: s, deploy-to: k8s-kind, volumes: {a: /srv/kind/a}}\n";
        assert_eq!(completed(text, &settings()), text);
    }
}
