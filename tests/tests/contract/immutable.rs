//! Fields that cannot be changed in place: the engine's list of them is the server's.

use laconic_engine::address::ResourceType;
use laconic_engine::apply::EnactError;
use laconic_engine::diff::{difference_paths, flatten, forces_replacement};
use serde_json::{Value, json};

use crate::bed::{Bed, key_of};
use crate::objects::sample;

/// Whether a change in place is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    InPlace,
    Replaces,
}

/// A kind, where in it, the new value (`null` to take it away), and what it takes.
type Case = (ResourceType, &'static str, Value, Change);

fn cases() -> Vec<Case> {
    use Change::{InPlace, Replaces};
    use ResourceType as R;
    let container = "/spec/template/spec/containers/0";
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    vec![
        (R::PersistentVolume, "/spec/hostPath/path", json!("/srv/other"), Replaces),
        (R::PersistentVolume, "/spec/hostPath/type", json!("DirectoryOrCreate"), Replaces),
        (R::PersistentVolume, "/spec/volumeMode", json!("Block"), Replaces),
        (R::PersistentVolume, "/spec/capacity/storage", json!("5Gi"), InPlace),
        (R::PersistentVolume, "/spec/accessModes", json!(["ReadWriteMany"]), InPlace),
        (R::PersistentVolume, "/spec/storageClassName", json!("other"), InPlace),
        (R::PersistentVolume, "/spec/persistentVolumeReclaimPolicy", json!("Delete"), InPlace),
        (R::PersistentVolume, "/spec/mountOptions", json!(["ro"]), InPlace),
        (R::PersistentVolume, "/metadata/labels/more", json!("x"), InPlace),
        (R::PersistentVolumeClaim, "/spec/storageClassName", json!("other"), Replaces),
        (R::PersistentVolumeClaim, "/spec/accessModes", json!(["ReadWriteMany"]), Replaces),
        (R::PersistentVolumeClaim, "/spec/resources/requests/storage", json!("5G"), Replaces),
        (R::PersistentVolumeClaim, "/spec/resources/requests/storage", json!("1G"), Replaces),
        (R::PersistentVolumeClaim, "/spec/resources/requests/storage", json!("2000M"), InPlace),
        (R::PersistentVolumeClaim, "/spec/volumeMode", json!("Block"), Replaces),
        (R::PersistentVolumeClaim, "/metadata/labels/more", json!("x"), InPlace),
        (R::Deployment, "/spec/selector/matchLabels/more", json!("x"), Replaces),
        (R::Deployment, "/spec/replicas", json!(3), InPlace),
        (R::Deployment, "/spec/strategy", json!({"type": "Recreate"}), InPlace),
        (R::Deployment, "/spec/template/metadata/labels/more", json!("x"), InPlace),
        (R::Deployment, leak(format!("{container}/image")), json!("example/web:2.0"), InPlace),
        (R::Deployment, "/spec/template/spec/volumes/0/configMap/name", json!("other"), InPlace),
        (R::Service, "/spec/clusterIP", json!("None"), Replaces),
        (R::Service, "/spec/type", json!("NodePort"), InPlace),
        (R::Service, "/spec/selector/app", json!("other"), InPlace),
        (R::Service, "/spec/ports/0/port", json!(81), InPlace),
        (R::Service, "/spec/ports/0/targetPort", json!("http"), InPlace),
        (R::Service, "/spec/sessionAffinity", json!("ClientIP"), InPlace),
        (R::Endpoints, "/subsets/0/addresses/0/ip", json!("192.0.2.9"), InPlace),
        (R::Job, leak(format!("{container}/image")), json!("example/once:2.0"), Replaces),
        (R::Job, "/spec/template/metadata/labels/more", json!("x"), Replaces),
        (R::Job, "/spec/template/spec/restartPolicy", json!("OnFailure"), Replaces),
        (R::Job, "/spec/completionMode", json!("Indexed"), Replaces),
        (R::Job, "/spec/completions", json!(2), Replaces),
        (R::Job, "/spec/backoffLimit", json!(3), InPlace),
        (R::Job, "/spec/activeDeadlineSeconds", json!(30), InPlace),
        (R::Job, "/spec/ttlSecondsAfterFinished", json!(30), InPlace),
        (R::Job, "/spec/parallelism", json!(0), InPlace),
        (
            R::Job,
            "/spec/podFailurePolicy",
            json!({"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]}),
            Replaces,
        ),
        (R::Job, "/spec/suspend", json!(true), InPlace),
        (R::Job, "/spec/podReplacementPolicy", json!("Failed"), InPlace),
        (R::Job, "/spec/managedBy", json!("example.com/other"), Replaces),
        (R::Job, "/metadata/labels/more", json!("x"), InPlace),
        (R::CronJob, "/spec/schedule", json!("0 4 1 1 *"), InPlace),
        (R::CronJob, "/spec/jobTemplate/spec/template/spec/containers/0/image", json!("example/once:2.0"), InPlace),
        (R::ConfigMap, "/data/a", json!("2"), InPlace),
        (R::ConfigMap, "/immutable", json!(true), InPlace),
        (R::Secret, "/type", json!("example.com/other"), Replaces),
        (R::Secret, "/data/token", json!("b3RoZXI="), InPlace),
        (R::ServiceAccount, "/imagePullSecrets", json!([{"name": "other"}]), InPlace),
        (R::ServiceAccount, "/automountServiceAccountToken", json!(false), InPlace),
        (R::ClusterRole, "/rules/0/verbs", json!(["get"]), InPlace),
        (R::Role, "/rules/0/verbs", json!(["get"]), InPlace),
        (R::ClusterRoleBinding, "/roleRef/name", json!("other"), Replaces),
        (R::RoleBinding, "/roleRef/kind", json!("ClusterRole"), Replaces),
        (R::ClusterRoleBinding, "/subjects/0/name", json!("other"), InPlace),
        (R::RoleBinding, "/subjects/0/name", json!("other"), InPlace),
        (R::IngressClass, "/spec/controller", json!("example.com/other"), Replaces),
        (
            R::IngressClass,
            "/metadata/annotations",
            json!({"ingressclass.kubernetes.io/is-default-class": "true"}),
            InPlace,
        ),
        (R::Ingress, "/spec/ingressClassName", json!("other"), InPlace),
        (R::Ingress, "/spec/rules/0/host", json!("other.example"), InPlace),
        (R::RuntimeClass, "/handler", json!("runc"), Replaces),
        (R::RuntimeClass, "/scheduling", json!({"nodeSelector": {"gvisor": "yes"}}), InPlace),
        (R::Namespace, "/metadata/labels/more", json!("x"), InPlace),
    ]
}

fn changed(object: &Value, pointer: &str, value: &Value) -> Value {
    let mut object = object.clone();
    let (above, member) = pointer.rsplit_once('/').unwrap();
    let above = object.pointer_mut(above).unwrap();
    match (above, member.parse::<usize>()) {
        (Value::Array(items), Ok(index)) => items[index] = value.clone(),
        (above, _) => above[member] = value.clone(),
    }
    object
}

pub async fn the_engine_knows_what_cannot_be_changed_in_place(bed: &Bed) {
    let mut problems = Vec::new();
    for (resource_type, pointer, value, expected) in cases() {
        let before = sample(bed, resource_type);
        let after = changed(&before, pointer, &value);
        let (old, new) = (flatten(&before), flatten(&after));
        let forced = difference_paths(&old, &new)
            .iter()
            .any(|path| forces_replacement(resource_type, path, old.get(path), new.get(path)));
        if forced != (expected == Change::Replaces) {
            problems.push(format!("{resource_type} {pointer}: the engine says forced: {forced}"));
        }
        let made = bed.created(&before).await;
        let tried = bed.provider.dry_run(&bed.update_step(&after, &made.uid)).await;
        let done = bed.update(&after, &made.uid).await;
        for (way, outcome) in [("tried", tried), ("done", done)] {
            let found = match &outcome {
                Ok(_) => Change::InPlace,
                Err(EnactError::Refused(_)) => Change::Replaces,
                Err(error) => panic!("{resource_type} {pointer}, {way}: {error:?}"),
            };
            if found != expected {
                problems.push(format!("{resource_type} {pointer}, {way}: {outcome:?}"));
            }
        }
        // What was refused is as it was.
        if expected == Change::Replaces {
            let spec = |object: &Value| object.get("spec").cloned();
            assert_eq!(spec(&bed.read(&key_of(&before)).await), spec(&made.attributes), "{resource_type} {pointer}");
        }
        bed.delete(&key_of(&before), Some(&made.uid)).await.unwrap();
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A ConfigMap or Secret that says so keeps its contents.
pub async fn what_says_that_it_is_immutable_is_so(bed: &Bed) {
    for resource_type in [ResourceType::ConfigMap, ResourceType::Secret] {
        let mut frozen = sample(bed, resource_type);
        frozen["immutable"] = true.into();
        let made = bed.created(&frozen).await;
        let after = changed(&frozen, "/data/more", &json!("b3RoZXI="));
        let said = crate::bed::refused(bed.update(&after, &made.uid).await);
        assert!(said.contains("immutable"), "{said}");
        bed.updated(&changed(&frozen, "/metadata/labels/more", &json!("x")), &made.uid).await;
    }
}

/// Where a volume may be used from is told once.
pub async fn a_node_affinity_is_set_and_stays(bed: &Bed) {
    let terms = |key: &str| json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "Exists"}]}]}});
    let before = sample(bed, ResourceType::PersistentVolume);
    let made = bed.created(&before).await;
    let with = changed(&before, "/spec/nodeAffinity", &terms("a"));
    bed.updated(&with, &made.uid).await;
    let other = changed(&before, "/spec/nodeAffinity", &terms("b"));
    let said = crate::bed::refused(bed.update(&other, &made.uid).await);
    assert!(said.contains("nodeAffinity"), "{said}");
    let (old, new) = (flatten(&with), flatten(&other));
    for path in difference_paths(&old, &new) {
        assert!(forces_replacement(ResourceType::PersistentVolume, &path, old.get(&path), new.get(&path)), "{path}");
    }
}
