//! The cluster that deployments of one repository share: its settings are the wish of each of them.

use crate::code::{Code, Severity};
use crate::compile::SharedCluster;
use crate::finding::Finding;
use crate::source::normalize_path;
use crate::spec::{DeployTo, Located, Spec};

/// Gives a spec the settings of its cluster. A spec that says otherwise is told so, with both lines; the settings of the
/// cluster count, because they are what all of its deployments agree on.
pub(super) fn share(spec: &mut Spec, shared: &SharedCluster, findings: &mut Vec<Finding>) {
    let is_kind = spec.deploy_to.as_ref().is_some_and(|target| target.value == DeployTo::KindCluster);
    let Some(cluster) = shared.settings.as_ref().filter(|_| is_kind) else { return };
    let knobs = [
        (Code::MountRootDisagreement, "kind-mount-root", &cluster.kind_mount_root, &mut spec.kind_mount_root),
        (Code::KnobDisagreement, "kind-node-image", &cluster.kind_node_image, &mut spec.kind_node_image),
        (Code::KnobConflict, "caddy-ingress-image", &cluster.caddy_ingress_image, &mut spec.caddy_ingress_image),
        (Code::KnobDisagreement, "acme-email", &cluster.acme_email, &mut spec.acme_email),
    ];
    for (code, key, wanted, written) in knobs {
        let Some(wanted) = wanted else { continue };
        if let Some(own) = written.as_ref().filter(|own| !own.value.is_empty() && !is_same(key, own, wanted)) {
            findings.push(disagreement(code, key, &cluster.name.value, own, wanted));
        }
        if written.as_ref().is_none_or(|own| own.value.is_empty() || !is_same(key, own, wanted)) {
            *written = Some(wanted.clone());
        }
    }
}

fn is_same(key: &str, own: &Located<String>, wanted: &Located<String>) -> bool {
    match key {
        "kind-mount-root" => normalize_path(&own.value) == normalize_path(&wanted.value),
        _ => own.value == wanted.value,
    }
}

fn disagreement(code: Code, key: &str, cluster: &str, own: &Located<String>, wanted: &Located<String>) -> Finding {
    let outcome =
        if code.severity() == Severity::Error { String::new() } else { format!("; {} is used", wanted.value) };
    let message = format!("`{key}` is {} here, and {} for the cluster {cluster}{outcome}", own.value, wanted.value);
    Finding::new(code, message)
        .at(&own.place)
        .label(&wanted.place, format!("{} for every deployment on {cluster}", wanted.value))
        .help(format!("remove `{key}` from the spec: the cluster's settings in laconic.yml count for all of it"))
}
